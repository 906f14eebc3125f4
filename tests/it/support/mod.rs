//! What several test modules share.

pub mod admission_cases;
pub mod control_plane;
pub mod manual_clock;
pub mod wait;

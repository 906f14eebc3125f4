//! What several test modules share.

pub mod helm;
pub mod programs;

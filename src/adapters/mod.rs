//! What touches the outside: each module implements one port.

pub mod clock;
pub mod ledger;
pub mod manifests;
pub mod yaml;

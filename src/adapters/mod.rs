//! What touches the outside: each module implements one port.

pub mod agents;
pub mod clock;
pub mod kube;
pub mod ledger;
pub mod manifests;
pub mod probe;
pub mod reports;
pub mod traffic;
pub mod yaml;

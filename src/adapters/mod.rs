//! What touches the outside: each module implements one port.

pub mod agents;
pub mod clock;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
pub mod kube;
pub mod ledger;
pub mod manifests;
pub mod probe;
pub mod reports;
pub mod traffic;
pub mod yaml;

//! The core: what is healthy, who agrees, what to do about it, and how far a plan has come.
//!
//! No I/O, no clock, no randomness, no Kubernetes: equal inputs give equal outputs. Everything it needs comes in as a
//! value, everything it wants goes out as a value. `serde` is the one crate it uses besides `std`, because records,
//! runs and verdicts are what the ledger keeps.

mod health;
mod ids;
mod lease;
mod service;
mod time;

pub use health::{CheckWindow, HealthPolicy, Outcome, Recovery, Sample, Verdict, Window, worst};
pub use ids::{Epoch, Identity, RegionName, RouteName, RunId, ServiceKey};
pub use lease::{LeaseMark, LeaseWatch, Tenure};
pub use service::{FailoverPolicy, Member, Mode, Service, Topology};
pub use time::{Tick, Timestamp};

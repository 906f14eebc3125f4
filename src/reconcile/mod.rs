//! One pass: observe, parse, decide, execute, report.
//!
//! `agent` is one process, `tasks` what it does all the time, `pass` what it does for one service. `observe` reads,
//! `parse` turns wishes into values of the core, `execute` drives a run, `report` shows it to people. Absent: any
//! knowledge of Kubernetes calls, name servers or sockets; those are behind the ports.

mod agent;
mod book;
mod catalog;
mod drills;
mod execute;
mod identity;
mod line;
mod meter;
mod mirror;
mod moves;
mod observe;
mod overview;
pub mod parse;
mod pass;
mod preview;
mod promises;
mod queue;
mod recall;
mod report;
mod requests;
mod retry;
mod schedule;
mod specs;
mod survey;
mod tasks;
mod tenure;
mod traffic;
mod trial;
pub mod vantage;
mod workloads;

pub use agent::{Agent, Ports, Settings};
pub use book::Entry;
pub use catalog::Catalog;
pub use drills::Sealing;
pub use identity::Claim;
pub use mirror::{LEADER_LEASE, REGION_LEASE};
pub use parse::key_of;
pub use preview::{Preview, PreviewError};

#[cfg(test)]
mod tests;

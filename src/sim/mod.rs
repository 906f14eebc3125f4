//! Proves it before it runs: the product, as it is, in a simulated world with virtual time and faults drawn from a seed.
//!
//! `world` is the queue of what will happen, `process` the product in it. `network`, `ledger`, `names`, `members`,
//! `cluster` and `clock` are the outside, as simulated ports. `fault` breaks it, `check` watches the invariants, `draw`
//! makes faults from a seed, `run` is one run, `explore` many, `scenario` one that somebody wrote down. Absent: real time, threads, and any decision of its own.

mod agents;
mod awaited;
mod call;
mod check;
mod clock;
mod cluster;
mod draw;
mod explore;
mod fault;
mod gate;
mod ledger;
mod members;
mod moment;
mod names;
mod network;
#[cfg(test)]
mod planted;
mod process;
mod run;
pub mod scenario;
mod setup;
mod story;
mod workloads;
mod world;

pub use check::{Invariant, Violation};
pub use draw::{Schedule, draw};
pub use explore::{Explanation, Explored, Finding, Progress, builtin, explain, explore};
pub use fault::{DrillWish, Edit, Fault, Incident, Word};
pub use members::Condition;
pub use moment::Moment;
pub use names::Manner;
pub use network::Site;
pub use run::{Outcome, run};
pub use setup::Setup;

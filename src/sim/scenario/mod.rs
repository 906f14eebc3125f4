//! A scenario: what happens when, written down by somebody, and what must come of it.
//!
//! `file` is the format, `deed` what stands in a time line, `read` a file with the place of every mistake. `stage` plays
//! a scenario in the simulated world; `citizen` are the people who use the services, `witness` writes down what they and
//! the ledger see. `judge` compares that with what was expected, `transcript` tells it. Absent: chance of its own, and
//! any fault that [`super::Fault`] does not have.

mod citizen;
mod clocks;
mod deed;
mod file;
mod judge;
mod names;
mod paths;
mod read;
mod stage;
mod transcript;
mod witness;

pub use judge::Check;
pub use paths::{Found, find};
pub use read::{Scenario, read};
pub use stage::{Played, Rto};
pub use transcript::transcript;
pub(super) use witness::Witness;

#[cfg(test)]
mod tests;

//! The place of the client that writes: numbered records every 20 ms to the one writer of an ActiveStandby service, behind
//! each kind of gate. It is not there yet.
//!
//! It is to be a process of its own like [`crate::client`], with a role of its own in `main.rs` and the common clock of
//! [`crate::clock`]: each line one record, with when it was sent, when it was acknowledged and by which region. The writer
//! itself appends what it accepts to a log in its site, with the same clock, so that a case can ask of the logs of all
//! sites whether two accepted at one instant, and which acknowledged record is in none.

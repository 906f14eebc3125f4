//! The integration tests: one binary, real parts. A module is named after the part of the product that it proves.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod architecture;
mod check;
mod cli;
mod manifests;

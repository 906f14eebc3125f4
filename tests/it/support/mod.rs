//! What several modules of tests use.

pub mod http_server;
pub mod probes;

//! Real parts that tests start, and how tests wait for them.

pub mod ask;
pub mod dns_server;
pub mod helm;
pub mod http_server;
pub mod knot;
pub mod named;
pub mod poll;
pub mod probes;
pub mod programs;

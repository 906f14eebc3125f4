//! Real parts that tests start, and how tests wait for them.

pub mod admission_cases;
pub mod ask;
pub mod authority;
pub mod bongsu;
pub mod control_plane;
pub mod controllers;
pub mod dns_server;
pub mod etcd;
pub mod gate;
pub mod helm;
pub mod http_server;
pub mod knot;
pub mod manual_clock;
pub mod named;
pub mod place;
pub mod plugin;
pub mod poll;
pub mod probes;
pub mod programs;
pub mod prometheus;
pub mod proxy;
pub mod relay;
pub mod service;
pub mod wait;
pub mod watcher;
pub mod world;

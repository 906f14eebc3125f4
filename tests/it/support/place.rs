//! Where a program runs: on this host, or in a network namespace of its own.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use super::control_plane::Leashed;

/// A network and the address in it that programs listen on.
#[derive(Clone, Debug)]
pub struct Place {
    /// Address.
    pub ip: Ipv4Addr,
    /// Programs that become the next in the line, each with its arguments.
    before: Vec<String>,
}

impl Place {
    /// This host.
    pub fn here() -> Self {
        Self { ip: Ipv4Addr::LOCALHOST, before: Vec::new() }
    }

    /// The network namespace of this file, such as `/proc/1/ns/net`.
    pub fn within(namespace: &Path, ip: Ipv4Addr) -> Self {
        Self { ip, before: vec!["nsenter".to_owned(), format!("--net={}", namespace.display())] }
    }

    /// The same with more in the environment of programs, as `NAME=value`.
    pub fn with(&self, environment: &[String]) -> Self {
        let mut place = self.clone();
        place.before.push("env".to_owned());
        place.before.extend_from_slice(environment);
        place
    }

    /// Starts a program here, as [`Leashed::start`] does.
    pub fn start(&self, garbage: &Path, program: &Path, arguments: &[String], log: &Path) -> Leashed {
        let mut line = self.before.clone();
        line.push(program.display().to_string());
        line.extend_from_slice(arguments);
        // Each becomes the next, so the process id is that of the program.
        Leashed::start(garbage, &PathBuf::from(line.remove(0)), &line, log)
    }
}

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
    namespace: Option<PathBuf>,
}

impl Place {
    /// This host.
    pub fn here() -> Self {
        Self { ip: Ipv4Addr::LOCALHOST, namespace: None }
    }

    /// The network namespace of this file, such as `/proc/1/ns/net`.
    pub fn within(namespace: &Path, ip: Ipv4Addr) -> Self {
        Self { ip, namespace: Some(namespace.to_owned()) }
    }

    /// Starts a program here, as [`Leashed::start`] does.
    pub fn start(&self, garbage: &Path, program: &Path, arguments: &[String], log: &Path) -> Leashed {
        let Some(namespace) = &self.namespace else {
            return Leashed::start(garbage, program, arguments, log);
        };
        let mut all = vec![format!("--net={}", namespace.display()), program.display().to_string()];
        all.extend_from_slice(arguments);
        // It becomes the program: the process id is that of the program.
        Leashed::start(garbage, Path::new("nsenter"), &all, log)
    }
}

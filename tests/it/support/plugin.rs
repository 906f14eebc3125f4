//! `kubectl bongsu` as a person with a kubeconfig of their own, called by the real kubectl.

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::LazyLock,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::{control_plane::ControlPlane, programs::program};

/// A directory in which the program has the names that kubectl looks for.
static BIN: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_BIN_EXE_bongsu"));
    // Beside the program, so that it goes when that goes.
    let dir = target.parent().unwrap().join("kubectl-plugin");
    std::fs::create_dir_all(&dir).unwrap();
    for name in ["kubectl-bongsu", "kubectl_complete-bongsu"] {
        // Another test process may have made it a moment ago.
        let _ = symlink(target, dir.join(name));
    }
    dir
});

/// What a call came to.
pub struct Called {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Called {
    /// What it printed; fails if the exit code is another.
    #[track_caller]
    pub fn with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self.out
    }

    /// What it complained about, with exit code 2.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{}", self.err);
        assert_eq!(self.err.lines().filter(|line| line.starts_with("bongsu: ")).count(), 1, "{}", self.err);
        self.err
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        let out = self.with(0);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}

/// Somebody with a kubeconfig.
pub struct Person {
    home: TempDir,
    namespace: String,
}

impl Person {
    /// Whoever has this token; named objects are in this namespace.
    pub fn new(plane: &ControlPlane, token: &str, namespace: &str) -> Self {
        let person = Self::nowhere(namespace);
        plane.kubeconfig_of(&person.kubeconfig(), token);
        person
    }

    /// Somebody whose kubeconfig is still to be written.
    pub fn nowhere(namespace: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), namespace: namespace.to_owned() }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.home.path().join("config")
    }

    /// `kubectl bongsu` with these arguments, in the person's namespace.
    pub async fn calls(&self, arguments: &[&str]) -> Called {
        let output = self.command(arguments).output().await.unwrap();
        called(output)
    }

    /// The same as text that a shell takes.
    pub fn line(&self, arguments: &str) -> String {
        format!("{} bongsu {arguments} -n {}", program("kubectl").display(), self.namespace)
    }

    /// A command with the person's surroundings.
    pub fn surrounded(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let path = env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(BIN.clone()).chain(env::split_paths(&path));
        let mut command = Command::new(program);
        command.env("PATH", env::join_paths(path).unwrap()).env("KUBECONFIG", self.kubeconfig());
        command.env("HOME", self.home.path()).env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env("TERM", "xterm");
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.surrounded(program("kubectl"));
        command.arg("bongsu").args(arguments).args(["-n", &self.namespace]);
        command
    }
}

/// What a process left behind.
pub fn called(output: Output) -> Called {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Called { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

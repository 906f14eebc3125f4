//! Puts the commit into `bongsu --version`.
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-env-changed=BONGSU_COMMIT");
    let commit =
        std::env::var("BONGSU_COMMIT").ok().or_else(git_commit).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=BONGSU_COMMIT={commit}");
}

/// Short hash of HEAD, or nothing when the source is not a git checkout (a released tarball).
fn git_commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

//! Finds and runs the programs that `hack/parts.sh` brings.

use std::{
    env,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// Path of a program: from `PATH`, else from where `hack/parts.sh` puts it.
pub fn program(name: &str) -> PathBuf {
    let parts = cache().join("parts/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([parts])
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: run hack/parts.sh"))
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").expect("HOME is set"));
    env::var_os("BONGSU_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from).join("bongsu")
    })
}

/// Runs a command with this input to its end: what it wrote, or what it complained about.
pub fn run(command: &mut Command, input: &str) -> Result<String, String> {
    let Output { status, stdout, stderr } = output(command, input);
    let [out, complaint] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    if status.success() { Ok(out) } else { Err(format!("{out}{complaint}")) }
}

fn output(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that complains may end without reading its input, so a broken pipe is no error here.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Compares a generated file with the committed one, or writes it when `UPDATE` is set.
pub fn assert_committed(path: &str, generated: &str) {
    if env::var_os("UPDATE").is_some() {
        std::fs::write(path, generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == generated,
        "{path} is not what the code says: run `UPDATE=1 cargo test` and commit it\n{generated}"
    );
}

//! Three data centers on one machine, each in a network of its own, with real parts: what is lost is really lost.
//!
//! `make test` runs the short cases, `make test-sites` all. One case: `cargo test --test sites NAME`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::{
    env,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode},
};

mod cases_clock;
mod cases_cut;
mod cases_ledger;
mod cases_lost;
mod cases_payload;
mod cases_versions;
mod cases_writer;
mod client;
mod clock;
mod harness;
mod member;
mod network;
mod service;
mod site;
#[allow(dead_code, reason = "the other integration tests use the rest")]
#[path = "../it/support/mod.rs"]
mod support;
mod world;
mod writer;

/// Set in the process that is in a network of its own.
const INSIDE: &str = "BONGSU_SITES_INSIDE";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(member::ROLE) => forever(member::run(&arguments[1..])),
        Some(client::ROLE) => forever(client::run(&arguments[1..])),
        Some(writer::ROLE) => forever(writer::run(&arguments[1..])),
        Some(writer::CLIENT) => forever(writer::run_client(&arguments[1..])),
        _ => test(&arguments),
    }
}

/// The test goes on in a network of its own, which is the router between the sites.
fn test(arguments: &[String]) -> ExitCode {
    let cases: Vec<&'static harness::Case> = [
        cases_lost::ALL,
        cases_writer::ALL,
        cases_cut::ALL,
        cases_ledger::ALL,
        cases_versions::ALL,
        cases_clock::ALL,
        cases_payload::ALL,
    ]
    .into_iter()
    .flatten()
    .collect();
    if env::var_os(INSIDE).is_some() || arguments.iter().any(|argument| argument == "--list") {
        return harness::main(&cases, arguments, None);
    }
    match harness::own_network() {
        Ok(way) => {
            let mut command = Command::new(way[0]);
            command.args(&way[1..]).arg(this_program()).args(arguments).env(INSIDE, "1");
            // Returns only when it could not.
            panic!("{}", command.exec());
        }
        Err(why) => harness::main(&cases, arguments, Some(why)),
    }
}

fn forever(role: impl Future<Output = ()>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(role);
    ExitCode::SUCCESS
}

/// The program that tests, which also is the members and the clients.
fn this_program() -> PathBuf {
    env::current_exe().unwrap()
}

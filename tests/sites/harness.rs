//! Runs the cases one after the other on the same three sites, and says what was not run and why.
//!
//! The harness of the standard library cannot: it has no end of all tests at which to tear down, and no way to say that a
//! test was skipped. Its arguments are understood as far as they make sense here.

use std::{env, panic::AssertUnwindSafe, pin::Pin, process::ExitCode, time::Duration};

use futures::FutureExt;

use crate::{clock::now, network, world::Sites};

/// What a case does.
pub type Body = for<'a> fn(&'a mut Sites) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One test.
pub struct Case {
    pub name: &'static str,
    /// Only run when asked for: `make test-sites`.
    pub long: bool,
    pub body: Body,
}

/// What the command line chose.
struct Choice {
    filters: Vec<String>,
    exact: bool,
    short: bool,
    long: bool,
    list: bool,
}

impl Choice {
    fn from_arguments(arguments: &[String]) -> Self {
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        let filters = arguments.iter().filter(|argument| !argument.starts_with('-')).cloned().collect();
        Self {
            filters,
            exact: has("--exact"),
            short: !has("--ignored"),
            long: has("--ignored") || has("--include-ignored"),
            list: has("--list"),
        }
    }

    fn names(&self, case: &Case) -> bool {
        let fits = |filter: &String| {
            if self.exact { case.name == filter } else { case.name.contains(filter.as_str()) }
        };
        self.filters.is_empty() || self.filters.iter().any(fits)
    }

    fn runs(&self, case: &Case) -> bool {
        if case.long { self.long } else { self.short }
    }
}

/// Runs what was chosen.
pub fn main(cases: &[&'static Case], arguments: &[String], cannot: Option<String>) -> ExitCode {
    let choice = Choice::from_arguments(arguments);
    let named: Vec<&'static Case> = cases.iter().copied().filter(|case| choice.names(case)).collect();
    if choice.list {
        named.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<&'static Case> = named.iter().copied().filter(|case| choice.runs(case)).collect();
    let filtered = cases.len() - named.len();
    if let Some(why) = cannot.filter(|_| !chosen.is_empty()) {
        named.iter().for_each(|case| println!("test {} ... ignored, SKIPPED: {why}", case.name));
        return sum(0, &[], named.len(), filtered, Duration::ZERO);
    }
    println!("\nrunning {} tests of three sites", chosen.len());
    for case in named.iter().filter(|case| !choice.runs(case)) {
        println!("test {} ... ignored{}", case.name, if case.long { ", long: make test-sites" } else { "" });
    }
    let began = now();
    let failed = if chosen.is_empty() { Vec::new() } else { run(&chosen) };
    sum(chosen.len() - failed.len(), &failed, named.len() - chosen.len(), filtered, now() - began)
}

/// The names of those that failed.
fn run(chosen: &[&'static Case]) -> Vec<&'static str> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let began = now();
        let mut sites = Sites::start().await;
        println!("three sites are up after {:.1} s", (now() - began).as_secs_f64());
        let mut failed = Vec::new();
        for case in chosen {
            let began = now();
            let result = AssertUnwindSafe((case.body)(&mut sites)).catch_unwind().await;
            network::heal();
            let word = if result.is_ok() { "ok" } else { "FAILED" };
            println!("test {} ... {word} ({:.1} s)", case.name, (now() - began).as_secs_f64());
            if result.is_err() {
                println!("{}", sites.tell());
                failed.push(case.name);
            }
            let recovered = AssertUnwindSafe(sites.recover()).catch_unwind().await;
            if recovered.is_err() {
                println!(
                    "{}\nafter {} the sites did not recover: the rest is not run",
                    sites.tell(),
                    case.name
                );
                failed.push("recovery");
                break;
            }
        }
        failed
    })
}

fn sum(passed: usize, failed: &[&str], ignored: usize, filtered: usize, took: Duration) -> ExitCode {
    if !failed.is_empty() {
        println!("\nfailures:\n    {}", failed.join("\n    "));
    }
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {} failed; {ignored} ignored; 0 measured; {filtered} filtered out; \
         finished in {:.2}s\n",
        failed.len(),
        took.as_secs_f64()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether this machine lets us have networks of our own: how to begin a command in one, or why not.
pub fn own_network() -> Result<Vec<&'static str>, String> {
    let tools = ["ip", "iptables", "nsenter", "unshare"];
    let path = env::var_os("PATH").unwrap_or_default();
    let found = |tool: &&&str| env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    let missing: Vec<_> = tools.iter().filter(|tool| !found(tool)).copied().collect();
    if !missing.is_empty() {
        return Err(format!("{} not on PATH: run hack/parts.sh network", missing.join(", ")));
    }
    let ways: [&[&str]; 2] = [&["unshare", "--net"], &["unshare", "--user", "--map-root-user", "--net"]];
    let mut why = String::new();
    for way in ways {
        let mut command = std::process::Command::new(way[0]);
        command.args(&way[1..]).args(["sh", "-c", "ip link set lo up && iptables -L FORWARD"]);
        match crate::support::programs::run(&mut command, "") {
            Ok(_) => return Ok(way.to_vec()),
            Err(complaint) => why = complaint,
        }
    }
    Err(format!("no network namespace can be made here, needs root: {}", why.trim()))
}

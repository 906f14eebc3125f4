//! The command line: arguments in, one call, an exit code out. Each subcommand has its own file.

mod agents;
mod calendar;
mod check;
mod completions;
mod crds;
mod demo;
mod etcd;
mod gate;
mod instance;
mod kubectl;
mod plan;
mod report;
mod run;
mod simulate;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Version and the commit that it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BONGSU_COMMIT"), ")");

const EXAMPLES: &str = "\
Examples:
  bongsu demo                         lose a data center on this machine, and see it served again
  bongsu run --region daegu --manifests manifests/
                                      watch without Kubernetes, from files
  bongsu gate --service gpki/gpki-directory --region daejeon … --proxy 0.0.0.0:5432=127.0.0.1:5433
                                      let nothing through to a writer while its region does not hold the lease
  bongsu check -f manifests/          look for mistakes before kubectl apply does
  bongsu simulate scenarios/          play outages in a simulated world, and see what comes of them
  bongsu plan gpki/gpki-verify        say what would happen if what serves were lost now
  bongsu inspect -A                   look at everything that a switch will need, before the day
  bongsu calendar import holidays.ics --time-zone Asia/Seoul
                                      make a Calendar, on whose days no drill runs
  bongsu kubectl get -A               who serves, how it is, what would happen
  bongsu report verify reports/*.json check that the reports of drills were not changed
  bongsu crds | kubectl apply -f -    install the custom resources
  bongsu completions bash             print completions for a shell

Exit codes:
  0  it worked
  1  it worked, and something is wrong with what it looked at
  2  it could not be done: wrong arguments, or a file that cannot be read

Each command says more with --help.";

/// Fails shared services over between regions, and drills the switchover.
#[derive(Debug, Parser)]
#[command(name = "bongsu", version = VERSION, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch, decide and act: one Bongsu process
    Run(Box<run::Args>),
    /// Let a writer write while its lease is held, and stop it when it is not
    Gate(Box<gate::Args>),
    /// Say that a gate is stopped for good, where a move waits because it may still write by promises
    GateStopped(Box<gate::stopped::Args>),
    #[command(hide = true)]
    GateGuard(gate::GuardArgs),
    #[command(hide = true)]
    GateLaunch(gate::LaunchArgs),
    /// Say what would happen now, and which rule blocks it
    Plan(plan::Args),
    /// Look at everything that a switch will need, before the day
    Inspect(Box<kubectl::inspect::Alone>),
    /// Lose a simulated data center on this machine, and see its service come back in another
    Demo(demo::Args),
    /// Look at and move services of a cluster, with your own rights: what `kubectl bongsu` does
    Kubectl(Box<kubectl::Args>),
    /// Look for mistakes in manifests, without a cluster
    Check(check::Args),
    /// Make a Calendar of a calendar in another form
    Calendar(calendar::Args),
    /// Play outages in a simulated world, and say which expectations did not hold
    Simulate(simulate::Args),
    /// Show the report of a drill, or check that nothing in it was changed
    Report(report::Args),
    /// Print the custom resource definitions, or write them and their reference to files
    Crds(crds::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// It worked.
    Good,
    /// It worked, and something is wrong with what it looked at.
    Findings,
    /// It could not be done.
    Failed,
    /// The program that it ran ended by itself, with this exit code.
    Ended(u8),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Good => Self::SUCCESS,
            Outcome::Findings => Self::from(1),
            Outcome::Failed => Self::from(2),
            Outcome::Ended(code) => Self::from(code),
        }
    }
}

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let result = kubectl::main_as(std::env::args_os().next().as_deref()).unwrap_or_else(run);
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("bongsu: {error:#}");
            Outcome::Failed.into()
        }
    }
}

fn run() -> anyhow::Result<Outcome> {
    match Cli::parse().command {
        Command::Run(args) => run::run(*args),
        Command::Gate(args) => gate::run(*args),
        Command::GateStopped(args) => gate::stopped::run(*args),
        Command::GateGuard(args) => gate::guard(&args),
        Command::GateLaunch(args) => gate::launch(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Inspect(args) => kubectl::inspect::run_alone(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Kubectl(args) => kubectl::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Calendar(args) => calendar::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Crds(args) => crds::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Writes to standard output. A reader that has gone, such as `head`, is no error.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::{ErrorKind, Write, stdout};
    let written = stdout().lock().write_all(text.as_bytes()).and_then(|()| stdout().flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

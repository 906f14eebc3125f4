//! `kubectl bongsu`: what a person does to a cluster, with that person's rights. The same program under another name, or
//! `bongsu kubectl`. Everything goes through the API server; no ledger is written and no Bongsu is asked.

mod abort;
mod access;
mod approve;
mod complete;
mod drill;
mod get;
pub(super) mod inspect;
mod output;
mod plan;
mod report;
mod rules;
mod switch;
mod table;
mod trouble;
mod watch;
mod wish;
mod words;

use std::{ffi::OsStr, path::Path};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::{Outcome, VERSION, print};

/// File name under which kubectl finds a plugin `bongsu`.
const PLUGIN: &str = "kubectl-bongsu";

/// File name under which kubectl looks for what completes the arguments of that plugin.
const COMPLETER: &str = "kubectl_complete-bongsu";

const EXAMPLES: &str = "\
Examples:
  kubectl bongsu get -A                           who serves, how it is, what would happen
  kubectl bongsu get gpki-verify                  all of one service
  kubectl bongsu inspect -A                       what a switch will need, before the day
  kubectl bongsu plan gpki-verify --to gwangju    what a switch would do; touches nothing
  kubectl bongsu switch gpki-verify --to gwangju --reason 'maintenance in daejeon'
  kubectl bongsu drill next                       when drills run, and what blocks them
  kubectl bongsu drill run verify-quarterly --reason 'asked for by the ministry' --watch
  kubectl bongsu approve verify-quarterly-x7k2p   say yes, in your own name
  kubectl bongsu abort verify-quarterly-x7k2p     bring traffic back at once
  kubectl bongsu report verify-quarterly-x7k2p -o html > report.html

Exit codes:
  0  it worked
  1  it worked, and the answer is bad: refused, failed, aborted, not started
  2  it could not be done: wrong arguments, no right, no answer, or you stopped looking";

/// Looks at and moves shared services, and drills the switchover.
#[derive(Debug, Parser)]
#[command(name = "kubectl bongsu", bin_name = "kubectl bongsu", version = VERSION, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
struct Plugin {
    #[command(flatten)]
    args: Args,
}

/// Arguments of `kubectl bongsu`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    access: access::Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show who serves, how it is, and what would happen
    Get(get::Args),
    /// Show what a switch would do, and which rule blocks it
    Plan(plan::Args),
    /// Look at everything that a switch will need, before the day
    Inspect(inspect::Args),
    /// Move a service to another region
    Switch(switch::Args),
    /// Run drills, and show them
    Drill(drill::Args),
    /// Say yes to a run of a drill, in your own name
    Approve(approve::Args),
    /// Stop a run of a drill, or a move that is paused
    Abort(abort::Args),
    /// Print the report of a run of a drill
    Report(report::Args),
    /// Follow a run of a drill to its end
    Watch(watch::Args),
    /// Print completions for a shell that calls the program itself
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print what could stand at the cursor, as kubectl asks for it
    #[command(name = "__complete", hide = true)]
    Complete {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// What the program is when it is called by this name; `None`: `bongsu`.
pub(super) fn main_as(called: Option<&OsStr>) -> Option<anyhow::Result<Outcome>> {
    match Path::new(called?).file_name()?.to_str()? {
        PLUGIN => Some(run(&Plugin::parse().args)),
        COMPLETER => {
            let words: Vec<String> =
                std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            Some(complete::run(&words))
        }
        _ => None,
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::Completions { shell } => return completions(*shell),
        Command::Complete { words } => return complete::run(words),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if let Command::Inspect(inspect) = &args.command {
            return inspect::run(&args.access, inspect).await;
        }
        let session = args.access.session().await?;
        match &args.command {
            Command::Get(args) => get::run(&session, args).await,
            Command::Plan(args) => plan::run(&session, args).await,
            Command::Switch(args) => switch::run(&session, args).await,
            Command::Drill(args) => drill::run(&session, args).await,
            Command::Approve(args) => approve::run(&session, args).await,
            Command::Abort(args) => abort::run(&session, args).await,
            Command::Report(args) => report::run(&session, args).await,
            Command::Watch(args) => watch::run(&session, args).await,
            Command::Inspect(_) | Command::Completions { .. } | Command::Complete { .. } => Ok(Outcome::Good),
        }
    })
}

fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Plugin::command(), PLUGIN, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Good)
}

//! `bongsu completions`: what a shell needs to complete our arguments.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Cli, Outcome, print};

/// Arguments of `bongsu completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bongsu completions bash > /etc/bash_completion.d/bongsu")]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "bongsu", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Good)
}

//! `bongsu demo`: the main job on embedded parts. Three Bongsus, two services, two name servers and a citizen, all real
//! and all in this process; one data center is lost, comes back, and a drill is held.

mod center;
mod citizen;
mod drill;
mod event;
mod observer;
mod play;
mod service;
mod story;
mod summary;
mod view;
mod world;

use std::{env, io::IsTerminal, path::PathBuf, sync::Arc};

use anyhow::Context;

use super::Outcome;
use crate::{adapters::clock::SystemClock, api};
use play::Play;
use summary::Ending;
use view::{Json, Plain, Screen, View};

const EXAMPLES: &str = "\
Examples:
  bongsu demo                       show it on the terminal
  bongsu demo --plain               one line for each thing that happens
  bongsu demo --json | tail -1      the result as one JSON object
  bongsu demo --lose-both           nobody is left: why Bongsu moves nothing then
  bongsu demo --drill               nothing is lost: a drill moves the service away and back

What happens: Daejeon (127.0.0.2) serves gpki-verify and its Bongsu decides, Gwangju (127.0.0.3)
stands by, Daegu watches. A citizen resolves the name and verifies 4 KB five times a second.
Then Daejeon loses power: service, name server and Bongsu. When the citizen is served again the
power comes back, and a drill moves the service to Daejeon, holds it there for five seconds and
brings it back. All times are measured.

Keys on the terminal: q or Ctrl-C stops.

Exit codes:
  0  the citizen was served again within the time that Bongsu predicted before the fault,
     and the drill has passed
  1  the citizen was not, or it has not
  2  it could not be shown, or was stopped";

/// Arguments of `bongsu demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Print one JSON object for each thing that happens; the last line is the summary
    #[arg(long, conflicts_with = "plain")]
    json: bool,

    /// Print lines even on a terminal
    #[arg(long)]
    plain: bool,

    /// Lose both data centers, so that nobody is left to serve
    #[arg(long)]
    lose_both: bool,

    /// Lose nothing: a drill moves the service away, and back after five seconds
    #[arg(long, conflicts_with = "lose_both")]
    drill: bool,

    /// Write the report of the drill into this directory, which is made if need be
    #[arg(long, value_name = "DIR", overrides_with = "report_dir")]
    report_dir: Option<PathBuf>,

    /// How long to go on watching after the end
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    hold: api::Duration,
}

/// Shows it once.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let lost: &[&str] = if args.lose_both { &[world::FROM, world::TO] } else { &[world::FROM] };
    if let Some(directory) = &args.report_dir {
        let made = std::fs::create_dir_all(directory);
        made.with_context(|| format!("make the directory {}", directory.display()))?;
    }
    let ending = runtime.block_on(async {
        let view = view(args)?;
        let play = Play::begin(Arc::new(SystemClock::new()), view, args.report_dir.clone()).await?;
        match args.drill {
            true => play.show_drill(args.hold.0).await,
            false => play.show(lost, args.hold.0).await,
        }
    })?;
    Ok(match ending {
        Ending::Served => Outcome::Good,
        Ending::Failed => Outcome::Findings,
    })
}

fn view(args: &Args) -> anyhow::Result<Box<dyn View>> {
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    Ok(match (args.json, args.plain || dumb || !std::io::stdout().is_terminal()) {
        (true, _) => Box::new(Json),
        (false, true) => Box::new(Plain::default()),
        (false, false) => Box::new(Screen::open()?),
    })
}

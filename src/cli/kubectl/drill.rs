//! `kubectl bongsu drill`: runs drills by hand, and shows when they run by themselves.

mod list;
mod next;
mod run;

use clap::Subcommand;

use super::{Outcome, access::Session};

/// Arguments of `kubectl bongsu drill`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run a drill now, or at a time
    Run(run::Args),
    /// Show the drills and how they went last
    List(list::Args),
    /// Show the next runs, and what blocks them
    Next(next::Args),
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    match &args.what {
        What::Run(args) => run::run(session, args).await,
        What::List(args) => list::run(session, args).await,
        What::Next(args) => next::run(session, args).await,
    }
}

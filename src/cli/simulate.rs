//! `bongsu simulate`: plays scenarios in a simulated world, and says which of their expectations did not hold.

mod explore;
mod json;
mod junit;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::{
    adapters::manifests::{Admission, Finding},
    sim::scenario::{self, Played, Scenario},
};

use super::{Outcome, print};

const EXAMPLES: &str = "\
Examples:
  bongsu simulate scenarios/                     every scenario of a directory
  bongsu simulate fire.yaml --transcript -       one, and what happened in it
  bongsu simulate fire.yaml --seed 7             the same with other chances
  bongsu simulate scenarios/ --junit result.xml  for a CI system
  bongsu simulate --runs 10000                   faults from 10,000 seeds, on a built-in cluster
  bongsu simulate manifests/ --runs 10000 --shrink
                                                 the same on yours, with as few faults as it takes

A scenario names the manifests that users write, says what fails when, and what must come of it.
Time is simulated: hours take seconds, and the same scenario and seed give the same story to the byte.

Exit codes:
  0  every scenario passed, no invariant was broken
  1  a scenario failed, or an invariant was broken
  2  a scenario cannot be played: its file cannot be read, or has a mistake";

/// Arguments of `bongsu simulate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Scenario, or directory of scenarios (directories inside of it are left out)
    #[arg(value_name = "PATH", required_unless_present = "runs")]
    paths: Vec<PathBuf>,
    /// What chance is drawn from, instead of what the scenarios say; with --runs, the first seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    exploration: explore::Exploration,
    #[command(flatten)]
    results: Results,
}

/// Where results go.
#[derive(Debug, clap::Args)]
struct Results {
    /// Print one JSON object for each scenario, and one with the numbers
    #[arg(long)]
    json: bool,
    /// Write the results for a CI system
    #[arg(long, value_name = "FILE", conflicts_with = "runs")]
    junit: Option<PathBuf>,
    /// Write what happened, as a story; - for standard output, instead of the table. With --runs, what came before the first
    /// violation
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    transcript: Option<PathBuf>,
}

/// What came of one file.
enum Done {
    Played(Box<Scenario>, Played),
    /// It cannot be played.
    Broken(String, Vec<Finding>),
}

impl Done {
    fn file(&self) -> &str {
        match self {
            Self::Played(_, played) => &played.file,
            Self::Broken(file, _) => file,
        }
    }

    fn passed(&self) -> bool {
        match self {
            Self::Played(_, played) => played.passed(),
            Self::Broken(..) => false,
        }
    }

    fn not_yet_checked(&self) -> usize {
        match self {
            Self::Played(_, played) => played.later.len(),
            Self::Broken(..) => 0,
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    if let Some(runs) = args.exploration.runs {
        return explore::run(&args.exploration, runs, &args.paths, args.seed, &args.results);
    }
    let found = scenario::find(&args.paths);
    for error in &found.errors {
        eprintln!("bongsu: cannot read {error}");
    }
    let admission = Admission::new()?;
    let mut all = Vec::new();
    for source in &found.sources {
        all.push(match scenario::read(&admission, source) {
            Err(findings) => Done::Broken(source.name.clone(), findings),
            Ok(scenario) => {
                let played = scenario.play(args.seed).context("start the simulator")?;
                Done::Played(Box::new(scenario), played)
            }
        });
    }
    if found.errors.is_empty() && all.is_empty() {
        anyhow::bail!("no scenarios are there: a scenario is a .yaml file");
    }
    args.results.give(&all)?;
    let broken = all.iter().any(|done| matches!(done, Done::Broken(..)));
    Ok(match (found.errors.is_empty() && !broken, all.iter().all(Done::passed)) {
        (false, _) => Outcome::Failed,
        (true, true) => Outcome::Good,
        (true, false) => Outcome::Findings,
    })
}

impl Results {
    fn give(&self, all: &[Done]) -> anyhow::Result<()> {
        let to_output = self.transcript.as_deref() == Some(Path::new("-"));
        match self.json {
            true => print(&json::lines(all)?)?,
            false if !to_output => print(&table::text(all)?)?,
            false => {}
        }
        if self.transcript.is_some() {
            self.tell(&stories(all))?;
        }
        if let Some(file) = &self.junit {
            write(file, &junit::document(all))?;
        }
        for finding in all.iter().filter_map(broken).flatten() {
            eprintln!("{finding}");
        }
        Ok(())
    }

    /// Writes a story where it is wanted.
    fn tell(&self, story: &str) -> anyhow::Result<()> {
        match self.transcript.as_deref() {
            None => Ok(()),
            Some(file) if file == Path::new("-") => print(story),
            Some(file) => write(file, story),
        }
    }
}

fn broken(done: &Done) -> Option<&Vec<Finding>> {
    match done {
        Done::Broken(_, findings) => Some(findings),
        Done::Played(..) => None,
    }
}

fn stories(all: &[Done]) -> String {
    let story = |done: &Done| match done {
        Done::Played(scenario, played) => Some(scenario::transcript(scenario, played)),
        Done::Broken(..) => None,
    };
    all.iter().filter_map(story).collect::<Vec<_>>().join("\n\n")
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

/// Text for a number of milliseconds, to the tenth of a second.
fn seconds(time: std::time::Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

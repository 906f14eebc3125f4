//! `bongsu simulate --runs N`: many runs under faults from seeds. Can be stopped, and gone on with later.

use std::{
    fmt::Write as _,
    fs, io,
    io::{IsTerminal, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    adapters::{
        clock::SystemClock,
        manifests::{Admission, read_path},
    },
    api,
    cli::{Outcome, print},
    ports::Clock,
    sim::{Explanation, Explored, Finding, Progress, Setup, explain, explore},
};

use super::Results;

/// Runs between two writes of the state: half a minute on one core, which is what a stop may cost.
const CHUNK: u64 = 1_000;

/// Findings that are explained; the others are only counted and named by their seeds.
const EXPLAINED: usize = 5;

/// Time between two looks at the progress.
const LOOK: Duration = Duration::from_millis(200);

/// How to explore.
#[derive(Debug, clap::Args)]
pub(super) struct Exploration {
    /// Explore: so many runs under faults drawn from seeds; PATH is then manifests, or nothing for a built-in cluster
    #[arg(long, value_name = "N")]
    pub(super) runs: Option<u64>,
    /// Runs at the same time, one on each core if not said
    #[arg(long, value_name = "N", requires = "runs")]
    jobs: Option<usize>,
    /// Leave out the faults that a violation does not need
    #[arg(long, requires = "runs")]
    shrink: bool,
    /// Keep in this file how far the exploration is, and go on from there
    #[arg(long, value_name = "FILE", requires = "runs")]
    state: Option<PathBuf>,
    /// Stop after this time, such as 25m, however many runs are left
    #[arg(long, value_name = "TIME", requires = "runs")]
    time_limit: Option<api::Duration>,
}

/// How far an exploration is.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Done {
    first_seed: u64,
    next_seed: u64,
    moves: u64,
    seconds: f64,
    failed_seeds: Vec<u64>,
    #[serde(default)]
    beyond_seeds: Vec<u64>,
}

impl Done {
    fn note(&mut self, finding: &Finding) {
        let seeds = if finding.beyond { &mut self.beyond_seeds } else { &mut self.failed_seeds };
        seeds.push(finding.seed);
    }

    const fn found(&self) -> usize {
        self.failed_seeds.len() + self.beyond_seeds.len()
    }
}

pub(super) fn run(
    exploration: &Exploration,
    runs: u64,
    paths: &[PathBuf],
    seed: Option<u64>,
    results: &Results,
) -> anyhow::Result<Outcome> {
    let explored = explored(paths)?;
    let first = seed.unwrap_or(0);
    let end = first.checked_add(runs).context("--seed and --runs together are more than there are seeds")?;
    let mut done = restored(exploration.state.as_deref(), first)?;
    let jobs = exploration.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let clock = SystemClock::new();
    let until = exploration.time_limit.map(|limit| clock.tick().plus(limit.0));
    let is_over = || until.is_some_and(|until| clock.tick() >= until);
    while done.next_seed < end && !is_over() {
        let chunk = done.next_seed..end.min(done.next_seed + CHUNK);
        let began = clock.tick();
        let progress = Progress::default();
        let findings =
            watched(|| explore(&explored, chunk, jobs, &progress), &progress, is_over, &done, end)?;
        done.seconds += clock.tick().since(began).as_secs_f64();
        done.moves += progress.moves.load(Ordering::Relaxed);
        // Seeds are taken in order and each that was taken is run to its end.
        done.next_seed += progress.runs.load(Ordering::Relaxed);
        for finding in &findings {
            tell(&explored, finding, exploration, paths, results, done.found())?;
            done.note(finding);
        }
        if let Some(file) = &exploration.state {
            keep(file, &done)?;
        }
    }
    summary(&done, results.json)?;
    Ok(if done.failed_seeds.is_empty() { Outcome::Good } else { Outcome::Findings })
}

fn explored(paths: &[PathBuf]) -> anyhow::Result<Explored> {
    if paths.is_empty() {
        return Ok(Explored::builtin());
    }
    let mut sources = Vec::new();
    for path in paths {
        let (found, errors) = read_path(path);
        if let Some(error) = errors.first() {
            bail!("cannot read {error}");
        }
        sources.extend(found);
    }
    match Setup::read(&Admission::new()?, &sources) {
        Ok(setup) => Ok(Arc::new(setup).into()),
        Err(findings) => {
            let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
            bail!("the manifests cannot be used\n{}", lines.join("\n"))
        }
    }
}

/// Explores a part, shows meanwhile how far it is if somebody watches, and stops it when the time is over.
fn watched(
    work: impl FnOnce() -> Result<Vec<Finding>, String> + Send,
    progress: &Progress,
    is_over: impl Fn() -> bool,
    done: &Done,
    end: u64,
) -> anyhow::Result<Vec<Finding>> {
    let shown = io::stderr().is_terminal();
    let total = end - done.first_seed;
    let before = done.next_seed - done.first_seed;
    let findings = thread::scope(|scope| {
        let work = scope.spawn(work);
        while !work.is_finished() {
            let now = before + progress.runs.load(Ordering::Relaxed);
            if shown {
                eprint!(
                    "\r{} {now} of {total} runs, {} violations ",
                    bar(now, total),
                    done.failed_seeds.len()
                );
                let _unseen = io::stderr().flush();
            }
            progress.stop.fetch_or(is_over(), Ordering::Relaxed);
            thread::sleep(LOOK);
        }
        work.join()
    });
    if shown {
        eprint!("\r\x1b[K");
    }
    let findings = findings.map_err(|_| anyhow::anyhow!("the exploration panicked: see above"))?;
    findings.map_err(anyhow::Error::msg)
}

/// Twenty letters.
fn bar(now: u64, total: u64) -> String {
    let filled = usize::try_from(now.saturating_mul(20) / total.max(1)).unwrap_or(20).min(20);
    format!("[{}{}]", "#".repeat(filled), "-".repeat(20 - filled))
}

fn tell(
    explored: &Explored,
    finding: &Finding,
    exploration: &Exploration,
    paths: &[PathBuf],
    results: &Results,
    earlier: usize,
) -> anyhow::Result<()> {
    let Finding { seed, violation, beyond } = finding;
    if results.json {
        let line = json!({
            "seed": seed,
            "beyondPromise": beyond,
            "invariant": violation.invariant.as_str(),
            "at": violation.at.to_string(),
            "what": violation.what,
        });
        return print(&format!("{line}\n"));
    }
    let is_broken = if *beyond { "cannot be promised" } else { "is broken" };
    let mut text =
        format!("seed {seed}: {} {is_broken} at {}: {}\n", violation.invariant, violation.at, violation.what);
    if earlier < EXPLAINED
        && let Some(explanation) = explain(explored, *seed, exploration.shrink)?
    {
        text.push_str(&explained(&explanation, exploration.shrink)?);
        if earlier == 0 {
            let lines = explanation.story.iter().map(|(at, line)| format!("{at} {line}\n"));
            results.tell(&lines.collect::<String>())?;
        }
    }
    let paths: String = paths.iter().map(|path| format!(" {}", path.display())).collect();
    let shrink = if exploration.shrink { " --shrink" } else { "" };
    writeln!(text, "  again: bongsu simulate{paths} --runs 1 --seed {seed}{shrink}")?;
    print(&text)
}

fn explained(explanation: &Explanation, shrink: bool) -> anyhow::Result<String> {
    let mut text = String::new();
    if shrink {
        let (left, drawn) = (explanation.incidents.len(), explanation.drawn);
        let violation = &explanation.violation;
        writeln!(
            text,
            "  {left} of {drawn} faults are enough; then, at {}: {}",
            violation.at, violation.what
        )?;
    }
    writeln!(text, "  what happened before it:")?;
    for (at, line) in explanation.history() {
        writeln!(text, "    {at} {line}")?;
    }
    Ok(text)
}

fn restored(file: Option<&Path>, first: u64) -> anyhow::Result<Done> {
    let fresh = Done { first_seed: first, next_seed: first, ..Done::default() };
    let Some(file) = file else { return Ok(fresh) };
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(fresh),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let done: Done = serde_json::from_str(&text).with_context(|| {
        format!("{} is no state of an exploration: remove it to begin anew", file.display())
    })?;
    if done.first_seed != first {
        bail!(
            "{} is of an exploration that began at seed {}: say --seed {0}, or remove it to begin anew",
            file.display(),
            done.first_seed
        );
    }
    Ok(done)
}

/// Written beside it and moved there: a stop in the middle leaves the old one.
fn keep(file: &Path, done: &Done) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    let what = || format!("write {}", file.display());
    fs::write(&new, serde_json::to_string(done)?).with_context(what)?;
    fs::rename(&new, file).with_context(what)
}

fn summary(done: &Done, as_json: bool) -> anyhow::Result<()> {
    let runs = done.next_seed - done.first_seed;
    let last = done.next_seed.saturating_sub(1);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = runs as f64 / done.seconds.max(0.001);
    if as_json {
        let line = json!({
            "runs": runs,
            "violations": done.failed_seeds.len(),
            "beyondPromise": done.beyond_seeds.len(),
            "firstSeed": done.first_seed,
            "lastSeed": last,
            "moves": done.moves,
            "failedSeeds": done.failed_seeds,
            "beyondPromiseSeeds": done.beyond_seeds,
            "runsPerSecond": (rate * 10.0).round() / 10.0,
        });
        return print(&format!("{line}\n"));
    }
    let violations = match done.failed_seeds.len() {
        0 => "no invariant was broken".to_owned(),
        1 => "1 violation".to_owned(),
        count => format!("{count} violations"),
    };
    let seeds: Vec<String> = done.beyond_seeds.iter().map(u64::to_string).collect();
    let beyond = match seeds.len() {
        0 => String::new(),
        1 => format!(", 1 seed beyond the promise ({})", seeds.concat()),
        count => format!(", {count} seeds beyond the promise ({})", seeds.join(", ")),
    };
    print(&format!(
        "{runs} runs, seeds {} to {last}, {} moves in them: {violations}{beyond}; {rate:.1} runs a second\n",
        done.first_seed, done.moves
    ))
}

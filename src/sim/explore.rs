//! Many runs, each with a seed of its own, on all cores; and a smaller list of faults for a run that failed.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use super::{Incident, Moment, Outcome, Schedule, Setup, Violation, draw, run};
use crate::adapters::manifests::{Admission, Source};

/// What is explored when no manifests are given.
const BUILTIN: &str = include_str!("explore.yaml");

/// What keeps two regions from writing at once for one of its services, and what does so in one run of so many instead.
const GATE: &str = "{gate: {leaseTtl: 7s}}";
const WORKLOAD: &str = "{workload: {kind: Deployment, name: mobile-id, stopWithin: 20s, startWithin: 20s}}";
const WITH_WORKLOAD: usize = 4;

/// Lines of the story that are shown before a violation, besides all faults.
const HISTORY: usize = 30;

/// The clusters that are explored: each seed has one of them.
#[derive(Clone, Debug)]
pub struct Explored(Vec<Arc<Setup>>);

impl Explored {
    /// The built-in ones: three regions, three services. In most of them a writer stands behind gates, in the others it is a
    /// workload.
    #[must_use]
    pub fn builtin() -> Self {
        let mut all = vec![builtin(); WITH_WORKLOAD - 1];
        all.push(read(&BUILTIN.replace(GATE, WORKLOAD)));
        Self(all)
    }

    /// That of a seed.
    ///
    /// # Panics
    /// Never: there is one.
    #[must_use]
    pub fn of(&self, seed: u64) -> &Arc<Setup> {
        let count = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        &self.0[usize::try_from(seed % count).unwrap_or(0)]
    }
}

impl From<Arc<Setup>> for Explored {
    fn from(one: Arc<Setup>) -> Self {
        Self(vec![one])
    }
}

/// The built-in cluster with gates.
///
/// # Panics
/// Never: the manifests are part of the program and a test reads them.
#[must_use]
pub fn builtin() -> Arc<Setup> {
    read(BUILTIN)
}

fn read(manifests: &str) -> Arc<Setup> {
    let source = Source { name: "explore.yaml".to_owned(), bytes: manifests.into() };
    let setup = Admission::new().map(|admission| Setup::read(&admission, &[source]));
    #[expect(clippy::expect_used, reason = "part of the program")]
    Arc::new(setup.expect("the schemas").expect("the built-in manifests"))
}

/// A seed that broke an invariant, or came to what is beyond the promise.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
    /// It is no violation: nobody could have known better (docs/verification.md).
    pub beyond: bool,
}

impl Finding {
    /// A run that broke an invariant counts as that, whatever else was in it.
    fn of(seed: u64, outcome: &Outcome) -> Option<Self> {
        let violation = outcome.violation.as_ref().or(outcome.beyond.as_ref())?.clone();
        Some(Self { seed, violation, beyond: outcome.violation.is_none() })
    }

    fn is_like(&self, other: &Self) -> bool {
        self.beyond == other.beyond && self.violation.invariant == other.violation.invariant
    }
}

/// How far an exploration is. Read by whoever shows it while it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    /// Runs that are over.
    pub runs: AtomicU64,
    /// Epochs that were raised in them.
    pub moves: AtomicU64,
    /// Set to end it after the runs that are going on.
    pub stop: AtomicBool,
}

/// Runs every seed of a range on this many threads. A run that cannot be started, or panics, ends the exploration.
///
/// # Errors
/// A runtime cannot be built, or a run panicked; the message names the seed.
pub fn explore(
    explored: &Explored,
    seeds: Range<u64>,
    jobs: usize,
    progress: &Progress,
) -> Result<Vec<Finding>, String> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut found = Vec::new();
        while !progress.stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            found.extend(one(explored.of(seed), seed, progress)?);
        }
        Ok::<_, String>(found)
    };
    let mut findings = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| match worker.join() {
            Ok(found) => found,
            Err(_) => Err("a simulated run panicked: see above".to_owned()),
        });
        ended.collect::<Result<Vec<_>, _>>()
    })?
    .concat();
    findings.sort_by_key(|finding| finding.seed);
    Ok(findings)
}

fn one(setup: &Arc<Setup>, seed: u64, progress: &Progress) -> Result<Option<Finding>, String> {
    let outcome = run(setup, seed, &draw(setup, seed), false);
    let outcome = outcome.map_err(|error| format!("seed {seed}: start the simulator: {error}"))?;
    progress.runs.fetch_add(1, Ordering::Relaxed);
    progress.moves.fetch_add(u64::try_from(outcome.moves).unwrap_or(0), Ordering::Relaxed);
    Ok(Finding::of(seed, &outcome))
}

/// A violation, explained.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The faults that are needed for it.
    pub incidents: Vec<Incident>,
    /// How many were drawn.
    pub drawn: usize,
    /// What was broken in the end: by fewer faults it may come at another moment.
    pub violation: Violation,
    /// What happened before it, the latest last.
    pub story: Vec<(Moment, String)>,
}

impl Explanation {
    /// What explains it in short: every fault, and the last lines of the story.
    pub fn history(&self) -> impl Iterator<Item = &(Moment, String)> {
        let last = self.story.len().saturating_sub(HISTORY);
        let lines = self.story.iter().enumerate();
        lines.filter(move |(index, (_, line))| *index >= last || is_of_the_world(line)).map(|(_, line)| line)
    }
}

/// Runs a seed again and tells what led to what was found; `None` if nothing was. With `shrink`, leaves out every fault
/// without which the same is still found.
///
/// # Errors
/// A runtime cannot be built.
pub fn explain(explored: &Explored, seed: u64, shrink: bool) -> std::io::Result<Option<Explanation>> {
    let setup = explored.of(seed);
    let mut schedule = draw(setup, seed);
    let drawn = schedule.incidents.len();
    let Some(first) = Finding::of(seed, &run(setup, seed, &schedule, false)?) else { return Ok(None) };
    if shrink {
        schedule = shrunk(setup, seed, schedule, &first)?;
    }
    let outcome = run(setup, seed, &schedule, true)?;
    let violation = Finding::of(seed, &outcome).unwrap_or(first).violation;
    let story: Vec<_> = outcome.story.into_iter().take_while(|(at, _)| *at <= violation.at).collect();
    Ok(Some(Explanation { incidents: schedule.incidents, drawn, violation, story }))
}

/// What happened to the product, not what it did. All of it explains a violation.
fn is_of_the_world(line: &str) -> bool {
    ["fault:", "ends:", "bongsu in"].iter().any(|start| line.starts_with(start))
}

/// Leaves out halves, then quarters, and at last single faults, as long as the same invariant is broken.
fn shrunk(
    setup: &Arc<Setup>,
    seed: u64,
    mut schedule: Schedule,
    first: &Finding,
) -> std::io::Result<Schedule> {
    let mut size = schedule.incidents.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        while start < schedule.incidents.len() {
            let mut fewer = schedule.clone();
            let end = (start + size).min(fewer.incidents.len());
            fewer.incidents.drain(start..end);
            let found = Finding::of(seed, &run(setup, seed, &fewer, false)?);
            match found {
                Some(found) if found.is_like(first) => schedule = fewer,
                _ => start = end,
            }
        }
        if size == 1 {
            return Ok(schedule);
        }
        size = size.div_ceil(2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(seed: u64) -> String {
        let explored = Explored::builtin();
        let setup = explored.of(seed);
        let outcome = run(setup, seed, &draw(setup, seed), true).unwrap();
        let lines = outcome.story.iter().map(|(at, line)| format!("{at} {line}\n"));
        format!("{}{:?}", lines.collect::<String>(), outcome.violation)
    }

    #[test]
    fn the_same_seed_tells_the_same_story_to_the_byte_on_any_thread() {
        for seed in 0..4 {
            let here = told(seed);
            assert!(here.len() > 5_000, "something happens");
            assert_eq!(thread::spawn(move || told(seed)).join().unwrap(), here);
        }
    }

    #[test]
    fn one_seed_of_four_has_a_workload_where_the_others_have_gates() {
        let explored = Explored::builtin();
        let fences = |seed| {
            let setup = explored.of(seed);
            let workloads =
                setup.services.values().filter(|parsed| parsed.service.workload().is_some()).count();
            (setup.gates().count(), workloads)
        };
        assert_eq!([0, 1, 2, 3, 4].map(fences), [(3, 0), (3, 0), (3, 0), (0, 1), (3, 0)]);
    }

    #[test]
    fn other_seeds_tell_other_stories() {
        assert_ne!(told(0), told(1));
    }

    #[test]
    fn a_range_of_seeds_is_run_once_each_and_keeps_every_invariant() {
        let progress = Progress::default();
        let failures = explore(&Explored::builtin(), 0..20, 2, &progress).unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        assert_eq!(progress.runs.load(Ordering::Relaxed), 20);
        assert!(progress.moves.load(Ordering::Relaxed) > 20, "services move");
    }

    #[test]
    fn a_failure_is_explained_with_fewer_faults_than_were_drawn() {
        use crate::planted::{Bug, plant};
        let explored = Explored::builtin();
        plant(Some(Bug::FailbackIgnoresCooldown));
        let failing = (0..60).find_map(|seed| explain(&explored, seed, true).unwrap());
        plant(None);
        let found = failing.expect("a run that fails");
        assert!(found.incidents.len() < found.drawn, "{found:?}");
        assert!(found.history().any(|(_, line)| line.starts_with("fault:")), "{found:?}");
    }
}

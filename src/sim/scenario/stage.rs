//! Plays a scenario.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    citizen::{self, Citizens},
    clocks::Seen,
    file::Later,
    judge::Check,
    names::Names,
    read::{Begins, Planned, Scenario},
    witness::Witness,
};
use crate::sim::{
    Moment, Site,
    awaited::Awaited,
    fault::Trouble,
    run::make,
    world::{State, World},
};

/// What came of a scenario.
#[derive(Debug)]
pub struct Played {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// What chance was drawn from.
    pub seed: u64,
    /// Each expectation and never-statement, and the invariants.
    pub checks: Vec<Check>,
    /// The recovery time that is nearest to its target, or furthest above it.
    pub rto: Option<Rto>,
    /// What could not be checked.
    pub later: Vec<Later>,
    /// What happened.
    pub story: Vec<(Moment, String)>,
}

/// A recovery time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rto {
    /// What it was; `None`: it was not over at the end.
    pub measured: Option<Duration>,
    /// What was expected at most.
    pub target: Duration,
}

impl Played {
    /// Whether all checks held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.difference.is_none())
    }

    /// The first thing that is not as expected.
    #[must_use]
    pub fn difference(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.difference.is_some())
    }
}

impl Scenario {
    /// Plays it. The same scenario and seed give the same outcome to the byte.
    ///
    /// # Errors
    /// The runtime cannot be built.
    pub fn play(&self, seed: Option<u64>) -> std::io::Result<Played> {
        let seed = seed.unwrap_or(self.seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            // The main future is polled again only when no task can go on.
            .event_interval(u32::MAX)
            .build()?;
        let (world, trouble) = make(&self.setup, seed, true);
        self.prepare(&world, &trouble);
        runtime.block_on(self.live(&world, &trouble));
        // Tasks hold the world and the world holds their wakers: both ends are cut.
        let seen = world.state().seen(Moment::after(self.duration));
        drop(runtime);
        let (checks, rto) = self.judge(&seen);
        Ok(Played {
            name: self.name.clone(),
            file: self.file.clone(),
            seed,
            checks,
            rto,
            later: self.later.clone(),
            story: seen.story,
        })
    }

    fn prepare(&self, world: &Arc<World>, trouble: &Trouble) {
        for (number, planned) in self.timeline.iter().enumerate() {
            let begins =
                Happening { planned: planned.clone(), first: number * DEEDS, trouble: trouble.clone() };
            match &planned.begins {
                Begins::At(at) => world.at(*at, move |world| begins.begin(world)),
                Begins::When(service, step, after) => world.state().awaited.push(Awaited {
                    service: Some(service.clone()),
                    step: *step,
                    after: *after,
                    line: planned.line,
                    deed: Box::new(move |world| begins.begin(world)),
                }),
            }
        }
        let witness = Witness::new(Citizens::new(&self.setup));
        world.state().witness = Some(Box::new(witness));
        for at in self.expect.iter().filter_map(|expected| expected.what.at) {
            world.at(Moment::after(at.0), |world| {
                let now = world.now();
                world.state().glimpse(now);
            });
        }
        citizen::look(world);
    }

    async fn live(&self, world: &Arc<World>, trouble: &Trouble) {
        world.start_all(&trouble.setup, &trouble.store);
        world.run_until(Moment::after(self.duration)).await;
        let now = world.now();
        world.state().glimpse(now);
    }
}

/// Numbers that an entry of the time line has for its deeds: more than anybody writes into one.
const DEEDS: usize = 1_000;

/// An entry of the time line that waits for its moment.
struct Happening {
    planned: Planned,
    first: usize,
    trouble: Trouble,
}

impl Happening {
    fn begin(self, world: &Arc<World>) {
        let until = self.planned.lasts.until(world.now());
        let leader = world.state().processes.leader().map_or(Site(0), |process| process.site);
        let names = Names { setup: &self.trouble.setup, leader };
        for (number, deed) in (self.first..).zip(&self.planned.deeds) {
            // Every name was looked up when the file was read.
            let Ok(fault) = deed.fault(&names) else { continue };
            self.trouble.arise(world, number, &fault, until);
        }
    }
}

impl State {
    /// Takes out what was seen, and forgets everything that holds the world.
    fn seen(&mut self, end: Moment) -> Seen {
        // Whoever writes a scenario is told of both.
        let broken = self.checker.take().or_else(|| self.checker.take_beyond());
        let end = broken.as_ref().map_or(end, |violation| violation.at);
        let witness = self.witness.take();
        let awaited = std::mem::take(&mut self.awaited).into_iter();
        let never_began = awaited.filter_map(|awaited| Some((awaited.line, awaited.service?, awaited.step)));
        let seen = Seen {
            end,
            never_began: never_began.collect(),
            broken,
            events: self.clusters.events.take().unwrap_or_default(),
            story: self.story.take(),
            ..witness.map_or_else(Seen::default, |witness| Seen::of(*witness))
        };
        self.clear();
        seen
    }
}

impl Seen {
    fn of(witness: Witness) -> Self {
        let Witness { citizens, moves, runs, glimpses, .. } = witness;
        Self {
            outages: citizens.outages,
            moves,
            runs: runs.into_values().collect(),
            glimpses: glimpses
                .into_iter()
                .map(|(at, glimpse)| (Moment(at), glimpse))
                .collect::<BTreeMap<_, _>>(),
            ..Self::default()
        }
    }
}

//! One run: a world is made, faults happen, and in the end everything must be served again.

use std::{sync::Arc, time::Duration};

use super::{
    check::{Checker, Invariant, Violation},
    clock::SimClock,
    cluster::Clusters,
    draw::Schedule,
    fault::Trouble,
    members::Members,
    moment::Moment,
    names::NameServers,
    network::Network,
    process::{Life, Processes},
    setup::Setup,
    story::Story,
    workloads::Pods,
    world::{Parts, State, World},
};
use crate::{
    adapters::ledger::MemoryLedger,
    domain::{DrillRun, Mode, Record, RegionName, RunState},
    ports::Clock,
};

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The first invariant that was broken.
    pub violation: Option<Violation>,
    /// The first finding that is beyond what was promised, and so no violation.
    pub beyond: Option<Violation>,
    /// What happened, if it was asked for.
    pub story: Vec<(Moment, String)>,
    /// Moves that were made: how often an epoch was raised.
    pub moves: usize,
}

/// Runs a schedule. The same setup, seed and schedule give the same outcome to the byte.
///
/// # Errors
/// The runtime cannot be built.
pub fn run(setup: &Arc<Setup>, seed: u64, schedule: &Schedule, listened: bool) -> std::io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        // The main future is polled again only when no task can go on.
        .event_interval(u32::MAX)
        .build()?;
    let (world, trouble) = make(setup, seed, listened);
    runtime.block_on(live(&world, &trouble, schedule));
    // Tasks hold the world and the world holds their wakers: both ends are cut.
    let mut state = world.state();
    let outcome = Outcome {
        violation: state.checker.take(),
        beyond: state.checker.take_beyond(),
        story: state.story.take(),
        moves: state.checker.moves,
    };
    state.clear();
    drop(state);
    drop(runtime);
    Ok(outcome)
}

pub(super) fn make(setup: &Arc<Setup>, seed: u64, listened: bool) -> (Arc<World>, Trouble) {
    let world = World::new(Parts {
        seed,
        network: Network::new(setup.regions.len() + 1),
        processes: Processes::new(setup),
        members: Members::new(setup),
        names: NameServers::new(setup),
        clusters: Clusters::new(setup, listened),
        pods: Pods::of(setup),
        checker: Checker::new(setup.clone()),
        story: Story::new(listened),
    });
    let clock: Arc<dyn Clock> = Arc::new(SimClock { world: world.clone(), life: Life::APART });
    let store = Arc::new(MemoryLedger::new(clock));
    (world, Trouble { setup: setup.clone(), store })
}

async fn live(world: &Arc<World>, trouble: &Trouble, schedule: &Schedule) {
    trouble.schedule(world, &schedule.incidents);
    world.start_all(&trouble.setup, &trouble.store);
    world.run_until(schedule.end).await;
    let now = world.now();
    let state = &mut *world.state();
    if !state.checker.is_broken() {
        state.all_is_served(now);
    }
}

/// Time that a run may last at the end without being stuck.
const RUN_LIMIT: Duration = Duration::from_secs(60);

impl State {
    /// The liveness rule: what can be served is served, and nothing stays in a run.
    fn all_is_served(&mut self, now: Moment) {
        let setup = self.checker.setup.clone();
        for (key, parsed) in &setup.services {
            if let Some(what) = self.unserved(now, &setup, key, parsed) {
                return self.checker.breaks(Invariant::Liveness, now, what);
            }
        }
        let stuck = self.checker.runs.values().find(|noted| {
            let over = noted.run.state.is_over() || noted.run.state == RunState::Paused;
            !over && now.since(noted.since) > RUN_LIMIT
        });
        if let Some(noted) = stuck {
            let what = format!("{} has not ended since {}", noted.run.id, noted.since);
            self.checker.breaks(Invariant::Liveness, now, what);
        }
        let drill = self.checker.drills.values().find(|noted| {
            let limit = noted.run.limits.max_duration + RUN_LIMIT;
            // One that was refused is told again for five minutes, which is longer than what is left of this run.
            let refused = noted.run.services.iter().any(|drilled| drilled.returns > 1);
            let late = noted.started.is_some_and(|since| now.since(since) > limit);
            noted.run.phase.is_going_on() && late && !refused && !self.waits_for_a_person(&noted.run)
        });
        if let Some(noted) = drill {
            let what = format!("drill {} has not ended: {}", noted.run.id, noted.run.message);
            self.checker.breaks(Invariant::Liveness, now, what);
        }
    }

    /// A move of a drill is paused, as when the only name server of a service is lost on the way back.
    fn waits_for_a_person(&self, drill: &DrillRun) -> bool {
        let paused = self.checker.runs.values().filter(|noted| noted.run.state == RunState::Paused);
        paused
            .map(|noted| &noted.run.service)
            .any(|service| drill.services.iter().any(|of| of.service == *service))
    }

    /// Nobody is left who could say that a workload has stopped: a person must.
    fn waits_for_a_word(&self, record: &Record) -> bool {
        let site = |region: &RegionName| self.checker.setup.site(region);
        let sites = record.serving.iter().filter_map(site);
        sites.into_iter().any(|site| !self.processes.is_alive(u16::from(site.0)))
    }

    fn unserved(
        &self,
        now: Moment,
        setup: &Setup,
        key: &crate::domain::ServiceKey,
        parsed: &crate::reconcile::parse::Parsed,
    ) -> Option<String> {
        if parsed.service.failover.mode != Mode::Automatic {
            return None;
        }
        let Some(record) = self.checker.records.get(key) else {
            return Some(format!("{key} was never established"));
        };
        if parsed.service.workload().is_some() && self.waits_for_a_word(record) {
            return None;
        }
        let good = record.serving.iter().filter(|region| {
            let member = setup.site(region).and_then(|site| self.members.index(key, site));
            member.is_some_and(|member| self.members.is_good(member, parsed.service.health.timeout, now))
        });
        if good.count() == 0 {
            return Some(format!("nobody who serves {key} by the ledger works"));
        }
        if parsed.service.fence.is_some() && self.writers(key, now).is_empty() {
            return Some(format!("nobody writes for {key}"));
        }
        let behind = self.names.list.iter().filter(|server| !server.dark).find(|server| {
            server.names.values().any(|held| held.owner == *key && held.epoch != record.epoch)
        });
        if let Some(server) = behind {
            return Some(format!("{} does not answer under epoch {} of {key}", server.address, record.epoch));
        }
        let served = self.served_answer(key);
        served.filter(|(epoch, _)| *epoch != record.epoch).map(|(epoch, _)| {
            format!("{key} is answered under epoch {epoch}, the ledger is at {}", record.epoch)
        })
    }
}

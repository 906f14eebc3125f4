//! Runs of drills: what they may start on, that they return, and that their verdict says what was.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::Invariant;
use crate::{
    domain::{
        DrillPhase, DrillRun, DrilledService, DrilledState, RegionName, RunId, RunState, ServiceKey,
        StopCause,
    },
    sim::{moment::Moment, setup::Setup, world::State},
};

/// A run of a drill as it stands in the ledger, and when it came to where it is.
pub(in crate::sim) struct Noted {
    pub run: DrillRun,
    /// When it began to move.
    pub started: Option<Moment>,
    held: Option<Moment>,
    returns: Option<Moment>,
    /// When each service was told to leave, and when it left.
    left: BTreeMap<ServiceKey, (Moment, Option<Moment>)>,
}

/// Time after which every process has heard of what was written: the slowest message, and a look.
const HEARD: Duration = Duration::from_secs(6);

/// Time after which a process that was started or thawed has taken the samples of a window and said what it saw.
const AWAKE: Duration = Duration::from_secs(30);

/// Time within which a second look at the clock is late, and a message comes.
const SECOND: Duration = Duration::from_secs(1);

impl State {
    pub(super) fn drill_changed(&mut self, now: Moment, key: (Arc<str>, RunId), run: DrillRun) {
        self.story.tell(now, || {
            let verdict = run.verdict.map_or("", |(verdict, _)| verdict.as_str());
            format!("drill {}: {} {verdict} {}", run.id, run.phase.as_str(), run.message)
        });
        let mut noted = self.checker.drills.remove(&key).unwrap_or_else(|| Noted {
            run: run.clone(),
            started: None,
            held: None,
            returns: None,
            left: BTreeMap::new(),
        });
        if let (Some(before), true) = (noted.run.verdict, noted.run.verdict != run.verdict) {
            let what = format!("{} ended {} and now says otherwise", run.id, before.0.as_str());
            self.checker.breaks(Invariant::DrillYields, now, what);
        }
        if noted.started.is_none() && run.started_at.is_some() {
            noted.started = Some(now);
            self.may_start(now, &run);
        }
        if run.phase == DrillPhase::Holding {
            noted.held.get_or_insert(now);
        }
        if run.phase == DrillPhase::Returning {
            noted.returns.get_or_insert(now);
        }
        for drilled in run.services.iter().filter(|drilled| drilled.state == DrilledState::Leaving) {
            noted.left.entry(drilled.service.clone()).or_insert((now, None));
        }
        let ends = run.phase == DrillPhase::Over && noted.run.phase != DrillPhase::Over;
        noted.run = run;
        if ends && noted.started.is_some() && noted.run.live {
            self.has_returned(now, &noted.run);
            self.tells_the_truth(now, &noted);
        }
        self.checker.drills.insert(key, noted);
    }

    /// Notes when a service left, for the clock of the drill that moved it.
    pub(super) fn left_in_a_drill(&mut self, now: Moment, service: &ServiceKey, run: &RunId) {
        for noted in self.checker.drills.values_mut() {
            let own = noted.run.services.iter().find(|drilled| drilled.service == *service);
            if own.is_some_and(|drilled| noted.run.away_id(drilled) == *run)
                && let Some((_, left)) = noted.left.get_mut(service)
            {
                left.get_or_insert(now);
            }
        }
    }

    /// No other drill and no other move where it moves something, nobody who serves is unwell, and people have said yes.
    fn may_start(&mut self, now: Moment, run: &DrillRun) {
        let setup = self.checker.setup.clone();
        let unrest = self
            .other_drill(run, &setup)
            .or_else(|| self.other_move(now, run, &setup))
            .or_else(|| self.unwell(now, run))
            .or_else(|| self.lost_region(now, &setup))
            .or_else(|| self.not_approved(run));
        if let Some(what) = unrest {
            self.checker.breaks(Invariant::DrillYields, now, format!("{} starts although {what}", run.id));
        }
    }

    fn other_drill(&self, run: &DrillRun, setup: &Setup) -> Option<String> {
        let others = self.checker.drills.values().map(|noted| &noted.run);
        let going_on = others.filter(|other| other.id != run.id && other.live && other.phase.is_going_on());
        let mut moved = going_on.flat_map(|other| other.services.iter().map(move |d| (&other.id, d)));
        let found = moved
            .find(|(_, theirs)| run.services.iter().any(|own| related(setup, &own.service, &theirs.service)));
        found.map(|(other, theirs)| format!("{other} moves {}", theirs.service))
    }

    fn other_move(&self, now: Moment, run: &DrillRun, setup: &Setup) -> Option<String> {
        let mut moving = self.checker.runs.values().filter(|noted| {
            let unplanned = noted.run.plan.change.trigger.is_unplanned();
            unplanned && noted.run.state == RunState::Running && now.since(noted.since) > HEARD
        });
        let found = moving
            .find(|noted| run.services.iter().any(|own| related(setup, &own.service, &noted.run.service)));
        found.map(|noted| format!("{} moves {}", noted.run.id, noted.run.service))
    }

    /// Somebody who serves failed so long ago that a quorum of vantages has said so.
    fn unwell(&self, now: Moment, run: &DrillRun) -> Option<String> {
        let failed = |own: &DrilledService| {
            let record = self.checker.records.get(&own.service)?;
            let region = record.serving.iter().find(|region| self.has_failed(now, &own.service, region))?;
            Some(format!("{} in {region} has failed", own.service))
        };
        run.services.iter().find_map(failed)
    }

    /// A region without power, for as long as it takes to judge, while nothing else keeps the others from seeing it.
    fn lost_region(&self, now: Moment, setup: &Setup) -> Option<String> {
        let awake = |process: &crate::sim::process::Process| now.since(process.awake_since) > AWAKE;
        let lost = |region: &&RegionName| {
            let Some(site) = setup.site(region) else { return false };
            let own = |service: &&ServiceKey| self.members.index(service, site).is_some();
            let mut members = setup.services.keys().filter(own).peekable();
            let others = self.processes.list.iter().filter(|process| process.site != site);
            self.active.is_only_dark(site)
                && others.clone().all(awake)
                && members.peek().is_some()
                && members.all(|service| self.has_failed(now, service, region))
        };
        setup.regions.iter().find(lost).map(|region| format!("{region} is lost"))
    }

    /// Every sample of a quorum of vantages was bad for as long as it takes to judge and to say so.
    fn has_failed(&self, now: Moment, service: &ServiceKey, region: &RegionName) -> bool {
        let Some((_, member, quorum)) = self.place(service, region) else { return false };
        let Some(health) = self.checker.setup.service(service).map(|service| service.health) else {
            return false;
        };
        let judged = health.interval * (health.window.size + 1) + health.timeout + HEARD;
        let from = Moment(now.0.saturating_sub(crate::sim::moment::micros(judged)));
        let saw = self.vantages().filter(|vantage| {
            let seen = self.members.seen(*vantage, member);
            seen.since(from, true) > health.window.size as usize && seen.since(from, false) == 0
        });
        saw.count() >= quorum
    }

    fn not_approved(&self, run: &DrillRun) -> Option<String> {
        let approvals = self.clusters.list.iter().flat_map(|cluster| cluster.approvals());
        let for_it = approvals.filter(|approval| approval.spec.drill_run_name == run.id.as_str());
        let who: BTreeSet<&str> = for_it.map(|approval| approval.spec.approver.as_str()).collect();
        let needed = run.limits.approvals as usize;
        (who.len() < needed).then(|| format!("{} of {needed} people said yes", who.len()))
    }

    /// Whatever stopped it, each service is back, or was told to come back, or has nowhere to come back to.
    fn has_returned(&mut self, now: Moment, run: &DrillRun) {
        let incident = run.stop.as_ref().is_some_and(|stop| stop.cause == StopCause::Incident);
        let left = run.services.iter().find(|drilled| {
            let stays = drilled.state == DrilledState::Kept && drilled.returns == 0 && !incident;
            !drilled.state.is_settled() || stays
        });
        if let Some(drilled) = left {
            let what = format!("{} is over and did not bring {} back", run.id, drilled.service);
            self.checker.breaks(Invariant::DrillYields, now, what);
        }
    }

    /// Who has passed was held for as long as was said, and no clock began after the order.
    fn tells_the_truth(&mut self, now: Moment, noted: &Noted) {
        let Noted { run, held, returns, left, .. } = noted;
        let slack = self.checker.clocks_apart() + SECOND;
        if run.verdict.is_some_and(|(verdict, _)| verdict.is_passed()) {
            // They were away before it was written that they are: whoever wrote it may have stood still meanwhile.
            let over = |drilled: &DrilledService| {
                self.checker.runs.get(&(run.namespace.clone(), run.away_id(drilled)))?.over
            };
            let away = run.services.iter().filter_map(over).max();
            let since = held.map(|held| away.map_or(held, |away| away.min(held)));
            let held = since.zip(*returns).map(|(since, returns)| returns.since(since)).unwrap_or_default();
            if held + slack < run.limits.hold {
                let what = format!("{} has passed and was held for {held:?}", run.id);
                self.checker.breaks(Invariant::DrillYields, now, what);
            }
        }
        for drilled in &run.services {
            let moved = left.get(&drilled.service).and_then(|(told, left)| Some(left.as_ref()?.since(*told)));
            if let (Some(rto), Some(moved)) = (drilled.rto, moved)
                && rto + slack < moved
            {
                let what = format!("{}: {} took {moved:?}, and {rto:?} is written", run.id, drilled.service);
                self.checker.breaks(Invariant::DrillYields, now, what);
            }
        }
    }
}

/// Whether one must not be drilled while the other is.
fn related(setup: &Setup, one: &ServiceKey, other: &ServiceKey) -> bool {
    let (Some(a), Some(b)) = (setup.service(one), setup.service(other)) else { return one == other };
    let same_group = a.part_of.is_some() && a.part_of == b.part_of;
    one == other || same_group || a.depends_on.contains(other) || b.depends_on.contains(one)
}

//! Who serves: when it may change, and for what reason.

use std::{collections::BTreeSet, time::Duration};

use super::Invariant;
use crate::{
    domain::{Epoch, Record, RegionName, Run, RunState, Service, ServiceKey, Step, StepState, Trigger},
    sim::{moment::Moment, network::Site, process::Life, world::State},
};

/// Time after an edit in which a decision may still rest on what was written before.
const EDIT_COUNTS: Duration = Duration::from_secs(20);

/// What wall clocks that nobody changed may be apart, and what a decision takes.
const SECOND: Duration = Duration::from_secs(1);

impl State {
    pub(super) fn record_changed(&mut self, now: Moment, life: Life, service: &ServiceKey, record: Record) {
        let before = self.checker.records.get(service).cloned();
        let moved = before.as_ref().is_none_or(|before| before.epoch != record.epoch);
        if moved {
            self.story.tell(now, || {
                format!("{service}: epoch {}, {} serves", record.epoch, names(&record.serving))
            });
        }
        if record.serving.is_empty() {
            self.checker.breaks(Invariant::NeverEmpty, now, format!("nobody serves {service} by the ledger"));
        }
        if let Some(before) = &before {
            self.epoch_kept(now, service, before, &record);
            if record.last_automatic != before.last_automatic {
                self.armed_by_a_success(now, service, before);
                // The cooldown counts from the end of the move, which may be written down much later: whoever led it stood still, or the
                // ledger took no write.
                let id = before.run.clone().map(|id| (service.namespace.clone(), id));
                let noted = id.and_then(|id| self.checker.runs.get(&id));
                let over = noted.and_then(|noted| noted.settles.or(noted.over));
                self.checker.armed.insert(service.clone(), over.unwrap_or(now));
            }
        }
        if moved {
            self.raised_by_the_leader(now, life, service);
            self.moved(now, service, before.as_ref(), &record);
            if let Some(run) = &record.run {
                self.left_in_a_drill(now, service, run);
            }
            self.checker.moves += 1;
        }
        self.checker.records.insert(service.clone(), record);
    }

    fn raised_by_the_leader(&mut self, now: Moment, life: Life, service: &ServiceKey) {
        let process = self.processes.get(life.process);
        if let Some(process) = process.filter(|process| process.read_unled.contains(&service.to_string())) {
            let what = format!("bongsu in {} raised the epoch of {service} and did not lead", process.name);
            self.checker.breaks(Invariant::OneWriter, now, what);
        }
    }

    /// Only a completed automatic move arms the cooldown.
    fn armed_by_a_success(&mut self, now: Moment, service: &ServiceKey, before: &Record) {
        let run = self.checker.run_of(before, service);
        let succeeded =
            run.is_some_and(|run| run.state == RunState::Succeeded && run.plan.change.trigger.is_automatic());
        if !succeeded {
            let what = format!(
                "the cooldown of {service} was armed by something that is no completed automatic move"
            );
            self.checker.breaks(Invariant::Bulkhead, now, what);
        }
    }

    fn epoch_kept(&mut self, now: Moment, service: &ServiceKey, before: &Record, record: &Record) {
        if record.epoch == before.epoch && record.serving != before.serving {
            let (was, is) = (names(&before.serving), names(&record.serving));
            let what = format!("{service} is served by {is} after {was}, both under epoch {}", record.epoch);
            self.checker.breaks(Invariant::OneWriter, now, what);
        }
        // What undoes a move whose epoch may or may not have been raised leaves that one out, so that it can never count.
        let undone =
            self.checker.run_of(record, service).is_some_and(|run| run.state == RunState::Compensating);
        let next = if undone { before.epoch.next().next() } else { before.epoch.next() };
        if record.epoch < before.epoch || record.epoch > next {
            let what = format!("the epoch of {service} goes from {} to {}", before.epoch, record.epoch);
            self.checker.breaks(Invariant::JournalFirst, now, what);
        }
    }

    fn moved(&mut self, now: Moment, service: &ServiceKey, before: Option<&Record>, record: &Record) {
        let Some(run) = self.checker.run_of(record, service).cloned() else {
            let what = format!("epoch {} of {service} was raised without a run in the ledger", record.epoch);
            return self.checker.breaks(Invariant::JournalFirst, now, what);
        };
        if let Some(what) = not_intended(&run, record.epoch, &record.serving) {
            return self.checker.breaks(Invariant::JournalFirst, now, format!("{service}: {what}"));
        }
        let (Some(before), RunState::Running) = (before, run.state) else { return };
        let leaving: Vec<RegionName> = before.serving.difference(&record.serving).cloned().collect();
        self.nobody_writes(now, service, &leaving);
        let joining: Vec<RegionName> = record.serving.difference(&before.serving).cloned().collect();
        if run.plan.change.trigger.is_unplanned() {
            leaving.iter().for_each(|region| self.has_cause(now, service, region));
        }
        joining.iter().for_each(|region| self.is_good_target(now, service, region));
        self.carries(now, service, record, !leaving.is_empty());
        // What only takes out members that are down goes neither to nor fro.
        if !(joining.is_empty() && run.plan.change.trigger == Trigger::MemberDown) {
            self.cooldown_kept(now, service, run.plan.change.trigger);
        }
    }

    /// A quorum of vantages, one of them outside, truly saw the member fail, and not because they were cut off
    /// themselves.
    fn has_cause(&mut self, now: Moment, service: &ServiceKey, region: &RegionName) {
        let Some((site, member, quorum)) = self.place(service, region) else { return };
        let from = self.oldest(now, service);
        let saw = |process: u16| self.members.seen(process, member).since(from, true) > 0;
        let witnesses: Vec<u16> = self.vantages().filter(|vantage| saw(*vantage)).collect();
        let outside = witnesses.iter().filter(|vantage| **vantage != u16::from(site.0)).count();
        if witnesses.len() < quorum || outside == 0 {
            let seen = self.told(&witnesses);
            let what =
                format!("{service} is moved away from {region}, which truly was seen to fail by {seen}");
            if self.is_beyond_the_promise(now, service, region, &witnesses, quorum) {
                return self.checker.goes_beyond(Invariant::UnknownIsNotDown, now, what);
            }
            self.checker.breaks(Invariant::UnknownIsNotDown, now, what);
        }
    }

    /// A quorum of vantages truly saw it work a moment ago.
    fn is_good_target(&mut self, now: Moment, service: &ServiceKey, region: &RegionName) {
        let Some((_, member, quorum)) = self.place(service, region) else { return };
        let from = self.oldest(now, service);
        let saw = self.vantages().filter(|v| self.members.seen(*v, member).since(from, false) > 0).count();
        if saw < quorum {
            let what = format!("{service} is moved to {region}, which {saw} vantages saw work of late");
            self.checker.breaks(Invariant::UnknownIsNotDown, now, what);
        }
    }

    fn told(&self, vantages: &[u16]) -> String {
        let names = vantages.iter().filter_map(|vantage| self.processes.get(*vantage));
        let names: Vec<&str> = names.map(|process| process.name.as_str()).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(" and ") }
    }

    /// When the oldest sample was taken that a vantage may still rest its word on: a window and a recovery, and the lease
    /// under which it said so.
    pub(super) fn oldest(&self, now: Moment, service: &ServiceKey) -> Moment {
        let setup = &self.checker.setup;
        let judged = setup.service(service).map_or(Duration::ZERO, |service| {
            let health = service.health;
            health.interval * (health.window.size + 1) + health.timeout + health.recovery.stable_for
        });
        Moment(now.0.saturating_sub(crate::sim::moment::micros(judged + setup.lease_ttl + SECOND * 3)))
    }

    pub(super) fn vantages(&self) -> impl Iterator<Item = u16> + use<> {
        0..u16::try_from(self.processes.list.len()).unwrap_or(u16::MAX)
    }

    /// Site, member and quorum.
    pub(super) fn place(&self, service: &ServiceKey, region: &RegionName) -> Option<(Site, usize, usize)> {
        let site = self.checker.setup.site(region)?;
        let member = self.members.index(service, site)?;
        let health = self.checker.setup.service(service)?.health;
        Some((site, member, usize::try_from(health.quorum).unwrap_or(usize::MAX)))
    }

    fn recently_edited(&self, now: Moment) -> bool {
        self.checker.edited.is_some_and(|edited| now.since(edited) < EDIT_COUNTS)
    }

    fn carries(&mut self, now: Moment, service: &ServiceKey, record: &Record, takes_away: bool) {
        let Some(spec) = self.checker.setup.service(service).cloned() else { return };
        let Some(load) = spec.peak_load.filter(|_| takes_away && !self.recently_edited(now)) else { return };
        let capacity: Option<u64> =
            record.serving.iter().map(|region| self.most_carried(service, &spec, region)).sum();
        if capacity.is_some_and(|capacity| capacity < load) {
            let what = format!("{} cannot carry {load}/s of {service}", names(&record.serving));
            self.checker.breaks(Invariant::Capacity, now, what);
        }
    }

    /// What a member carries; `None`: it is not limited. Whoever decides goes by what its own cluster holds, so the most counts
    /// that any of them says.
    fn most_carried(&self, service: &ServiceKey, spec: &Service, region: &RegionName) -> Option<u64> {
        let held: Vec<_> = self.clusters.list.iter().filter_map(|cluster| cluster.service(service)).collect();
        let members = held.iter().flat_map(|object| &object.spec.members);
        let edited = members.filter(|member| member.region == region.as_str());
        let edited = edited.map(|member| member.capacity.and_then(|limit| u64::try_from(limit).ok()));
        let by_setup = spec.members.get(region).map(|member| member.capacity);
        by_setup.into_iter().chain(edited).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))).flatten()
    }

    fn cooldown_kept(&mut self, now: Moment, service: &ServiceKey, trigger: Trigger) {
        let Some(spec) = self.checker.setup.service(service) else { return };
        let (Some(armed), Trigger::MemberDown | Trigger::Failback) =
            (self.checker.armed.get(service), trigger)
        else {
            return;
        };
        let slack = self.checker.clocks_apart() + SECOND;
        if now.since(*armed) + slack < spec.failover.cooldown {
            let what = format!("{service} is moved again {:?} after an automatic move", now.since(*armed));
            self.checker.breaks(Invariant::Bulkhead, now, what);
        }
    }

    /// Counts the moves that the ledger holds when a new one comes.
    pub(super) fn budget_kept(&mut self, now: Moment, run: &Run) {
        // For a lease's length two processes may both think that they lead. Each service is still moved by one of them, but
        // a count over several services is nobody's alone until a write can be bound to the lease.
        let ttl = self.checker.setup.lease_ttl;
        if self.checker.lease_ended.is_some_and(|ended| now.since(ended) < ttl) {
            return;
        }
        let leaving: Vec<RegionName> = run.plan.change.leaving().cloned().collect();
        for region in leaving {
            let Some(spec) = self.checker.setup.snapshot.regions.get(region.as_str()) else { continue };
            let budget = spec.spec.budget.clone();
            let evacuating = self.checker.runs.values().filter(|noted| {
                noted.run.id != run.id
                    && noted.run.is_evacuating()
                    && noted.run.plan.change.leaving().any(|left| *left == region)
            });
            let places = usize::try_from(budget.evacuation.concurrent).unwrap_or(0);
            if run.plan.change.trigger == Trigger::RegionLost && evacuating.count() >= places {
                let what = format!("{} evacuates {region}, where all {places} places are taken", run.id);
                self.checker.breaks(Invariant::Bulkhead, now, what);
            }
            let (limit, per) =
                (budget.moves, budget.per.0.saturating_sub(self.checker.clocks_apart() + SECOND));
            let others = self.checker.runs.values().filter(|noted| {
                let change = &noted.run.plan.change;
                noted.run.id != run.id
                    && change.trigger.is_unplanned()
                    && change.leaving().any(|left| *left == region)
                    && now.since(noted.since) < per
            });
            let used = others.count();
            let counts = run.plan.change.trigger == Trigger::MemberDown;
            if counts && used >= usize::try_from(limit).unwrap_or(0) {
                let what =
                    format!("{} is move {} away from {region}; its budget is {limit}", run.id, used + 1);
                self.checker.breaks(Invariant::Bulkhead, now, what);
            }
        }
    }
}

/// Why a run may not raise the epoch so.
fn not_intended(run: &Run, epoch: Epoch, serving: &BTreeSet<RegionName>) -> Option<String> {
    if run.state.is_over() {
        return Some(format!("epoch {epoch} was raised by {}, which is {:?}", run.id, run.state));
    }
    let intended = run.journal.iter().any(|record| {
        let step = Step::RaiseEpoch { epoch, serving: serving.clone() };
        record.step == step && record.state == StepState::Running
    });
    (!intended).then(|| format!("epoch {epoch} was raised before {} said so", run.id))
}

fn names(regions: &BTreeSet<RegionName>) -> String {
    regions.iter().map(RegionName::as_str).collect::<Vec<_>>().join("+")
}

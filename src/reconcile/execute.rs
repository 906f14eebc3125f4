//! Drives one run: writes the intent, does the effect, writes what it came to, until it has to wait.

mod fence;
mod verify;
mod workload;

use std::{collections::BTreeSet, time::Duration};

use tracing::{info, warn};

use super::{
    agent::Agent,
    book::{self, Entry},
    catalog::Catalog,
    meter,
    parse::Parsed,
    retry,
};
use crate::{
    domain::{
        Action, Epoch, Intervention, MemberHealth, Next, Record, RegionName, Run, RunState, ServiceKey, Step,
        StepResult, Trigger, decide,
    },
    observability::PassOutcome,
    planted::planted,
    ports::{Expect, LedgerError, Version},
};

/// Time between two looks at a run that waits for a person.
const PERSON_POLL: Duration = Duration::from_secs(5);

/// Runs of one service that the ledger keeps after they are over: enough for the times of the last ten moves and for a
/// person who looks back; a run is some 4 KB.
const RUNS_KEPT: usize = 30;

impl Agent {
    /// Goes on with a run until it waits or is over. Returns when to come back, and what came of it.
    pub(super) async fn drive(
        &self,
        mut run: Run,
        mut version: Version,
        parsed: Option<&Parsed>,
        catalog: &Catalog,
    ) -> (Duration, PassOutcome) {
        let now = self.ports.clock.tick();
        let until = self.shared().resting.get(&run.service).copied();
        if let Some(until) = until.filter(|until| *until > now && self.wanted_back(&run).is_none()) {
            return (until.since(now), PassOutcome::Unchanged);
        }
        let found = version;
        match self.drive_on(&mut run, &mut version, parsed, catalog).await {
            Ok(again) => {
                let until = self.ports.clock.tick().plus(again);
                self.shared().resting.insert(run.service.clone(), until);
                let waits = run.state == RunState::Paused && version == found;
                (again, if waits { PassOutcome::Unchanged } else { PassOutcome::Changed })
            }
            Err(error) => {
                // Nothing was done without its intent in the ledger. The mirror will show who wrote.
                warn!(service = %run.service, failover = %run.id, %error, "journal not written, trying again");
                (retry::delay(1), PassOutcome::Failed)
            }
        }
    }

    async fn drive_on(
        &self,
        run: &mut Run,
        version: &mut Version,
        parsed: Option<&Parsed>,
        catalog: &Catalog,
    ) -> Result<Duration, LedgerError> {
        let Some(parsed) = parsed else {
            return self.give_up(run, version).await;
        };
        #[cfg(test)]
        if planted!(OldPlanNewEpoch) && run.owner != self.settings.identity {
            renumber(run, self.mirror.record(&run.service).map(|(_, record)| record.epoch));
        }
        if !self.claim(run, version).await? {
            return Ok(retry::delay(1));
        }
        loop {
            let now = self.ports.clock.wall();
            match run.next() {
                Next::Person | Next::Execute(_) if let Some(why) = self.is_lost_too(run, parsed, catalog) => {
                    info!(service = %run.service, failover = %run.id, why, "left");
                    run.leave(&why, now);
                    self.save(run, version).await?;
                }
                Next::Over => {
                    self.close(run).await?;
                    return Ok(Duration::ZERO);
                }
                Next::Person => {
                    if !self.hear_person(run, version).await? {
                        // Not rested: a person's word is heard as soon as it is in the ledger.
                        return Ok(Duration::ZERO);
                    }
                }
                Next::Execute(_) if let Some(why) = self.wanted_back(run) => {
                    info!(service = %run.service, failover = %run.id, why, "turned back");
                    run.turn_back(&why, now);
                    self.save(run, version).await?;
                }
                Next::Execute(step) => {
                    run.begin(now);
                    self.mark_heard(run);
                    if !planted!(JournalAfterEffect) {
                        self.save(run, version).await?;
                    }
                    // Asked at the effect, not once at the top: the lease may have run out while the journal was written.
                    if !planted!(LeaseCheckedBeforeWait) && !self.is_leader() {
                        return Ok(retry::delay(1));
                    }
                    let result = self.effect(run, &step, parsed, catalog).await;
                    self.count_step(&step, &result);
                    if matches!(result, StepResult::Failed(_)) {
                        run.no_way_back = self.nobody_is_left(run, parsed, catalog);
                    }
                    let again = retry::after(&result, run.attempts());
                    run.finish(result, self.ports.clock.wall());
                    if run.state.is_over() || run.state == RunState::Paused || again.is_some() {
                        self.save(run, version).await?;
                    }
                    if let Some(again) = again.filter(|_| matches!(run.next(), Next::Execute(_))) {
                        return Ok(again);
                    }
                }
            }
        }
    }

    /// Whether everybody who served before the move has failed by now. Unknown is not failed, and a member whose workload was
    /// stopped for this move may look as if it had.
    fn nobody_is_left(&self, run: &Run, parsed: &Parsed, catalog: &Catalog) -> bool {
        if parsed.service.workload().is_some() {
            return false;
        }
        let seen = self.observe(parsed, catalog);
        let from = &run.plan.change.from;
        !from.is_empty() && from.iter().all(|region| seen.health_in(region) == MemberHealth::Down)
    }

    /// Writes the run; the journal before each effect.
    async fn save(&self, run: &mut Run, version: &mut Version) -> Result<(), LedgerError> {
        run.owner = self.settings.identity.clone();
        let entry = Entry::Run(run.service.namespace.clone(), run.id.clone());
        let held_place =
            self.mirror.run(&run.service, &run.id).is_some_and(|(_, known)| known.is_evacuating());
        *version = self.put_as_leader(&entry, run, Expect::Version(*version)).await?;
        self.mirror.wrote(&entry, *version, run);
        if held_place && !run.is_evacuating() {
            run.plan.change.leaving().for_each(|region| self.offer_place(region));
        }
        Ok(())
    }

    /// Makes sure that this run, and no other, is the one that its service's record names.
    async fn claim(&self, run: &mut Run, version: &mut Version) -> Result<bool, LedgerError> {
        let Some((record_version, record)) = self.mirror.record(&run.service) else {
            // A new service: the record is made by the first step, and only one run can make it.
            return Ok(true);
        };
        match &record.run {
            Some(named) if *named == run.id => Ok(true),
            Some(other) => {
                run.give_up(&format!("Failover {other} came first"), self.ports.clock.wall());
                self.save(run, version).await?;
                Ok(false)
            }
            None if run.state.is_over() => Ok(true),
            None => {
                let claimed = Record { run: Some(run.id.clone()), ..(*record).clone() };
                self.write_record(&run.service, &claimed, Expect::Version(record_version)).await?;
                Ok(true)
            }
        }
    }

    pub(super) async fn write_record(
        &self,
        service: &ServiceKey,
        record: &Record,
        expect: Expect,
    ) -> Result<(), LedgerError> {
        let entry = Entry::Record(service.clone());
        let version = self.put_as_leader(&entry, record, expect).await?;
        self.mirror.wrote(&entry, version, record);
        Ok(())
    }

    /// Frees the service's record from a run that is over, and arms the cooldown if it was an automatic move.
    async fn close(&self, run: &Run) -> Result<(), LedgerError> {
        let entry = Entry::Record(run.service.clone());
        let Some((version, record)) = book::get::<Record>(self.ports.ledger.as_ref(), &entry).await? else {
            return Ok(());
        };
        if record.run.as_ref() != Some(&run.id) {
            return Ok(());
        }
        let arms = (run.state == RunState::Succeeded || planted!(CooldownArmedByFailure))
            && run.plan.change.trigger.is_automatic();
        let last_automatic = if arms { run.times.settled } else { record.last_automatic };
        // A run that ends between the fence and the raise has moved nobody: who wrote may write on.
        let closed = Record { run: None, last_automatic, fenced: false, ..record };
        self.write_record(&run.service, &closed, Expect::Version(version)).await?;
        self.observe_phases(run);
        info!(service = %run.service, failover = %run.id, state = ?run.state, message = run.message, "run is over");
        self.prune(&run.service).await;
        Ok(())
    }

    /// Forgets the oldest runs of a service, with the wishes that they answered. Their Failovers stay in the clusters.
    pub(super) async fn prune(&self, service: &ServiceKey) {
        for (version, run) in self.mirror.runs_beyond(service, RUNS_KEPT) {
            if let Err(error) = self.forget_run(version, &run).await {
                warn!(%service, failover = %run.id, %error, "an old run is not forgotten yet, trying again after the next");
                return;
            }
        }
    }

    /// The wish goes first: one without its run would be taken for a new one, and be done again.
    async fn forget_run(&self, version: Version, run: &Run) -> Result<(), LedgerError> {
        let ledger = self.ports.ledger.as_ref();
        let namespace = &run.service.namespace;
        if let Some((version, _)) = self.mirror.request(namespace, &run.id) {
            ledger.delete(&Entry::Request(namespace.clone(), run.id.clone()).key(), version).await?;
        }
        ledger.delete(&Entry::Run(namespace.clone(), run.id.clone()).key(), version).await
    }

    /// Frees a record that names a run which the ledger no longer holds, because somebody deleted it: otherwise no move
    /// could ever start again.
    pub(super) async fn free_record(&self, service: &ServiceKey) -> Result<(), LedgerError> {
        let Some((version, record)) = self.mirror.record(service) else { return Ok(()) };
        let Some(named) = &record.run else { return Ok(()) };
        let entry = Entry::Run(service.namespace.clone(), named.clone());
        if self.ports.ledger.get(&entry.key()).await?.is_some() {
            // The mirror is behind; the run will come.
            return Ok(());
        }
        warn!(%service, failover = %named, "the run that the record names is gone from the ledger, freeing the record");
        let freed = Record { run: None, fenced: false, ..(*record).clone() };
        self.write_record(service, &freed, Expect::Version(version)).await
    }

    /// The service was deleted, or can no longer be understood: who serves stays as it is (I8).
    async fn give_up(&self, run: &mut Run, version: &mut Version) -> Result<Duration, LedgerError> {
        if !run.state.is_over() {
            let why = "the SharedService was deleted or is no longer valid; traffic stays as it is";
            run.give_up(why, self.ports.clock.wall());
            self.save(run, version).await?;
        }
        self.close(run).await?;
        Ok(PERSON_POLL)
    }

    /// Words that were there before this try are not about its failure.
    fn mark_heard(&self, run: &mut Run) {
        let request = self.mirror.request(&run.service.namespace, &run.id);
        for (region, (_, generation)) in request.iter().flat_map(|(_, request)| &request.words) {
            run.heard.insert(region.clone(), *generation);
        }
    }

    /// Why a drill wants this move undone, as long as it can be.
    fn wanted_back(&self, run: &Run) -> Option<String> {
        let (_, request) = self.mirror.request(&run.service.namespace, &run.id)?;
        request.turn_back.clone().filter(|_| run.may_turn_back())
    }

    /// Why a run is left: whoever it led to has failed as well, and if it were not there, that would be answered.
    fn is_lost_too(&self, run: &Run, parsed: &Parsed, catalog: &Catalog) -> Option<String> {
        if !run.may_be_left_for(std::iter::empty()) {
            return None;
        }
        let mut seen = self.observe(parsed, catalog);
        let record = seen.record.as_mut().filter(|record| record.run.as_ref() == Some(&run.id))?;
        record.run = None;
        seen.request = None;
        let Action::Start(next) = decide(&seen).action else { return None };
        let change = next.change;
        let names = |regions: Vec<&RegionName>| {
            regions.into_iter().map(RegionName::as_str).collect::<Vec<_>>().join(", ")
        };
        let is_answer = change.trigger.is_unplanned() && run.may_be_left_for(change.joining());
        let (lost, to) = (names(change.leaving().collect()), names(change.to.iter().collect()));
        is_answer.then(|| format!("{lost} has failed as well: left for a move to {to}"))
    }

    /// `true` if a person said something new. Of what was said in several clusters the most careful word counts; the
    /// others were about the same failure and are over with it.
    async fn hear_person(&self, run: &mut Run, version: &mut Version) -> Result<bool, LedgerError> {
        let request = self.mirror.request(&run.service.namespace, &run.id);
        let words = request.map(|(_, request)| request.words.clone()).unwrap_or_default();
        let mut words: Vec<_> = words.into_iter().collect();
        words.sort_by_key(|(_, (word, _))| match word {
            Intervention::Abort => 0,
            Intervention::Resume => 1,
            Intervention::Skip => 2,
        });
        for (region, (word, generation)) in words {
            run.intervene(word, &region, generation, self.ports.clock.wall());
        }
        if run.state == RunState::Paused {
            return Ok(false);
        }
        info!(service = %run.service, failover = %run.id, message = run.message, "a person's word on a paused run");
        self.save(run, version).await?;
        Ok(true)
    }

    async fn effect(&self, run: &Run, step: &Step, parsed: &Parsed, catalog: &Catalog) -> StepResult {
        match step {
            Step::Precheck => self.precheck(run, parsed, catalog),
            Step::Fence => self.fence(run).await,
            Step::AwaitFence => self.await_fence(run, parsed).await,
            Step::RaiseEpoch { epoch, serving } => {
                // What is new has no check before it, and what undoes a move leads back to where the service was.
                let asks = run.plan.change.trigger != Trigger::Establish && run.state == RunState::Running;
                let still_right = || match asks {
                    true => self.precheck(run, parsed, catalog),
                    false => StepResult::Done(String::new()),
                };
                self.raise_epoch(run, parsed, (*epoch, serving), still_right).await
            }
            Step::ShiftTraffic { route } => match self.mirror.record(&run.service) {
                Some((_, record)) if record.epoch > newest_epoch(run) => superseded(&record),
                Some((_, record)) => self.publish(parsed, route, &record).await,
                None => StepResult::Failed("the ledger has no record of the service".to_owned()),
            },
            Step::Verify => self.verify(run, parsed, catalog).await,
            Step::Settle => StepResult::Done(String::new()),
        }
    }

    /// Looks again: time may have passed since the decision, above all when another process made it.
    fn precheck(&self, run: &Run, parsed: &Parsed, catalog: &Catalog) -> StepResult {
        if planted!(NoPrecheck) {
            return StepResult::Done(String::new());
        }
        let seen = self.observe(parsed, catalog);
        let change = &run.plan.change;
        for region in change.joining() {
            let refusal = seen.member(region).map(|member| seen.joins(member, change));
            match refusal {
                Some(Ok(())) => {}
                Some(Err(refusal)) => {
                    return StepResult::Failed(format!("{region} cannot take over: {refusal}"));
                }
                None => return StepResult::Failed(format!("{region} is no member any more")),
            }
        }
        if !change.to.iter().any(|region| seen.health_in(region).carries()) && !planted!(EmptyWhenAllDown) {
            return StepResult::Failed("nobody who carries load would serve".to_owned());
        }
        if change.trigger.is_unplanned()
            && change.leaving().all(|region| seen.health_in(region) == MemberHealth::Healthy)
        {
            return StepResult::Failed("what was lost is healthy again".to_owned());
        }
        StepResult::Done(String::new())
    }

    /// Read from the ledger and not from the mirror: this is the step that cannot be taken back. `still_right` is asked when
    /// the epoch is not raised yet: between the check before it and this moment a process may have died, and half a minute
    /// have passed until another one goes on.
    async fn raise_epoch(
        &self,
        run: &Run,
        parsed: &Parsed,
        (epoch, serving): (Epoch, &BTreeSet<RegionName>),
        still_right: impl Fn() -> StepResult + Send,
    ) -> StepResult {
        let entry = Entry::Record(run.service.clone());
        let now = self.ports.clock.wall();
        let (record, expect) = match book::get::<Record>(self.ports.ledger.as_ref(), &entry).await {
            Err(error) => return StepResult::Failed(error.to_string()),
            Ok(Some((_, record)))
                if record.epoch == epoch && record.serving == *serving && !planted!(RetryRaisesAgain) =>
            {
                return StepResult::Done(format!("epoch {epoch} was raised already"));
            }
            Ok(Some((version, record))) if planted!(RetryRaisesAgain) && record.epoch == epoch => {
                let next = record.epoch.next();
                (record.moved(next, serving, run.plan.change.trigger, now), Expect::Version(version))
            }
            Ok(Some((_, record))) if record.epoch >= epoch => return superseded(&record),
            Ok(Some((_, record))) if record.run.as_ref() != Some(&run.id) => {
                return StepResult::Superseded("another run has the service".to_owned());
            }
            Ok(Some((version, record))) => {
                (record.moved(epoch, serving, run.plan.change.trigger, now), Expect::Version(version))
            }
            Ok(None) if run.plan.change.trigger == Trigger::Establish => {
                (new_record(run, epoch, serving, now), Expect::Absent)
            }
            Ok(None) => return StepResult::Failed("the ledger has no record of the service".to_owned()),
        };
        if let Some(not_yet) = self.is_still_written(run, parsed).await {
            return not_yet;
        }
        match still_right() {
            StepResult::Done(_) => {}
            wrong => return wrong,
        }
        match self.write_record(&run.service, &record, expect).await {
            Ok(()) => StepResult::Done(format!("epoch {epoch}: {}", names(serving))),
            Err(error) => StepResult::Failed(error.to_string()),
        }
    }

    fn count_step(&self, step: &Step, result: &StepResult) {
        self.ports.metrics.count_step(step.kind().as_str(), meter::step(result));
    }

    fn observe_phases(&self, run: &Run) {
        use crate::observability::Phase;
        let t = &run.times;
        let phases = [
            (Phase::Detect, t.fault, t.detected),
            (Phase::Decide, t.detected, t.decided),
            (Phase::Fence, t.decided, t.fenced),
            (Phase::Promote, t.fenced, t.promoted),
            (Phase::Shift, t.promoted.or(t.fenced), t.shifted),
            (Phase::Verify, t.shifted, t.verified),
        ];
        for (phase, from, to) in phases {
            if let (Some(from), Some(to)) = (from, to) {
                self.ports.metrics.observe_phase(phase, to.since(from));
            }
        }
    }
}

/// The newest epoch that the steps of a run raise the service to.
fn newest_epoch(run: &Run) -> Epoch {
    let raised = run.journal.iter().filter_map(|record| match &record.step {
        Step::RaiseEpoch { epoch, .. } => Some(*epoch),
        _ => None,
    });
    raised.max().unwrap_or(run.plan.epoch)
}

fn superseded(record: &Record) -> StepResult {
    let serving = names(&record.serving);
    StepResult::Superseded(format!("the ledger is at epoch {} already, where {serving} serves", record.epoch))
}

fn new_record(
    run: &Run,
    epoch: Epoch,
    serving: &BTreeSet<RegionName>,
    now: crate::domain::Timestamp,
) -> Record {
    Record {
        epoch,
        serving: serving.clone(),
        away: std::collections::BTreeMap::new(),
        changed_at: now,
        last_automatic: None,
        run: Some(run.id.clone()),
        fenced: false,
    }
}

fn names(regions: &BTreeSet<RegionName>) -> String {
    regions.iter().map(RegionName::as_str).collect::<Vec<_>>().join(", ")
}

/// The mistake `OldPlanNewEpoch`.
#[cfg(test)]
fn renumber(run: &mut Run, now: Option<Epoch>) {
    for record in &mut run.journal {
        if let (Step::RaiseEpoch { epoch, .. }, Some(now)) = (&mut record.step, now) {
            *epoch = now.next();
        }
    }
}

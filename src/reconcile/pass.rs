//! One pass over one service: observe, decide, start or go on, report.

use std::time::Duration;

use tracing::{info, warn};

use super::{
    agent::{Agent, Starting},
    book::Entry,
    catalog::Catalog,
    meter,
    observe::published,
    parse::Parsed,
    retry,
    traffic::LOOK_INTERVAL,
};
use crate::{
    domain::{
        Action, Decision, Move, Observation, Plan, RegionName, Run, RunId, RunState, ServiceKey, Times,
        Trigger, Why, decide,
    },
    observability::PassOutcome,
    planted::planted,
    ports::{Expect, LedgerError, Version},
};

/// Longest time between two passes over a service that waits for something that no event tells: a cooldown that ends,
/// stability that has lasted long enough. One that waits for nothing is looked at when its name servers are.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Moves of one service under one epoch that may be tried, one after another.
const RUNS_PER_EPOCH: u32 = 1_000;

impl Agent {
    /// The part of a pass that acts. Returns how long to wait before the next, and what came of this one.
    pub(super) async fn pass(&self, key: &ServiceKey) -> (Duration, PassOutcome) {
        // What was not read yet must not look like what is not there: a run would be given up as if its service had been
        // deleted, or a service be established anew.
        if !self.mirror.is_ready() || self.source().is_none() {
            return (LONGEST_WAIT, PassOutcome::Unchanged);
        }
        let catalog = self.catalog();
        self.act(key, &catalog).await
    }

    async fn act(&self, key: &ServiceKey, catalog: &Catalog) -> (Duration, PassOutcome) {
        use PassOutcome::{Changed, Failed, Unchanged};
        if self.mirror.unreadable_record(key).is_some() {
            return (LONGEST_WAIT, Failed);
        }
        let parsed = catalog.parsed(key);
        if let Some((version, run)) = self.mirror.active_run(key) {
            if !self.is_leader() {
                return self.look_on(parsed.map(AsRef::as_ref), catalog).await;
            }
            return match self.drive((*run).clone(), version, parsed.map(AsRef::as_ref), catalog).await {
                (Duration::ZERO, outcome) if run.state == RunState::Paused => (LONGEST_WAIT, outcome),
                (again, outcome) => (again.min(LONGEST_WAIT), outcome),
            };
        }
        let Some(parsed) = parsed else { return (LONGEST_WAIT, Unchanged) };
        let mut wait = LOOK_INTERVAL;
        if self.is_leader() {
            let decided = match self.free_record(key).await {
                Ok(()) => self.decide_and_start(parsed, catalog).await,
                Err(error) => Err(error),
            };
            match decided {
                Ok(Decided::Acted(again)) => return (again.min(LONGEST_WAIT), Changed),
                Ok(Decided::Waits(time)) => wait = time,
                Err(error) => {
                    warn!(service = %key, %error, "a decision could not be written to the ledger, deciding again");
                    return (retry::delay(1), Failed);
                }
            }
        }
        match self.mirror.record(key) {
            Some((_, record)) => {
                let (again, outcome) = self.sync_routes(parsed, &record, catalog).await;
                (again.min(wait), outcome)
            }
            // The leader has looked, to decide. The others look too: what keeps a service from being established is
            // shown in every cluster.
            None if !self.is_leader() => {
                self.read_routes(parsed).await;
                (LONGEST_WAIT, Unchanged)
            }
            None => (LONGEST_WAIT, Unchanged),
        }
    }

    /// What a process does that does not lead, while the leader drives a run: it sees to it that traffic gets there.
    async fn look_on(&self, parsed: Option<&Parsed>, catalog: &Catalog) -> (Duration, PassOutcome) {
        let record = parsed.and_then(|parsed| Some((parsed, self.mirror.record(&parsed.service.key)?)));
        let Some((parsed, (_, record))) = record else { return (LONGEST_WAIT, PassOutcome::Unchanged) };
        let (again, outcome) = self.sync_routes(parsed, &record, catalog).await;
        (again.min(LONGEST_WAIT), outcome)
    }

    /// What would be decided now. Before the first decision on a service its name servers are asked in any case: the ledger
    /// may have been restored from an older copy, and a move by that would use an epoch for the second time.
    pub(super) async fn look(&self, parsed: &Parsed, catalog: &Catalog) -> Observation {
        let unestablished = self.mirror.record(&parsed.service.key).is_none();
        let answers = match unestablished || !self.has_looked(parsed) {
            true => Some(self.read_routes(parsed).await),
            false => None,
        };
        let mut seen = self.observe(parsed, catalog);
        match (&seen.record, answers) {
            (Some(record), _) => {
                seen.published = published(parsed, &self.ahead(parsed, record), None);
                if seen.overtaken_by().is_some() {
                    // It waits until the ledger knows who serves.
                    seen.request = None;
                }
            }
            (None, Some((read, unread))) => seen.published = published(parsed, &read, unread.as_deref()),
            (None, None) => {}
        }
        seen
    }

    /// Decides; writes a run if one starts or a request was answered, and goes on with one that starts.
    async fn decide_and_start(&self, parsed: &Parsed, catalog: &Catalog) -> Result<Decided, LedgerError> {
        let key = &parsed.service.key;
        let mut seen = self.look(parsed, catalog).await;
        let decision = self.decide_and_reserve(&mut seen, parsed, catalog);
        self.ports.metrics.count_decision(meter::decision(&decision.action));
        for blocker in decision.blockers() {
            self.ports.metrics.count_rule_block(blocker.rule.as_str(), blocker.outcome.as_str());
        }
        if seen.record.is_none() {
            self.shared().unestablished.insert(key.clone(), decision.rules.clone());
        }
        self.stand_in_line(parsed, &decision);
        let started = self.write_decision(&seen, &decision).await;
        self.shared().starting.remove(key);
        match started? {
            // Gone on with at once: in the queue it would stand behind services where nothing is lost.
            Some((version, run)) if run.state == RunState::Running => {
                Ok(Decided::Acted(self.drive(run, version, Some(parsed), catalog).await.0))
            }
            Some(_) => {
                self.prune(key).await;
                Ok(Decided::Acted(Duration::ZERO))
            }
            None => Ok(Decided::Waits(waiting_time(&seen, &decision))),
        }
    }

    /// Decides and, if a move starts, counts it in the budgets in the same breath: two passes that decide at the same
    /// time must not both take the last free place.
    fn decide_and_reserve(&self, seen: &mut Observation, parsed: &Parsed, catalog: &Catalog) -> Decision {
        let _gate = self.deciding.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.budgets = self.budgets(seen.record.as_ref(), &parsed.service, catalog);
        let decision = decide(seen);
        if let Action::Start(plan) = &decision.action
            && plan.change.trigger.is_unplanned()
            && !planted!(BudgetNotReserved)
        {
            let starting = Starting {
                trigger: plan.change.trigger,
                leaving: plan.change.leaving().cloned().collect(),
                part_of: parsed.service.part_of.clone(),
            };
            self.shared().starting.insert(parsed.service.key.clone(), starting);
        }
        decision
    }

    /// Waits for a place in the evacuation budget if that is what blocks; a place that was offered and is not taken goes
    /// to the next.
    fn stand_in_line(&self, parsed: &Parsed, decision: &Decision) {
        let (grade, key) = (parsed.service.grade, &parsed.service.key);
        let full = decision.blockers().find_map(|blocker| match &blocker.why {
            Why::Evacuation { region, .. } => Some(region),
            _ => None,
        });
        match full {
            Some(region) => self.line.join(region, grade, key),
            None => {
                let offered = self.line.leave(grade, key);
                if let Some(region) = offered.filter(|_| !matches!(decision.action, Action::Start(_))) {
                    self.offer_place(&region);
                }
            }
        }
    }

    pub(super) fn offer_place(&self, region: &RegionName) {
        if let Some(service) = self.line.offer(region) {
            self.queue.push(service, self.ports.clock.tick());
        }
    }

    async fn write_decision(
        &self,
        seen: &Observation,
        decision: &Decision,
    ) -> Result<Option<(Version, Run)>, LedgerError> {
        let request = seen.request.as_ref();
        let (state, plan) = match (&decision.action, request) {
            (Action::Start(plan), Some(request)) if request.dry_run => (RunState::Planned, (**plan).clone()),
            (Action::Start(plan), _) => (RunState::Running, (**plan).clone()),
            (Action::Hold | Action::Recommend(_), Some(_)) if seen.record.is_some() => {
                (RunState::Refused, decision.plan(seen).unwrap_or_else(|| no_plan(seen)))
            }
            (Action::Hold | Action::Recommend(_), _) => return Ok(None),
        };
        let run = self.new_run(seen, decision, state, plan);
        let entry = Entry::Run(run.service.namespace.clone(), run.id.clone());
        let version = match self.put_as_leader(&entry, &run, Expect::Absent).await {
            Ok(version) => version,
            // Another process decided the same a moment ago; its run is on its way to the mirror.
            Err(LedgerError::Conflict { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        self.mirror.wrote(&entry, version, &run);
        log_decision(&run, decision);
        Ok(Some((version, run)))
    }

    fn new_run(&self, seen: &Observation, decision: &Decision, state: RunState, plan: Plan) -> Run {
        let service = seen.service.key.clone();
        let now = self.ports.clock.wall();
        let lost = || plan.change.leaving().filter_map(|region| seen.member(region));
        let fault = lost().filter_map(crate::domain::MemberView::onset).min();
        let quorum = seen.service.health.quorum;
        let detected = lost().filter_map(|member| member.down_since(&seen.vantages, quorum)).min();
        let unplanned = plan.change.trigger.is_unplanned();
        let times = Times {
            fault: fault.filter(|_| unplanned),
            detected: detected.filter(|_| unplanned),
            observed: unplanned.then_some(seen.wall),
            decided: Some(now),
            ..Times::default()
        };
        let id = match &seen.request {
            Some(request) => request.run.clone(),
            None => self.free_id(&service, &plan),
        };
        let before = self.mirror.last_move(&service).filter(|run| run.state == RunState::Failed);
        let mut run = Run::new(id, service, plan, self.settings.identity.clone(), times);
        run.tried = before.map(|run| run.tried.clone()).filter(|_| unplanned).unwrap_or_default();
        run.rules = decision.rules.iter().map(rule_text).collect();
        run.reason = self.reason(seen, &run);
        run.state = state;
        run.message = match state {
            RunState::Refused => refusal(decision),
            RunState::Planned => "dry run: nothing was touched".to_owned(),
            _ => String::new(),
        };
        if state != RunState::Running {
            run.times.settled = Some(now);
        }
        run
    }

    /// The same for all processes that see the same ledger: `SERVICE-eEPOCH`, and a count if that was tried before.
    fn free_id(&self, service: &ServiceKey, plan: &Plan) -> RunId {
        let first = format!("{}-e{}", service.name, plan.epoch);
        let taken = |id: &RunId| {
            self.mirror.run(service, id).is_some() || self.mirror.request(&service.namespace, id).is_some()
        };
        let later = (2..RUNS_PER_EPOCH).map(|count| RunId::new(format!("{first}-{count}")));
        std::iter::once(RunId::new(&first))
            .chain(later)
            .find(|id| !taken(id))
            .unwrap_or_else(|| RunId::new(&first))
    }

    fn reason(&self, seen: &Observation, run: &Run) -> String {
        if let Some(request) = &seen.request
            && let Some((_, entry)) = self.mirror.request(&run.service.namespace, &request.run)
        {
            return entry.reason.clone();
        }
        let names =
            |regions: Vec<&RegionName>| regions.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(", ");
        let leaving = names(run.plan.change.leaving().collect());
        let joining = names(run.plan.change.joining().collect());
        match run.plan.change.trigger {
            Trigger::Establish if run.plan.change.from.is_empty() => {
                format!("first sight of the service: {joining} serves")
            }
            Trigger::Establish => {
                let serving = names(run.plan.change.to.iter().collect());
                format!(
                    "the name servers are ahead of the ledger, which was restored from an older copy: {serving} serves"
                )
            }
            Trigger::MemberDown => format!("the member in {leaving} is down"),
            Trigger::RegionLost => format!("region {leaving} is lost"),
            Trigger::Failback => format!("{joining} is good again"),
            Trigger::SpecChanged => "the members or their weights were changed".to_owned(),
            Trigger::Manual => "a person asked".to_owned(),
            Trigger::Drill => "a drill moves it away".to_owned(),
            Trigger::Return => "a drill brings it back".to_owned(),
        }
    }
}

fn rule_text(evaluation: &crate::domain::Evaluation) -> (String, String, String) {
    let outcome = evaluation.outcome.as_str().to_owned();
    (evaluation.rule.as_str().to_owned(), outcome, evaluation.why.to_string())
}

fn refusal(decision: &Decision) -> String {
    let blockers: Vec<String> =
        decision.blockers().map(|e| format!("{} ({})", e.why, e.rule.as_str())).collect();
    format!("not started: {}", blockers.join("; "))
}

/// A wish that leads nowhere still gets an answer with its place in the record.
fn no_plan(seen: &Observation) -> Plan {
    let serving = seen.record.as_ref().map(|record| record.serving.clone()).unwrap_or_default();
    let trigger = seen.request.as_ref().map_or(Trigger::Manual, |request| request.trigger);
    let change = Move { trigger, from: serving.clone(), to: serving };
    let epoch = seen.record.as_ref().map(|record| record.epoch).unwrap_or_default();
    Plan {
        steps: Vec::new(),
        compensation: Vec::new(),
        ..crate::domain::plan_for(&seen.service, change, epoch, &seen.timings)
    }
}

/// What a decision came to.
enum Decided {
    /// Something was written; look again after this time.
    Acted(Duration),
    /// Nothing happened, and for this long time alone changes nothing.
    Waits(Duration),
}

/// Until when time alone cannot change the decision.
fn waiting_time(seen: &Observation, decision: &Decision) -> Duration {
    let cooldown = decision.blockers().find_map(|evaluation| match evaluation.why {
        Why::Cooldown { left } => Some(left),
        _ => None,
    });
    let comes_back = seen.record.as_ref().is_none_or(|record| !record.away.is_empty());
    let waits = decision.wanted.is_some() || comes_back;
    cooldown.unwrap_or(if waits { LONGEST_WAIT } else { LOOK_INTERVAL })
}

fn log_decision(run: &Run, decision: &Decision) {
    let rules: Vec<String> =
        decision.rules.iter().map(|e| format!("{}={}", e.rule.as_str(), e.outcome.as_str())).collect();
    info!(
        service = %run.service,
        failover = %run.id,
        epoch = %run.plan.epoch,
        trigger = run.plan.change.trigger.as_str(),
        state = ?run.state,
        reason = run.reason,
        rules = rules.join(" "),
        "decided"
    );
}

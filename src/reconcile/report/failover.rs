//! Status of Failovers: the journal of the ledger, as people read it.

use std::{sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{changes, rfc3339};
use crate::{
    api::{
        self, ConditionType, Failover, FailoverPhase, FailoverSpec, FailoverStatus, PhaseTimes, RuleStatus,
        StepStatus, condition,
    },
    domain::{RegionName, Run, RunId, RunState, ServiceKey, Step, StepRecord, StepState, Timestamp, Trigger},
    ports::{NewObject, StatusUpdate},
    reconcile::{agent::Agent, book::RequestEntry, catalog::Catalog},
};

/// A finished run whose Failover is missing is shown if it ended within this time; older ones were deleted by somebody.
const SHOW_FINISHED: Duration = Duration::from_secs(600);

impl Agent {
    /// Shows every run of a service as a Failover in this cluster.
    pub(super) async fn report_failovers(&self, key: &ServiceKey, catalog: &Catalog) {
        for (version, run) in self.mirror.runs(key) {
            let at = (key.namespace.to_string(), run.id.to_string());
            let Some(object) = catalog.snapshot.failovers.get(&at) else {
                // One that was here and is gone was deleted by somebody.
                let was_here =
                    self.shared().reported_runs.get(key).is_some_and(|runs| runs.contains_key(&run.id));
                if !(was_here && run.state.is_over())
                    && self.is_news(&run)
                    && let Err(error) =
                        self.ports.resources.create(NewObject::Failover(Box::new(object_of(&run)))).await
                {
                    tracing::warn!(failover = %run.id, %error, "Failover not created, trying again");
                }
                continue;
            };
            let own = self.shared().reported_runs.get(key).and_then(|runs| runs.get(&run.id)).cloned();
            let generation = object.metadata.generation;
            let is_shown = own.as_ref().is_some_and(|(shown, status)| {
                let same = *shown == version && status.observed_generation == generation;
                same && object.status.as_ref() == Some(status)
            });
            if is_shown {
                continue;
            }
            let before = own.map(|(_, status)| status);
            let before = before.unwrap_or_else(|| Arc::new(object.status.clone().unwrap_or_default()));
            let request = self.mirror.request(&key.namespace, &run.id);
            let taken = !is_of(object, &run, request.as_ref().map(|(_, request)| &**request));
            let status = status(&run, &before, taken, generation, self.now());
            let shown = (version, Arc::new(status.clone()));
            self.shared().reported_runs.entry(key.clone()).or_default().insert(run.id.clone(), shown);
            if let Some(event) = changes::of_failover(&run, &before, &status) {
                self.tell(event).await;
            }
            self.write(StatusUpdate::Failover(at.0, at.1, Box::new(status))).await;
        }
    }

    /// Says of every Failover that no run has answered yet what it waits for.
    pub(super) async fn report_waiting(&self, catalog: &Catalog) {
        for ((namespace, name), object) in &catalog.snapshot.failovers {
            let key = ServiceKey::new(namespace, &object.spec.service_name);
            let done = object
                .status
                .as_ref()
                .is_some_and(|s| !matches!(s.phase, None | Some(FailoverPhase::Pending)));
            if done || self.mirror.run(&key, &RunId::new(name)).is_some() {
                continue;
            }
            let (reason, message) = self.waits_for(&key, &RunId::new(name), catalog);
            let before = object.status.clone().unwrap_or_default();
            let generation = object.metadata.generation;
            let waiting =
                condition(ConditionType::Progressing, Some(false), reason, &message, generation, self.now());
            let status = FailoverStatus {
                observed_generation: generation,
                phase: Some(FailoverPhase::Pending),
                message: Some(message),
                conditions: api::merge_conditions(&before.conditions, vec![waiting]),
                ..FailoverStatus::default()
            };
            self.write(StatusUpdate::Failover(namespace.clone(), name.clone(), Box::new(status))).await;
        }
    }

    fn waits_for(&self, key: &ServiceKey, id: &RunId, catalog: &Catalog) -> (&'static str, String) {
        let request = self.mirror.request(&key.namespace, id);
        if request.is_some_and(|(_, request)| request.service != *key) {
            return (NAME_TAKEN, TAKEN.to_owned());
        }
        match (catalog.services.get(key).map(|entry| entry.parsed.is_ok()), self.mirror.active_run(key)) {
            (None, _) => (
                "NoService",
                format!("there is no SharedService {key}: correct spec.serviceName in a new Failover"),
            ),
            (Some(false), _) => {
                ("InvalidService", format!("SharedService {key} is not valid: see its condition Accepted"))
            }
            (Some(true), Some((_, run))) => ("OtherRun", format!("waits for Failover {} to end", run.id)),
            (Some(true), None) => (
                "NotDecided",
                "waits for the leader to decide: see the Regions' condition AgentAlive".to_owned(),
            ),
        }
    }

    fn is_news(&self, run: &Run) -> bool {
        let ended = run.times.settled.unwrap_or_default();
        !run.state.is_over() || self.ports.clock.wall().since(ended) < SHOW_FINISHED
    }
}

/// Reason of the condition of a Failover whose name another one had first.
const NAME_TAKEN: &str = "NameTaken";

/// Two people, in two clusters, chose one name at once. The ledger takes the first; names are the same everywhere.
const TAKEN: &str = "a Failover of this name, created in another cluster, came first and is what is shown; this wish was \
                     not taken: create it again under another name";

/// Whether an object stands for this run: it is the wish, or what shows it in another cluster.
fn is_of(object: &Failover, run: &Run, request: Option<&RequestEntry>) -> bool {
    let spec = &object.spec;
    let same = |name: &Option<RegionName>, said: &Option<String>| {
        name.as_ref().map(RegionName::as_str) == said.as_deref()
    };
    let asked = request.is_some_and(|wish| {
        let to_same = same(&wish.from, &spec.from) && same(&wish.to, &spec.to);
        to_same && wish.reason == spec.reason && wish.dry_run == spec.dry_run
    });
    let shown = object_of(run).spec;
    asked || (shown.from == spec.from && shown.to == spec.to && shown.reason == spec.reason)
}

/// The Failover of a run that Bongsu started.
fn object_of(run: &Run) -> Failover {
    let change = &run.plan.change;
    let spec = FailoverSpec {
        service_name: run.service.name.to_string(),
        from: change.leaving().next().map(ToString::to_string),
        to: change.joining().next().or_else(|| change.to.iter().next()).map(ToString::to_string),
        reason: run.reason.clone(),
        dry_run: run.state == RunState::Planned,
        writer_stopped: false,
        intervention: None,
    };
    let mut failover = Failover::new(run.id.as_str(), spec);
    failover.metadata.namespace = Some(run.service.namespace.to_string());
    let labels =
        [("bongsu.io/service", run.service.name.as_ref()), ("bongsu.io/trigger", change.trigger.as_str())];
    failover.metadata.labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    failover
}

fn status(
    run: &Run,
    before: &FailoverStatus,
    taken: bool,
    generation: Option<i64>,
    now: k8s_openapi::jiff::Timestamp,
) -> FailoverStatus {
    let change = &run.plan.change;
    let t = &run.times;
    let text = |at: Option<Timestamp>| at.map(rfc3339);
    let measured = t.verified.zip(t.fault.or(t.decided)).map(|(verified, fault)| verified.since(fault));
    let (done, all) = run.progress();
    let current = run.current().map_or("Done", |record| record.step.kind().as_str());
    FailoverStatus {
        observed_generation: generation,
        phase: Some(phase(run.state)),
        trigger: Some(change.trigger.as_str().to_owned()),
        from: change.from.iter().map(ToString::to_string).collect(),
        to: change.to.iter().map(ToString::to_string).collect(),
        epoch: i64::try_from(run.plan.epoch.0).ok(),
        progress: Some(format!("{current} {done}/{all}")),
        steps: run.journal.iter().map(step).collect(),
        times: Some(PhaseTimes {
            fault: text(t.fault),
            detected: text(t.detected),
            decided: text(t.decided),
            fenced: text(t.fenced),
            promoted: text(t.promoted),
            shifted: text(t.shifted),
            verified: text(t.verified),
            settled: text(t.settled),
        }),
        rto: measured.map(api::Duration),
        predicted_rto: Some(api::Duration(run.plan.predicted_rto())),
        rules: run.rules.iter().map(rule).collect(),
        message: Some(if taken { TAKEN.to_owned() } else { message(run) }),
        conditions: {
            let mut all = conditions(run, generation, now);
            let accepted =
                || condition(ConditionType::Accepted, Some(false), NAME_TAKEN, TAKEN, generation, now);
            all.extend(taken.then(accepted));
            api::merge_conditions(&before.conditions, all)
        },
    }
}

fn message(run: &Run) -> String {
    match (run.state, run.message.is_empty()) {
        (_, false) => run.message.clone(),
        (RunState::Running, true) => run.reason.clone(),
        (_, true) => String::new(),
    }
}

fn rule((rule, outcome, message): &(String, String, String)) -> RuleStatus {
    RuleStatus { rule: rule.clone(), outcome: outcome.clone(), message: message.clone() }
}

fn step(record: &StepRecord) -> StepStatus {
    StepStatus {
        name: record.step.kind().as_str().to_owned(),
        state: match record.state {
            StepState::Pending => api::StepState::Pending,
            StepState::Running => api::StepState::Running,
            StepState::Done => api::StepState::Done,
            StepState::Failed => api::StepState::Failed,
            StepState::Skipped => api::StepState::Skipped,
        },
        detail: detail(&record.step),
        attempts: i32::try_from(record.attempts).unwrap_or(i32::MAX),
        started_at: record.started_at.map(rfc3339),
        finished_at: record.finished_at.map(rfc3339),
        message: record.message.clone(),
    }
}

pub(in crate::reconcile) fn detail(step: &Step) -> Option<String> {
    match step {
        Step::RaiseEpoch { epoch, serving } => {
            let serving: Vec<&str> = serving.iter().map(RegionName::as_str).collect();
            Some(format!("epoch {epoch}: {} serves", serving.join(", ")))
        }
        Step::ShiftTraffic { route } => Some(format!("spec.traffic {route}")),
        Step::Precheck | Step::Fence | Step::AwaitFence | Step::Verify | Step::Settle => None,
    }
}

const fn phase(state: RunState) -> FailoverPhase {
    match state {
        RunState::Planned => FailoverPhase::Planned,
        RunState::Refused => FailoverPhase::Refused,
        RunState::Running => FailoverPhase::Running,
        RunState::Compensating => FailoverPhase::Compensating,
        RunState::Paused => FailoverPhase::Paused,
        RunState::Succeeded => FailoverPhase::Succeeded,
        RunState::Compensated => FailoverPhase::Compensated,
        RunState::Failed => FailoverPhase::Failed,
    }
}

fn conditions(run: &Run, generation: Option<i64>, now: k8s_openapi::jiff::Timestamp) -> Vec<Condition> {
    use ConditionType::{Complete, Failed, Paused, Progressing};
    let good = matches!(run.state, RunState::Succeeded | RunState::Planned);
    let bad = matches!(run.state, RunState::Failed | RunState::Compensated | RunState::Refused);
    let values = [
        (Complete, good),
        (Failed, bad),
        (Paused, run.state == RunState::Paused),
        (Progressing, matches!(run.state, RunState::Running | RunState::Compensating)),
    ];
    let reason = format!("{:?}", run.state);
    let each = values.into_iter();
    each.map(|(kind, value)| condition(kind, Some(value), &reason, message(run), generation, now)).collect()
}

/// Whether a Failover should be looked at by a person once it ended like this.
pub(super) const fn is_alarming(run: &Run) -> bool {
    matches!(run.state, RunState::Paused | RunState::Failed | RunState::Compensated)
        || (matches!(run.state, RunState::Running)
            && matches!(run.plan.change.trigger, Trigger::RegionLost | Trigger::MemberDown))
}

//! Runs of drills as objects of this cluster.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff};
use tracing::warn;

use crate::{
    api::{self, ConditionType, condition},
    domain::{DrillPhase, DrillRun, DrillVerdict, DrilledService, PreCheck, Timestamp},
    ports::{Event, EventKind, NewObject, ObjectRef, StatusUpdate},
    reconcile::{agent::Agent, catalog::Catalog, report::rfc3339},
};

/// Moments that a status shows; all of them stand in the report. An object must stay far below the 1.5 MB that etcd takes.
const TIMELINE_SHOWN: usize = 200;

/// Letters of a note that name services; the way to stop the run must fit, too.
const NAMES_MAX: usize = 600;

impl Agent {
    /// Shows every run that changed since it was shown last, and says what keeps a DrillRun from being taken.
    pub(super) async fn show_drills(&self, catalog: &Catalog) {
        for (_, run) in self.mirror.drills() {
            let key = (run.namespace.to_string(), run.id.to_string());
            match catalog.snapshot.drill_runs.get(&key) {
                Some(object) => self.show_drill_run(&run, object).await,
                None if run.phase == DrillPhase::Over => {}
                None => {
                    let object = NewObject::DrillRun(Box::new(object_of(&run)));
                    if let Err(error) = self.ports.resources.create(object).await {
                        warn!(drill_run = %run.id, %error, "DrillRun not created, trying again");
                    }
                }
            }
        }
        for ((namespace, name), object) in &catalog.snapshot.drill_runs {
            let id = crate::domain::RunId::new(name);
            if object.status.as_ref().is_some_and(|status| status.verdict.is_some())
                || self.mirror.drill(namespace, &id).is_some()
            {
                continue;
            }
            if let Err(why) = self.drill_run_of(namespace, id, object, catalog) {
                let status = not_taken(object, &why, self.now());
                let update = StatusUpdate::DrillRun(namespace.clone(), name.clone(), Box::new(status));
                self.write(update).await;
            }
        }
    }

    async fn show_drill_run(&self, run: &DrillRun, object: &api::DrillRun) {
        let is_shown = |status: &api::DrillRunStatus| {
            status.verdict.is_some() && status.observed_generation == object.metadata.generation
        };
        // Most runs are over and were shown long ago.
        if run.phase == DrillPhase::Over && object.status.as_ref().is_some_and(is_shown) {
            return;
        }
        let before = object.status.clone().unwrap_or_default();
        let status = status(run, &before, object.metadata.generation, self.now());
        if status == before {
            return;
        }
        let waited = matches!(before.phase, None | Some(api::DrillPhase::Announced));
        if run.started_at.is_some() && waited {
            self.tell(start_event(run)).await;
        }
        if status.phase != before.phase {
            self.tell(event(run)).await;
        }
        let key = (run.namespace.to_string(), run.id.to_string());
        self.write(StatusUpdate::DrillRun(key.0, key.1, Box::new(status))).await;
    }
}

fn object_of(run: &DrillRun) -> api::DrillRun {
    let spec = api::DrillRunSpec {
        drill_name: run.drill.to_string(),
        starts_at: Some(rfc3339(run.starts_at)),
        reason: run.reason.clone(),
        requested_by: run.requested_by.clone(),
        abort: false,
    };
    let mut object = api::DrillRun::new(run.id.as_str(), spec);
    object.metadata.namespace = Some(run.namespace.to_string());
    object
}

fn status(
    run: &DrillRun,
    before: &api::DrillRunStatus,
    generation: Option<i64>,
    now: jiff::Timestamp,
) -> api::DrillRunStatus {
    let beyond = run.timeline.len().saturating_sub(TIMELINE_SHOWN);
    let entry =
        |(at, what): &(Timestamp, String)| api::TimelineEntry { at: rfc3339(*at), what: what.clone() };
    api::DrillRunStatus {
        observed_generation: generation,
        phase: Some(phase(run.phase)),
        verdict: run.verdict.map(|(verdict, _)| shown_verdict(verdict)),
        rule: run.verdict.map(|(_, rule)| rule.to_string()),
        starts_at: Some(rfc3339(run.started_at.unwrap_or(run.starts_at))),
        ended_at: run.ended_at.map(rfc3339),
        rto: run.services.iter().filter_map(|drilled| drilled.rto).max().map(millis),
        pre_checks: run.pre_checks.iter().map(pre_check).collect(),
        approved_by: approved_by(run),
        services: run.services.iter().map(|drilled| drilled_service(run, drilled)).collect(),
        timeline: run.timeline.iter().skip(beyond).map(entry).collect(),
        findings: run.findings.clone(),
        report_digest: run.report_digest.clone(),
        message: Some(run.message.clone()),
        conditions: api::merge_conditions(&before.conditions, conditions(run, generation, now)),
    }
}

fn conditions(run: &DrillRun, generation: Option<i64>, now: jiff::Timestamp) -> Vec<Condition> {
    use ConditionType::{Complete, Failed, Progressing};
    let over = run.verdict.map(|(verdict, rule)| (verdict.is_passed(), rule));
    let reason = over.map_or(run.phase.as_str(), |(_, rule)| rule.as_str());
    let one = |kind, value| condition(kind, Some(value), reason, &run.message, generation, now);
    vec![
        one(Complete, over.is_some_and(|(passed, _)| passed)),
        one(Failed, over.is_some_and(|(passed, _)| !passed)),
        one(Progressing, over.is_none()),
    ]
}

fn not_taken(object: &api::DrillRun, why: &str, now: jiff::Timestamp) -> api::DrillRunStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let waiting = condition(ConditionType::Progressing, Some(false), "NotTaken", why, generation, now);
    api::DrillRunStatus {
        observed_generation: generation,
        message: Some(why.to_owned()),
        conditions: api::merge_conditions(&before.conditions, vec![waiting]),
        ..api::DrillRunStatus::default()
    }
}

fn event(run: &DrillRun) -> Event {
    let bad = run.stop.is_some() || run.verdict.is_some_and(|(verdict, _)| !verdict.is_passed());
    let reason = match run.verdict {
        Some((verdict, _)) => format!("Drill{}", verdict.as_str()),
        None => format!("Drill{}", run.phase.as_str()),
    };
    Event {
        object: ObjectRef {
            kind: "DrillRun",
            namespace: run.namespace.to_string(),
            name: run.id.to_string(),
        },
        kind: if bad { EventKind::Warning } else { EventKind::Normal },
        reason,
        action: "Drill".to_owned(),
        note: run.message.clone(),
    }
}

/// The second notice, beside the one at the announcement: what begins, and how it is stopped.
fn start_event(run: &DrillRun) -> Event {
    let names =
        run.services.iter().map(|drilled| drilled.service.name.as_ref()).collect::<Vec<_>>().join(", ");
    let what = match (run.detects, run.live) {
        (true, _) => format!("asks whether a loss would be noticed of: {names}"),
        (false, false) => format!("shows how these would be moved, and moves nothing: {names}"),
        (false, true) => format!("moves real traffic now, and back after {:?}: {names}", run.limits.hold),
    };
    // A note has at most 1 kB.
    let what: String = what.chars().take(NAMES_MAX).collect();
    let stop = r#"--type=merge --patch '{"spec": {"abort": true}}'"#;
    let note = format!("{what}; to stop it: kubectl patch drillrun {} -n {} {stop}", run.id, run.namespace);
    Event { kind: EventKind::Normal, reason: "DrillStarted".to_owned(), note, ..event(run) }
}

fn drilled_service(run: &DrillRun, drilled: &DrilledService) -> api::DrilledService {
    let names = |regions: &std::collections::BTreeSet<crate::domain::RegionName>| {
        regions.iter().map(ToString::to_string).collect()
    };
    api::DrilledService {
        name: drilled.service.name.to_string(),
        state: drilled.state.as_str().to_owned(),
        from: names(&drilled.from),
        to: names(&drilled.to),
        away: drilled.left_at.map(|_| run.away_id(drilled).to_string()),
        back: drilled.returned_at.map(|_| run.back_id(drilled).to_string()),
        rto: drilled.rto.map(millis),
        return_time: drilled.return_time.map(millis),
    }
}

/// Before the start those whose yes was heard; afterwards those whose yes counted.
fn approved_by(run: &DrillRun) -> Vec<String> {
    match run.started_at {
        Some(_) => run.approved_by.keys().cloned().collect(),
        None => run.approved_by_at(run.starts_at).into_keys().collect(),
    }
}

fn pre_check(check: &PreCheck) -> api::PreCheck {
    api::PreCheck {
        name: check.name.clone(),
        service: check.service.as_ref().map(ToString::to_string),
        outcome: check.outcome.as_str().to_owned(),
        message: check.message.clone(),
    }
}

fn millis(time: Duration) -> api::Duration {
    api::Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

const fn phase(phase: DrillPhase) -> api::DrillPhase {
    match phase {
        DrillPhase::Announced => api::DrillPhase::Announced,
        DrillPhase::Leaving => api::DrillPhase::Leaving,
        DrillPhase::Holding => api::DrillPhase::Holding,
        DrillPhase::Returning => api::DrillPhase::Returning,
        DrillPhase::Over => api::DrillPhase::Over,
    }
}

const fn shown_verdict(verdict: DrillVerdict) -> api::DrillVerdict {
    match verdict {
        DrillVerdict::Passed => api::DrillVerdict::Passed,
        DrillVerdict::PassedWithFindings => api::DrillVerdict::PassedWithFindings,
        DrillVerdict::Failed => api::DrillVerdict::Failed,
        DrillVerdict::Aborted => api::DrillVerdict::Aborted,
        DrillVerdict::NotStarted => api::DrillVerdict::NotStarted,
    }
}

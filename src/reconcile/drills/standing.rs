//! Status of drills, calendars and approvals: what comes next, and what does not count.

use std::sync::Arc;

use k8s_openapi::jiff;

use super::{
    bring::instant,
    make::{in_order, selected},
    policy::{too_rare, trouble},
    schedule::moment,
};
use crate::{
    api::{
        self, Approval, ApprovalStatus, Calendar, CalendarStatus, ConditionType, NextRun, SwitchoverDrill,
        SwitchoverDrillStatus, condition,
    },
    domain::{DrillPhase, RunId},
    ports::StatusUpdate,
    reconcile::{
        agent::Agent,
        catalog::Catalog,
        parse::{Parsed, Policies},
    },
    timetable::{self, Timetable},
};

/// Slots that a status shows.
const NEXT_RUNS: usize = 5;

impl Agent {
    /// Shows what is known of drills, calendars and approvals.
    pub(in crate::reconcile) async fn report_drills(&self, catalog: &Catalog) {
        self.measure_drills(catalog);
        for ((namespace, name), drill) in &catalog.snapshot.drills {
            let status = self.drill_status(namespace, name, drill, catalog);
            self.write(StatusUpdate::Drill(namespace.clone(), name.clone(), Box::new(status))).await;
        }
        for (name, calendar) in &catalog.snapshot.calendars {
            let status = calendar_status(calendar, self.now());
            self.write(StatusUpdate::Calendar(name.clone(), status)).await;
        }
        for ((namespace, name), approval) in &catalog.snapshot.approvals {
            let status = self.approval_status(namespace, approval);
            self.write(StatusUpdate::Approval(namespace.clone(), name.clone(), status)).await;
        }
    }

    fn drill_status(
        &self,
        namespace: &str,
        name: &str,
        drill: &SwitchoverDrill,
        catalog: &Catalog,
    ) -> SwitchoverDrillStatus {
        let runs = self.mirror.drills_of(namespace, name);
        let active = runs.iter().find(|(_, run)| run.phase.is_going_on());
        let last = runs.iter().filter(|(_, run)| run.ended_at.is_some()).max_by_key(|(_, run)| run.ended_at);
        let services = in_order(selected(drill, namespace, catalog));
        let timetable = catalog.timetables.get(&(namespace.to_owned(), name.to_owned())).map(AsRef::as_ref);
        let generation = drill.metadata.generation;
        let (ready, reason, text) = readiness(drill, timetable, &services, &catalog.policies, self.now());
        let ready = condition(ConditionType::Ready, Some(ready), reason, text, generation, self.now());
        let before = drill.status.clone().unwrap_or_default();
        let now = moment(self.ports.clock.wall());
        let timetable = timetable.and_then(|parsed| parsed.as_ref().ok()).filter(|_| !drill.spec.suspend);
        let day_only = drill.spec.schedule.as_ref().is_some_and(|s| s.unannounced_within.is_some());
        let shown = |at: jiff::Timestamp| shown(at, drill, day_only);
        SwitchoverDrillStatus {
            observed_generation: generation,
            next: timetable.as_ref().and_then(|table| table.next_free(now)).map(|slot| shown(slot.at)),
            next_runs: timetable
                .iter()
                .flat_map(|table| table.upcoming(now, NEXT_RUNS))
                .map(|slot| NextRun {
                    at: shown(slot.at),
                    blocked_by: slot.blocked_by.map(|blocked| blocked.to_string()),
                })
                .collect(),
            active: active.map(|(_, run)| run.id.to_string()),
            last_run: last.map(|(_, run)| run.id.to_string()),
            last_verdict: last
                .and_then(|(_, run)| run.verdict)
                .map(|(verdict, _)| verdict.as_str().to_owned()),
            services: services.iter().map(|parsed| parsed.service.key.name.to_string()).collect(),
            conditions: api::merge_conditions(&before.conditions, vec![ready]),
        }
    }

    fn approval_status(&self, namespace: &str, approval: &Approval) -> ApprovalStatus {
        let generation = approval.metadata.generation;
        let (counts, reason, text) = self.counts(namespace, approval);
        let ready = condition(ConditionType::Ready, Some(counts), reason, text, generation, self.now());
        let before = approval.status.clone().unwrap_or_default();
        ApprovalStatus { conditions: api::merge_conditions(&before.conditions, vec![ready]) }
    }

    fn counts(&self, namespace: &str, approval: &Approval) -> (bool, &'static str, String) {
        let spec = &approval.spec;
        let name = &spec.drill_run_name;
        let Some((_, run)) = self.mirror.drill(namespace, &RunId::new(name)) else {
            return (false, "UnknownDrillRun", format!("there is no DrillRun {name} in this namespace"));
        };
        let until = spec.expires_at.as_deref().map(instant);
        let expired =
            until.flatten().is_some_and(|until| run.started_at.is_none() && until <= self.ports.clock.wall());
        match until {
            Some(None) => {
                let text = "expiresAt is no time: write it like 2027-03-02T10:00:00+09:00, in a new Approval";
                (false, "UnreadableTime", text.to_owned())
            }
            _ if run.requested_by.as_ref() == Some(&spec.approver) => {
                (false, "OwnRequest", "who asked for a run cannot approve it: ask somebody else".to_owned())
            }
            _ if run.phase == DrillPhase::Over => (false, "TooLate", format!("DrillRun {name} is over")),
            _ if run.started_at.is_some() && !run.approved_by.contains_key(&spec.approver) => {
                (false, "TooLate", format!("DrillRun {name} had started before this was read"))
            }
            _ if expired => (false, "Expired", "it has expired: create another one".to_owned()),
            _ => (true, "Counts", format!("counts for DrillRun {name}")),
        }
    }
}

fn readiness(
    drill: &SwitchoverDrill,
    timetable: Option<&Result<Timetable, Vec<timetable::Violation>>>,
    services: &[Arc<Parsed>],
    policies: &Policies,
    now: jiff::Timestamp,
) -> (bool, &'static str, String) {
    if let Some(Err(wrong)) = timetable {
        let all: Vec<String> =
            wrong.iter().map(|wrong| format!("{}: {}", wrong.path, wrong.message)).collect();
        return (false, "InvalidSchedule", all.join("; "));
    }
    if let Some(Ok(table)) = timetable
        && let Err(wrong) = table.prospect(now)
    {
        return (false, "NeverRuns", format!("{}: {}", wrong.path, wrong.message));
    }
    if services.is_empty() {
        let text = "spec.services selects no SharedService of this namespace: compare names and labels";
        return (false, "NothingSelected", text.to_owned());
    }
    if let Some((reason, text)) = trouble(drill, services, policies) {
        return (false, reason, text);
    }
    if let (false, Some(Ok(table))) = (drill.spec.suspend, timetable)
        && let Some(text) = too_rare(drill, table, services, policies, now)
    {
        return (true, "TooRare", format!("works, but runs too rarely for its grade: {text}"));
    }
    match (drill.spec.suspend, timetable) {
        (true, _) => (true, "Suspended", "no run is made while spec.suspend is true".to_owned()),
        (false, None) => (true, "ByHand", "runs when somebody creates a DrillRun".to_owned()),
        (false, Some(_)) => {
            (true, "Scheduled", format!("{} services are drilled by schedule", services.len()))
        }
    }
}

/// In the zone of the schedule; the day alone where the moment is nobody's business.
fn shown(at: jiff::Timestamp, drill: &SwitchoverDrill, day_only: bool) -> String {
    let zone = drill.spec.schedule.as_ref().map_or("UTC", |schedule| schedule.time_zone.as_str());
    let zoned = at.in_tz(zone).unwrap_or_else(|_| at.to_zoned(jiff::tz::TimeZone::UTC));
    zoned.strftime(if day_only { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M:%S%:z" }).to_string()
}

fn calendar_status(calendar: &Calendar, now: jiff::Timestamp) -> CalendarStatus {
    let generation = calendar.metadata.generation;
    let parsed = timetable::Calendar::parse(calendar);
    let (ready, reason, text) = match &parsed {
        Ok(_) => (true, "Understood", format!("{} spans are blocked", calendar.spec.blocked.len())),
        Err(wrong) => {
            let all: Vec<String> =
                wrong.iter().map(|wrong| format!("{}: {}", wrong.path, wrong.message)).collect();
            (false, "Invalid", all.join("; "))
        }
    };
    let before = calendar.status.clone().unwrap_or_default();
    let ready = condition(ConditionType::Ready, Some(ready), reason, text, generation, now);
    CalendarStatus {
        observed_generation: generation,
        blocked_by: parsed.as_ref().ok().and_then(|parsed| parsed.closed_at(now)).map(|closure| closure.span),
        next: parsed
            .ok()
            .and_then(|parsed| parsed.next_closure(now))
            .map(|c| format!("{} from {}", c.span, c.from)),
        conditions: api::merge_conditions(&before.conditions, vec![ready]),
    }
}

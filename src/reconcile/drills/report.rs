//! What the report of a run says, from what the ledger and the objects say of it, and this place's vantage. Pure.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use crate::{
    api,
    domain::{
        DrillRule, DrillRun, DrillVerdict, DrilledService, DrilledState, RegionName, RuleOutcome, Run, RunId,
        ServiceKey, StepRecord, StepState, StopCause, Timestamp,
    },
    reconcile::catalog::Catalog,
    report::{
        Approver, Bucket, CanonicalError, CheckOutcome, Clocks, Deviation, DeviationKind, DrillReport,
        Finding, FollowUp, Guardrail, Identity, Integrity, Kind, Moment, Move, Notice, Objective, Outcome,
        People, PreCheck, PreviousDrill, Rto, Schema, Scope, ServiceResult, Severity, Task, Verdict,
        fingerprint,
    },
};

/// Whose clock and which program a report names.
const TOOL: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BONGSU_COMMIT"), ")");

/// Annotation of a SwitchoverDrill: who sees to what its runs leave to be done.
const OWNER: &str = "bongsu.io/owner";

/// What a report is made of.
pub(super) struct Sources<'a> {
    pub run: &'a DrillRun,
    pub catalog: &'a Catalog,
    /// The Failovers of the run, as far as the ledger has them.
    pub moves: BTreeMap<RunId, Arc<Run>>,
    /// What this place's vantage saw of the services during the run.
    pub samples: BTreeMap<ServiceKey, Vec<Bucket>>,
    /// The run of the same drill whose report was sealed last.
    pub previous: Option<Arc<DrillRun>>,
    /// Until when the grade of a service wanted a drill.
    pub due_by: Option<Timestamp>,
    /// The next start of the drill that nothing blocks.
    pub next: Option<Timestamp>,
    /// Where the leader runs, whose clock it is.
    pub region: &'a RegionName,
    pub now: Timestamp,
}

impl Sources<'_> {
    /// The report.
    ///
    /// # Errors
    /// A number that has no canonical form.
    pub fn report(&self) -> Result<DrillReport, CanonicalError> {
        let run = self.run;
        let previous = self.previous.as_ref();
        Ok(DrillReport {
            schema: Schema::V1,
            identity: self.identity()?,
            scope: self.scope(),
            people: People {
                requested_by: run.requested_by.clone(),
                approvals_required: run.limits.approvals,
                approvers: run
                    .approved_by
                    .iter()
                    .map(|(name, at)| Approver { name: name.clone(), at: Some(at.0) })
                    .collect(),
            },
            pre_checks: run.pre_checks.iter().map(pre_check).collect(),
            notice: Notice { announced_at: (!self.is_unannounced()).then_some(run.announced_at.0) },
            timeline: run.timeline.iter().map(|(at, what)| self.moment(*at, what)).collect(),
            services: run.services.iter().map(|drilled| self.service(drilled)).collect(),
            guardrails: guardrails(run),
            deviations: run.services.iter().flat_map(|drilled| self.deviations(drilled)).collect(),
            findings: findings(run),
            verdict: Verdict {
                outcome: run.verdict.map_or(Outcome::NotStarted, |(verdict, _)| outcome(verdict)),
                rule: run.verdict.map(|(_, rule)| rule.to_string()).unwrap_or_default(),
                message: run.message.clone(),
            },
            follow_ups: self.follow_ups(),
            integrity: Integrity {
                previous_digest: previous.and_then(|run| run.report_digest.clone()),
                sealed_at: self.now.0,
                tool_version: TOOL.to_owned(),
                clock_source: format!("the leader in {}", self.region),
            },
        })
    }

    /// What the verdict and each finding ask for, of whom, and until when: the next run of the drill must not meet it again,
    /// and what is still away is not to wait for that.
    fn follow_ups(&self) -> Vec<FollowUp> {
        let run = self.run;
        let follow_up = |task: Task, service: Option<String>, finding: Option<String>| FollowUp {
            task,
            service,
            finding,
            owner: self.owner(),
            due: match task {
                Task::BringBack => Some(run.ended_at.unwrap_or(self.now).0),
                Task::DrillAgain => self.due_by.or(self.next).map(|due| due.0),
                _ => self.next.map(|next| next.0),
            },
        };
        let kept = run.services.iter().filter(|drilled| drilled.state == DrilledState::Kept);
        let kept =
            kept.map(|drilled| follow_up(Task::BringBack, Some(drilled.service.name.to_string()), None));
        let (_, rule) = run.verdict.unwrap_or((DrillVerdict::NotStarted, DrillRule::NothingToMove));
        let of_rule = tasks(rule).iter().map(|task| follow_up(*task, None, None));
        let found = findings(run).into_iter();
        let of_findings =
            found.map(|finding| follow_up(Task::FindCause, finding.service.clone(), Some(finding.id)));
        kept.chain(of_rule).chain(of_findings).collect()
    }

    /// Whoever the drill names as its owner, or who asked for the run.
    fn owner(&self) -> Option<String> {
        let annotations = self.drill().and_then(|drill| drill.metadata.annotations.as_ref());
        let owner = annotations.and_then(|annotations| annotations.get(OWNER).cloned());
        owner.or_else(|| self.run.requested_by.clone())
    }

    fn drill(&self) -> Option<&Arc<api::SwitchoverDrill>> {
        let key = (self.run.namespace.to_string(), self.run.drill.to_string());
        self.catalog.snapshot.drills.get(&key)
    }

    fn schedule(&self) -> Option<&api::DrillSchedule> {
        self.drill()?.spec.schedule.as_ref()
    }

    /// Nobody was told when: only a schedule can do that.
    fn is_unannounced(&self) -> bool {
        let drawn = self.schedule().is_some_and(|schedule| schedule.unannounced_within.is_some());
        drawn && self.run.slot.is_some()
    }

    fn identity(&self) -> Result<Identity, CanonicalError> {
        let run = self.run;
        let ended_at = run.ended_at.unwrap_or(self.now);
        let plans: Vec<_> = self.moves.values().map(|moved| &moved.plan).collect();
        Ok(Identity {
            number: number(run),
            drill: format!("{}/{}", run.namespace, run.drill),
            system: self.system(),
            kind: match (run.live, self.is_unannounced()) {
                (false, _) if run.detects => Kind::Detection,
                (false, _) => Kind::DryRun,
                (true, false) => Kind::Live,
                (true, true) => Kind::Unannounced,
            },
            plan_hash: fingerprint(
                &json!({ "drill": self.drill().map(|drill| &drill.spec), "plans": plans }),
            )?,
            time_zone: self
                .schedule()
                .map_or_else(|| "UTC".to_owned(), |schedule| schedule.time_zone.clone()),
            started_at: run.started_at.map(|at| at.0),
            ended_at: ended_at.0,
            previous: self.previous.as_ref().and_then(|run| {
                let (verdict, _) = run.verdict?;
                Some(PreviousDrill {
                    number: number(run),
                    ended_at: run.ended_at?.0,
                    outcome: outcome(verdict),
                })
            }),
            due_by: self.due_by.map(|due| due.0),
            overdue: self.due_by.is_some_and(|due| ended_at > due),
        })
    }

    /// The group of its services, if all are of one.
    fn system(&self) -> Option<String> {
        let mut groups = self.run.services.iter().map(|drilled| {
            self.catalog.parsed(&drilled.service).and_then(|parsed| parsed.service.part_of.clone())
        });
        let first = groups.next().flatten()?;
        groups.all(|group| group.as_ref() == Some(&first)).then(|| first.to_string())
    }

    fn scope(&self) -> Scope {
        let services = &self.run.services;
        let objective = |drilled: &DrilledService| {
            let rto_target = millis(drilled.rto_target?);
            Some(Objective { service: drilled.service.name.to_string(), rto_target })
        };
        let mut regions: Vec<String> = services
            .iter()
            .filter_map(|drilled| self.catalog.parsed(&drilled.service))
            .flat_map(|parsed| parsed.service.members.keys().map(ToString::to_string))
            .collect();
        regions.sort_unstable();
        regions.dedup();
        Scope {
            scenario: self.run.reason.clone(),
            objectives: services.iter().filter_map(objective).collect(),
            regions,
            hold: Some(millis(self.run.limits.hold)),
        }
    }

    /// What the timeline says of a service begins with its name.
    fn moment(&self, at: Timestamp, what: &str) -> Moment {
        let first = what.split([' ', ':']).next().unwrap_or_default();
        let service = self.run.services.iter().find(|drilled| &*drilled.service.name == first);
        Moment {
            at: at.0,
            what: what.to_owned(),
            service: service.map(|drilled| drilled.service.name.to_string()),
        }
    }

    fn service(&self, drilled: &DrilledService) -> ServiceResult {
        let away = drilled.left_at.map(|_| self.run.away_id(drilled));
        let back = drilled.returned_at.map(|_| self.run.back_id(drilled));
        let plan = away.as_ref().and_then(|id| self.moves.get(id)).map(|moved| &moved.plan);
        let grade = self.catalog.parsed(&drilled.service).map(|parsed| parsed.service.grade);
        ServiceResult {
            name: drilled.service.name.to_string(),
            title: None,
            grade,
            from: drilled.from.iter().map(ToString::to_string).collect(),
            to: drilled.to.iter().map(ToString::to_string).collect(),
            away: away.as_ref().map(|id| self.moved(id)),
            back: back.as_ref().map(|id| self.moved(id)),
            rto: Rto {
                target: drilled.rto_target.map(millis),
                predicted: plan.map(|plan| millis(plan.predicted_rto())),
                real: drilled.rto.map(millis),
            },
            return_time: drilled.return_time.map(millis),
            samples: self.samples.get(&drilled.service).cloned().unwrap_or_default(),
        }
    }

    fn moved(&self, id: &RunId) -> Move {
        let times = self.moves.get(id).map(|moved| moved.times).unwrap_or_default();
        let at = |time: Option<Timestamp>| time.map(|time| time.0);
        let clocks = Clocks {
            fault: at(times.fault),
            detected: at(times.detected),
            decided: at(times.decided),
            fenced: at(times.fenced),
            promoted: at(times.promoted),
            shifted: at(times.shifted),
            verified: at(times.verified),
            settled: at(times.settled),
        };
        Move { failover: id.to_string(), clocks }
    }

    fn deviations(&self, drilled: &DrilledService) -> Vec<Deviation> {
        let moved = moves_of(self.run, drilled);
        let found = moved.iter().filter_map(|id| self.moves.get(id)).flat_map(|moved| {
            let planned = moved.plan.steps.len();
            moved
                .journal
                .iter()
                .enumerate()
                .filter_map(move |(index, step)| deviation(step, index >= planned))
        });
        let name = Some(drilled.service.name.to_string());
        found.map(|deviation| Deviation { service: name.clone(), ..deviation }).collect()
    }
}

/// Names of all Failovers that a run ordered for a service.
pub(super) fn moves_of(run: &DrillRun, drilled: &DrilledService) -> Vec<RunId> {
    let away = drilled.left_at.map(|_| run.away_id(drilled));
    let back =
        (1..=drilled.returns).map(|returns| run.back_id(&DrilledService { returns, ..drilled.clone() }));
    away.into_iter().chain(back).collect()
}

/// What the rule of a verdict asks for.
const fn tasks(rule: DrillRule) -> &'static [Task] {
    match rule {
        DrillRule::AllLimitsKept | DrillRule::FindingsOpen => &[],
        DrillRule::ApprovalsMissing => &[Task::GetApprovals, Task::DrillAgain],
        DrillRule::PreCheckBlocked => &[Task::Unblock, Task::DrillAgain],
        DrillRule::NothingToMove | DrillRule::AnotherRun => &[Task::CorrectDrill, Task::DrillAgain],
        DrillRule::AbortedBeforeStart | DrillRule::AbortedByPerson | DrillRule::RealIncident => {
            &[Task::DrillAgain]
        }
        DrillRule::OverTime => &[Task::ShortenDrill, Task::DrillAgain],
        DrillRule::RtoMissed => &[Task::ShortenMove, Task::DrillAgain],
        DrillRule::ReturnFailed
        | DrillRule::GuardrailTripped
        | DrillRule::MoveFailed
        | DrillRule::LossUnnoticed => &[Task::FindCause, Task::DrillAgain],
    }
}

fn number(run: &DrillRun) -> String {
    format!("{}/{}", run.namespace, run.id)
}

fn deviation(record: &StepRecord, undoes: bool) -> Option<Deviation> {
    let kind = match record.state {
        StepState::Done if undoes => DeviationKind::Undone,
        StepState::Done if record.attempts > 1 => DeviationKind::Retried,
        StepState::Skipped => DeviationKind::Skipped,
        StepState::Failed => DeviationKind::Failed,
        StepState::Done | StepState::Pending | StepState::Running => return None,
    };
    Some(Deviation {
        kind,
        service: None,
        step: record.step.kind().as_str().to_owned(),
        attempts: record.attempts,
        message: record.message.clone().unwrap_or_default(),
    })
}

fn guardrails(run: &DrillRun) -> Vec<Guardrail> {
    let unwell = if run.limits.degraded { "is down, or shows an early sign of it" } else { "is down" };
    let mut limits = vec![(StopCause::Guardrail, "Health".to_owned(), format!("what serves {unwell}"))];
    if let Some(samples) = &run.limits.samples {
        limits.push((StopCause::Guardrail, "Samples".to_owned(), samples.to_string()));
    }
    for condition in run.conditions.iter().filter(|condition| condition.guards) {
        let limit = format!("{} {}", condition.query, condition.limits());
        limits.push((StopCause::Guardrail, condition.check_name(), limit));
    }
    let incident = "something breaks that the drill did not touch".to_owned();
    limits.push((StopCause::Incident, "RealIncident".to_owned(), incident));
    let too_long = format!("it takes longer than {:?}", run.limits.max_duration);
    limits.push((StopCause::OverTime, "MaxDuration".to_owned(), too_long));
    let guardrail = |(cause, name, limit): (StopCause, String, String)| {
        let stop = run.stop.as_ref().filter(|stop| stop.cause == cause);
        let stop = stop.filter(|stop| stop.guardrail.as_ref().is_none_or(|tripped| *tripped == name));
        Guardrail {
            name,
            limit,
            tripped_at: stop.map(|stop| stop.at.0),
            message: stop.map(|stop| stop.message.clone()),
        }
    };
    limits.into_iter().map(guardrail).collect()
}

fn findings(run: &DrillRun) -> Vec<Finding> {
    let failed = run.verdict.is_some_and(|(verdict, _)| !verdict.is_passed());
    let severity = if failed { Severity::High } else { Severity::Medium };
    let finding = |(index, text): (usize, &String)| Finding {
        id: format!("F{}", index + 1),
        severity,
        service: None,
        text: text.clone(),
    };
    run.findings.iter().enumerate().map(finding).collect()
}

fn pre_check(check: &crate::domain::PreCheck) -> PreCheck {
    PreCheck {
        name: check.name.clone(),
        service: check.service.as_ref().map(ToString::to_string),
        outcome: match check.outcome {
            RuleOutcome::Pass => CheckOutcome::Pass,
            RuleOutcome::Block => CheckOutcome::Block,
            RuleOutcome::Recommend => CheckOutcome::Recommend,
            RuleOutcome::NotApplicable => CheckOutcome::NotApplicable,
        },
        message: check.message.clone(),
    }
}

const fn outcome(verdict: DrillVerdict) -> Outcome {
    match verdict {
        DrillVerdict::Passed => Outcome::Passed,
        DrillVerdict::PassedWithFindings => Outcome::PassedWithFindings,
        DrillVerdict::Failed => Outcome::Failed,
        DrillVerdict::Aborted => Outcome::Aborted,
        DrillVerdict::NotStarted => Outcome::NotStarted,
    }
}

fn millis(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

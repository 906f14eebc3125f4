//! Status of a SharedService.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::jiff::Timestamp;

use super::{conditions, readiness};
use crate::{
    api::{
        self, FenceStatus, MemberDiagnosis, MemberStatus, NextMove, RuleStatus, SharedService,
        SharedServiceStatus, TrafficStatus, VantageStatus,
    },
    domain::{
        Action, Decision, Diagnosis, Evaluation, Fence, MemberHealth, MemberView, Observation, RegionName,
        Rule, RunState, Sighting, Topology, VantageView, Why, Workload, WriterLease, decide, diagnose,
        predict, readiness, suppose_lost,
    },
    observability::NextMoveOutcome,
    reconcile::{
        agent::Agent,
        book::VerdictEntry,
        catalog::Catalog,
        parse::{Parsed, Violation},
    },
};

impl Agent {
    /// `before`: what was reported last.
    pub(in crate::reconcile) fn service_status(
        &self,
        parsed: &Parsed,
        catalog: &Catalog,
        before: &SharedServiceStatus,
    ) -> SharedServiceStatus {
        let key = &parsed.service.key;
        let seen = self.observe(parsed, catalog);
        let decision = decide(&seen);
        let next = next_move(&seen, &decision);
        let prediction = predict(&parsed.service, &seen.timings);
        let run = self.mirror.active_run(key).map(|(_, run)| run);
        let health = service_health(&seen);
        let traffic = self.traffic_status(parsed);
        let members = self.members(&seen);
        let readiness = readiness(&seen, &self.surroundings(parsed, catalog, &members, &traffic));
        let mut status = SharedServiceStatus {
            observed_generation: parsed.generation,
            epoch: seen.record.as_ref().map(|record| i64::try_from(record.epoch.0).unwrap_or(i64::MAX)),
            serving: seen.record.iter().flat_map(|r| &r.serving).map(ToString::to_string).collect(),
            health: Some(health.to_string()),
            members,
            predicted_rto: Some(seconds(prediction.total())),
            rules: self.told_rules(&seen, &decision).iter().map(rule).collect(),
            run: run.as_ref().map(|run| run.id.to_string()),
            last_passed_drill: self.passed_drills(key),
            readiness: readiness.as_ref().map(readiness::shown),
            fence: fence(&seen),
            traffic,
            next_move: next,
            conditions: Vec::new(),
        };
        let told = conditions::Told {
            parsed,
            catalog,
            seen: &seen,
            run: run.as_deref(),
            prediction: &prediction,
            readiness: readiness.as_ref(),
            health,
            unready: self.broken_checks(key),
            unreadable: self.mirror.unreadable_record(key),
            now: self.now(),
        };
        status.conditions = api::merge_conditions(&before.conditions, conditions::of_service(&told, &status));
        self.measure(&seen, &status, health);
        self.measure_readiness(&seen, readiness.as_ref());
        let paused = run.is_some_and(|run| run.state == RunState::Paused);
        self.ports.metrics.set_failover_paused(key, paused);
        status
    }

    fn members(&self, seen: &Observation) -> Vec<MemberStatus> {
        self.mirror.with_verdicts(|said| members(seen, &said.of(&seen.service.key, &seen.vantages)))
    }

    /// A service that the ledger does not know yet is decided on with what its name servers answered; the last such
    /// decision is shown.
    fn told_rules(&self, seen: &Observation, decision: &Decision) -> Vec<Evaluation> {
        let shared = self.shared();
        let earlier = shared.unestablished.get(&seen.service.key).filter(|_| seen.record.is_none());
        earlier.cloned().unwrap_or_else(|| decision.rules.clone())
    }

    fn traffic_status(&self, parsed: &Parsed) -> Vec<TrafficStatus> {
        let shared = self.shared();
        let seen = shared.routes.get(&parsed.service.key);
        let routes = parsed.service.routes.iter();
        routes
            .map(|name| {
                let seen = seen.and_then(|routes| routes.get(name)).cloned().unwrap_or_default();
                let addresses: BTreeSet<String> =
                    seen.servers.iter().flat_map(|s| &s.addresses).map(ToString::to_string).collect();
                TrafficStatus {
                    name: name.to_string(),
                    epoch: seen
                        .servers
                        .iter()
                        .filter_map(|s| s.epoch)
                        .max()
                        .and_then(|e| i64::try_from(e.0).ok()),
                    addresses: addresses.into_iter().collect(),
                    message: (!seen.behind.is_empty()).then(|| seen.behind.join("; ")),
                    behind: seen.behind,
                }
            })
            .collect()
    }

    /// Checks that cannot be run at all, with the reason: such a member is unknown.
    fn broken_checks(&self, key: &crate::domain::ServiceKey) -> Vec<String> {
        self.vantage.broken(key)
    }

    fn measure(&self, seen: &Observation, status: &SharedServiceStatus, health: MemberHealth) {
        let (metrics, key) = (&self.ports.metrics, &seen.service.key);
        metrics.set_service_health(key, health);
        if let Some(record) = &seen.record {
            metrics.set_epoch(key, record.epoch);
            for member in &seen.members {
                metrics.set_serving(key, &member.region, record.serving.contains(&member.region));
            }
        }
        let outcome = status.next_move.as_ref().map(|next| match next.outcome.as_str() {
            READY => NextMoveOutcome::Ready,
            RECOMMEND => NextMoveOutcome::Recommend,
            _ => NextMoveOutcome::Blocked,
        });
        if let Some(outcome) = outcome {
            metrics.set_next_move(key, outcome);
        }
        for condition in &status.conditions {
            let known = conditions::OF_SERVICE.iter().find(|kind| kind.as_str() == condition.type_);
            let value = match condition.status.as_str() {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            };
            if let Some(kind) = known {
                metrics.set_service_condition(key, kind.as_str(), value);
            }
        }
    }
}

/// How sure it is that two regions never write at the same time; `None`: all members write.
fn fence(seen: &Observation) -> Option<FenceStatus> {
    if seen.service.topology == Topology::ActiveActive {
        return None;
    }
    let gate = match &seen.service.fence {
        Some(Fence::Workload(workload)) => return Some(fence_of(workload, seen)),
        Some(Fence::Gate(gate)) => Some(gate),
        None => None,
    };
    let (strength, message) = match (gate, &seen.writer) {
        (None, _) => (NONE, "the spec has no fence: nothing stops who serves now from writing on".to_owned()),
        (Some(_), WriterLease::NeverSeen) => (NONE, Why::GateNeverSeen.to_string()),
        (Some(_), WriterLease::Free) => (
            NONE,
            "nobody holds the writer's lease, so nobody writes: start bongsu gate where it serves".to_owned(),
        ),
        (Some(gate), WriterLease::Held(_)) => {
            let ttl = gate.lease_ttl;
            (
                ENFORCED,
                format!(
                    "a gate holds the writer's lease: the writer stops within {ttl:?} of whatever it loses"
                ),
            )
        }
        (Some(gate), WriterLease::Promised(_)) => {
            let ttl = gate.lease_ttl;
            let message = format!(
                "the gate does not reach the ledger, and the writer goes on because this region promised not to let its lease end; a \
                 move waits for at most {ttl:?}: look at the ledger"
            );
            (ENFORCED, message)
        }
    };
    let holder = match &seen.writer {
        WriterLease::Held(holder) | WriterLease::Promised(holder) => Some(holder.to_string()),
        WriterLease::NeverSeen | WriterLease::Free => None,
    };
    let promised = matches!(seen.writer, WriterLease::Promised(_));
    Some(FenceStatus { strength: strength.to_owned(), holder, promised, message })
}

/// That of a workload holds as long as whoever would read it back answers.
fn fence_of(workload: &Workload, seen: &Observation) -> FenceStatus {
    let (strength, message) = match seen.unconfirmed() {
        Some(region) => (NONE, Why::NobodyConfirms(region.clone()).to_string()),
        None => {
            let within = workload.stop_within;
            let text = format!(
                "{workload} runs only where the service is served: a move waits until its last pod has ended, for {within:?} at \
                 most; if its region is lost, a person has to say that it has stopped"
            );
            (CONFIRMED, text)
        }
    };
    FenceStatus { strength: strength.to_owned(), message, ..FenceStatus::default() }
}

/// Strengths of a fence.
pub(super) const ENFORCED: &str = "Enforced";
pub(super) const CONFIRMED: &str = "Confirmed";
const NONE: &str = "None";

/// `said`: what each vantage says, in the order of the vantages.
fn members(seen: &Observation, said: &[Option<&VerdictEntry>]) -> Vec<MemberStatus> {
    let diagnoses =
        diagnose(seen.members.iter().map(|member| (&member.region, sightings(seen, member, said))));
    let serving = |region: &RegionName| seen.record.as_ref().is_some_and(|r| r.serving.contains(region));
    let member = |member: &MemberView| {
        let refusal = seen.target(member).err();
        MemberStatus {
            region: member.region.to_string(),
            serving: serving(&member.region),
            health: seen.health(member).to_string(),
            target: refusal.is_none(),
            reason: refusal.map(|refusal| refusal.to_string()),
            diagnosis: diagnoses.get(&member.region).map(diagnosis),
            vantages: vantages(seen, member, said),
        }
    };
    seen.members.iter().map(member).collect()
}

fn diagnosis(found: &Diagnosis) -> MemberDiagnosis {
    MemberDiagnosis {
        pattern: found.pattern.as_str().to_owned(),
        stage: found.symptom.stage.as_str().to_owned(),
        message: found.to_string(),
    }
}

/// What the vantages whose word counts see of a member.
fn sightings(seen: &Observation, member: &MemberView, said: &[Option<&VerdictEntry>]) -> Vec<Sighting> {
    let each = seen.vantages.iter().zip(&member.reports).zip(said);
    let trusted = each.filter(|((vantage, _), _)| vantage.trusted());
    trusted
        .map(|((vantage, report), entry)| Sighting {
            vantage: vantage.region.clone(),
            verdict: report.verdict,
            symptom: entry.and_then(|entry| entry.members.get(&member.region)?.symptom),
        })
        .collect()
}

fn vantages(seen: &Observation, member: &MemberView, said: &[Option<&VerdictEntry>]) -> Vec<VantageStatus> {
    let reason = |vantage: &VantageView, entry: &Option<&VerdictEntry>| match (vantage.alive, vantage.suspect)
    {
        (false, _) => Some("its lease is not renewed".to_owned()),
        (true, true) => Some("suspect: sees several regions turn bad at once".to_owned()),
        (true, false) => {
            let said = entry.and_then(|entry| entry.members.get(&member.region));
            said.map(|said| said.reason.clone()).filter(|reason| !reason.is_empty())
        }
    };
    let each = seen.vantages.iter().zip(&member.reports).zip(said);
    each.map(|((vantage, report), entry)| VantageStatus {
        vantage: vantage.region.to_string(),
        verdict: report.verdict.as_str().to_owned(),
        reason: reason(vantage, entry),
    })
    .collect()
}

pub(in crate::reconcile) const READY: &str = "Ready";
pub(in crate::reconcile) const RECOMMEND: &str = "Recommend";
pub(in crate::reconcile) const BLOCKED: &str = "Blocked";

/// Whole seconds, rounded up: shown to people, and does not change with every measured millisecond.
fn seconds(time: Duration) -> api::Duration {
    api::Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

pub(in crate::reconcile) fn rule(evaluation: &Evaluation) -> RuleStatus {
    RuleStatus {
        rule: evaluation.rule.as_str().to_owned(),
        outcome: evaluation.outcome.as_str().to_owned(),
        message: evaluation.why.to_string(),
    }
}

/// Health of what serves: as good as its best member while any serves, for then citizens get through; `Degraded` if
/// another one does not.
fn service_health(seen: &Observation) -> MemberHealth {
    let serving = seen.record.iter().flat_map(|record| &record.serving);
    let all: Vec<MemberHealth> = serving.map(|region| seen.health_in(region)).collect();
    match (all.iter().min(), all.iter().max()) {
        (Some(MemberHealth::Healthy), Some(MemberHealth::Down)) => MemberHealth::Degraded,
        (Some(best), _) => *best,
        (None, _) => MemberHealth::Unknown,
    }
}

/// What would happen if a serving region were lost now, or what happens because one is.
fn next_move(seen: &Observation, decision: &Decision) -> Option<NextMove> {
    let record = seen.record.as_ref()?;
    let down =
        |region: &&RegionName| seen.member(region).is_some_and(|m| seen.health(m) == MemberHealth::Down);
    let real = record.serving.iter().find(down);
    let from = real.or_else(|| record.serving.iter().next())?;
    let (decision, intro) = match real {
        Some(_) => (decision.clone(), format!("{from} is down")),
        None => (decide(&suppose_lost(seen, from, seen.wall)), format!("if {from} were lost now")),
    };
    let to: Vec<String> =
        decision.wanted.iter().flat_map(|change| &change.to).map(ToString::to_string).collect();
    // The run that answers the loss is going on already: that is progress and no obstacle.
    let blockers: Vec<&Evaluation> = decision.blockers().filter(|e| e.rule != Rule::NoOtherRun).collect();
    let moving = record.run.is_some() && blockers.is_empty() && decision.wanted.is_some();
    Some(NextMove {
        outcome: match decision.action {
            Action::Hold if moving => READY,
            Action::Hold => BLOCKED,
            Action::Recommend(_) => RECOMMEND,
            Action::Start(_) => READY,
        }
        .to_owned(),
        message: format!("{intro}, {}", would(&decision.action, &to.join(", "), &blockers, moving)),
        blocked_by: blockers.iter().map(|e| e.rule.as_str().to_owned()).collect(),
        from: from.to_string(),
        to,
    })
}

fn would(action: &Action, to: &str, blockers: &[&Evaluation], moving: bool) -> String {
    let reasons: Vec<String> = blockers.iter().map(|e| format!("{} ({})", e.why, e.rule.as_str())).collect();
    let reasons = reasons.join("; ");
    match action {
        Action::Hold if moving => "and a Failover is going on".to_owned(),
        Action::Hold if reasons.is_empty() => {
            "others would serve on and nothing would have to move".to_owned()
        }
        Action::Hold => format!("nothing would be moved: {reasons}"),
        Action::Recommend(_) => format!("a person would have to create a Failover to {to}: {reasons}"),
        Action::Start(plan) => format!("{to} would serve within {:?}", plan.predicted_rto()),
    }
}

/// Status of a service that cannot be understood: who serves stays as it is, and nothing is known to be well.
pub(super) fn invalid(
    object: &SharedService,
    before: &SharedServiceStatus,
    violations: &[Violation],
    now: Timestamp,
) -> SharedServiceStatus {
    let conditions = conditions::of_invalid(violations, object.metadata.generation, now);
    SharedServiceStatus {
        observed_generation: object.metadata.generation,
        next_move: None,
        readiness: None,
        rules: Vec::new(),
        conditions: api::merge_conditions(&before.conditions, conditions),
        ..before.clone()
    }
}

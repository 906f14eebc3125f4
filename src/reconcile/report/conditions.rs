//! Conditions of a SharedService.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};

use super::{
    readiness,
    service::{CONFIRMED, ENFORCED, READY, RECOMMEND},
};
use crate::{
    api::{ConditionType, SharedServiceStatus, condition},
    domain::{Agreement, Fence, MemberHealth, Observation, Prediction, Readiness, Run, RunState, SpecWord},
    reconcile::{
        catalog::Catalog,
        parse::{Parsed, Violation},
    },
};

/// Every condition type of a SharedService.
pub(super) const OF_SERVICE: [ConditionType; 10] = [
    ConditionType::Accepted,
    ConditionType::FailoverReady,
    ConditionType::ObjectivesFeasible,
    ConditionType::Ready,
    ConditionType::ReadyToSwitch,
    ConditionType::Reconciling,
    ConditionType::SpecInSync,
    ConditionType::Stalled,
    ConditionType::TrafficInSync,
    ConditionType::WriterFenced,
];

/// What the conditions are made from.
pub(super) struct Told<'a> {
    pub parsed: &'a Parsed,
    pub catalog: &'a Catalog,
    pub seen: &'a Observation,
    pub run: Option<&'a Run>,
    pub prediction: &'a Prediction,
    /// How ready it is to be switched; `None`: the ledger does not know yet who serves.
    pub readiness: Option<&'a Readiness>,
    pub health: MemberHealth,
    /// Checks that cannot be run.
    pub unready: Vec<String>,
    /// Why its record in the ledger cannot be read.
    pub unreadable: Option<String>,
    pub now: Timestamp,
}

pub(super) type Verdict = (ConditionType, Option<bool>, &'static str, String);

/// All conditions of a service that can be operated.
pub(super) fn of_service(told: &Told<'_>, status: &SharedServiceStatus) -> Vec<Condition> {
    let accepted = accepted(told);
    let traffic = traffic(told, status);
    let (reconciling, stalled) = progress(told, &accepted);
    let ready = ready(told, status, &accepted, &traffic, &reconciling);
    let (feasible, failover) = (feasible(told), failover_ready(status));
    let (specs, fenced) = (specs(&told.seen.specs, OF_MOST), fenced(told, status));
    let switch = readiness::condition(told.readiness);
    let all = [accepted, traffic, reconciling, stalled, ready, feasible, failover, switch, specs, fenced];
    let generation = told.parsed.generation;
    all.into_iter()
        .map(|(kind, value, reason, text)| condition(kind, value, reason, text, generation, told.now))
        .collect()
}

/// All conditions of a service that cannot be understood.
pub(super) fn of_invalid(
    violations: &[Violation],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let text = violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let all = OF_SERVICE.map(|kind| {
        let (value, reason, text) = match kind {
            ConditionType::Accepted | ConditionType::Ready => (Some(false), "InvalidSpec", text.clone()),
            ConditionType::Stalled => (Some(true), "InvalidSpec", text.clone()),
            ConditionType::Reconciling => (Some(false), "InvalidSpec", "waits for a valid spec".to_owned()),
            ConditionType::FailoverReady => (Some(false), "InvalidSpec", "the spec is not valid".to_owned()),
            _ => (None, "InvalidSpec", "the spec is not valid".to_owned()),
        };
        condition(kind, value, reason, text, generation, now)
    });
    all.into()
}

fn accepted(told: &Told<'_>) -> Verdict {
    let kind = ConditionType::Accepted;
    if let Some(cause) = &told.unreadable {
        let text = format!(
            "its record in the ledger cannot be read by this version of Bongsu ({cause}): upgrade, or restore it"
        );
        return (kind, Some(false), "LedgerUnreadable", text);
    }
    let unknown: Vec<&str> =
        told.catalog.unknown_regions(told.parsed).map(|region| region.as_str()).collect();
    if let Some(other) = &told.seen.switches.name_claimed_by {
        let text = format!(
            "{} and the older SharedService {other} publish the same name; this one is not steered: rename one of them",
            told.parsed.service.key
        );
        return (kind, Some(false), "NameClaimed", text);
    }
    if !unknown.is_empty() {
        let text = format!(
            "no Region that can hold members is named {}: apply it, or correct spec.members",
            unknown.join(", ")
        );
        return (kind, Some(false), "UnknownRegion", text);
    }
    if !told.unready.is_empty() {
        return (kind, Some(false), "CheckBroken", told.unready.join("; "));
    }
    if !told.parsed.beyond_policy.is_empty() {
        let text = told.parsed.beyond_policy.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return (
            kind,
            Some(true),
            "BeyondPolicy",
            format!("works, but goes beyond its grade's policy: {text}"),
        );
    }
    (kind, Some(true), "Valid", "the spec is valid and its references are known".to_owned())
}

fn traffic(told: &Told<'_>, status: &SharedServiceStatus) -> Verdict {
    let kind = ConditionType::TrafficInSync;
    if told.parsed.routes.is_empty() {
        return (kind, Some(true), "NoTraffic", "spec.traffic is empty: nothing is published".to_owned());
    }
    let behind: Vec<String> =
        status.traffic.iter().filter_map(|t| Some(format!("{}: {}", t.name, t.message.clone()?))).collect();
    if !behind.is_empty() {
        return (kind, Some(false), "Behind", behind.join("; "));
    }
    if status.traffic.iter().any(|traffic| traffic.epoch.is_none()) {
        return (kind, None, "NotRead", "what is published was not read yet".to_owned());
    }
    (kind, Some(true), "InSync", "every name server answers what the ledger says".to_owned())
}

/// Whether the writer would be stopped, whatever became of its region.
fn fenced(told: &Told<'_>, status: &SharedServiceStatus) -> Verdict {
    let kind = ConditionType::WriterFenced;
    let Some(fence) = &status.fence else {
        return (kind, None, "NoWriter", "all members write: there is nobody to fence".to_owned());
    };
    let text = fence.message.clone();
    match told.parsed.service.fence {
        None => (kind, None, "NoGate", text),
        Some(Fence::Gate(_)) if fence.strength == ENFORCED => (kind, Some(true), "Enforced", text),
        Some(Fence::Workload(_)) if fence.strength == CONFIRMED => (kind, Some(true), "Confirmed", text),
        Some(_) if told.run.is_some() => (kind, None, "Moving", "a move is under way".to_owned()),
        Some(Fence::Gate(_)) => (kind, Some(false), "GateMissing", text),
        Some(Fence::Workload(_)) => (kind, Some(false), "NobodyConfirms", text),
    }
}

const OF_MOST: (&str, &str) =
    ("SharedService and GradePolicy", "most regions hold this cluster's, by which Bongsu goes on");

/// What other regions hold of an object. `told`: what has to be applied, and what it means that most hold this.
pub(super) fn specs(agreement: &Agreement, told: (&str, &str)) -> Verdict {
    let kind = ConditionType::SpecInSync;
    let (same, said) = (agreement.same(), agreement.said());
    let names = |word| agreement.saying(word).map(|region| region.as_str()).collect::<Vec<_>>().join(", ");
    if agreement.is_alone() {
        return (
            kind,
            Some(true),
            "Alone",
            "no other region is reachable: this cluster's spec counts".to_owned(),
        );
    }
    if said == 1 {
        let text = format!("{} did not say yet what they hold", names(SpecWord::Unsaid));
        return (kind, None, "NotSaid", text);
    }
    if same == said {
        return (kind, Some(true), "InSync", format!("{same} reachable regions hold the same spec"));
    }
    let differing = [(SpecWord::Other, "another spec in"), (SpecWord::Missing, "no such object in")];
    let differing = differing.map(|(word, text)| (text, names(word))).into_iter();
    let differing: Vec<String> = differing
        .filter(|(_, names)| !names.is_empty())
        .map(|(text, names)| format!("{text} {names}"))
        .collect();
    let (reason, effect) = match agreement.is_most() {
        true => ("OthersDiffer", told.1),
        false => (
            "NotMost",
            "most regions do not hold this cluster's: while its Bongsu leads, nothing moves by itself",
        ),
    };
    let text = format!("{}; {effect}. Apply the same {} in every data center", differing.join("; "), told.0);
    (kind, Some(false), reason, text)
}

fn progress(told: &Told<'_>, accepted: &Verdict) -> (Verdict, Verdict) {
    use ConditionType::{Reconciling, Stalled};
    let idle = "no Failover is going on".to_owned();
    match told.run {
        Some(run) if run.state == RunState::Paused => {
            let text = format!("Failover {} waits for a person: {}", run.id, run.message);
            ((Reconciling, Some(false), "Paused", text.clone()), (Stalled, Some(true), "Paused", text))
        }
        Some(run) => {
            let (done, all) = run.progress();
            let text = format!("Failover {} is going on: {done} of {all} steps", run.id);
            (
                (Reconciling, Some(true), "FailoverRunning", text),
                (Stalled, Some(false), "Progressing", String::new()),
            )
        }
        None if accepted.1 == Some(false) => {
            ((Reconciling, Some(false), "Idle", idle), (Stalled, Some(true), accepted.2, accepted.3.clone()))
        }
        None => {
            ((Reconciling, Some(false), "Idle", idle), (Stalled, Some(false), "Progressing", String::new()))
        }
    }
}

/// Why a new service is not established yet.
fn not_established(status: &SharedServiceStatus) -> String {
    let blockers = status.rules.iter().filter(|rule| rule.outcome == "Block");
    let why: Vec<String> = blockers.map(|rule| format!("{} ({})", rule.message, rule.rule)).collect();
    match why.is_empty() {
        true => "the ledger does not know yet who serves: waits for the leader".to_owned(),
        false => format!("the ledger does not know yet who serves: {}", why.join("; ")),
    }
}

fn ready(
    told: &Told<'_>,
    status: &SharedServiceStatus,
    accepted: &Verdict,
    traffic: &Verdict,
    reconciling: &Verdict,
) -> Verdict {
    let kind = ConditionType::Ready;
    if accepted.1 == Some(false) {
        return (kind, Some(false), accepted.2, accepted.3.clone());
    }
    if told.seen.record.is_none() {
        return (kind, Some(false), "NotEstablished", not_established(status));
    }
    match (told.health, reconciling.1, traffic.1) {
        (MemberHealth::Down, ..) => (kind, Some(false), "Down", "what serves is down".to_owned()),
        (MemberHealth::Unknown, ..) => {
            (kind, None, "HealthUnknown", "no quorum of vantages says whether what serves is well".to_owned())
        }
        (_, Some(true), _) => (kind, Some(false), "FailoverRunning", reconciling.3.clone()),
        (_, _, Some(false)) => (kind, Some(false), "TrafficBehind", traffic.3.clone()),
        (MemberHealth::Degraded, ..) => {
            (kind, Some(true), "Degraded", "served, but not all is well".to_owned())
        }
        (MemberHealth::Recovering, ..) => {
            let text = "served again, not yet for long enough to be called healthy";
            (kind, Some(true), "Recovering", text.to_owned())
        }
        (MemberHealth::Healthy, ..) => (kind, Some(true), "Serving", "served, and all is well".to_owned()),
    }
}

fn feasible(told: &Told<'_>) -> Verdict {
    let kind = ConditionType::ObjectivesFeasible;
    let total = told.prediction.total();
    match told.parsed.service.rto {
        None => {
            (kind, Some(true), "NoObjective", format!("no RTO is stated; predicted: {}", told.prediction))
        }
        Some(rto) if total <= rto => {
            (kind, Some(true), "Feasible", format!("RTO {rto:?}: {}", told.prediction))
        }
        Some(rto) => {
            let text = format!(
                "RTO {rto:?} cannot be met: {}. Shorten health.interval, health.window.failures, traffic.ttl or the lease",
                told.prediction
            );
            (kind, Some(false), "TooSlow", text)
        }
    }
}

fn failover_ready(status: &SharedServiceStatus) -> Verdict {
    let kind = ConditionType::FailoverReady;
    match &status.next_move {
        None => (kind, None, "NotEstablished", "the ledger does not know yet who serves".to_owned()),
        Some(next) if next.outcome == READY => (kind, Some(true), "Ready", next.message.clone()),
        Some(next) if next.outcome == RECOMMEND => (kind, Some(false), "NeedsPerson", next.message.clone()),
        Some(next) => (kind, Some(false), "Blocked", next.message.clone()),
    }
}

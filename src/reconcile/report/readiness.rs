//! Whether a service could be switched: what is known besides what a decision looks at, and how people are told.

use super::conditions::Verdict;
use crate::{
    api::{
        ConditionType, MemberStatus, ReadinessFinding, SharedServiceStatus, SwitchDirection, SwitchReadiness,
        TrafficStatus,
    },
    domain::{
        Direction, Finding, Gravity, Inspected, Looked, Observation, Readiness, Ready, RegionName,
        ServiceKey, Surroundings, way_back,
    },
    reconcile::{agent::Agent, catalog::Catalog, parse::Parsed},
    report::{Lang, remedy},
};

/// Bytes of what the vantages say against one member. Two reasons of usual length; all of them stand at the member.
const COMPLAINT_MAX: usize = 300;

/// Characters of the condition's message. All findings stand in `status.readiness`.
const MESSAGE_MAX: usize = 2_000;

impl Agent {
    pub(super) fn surroundings(
        &self,
        parsed: &Parsed,
        catalog: &Catalog,
        members: &[MemberStatus],
        traffic: &[TrafficStatus],
    ) -> Surroundings {
        let key = &parsed.service.key;
        let needs = |key: &ServiceKey| {
            catalog.parsed(key).map(|parsed| parsed.service.depends_on.clone()).unwrap_or_default()
        };
        let cycle = way_back(key, needs).unwrap_or_default();
        Surroundings {
            complaints: members.iter().filter_map(complaint).collect(),
            traffic: published(traffic),
            writable: self.trial(parsed),
            cycle: cycle.iter().chain(cycle.first()).map(ToString::to_string).collect(),
            needed: self.needed(parsed, catalog),
        }
    }

    /// What is wrong with the first of the services that this one needs.
    fn needed(&self, parsed: &Parsed, catalog: &Catalog) -> Option<String> {
        parsed.service.depends_on.iter().find_map(|needed| {
            let Some(entry) = catalog.services.get(needed) else {
                return Some(format!(
                    "{needed} is needed, and there is no such SharedService in this cluster"
                ));
            };
            let ready = is_ready(&self.reported(needed, &entry.object));
            (!ready).then(|| format!("{needed} is needed, and not ready to be switched itself"))
        })
    }

    pub(super) fn measure_readiness(&self, seen: &Observation, readiness: Option<&Readiness>) {
        for region in seen.service.members.keys() {
            let ready = readiness.and_then(|readiness| readiness.ready_to(region));
            self.ports.metrics.set_ready_to_switch(&seen.service.key, region, ready);
        }
    }
}

/// What was said last.
fn is_ready(status: &SharedServiceStatus) -> bool {
    let kind = ConditionType::ReadyToSwitch.as_str();
    !status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "False")
}

fn complaint(member: &MemberStatus) -> Option<(RegionName, String)> {
    let said = member.vantages.iter().filter(|vantage| vantage.verdict != "Healthy");
    let said: Vec<String> = said
        .filter_map(|vantage| Some(format!("{}: {}", vantage.vantage, vantage.reason.as_ref()?)))
        .collect();
    let text = said.join("; ");
    (!text.is_empty()).then(|| (RegionName::new(&member.region), shortened(&text, COMPLAINT_MAX)))
}

fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn published(traffic: &[TrafficStatus]) -> Looked {
    let behind: Vec<String> = traffic
        .iter()
        .filter_map(|route| Some(format!("{}: {}", route.name, route.message.as_ref()?)))
        .collect();
    match () {
        () if traffic.is_empty() => Looked::Nothing,
        () if !behind.is_empty() => Looked::Wrong(behind.join("; ")),
        () if traffic.iter().any(|route| route.epoch.is_none()) => Looked::NotYet,
        () => Looked::Fine,
    }
}

/// As it stands in the status.
pub(super) fn shown(readiness: &Readiness) -> SwitchReadiness {
    let direction = |direction: &Direction| SwitchDirection {
        from: direction.from.to_string(),
        to: direction.to.iter().map(ToString::to_string).collect(),
        state: readiness.ready_in(direction).as_str().to_owned(),
        passed: passed(&direction.inspected),
        findings: direction.inspected.findings.iter().map(finding).collect(),
    };
    SwitchReadiness {
        passed: passed(&readiness.common),
        findings: readiness.common.findings.iter().map(finding).collect(),
        not_inspected: readiness.common.unasked.iter().map(ToString::to_string).collect(),
        directions: readiness.directions.iter().map(direction).collect(),
    }
}

fn passed(inspected: &Inspected) -> i32 {
    i32::try_from(inspected.passed).unwrap_or(i32::MAX)
}

fn finding(finding: &Finding) -> ReadinessFinding {
    ReadinessFinding {
        check: finding.check.to_owned(),
        outcome: finding.gravity.as_str().to_owned(),
        message: finding.message.clone(),
    }
}

/// The condition of a service that can be operated.
pub(super) fn condition(readiness: Option<&Readiness>) -> Verdict {
    let kind = ConditionType::ReadyToSwitch;
    let Some(readiness) = readiness else {
        return (kind, None, "NotEstablished", "the ledger does not know yet who serves".to_owned());
    };
    let (value, decisive) = match readiness.ready() {
        Ready::Yes => (Some(true), Gravity::Warning),
        Ready::Unknown => (None, Gravity::Unknown),
        Ready::No => (Some(false), Gravity::Problem),
    };
    let first = readiness.findings().find(|(_, finding)| finding.gravity == decisive);
    let reason = match (value, first) {
        (Some(true), Some(_)) => "ReadyWithWarnings",
        (_, Some((_, finding))) => finding.check,
        (_, None) => "Ready",
    };
    (kind, value, reason, message(readiness))
}

/// The worst first, each with its direction and what to do.
fn message(readiness: &Readiness) -> String {
    let mut found: Vec<(Option<&Direction>, &Finding)> = readiness.findings().collect();
    found.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.gravity));
    if found.is_empty() {
        let ways: Vec<String> = readiness.directions.iter().map(way).collect();
        return format!("{}: nothing against it", ways.join(", "));
    }
    let sentences: Vec<String> = found.iter().map(|(of, finding)| sentence(*of, finding)).collect();
    shortened(&sentences.join("; "), MESSAGE_MAX)
}

fn way(direction: &Direction) -> String {
    let to: Vec<&str> = direction.to.iter().map(RegionName::as_str).collect();
    format!("{} → {}", direction.from, if to.is_empty() { "nobody".to_owned() } else { to.join(", ") })
}

fn sentence(of: Option<&Direction>, finding: &Finding) -> String {
    let of = of.map_or_else(|| "every direction".to_owned(), way);
    let Finding { check, gravity, message } = finding;
    let remedy = remedy(check, Lang::En).map(|remedy| format!(". What to do: {remedy}")).unwrap_or_default();
    format!("{of}: {gravity}: {message} ({check}){remedy}", gravity = gravity.as_str())
}

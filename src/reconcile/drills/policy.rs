//! What the grades of its services, and its own fields together, keep a drill from.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff;

use crate::{
    api::{self, DrillKind, DrillPolicy, Ladder, SwitchoverDrill},
    domain::{DrillRun, DrilledService, PreCheck, RampStep, RuleOutcome, Service},
    reconcile::{
        agent::Agent,
        catalog::Catalog,
        parse::{Parsed, Policies},
    },
    timetable::Timetable,
};

/// Runs of a schedule whose distance is looked at. 24: two years of a monthly drill.
const RUNS: usize = 24;

/// People who must say yes to each run: what the drill states, or else what the strictest of the grades does.
pub(super) fn approvals(drill: &SwitchoverDrill, services: &[Arc<Parsed>], policies: &Policies) -> u32 {
    let of_grades = services.iter().filter_map(|parsed| of(&parsed.service, policies)?.1.approvals);
    let stated = drill.spec.approvals.or_else(|| of_grades.max());
    stated.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

/// Name and rules for drills of the policy of a service's grade.
fn of<'a>(service: &Service, policies: &'a Policies) -> Option<(&'a str, &'a DrillPolicy)> {
    let grade = i32::from(service.grade);
    Some((policies.name_of(grade)?, policies.of_grade(grade)?.drills.as_ref()?))
}

/// Why a live drill with so many approvals and such a hold is too little for the grade of a service.
pub(super) fn below_policy(
    approvals: u32,
    hold: Duration,
    service: &Service,
    policies: &Policies,
) -> Option<String> {
    let (name, policy) = of(service, policies)?;
    if let Some(least) = policy.approvals.filter(|least| i64::from(approvals) < i64::from(*least)) {
        return Some(format!(
            "approvals: {approvals} is too few: GradePolicy {name} allows no fewer than {least}"
        ));
    }
    let least = policy.min_hold.filter(|least| hold < least.0)?;
    let hold = api::Duration(hold);
    Some(format!("hold: {hold} is too short: GradePolicy {name} allows no less than {least}"))
}

/// Why a drill is not one that can pass: the first of its services that says so.
pub(super) fn trouble(
    drill: &SwitchoverDrill,
    services: &[Arc<Parsed>],
    policies: &Policies,
) -> Option<(&'static str, String)> {
    if drill.spec.kind != DrillKind::Live {
        return None;
    }
    if let Some(text) = ramp_trouble(drill, services.len()) {
        return Some(("InvalidRamp", text));
    }
    let given = approvals(drill, services, policies);
    services.iter().find_map(|parsed| {
        let service = &parsed.service;
        let below = below_policy(given, drill.spec.hold.0, service, policies);
        let below = below.map(|text| ("BelowPolicy", format!("{}: spec.{text}", service.key.name)));
        below
            .or_else(|| Some(("ObjectiveTooShort", format!("{}: {}", service.key.name, too_short(service)?))))
    })
}

/// Why no drill of a service can meet its objective, whatever happens.
pub(super) fn too_short(service: &Service) -> Option<String> {
    let rto = service.rto.filter(|rto| *rto < service.ttl)?;
    let (rto, ttl) = (api::Duration(rto), api::Duration(service.ttl));
    Some(format!(
        "its objective of {rto} is shorter than the TTL of its traffic, {ttl}, for which clients keep an old answer: \
         lengthen objectives.rto, or shorten the TTL"
    ))
}

/// Why a ramp is none.
pub(super) fn ramp_trouble(drill: &SwitchoverDrill, services: usize) -> Option<String> {
    let steps = ramp(drill);
    let (first, last) = (steps.first()?, steps.last()?);
    if steps.windows(2).any(|pair| pair[0].percent >= pair[1].percent) {
        return Some("spec.ramp: each step must have more percent than the one before".to_owned());
    }
    let counts: Vec<usize> = steps.iter().map(|step| step.services(services)).collect();
    if services > 0
        && (last.services(services) >= services || counts.windows(2).any(|pair| pair[0] == pair[1]))
    {
        return Some(format!(
            "spec.ramp: {services} services are too few for {} steps from {} %: a service is not moved in parts, because a \
             name server answers with whole members; select more services, or leave the ramp out",
            steps.len(),
            first.percent
        ));
    }
    let held: Duration = steps.iter().map(|step| step.hold).sum::<Duration>() + drill.spec.hold.0;
    let limit = drill.spec.guardrails.max_duration;
    (held >= limit.0).then(|| {
        let held = api::Duration(held);
        format!(
            "spec.ramp: with spec.hold it takes {held}, and guardrails.maxDuration is {limit}: lengthen that"
        )
    })
}

/// The steps of a drill's ramp.
pub(super) fn ramp(drill: &SwitchoverDrill) -> Vec<RampStep> {
    let step = |step: &api::RampStep| RampStep {
        percent: u32::try_from(step.percent).unwrap_or(100),
        hold: step.hold.0,
    };
    drill.spec.ramp.iter().map(step).collect()
}

/// A distance between two of the next runs of a live drill that is longer than a grade of its services allows.
pub(super) fn too_rare(
    drill: &SwitchoverDrill,
    table: &Timetable,
    services: &[Arc<Parsed>],
    policies: &Policies,
    now: jiff::Timestamp,
) -> Option<String> {
    let intervals = services.iter().filter_map(|parsed| {
        let (name, policy) = of(&parsed.service, policies)?;
        Some((policy.interval?, name))
    });
    let (limit, name) = intervals.min().filter(|_| drill.spec.kind == DrillKind::Live)?;
    let mut before = now;
    for _ in 0..RUNS {
        let slot = table.next_free(before)?;
        let gap = Duration::try_from(slot.at.duration_since(before)).unwrap_or_default();
        if gap > limit.0 {
            let (from, to) = (before.strftime("%Y-%m-%d"), slot.at.strftime("%Y-%m-%d"));
            return Some(format!(
                "no run from {from} to {to}: GradePolicy {name} allows {limit} between two"
            ));
        }
        before = slot.at;
    }
    None
}

impl Agent {
    /// What the grade of a service, and the service itself, say of a run that would move it.
    pub(super) fn checks_of_policy(
        &self,
        run: &DrillRun,
        drilled: &DrilledService,
        parsed: &Parsed,
        catalog: &Catalog,
    ) -> Vec<PreCheck> {
        let (service, policies) = (&parsed.service, &catalog.policies);
        let mut checks = Vec::new();
        if run.live {
            let below = below_policy(run.limits.approvals, run.limits.hold, service, policies);
            checks.push(super::sight::check("GradePolicy", Some(&service.key.name), below));
            checks.push(super::sight::check(
                "ObjectiveFeasible",
                Some(&service.key.name),
                too_short(service),
            ));
        }
        checks.extend(self.ladder(run, drilled, service, catalog));
        checks
    }

    /// Whether the rung below has been climbed: detection, dry run, live, live and unannounced.
    fn ladder(
        &self,
        run: &DrillRun,
        drilled: &DrilledService,
        service: &Service,
        catalog: &Catalog,
    ) -> Option<PreCheck> {
        const RUNGS: [&str; 3] = ["Detection", "DryRun", "Live"];
        let (policy, rules) = of(service, &catalog.policies)?;
        let ladder = rules.ladder?;
        let drill = catalog.snapshot.drills.get(&(run.namespace.to_string(), run.drill.to_string()));
        let schedule = drill.and_then(|drill| drill.spec.schedule.as_ref());
        let unannounced =
            run.slot.is_some() && schedule.is_some_and(|schedule| schedule.unannounced_within.is_some());
        let needed = (rung(run) + usize::from(unannounced)).checked_sub(1)?;
        let climbed = self.mirror.drills().into_iter().map(|(_, other)| other).find(|other| {
            let same = |d: &DrilledService| d.service == drilled.service && d.leaves == drilled.leaves;
            rung(other) >= needed
                && other.verdict.is_some_and(|(verdict, _)| verdict.is_passed())
                && other.services.iter().any(same)
        });
        let (outcome, message) = match (climbed, ladder) {
            (Some(other), _) => (RuleOutcome::Pass, format!("DrillRun {} has passed", other.id)),
            (None, ladder) => {
                let text = format!(
                    "no drill of kind {} away from {} has passed: run one first, says GradePolicy {policy}",
                    RUNGS[needed], drilled.leaves
                );
                let require = ladder == Ladder::Require;
                (if require { RuleOutcome::Block } else { RuleOutcome::Recommend }, text)
            }
        };
        Some(PreCheck {
            name: "Ladder".to_owned(),
            service: Some(service.key.name.clone()),
            outcome,
            message,
        })
    }

    /// Why the ramp of a run's drill is none.
    pub(super) fn ramp_of(&self, run: &DrillRun, catalog: &Catalog) -> Option<String> {
        let drill = catalog.snapshot.drills.get(&(run.namespace.to_string(), run.drill.to_string()))?;
        ramp_trouble(drill, run.services.len()).filter(|_| !run.ramp.is_empty())
    }
}

/// How high a run stands on the ladder.
const fn rung(run: &DrillRun) -> usize {
    match (run.detects, run.live) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 2,
    }
}

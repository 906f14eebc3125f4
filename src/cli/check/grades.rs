//! What the GradePolicy of a service's grade allows.

use std::collections::BTreeMap;

use crate::{
    adapters::manifests::{Entry, Finding},
    api::{Duration, GradePolicy, SharedService},
};

use super::set::{At, Set, at};

pub(super) fn check(set: &Set<'_>) -> Vec<Finding> {
    let mut policies: BTreeMap<i32, At<'_, GradePolicy>> = BTreeMap::new();
    let mut found = Vec::new();
    for (entry, policy) in &set.policies {
        match policies.get(&policy.spec.grade) {
            Some((_, first)) => {
                let message = format!("GradePolicy {} is for grade {}, too", name(first), policy.spec.grade);
                found.push(at(entry, "spec.grade", message).with_remedy("keep one policy a grade"));
            }
            None => drop(policies.insert(policy.spec.grade, (*entry, *policy))),
        }
    }
    for (entry, service) in set.services.values() {
        if let Some((_, policy)) = policies.get(&service.spec.grade) {
            found.extend(beyond(entry, service, policy));
        }
    }
    found
}

fn beyond(entry: &Entry, service: &SharedService, policy: &GradePolicy) -> Vec<Finding> {
    let (spec, limits) = (&service.spec, &policy.spec);
    let objectives = spec.objectives.as_ref();
    let longest = [
        ("spec.objectives.rto", objectives.and_then(|o| o.rto), limits.rto),
        ("spec.objectives.rpo", objectives.and_then(|o| o.rpo), limits.rpo),
        ("spec.health.interval", Some(spec.health.interval), limits.max_interval),
    ];
    let smallest = [
        ("spec.health.vantages.quorum", Some(spec.health.vantages.quorum), limits.min_vantage_quorum),
        ("spec.failover.approvals", spec.failover.approvals, limits.approvals),
    ];
    let allowed = |limit: String, word: &str| format!("GradePolicy {} allows {word} {limit}", name(policy));
    let longer = longest.into_iter().filter_map(|(path, value, limit): (_, Option<Duration>, _)| {
        let (value, limit) = (value?, limit?);
        let message = format!("{value} is too long: {}", allowed(limit.to_string(), "at most"));
        (value > limit).then(|| at(entry, path, message))
    });
    let fewer = smallest.into_iter().filter_map(|(path, value, limit): (_, Option<i32>, _)| {
        let (value, limit) = (value?, limit?);
        let message = format!("{value} is too few: {}", allowed(limit.to_string(), "no fewer than"));
        (value < limit).then(|| at(entry, path, message))
    });
    longer.chain(fewer).collect()
}

fn name(policy: &GradePolicy) -> &str {
    policy.metadata.name.as_deref().unwrap_or_default()
}

//! Services that need each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    adapters::manifests::{Entry, Finding, closest},
    api::{ServiceRef, SharedService},
    domain::ServiceKey,
};

use super::set::{Set, at};

pub(super) fn check(set: &Set<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, (entry, service)) in &set.services {
        found.extend(unknown(set, key, entry, service));
    }
    found.extend(cycles(set));
    found
}

fn target(from: &ServiceKey, to: &ServiceRef) -> ServiceKey {
    ServiceKey::new(to.namespace.as_deref().unwrap_or(&from.namespace), &to.name)
}

fn unknown(set: &Set<'_>, key: &ServiceKey, entry: &Entry, service: &SharedService) -> Vec<Finding> {
    let missing = |field: &str, references: &[ServiceRef]| -> Vec<Finding> {
        let unknown = references.iter().map(|to| target(key, to)).enumerate();
        let unknown = unknown.filter(|(_, to)| !set.has_service(to));
        unknown
            .map(|(index, to)| no_service(set, entry, &format!("spec.{field}[{index}].name"), &to))
            .collect()
    };
    let mut found = missing("dependsOn", &service.spec.depends_on);
    found.extend(missing("substitutes", &service.spec.substitutes).into_iter().map(Finding::as_note));
    found
}

fn no_service(set: &Set<'_>, entry: &Entry, path: &str, missing: &ServiceKey) -> Finding {
    let finding = at(entry, path, format!("there is no SharedService {missing} among the files"));
    let names: Vec<_> = set.services.keys().map(ToString::to_string).collect();
    match closest(&missing.to_string(), names.iter().map(String::as_str)) {
        Some(meant) => finding.with_remedy(format!("did you mean {meant}?")),
        None => finding,
    }
}

/// Each cycle once, at the service of it that comes first by name.
fn cycles(set: &Set<'_>) -> Vec<Finding> {
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for (start, (entry, _)) in &set.services {
        if let Some(cycle) = way_back(set, start, &done) {
            let names: Vec<_> = cycle.iter().map(ToString::to_string).collect();
            let message = format!("waits for itself: {} → {start}", names.join(" → "));
            found.push(at(entry, "spec.dependsOn", message));
            done.extend(cycle);
        }
        done.insert(start.clone());
    }
    found
}

/// The shortest way from a service through its dependencies back to itself, around those that were reported.
fn way_back(set: &Set<'_>, start: &ServiceKey, done: &BTreeSet<ServiceKey>) -> Option<Vec<ServiceKey>> {
    let mut came_from: BTreeMap<ServiceKey, ServiceKey> = BTreeMap::new();
    let mut next = std::collections::VecDeque::from([start.clone()]);
    while let Some(key) = next.pop_front() {
        let depends_on = set.services.get(&key).map(|(_, service)| service.spec.depends_on.as_slice());
        for to in depends_on.unwrap_or_default().iter().map(|to| target(&key, to)) {
            if to == *start {
                let mut way = vec![key.clone()];
                while let Some(before) =
                    way.last().filter(|last| *last != start).and_then(|last| came_from.get(last))
                {
                    way.push(before.clone());
                }
                way.reverse();
                return Some(way);
            }
            if !done.contains(&to) && !came_from.contains_key(&to) {
                came_from.insert(to.clone(), key.clone());
                next.push_back(to);
            }
        }
    }
    None
}

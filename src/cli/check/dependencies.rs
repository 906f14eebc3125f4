//! Services that need each other.

use std::collections::BTreeSet;

use crate::{
    adapters::manifests::{Entry, Finding, closest},
    api::{ServiceRef, SharedService},
    domain::{ServiceKey, way_back},
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
        // Around those that were reported.
        let needs = |key: &ServiceKey| needs(set, key).filter(|to| !done.contains(to)).collect();
        if let Some(cycle) = way_back(start, needs) {
            let names: Vec<_> = cycle.iter().map(ToString::to_string).collect();
            let message = format!("waits for itself: {} → {start}", names.join(" → "));
            found.push(at(entry, "spec.dependsOn", message));
            done.extend(cycle);
        }
        done.insert(start.clone());
    }
    found
}

fn needs(set: &Set<'_>, key: &ServiceKey) -> impl Iterator<Item = ServiceKey> {
    let depends_on = set.services.get(key).map(|(_, service)| service.spec.depends_on.as_slice());
    depends_on.unwrap_or_default().iter().map(move |to| target(key, to))
}

//! Objects that other objects name.

use std::collections::BTreeMap;

use crate::{
    adapters::manifests::{Entry, Finding, closest},
    api::{Failover, RegionRole, SharedService},
    domain::ServiceKey,
    ports::{CheckSpec, SecretRef},
};

use super::set::{Set, at};

pub(super) fn check(set: &Set<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, (entry, service)) in &set.services {
        found.extend(members(set, entry, service));
        found.extend(quorum(set, entry, service));
        found.extend(keys(set, key, entry, service));
    }
    found.extend(set.failovers.iter().flat_map(|(entry, failover)| of_failover(set, entry, failover)));
    found.extend(shared_fate(set));
    found
}

fn members(set: &Set<'_>, entry: &Entry, service: &SharedService) -> Vec<Finding> {
    let member = |(index, member): (usize, &crate::api::Member)| {
        let path = format!("spec.members[{index}].region");
        let name = member.region.as_str();
        match set.regions.get(name) {
            Some((_, region)) if region.spec.role == RegionRole::Witness => Some(at(
                entry,
                &path,
                format!("Region {name} is a Witness: it watches, and holds no members"),
            )),
            Some(_) => None,
            None if set.has_region(name) => None,
            None => Some(no_region(set, entry, &path, name)),
        }
    };
    service.spec.members.iter().enumerate().filter_map(member).collect()
}

fn no_region(set: &Set<'_>, entry: &Entry, path: &str, name: &str) -> Finding {
    if !set.names_regions() {
        return at(entry, path, format!("no Region is among the files, so {name} was not looked up"))
            .as_note();
    }
    let finding = at(entry, path, format!("there is no Region {name} among the files"));
    match closest(name, set.regions.keys().copied()) {
        Some(meant) => finding.with_remedy(format!("did you mean {meant}?")),
        None => finding,
    }
}

/// Every region is a vantage, a witness too.
fn quorum(set: &Set<'_>, entry: &Entry, service: &SharedService) -> Option<Finding> {
    let wanted = usize::try_from(service.spec.health.vantages.quorum).ok()?;
    let there = set.regions.len();
    let sure = there > 0 && !set.refused.iter().any(|object| object.kind == "Region");
    (sure && wanted > there).then(|| {
        let message = format!(
            "{wanted} vantages must agree, but there are only {there}: no verdict would ever be reached"
        );
        at(entry, "spec.health.vantages.quorum", message)
    })
}

fn keys(set: &Set<'_>, service: &ServiceKey, entry: &Entry, shared: &SharedService) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, traffic) in shared.spec.traffic.iter().enumerate() {
        let Some(dns) = &traffic.dns else { continue };
        let (name, key) = (dns.tsig.secret_ref.name.as_str(), dns.tsig.secret_ref.key.as_str());
        let path = format!("spec.traffic[{index}].dns.tsig.secretRef");
        match missing(set, &service.namespace, name, key) {
            Some((message, false)) => found.push(at(entry, &format!("{path}.name"), message).as_note()),
            Some((message, true)) => found.push(at(entry, &format!("{path}.key"), message)),
            None => {}
        }
    }
    found
}

/// What a check needs of Secrets and is not there.
pub(super) fn of_check(set: &Set<'_>, entry: &Entry, path: &str, check: &CheckSpec) -> Vec<Finding> {
    let mut found = Vec::new();
    for SecretRef { namespace, name, key } in check.kind.secrets() {
        let Some((message, there)) = missing(set, namespace, name, key) else { continue };
        let finding = at(entry, path, message);
        found.push(if there { finding } else { finding.as_note() });
    }
    found.dedup_by(|one, other| one.message == other.message);
    found
}

/// What is wrong with a key of a Secret, and whether at least the Secret is there.
fn missing(set: &Set<'_>, namespace: &str, name: &str, key: &str) -> Option<(String, bool)> {
    match set.secrets.get(&(namespace, name)) {
        None => {
            let message =
                format!("Secret {namespace}/{name} is not among the files: it must be in the cluster");
            Some((message, false))
        }
        Some(secret) if secret.value(key).is_none() => {
            Some((format!("Secret {namespace}/{name} has no key {key}"), true))
        }
        Some(_) => None,
    }
}

fn of_failover(set: &Set<'_>, entry: &Entry, failover: &Failover) -> Vec<Finding> {
    let namespace = failover.metadata.namespace.as_deref().unwrap_or_default();
    let key = ServiceKey::new(namespace, &failover.spec.service_name);
    let Some((_, service)) = set.services.get(&key) else {
        let message = format!("SharedService {key} is not among the files");
        let missing = (!set.has_service(&key)).then(|| at(entry, "spec.serviceName", message).as_note());
        return missing.into_iter().collect();
    };
    let is_member = |region: &String| service.spec.members.iter().any(|member| member.region == *region);
    let sides = [("spec.from", &failover.spec.from), ("spec.to", &failover.spec.to)];
    let wrong = sides.into_iter().filter_map(|(path, region)| Some((path, region.as_ref()?)));
    wrong
        .filter(|(_, region)| !is_member(region))
        .map(|(path, region)| at(entry, path, format!("SharedService {key} has no member in {region}")))
        .collect()
}

fn shared_fate(set: &Set<'_>) -> Vec<Finding> {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for (name, (entry, region)) in &set.regions {
        let Some(domain) = region.spec.failure_domain.as_deref() else { continue };
        match first.get(domain) {
            Some(other) => {
                let message =
                    format!("Region {other} has the failure domain {domain}, too: both can be lost at once");
                found.push(at(entry, "spec.failureDomain", message).as_note());
            }
            None => drop(first.insert(domain, name)),
        }
    }
    found
}

//! What a running Bongsu would say of each service: the same code judges it.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    adapters::{
        clock::SystemClock,
        manifests::{Entry, Finding},
        probe::NetworkProber,
    },
    api::{Check, SharedService, Traffic},
    domain::{Timings, predict},
    ports::{ProbeError, Prober},
    reconcile::parse::{Parsed, Policies, Violation, parse},
};

use super::{
    references::of_check,
    set::{Set, at},
};

/// What an `expect` expression sees.
const VARIABLES: [&str; 3] = ["body", "status", "headers"];

pub(super) fn check(set: &Set<'_>) -> Vec<Finding> {
    let policies = Policies::new(set.policies.iter().map(|(_, policy)| *policy));
    let prober = NetworkProber::new(Arc::new(SystemClock::new()));
    set.services
        .values()
        .flat_map(|(entry, service)| match parse(service, &policies) {
            Err(wrong) => placed(entry, wrong),
            Ok(parsed) => of_parsed(set, entry, service, parsed, &prober),
        })
        .collect()
}

fn placed(entry: &Entry, violations: Vec<Violation>) -> Vec<Finding> {
    violations.into_iter().map(|Violation { path, message }| at(entry, &path, message)).collect()
}

fn of_parsed(
    set: &Set<'_>,
    entry: &Entry,
    service: &SharedService,
    parsed: Parsed,
    prober: &NetworkProber,
) -> Vec<Finding> {
    let mut found = unprepared(entry, &parsed, prober);
    if found.is_empty() {
        let checks = service.spec.health.checks.iter().enumerate();
        found.extend(checks.flat_map(|(index, check)| judging_nothing(entry, index, check)));
    }
    for (index, check) in parsed.checks.iter().enumerate() {
        found.extend(of_check(set, entry, &format!("spec.health.checks[{index}]"), check));
    }
    found.extend(too_slow(entry, &parsed));
    found.extend(placed(entry, parsed.beyond_policy));
    found
}

/// Checks that could not be run, each once although every member has them.
fn unprepared(entry: &Entry, parsed: &Parsed, prober: &NetworkProber) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    for (index, check) in parsed.checks.iter().enumerate() {
        for endpoint in parsed.endpoints.values() {
            let path = format!("spec.health.checks[{index}]");
            match prober.prepare(endpoint, check).err() {
                None => {}
                Some(ProbeError::Expect { cause, .. }) => {
                    let first = cause.lines().next().unwrap_or_default().to_owned();
                    found.insert((format!("{path}.http.expect"), format!("cannot be used: {first}")));
                }
                Some(ProbeError::Field { field, cause, .. }) => {
                    found.insert((path, format!("{field}: {cause}")));
                }
            }
        }
    }
    found.into_iter().map(|(path, message)| at(entry, &path, message)).collect()
}

fn judging_nothing(entry: &Entry, index: usize, check: &Check) -> Vec<Finding> {
    let message = format!("judges nothing of the answer: it uses none of {}", VARIABLES.join(", "));
    let found = expressions(check).into_iter().filter(|(_, expect)| judges_nothing(expect));
    found
        .map(|(field, _)| at(entry, &format!("spec.health.checks[{index}].{field}"), message.clone()))
        .collect()
}

/// The expressions of a check, each with the field that has it.
fn expressions(check: &Check) -> Vec<(String, &str)> {
    let http = check.http.iter().map(|http| ("http.expect".to_owned(), http.expect.as_deref()));
    let steps = check.verifier.iter().flat_map(|verifier| verifier.steps.iter().enumerate());
    let steps =
        steps.map(|(index, step)| (format!("verifier.steps[{index}].expect"), step.expect.as_deref()));
    http.chain(steps).filter_map(|(field, expect)| Some((field, expect?))).collect()
}

fn judges_nothing(expect: &str) -> bool {
    // One that does not compile was found before.
    cel::Program::compile(expect).is_ok_and(|program| {
        let used = program.references();
        !VARIABLES.iter().any(|name| used.has_variable(name))
    })
}

/// The objective arithmetic, with the leases and times that a new installation has.
fn too_slow(entry: &Entry, parsed: &Parsed) -> Option<Finding> {
    let rto = parsed.service.rto?;
    let prediction = predict(&parsed.service, &Timings::default());
    let message = format!("{rto:?} cannot be met: {prediction}");
    (prediction.total() > rto).then(|| {
        at(entry, "spec.objectives.rto", message).with_remedy(
            "shorten health.interval, health.window.failures or traffic.ttl, or promise more time",
        )
    })
}

/// The names that an entry of `spec.traffic` moves.
pub(super) fn names(traffic: &Traffic) -> Vec<&str> {
    let dns = traffic.dns.as_ref().map(|dns| dns.name.as_str());
    dns.into_iter().chain(traffic.served.as_ref().map(|served| served.name.as_str())).collect()
}

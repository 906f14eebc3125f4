//! From what users write to what the core understands. After this nothing reads the raw resources again.

mod checks;
mod policy;
mod routes;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use crate::{
    api::{self, SharedService},
    domain::{
        FailoverPolicy, Fence, GatePolicy, HealthPolicy, Member, Mode, Recovery, RegionName, RouteName,
        Service, ServiceKey, Topology, Window, Workload, WorkloadKind,
    },
    ports::{CheckSpec, Endpoint},
};

pub use policy::Policies;
pub use routes::{NoKey, RouteSpec};

/// A service that can be operated.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// What the core needs.
    pub service: Arc<Service>,
    /// Where the checks connect to.
    pub endpoints: BTreeMap<RegionName, Endpoint>,
    /// The checks.
    pub checks: Vec<CheckSpec>,
    /// What is published for each member.
    pub addresses: BTreeMap<RegionName, BTreeSet<IpAddr>>,
    /// The ways by which clients are led.
    pub routes: BTreeMap<RouteName, RouteSpec>,
    /// Where the service goes beyond what its grade allows.
    pub beyond_policy: Vec<Violation>,
    /// `metadata.generation` that it was parsed from.
    pub generation: Option<i64>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Violation {
    /// Path of the field, such as `spec.members[1].endpoint`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Violation {
    /// A violation.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// Default of `spec.failover.cooldown`: long enough for a person to have looked at the first move.
const COOLDOWN: Duration = Duration::from_secs(3600);

/// Namespace and name of a service object.
#[must_use]
pub fn key_of(object: &SharedService) -> ServiceKey {
    let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
    ServiceKey::new(namespace, object.metadata.name.as_deref().unwrap_or_default())
}

/// Turns a resource into values of the core.
///
/// # Errors
/// Every field that cannot be understood. Such a service is not operated: who serves stays as it is.
pub fn parse(object: &SharedService, policies: &Policies) -> Result<Parsed, Vec<Violation>> {
    let spec = &object.spec;
    let key = key_of(object);
    let mut wrong = Vec::new();
    let endpoints = checks::endpoints(&spec.members, &mut wrong);
    let addresses = routes::addresses(&spec.members, &mut wrong);
    let routes = routes::routes(&spec.traffic, &key, &mut wrong);
    let moved: Vec<&str> = routes.values().map(RouteSpec::domain_name).collect();
    checks::moved_names(&spec.members, &moved, &mut wrong);
    let checks = checks::checks(&key.namespace, &spec.health, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let policy = policies.of_grade(spec.grade);
    let service = Service {
        part_of: spec.part_of.as_deref().map(Arc::from),
        grade: u8::try_from(spec.grade).unwrap_or(u8::MAX),
        topology: match spec.topology {
            api::Topology::ActiveActive => Topology::ActiveActive,
            api::Topology::ActiveStandby => Topology::ActiveStandby,
        },
        members: members(&spec.members),
        fence: spec.fence.as_ref().and_then(fence),
        health: health(&spec.health),
        failover: failover(&spec.failover, policy),
        rto: spec
            .objectives
            .as_ref()
            .and_then(|o| o.rto)
            .or_else(|| policy.and_then(|p| p.rto))
            .map(Into::into),
        peak_load: spec.peak_load.map(unsigned),
        depends_on: spec.depends_on.iter().map(|reference| dependency(reference, &key)).collect(),
        routes: spec.traffic.iter().map(|traffic| RouteName::new(&traffic.name)).collect(),
        ttl: spec.traffic.iter().map(|traffic| traffic.ttl.0).max().unwrap_or_default(),
        key,
    };
    Ok(Parsed {
        beyond_policy: policy::beyond_of(spec, policies),
        service: Arc::new(service),
        endpoints,
        checks,
        addresses,
        routes,
        generation: object.metadata.generation,
    })
}

/// The schema asks for exactly one of them.
fn fence(fence: &api::Fence) -> Option<Fence> {
    let gate = fence.gate.as_ref().map(|gate| Fence::Gate(GatePolicy { lease_ttl: gate.lease_ttl.0 }));
    let workload = |workload: &api::Workload| {
        Fence::Workload(Workload {
            kind: match workload.kind {
                api::WorkloadKind::Deployment => WorkloadKind::Deployment,
                api::WorkloadKind::StatefulSet => WorkloadKind::StatefulSet,
            },
            name: Arc::from(workload.name.as_str()),
            replicas: unsigned(workload.replicas),
            stop_within: workload.stop_within.0,
            start_within: workload.start_within.0,
        })
    };
    gate.or_else(|| fence.workload.as_ref().map(workload))
}

/// The schema keeps these numbers from being negative.
fn unsigned<T: From<u32> + TryFrom<i32>>(number: i32) -> T {
    T::try_from(number).unwrap_or_else(|_| T::from(0))
}

fn members(members: &[api::Member]) -> BTreeMap<RegionName, Member> {
    let ranked = members.iter().zip(0_u32..);
    ranked
        .map(|(member, rank)| {
            let parsed = Member {
                weight: unsigned(member.weight),
                rank,
                capacity: member.capacity.map(unsigned),
                maintenance: member.maintenance,
            };
            (RegionName::new(&member.region), parsed)
        })
        .collect()
}

fn health(health: &api::Health) -> HealthPolicy {
    HealthPolicy {
        interval: health.interval.0,
        timeout: health.timeout.0,
        window: Window { size: unsigned(health.window.size), failures: unsigned(health.window.failures) },
        recovery: Recovery {
            successes: unsigned(health.recovery.successes),
            stable_for: health.recovery.stable_for.0,
        },
        quorum: unsigned(health.vantages.quorum),
    }
}

/// The spec first, then the policy of the grade, then the shipped default.
fn failover(spec: &api::FailoverPolicy, policy: Option<&api::GradePolicySpec>) -> FailoverPolicy {
    let mode = spec.mode.or_else(|| policy.and_then(|p| p.mode)).unwrap_or_default();
    let approvals = spec.approvals.or_else(|| policy.and_then(|p| p.approvals)).unwrap_or(1);
    let cooldown = spec.cooldown.or_else(|| policy.and_then(|p| p.cooldown));
    let max_drill_age = spec.max_drill_age.or_else(|| policy.and_then(|p| p.max_drill_age));
    FailoverPolicy {
        mode: match mode {
            api::Mode::Automatic => Mode::Automatic,
            api::Mode::Approve => Mode::Approve,
            api::Mode::Recommend => Mode::Recommend,
            api::Mode::Manual => Mode::Manual,
        },
        approvals: unsigned(approvals),
        cooldown: cooldown.map_or(COOLDOWN, Into::into),
        failback_after: match spec.failback.mode {
            api::FailbackMode::Automatic => spec.failback.after.map(Into::into),
            api::FailbackMode::Manual => None,
        },
        max_drill_age: max_drill_age.map(Into::into),
    }
}

fn dependency(reference: &api::ServiceRef, of: &ServiceKey) -> ServiceKey {
    ServiceKey::new(reference.namespace.as_deref().unwrap_or(&of.namespace), &reference.name)
}

#[cfg(test)]
mod tests;

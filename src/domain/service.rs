//! A shared service as the core sees it: already checked, with every default filled in.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{HealthPolicy, RegionName, RouteName, ServiceKey, Workload};

/// A valid shared service. Only `reconcile::parse` makes one from what users write.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Namespace and name.
    pub key: ServiceKey,
    /// Group that it belongs to.
    pub part_of: Option<Arc<str>>,
    /// System grade, 1 (most important) to 4.
    pub grade: u8,
    /// Who serves while all is well.
    pub topology: Topology,
    /// The copies by region.
    pub members: BTreeMap<RegionName, Member>,
    /// What stops a writer; `None`: nothing keeps one from writing on.
    pub fence: Option<Fence>,
    /// How verdicts are made.
    pub health: HealthPolicy,
    /// What may be done without a person.
    pub failover: FailoverPolicy,
    /// Recovery time objective.
    pub rto: Option<Duration>,
    /// Requests a second at the busiest time.
    pub peak_load: Option<u64>,
    /// Services that this one needs.
    pub depends_on: Vec<ServiceKey>,
    /// Ways by which clients are led, in the order in which they are changed.
    pub routes: Vec<RouteName>,
    /// Longest time that a client may keep an old answer.
    pub ttl: Duration,
}

/// Who serves while all is well.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Topology {
    /// All members with a weight above 0.
    ActiveActive,
    /// One member.
    ActiveStandby,
}

/// A copy of the service.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Share, or preference.
    pub weight: u32,
    /// Position in the user's list: decides between equal weights.
    pub rank: u32,
    /// Requests a second that it carries alone; `None` is not limited.
    pub capacity: Option<u64>,
    /// Work is being done on it.
    pub maintenance: bool,
}

/// What stops a writer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fence {
    /// A gate before or around each writer, which holds a lease (ADR 11).
    Gate(GatePolicy),
    /// A workload that runs only where the service is served (ADR 15).
    Workload(Workload),
}

impl Service {
    /// The gates before its writers, if it has them.
    #[must_use]
    pub const fn gate(&self) -> Option<GatePolicy> {
        match &self.fence {
            Some(Fence::Gate(gate)) => Some(*gate),
            Some(Fence::Workload(_)) | None => None,
        }
    }

    /// The workload that writes, if Bongsu starts and stops it.
    #[must_use]
    pub const fn workload(&self) -> Option<&Workload> {
        match &self.fence {
            Some(Fence::Workload(workload)) => Some(workload),
            Some(Fence::Gate(_)) | None => None,
        }
    }
}

/// The gates of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GatePolicy {
    /// Length of the lease under which a gate lets its writer write.
    pub lease_ttl: Duration,
}

/// What may be done without a person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailoverPolicy {
    /// How far Bongsu goes.
    pub mode: Mode,
    /// People who must say yes in mode `Approve`.
    pub approvals: u32,
    /// Time after a completed automatic move in which no second one starts.
    pub cooldown: Duration,
    /// Stability after which a member is used again by itself; `None`: a person decides.
    pub failback_after: Option<Duration>,
    /// Age of the last passed drill above which `Automatic` acts as `Recommend`; `None`: not asked.
    pub max_drill_age: Option<Duration>,
}

/// How far Bongsu goes without a person.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Mode {
    /// Moves by itself.
    Automatic,
    /// Moves after people said yes.
    Approve,
    /// Says what it would do.
    Recommend,
    /// Says nothing, does nothing.
    Manual,
}

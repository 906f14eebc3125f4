//! Everything that a decision may depend on, read before it and not changed during it.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use super::{
    Agreement, BudgetLimits, BudgetUse, Epoch, Identity, MemberHealth, Move, Record, RegionName, RunId,
    Service, ServiceKey, Timestamp, Timings, Trigger, Verdict, judge,
};

/// One service, at one moment.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The wall clock.
    pub wall: Timestamp,
    /// What is wanted.
    pub service: Arc<Service>,
    /// What the ledger says; `None`: it never heard of the service.
    pub record: Option<Record>,
    /// What is published now, while there is no record, or under a newer epoch than the record's.
    pub published: Published,
    /// The members, in the order of their regions.
    pub members: Vec<MemberView>,
    /// What the other regions say of the spec that is wanted here.
    pub specs: Agreement,
    /// The places that probe.
    pub vantages: Vec<VantageView>,
    /// Services that this one needs and that are down where they serve.
    pub dependencies_down: Vec<ServiceKey>,
    /// What brakes everything.
    pub switches: Switches,
    /// Limits of the regions that serve now, and how much of them is used, by region.
    pub budgets: Vec<(RegionName, BudgetLimits, BudgetUse)>,
    /// When the last drill of this service passed.
    pub last_drill: Option<Timestamp>,
    /// A wish that no run has answered yet.
    pub request: Option<Request>,
    /// A drill has the service in hand and will bring it back.
    pub in_drill: bool,
    /// The lease under which the writer writes.
    pub writer: WriterLease,
    /// How long the parts of a move take.
    pub timings: Timings,
}

impl Observation {
    /// A region that serves and whose Bongsu does not renew its lease: what it would read back nobody reads.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<&RegionName> {
        let answers = |region: &RegionName| self.vantages.iter().any(|v| v.region == *region && v.alive);
        self.record.iter().flat_map(|record| &record.serving).find(|region| !answers(region))
    }

    /// Who serves by the name servers, if they hold a newer epoch than the ledger: it was restored from an older copy, and
    /// what they publish is the newer truth.
    #[must_use]
    pub fn overtaken_by(&self) -> Option<&BTreeSet<RegionName>> {
        match (&self.record, &self.published) {
            (Some(record), Published::Members { regions, epoch: Some(epoch) })
                if *epoch > record.epoch && !regions.is_empty() =>
            {
                Some(regions)
            }
            _ => None,
        }
    }

    /// What the vantages together say of a member.
    #[must_use]
    pub fn health(&self, member: &MemberView) -> MemberHealth {
        judge(&member.region, &member.reports, &self.vantages, self.service.health.quorum)
    }

    /// What the vantages together say of the member in a region; where there is none, nothing is known.
    #[must_use]
    pub fn health_in(&self, region: &RegionName) -> MemberHealth {
        self.member(region).map_or(MemberHealth::Unknown, |member| self.health(member))
    }

    /// Requests a second that the members in these regions carry together; `None`: one of them is not limited.
    #[must_use]
    pub fn capacity(&self, regions: &BTreeSet<RegionName>) -> Option<u64> {
        let carrying = regions.iter().filter(|region| self.health_in(region).carries());
        carrying.map(|region| self.service.members.get(region).and_then(|member| member.capacity)).sum()
    }

    /// The member in a region.
    #[must_use]
    pub fn member(&self, region: &RegionName) -> Option<&MemberView> {
        self.members.iter().find(|member| member.region == *region)
    }

    /// Whether a member could take over, or why it could not.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn target(&self, member: &MemberView) -> Result<(), TargetRefusal> {
        let maintenance = self.service.members.get(&member.region).is_none_or(|spec| spec.maintenance);
        match self.health(member) {
            _ if !member.region_known => Err(TargetRefusal::UnknownRegion),
            _ if member.region_lost => Err(TargetRefusal::RegionLost),
            _ if member.region_maintenance => Err(TargetRefusal::RegionMaintenance),
            _ if maintenance => Err(TargetRefusal::Maintenance),
            MemberHealth::Healthy => Ok(()),
            other => Err(TargetRefusal::Health(other)),
        }
    }

    /// Whether a member may join in a move: one that could take over, or, as a last resort, one that works with an early sign,
    /// where nobody who leaves is healthy. A drill, which nobody needs, has no last resort.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn joins(&self, member: &MemberView, change: &Move) -> Result<(), TargetRefusal> {
        let in_need = || {
            let mut leaving = change.leaving().peekable();
            leaving.peek().is_some() && leaving.all(|region| self.health_in(region) != MemberHealth::Healthy)
        };
        match self.target(member) {
            Err(TargetRefusal::Health(MemberHealth::Degraded))
                if change.trigger != Trigger::Drill && in_need() && self.is_steady(member) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// Whether a member works, perhaps with an early sign. Quorums that contradict each other make it degraded as well, and then some
    /// of its users are not served: it is not steady.
    #[must_use]
    pub fn is_steady(&self, member: &MemberView) -> bool {
        let mut votes = member.reports.iter().zip(&self.vantages);
        match self.health(member) {
            MemberHealth::Healthy => true,
            MemberHealth::Degraded => {
                !votes.any(|(report, vantage)| vantage.trusted() && report.verdict == Verdict::Failed)
            }
            MemberHealth::Recovering | MemberHealth::Unknown | MemberHealth::Down => false,
        }
    }
}

/// The lease of a service's writer, as it was read last.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum WriterLease {
    /// No gate has ever held it, or the leases have not been read yet.
    #[default]
    NeverSeen,
    /// A gate holds it.
    Held(Identity),
    /// It was given back, or has run out.
    Free,
    /// It is not renewed, and this gate writes on because this region and all others promised not to end it.
    Promised(Identity),
}

/// What is published for a service that the ledger never heard of, or of which it knows less than the name servers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Published {
    /// Nothing: nobody is served by this name yet.
    #[default]
    Nothing,
    /// Addresses of these members, and the epoch that stands beside them.
    Members {
        /// Regions whose addresses are published.
        regions: BTreeSet<RegionName>,
        /// Epoch left by an earlier ledger.
        epoch: Option<Epoch>,
    },
    /// An address that belongs to no member.
    Foreign {
        /// What was found.
        found: Arc<str>,
    },
    /// It could not be read.
    Unknown {
        /// Why.
        cause: Arc<str>,
    },
}

/// One member.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// Its region.
    pub region: RegionName,
    /// What each vantage says, in the order of `Observation::vantages`.
    pub reports: Vec<Report>,
    /// A Region of this name exists and can hold members.
    pub region_known: bool,
    /// Work is being done in the region.
    pub region_maintenance: bool,
    /// The region is confirmed lost.
    pub region_lost: bool,
}

impl MemberView {
    /// Start of the first bad sample, by the earliest of the vantages that say failed.
    #[must_use]
    pub fn onset(&self) -> Option<Timestamp> {
        self.reports.iter().filter(|report| report.verdict == Verdict::Failed).filter_map(|r| r.onset).min()
    }

    /// When the vote came that made a quorum of the trusted vantages say failed, by that vantage's wall clock.
    #[must_use]
    pub fn down_since(&self, vantages: &[VantageView], quorum: u32) -> Option<Timestamp> {
        let votes = self.reports.iter().zip(vantages);
        let failed = votes.filter(|(report, vantage)| vantage.trusted() && report.verdict == Verdict::Failed);
        let mut since: Vec<Timestamp> = failed.map(|(report, _)| report.since).collect();
        since.sort_unstable();
        since.get(usize::try_from(quorum).ok()?.checked_sub(1)?).copied()
    }

    /// How long every vantage that says healthy has said so.
    #[must_use]
    pub fn healthy_for(&self, wall: Timestamp) -> Option<Duration> {
        let healthy = self.reports.iter().filter(|report| report.verdict == Verdict::Healthy);
        healthy.map(|report| wall.since(report.since)).min()
    }
}

/// What one vantage says of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Its word.
    pub verdict: Verdict,
    /// Start of the first bad sample of the last failure, also when that is over, by the vantage's wall clock.
    pub onset: Option<Timestamp>,
    /// When the verdict became this one, by the vantage's wall clock.
    pub since: Timestamp,
}

/// One place that probes.
#[derive(Clone, Debug, PartialEq)]
pub struct VantageView {
    /// Its region.
    pub region: RegionName,
    /// It renews its lease.
    pub alive: bool,
    /// It sees two or more other regions turn bad at once (I6).
    pub suspect: bool,
}

impl VantageView {
    /// Whether its word counts.
    #[must_use]
    pub const fn trusted(&self) -> bool {
        self.alive && !self.suspect
    }
}

/// What brakes everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Switches {
    /// The region that carries the global stop, and why.
    pub global_stop: Option<(RegionName, Arc<str>)>,
    /// An older service that publishes one of this service's names.
    pub name_claimed_by: Option<ServiceKey>,
}

/// A wish of a person or of a drill.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Name of the Failover.
    pub run: RunId,
    /// Region that shall stop serving.
    pub from: Option<RegionName>,
    /// Region that shall serve.
    pub to: Option<RegionName>,
    /// Show the plan, touch nothing.
    pub dry_run: bool,
    /// Whose wish it is: `Manual`, `Drill` or `Return`.
    pub trigger: Trigger,
}

/// Why a member could not take over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TargetRefusal {
    /// There is no Region of this name, or it is a witness.
    UnknownRegion,
    /// The region is confirmed lost.
    RegionLost,
    /// Work is being done in the region.
    RegionMaintenance,
    /// Work is being done on the member.
    Maintenance,
    /// It is not healthy.
    Health(MemberHealth),
}

impl fmt::Display for TargetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRegion => f.write_str("there is no Region of this name that can hold members"),
            Self::RegionLost => f.write_str("its region is lost"),
            Self::RegionMaintenance => f.write_str("its region is in maintenance"),
            Self::Maintenance => f.write_str("it is in maintenance"),
            Self::Health(health) => write!(f, "it is {health}"),
        }
    }
}

//! Who shall serve instead of whom, and the steps that lead there.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Epoch, RegionName, RouteName, Service, Timings, predict};
use crate::planted::planted;

/// Why a move is wanted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Trigger {
    /// The service is new, or the ledger older than the name servers: what serves is written down and published.
    Establish,
    /// A serving member is down.
    MemberDown,
    /// The region of a serving member is lost.
    RegionLost,
    /// A person asked for it.
    Manual,
    /// A member that was moved away from is good again.
    Failback,
    /// The list of members or their weights was changed.
    SpecChanged,
    /// A drill moves the service away.
    Drill,
    /// A drill moves the service back.
    Return,
}

impl Trigger {
    /// The word in status, events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Establish => "Establish",
            Self::MemberDown => "MemberDown",
            Self::RegionLost => "RegionLost",
            Self::Manual => "Manual",
            Self::Failback => "Failback",
            Self::SpecChanged => "SpecChanged",
            Self::Drill => "Drill",
            Self::Return => "Return",
        }
    }

    /// Somebody wants it who can be told no: a person, or a drill.
    #[must_use]
    pub const fn is_wish(self) -> bool {
        matches!(self, Self::Manual | Self::Drill | Self::Return)
    }

    /// Nobody needs it now, so the red lever and every doubt about what is seen keep it from starting.
    #[must_use]
    pub const fn can_wait(self) -> bool {
        matches!(self, Self::Drill)
    }

    /// Bongsu wants it, no person does: modes, the stop and the cooldown apply.
    #[must_use]
    pub const fn is_automatic(self) -> bool {
        matches!(self, Self::MemberDown | Self::RegionLost | Self::Failback)
    }

    /// Something broke: budgets apply, and there is no way back.
    #[must_use]
    pub const fn is_unplanned(self) -> bool {
        matches!(self, Self::MemberDown | Self::RegionLost)
    }
}

/// A change of who serves.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// Why.
    pub trigger: Trigger,
    /// Regions that serve before. Empty only for the `Establish` of a new service.
    pub from: BTreeSet<RegionName>,
    /// Regions that serve after. Never empty (I3).
    pub to: BTreeSet<RegionName>,
}

impl Move {
    /// Regions that stop serving.
    pub fn leaving(&self) -> impl Iterator<Item = &RegionName> {
        self.from.difference(&self.to)
    }

    /// Whether this region stops serving.
    #[must_use]
    pub fn leaves(&self, region: &RegionName) -> bool {
        self.from.contains(region) && !self.to.contains(region)
    }

    /// Regions that start serving.
    pub fn joining(&self) -> impl Iterator<Item = &RegionName> {
        self.to.difference(&self.from)
    }
}

/// One step. Each is idempotent and carries the epoch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Step {
    /// Looks again whether the new members can serve.
    Precheck,
    /// Says in the ledger that nobody may write, so that the gate of who writes now shuts.
    Fence,
    /// Waits until that gate has given its lease back, or the lease has run out.
    AwaitFence,
    /// Writes the new epoch and who serves under it into the ledger. From here on nothing is accepted under the old one.
    RaiseEpoch {
        /// The new epoch.
        epoch: Epoch,
        /// Who serves under it.
        serving: BTreeSet<RegionName>,
    },
    /// Leads clients to the members that serve by the ledger.
    ShiftTraffic {
        /// Entry of the service's traffic.
        route: RouteName,
    },
    /// Waits until old answers have run out, then checks the new members as a client would.
    Verify,
    /// Writes down that the run is over.
    Settle,
}

/// What a step does, without its details: metric label.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum StepKind {
    /// See [`Step::Precheck`].
    Precheck,
    /// See [`Step::Fence`].
    Fence,
    /// See [`Step::AwaitFence`].
    AwaitFence,
    /// See [`Step::RaiseEpoch`].
    RaiseEpoch,
    /// See [`Step::ShiftTraffic`].
    ShiftTraffic,
    /// See [`Step::Verify`].
    Verify,
    /// See [`Step::Settle`].
    Settle,
}

impl Step {
    /// What it does.
    #[must_use]
    pub const fn kind(&self) -> StepKind {
        match self {
            Self::Precheck => StepKind::Precheck,
            Self::Fence => StepKind::Fence,
            Self::AwaitFence => StepKind::AwaitFence,
            Self::RaiseEpoch { .. } => StepKind::RaiseEpoch,
            Self::ShiftTraffic { .. } => StepKind::ShiftTraffic,
            Self::Verify => StepKind::Verify,
            Self::Settle => StepKind::Settle,
        }
    }
}

impl StepKind {
    /// Whether it changes what the ledger says of the service, so that it must be undone if the move is.
    #[must_use]
    pub const fn touches_record(self) -> bool {
        matches!(self, Self::Fence | Self::RaiseEpoch)
    }

    /// The word in status, events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Precheck => "Precheck",
            Self::Fence => "Fence",
            Self::AwaitFence => "AwaitFence",
            Self::RaiseEpoch => "RaiseEpoch",
            Self::ShiftTraffic => "ShiftTraffic",
            Self::Verify => "Verify",
            Self::Settle => "Settle",
        }
    }
}

/// The steps of a move.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The move.
    #[serde(flatten)]
    pub change: Move,
    /// Epoch that the move raises the service to.
    pub epoch: Epoch,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// Index in `steps`. Once that step is done, a failure pauses the run; before, it is compensated.
    pub point_of_no_return: usize,
    /// What undoes the steps before the point of no return, once the epoch was raised. Empty: nothing to undo.
    pub compensation: Vec<Step>,
    /// Predicted time from the fault (or the start, if nothing broke) to verified service, in milliseconds.
    pub predicted_rto_millis: u64,
}

impl Plan {
    /// Predicted time from the fault, or the start, to verified service.
    #[must_use]
    pub const fn predicted_rto(&self) -> Duration {
        Duration::from_millis(self.predicted_rto_millis)
    }
}

/// The steps of a move. The same function for failover, switchover, failback and drills.
///
/// Something broke: once the epoch is raised there is no way back, because the old member does not serve. A planned
/// move can return until the new members are verified.
#[must_use]
pub fn plan_for(service: &Service, change: Move, epoch: Epoch, timings: &Timings) -> Plan {
    let is_new = change.trigger == Trigger::Establish;
    let fences = service.fence.is_some() && change.leaving().next().is_some();
    let mut steps = Vec::with_capacity(service.routes.len() + 6);
    if !is_new {
        steps.push(Step::Precheck);
    }
    steps.extend(raise(fences, epoch, &change.to));
    let raised = steps.len() - 1;
    steps.extend(shift(service));
    if !is_new {
        steps.push(Step::Verify);
    }
    let verified = steps.len() - 1;
    steps.push(Step::Settle);
    let returns = !change.trigger.is_unplanned() && !is_new;
    // What was fenced for a move that did not come to the raise must be let write again.
    let way_back = raise(fences, epoch.next(), &change.from);
    let compensation = match returns || fences {
        true if planted!(CompensationInWrongOrder) => shift(service).chain(way_back).collect(),
        true => way_back.into_iter().chain(shift(service)).collect(),
        false => Vec::new(),
    };
    let prediction = predict(service, timings);
    let predicted = if change.trigger.is_unplanned() { prediction.total() } else { prediction.planned() };
    Plan {
        change,
        epoch,
        steps,
        point_of_no_return: if returns { verified } else { raised },
        compensation,
        predicted_rto_millis: u64::try_from(predicted.as_millis()).unwrap_or(u64::MAX),
    }
}

/// The steps that lead to a new epoch; with a gate, none begins before the writer of the old one has stopped (I1).
fn raise(fences: bool, epoch: Epoch, serving: &BTreeSet<RegionName>) -> Vec<Step> {
    let raise = Step::RaiseEpoch { epoch, serving: serving.clone() };
    match fences && !planted!(RaiseBeforeFence) {
        true => vec![Step::Fence, Step::AwaitFence, raise],
        false => vec![raise],
    }
}

fn shift(service: &Service) -> impl Iterator<Item = Step> {
    service.routes.iter().map(|route| Step::ShiftTraffic { route: route.clone() })
}

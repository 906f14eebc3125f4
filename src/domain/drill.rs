//! One run of a drill: how far it is, what it wants done next, and how it ended. Pure: the shell writes the run, carries
//! out its orders as requests for moves, and looks again. See `docs/adr/0009-drills.md`.

mod advance;
mod passed;
mod start;
mod verdict;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use passed::{LastPassed, Passed, is_fresh};

use super::{
    Identity, Measured, MemberHealth, RegionName, RuleOutcome, RunId, RunState, ServiceKey, Timestamp,
};

pub use watch::{Condition, SampleLimits};

/// A run of a drill, as the ledger keeps it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillRun {
    /// Name of its DrillRun.
    pub id: RunId,
    /// Namespace of the drill and of all its services.
    pub namespace: Arc<str>,
    /// Name of its SwitchoverDrill.
    pub drill: Arc<str>,
    /// Moves real traffic; otherwise it shows plans only.
    pub live: bool,
    /// Asks, for as long as it is held, whether a loss would be noticed. Moves nothing, and makes no plan.
    #[serde(default)]
    pub detects: bool,
    /// Why, in a person's or Bongsu's words.
    pub reason: String,
    /// Who asked; `None`: the schedule.
    pub requested_by: Option<String>,
    /// The time of the schedule that it was made for; `None`: by hand.
    pub slot: Option<Timestamp>,
    /// When it was announced.
    pub announced_at: Timestamp,
    /// When it may start.
    pub starts_at: Timestamp,
    /// What it must keep to.
    pub limits: DrillLimits,
    /// Numbers that must be good before it starts, and some of them as long as it goes on.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// How many services leave before the others wait.
    #[serde(default)]
    pub ramp: Vec<RampStep>,
    /// Steps of the ramp that it has passed.
    #[serde(default)]
    pub ramp_done: usize,
    /// Since when it has waited at the next one.
    #[serde(default)]
    pub rests_since: Option<Timestamp>,
    /// Where it stands.
    pub phase: DrillPhase,
    /// What is moved, in the order in which it leaves.
    pub services: Vec<DrilledService>,
    /// What was asked before the start.
    pub pre_checks: Vec<PreCheck>,
    /// Who had said yes when it started, and when each did.
    pub approved_by: BTreeMap<String, Timestamp>,
    /// When it began to move.
    pub started_at: Option<Timestamp>,
    /// When the last service had arrived.
    pub held_since: Option<Timestamp>,
    /// Why it returns early.
    pub stop: Option<Stop>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How it ended, and the rule that says so.
    pub verdict: Option<(DrillVerdict, DrillRule)>,
    /// SHA-256 of its report, which was sealed when it was over; `None`: it has none.
    #[serde(default)]
    pub report_digest: Option<String>,
    /// What should be looked at although it may have passed.
    pub findings: Vec<String>,
    /// What happened, in order.
    pub timeline: Vec<(Timestamp, String)>,
    /// What people said, by the region in whose cluster they said it. Each region writes only its own.
    #[serde(default)]
    pub words: BTreeMap<RegionName, Words>,
    /// All of it in one sentence.
    pub message: String,
    /// The process that wrote last.
    pub owner: Identity,
}

/// What people said of a run in one cluster.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Words {
    /// It shall stop.
    pub abort: bool,
    /// Who says yes.
    pub approvals: BTreeMap<String, Yes>,
}

/// One person's yes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Yes {
    /// When it was said.
    pub at: Timestamp,
    /// Until when it counts; `None`: until the run has started.
    pub until: Option<Timestamp>,
}

/// What a run must keep to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillLimits {
    /// How long the services stay away.
    pub hold: Duration,
    /// How long all of it may take.
    pub max_duration: Duration,
    /// How late it may start.
    pub starting_deadline: Duration,
    /// An early sign in what serves makes it return.
    pub degraded: bool,
    /// What the samples of those who serve must keep to.
    #[serde(default)]
    pub samples: Option<SampleLimits>,
    /// Distinct people who must say yes.
    pub approvals: u32,
    /// Waits for another run of the same drill, instead of giving up.
    pub waits_for_another: bool,
}

/// So many services leave, and the others wait.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RampStep {
    /// Percent of the services, rounded up.
    pub percent: u32,
    /// How long the others wait.
    pub hold: Duration,
}

impl RampStep {
    /// Services that have left at this step, of so many.
    #[must_use]
    pub fn services(&self, of: usize) -> usize {
        (of * usize::try_from(self.percent).unwrap_or(100)).div_ceil(100)
    }
}

/// One service of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrilledService {
    /// Which.
    pub service: ServiceKey,
    /// The region that it leaves.
    pub leaves: RegionName,
    /// The region that it goes to; `None`: where it would be moved if `leaves` were lost.
    pub goes_to: Option<RegionName>,
    /// Recovery time objective.
    pub rto_target: Option<Duration>,
    /// Where it stands.
    pub state: DrilledState,
    /// Who served before.
    pub from: BTreeSet<RegionName>,
    /// Who served while it was away.
    pub to: BTreeSet<RegionName>,
    /// When it was told to leave.
    pub left_at: Option<Timestamp>,
    /// When it was told to return, the last time.
    pub returned_at: Option<Timestamp>,
    /// Times that it was told to return.
    pub returns: u32,
    /// From the order to verified service.
    pub rto: Option<Duration>,
    /// The same for the way back.
    pub return_time: Option<Duration>,
}

/// Where one service of a run stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DrilledState {
    /// Its turn has not come.
    Waiting,
    /// It is being moved away.
    Leaving,
    /// It is served at the other place.
    Away,
    /// It is being moved back.
    Returning,
    /// It is served as before.
    Back,
    /// It never left.
    Stayed,
    /// It was moved and not moved back: the place that it came from broke, or did not take it back.
    Kept,
}

impl DrilledService {
    /// A service whose turn has not come.
    #[must_use]
    pub const fn waiting(
        service: ServiceKey,
        leaves: RegionName,
        goes_to: Option<RegionName>,
        rto_target: Option<Duration>,
    ) -> Self {
        Self {
            service,
            leaves,
            goes_to,
            rto_target,
            state: DrilledState::Waiting,
            from: BTreeSet::new(),
            to: BTreeSet::new(),
            left_at: None,
            returned_at: None,
            returns: 0,
            rto: None,
            return_time: None,
        }
    }
}

impl DrilledState {
    /// Nothing will happen to it any more.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Back | Self::Stayed | Self::Kept)
    }

    /// The word in status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Leaving => "Leaving",
            Self::Away => "Away",
            Self::Returning => "Returning",
            Self::Back => "Back",
            Self::Stayed => "Stayed",
            Self::Kept => "Kept",
        }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DrillPhase {
    /// Waits for its time and for approvals.
    Announced,
    /// Services are being moved away, one after the other.
    Leaving,
    /// All are away.
    Holding,
    /// Services are being moved back.
    Returning,
    /// Over.
    Over,
}

/// One thing that was asked before the start.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreCheck {
    /// Name of a rule of the decision, or of one of the drill's own.
    pub name: String,
    /// The service; `None`: the drill as a whole.
    pub service: Option<Arc<str>>,
    /// What it said.
    pub outcome: RuleOutcome,
    /// Why.
    pub message: String,
}

/// Why a run returns early.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// When.
    pub at: Timestamp,
    /// What made it.
    pub cause: StopCause,
    /// In words.
    pub message: String,
    /// Name of the guardrail that tripped, if one did.
    #[serde(default)]
    pub guardrail: Option<String>,
}

/// What makes a run return early.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum StopCause {
    /// A person said so.
    Person,
    /// What serves is not well.
    Guardrail,
    /// Something broke that the drill did not touch.
    Incident,
    /// It took too long.
    OverTime,
    /// A service could not be moved away.
    MoveFailed,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum DrillVerdict {
    /// Moved, held and returned within all limits.
    Passed,
    /// The same, but something should be looked at.
    PassedWithFindings,
    /// A limit was missed.
    Failed,
    /// It was stopped early.
    Aborted,
    /// Nothing was touched.
    NotStarted,
}

/// The rule that decided the verdict. Its name stands in status, report and metrics.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum DrillRule {
    /// A person stopped it before it began.
    AbortedBeforeStart,
    /// A check before the start did not pass.
    PreCheckBlocked,
    /// Too few people said yes in time.
    ApprovalsMissing,
    /// Another run of the same drill was going on.
    AnotherRun,
    /// No selected service is served by the region that is left.
    NothingToMove,
    /// A service could not be brought back.
    ReturnFailed,
    /// Something broke that the drill did not touch.
    RealIncident,
    /// A person stopped it.
    AbortedByPerson,
    /// What served was not well.
    GuardrailTripped,
    /// It took longer than it may.
    OverTime,
    /// A service could not be moved away.
    MoveFailed,
    /// A loss would not have been noticed, or not in time.
    LossUnnoticed,
    /// A service was served later than its objective allows.
    RtoMissed,
    /// Nothing was missed, but something should be looked at.
    FindingsOpen,
    /// Nothing was missed.
    AllLimitsKept,
}

/// What a drill wants done. The same order given twice is done once: each has a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// Move a service. A request of this name, unless there is one.
    Move {
        /// The service.
        service: ServiceKey,
        /// Name of the Failover.
        run: RunId,
        /// Region that shall stop serving.
        from: Option<RegionName>,
        /// Region that shall serve.
        to: Option<RegionName>,
        /// On the way back.
        back: bool,
    },
    /// Undo a move that is going on.
    TurnBack {
        /// The service.
        service: ServiceKey,
        /// Name of the Failover.
        run: RunId,
    },
}

/// What a run can see of the world.
#[derive(Clone, Debug, PartialEq)]
pub struct DrillSight {
    /// The wall clock.
    pub now: Timestamp,
    /// Another run of the same drill that is going on.
    pub another_run: Option<RunId>,
    /// What is not known yet and must be before the start; it is waited for as long as a run may be late.
    pub waits_for: Option<String>,
    /// What the drill as a whole asks before its start.
    pub checks: Vec<PreCheck>,
    /// What was measured for each condition, in the order of the run's.
    pub conditions: Vec<Measured>,
    /// The services, in the order of the run's.
    pub services: Vec<ServiceSight>,
}

/// What a run can see of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceSight {
    /// Who serves by the ledger.
    pub serving: BTreeSet<RegionName>,
    /// The worst health among those who serve.
    pub health: MemberHealth,
    /// What the samples of one who serves are beyond, by a vantage whose word counts.
    pub beyond: Option<String>,
    /// Health of the member in the region that it leaves.
    pub origin: MemberHealth,
    /// The move away.
    pub away: Option<MoveSight>,
    /// The last move back.
    pub back: Option<MoveSight>,
    /// What the rules say of the move that is planned; of a run that detects, the stages of a loss that is supposed.
    pub checks: Vec<PreCheck>,
}

/// What a run can see of one of its moves.
#[derive(Clone, Debug, PartialEq)]
pub struct MoveSight {
    /// Where it stands.
    pub state: RunState,
    /// When the new members were seen to answer well.
    pub verified: Option<Timestamp>,
    /// The move in one sentence.
    pub message: String,
}

impl DrillPhase {
    /// Services are away, or on their way.
    #[must_use]
    pub const fn is_going_on(self) -> bool {
        !matches!(self, Self::Announced | Self::Over)
    }

    /// The word in status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "Announced",
            Self::Leaving => "Leaving",
            Self::Holding => "Holding",
            Self::Returning => "Returning",
            Self::Over => "Over",
        }
    }
}

impl DrillVerdict {
    /// Every verdict, for metrics.
    pub const ALL: [Self; 5] =
        [Self::Passed, Self::PassedWithFindings, Self::Failed, Self::Aborted, Self::NotStarted];

    /// The word in status, report and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::PassedWithFindings => "PassedWithFindings",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
            Self::NotStarted => "NotStarted",
        }
    }

    /// Whether it renews the freshness of its services.
    #[must_use]
    pub const fn is_passed(self) -> bool {
        matches!(self, Self::Passed | Self::PassedWithFindings)
    }
}

impl DrillRule {
    /// Every rule, in the order in which they are asked.
    pub const ALL: [Self; 15] = [
        Self::AbortedBeforeStart,
        Self::AnotherRun,
        Self::ApprovalsMissing,
        Self::NothingToMove,
        Self::PreCheckBlocked,
        Self::ReturnFailed,
        Self::RealIncident,
        Self::AbortedByPerson,
        Self::GuardrailTripped,
        Self::OverTime,
        Self::MoveFailed,
        Self::RtoMissed,
        Self::LossUnnoticed,
        Self::FindingsOpen,
        Self::AllLimitsKept,
    ];

    /// The name in status, report and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AbortedBeforeStart => "AbortedBeforeStart",
            Self::PreCheckBlocked => "PreCheckBlocked",
            Self::ApprovalsMissing => "ApprovalsMissing",
            Self::AnotherRun => "AnotherRun",
            Self::NothingToMove => "NothingToMove",
            Self::ReturnFailed => "ReturnFailed",
            Self::RealIncident => "RealIncident",
            Self::AbortedByPerson => "AbortedByPerson",
            Self::GuardrailTripped => "GuardrailTripped",
            Self::OverTime => "OverTime",
            Self::MoveFailed => "MoveFailed",
            Self::LossUnnoticed => "LossUnnoticed",
            Self::RtoMissed => "RtoMissed",
            Self::FindingsOpen => "FindingsOpen",
            Self::AllLimitsKept => "AllLimitsKept",
        }
    }
}

impl fmt::Display for DrillRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;

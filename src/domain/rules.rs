//! The rules that stand between a wish and a move. Their order is fixed: it is the order in status, events and logs.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Agreement, BudgetLimits, MemberHealth, Mode, Published, RegionName, RunId, ServiceKey, SpecWord,
    TargetRefusal, Trigger,
};

/// One rule. The name is the same in status, events, logs and metrics.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Rule {
    /// Something has to be moved at all.
    MoveNeeded,
    /// No other run of this service is going on.
    NoOtherRun,
    /// What is published now is known and belongs to this service.
    NameUnclaimed,
    /// The red lever is not pulled.
    GlobalStop,
    /// The service's mode lets Bongsu move it.
    Mode,
    /// Most reachable regions hold the spec that is decided on.
    SpecInSync,
    /// Enough vantages are alive and not suspect (I6).
    VantagesTrusted,
    /// What the service needs is up (I6).
    DependencyHealthy,
    /// A member can take over.
    TargetAvailable,
    /// A gate stands before the writer, so that it can be fenced (I1).
    WriterFenced,
    /// Somebody serves afterwards (I3).
    NeverEmpty,
    /// Those who serve afterwards can carry the load (I4).
    Capacity,
    /// The last automatic move was long enough ago.
    Cooldown,
    /// The last passed drill is fresh enough.
    DrillFresh,
    /// The region's budget is not used up (I6).
    RegionBudget,
    /// The group's budget is not used up (I6).
    GroupBudget,
}

impl Rule {
    /// Every rule, in the fixed order.
    pub const ALL: [Self; 16] = [
        Self::MoveNeeded,
        Self::NoOtherRun,
        Self::NameUnclaimed,
        Self::GlobalStop,
        Self::Mode,
        Self::SpecInSync,
        Self::VantagesTrusted,
        Self::DependencyHealthy,
        Self::TargetAvailable,
        Self::WriterFenced,
        Self::NeverEmpty,
        Self::Capacity,
        Self::Cooldown,
        Self::DrillFresh,
        Self::RegionBudget,
        Self::GroupBudget,
    ];

    /// The name in status, events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MoveNeeded => "MoveNeeded",
            Self::NoOtherRun => "NoOtherRun",
            Self::NameUnclaimed => "NameUnclaimed",
            Self::GlobalStop => "GlobalStop",
            Self::Mode => "Mode",
            Self::SpecInSync => "SpecInSync",
            Self::VantagesTrusted => "VantagesTrusted",
            Self::DependencyHealthy => "DependencyHealthy",
            Self::TargetAvailable => "TargetAvailable",
            Self::WriterFenced => "WriterFenced",
            Self::NeverEmpty => "NeverEmpty",
            Self::Capacity => "Capacity",
            Self::Cooldown => "Cooldown",
            Self::DrillFresh => "DrillFresh",
            Self::RegionBudget => "RegionBudget",
            Self::GroupBudget => "GroupBudget",
        }
    }
}

/// What a rule says.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum RuleOutcome {
    /// Nothing against it.
    Pass,
    /// It does not apply to this move.
    NotApplicable,
    /// A person has to do it.
    Recommend,
    /// It must not happen now.
    Block,
}

impl RuleOutcome {
    /// The word in status and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "Pass",
            Self::NotApplicable => "NotApplicable",
            Self::Recommend => "Recommend",
            Self::Block => "Block",
        }
    }
}

/// One rule and what it said.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The rule.
    pub rule: Rule,
    /// What it said.
    pub outcome: RuleOutcome,
    /// Why.
    pub why: Why,
}

/// Why a rule said what it said. `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// Nobody has to move.
    NothingToDo,
    /// Who serves cannot be called lost, because a member is unknown.
    ServingUnknown {
        /// The member.
        member: RegionName,
    },
    /// This is why.
    Wanted(Trigger),
    /// The rule does not apply to this trigger.
    NotFor(Trigger),
    /// Nothing speaks against it.
    Fine,
    /// A run is going on.
    Running(RunId),
    /// Another service has the name.
    ClaimedBy(ServiceKey),
    /// What is published is not ours, or not known.
    Published(Published),
    /// The red lever.
    Stopped {
        /// The Region that carries it.
        region: RegionName,
        /// Its reason.
        reason: Arc<str>,
    },
    /// The mode.
    Mode(Mode),
    /// What the regions hold.
    Specs(Agreement),
    /// Vantages.
    Vantages {
        /// Alive and not suspect.
        trusted: u32,
        /// Alive but suspect.
        suspect: u32,
        /// Needed.
        quorum: u32,
    },
    /// A service that this one needs is down.
    DependencyDown(ServiceKey),
    /// Who would take over.
    Target(RegionName),
    /// Who would take over although it is not healthy, because nobody is.
    LastResort(RegionName, MemberHealth),
    /// Why the best candidate cannot.
    NoTarget {
        /// The candidate; `None`: there is no other member.
        candidate: Option<(RegionName, TargetRefusal)>,
    },
    /// The writer has a gate.
    Gated,
    /// Bongsu stops the writer's workload where it serves, and says so.
    WorkloadStops,
    /// Nobody in this region can say that its workload has stopped.
    NobodyConfirms(RegionName),
    /// Nothing is said of a fence.
    NoGate,
    /// There should be a gate, and none was ever seen.
    GateNeverSeen,
    /// Nobody that carries load would be left.
    Empty,
    /// How many carry load afterwards.
    Left {
        /// Members.
        members: u32,
    },
    /// Capacity and load in requests a second.
    Load {
        /// What those who serve afterwards carry; `None`: a member is not limited.
        capacity: Option<u64>,
        /// Peak load.
        load: u64,
    },
    /// The spec states no load.
    LoadUnknown,
    /// Time since the last automatic move.
    Cooldown {
        /// Time that is left.
        left: Duration,
    },
    /// The loss of a region passes the cooldown.
    RegionLossPasses,
    /// Taking out what is down passes the cooldown.
    DrainPasses,
    /// Drills.
    Drill {
        /// Age of the last passed one.
        age: Option<Duration>,
        /// Limit.
        limit: Duration,
    },
    /// A budget.
    Budget {
        /// Region whose budget it is.
        region: RegionName,
        /// Moves within the time.
        used: u32,
        /// Limit.
        limit: u32,
        /// The time.
        per: Duration,
    },
    /// The evacuation budget.
    Evacuation {
        /// Region that is evacuated.
        region: RegionName,
        /// Moves that are not shifted yet.
        used: u32,
        /// Limits.
        limits: BudgetLimits,
    },
    /// The wish does not fit the service.
    WishMisfit(&'static str),
}

const SUSPECTS: &str = "; those that see several regions turn bad at once are themselves the suspects";

const GATE_NEVER_SEEN: &str = "no gate has ever held the writer's lease, so nobody knows that the old writer will stop: start bongsu gate \
                               before each writer, or create the Failover yourself";

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToDo => f.write_str("what serves is not down; nothing has to move"),
            Self::ServingUnknown { member } => {
                write!(f, "{member} serves and its health is unknown: unknown is neither down nor up")
            }
            Self::Wanted(trigger) => write!(f, "a move is wanted: {}", trigger.as_str()),
            Self::NotFor(trigger) => write!(f, "does not apply to {}", trigger.as_str()),
            Self::Fine => f.write_str("nothing against it"),
            Self::Running(run) => write!(f, "Failover {run} is going on"),
            Self::ClaimedBy(service) => {
                write!(f, "SharedService {service} is older and publishes the same name: rename one of them")
            }
            Self::Published(published) => published_text(published, f),
            Self::Stopped { region, reason } => {
                write!(f, "Region {region} carries globalStop ({reason}): remove it to go on")
            }
            Self::Mode(mode) => f.write_str(mode_text(*mode)),
            Self::Specs(agreement) => specs_text(agreement, f),
            Self::Vantages { trusted, suspect, quorum } => {
                let suspects = if *suspect > 0 { SUSPECTS } else { "" };
                write!(f, "{trusted} vantages are alive and trusted, {quorum} must agree{suspects}")
            }
            Self::DependencyDown(service) => {
                write!(f, "{service} is needed and down: moving this service would not help")
            }
            Self::Target(region) => write!(f, "{region} can take over"),
            Self::LastResort(region, health) => last_resort_text(region, *health, f),
            Self::NoTarget { candidate: None } => f.write_str("there is no other member"),
            Self::NoTarget { candidate: Some((region, refusal)) } => {
                write!(f, "{region} cannot take over: {refusal}")
            }
            Self::Gated => f.write_str("a gate stands before the writer: the move waits until it has shut"),
            Self::WorkloadStops => {
                f.write_str("the move waits until Bongsu has read back that no pod writes any more")
            }
            Self::NobodyConfirms(region) => unconfirmed_text(region, f),
            Self::NoGate => f.write_str("the spec has no fence: nothing is promised of writes"),
            Self::GateNeverSeen => f.write_str(GATE_NEVER_SEEN),
            Self::Empty => f.write_str("nobody who carries load would be left"),
            Self::Left { members } => write!(f, "{members} would serve"),
            Self::Load { capacity, load } => match capacity {
                Some(capacity) => write!(f, "those who would serve carry {capacity}/s, the peak is {load}/s"),
                None => write!(f, "those who would serve are not limited, the peak is {load}/s"),
            },
            Self::LoadUnknown => f.write_str("the spec states no peakLoad"),
            Self::Cooldown { left } => {
                write!(f, "the last automatic move is too fresh: {} left", coarse(*left))
            }
            Self::RegionLossPasses => f.write_str("the loss of a region passes the cooldown"),
            Self::DrainPasses => f.write_str("taking out what is down passes the cooldown"),
            Self::Drill { age, limit } => drill_text(*age, *limit, f),
            Self::Budget { region, used, limit, per } => {
                write!(f, "{used} of {limit} unplanned moves away from {region} within {per:?}")
            }
            Self::Evacuation { region, used, limits } => {
                write!(f, "evacuating {region}: {used} of {} moves at the same time", limits.evacuating)
            }
            Self::WishMisfit(text) => f.write_str(text),
        }
    }
}

fn last_resort_text(region: &RegionName, health: MemberHealth, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{region} takes over as a last resort: it is {health}, and nobody who could is healthy")
}

fn drill_text(age: Option<Duration>, limit: Duration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let limit = coarse(limit);
    match age {
        Some(age) => write!(f, "the last passed drill is {} old, the limit is {limit}", coarse(age)),
        None => write!(f, "no drill has passed yet, the limit is {limit}: a person must start the move"),
    }
}

/// A time as a person would say it. Coarse on purpose: it stands in a status, and a status that changes every second
/// is written every second.
fn coarse(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        7_200..172_800 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

fn unconfirmed_text(region: &RegionName, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "the Bongsu of {region} does not answer, so nobody confirms that the workload there has stopped: make sure that it \
         has, and create a Failover with writerStopped: true"
    )
}

fn published_text(published: &Published, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match published {
        Published::Nothing => f.write_str("nothing is published yet"),
        Published::Members { .. } => f.write_str("what is published belongs to this service"),
        Published::Foreign { found } => {
            write!(f, "{found} is published and belongs to no member: create a Failover to replace it")
        }
        Published::Unknown { cause } => write!(f, "what is published could not be read: {cause}"),
    }
}

fn specs_text(agreement: &Agreement, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (same, said) = (agreement.same(), agreement.said());
    write!(f, "{same} of {said} regions that say what they hold have this spec")?;
    if !agreement.is_most() {
        f.write_str(", more than half must")?;
    }
    for (word, text) in [(SpecWord::Other, "differs in"), (SpecWord::Missing, "is missing in")] {
        let names: Vec<&str> = agreement.saying(word).map(RegionName::as_str).collect();
        if !names.is_empty() {
            write!(f, "; {text} {}", names.join(", "))?;
        }
    }
    if same < said {
        f.write_str(": apply the same SharedService and GradePolicy in every data center")?;
    }
    Ok(())
}

const fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::Automatic => "mode Automatic",
        Mode::Approve => {
            "mode Approve: approvals are for drills only so far, so a person must create the Failover"
        }
        Mode::Recommend => "mode Recommend: a person must create the Failover",
        Mode::Manual => "mode Manual: only a person starts a move",
    }
}

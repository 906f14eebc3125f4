//! Condition types, and how a list of conditions is kept.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// Every condition type that Bongsu sets. `docs/operations.md` says what to do for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConditionType {
    /// The object works as its spec says.
    Ready,
    /// Work is going on (kstatus).
    Reconciling,
    /// Work cannot go on without a person (kstatus).
    Stalled,
    /// The spec is understood and its references are known.
    Accepted,
    /// The configuration can meet its own recovery time objective.
    ObjectivesFeasible,
    /// A loss of what serves now would be answered by an automatic move.
    FailoverReady,
    /// The service could be switched in every direction, by Bongsu or by a person.
    ReadyToSwitch,
    /// What is published is what the ledger says.
    TrafficInSync,
    /// A gate holds the writer's lease, so the writer stops whatever becomes of its region.
    WriterFenced,
    /// The reachable regions hold the same spec.
    SpecInSync,
    /// One installation alone calls itself by a region's name.
    NameUnique,
    /// A region's Bongsu renews its lease.
    AgentAlive,
    /// A region's Bongsu takes every sample that is due.
    ProbesOnTime,
    /// A region is confirmed lost.
    Lost,
    /// A Failover is over and did what it should.
    Complete,
    /// A Failover is over and did not do what it should.
    Failed,
    /// A Failover waits for a person.
    Paused,
    /// A Failover is executing steps.
    Progressing,
}

impl ConditionType {
    /// The type as it stands in `status.conditions`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Accepted => "Accepted",
            Self::ObjectivesFeasible => "ObjectivesFeasible",
            Self::FailoverReady => "FailoverReady",
            Self::ReadyToSwitch => "ReadyToSwitch",
            Self::TrafficInSync => "TrafficInSync",
            Self::WriterFenced => "WriterFenced",
            Self::SpecInSync => "SpecInSync",
            Self::NameUnique => "NameUnique",
            Self::AgentAlive => "AgentAlive",
            Self::ProbesOnTime => "ProbesOnTime",
            Self::Lost => "Lost",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
            Self::Paused => "Paused",
            Self::Progressing => "Progressing",
        }
    }
}

/// One condition; `None` is `Unknown`. `reason` is a CamelCase word, `message` a sentence for people.
#[must_use]
pub fn condition(
    kind: ConditionType,
    status: Option<bool>,
    reason: &str,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let status = match status {
        Some(true) => "True",
        Some(false) => "False",
        None => "Unknown",
    };
    Condition {
        type_: kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.into(),
        observed_generation: generation,
        last_transition_time: Time(now),
    }
}

/// The new conditions sorted by type; `lastTransitionTime` is kept where the status is still the old one, so that an
/// unchanged state gives an unchanged object and wakes nobody.
#[must_use]
pub fn merge_conditions(old: &[Condition], mut new: Vec<Condition>) -> Vec<Condition> {
    for condition in &mut new {
        let before = old.iter().find(|o| o.type_ == condition.type_ && o.status == condition.status);
        if let Some(before) = before {
            condition.last_transition_time = before.last_transition_time.clone();
        }
    }
    new.sort_by(|a, b| a.type_.cmp(&b.type_));
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_when_the_status_does() {
        let [early, late] = [1, 2].map(|s| Timestamp::from_second(s).unwrap());
        let at = |status, time| condition(ConditionType::Ready, status, "R", "m", Some(1), time);
        let kept = merge_conditions(&[at(Some(true), early)], vec![at(Some(true), late)]);
        assert_eq!(kept[0].last_transition_time, Time(early));
        let moved = merge_conditions(&kept, vec![at(None, late)]);
        assert_eq!(moved[0].last_transition_time, Time(late));
        assert_eq!(moved[0].status, "Unknown");
    }
}

//! The decision: what should happen to one service now, and what every rule says about it. Total and pure.

mod detection;
mod evaluate;
mod wanted;

use super::{
    Epoch, Evaluation, Move, Observation, Plan, RegionName, Report, RuleOutcome, Timestamp, Verdict, plan_for,
};

pub use detection::{detection, noticed};

/// What should happen, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What should happen.
    pub action: Action,
    /// The move that is wanted, whether or not it may happen.
    pub wanted: Option<Move>,
    /// Every rule, in the fixed order.
    pub rules: Vec<Evaluation>,
}

/// What should happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing.
    Hold,
    /// A person should start this.
    Recommend(Box<Plan>),
    /// This should start now.
    Start(Box<Plan>),
}

impl Action {
    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Hold => "Hold",
            Self::Recommend(_) => "Recommend",
            Self::Start(_) => "Start",
        }
    }
}

impl Decision {
    /// The rules that keep the move from starting by itself.
    pub fn blockers(&self) -> impl Iterator<Item = &Evaluation> {
        self.rules.iter().filter(|e| matches!(e.outcome, RuleOutcome::Block | RuleOutcome::Recommend))
    }
}

/// Decides. One function for failover, switchover, failback and, later, drills.
#[must_use]
pub fn decide(seen: &Observation) -> Decision {
    let wanted = wanted::wanted(seen);
    let rules = evaluate::evaluate(seen, &wanted);
    let strictest = rules.iter().map(|e| e.outcome).max().unwrap_or(RuleOutcome::Block);
    let change = wanted.change;
    let action = match (strictest, &change) {
        (_, None) | (RuleOutcome::Block, _) => Action::Hold,
        (RuleOutcome::Recommend, Some(change)) => Action::Recommend(Box::new(plan(seen, change.clone()))),
        (RuleOutcome::Pass | RuleOutcome::NotApplicable, Some(change)) => {
            Action::Start(Box::new(plan(seen, change.clone())))
        }
    };
    Decision { action, wanted: change, rules }
}

/// The plan of a move, whether or not it may start.
#[must_use]
fn plan(seen: &Observation, change: Move) -> Plan {
    plan_for(&seen.service, change, next_epoch(seen), &seen.timings)
}

/// One above whatever the ledger, or the name servers of an earlier ledger, have seen.
fn next_epoch(seen: &Observation) -> Epoch {
    let published = match &seen.published {
        super::Published::Members { epoch: Some(epoch), .. } => *epoch,
        _ => Epoch::default(),
    };
    seen.record.as_ref().map_or(published, |record| record.epoch.max(published)).next()
}

/// The same observation, with all other vantages saying that the member in `region` fails since `at`: the question
/// "what would happen if it were lost now?".
#[must_use]
pub fn suppose_lost(seen: &Observation, region: &RegionName, at: Timestamp) -> Observation {
    let mut supposed = seen.clone();
    supposed.request = None;
    for member in supposed.members.iter_mut().filter(|member| member.region == *region) {
        for (report, vantage) in member.reports.iter_mut().zip(&seen.vantages) {
            if vantage.alive && vantage.region != *region {
                *report = Report { verdict: Verdict::Failed, onset: Some(at), since: at };
            }
        }
    }
    supposed
}

impl Decision {
    /// The plan of the wanted move, also where a rule blocks it.
    #[must_use]
    pub fn plan(&self, seen: &Observation) -> Option<Plan> {
        match &self.action {
            Action::Recommend(found) | Action::Start(found) => Some((**found).clone()),
            Action::Hold => self.wanted.clone().map(|change| plan(seen, change)),
        }
    }
}

#[cfg(test)]
mod tests;

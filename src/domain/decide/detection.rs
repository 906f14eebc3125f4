//! Whether the loss of a member would be noticed, and what would become of it: what a drill of kind `Detection` asks.

use super::{Action, decide, suppose_lost};
use crate::domain::{
    Judged, MemberHealth, Observation, Plan, PreCheck, RegionName, RuleOutcome, Verdict, predict,
};

/// Supposes that the member in a region is lost, as every vantage outside of it would see it, and says at each stage, from
/// the vantage to the decision, whether it would be passed. Moves nothing, and changes nothing.
#[must_use]
pub fn detection(seen: &Observation, leaves: &RegionName) -> Vec<PreCheck> {
    let [speak, quorum, in_time] = noticed(seen, leaves);
    let decided = judged("MoveDecided", move_decided(&suppose_lost(seen, leaves, seen.wall)));
    let stages = [speak, quorum, decided, in_time].into_iter();
    stages.map(|stage| stage.pre_check(Some(&seen.service.key.name))).collect()
}

/// The stages of it that do not depend on what may be done about the loss.
#[must_use]
pub fn noticed(seen: &Observation, leaves: &RegionName) -> [Judged; 3] {
    let supposed = suppose_lost(seen, leaves, seen.wall);
    [
        judged("VantagesSpeak", vantages_speak(seen)),
        judged("QuorumReached", quorum_reached(&supposed, leaves)),
        judged("DetectedInTime", detected_in_time(seen)),
    ]
}

fn judged(name: &'static str, (outcome, message): (RuleOutcome, String)) -> Judged {
    Judged { name, outcome, message }
}

/// Every vantage is there, trusted, and has a word on every member.
fn vantages_speak(seen: &Observation) -> (RuleOutcome, String) {
    if let Some(missing) = seen.vantages.iter().find(|vantage| !vantage.trusted()) {
        let why = if missing.alive { "sees too much fail and is not trusted" } else { "is silent" };
        return (RuleOutcome::Block, format!("the vantage in {} {why}", missing.region));
    }
    for member in &seen.members {
        let mut votes = member.reports.iter().zip(&seen.vantages);
        if let Some((_, vantage)) = votes.find(|(report, _)| report.verdict == Verdict::Unknown) {
            let text = format!("the vantage in {} has no word on {}", vantage.region, member.region);
            return (RuleOutcome::Block, text);
        }
    }
    let (vantages, members) = (seen.vantages.len(), seen.members.len());
    (RuleOutcome::Pass, format!("{vantages} vantages speak of {members} members"))
}

fn quorum_reached(supposed: &Observation, leaves: &RegionName) -> (RuleOutcome, String) {
    let quorum = supposed.service.health.quorum;
    match supposed.health_in(leaves) {
        MemberHealth::Down => {
            (RuleOutcome::Pass, format!("{quorum} vantages would agree that {leaves} is down"))
        }
        other => (
            RuleOutcome::Block,
            format!("{quorum} vantages must agree, and with {leaves} lost they would call it {other}"),
        ),
    }
}

/// A service that its owner wants to be moved by a person is noticed as well as one that Bongsu moves.
fn move_decided(supposed: &Observation) -> (RuleOutcome, String) {
    let decision = decide(supposed);
    let names = |of: &Plan| of.change.to.iter().map(|region| region.as_str()).collect::<Vec<_>>().join(", ");
    let against = || {
        let found: Vec<String> =
            decision.blockers().map(|rule| format!("{}: {}", rule.rule.as_str(), rule.why)).collect();
        found.join("; ")
    };
    match &decision.action {
        Action::Start(plan) => (RuleOutcome::Pass, format!("Bongsu would move it to {}", names(plan))),
        Action::Recommend(plan) => {
            let text = format!("a person would have to move it to {} ({})", names(plan), against());
            (RuleOutcome::Pass, text)
        }
        Action::Hold => (RuleOutcome::Block, format!("nothing would be moved ({})", against())),
    }
}

fn detected_in_time(seen: &Observation) -> (RuleOutcome, String) {
    let prediction = predict(&seen.service, &seen.timings);
    let text = format!("noticed within {:?}, served again within: {prediction}", prediction.detect);
    match seen.service.rto {
        Some(rto) if prediction.total() > rto => {
            (RuleOutcome::Block, format!("{text}; the objective is {rto:?}"))
        }
        Some(rto) => (RuleOutcome::Pass, format!("{text}; the objective is {rto:?}")),
        None => (RuleOutcome::NotApplicable, format!("{text}; there is no objective")),
    }
}

//! Whether a loss would be noticed: one stage after the other is taken away.

use std::time::Duration;

use super::{super::*, world::World};
use crate::domain::{Mode, Observation, Topology, Verdict};

/// Outcome of each stage, as letters: `p` pass, `b` block, `-` does not apply; and what the first that blocks says.
fn asked(seen: &Observation) -> (String, String) {
    let stages = detection(seen, &"a".into());
    let letter = |stage: &crate::domain::PreCheck| match stage.outcome {
        RuleOutcome::Pass => 'p',
        RuleOutcome::Block => 'b',
        RuleOutcome::Recommend => 'r',
        RuleOutcome::NotApplicable => '-',
    };
    let blocked = stages.iter().find(|stage| stage.outcome == RuleOutcome::Block);
    (stages.iter().map(letter).collect(), blocked.map(|stage| stage.message.clone()).unwrap_or_default())
}

fn well() -> Observation {
    World::new(Topology::ActiveStandby).observe()
}

#[test]
fn where_all_is_well_a_loss_passes_every_stage_and_moves_nothing() {
    let seen = well();
    assert_eq!(asked(&seen), ("ppp-".to_owned(), String::new()));
    assert_eq!(decide(&seen).action, Action::Hold, "what is supposed is gone again");
    let active = World::new(Topology::ActiveActive).observe();
    assert_eq!(asked(&active).0, "ppp-");
}

#[test]
fn a_vantage_that_is_silent_suspect_or_has_no_word_is_named() {
    let mut silent = well();
    silent.vantages[2].alive = false;
    // The member's own vantage has no vote from outside: two of three are needed, and one is left.
    assert_eq!(asked(&silent), ("bbb-".to_owned(), "the vantage in w is silent".to_owned()));
    let suspect = World::new(Topology::ActiveStandby).suspect("w").observe();
    assert_eq!(asked(&suspect).1, "the vantage in w sees too much fail and is not trusted");
    let mut wordless = well();
    wordless.members[1].reports[2].verdict = Verdict::Unknown;
    assert_eq!(asked(&wordless), ("bpp-".to_owned(), "the vantage in w has no word on b".to_owned()));
}

#[test]
fn a_loss_that_no_move_would_answer_says_which_rule_is_against_it() {
    let nowhere = World::new(Topology::ActiveStandby).recovering("b").observe();
    let (stages, why) = asked(&nowhere);
    assert_eq!(stages, "ppb-");
    assert!(why.contains("TargetAvailable: b cannot take over: it is Recovering"), "{why}");
    let mut by_hand = well();
    std::sync::Arc::make_mut(&mut by_hand.service).failover.mode = Mode::Recommend;
    assert_eq!(asked(&by_hand).0, "ppp-", "noticed, and left to a person");
}

#[test]
fn a_loss_that_is_answered_later_than_the_objective_allows_is_not_in_time() {
    for (rto, letter) in [(60, 'p'), (20, 'b')] {
        let mut seen = well();
        std::sync::Arc::make_mut(&mut seen.service).rto = Some(Duration::from_secs(rto));
        let (stages, why) = asked(&seen);
        assert_eq!(stages, format!("ppp{letter}"), "{why}");
    }
}

#[test]
fn a_vantage_that_takes_every_fourth_sample_notices_a_loss_that_much_later() {
    let mut seen = well();
    std::sync::Arc::make_mut(&mut seen.service).rto = Some(Duration::from_secs(30));
    assert_eq!(asked(&seen).0, "pppp");
    seen.timings.stride = 4;
    let (stages, why) = asked(&seen);
    assert!(
        stages == "pppb" && why.contains("noticed within 25s") && why.contains("3 × 8s"),
        "{stages} {why}"
    );
}

//! Faults that wait for a run, and a leader that stands still before or after its effect.

use std::time::Duration;

use super::{Fault, Incident, LEADER};
use crate::{
    domain::{RegionName, StepKind},
    sim::{Moment, Schedule, Site, builtin, run},
};

/// When somebody wants the directory to go to Gwangju.
const WANTED: Moment = Moment(30_000_000);

/// The story of a switchover with a fault that waits for a step of it, as far as it is about either.
fn story(step: StepKind, fault: Fault) -> Vec<(Moment, String)> {
    let setup = builtin();
    let service = setup.services.keys().find(|key| &*key.name == "gpki-directory").cloned().unwrap();
    let switchover = Fault::Switchover(Site(0), service, Some(RegionName::new("gwangju")), false);
    let incidents = vec![
        Incident { at: Moment(10_000_000), step: Some(step), until: Some(Moment(90_000_000)), fault },
        Incident { at: WANTED, step: None, until: None, fault: switchover },
    ];
    let schedule = Schedule { incidents, end: Moment(120_000_000) };
    let outcome = run(&setup, 1, &schedule, true).unwrap();
    assert_eq!(outcome.violation, None);
    outcome.story.into_iter().filter(|(at, _)| *at >= WANTED).collect()
}

/// The first line with these words.
fn first(story: &[(Moment, String)], words: &[&str]) -> (Moment, String) {
    let fits = |(_, line): &&(Moment, String)| words.iter().all(|word| line.contains(word));
    story.iter().find(fits).unwrap_or_else(|| panic!("no {words:?} in {story:#?}")).clone()
}

#[test]
fn what_waits_for_a_step_begins_with_its_intent_and_befalls_who_leads_then() {
    let story = story(StepKind::RaiseEpoch, Fault::Freeze(LEADER));
    let (intended, _) = first(&story, &["RaiseEpoch 2 Running"]);
    let (began, line) = first(&story, &["fault: bongsu in", "stands still"]);
    assert_eq!(began, intended);
    let (raised, _) = first(&story, &["gpki-directory: epoch 2, gwangju serves"]);
    assert!(raised.since(began) > Duration::from_secs(3), "another leader had to come: {line}");
}

#[test]
fn who_stands_still_before_an_effect_sends_it_afterwards_and_who_stands_still_after_it_has_sent_it() {
    let second = Duration::from_secs(1);
    let shifted = |after| {
        let freeze = Fault::FreezeAtEffect(LEADER, 0, after, second * 2);
        let story = story(StepKind::ShiftTraffic, freeze);
        let (intended, _) = first(&story, &["ShiftTraffic Running"]);
        first(&story, &["answers for gpki/gpki-directory", "under epoch 2"]).0.since(intended)
    };
    assert!(shifted(true) < second, "{:?}", shifted(true));
    assert!(shifted(false) > second, "{:?}", shifted(false));
}

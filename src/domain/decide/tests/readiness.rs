//! Tables: a world, and how ready it is, in one line.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{super::*, world::World};
use crate::domain::{
    Direction, Gravity, Looked, Observation, Published, Readiness, Ready, Request, Rule, ServiceKey,
    SpecWord, Surroundings, Topology, Trigger, WriterLease, readiness,
};

/// `Ready`, then each finding: `*` or the direction, and `!` problem, `?` unknown or `~` warning before the check.
fn told(readiness: &Readiness) -> String {
    let mut words = vec![readiness.ready().as_str().to_owned()];
    for (direction, finding) in readiness.findings() {
        let sign = match finding.gravity {
            Gravity::Problem => '!',
            Gravity::Unknown => '?',
            Gravity::Warning => '~',
        };
        words.push(format!("{}{sign}{}", direction.map_or_else(|| "*".to_owned(), way), finding.check));
    }
    words.join(" ")
}

fn way(direction: &Direction) -> String {
    let to: String = direction.to.iter().map(RegionName::as_str).collect();
    format!("{}→{to}", direction.from)
}

fn asked(seen: &Observation, around: &Surroundings) -> Readiness {
    let found = readiness(seen, around).expect("the ledger knows who serves");
    promises_what_a_drill_keeps(seen, &found);
    found
}

/// Whatever a rule would refuse a drill is found before.
#[track_caller]
fn promises_what_a_drill_keeps(seen: &Observation, found: &Readiness) {
    for direction in found.directions.iter().filter(|one| found.ready_in(one) == Ready::Yes) {
        let joins = |region: &&RegionName| !seen.record.as_ref().unwrap().serving.contains(*region);
        let request = Request {
            run: "drill".into(),
            from: Some(direction.from.clone()),
            to: direction.to.iter().find(joins).cloned(),
            dry_run: false,
            trigger: Trigger::Drill,
        };
        let decision = decide(&Observation { request: Some(request), ..seen.clone() });
        let refused = decision.rules.iter().filter(|rule| rule.outcome == RuleOutcome::Block);
        // The lever is a person's, who can let it go.
        let refused: Vec<&str> =
            refused.map(|e| e.rule.as_str()).filter(|name| *name != "GlobalStop").collect();
        assert_eq!(refused, [""; 0], "{}: {}", way(direction), told(found));
    }
}

#[track_caller]
fn check(world: &World, expected: &str) {
    assert_eq!(told(&asked(&world.observe(), &Surroundings::default())), expected);
}

fn standby() -> World {
    World::new(Topology::ActiveStandby)
}

fn active() -> World {
    World::new(Topology::ActiveActive)
}

fn ways(world: &World) -> Vec<String> {
    asked(&world.observe(), &Surroundings::default()).directions.iter().map(way).collect()
}

#[test]
fn a_service_of_which_all_is_well_is_ready_in_every_direction() {
    check(&standby(), "Ready");
    check(&active(), "Ready");
    assert_eq!(ways(&standby().member("c", 10)), ["a→b", "a→c"]);
    assert_eq!(ways(&active().member("c", 10).serving(&["a", "b", "c"])), ["a→bc", "b→ac", "c→ab"]);
}

#[test]
fn a_spare_that_would_have_to_join_is_part_of_the_direction() {
    let world = active().member("c", 0).load(100, &[("b", 60), ("c", 60)]);
    assert_eq!(ways(&world), ["a→bc", "b→a"]);
    check(&world, "Ready");
    check(&world.degraded("c"), "NotReady a→bc!TargetAvailable");
}

#[test]
fn a_region_that_could_not_take_over_is_a_problem_of_the_directions_that_lead_there() {
    check(&standby().degraded("b"), "NotReady a→b!TargetAvailable");
    check(&standby().down("b"), "NotReady a→b!TargetAvailable");
    check(&standby().lost("b"), "NotReady a→b!TargetAvailable");
    check(&standby().maintenance("b"), "NotReady a→b!TargetAvailable");
    check(&standby().region_maintenance("b"), "NotReady a→b!TargetAvailable");
    check(&standby().unknown_region("b"), "NotReady a→b!TargetAvailable");
    check(&standby().without("b"), "NotReady a→!TargetAvailable");
    check(&standby().member("c", 10).down("c"), "NotReady a→c!TargetAvailable");
    check(&active().degraded("b"), "NotReady *~ServingHealthy a→b!TargetAvailable");
}

#[test]
fn one_of_several_that_stay_is_a_warning_as_long_as_the_others_carry_the_load() {
    let three = active().member("c", 10).serving(&["a", "b", "c"]).degraded("c");
    check(&three, "Ready *~ServingHealthy a→bc~TargetAvailable b→ac~TargetAvailable");
    let down = active()
        .member("c", 10)
        .serving(&["a", "b", "c"])
        .down("c")
        .load(100, &[("a", 150), ("b", 60), ("c", 60)]);
    assert!(told(&asked(&down.observe(), &Surroundings::default())).contains("a→bc!Capacity"));
}

#[test]
fn what_is_not_known_is_neither_ready_nor_not() {
    check(&standby().unknown("b"), "Unknown *?VantagesSpeak a→b?TargetAvailable");
    check(&standby().running("x"), "Unknown *?NoOtherRun");
    check(&standby().specs(&[("b", SpecWord::Unsaid)]), "Unknown *?SpecInSync");
    check(&standby().unknown("b").claimed(), "NotReady *!NameUnclaimed *?VantagesSpeak a→b?TargetAvailable");
    let new = standby().new_service(Published::Nothing).observe();
    assert_eq!(readiness(&new, &Surroundings::default()), None);
}

#[test]
fn members_that_cannot_carry_the_peak_are_a_problem_there_and_a_warning_on_the_way_back() {
    check(&standby().load(100, &[("b", 99)]), "NotReady a→b!Capacity");
    check(&standby().load(100, &[("a", 99)]), "Ready *~ReturnCapacity");
    check(&active().load(100, &[("b", 99)]), "NotReady a→b!Capacity");
}

#[test]
fn specs_vantages_and_dependencies_concern_every_direction() {
    check(&standby().specs(&[("b", SpecWord::Other)]), "NotReady *!SpecInSync");
    check(&standby().specs(&[("b", SpecWord::Same), ("w", SpecWord::Missing)]), "Ready *~SpecInSync");
    check(&standby().suspect("w"), "NotReady *!VantagesSpeak *!QuorumReached");
    check(&standby().dependency_down(), "NotReady *!DependencyHealthy");
    check(&standby().stopped(), "Ready *~GlobalStop");
}

#[test]
fn what_only_an_automatic_move_asks_is_a_warning_or_not_asked() {
    let day = Duration::from_secs(86_400);
    check(&standby().max_drill_age(day), "Ready *~DrillFresh");
    check(&standby().max_drill_age(day).drilled_ago(day * 2), "Ready *~DrillFresh");
    check(&standby().max_drill_age(day).drilled_ago(day / 2), "Ready");
    check(&standby().gated(WriterLease::NeverSeen), "Ready *~WriterFenced");
    check(&standby().gated(WriterLease::Held("gate".into())), "Ready");
    check(&standby().mode(crate::domain::Mode::Manual), "Ready");
    check(&standby().moved_ago(Duration::from_secs(1)).used(5, 3, 0), "Ready");
}

#[test]
fn an_objective_that_a_long_ttl_does_not_let_be_met_is_a_problem() {
    let with_ttl = |ttl: u64| {
        let mut seen = standby().observe();
        let service = Arc::make_mut(&mut seen.service);
        (service.rto, service.ttl) = (Some(Duration::from_secs(60)), Duration::from_secs(ttl));
        told(&asked(&seen, &Surroundings::default()))
    };
    assert_eq!(with_ttl(5), "Ready");
    assert_eq!(with_ttl(55), "NotReady *!DetectedInTime");
}

#[test]
fn what_is_seen_around_is_told_and_what_nobody_has_tried_is_no_answer() {
    let check = |around: &Surroundings, expected: &str| {
        let mut seen = standby().observe();
        Arc::make_mut(&mut seen.service).depends_on = vec![ServiceKey::new("n", "needed")];
        let found = asked(&seen, around);
        assert_eq!(told(&found), expected);
        found
    };
    let wrong = || Looked::Wrong("no".to_owned());
    let well = check(&Surroundings { traffic: Looked::Fine, ..Surroundings::default() }, "Ready");
    let around = Surroundings { writable: Looked::NotYet, ..Surroundings::default() };
    let untried = check(&around, "Ready");
    assert_eq!((well.common.unasked.len(), &*untried.common.unasked), (0, &["TrafficWritable"][..]));
    assert_eq!(well.common.passed, untried.common.passed + 1, "what was not asked has not passed");
    check(&Surroundings { traffic: wrong(), ..Surroundings::default() }, "NotReady *!TrafficInSync");
    check(&Surroundings { traffic: Looked::NotYet, ..Surroundings::default() }, "Unknown *?TrafficInSync");
    check(&Surroundings { writable: wrong(), ..Surroundings::default() }, "NotReady *!TrafficWritable");
    let cycle = ["a", "b", "a"].map(str::to_owned).to_vec();
    check(&Surroundings { cycle, ..Surroundings::default() }, "NotReady *!DependencyChain");
    let needed = Some("it".to_owned());
    check(&Surroundings { needed, ..Surroundings::default() }, "Ready *~DependencyReady");
}

#[test]
fn what_the_vantages_say_against_a_member_stands_beside_it() {
    let said = BTreeMap::from([("b".into(), "a: check tls: expiring: runs out soon".to_owned())]);
    let around = Surroundings { complaints: said, ..Surroundings::default() };
    let found = asked(&standby().degraded("b").observe(), &around);
    let (_, finding) = found.findings().next().unwrap();
    assert_eq!(finding.message, "b cannot take over: it is Degraded (a: check tls: expiring: runs out soon)");
    assert_eq!(finding.check, Rule::TargetAvailable.as_str());
}

#[test]
fn a_region_is_as_ready_as_the_worst_direction_that_leads_there() {
    let found = asked(&active().degraded("b").observe(), &Surroundings::default());
    let ready = |region: &str| found.ready_to(&region.into());
    assert_eq!((ready("a"), ready("b"), ready("w")), (Some(Ready::Yes), Some(Ready::No), None));
}

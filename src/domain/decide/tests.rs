//! Tables: a world, and the decision in one line. `properties` has what must be true of every world.

mod detection;
mod exhaustive;
mod properties;
mod readiness;
mod world;

use std::time::Duration;

use super::*;
use crate::domain::{Mode, Published, Request, Rule, Topology, Trigger, WriterLease};
use world::{World, told};

/// One assertion for all tables: `Start Trigger a→b @8`, or `Hold` with the rules that block, or `Recommend` with both.
#[track_caller]
fn check(world: &World, expected: &str) {
    let seen = world.observe();
    assert_eq!(told(&decide(&seen)), expected, "{world:?}");
}

fn standby() -> World {
    World::new(Topology::ActiveStandby)
}

fn active() -> World {
    World::new(Topology::ActiveActive)
}

#[test]
fn a_writer_is_moved_without_a_person_only_where_a_gate_was_seen_before_it() {
    let gated = |writer| standby().down("a").gated(writer);
    check(&gated(WriterLease::Held("gate".into())), "Start MemberDown a→b @8");
    check(&gated(WriterLease::Free), "Start MemberDown a→b @8");
    check(&gated(WriterLease::NeverSeen), "Recommend MemberDown a→b: WriterFenced");
    let asked = standby().gated(WriterLease::NeverSeen).asked(None, Some("b"));
    check(&asked, "Start Manual a→b @8");
}

#[test]
fn while_all_is_well_nothing_is_wanted() {
    check(&standby(), "Hold");
    check(&active(), "Hold");
}

#[test]
fn a_standby_takes_over_from_a_member_that_is_down() {
    check(&standby().down("a"), "Start MemberDown a→b @8");
    check(&standby().lost("a"), "Start RegionLost a→b @8");
}

#[test]
fn a_bad_member_is_drained_while_the_rest_carries_the_load() {
    check(&active().down("a"), "Start MemberDown ab→b @8");
    check(&active().down("a").load(100, &[("b", 100)]), "Start MemberDown ab→b @8");
    check(&active().down("a").load(100, &[("b", 99)]), "Hold MemberDown ab→b: Capacity");
}

#[test]
fn a_spare_joins_when_the_rest_alone_cannot_carry_the_load() {
    let world = active().member("c", 0).load(100, &[("b", 60), ("c", 60)]);
    check(&world.clone().down("a"), "Start MemberDown ab→bc @8");
    check(&world.down("a").maintenance("c"), "Hold MemberDown ab→b: Capacity");
}

#[test]
fn the_last_member_is_never_taken_away() {
    check(&active().down("a").down("b"), "Hold MemberDown -: TargetAvailable NeverEmpty");
    check(&standby().down("a").down("b"), "Hold MemberDown -: TargetAvailable NeverEmpty");
    check(&active().down("a").unknown("b"), "Hold MemberDown ab→b: NeverEmpty");
}

#[test]
fn nothing_starts_by_itself_on_a_spec_that_most_regions_do_not_hold() {
    use crate::domain::SpecWord::{Missing, Other, Same, Unsaid};
    let alone = [("b", Other), ("w", Missing)];
    check(&standby().down("a").specs(&alone), "Hold MemberDown a→b: SpecInSync");
    check(&standby().lost("a").specs(&[("w", Other)]), "Hold RegionLost a→b: SpecInSync");
    check(&standby().down("a").specs(&[("b", Other), ("w", Same)]), "Start MemberDown a→b @8");
    check(&standby().down("a").specs(&[("b", Unsaid), ("w", Unsaid)]), "Start MemberDown a→b @8");
    check(&standby().serving(&["gone"]).specs(&alone), "Hold SpecChanged gone→a: SpecInSync");
    check(&standby().new_service(Published::Nothing).specs(&alone), "Hold Establish →a: SpecInSync");
    check(&standby().asked(None, Some("b")).specs(&alone), "Start Manual a→b @8");
    check(&standby().asked(None, Some("b")).by(Trigger::Return).specs(&alone), "Start Return a→b @8");
    check(&standby().asked(None, Some("b")).by(Trigger::Drill).specs(&alone), "Hold Drill a→b: SpecInSync");
    let told = decide(&standby().down("a").specs(&alone).observe());
    let why = told.blockers().next().unwrap().why.to_string();
    assert_eq!(
        why,
        "1 of 3 regions that say what they hold have this spec, more than half must; differs in b; is missing in w: \
         apply the same SharedService and GradePolicy in every data center"
    );
}

#[test]
fn unknown_is_neither_down_nor_up() {
    check(&standby().unknown("a"), "Hold -: MoveNeeded");
    check(&standby().down("a").unknown("b"), "Hold MemberDown -: TargetAvailable NeverEmpty");
}

#[test]
fn a_member_that_is_not_quite_well_is_no_target() {
    for spoilt in [
        standby().down("a").recovering("b"),
        standby().down("a").maintenance("b"),
        standby().down("a").region_maintenance("b"),
        standby().down("a").unknown_region("b"),
        standby().down("a").lost("b"),
    ] {
        check(&spoilt, "Hold MemberDown -: TargetAvailable NeverEmpty");
    }
}

#[test]
fn a_member_with_an_early_sign_is_the_last_resort_where_what_serves_is_down_and_nobody_is_healthy() {
    check(&standby().down("a").degraded("b"), "Start MemberDown a→b @8");
    check(&standby().lost("a").degraded("b"), "Start RegionLost a→b @8");
    let text = decide(&standby().down("a").degraded("b").observe());
    let why = text.rules.iter().find(|e| e.rule == Rule::TargetAvailable).unwrap().why.to_string();
    assert_eq!(why, "b takes over as a last resort: it is Degraded, and nobody who could is healthy");
    check(&standby().member("c", 1).down("a").degraded("b"), "Start MemberDown a→c @8");
    check(&standby().member("c", 200).down("a").degraded("b").degraded("c"), "Start MemberDown a→c @8");
    let world = standby().member("c", 1).down("a").degraded("c");
    check(&world.clone().load(100, &[("b", 60), ("c", 100)]), "Start MemberDown a→c @8");
    check(
        &world.degraded("b").load(100, &[("b", 60), ("c", 60)]),
        "Hold MemberDown -: TargetAvailable NeverEmpty",
    );
    check(
        &active().member("c", 1).without("b").down("a").degraded("c").serving(&["a"]),
        "Start MemberDown a→c @8",
    );
}

#[test]
fn a_member_that_some_vantage_sees_fail_is_no_last_resort() {
    let mut seen = standby().down("a").degraded("b").observe();
    seen.members[1].reports[0].verdict = Verdict::Failed;
    assert_eq!(told(&decide(&seen)), "Hold MemberDown -: TargetAvailable NeverEmpty");
    seen.vantages[0].suspect = true;
    assert_eq!(
        told(&decide(&seen)),
        "Start MemberDown a→b @8",
        "whose word does not count, does not count here"
    );
}

#[test]
fn a_member_is_steady_that_works_with_or_without_a_sign_and_that_nobody_sees_fail() {
    let is_steady = |world: World| {
        let seen = world.observe();
        seen.is_steady(&seen.members[1])
    };
    assert!(is_steady(standby()) && is_steady(standby().degraded("b")));
    for unwell in [standby().recovering("b"), standby().unknown("b"), standby().down("b")] {
        assert!(!is_steady(unwell));
    }
    let mut contradicted = standby().degraded("b").observe();
    contradicted.members[1].reports[0].verdict = Verdict::Failed;
    assert!(!contradicted.is_steady(&contradicted.members[1]));
}

#[test]
fn the_preferred_member_takes_over_by_weight_and_then_by_order() {
    check(&standby().member("c", 100).down("a"), "Start MemberDown a→b @8");
    check(&standby().member("c", 200).down("a"), "Start MemberDown a→c @8");
    check(&standby().member("c", 200).down("a").degraded("c"), "Start MemberDown a→b @8");
}

#[test]
fn a_standby_that_cannot_carry_the_load_is_passed_over() {
    let world = standby().member("c", 1).down("a");
    check(&world.clone().load(100, &[("b", 60), ("c", 100)]), "Start MemberDown a→c @8");
    check(&world.load(100, &[("b", 60), ("c", 60)]), "Hold MemberDown a→b: Capacity");
}

#[test]
fn the_mode_says_how_far_bongsu_goes() {
    let down = standby().down("a");
    check(&down.clone().mode(Mode::Recommend), "Recommend MemberDown a→b: Mode");
    check(&down.clone().mode(Mode::Approve), "Recommend MemberDown a→b: Mode");
    check(&down.mode(Mode::Manual), "Hold MemberDown a→b: Mode");
}

#[test]
fn the_red_lever_stops_every_automatic_move_and_no_move_by_hand() {
    check(&standby().stopped().lost("a"), "Hold RegionLost a→b: GlobalStop");
    check(&standby().stopped().asked(None, Some("b")), "Start Manual a→b @8");
}

#[test]
fn the_cooldown_is_armed_by_the_last_automatic_move_and_passed_by_the_loss_of_a_region() {
    let fresh = standby().moved_ago(Duration::from_secs(60));
    check(&fresh.clone().down("a"), "Hold MemberDown a→b: Cooldown");
    check(&fresh.lost("a"), "Start RegionLost a→b @8");
    check(&standby().moved_ago(Duration::from_secs(3600)).down("a"), "Start MemberDown a→b @8");
}

#[test]
fn a_drain_passes_the_cooldown_and_a_spare_does_not() {
    let fresh = active().moved_ago(Duration::from_secs(60)).down("a");
    check(&fresh.clone(), "Start MemberDown ab→b @8");
    let spare = fresh.member("c", 0).load(100, &[("b", 60), ("c", 60)]);
    check(&spare, "Hold MemberDown ab→bc: Cooldown");
}

#[test]
fn a_stale_drill_makes_automatic_act_as_recommend() {
    let gated = standby().max_drill_age(Duration::from_secs(100));
    check(&gated.clone().down("a"), "Recommend MemberDown a→b: DrillFresh");
    check(
        &gated.clone().drilled_ago(Duration::from_secs(101)).down("a"),
        "Recommend MemberDown a→b: DrillFresh",
    );
    check(&gated.drilled_ago(Duration::from_secs(100)).down("a"), "Start MemberDown a→b @8");
}

#[test]
fn unplanned_moves_keep_to_the_budgets_and_an_evacuation_to_its_own() {
    check(&standby().used(5, 0, 0).down("a"), "Hold MemberDown a→b: RegionBudget");
    check(&standby().group("gpki").used(0, 3, 0).down("a"), "Hold MemberDown a→b: GroupBudget");
    check(&standby().used(0, 3, 0).down("a"), "Start MemberDown a→b @8");
    check(&standby().group("gpki").used(5, 3, 49).lost("a"), "Start RegionLost a→b @8");
    check(&standby().used(5, 3, 50).lost("a"), "Hold RegionLost a→b: RegionBudget");
}

#[test]
fn a_service_is_not_moved_for_a_dependency_that_is_down() {
    check(&standby().dependency_down().down("a"), "Hold MemberDown a→b: DependencyHealthy");
}

#[test]
fn without_enough_trusted_vantages_nothing_is_moved() {
    check(&standby().suspect("b").suspect("w").down("a"), "Hold -: MoveNeeded VantagesTrusted");
    check(&standby().suspect("a").down("a"), "Start MemberDown a→b @8");
}

#[test]
fn one_run_at_a_time() {
    check(&standby().running("other").down("a"), "Hold MemberDown a→b: NoOtherRun");
}

#[test]
fn a_name_that_an_older_service_has_is_not_steered() {
    check(&standby().claimed().down("a"), "Hold MemberDown a→b: NameUnclaimed");
}

#[test]
fn a_new_service_is_taken_over_as_it_is_published() {
    check(&standby().new_service(Published::Nothing), "Start Establish →a @1");
    check(&active().new_service(Published::Nothing), "Start Establish →ab @1");
    let b_serves = |epoch| Published::Members { regions: ["b".into()].into(), epoch };
    check(&standby().new_service(b_serves(None)), "Start Establish →b @1");
    check(&standby().new_service(b_serves(Some(Epoch(41)))), "Start Establish →b @42");
    check(
        &standby().new_service(Published::Unknown { cause: "x".into() }),
        "Hold Establish →a: NameUnclaimed",
    );
    let foreign = standby().new_service(Published::Foreign { found: "203.0.113.9".into() });
    check(&foreign, "Hold Establish →a: NameUnclaimed");
    check(&foreign.asked(None, Some("b")), "Start Establish →b @1");
}

/// The ledger is at epoch 7, where `a` serves.
#[test]
fn a_ledger_that_is_older_than_the_name_servers_takes_over_what_they_publish() {
    let b_serves = |epoch| Published::Members { regions: ["b".into()].into(), epoch };
    check(&standby().published(b_serves(Some(Epoch(9)))), "Start Establish a→b @10");
    check(&standby().published(b_serves(Some(Epoch(9)))).down("a"), "Start Establish a→b @10");
    check(&standby().published(b_serves(Some(Epoch(7)))), "Hold");
    check(&standby().published(b_serves(None)), "Hold");
    // Nobody knows who serves; but no epoch is used twice.
    let unknown = Published::Members { regions: [].into(), epoch: Some(Epoch(9)) };
    check(&standby().published(unknown).down("a"), "Start MemberDown a→b @10");
}

#[test]
fn a_person_moves_where_a_member_can_take_over_and_nowhere_else() {
    check(&standby().asked(None, Some("b")), "Start Manual a→b @8");
    check(&standby().degraded("b").asked(None, Some("b")), "Hold Manual a→b: TargetAvailable");
    check(&standby().degraded("a").degraded("b").asked(None, Some("b")), "Start Manual a→b @8");
    check(&standby().unknown("a").recovering("b").asked(None, Some("b")), "Hold Manual a→b: TargetAvailable");
    check(&standby().asked(None, Some("a")), "Hold Manual -: MoveNeeded TargetAvailable NeverEmpty");
    check(&standby().asked(None, Some("x")), "Hold Manual -: MoveNeeded TargetAvailable NeverEmpty");
    check(&active().asked(Some("a"), None), "Start Manual ab→b @8");
    check(&active().down("b").asked(Some("a"), None), "Hold Manual ab→b: NeverEmpty");
    check(&active().serving(&["b"]).asked(None, Some("a")), "Start Manual b→ab @8");
    check(&active().load(100, &[("a", 100), ("b", 50)]).asked(Some("a"), None), "Hold Manual ab→b: Capacity");
}

#[test]
fn a_member_comes_back_by_itself_only_if_bongsu_took_it_away_and_it_was_well_for_long_enough() {
    let after = Duration::from_secs(600);
    let away = active().serving(&["b"]).failback(after);
    check(&away.clone().away("a", Trigger::MemberDown).healthy_for(after), "Start Failback b→ab @8");
    check(&away.clone().away("a", Trigger::MemberDown).healthy_for(after / 2), "Hold");
    check(&away.away("a", Trigger::Manual).healthy_for(after), "Hold");
    check(&active().serving(&["b"]).away("a", Trigger::MemberDown).healthy_for(after), "Hold");
    let standby = standby().serving(&["b"]).failback(after).healthy_for(after);
    check(&standby.clone().member("a", 200).away("a", Trigger::RegionLost), "Start Failback b→a @8");
    check(&standby.member("a", 10).away("a", Trigger::RegionLost), "Hold");
}

#[test]
fn a_changed_list_of_members_is_followed() {
    check(&active().member("c", 100), "Start SpecChanged ab→abc @8");
    check(&active().member("c", 100).degraded("c"), "Hold");
    check(&active().member("a", 0), "Start SpecChanged ab→b @8");
    check(&standby().without("a"), "Start SpecChanged a→b @8");
}

#[test]
fn supposing_a_loss_asks_the_same_rules() {
    let world = standby().mode(Mode::Recommend);
    let seen = world.observe();
    let supposed = suppose_lost(&seen, &"a".into(), Timestamp(0));
    assert_eq!(told(&decide(&supposed)), "Recommend MemberDown a→b: Mode");
}

#[test]
fn every_rule_is_told_in_the_fixed_order() {
    for world in [standby(), standby().down("a"), active().down("a"), standby().asked(None, Some("x"))] {
        let decision = decide(&world.observe());
        assert_eq!(decision.rules.iter().map(|e| e.rule).collect::<Vec<_>>(), Rule::ALL);
    }
}

#[test]
fn a_dry_run_is_decided_like_the_real_one() {
    let world = standby().asked(None, Some("b"));
    let mut seen = world.observe();
    let real = decide(&seen);
    seen.request = seen.request.map(|request| Request { dry_run: true, ..request });
    assert_eq!(decide(&seen), real);
}

#[test]
fn a_drill_goes_where_the_service_would_be_moved_and_only_where_nothing_speaks_against_it() {
    let drill = || standby().asked(Some("a"), None).by(Trigger::Drill);
    check(&drill(), "Start Drill a→b @8");
    check(&drill().mode(Mode::Manual), "Start Drill a→b @8");
    check(&drill().degraded("b"), "Hold Drill -: TargetAvailable NeverEmpty");
    check(&drill().degraded("a").degraded("b"), "Hold Drill -: TargetAvailable NeverEmpty");
    check(&drill().stopped(), "Hold Drill a→b: GlobalStop");
    check(&drill().dependency_down(), "Hold Drill a→b: DependencyHealthy");
    check(&drill().suspect("a").suspect("b"), "Hold Drill -: VantagesTrusted TargetAvailable NeverEmpty");
    check(&drill().moved_ago(Duration::from_secs(1)), "Start Drill a→b @8");
}

#[test]
fn nothing_but_a_member_that_is_unwell_keeps_a_drill_from_returning() {
    let back = || standby().serving(&["b"]).asked(None, Some("a")).by(Trigger::Return);
    check(&back(), "Start Return b→a @8");
    check(&back().stopped(), "Start Return b→a @8");
    check(&back().dependency_down(), "Start Return b→a @8");
    check(&back().down("a"), "Hold Return b→a: TargetAvailable NeverEmpty");
}

#[test]
fn what_a_drill_left_behind_comes_back_like_what_a_failover_moved_but_not_while_the_drill_goes_on() {
    let away = |in_drill| {
        let world = standby().serving(&["b"]).failback(Duration::from_secs(60)).away("a", Trigger::Drill);
        world.in_drill(in_drill).healthy_for(Duration::from_secs(61))
    };
    check(&away(true), "Hold");
    check(&away(false), "Start Failback b→a @8");
}

//! What must be true of every world: the invariants that a decision alone can keep.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::domain::{MemberHealth, MemberView, Report, VantageView};

const REGIONS: [&str; 4] = ["a", "b", "c", "w"];

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(Verdict::Healthy),
        1 => Just(Verdict::Degraded),
        1 => Just(Verdict::Recovering),
        1 => Just(Verdict::Unknown),
        3 => Just(Verdict::Failed),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![3 => Just(Mode::Automatic), 1 => Just(Mode::Recommend), 1 => Just(Mode::Manual)]
}

prop_compose! {
    /// Members in `a`, `b` and `c`, vantages in all four regions, and everything else as it comes.
    fn world()(
        active in any::<bool>(),
        mode in mode(),
        verdicts in prop::collection::vec(verdict(), 12),
        alive in prop::collection::vec(prop::bool::weighted(0.8), 4),
        suspect in prop::collection::vec(prop::bool::weighted(0.2), 4),
        flags in prop::collection::vec(prop::bool::weighted(0.15), 12),
        serving in prop::sample::subsequence(vec!["a", "b", "c"], 1..=3),
        quorum in 1_u32..4,
        capacities in prop::collection::vec(prop::option::of(0_u64..200), 3),
        load in prop::option::of(0_u64..300),
        used in (0_u32..7, 0_u32..5, 0_u32..60),
        switches in (prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
        request in prop::option::weighted(0.3, (prop::option::of(0_usize..4), prop::option::of(0_usize..4))),
        moved_ago in prop::option::of(0_u64..7200),
    ) -> Observation {
        let topology = if active { Topology::ActiveActive } else { Topology::ActiveStandby };
        let serving = if active { serving } else { serving[..1].to_vec() };
        let mut world = World::new(topology).member("c", 50).mode(mode).group("g").used(used.0, used.1, used.2);
        world = world.serving(&serving);
        if switches.0 { world = world.stopped(); }
        if switches.1 { world = world.dependency_down(); }
        if switches.2 { world = world.running("other"); }
        if let Some(ago) = moved_ago { world = world.moved_ago(Duration::from_secs(ago)); }
        if let Some((from, to)) = request {
            world = world.asked(from.map(|i| REGIONS[i]), to.map(|i| REGIONS[i]));
        }
        let mut seen = world.observe();
        seen.vantages = REGIONS.iter().enumerate().map(|(i, region)| VantageView {
            region: (*region).into(), alive: alive[i], suspect: suspect[i],
        }).collect();
        for (m, member) in seen.members.iter_mut().enumerate() {
            member.reports = (0..4).map(|v| Report { verdict: verdicts[m * 4 + v], ..Report::default() }).collect();
            member.region_known = !flags[m];
            member.region_lost = flags[3 + m];
            member.region_maintenance = flags[6 + m];
        }
        let mut service = (*seen.service).clone();
        service.health.quorum = quorum;
        service.peak_load = load;
        for (member, capacity) in service.members.values_mut().zip(capacities) {
            member.capacity = capacity;
        }
        seen.service = Arc::new(service);
        seen
    }
}

fn plan_of(decision: &Decision) -> Option<&Plan> {
    match &decision.action {
        Action::Start(plan) | Action::Recommend(plan) => Some(plan),
        Action::Hold => None,
    }
}

fn health(seen: &Observation, region: &RegionName) -> MemberHealth {
    seen.member(region).map_or(MemberHealth::Unknown, |member| seen.health(member))
}

/// Votes that count, for a verdict on a member.
fn votes(seen: &Observation, member: &MemberView, wanted: Verdict) -> (usize, usize) {
    let counted: Vec<&RegionName> = member
        .reports
        .iter()
        .zip(&seen.vantages)
        .filter(|(report, vantage)| vantage.alive && !vantage.suspect && report.verdict == wanted)
        .map(|(_, vantage)| &vantage.region)
        .collect();
    (counted.len(), counted.iter().filter(|region| ***region != member.region).count())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn i3_no_plan_leaves_a_service_without_a_member_that_carries_load(seen in world()) {
        if let Some(plan) = plan_of(&decide(&seen)) {
            prop_assert!(plan.change.to.iter().any(|region| health(&seen, region).carries()));
        }
    }

    #[test]
    fn i4_no_plan_takes_load_away_from_a_member_unless_the_others_carry_it(seen in world()) {
        let decision = decide(&seen);
        if let (Some(plan), Some(load)) = (plan_of(&decision), seen.service.peak_load)
            && plan.change.leaving().next().is_some()
        {
            let carrying = plan.change.to.iter().filter(|region| health(&seen, region).carries());
            let capacities: Option<u64> =
                carrying.map(|region| seen.service.members.get(region).and_then(|m| m.capacity)).sum();
            prop_assert!(capacities.is_none_or(|capacity| capacity >= load));
        }
    }

    #[test]
    fn i6_an_unplanned_start_keeps_to_the_budgets_and_is_never_for_a_dependency(seen in world()) {
        if let Action::Start(plan) = &decide(&seen).action
            && plan.change.trigger.is_unplanned()
        {
            prop_assert!(seen.dependencies_down.is_empty());
            for (region, limits, used) in &seen.budgets {
                if plan.change.leaving().any(|leaving| leaving == region) {
                    match plan.change.trigger {
                        Trigger::RegionLost => prop_assert!(used.evacuating < limits.evacuating),
                        _ => prop_assert!(used.moves < limits.moves && used.moves_of_group < limits.moves_per_group),
                    }
                }
            }
        }
    }

    #[test]
    fn i6_the_word_of_a_dead_or_suspect_vantage_changes_nothing(seen in world(), other in prop::collection::vec(verdict(), 12)) {
        let mut changed = seen.clone();
        for (m, member) in changed.members.iter_mut().enumerate() {
            for (v, report) in member.reports.iter_mut().enumerate() {
                if !seen.vantages[v].trusted() {
                    report.verdict = other[m * 4 + v];
                }
            }
        }
        // How long a member was healthy is told by every vantage; there is no failback in these worlds.
        prop_assert_eq!(told(&decide(&seen)), told(&decide(&changed)));
    }

    #[test]
    fn i9_nobody_is_moved_from_unless_a_quorum_saw_it_fail_nor_to_unless_a_quorum_saw_it_work(seen in world()) {
        if let Some(plan) = plan_of(&decide(&seen))
            && plan.change.trigger.is_unplanned()
        {
            let quorum = seen.service.health.quorum as usize;
            for region in plan.change.leaving() {
                let (all, outside) = votes(&seen, seen.member(region).unwrap(), Verdict::Failed);
                prop_assert!(all >= quorum && outside >= 1);
            }
            for region in plan.change.joining() {
                let saw = |verdict| votes(&seen, seen.member(region).unwrap(), verdict);
                let (healthy, degraded, failed) =
                    (saw(Verdict::Healthy), saw(Verdict::Degraded), saw(Verdict::Failed));
                let is_healthy = healthy.0 >= quorum && healthy.1 >= 1;
                // As a last resort: it works with an early sign, and nobody saw it fail.
                let steady = healthy.0 + degraded.0 >= quorum && healthy.1 + degraded.1 >= 1;
                prop_assert!(is_healthy || (steady && failed.0 == 0));
            }
        }
    }

    #[test]
    fn nobody_joins_who_is_lost_in_maintenance_or_not_known(seen in world()) {
        if let Some(plan) = plan_of(&decide(&seen)) {
            for region in plan.change.joining() {
                let member = seen.member(region).unwrap();
                prop_assert!(member.region_known && !member.region_lost && !member.region_maintenance);
            }
        }
    }

    #[test]
    fn nothing_automatic_starts_under_the_red_lever_in_another_mode_or_beside_another_run(seen in world()) {
        if let Action::Start(plan) = &decide(&seen).action {
            prop_assert!(seen.record.as_ref().unwrap().run.is_none());
            if plan.change.trigger.is_automatic() {
                prop_assert!(seen.switches.global_stop.is_none());
                prop_assert_eq!(seen.service.failover.mode, Mode::Automatic);
            }
        }
    }

    #[test]
    fn every_plan_raises_the_epoch_by_one_before_it_shifts_and_settles_last(seen in world()) {
        if let Some(plan) = plan_of(&decide(&seen)) {
            prop_assert_eq!(plan.epoch, seen.record.as_ref().unwrap().epoch.next());
            let kinds: Vec<_> = plan.steps.iter().map(|step| step.kind().as_str()).collect();
            prop_assert_eq!(kinds, ["Precheck", "RaiseEpoch", "ShiftTraffic", "Verify", "Settle"]);
            prop_assert!(plan.point_of_no_return < plan.steps.len());
        }
    }

    #[test]
    fn equal_worlds_give_equal_decisions_with_every_rule_in_order(seen in world()) {
        let decision = decide(&seen);
        prop_assert_eq!(&decision, &decide(&seen.clone()));
        prop_assert_eq!(decision.rules.iter().map(|e| e.rule).collect::<Vec<_>>(), Rule::ALL);
        for evaluation in &decision.rules {
            prop_assert!(!evaluation.why.to_string().is_empty());
        }
    }
}

#[test]
fn the_worlds_of_the_properties_reach_every_kind_of_decision() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..4_000 {
        let seen = world().new_tree(&mut runner).unwrap().current();
        let decision = decide(&seen);
        let trigger = decision.wanted.as_ref().map_or("none", |wanted| wanted.trigger.as_str());
        reached.insert(format!("{} {trigger}", decision.action.as_str()));
    }
    for wanted in ["MemberDown", "RegionLost", "Manual", "SpecChanged"] {
        for action in ["Start", "Hold"] {
            assert!(reached.contains(&format!("{action} {wanted}")), "{action} {wanted} not in {reached:?}");
        }
    }
    assert!(reached.contains("Recommend MemberDown"), "{reached:?}");
}

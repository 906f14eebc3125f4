use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::domain::{
    Epoch, FailoverPolicy, Fence, GatePolicy, HealthPolicy, Mode, Move, Recovery, RegionName, RouteName,
    Service, Timings, Topology, Window, plan_for,
};

fn service() -> Service {
    Service {
        key: ServiceKey::new("gpki", "gpki-verify"),
        part_of: None,
        grade: 1,
        topology: Topology::ActiveStandby,
        members: ["a", "b"].into_iter().map(|region| (region.into(), member())).collect(),
        fence: None,
        health: HealthPolicy {
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            window: Window { size: 5, failures: 3 },
            recovery: Recovery { successes: 5, stable_for: Duration::from_secs(60) },
            quorum: 2,
        },
        failover: FailoverPolicy {
            mode: Mode::Automatic,
            approvals: 0,
            cooldown: Duration::ZERO,
            failback_after: None,
            max_drill_age: None,
        },
        rto: None,
        peak_load: None,
        depends_on: Vec::new(),
        routes: vec![RouteName::new("inside"), RouteName::new("outside")],
        ttl: Duration::from_secs(5),
    }
}

fn member() -> crate::domain::Member {
    crate::domain::Member { weight: 100, rank: 0, capacity: None, maintenance: false }
}

fn here() -> RegionName {
    RegionName::new("here")
}

fn run(trigger: Trigger) -> Run {
    run_of(&service(), trigger)
}

fn run_of(service: &Service, trigger: Trigger) -> Run {
    let only = |region: &str| BTreeSet::from([RegionName::new(region)]);
    let change = Move { trigger, from: only("a"), to: only("b") };
    let plan = plan_for(service, change, Epoch(8), &Timings::default());
    Run::new("r".into(), service.key.clone(), plan, "me".into(), Times::default())
}

/// Plays a run: one letter for each try (`+` done, `-` failed, `w` not yet, `!` superseded, and `R`, `S`, `A` for a
/// person's word, `T` turned back, told as `-` where it may not be, `L` who served before is lost, `b` and `c` it is left for a
/// move there, told as `-` where it may not be), and tells the steps that were tried and how it ended.
fn check(trigger: Trigger, tries: &str, expected: &str) {
    play(run(trigger), tries, expected);
}

/// The same of a service whose writers stand behind gates.
fn check_gated(trigger: Trigger, tries: &str, expected: &str) {
    let fence = Some(Fence::Gate(GatePolicy { lease_ttl: Duration::from_secs(15) }));
    play(run_of(&Service { fence, ..service() }, trigger), tries, expected);
}

fn play(mut run: Run, tries: &str, expected: &str) {
    let mut told = Vec::new();
    for (second, letter) in tries.chars().enumerate() {
        let now = Timestamp(second as i64);
        let generation = second as i64 + 1;
        match (run.next(), letter) {
            (Next::Person, 'R') => run.intervene(Intervention::Resume, &here(), generation, now),
            (Next::Person, 'S') => run.intervene(Intervention::Skip, &here(), generation, now),
            (Next::Person, 'A') => run.intervene(Intervention::Abort, &here(), generation, now),
            (_, 'T') if run.may_turn_back() => run.turn_back("not wanted any more", now),
            (_, 'T') => told.push("-".to_owned()),
            (_, 'L') => run.no_way_back = true,
            (_, 'b' | 'c') => {
                let to = RegionName::new(letter.to_string());
                match run.may_be_left_for([&to].into_iter()) {
                    true => run.leave("lost as well", now),
                    false => told.push("-".to_owned()),
                }
            }
            (Next::Execute(step), _) => {
                told.push(match step {
                    Step::RaiseEpoch { epoch, serving } => {
                        format!("{epoch}={}", serving.iter().map(RegionName::as_str).collect::<String>())
                    }
                    Step::ShiftTraffic { route } => route.to_string(),
                    other => other.kind().as_str().to_owned(),
                });
                run.begin(now);
                run.finish(
                    match letter {
                        '+' => StepResult::Done(String::new()),
                        'w' => StepResult::NotYet("ttl".into(), Duration::ZERO),
                        '!' => StepResult::Superseded("newer".into()),
                        _ => StepResult::Failed("no".into()),
                    },
                    now,
                );
            }
            (next, _) => panic!("{letter} at {second} of {tries}: {next:?}"),
        }
    }
    let trigger = run.plan.change.trigger;
    assert_eq!(format!("{} {:?}", told.join(" "), run.state), expected, "{trigger:?} {tries}");
}

#[test]
fn a_failover_raises_the_epoch_before_it_shifts_and_verifies_before_it_settles() {
    check(Trigger::RegionLost, "++++++", "Precheck 8=b inside outside Verify Settle Succeeded");
}

#[test]
fn the_epoch_of_a_writer_is_raised_when_the_old_one_has_stopped_and_the_way_back_waits_as_well() {
    let there = "Precheck Fence AwaitFence AwaitFence 8=b inside outside";
    check_gated(Trigger::RegionLost, "++w++++++", &format!("{there} Verify Settle Succeeded"));
    let back = "Verify Verify Verify Fence AwaitFence 9=a inside outside Compensated";
    check_gated(Trigger::Manual, "++w++++---+++++", &format!("{there} {back}"));
}

#[test]
fn a_planned_move_goes_back_to_nobody_who_is_lost_once_the_epoch_is_raised() {
    let tried = ["inside"; 8].join(" ");
    check(Trigger::Return, "++L--------", &format!("Precheck 8=b {tried} Paused"));
    check(Trigger::Return, "++LT+", "Precheck 8=b - inside Running");
    check(Trigger::Return, "+L---", "Precheck 8=b 8=b 8=b Compensating");
}

#[test]
fn who_was_fenced_for_a_move_that_came_to_nothing_may_write_again() {
    let back = "Fence AwaitFence 9=a inside outside Compensated";
    for trigger in [Trigger::RegionLost, Trigger::Manual] {
        check_gated(trigger, "+++---+++++", &format!("Precheck Fence AwaitFence 8=b 8=b 8=b {back}"));
        check_gated(
            trigger,
            "++---+++++",
            &format!("Precheck Fence AwaitFence AwaitFence AwaitFence {back}"),
        );
    }
}

#[test]
fn the_fence_is_reached_when_the_old_writer_has_stopped_and_not_with_the_raise() {
    let fence = Some(Fence::Gate(GatePolicy { lease_ttl: Duration::from_secs(15) }));
    let mut run = run_of(&Service { fence, ..service() }, Trigger::RegionLost);
    for second in 0..4 {
        run.begin(Timestamp(second));
        run.finish(StepResult::Done(String::new()), Timestamp(second));
    }
    assert_eq!(run.times.fenced, Some(Timestamp(2)));
}

#[test]
fn before_anything_was_touched_a_failure_ends_the_run_and_changes_nothing() {
    check(Trigger::RegionLost, "---", "Precheck Precheck Precheck Compensated");
    check(Trigger::Manual, "---", "Precheck Precheck Precheck Compensated");
}

#[test]
fn a_planned_move_that_fails_before_it_is_verified_is_undone_under_a_newer_epoch() {
    check(
        Trigger::Manual,
        "++++---+++",
        "Precheck 8=b inside outside Verify Verify Verify 9=a inside outside Compensated",
    );
    check(Trigger::Manual, "++---+++", "Precheck 8=b inside inside inside 9=a inside outside Compensated");
}

#[test]
fn a_planned_move_can_be_turned_back_until_it_is_verified_and_no_other_move_ever() {
    check(Trigger::Drill, "T", " Compensated");
    check(Trigger::Drill, "+T", "Precheck Compensated");
    check(Trigger::Drill, "++T+++", "Precheck 8=b 9=a inside outside Compensated");
    check(Trigger::Drill, "++++wT+++", "Precheck 8=b inside outside Verify 9=a inside outside Compensated");
    check(Trigger::Drill, "+++++T+", "Precheck 8=b inside outside Verify - Settle Succeeded");
    check(Trigger::Drill, "++TT+++", "Precheck 8=b - 9=a inside outside Compensated");
    check(Trigger::RegionLost, "++T++++", "Precheck 8=b - inside outside Verify Settle Succeeded");
}

#[test]
fn an_unplanned_move_past_the_epoch_is_tried_again_and_then_asks_a_person() {
    check(
        Trigger::MemberDown,
        "++--------",
        "Precheck 8=b inside inside inside inside inside inside inside inside Paused",
    );
}

#[test]
fn a_move_is_left_for_another_once_its_epoch_is_raised_and_a_step_has_not_worked() {
    check(Trigger::MemberDown, "c+c+c-c", "- Precheck - 8=b - inside Failed");
    let paused = "Precheck 8=b inside inside inside inside inside inside inside inside";
    check(Trigger::MemberDown, "++--------c", &format!("{paused} Failed"));
    check(Trigger::MemberDown, "++-+c", "Precheck 8=b inside inside - Running");
    // It goes on as long as it can be undone, and a new service is led to nobody yet.
    check(Trigger::Manual, "++-c", "Precheck 8=b inside - Running");
    check(Trigger::Manual, "++L-c", "Precheck 8=b inside Failed");
    check(Trigger::Establish, "+-c", "8=b inside - Running");
}

#[test]
fn a_move_is_not_left_for_one_that_was_tried_already() {
    check(Trigger::MemberDown, "++-b", "Precheck 8=b inside - Running");
    let mut after = run(Trigger::MemberDown);
    after.tried.insert(RegionName::new("c"));
    play(after, "++-c", "Precheck 8=b inside - Running");
}

#[test]
fn a_person_resumes_skips_or_aborts_a_paused_run() {
    let paused = "Precheck 8=b inside inside inside inside inside inside inside inside";
    check(
        Trigger::MemberDown,
        "++--------R++++",
        &format!("{paused} inside outside Verify Settle Succeeded"),
    );
    check(Trigger::MemberDown, "++--------S+++", &format!("{paused} outside Verify Settle Succeeded"));
    check(Trigger::MemberDown, "++--------A", &format!("{paused} Failed"));
}

#[test]
fn waiting_is_not_failing() {
    check(
        Trigger::Manual,
        "++++wwwwwwwwww",
        &format!("Precheck 8=b inside outside{} Running", " Verify".repeat(10)),
    );
}

#[test]
fn a_newer_epoch_ends_the_run_at_once() {
    check(Trigger::MemberDown, "++!", "Precheck 8=b inside Failed");
}

#[test]
fn a_new_service_is_tried_for_ever() {
    check(
        Trigger::Establish,
        &format!("+{}", "-".repeat(30)),
        &format!("8=b{} Running", " inside".repeat(30)),
    );
}

#[test]
fn a_word_that_was_heard_is_not_heard_again() {
    let mut run = run(Trigger::MemberDown);
    run.state = RunState::Paused;
    run.heard.insert(here(), 3);
    run.intervene(Intervention::Abort, &here(), 3, Timestamp(0));
    assert_eq!(run.state, RunState::Paused);
    run.intervene(Intervention::Abort, &"there".into(), 1, Timestamp(0));
    assert_eq!(run.state, RunState::Failed);
}

#[test]
fn traffic_counts_as_shifted_after_the_last_route() {
    let mut run = run(Trigger::MemberDown);
    for second in 0..4 {
        assert_eq!(run.times.shifted, None, "before step {second}");
        run.begin(Timestamp(second));
        run.finish(StepResult::Done(String::new()), Timestamp(second));
    }
    assert_eq!((run.times.fenced, run.times.shifted), (Some(Timestamp(1)), Some(Timestamp(3))));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn result() -> impl Strategy<Value = StepResult> {
        prop_oneof![
            6 => Just(StepResult::Done(String::new())),
            4 => Just(StepResult::Failed("no".into())),
            1 => Just(StepResult::NotYet("ttl".into(), Duration::ZERO)),
            1 => Just(StepResult::Superseded("newer".into())),
        ]
    }

    fn word() -> impl Strategy<Value = Intervention> {
        prop_oneof![Just(Intervention::Resume), Just(Intervention::Skip), Just(Intervention::Abort)]
    }

    fn trigger() -> impl Strategy<Value = Trigger> {
        prop_oneof![
            Just(Trigger::MemberDown),
            Just(Trigger::Manual),
            Just(Trigger::Establish),
            Just(Trigger::Failback)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

        /// Whatever the effects come to and whatever people say, after a crash at any point too: the journal is always
        /// written ahead, a run that passed the point of no return is never undone, and one that is over stays over.
        #[test]
        fn i5_the_journal_is_ahead_of_every_effect_and_never_goes_back(
            trigger in trigger(),
            results in prop::collection::vec((result(), any::<bool>()), 1..60),
            words in prop::collection::vec(word(), 60),
        ) {
            let mut run = run(trigger);
            let mut raised = 0_u64;
            for (second, ((result, crashes), word)) in results.into_iter().zip(words).enumerate() {
                let now = Timestamp(second as i64);
                let before = run.clone();
                match run.next() {
                    Next::Over => {
                        run.begin(now);
                        prop_assert!(matches!(run.next(), Next::Over));
                        run.clone_from(&before);
                    }
                    Next::Person => run.intervene(word, &here(), second as i64 + 1, now),
                    Next::Execute(step) => {
                        run.begin(now);
                        prop_assert_eq!(run.current().unwrap().state, StepState::Running);
                        if let Step::RaiseEpoch { epoch, .. } = &step {
                            prop_assert!(epoch.0 >= raised, "epoch {epoch} after {raised}");
                            raised = epoch.0;
                        }
                        // A crash after the effect loses its result: the same step comes again.
                        if crashes {
                            prop_assert_eq!(run.next(), Next::Execute(step));
                            continue;
                        }
                        run.finish(result, now);
                    }
                }
                let undoes = !before.compensating() && run.compensating();
                prop_assert!(!undoes || before.cursor <= before.plan.point_of_no_return);
                prop_assert!(run.cursor >= before.cursor);
            }
        }
    }
}

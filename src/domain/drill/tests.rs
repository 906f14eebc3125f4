//! Drills as stories: what the world looks like, second by second, and what becomes of the run.

use super::*;

const NOW: i64 = 1_000_000;
const HOLD: Duration = Duration::from_secs(60);

/// Two services, `needed` before `needs`, moved from `a` to `b`; the world obeys every order at once unless told otherwise.
struct Story {
    run: DrillRun,
    sight: DrillSight,
    orders: Vec<String>,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(NOW + seconds * 1_000)
}

fn only(region: &str) -> BTreeSet<RegionName> {
    BTreeSet::from([RegionName::new(region)])
}

fn drilled(name: &str) -> DrilledService {
    let objective = Some(Duration::from_secs(30));
    DrilledService::waiting(ServiceKey::new("gpki", name), "a".into(), Some("b".into()), objective)
}

fn well() -> ServiceSight {
    ServiceSight {
        serving: only("a"),
        health: MemberHealth::Healthy,
        origin: MemberHealth::Healthy,
        ..ServiceSight::default()
    }
}

impl Story {
    fn new() -> Self {
        let limits = DrillLimits {
            hold: HOLD,
            max_duration: Duration::from_secs(600),
            starting_deadline: Duration::from_secs(300),
            degraded: true,
            samples: None,
            approvals: 0,
            waits_for_another: false,
        };
        let run = DrillRun {
            id: "monthly-1".into(),
            namespace: Arc::from("gpki"),
            drill: Arc::from("monthly"),
            live: true,
            detects: false,
            reason: "schedule".to_owned(),
            requested_by: None,
            slot: None,
            announced_at: at(-60),
            starts_at: at(0),
            limits,
            conditions: Vec::new(),
            ramp: Vec::new(),
            ramp_done: 0,
            rests_since: None,
            phase: DrillPhase::Announced,
            services: vec![drilled("needed"), drilled("needs")],
            pre_checks: Vec::new(),
            approved_by: BTreeMap::new(),
            started_at: None,
            held_since: None,
            stop: None,
            ended_at: None,
            verdict: None,
            report_digest: None,
            findings: Vec::new(),
            timeline: Vec::new(),
            words: BTreeMap::new(),
            message: String::new(),
            owner: "me".into(),
        };
        let sight = DrillSight {
            now: at(0),
            another_run: None,
            waits_for: None,
            checks: Vec::new(),
            conditions: Vec::new(),
            services: vec![well(), well()],
        };
        Self { run, sight, orders: Vec::new() }
    }

    /// One look at the world, a second later than the last.
    fn look(&mut self) -> &mut Self {
        self.sight.now = Timestamp(self.sight.now.0 + 1_000);
        self.run.advance(&self.sight);
        // What a new leader reads is what the old one wrote.
        let text = serde_json::to_string(&self.run).unwrap();
        self.run = serde_json::from_str(&text).unwrap();
        for order in self.run.orders(&self.sight) {
            self.orders.push(match order {
                Order::Move { run, .. } => run.to_string(),
                Order::TurnBack { run, .. } => format!("turn back {run}"),
            });
        }
        self
    }

    /// The move of a service, away or back, came to this.
    fn moved(&mut self, index: usize, back: bool, state: RunState) -> &mut Self {
        let sight = &mut self.sight.services[index];
        let verified = (state == RunState::Succeeded).then_some(self.sight.now);
        let seen = MoveSight { state, verified, message: "as told".to_owned() };
        if state == RunState::Succeeded {
            sight.serving = only(if back { "a" } else { "b" });
        }
        *(if back { &mut sight.back } else { &mut sight.away }) = Some(seen);
        self
    }

    /// Both services are away and held.
    fn held() -> Self {
        let mut story = Self::new();
        story.look().moved(0, false, RunState::Succeeded).look().moved(1, false, RunState::Succeeded).look();
        story.look();
        assert_eq!(story.run.phase, DrillPhase::Holding, "{:?}", story.run.timeline);
        story.orders.clear();
        story
    }

    fn abort(&mut self) {
        self.run.words.entry("a".into()).or_default().abort = true;
    }

    fn approve(&mut self, who: &str, until: Option<Timestamp>) -> &mut Self {
        self.run
            .words
            .entry("a".into())
            .or_default()
            .approvals
            .insert(who.to_owned(), Yes { at: at(-30), until });
        self
    }

    fn health(&mut self, index: usize, health: MemberHealth) -> &mut Self {
        self.sight.services[index].health = health;
        self
    }

    /// Does what is ordered at once, until it is over.
    fn play_out(&mut self) -> (DrillVerdict, DrillRule) {
        for _ in 0..2_000 {
            if let Some(verdict) = self.run.verdict {
                return verdict;
            }
            for index in 0..2 {
                match self.run.services[index].state {
                    DrilledState::Leaving => self.moved(index, false, RunState::Succeeded),
                    DrilledState::Returning => self.moved(index, true, RunState::Succeeded),
                    _ => self,
                };
            }
            self.look();
        }
        panic!("never over: {:?}", self.run.timeline);
    }

    fn states(&self) -> Vec<&'static str> {
        self.run.services.iter().map(|service| service.state.as_str()).collect()
    }
}

#[test]
fn what_is_needed_leaves_first_and_returns_last_and_all_is_held_in_between() {
    let mut story = Story::new();
    assert_eq!(story.play_out(), (DrillVerdict::Passed, DrillRule::AllLimitsKept));
    let mut orders = story.orders.clone();
    orders.dedup();
    assert_eq!(
        orders,
        ["monthly-1-needed-away", "monthly-1-needs-away", "monthly-1-needs-back", "monthly-1-needed-back"]
    );
    let held = story.run.held_since.unwrap();
    let returned = story.run.services[1].returned_at.unwrap();
    assert!(returned.since(held) >= HOLD, "{:?}", story.run.timeline);
}

#[test]
fn nothing_is_ordered_before_its_time_and_without_the_people_it_needs() {
    let mut story = Story::new();
    story.run.starts_at = at(10);
    story.run.limits.approvals = 2;
    for _ in 0..10 {
        story.look();
    }
    story.approve("kim", None).approve("lee", Some(at(5))).approve("asks", None);
    story.run.requested_by = Some("asks".to_owned());
    story.look();
    assert_eq!((story.run.phase, story.orders.len()), (DrillPhase::Announced, 0));
    assert!(story.run.message.contains("1 of 2 approvals"), "{}", story.run.message);
    story.approve("park", None).look();
    assert_eq!(story.run.phase, DrillPhase::Leaving);
}

#[test]
fn a_run_that_may_not_start_says_by_which_rule_and_touches_nothing() {
    let ended = |change: fn(&mut Story)| {
        let mut story = Story::new();
        change(&mut story);
        story.look();
        story.sight.now = at(400);
        story.look();
        assert!(story.orders.is_empty());
        assert_eq!(
            story.states().iter().filter(|state| **state == "Stayed").count(),
            story.run.services.len()
        );
        story.run.verdict.unwrap()
    };
    let blocked = |story: &mut Story| {
        story.sight.services[0].checks = vec![PreCheck {
            name: "Capacity".to_owned(),
            service: Some(Arc::from("needed")),
            outcome: RuleOutcome::Block,
            message: "too small".to_owned(),
        }];
    };
    assert_eq!(ended(blocked), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked));
    assert_eq!(
        ended(|s| s.run.limits.approvals = 1),
        (DrillVerdict::NotStarted, DrillRule::ApprovalsMissing)
    );
    assert_eq!(
        ended(|s| s.sight.another_run = Some("other".into())),
        (DrillVerdict::NotStarted, DrillRule::AnotherRun)
    );
    let stopped = |s: &mut Story| s.abort();
    assert_eq!(ended(stopped), (DrillVerdict::NotStarted, DrillRule::AbortedBeforeStart));
    let nothing = |s: &mut Story| {
        s.run.services.clear();
        s.sight.services.clear();
    };
    assert_eq!(ended(nothing), (DrillVerdict::NotStarted, DrillRule::NothingToMove));
}

#[test]
fn what_is_not_known_yet_is_waited_for_as_long_as_the_run_may_be_late() {
    let mut story = Story::new();
    story.sight.waits_for = Some("the name servers".to_owned());
    story.look();
    assert_eq!((story.run.phase, &*story.run.message), (DrillPhase::Announced, "waits for the name servers"));
    story.sight.now = story.run.starts_at;
    story.sight.now.0 += i64::try_from(story.run.limits.starting_deadline.as_millis()).unwrap();
    // Late is late: what is still unknown then stands in the checks.
    story.look();
    assert_eq!(story.run.phase, DrillPhase::Leaving);
}

#[test]
fn a_person_who_stops_it_while_a_service_leaves_turns_that_one_back_and_returns_the_others() {
    let mut story = Story::new();
    story.look().moved(0, false, RunState::Succeeded).look().moved(1, false, RunState::Running).look();
    story.orders.clear();
    story.abort();
    story.look();
    assert_eq!(story.orders, ["monthly-1-needed-back", "turn back monthly-1-needs-away"]);
    story.moved(1, false, RunState::Compensated).look();
    assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::AbortedByPerson));
    assert_eq!(story.states(), ["Back", "Stayed"]);
}

#[test]
fn an_early_sign_or_a_failure_where_it_is_served_returns_all_at_once_and_an_unknown_does_not() {
    for (health, trips) in [
        (MemberHealth::Degraded, true),
        (MemberHealth::Down, true),
        (MemberHealth::Unknown, false),
        (MemberHealth::Healthy, false),
    ] {
        let mut story = Story::held();
        story.health(0, health).look();
        assert_eq!(story.orders.len(), if trips { 2 } else { 0 }, "{health}");
        if trips {
            assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::GuardrailTripped));
        }
    }
    let mut story = Story::held();
    story.run.limits.degraded = false;
    story.health(0, MemberHealth::Degraded).look();
    assert!(story.orders.is_empty());
}

#[test]
fn when_the_place_that_was_left_breaks_the_drill_becomes_the_failover_and_moves_nothing_again() {
    let mut story = Story::held();
    story.sight.services[0].origin = MemberHealth::Down;
    story.look();
    assert_eq!(story.orders, ["monthly-1-needs-back"], "the other service still has where to go");
    assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::RealIncident));
    assert_eq!(story.states(), ["Kept", "Back"]);
}

#[test]
fn what_breaks_after_a_person_stopped_it_is_told_and_not_called_a_failure_to_return() {
    let mut story = Story::held();
    story.abort();
    story.sight.services.iter_mut().for_each(|sight| sight.origin = MemberHealth::Down);
    assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::RealIncident));
    assert_eq!((story.states(), story.orders.len()), (vec!["Kept", "Kept"], 0));
}

#[test]
fn a_move_that_is_going_on_is_not_turned_back_to_a_place_that_broke() {
    let mut story = Story::new();
    story.look().moved(0, false, RunState::Running);
    story.sight.services[0].origin = MemberHealth::Down;
    story.orders.clear();
    story.look();
    assert_eq!(story.run.stop.as_ref().unwrap().cause, StopCause::Incident);
    assert!(story.orders.is_empty(), "{:?}", story.orders);
    story.moved(0, false, RunState::Succeeded);
    assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::RealIncident));
    assert_eq!(story.states(), ["Kept", "Stayed"]);
}

#[test]
fn a_service_that_a_real_failover_moved_is_left_where_it_is() {
    let mut story = Story::held();
    story.sight.services[1].serving = only("a");
    story.look();
    assert_eq!(story.states()[1], "Back");
    assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::RealIncident));
}

#[test]
fn a_service_that_cannot_be_moved_ends_the_drill_and_returns_the_others() {
    let mut story = Story::new();
    story.look().moved(0, false, RunState::Succeeded).look().moved(1, false, RunState::Compensated).look();
    assert_eq!(story.play_out(), (DrillVerdict::Failed, DrillRule::MoveFailed));
    assert_eq!(story.states(), ["Back", "Stayed"]);
}

#[test]
fn a_service_that_does_not_come_back_is_told_again_and_in_the_end_given_up() {
    let mut story = Story::held();
    story.sight.now = at(100);
    for _ in 0..1_500 {
        for index in 0..2 {
            if story.run.services[index].state == DrilledState::Returning {
                story.moved(index, true, RunState::Refused);
            }
        }
        story.look();
        // The name of the next order is another one.
        story.sight.services.iter_mut().for_each(|sight| sight.back = None);
    }
    assert_eq!(story.run.verdict, Some((DrillVerdict::Failed, DrillRule::ReturnFailed)));
    assert!(story.orders.contains(&"monthly-1-needs-back-3".to_owned()), "{:?}", story.orders);
    assert_eq!(story.states(), ["Kept", "Kept"]);
}

#[test]
fn a_drill_that_takes_too_long_returns_and_has_failed() {
    let mut story = Story::held();
    story.run.limits.hold = Duration::from_secs(10_000);
    assert_eq!(story.play_out(), (DrillVerdict::Failed, DrillRule::OverTime));
    assert_eq!(story.states(), ["Back", "Back"]);
}

#[test]
fn a_move_that_hangs_does_not_keep_the_drill_from_ending() {
    let mut story = Story::new();
    story.look().moved(0, false, RunState::Paused);
    for _ in 0..1_300 {
        story.look();
    }
    assert_eq!(story.run.verdict, Some((DrillVerdict::Failed, DrillRule::ReturnFailed)));
}

#[test]
fn late_service_fails_and_a_finding_alone_does_not() {
    let mut story = Story::held();
    story.run.services[0].rto = Some(Duration::from_secs(31));
    assert_eq!(story.play_out(), (DrillVerdict::Failed, DrillRule::RtoMissed));
    let mut story = Story::held();
    story.run.findings.push("look at this".to_owned());
    assert_eq!(story.play_out(), (DrillVerdict::PassedWithFindings, DrillRule::FindingsOpen));
}

#[test]
fn a_dry_run_shows_every_plan_and_holds_nothing() {
    let mut story = Story::new();
    story.run.live = false;
    story.look().moved(0, false, RunState::Planned).look().moved(1, false, RunState::Planned).look();
    story.look();
    assert_eq!(story.run.verdict, Some((DrillVerdict::Passed, DrillRule::AllLimitsKept)));
}

fn errors(guards: bool) -> Condition {
    Condition {
        name: Arc::from("errors"),
        query: "errors".to_owned(),
        min: None,
        max: Some(0.01),
        guards,
        residual: false,
        may_break_for: Duration::from_secs(5),
        may_be_unknown_for: Duration::from_secs(60),
        broken_since: None,
        unknown_since: None,
    }
}

#[test]
fn traffic_that_still_arrives_where_the_services_were_is_a_finding_and_so_is_what_nobody_can_tell() {
    let ended = |measured: &Measured| {
        let mut story = Story::new();
        story.run.conditions = vec![Condition { residual: true, ..errors(false) }];
        story.sight.conditions = vec![measured.clone()];
        let (_, rule) = story.play_out();
        let told = story.run.timeline.iter().filter(|(_, what)| what.contains("still arrives")).count();
        assert_eq!(told, 1, "{:?}", story.run.timeline);
        (rule, story.run.findings.join("; "))
    };
    let (rule, findings) = ended(&Measured::Values(vec![0.0]));
    assert_eq!((rule, &*findings), (DrillRule::AllLimitsKept, ""));
    for (measured, words) in [
        (Measured::Values(vec![0.5]), "it is 0.5, and must be at most 0.01"),
        (Measured::Unknown("refused".to_owned()), "it is not known: refused"),
        (Measured::NotAsked, "nobody has asked it in time"),
    ] {
        let (rule, findings) = ended(&measured);
        assert_eq!(rule, DrillRule::FindingsOpen);
        assert!(findings.contains(words), "{findings}");
    }
}

#[test]
fn a_number_that_is_bad_or_not_known_keeps_a_run_from_starting_and_one_not_asked_yet_makes_it_wait() {
    let started = |measured: &Measured| {
        let mut story = Story::new();
        story.run.conditions = vec![errors(false)];
        story.sight.conditions = vec![measured.clone()];
        story.look();
        story
    };
    assert_eq!(started(&Measured::Values(vec![0.0])).run.phase, DrillPhase::Leaving);
    for measured in [Measured::Values(vec![0.5]), Measured::Unknown("refused".to_owned())] {
        let story = started(&measured);
        assert_eq!(story.run.verdict, Some((DrillVerdict::NotStarted, DrillRule::PreCheckBlocked)));
        assert!(story.run.message.contains("(PromQL/errors)"), "{}", story.run.message);
        assert!(story.orders.is_empty());
    }
    let mut waiting = started(&Measured::NotAsked);
    assert_eq!((waiting.run.phase, waiting.run.verdict), (DrillPhase::Announced, None));
    waiting.sight.now = at(400);
    waiting.look();
    assert_eq!(waiting.run.verdict, Some((DrillVerdict::NotStarted, DrillRule::PreCheckBlocked)));
    assert!(waiting.run.message.contains("nobody has asked it in time"), "{}", waiting.run.message);
}

#[test]
fn a_number_that_turns_bad_returns_everything_after_its_time_and_a_gate_does_not() {
    for guards in [true, false] {
        let mut story = Story::held();
        story.run.conditions = vec![errors(guards)];
        story.sight.conditions = vec![Measured::Values(vec![0.5])];
        for _ in 0..5 {
            story.look();
        }
        assert_eq!(story.orders.len(), 0);
        story.look();
        assert_eq!(story.orders.len(), if guards { 2 } else { 0 });
        if guards {
            assert_eq!(story.run.stop.as_ref().unwrap().guardrail.as_deref(), Some("PromQL/errors"));
            assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::GuardrailTripped));
        }
    }
}

#[test]
fn samples_beyond_their_limits_where_it_is_served_return_everything() {
    let mut story = Story::held();
    story.sight.services[1].beyond = Some("check ocsp: too slow".to_owned());
    story.look();
    assert_eq!(story.orders.len(), 2);
    assert_eq!(story.run.stop.as_ref().unwrap().guardrail.as_deref(), Some("Samples"));
    assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::GuardrailTripped));
}

/// A run that detects, with one stage for each service.
fn detecting(outcome: RuleOutcome) -> Story {
    let mut story = Story::new();
    (story.run.live, story.run.detects) = (false, true);
    stages(&mut story, outcome);
    story
}

fn stages(story: &mut Story, outcome: RuleOutcome) {
    for (sight, drilled) in story.sight.services.iter_mut().zip(&story.run.services) {
        sight.checks = vec![PreCheck {
            name: "QuorumReached".to_owned(),
            service: Some(drilled.service.name.clone()),
            outcome,
            message: "as told".to_owned(),
        }];
    }
}

#[test]
fn a_run_that_detects_asks_as_long_as_it_is_held_and_orders_nothing() {
    let mut story = detecting(RuleOutcome::Pass);
    story.look();
    assert_eq!(story.run.phase, DrillPhase::Holding);
    assert_eq!(story.play_out(), (DrillVerdict::Passed, DrillRule::AllLimitsKept));
    assert!(story.run.ended_at.unwrap().since(story.run.started_at.unwrap()) >= HOLD);
    assert_eq!((story.orders.len(), story.states()), (0, vec!["Stayed", "Stayed"]));
}

#[test]
fn a_loss_that_would_go_unnoticed_at_one_moment_fails_the_run_although_it_is_well_before_and_after() {
    let mut story = detecting(RuleOutcome::Block);
    assert_eq!(story.play_out(), (DrillVerdict::Failed, DrillRule::LossUnnoticed), "from the start");
    let mut story = detecting(RuleOutcome::Pass);
    story.look().look();
    stages(&mut story, RuleOutcome::Block);
    story.look();
    stages(&mut story, RuleOutcome::Pass);
    story.look();
    assert_eq!(story.play_out(), (DrillVerdict::Failed, DrillRule::LossUnnoticed));
    assert_eq!(story.run.findings.len(), 2, "{:?}", story.run.findings);
}

#[test]
fn a_run_that_detects_ends_when_a_person_stops_it_and_when_something_really_breaks() {
    let mut story = detecting(RuleOutcome::Pass);
    story.look();
    story.abort();
    story.look();
    assert_eq!(story.run.verdict, Some((DrillVerdict::Aborted, DrillRule::AbortedByPerson)));
    let mut story = detecting(RuleOutcome::Pass);
    story.look();
    story.sight.services[1].origin = MemberHealth::Down;
    story.look();
    assert_eq!(story.run.verdict, Some((DrillVerdict::Aborted, DrillRule::RealIncident)));
    assert!(story.orders.is_empty());
}

#[test]
fn with_a_ramp_the_next_service_waits_and_the_guardrails_do_not() {
    let ramped = || {
        let mut story = Story::new();
        story.run.ramp = vec![RampStep { percent: 10, hold: Duration::from_secs(20) }];
        story.look().moved(0, false, RunState::Succeeded).look();
        story
    };
    let mut story = ramped();
    for _ in 0..20 {
        assert_eq!(story.states(), ["Away", "Waiting"], "{:?}", story.run.timeline);
        story.look();
    }
    assert_eq!(story.states(), ["Away", "Leaving"]);
    assert_eq!(story.play_out(), (DrillVerdict::Passed, DrillRule::AllLimitsKept));
    let mut story = ramped();
    story.health(0, MemberHealth::Degraded).look();
    assert_eq!(story.play_out(), (DrillVerdict::Aborted, DrillRule::GuardrailTripped));
    assert_eq!(story.states(), ["Back", "Stayed"]);
}

#[test]
fn each_step_of_a_ramp_is_so_many_services_rounded_up() {
    let services = |percent, of| RampStep { percent, hold: HOLD }.services(of);
    assert_eq!([services(10, 2), services(10, 30), services(34, 3), services(99, 50)], [1, 3, 2, 50]);
}

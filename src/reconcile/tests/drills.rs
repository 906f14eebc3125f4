//! What a drill is told before it runs: its conditions, what its grade asks, and what cannot be.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;

use super::bench::{Bench, LEASE_TTL, service};
use crate::{
    domain::{DrillPhase, DrillRule, DrillRun, DrillVerdict, RuleOutcome},
    ports::{Meter, Metering, MeteringError},
    reconcile::book::Entry,
};

const POLICY: &str = "
apiVersion: bongsu.io/v1alpha1
kind: GradePolicy
metadata: {name: grade-1}
spec: {grade: 1, drills: {interval: 2160h, approvals: 1, minHold: 20s}}
";

/// A drill of one service away from Daejeon, with these fields besides.
fn drill(fields: &str) -> String {
    let base = [
        ("services", "{names: [verify]}"),
        ("direction", "{awayFrom: daejeon}"),
        ("hold", "10s"),
        ("guardrails", "{maxDuration: 5m}"),
    ];
    let stated = |name: &str| fields.lines().any(|line| line.starts_with(&format!("{name}:")));
    let own: String = base
        .iter()
        .filter(|(name, _)| !stated(name))
        .map(|(name, value)| format!("  {name}: {value}\n"))
        .collect();
    let fields: String = fields.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "
apiVersion: bongsu.io/v1alpha1
kind: SwitchoverDrill
metadata: {{name: monthly, namespace: gpki}}
spec:
{own}{fields}"
    )
}

fn wish(name: &str) -> String {
    format!(
        "
apiVersion: bongsu.io/v1alpha1
kind: DrillRun
metadata: {{name: {name}, namespace: gpki}}
spec: {{drillName: monthly, reason: Daejeon loses power, requestedBy: kim}}
"
    )
}

fn approval(run: &str) -> String {
    format!(
        "
apiVersion: bongsu.io/v1alpha1
kind: Approval
metadata: {{name: lee, namespace: gpki}}
spec: {{drillRunName: {run}, approver: lee}}
"
    )
}

/// One service with two kinds of name, and this drill.
async fn bench(drill: &str, more: &[(&str, &str)]) -> Bench {
    let verify = service("verify", &["names"]);
    let manifests = [&[("verify", &*verify), ("drill", drill)], more].concat();
    Bench::serving(&manifests).await
}

/// A run as it ended.
async fn ran(bench: &Bench, name: &str) -> DrillRun {
    bench.edit(name, Some(&wish(name))).await;
    bench.until("the drill is over", || run(bench, name).filter(|run| run.phase == DrillPhase::Over)).await
}

fn run(bench: &Bench, name: &str) -> Option<DrillRun> {
    let (_, text) = bench.ledger.text(&Entry::Drill("gpki".into(), name.into()))?;
    Some(serde_json::from_str(&text).unwrap())
}

fn why(run: &DrillRun) -> (DrillVerdict, DrillRule) {
    run.verdict.unwrap()
}

/// Condition `Ready` of the drill.
async fn ready(bench: &Bench) -> (String, String, String) {
    bench.until("the drill is shown", || bench.ready("SwitchoverDrill", "monthly")).await
}

async fn assert_ready(drill: &str, more: &[(&str, &str)], status: &str, reason: &str, words: &str) {
    let bench = bench(drill, more).await;
    let (found, because, message) = ready(&bench).await;
    assert_eq!((&*found, &*because), (status, reason), "{message}");
    assert!(message.contains(words), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_can_never_run_says_which_field_is_wrong() {
    let schedule = |text: &str| drill(&format!("schedule: {text}"));
    let cases = [
        (schedule("{cron: \"61 10 * * *\", timeZone: Asia/Seoul}"), "InvalidSchedule", "spec.schedule.cron"),
        (
            schedule("{cron: \"0 10 * * *\", timeZone: Asia/Busan}"),
            "InvalidSchedule",
            "spec.schedule.timeZone",
        ),
        (schedule("{cron: \"0 10 30 2 *\", timeZone: Asia/Seoul}"), "InvalidSchedule", "spec.schedule.cron"),
        (
            schedule(
                "{cron: \"0 10 * * *\", timeZone: Asia/Seoul, windows: [{from: \"12:00\", to: \"13:00\"}]}",
            ),
            "InvalidSchedule",
            "spec.schedule.windows",
        ),
        (drill("services: {names: [nobody]}"), "NothingSelected", "spec.services selects no SharedService"),
        (
            drill("ramp: [{percent: 50, hold: 10s}]"),
            "InvalidRamp",
            "a service is not moved in parts, because a name server answers with whole members",
        ),
    ];
    for (drill, reason, words) in cases {
        assert_ready(&drill, &[], "False", reason, words).await;
    }
    let calendar = "{apiVersion: bongsu.io/v1alpha1, kind: Calendar, metadata: {name: closed}, spec: {timeZone: Asia/Seoul,
        blocked: [{name: the election, from: \"1969-01-01\", to: \"2040-01-01\"}]}}";
    let blocked = schedule("{cron: \"0 10 * * *\", timeZone: Asia/Seoul, calendars: [closed]}");
    let words = "the first by the election (calendar closed)";
    assert_ready(&blocked, &[("calendar", calendar)], "False", "NeverRuns", words).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_objective_is_shorter_than_its_ttl_is_not_drilled_and_the_drill_says_so() {
    // The API server refuses an objective of its own that is so short; one by default it does not know.
    let verify = service("verify", &["names"]).replace("ttl: 1s", "ttl: 20s");
    let policy = POLICY.replace("drills: {interval: 2160h, approvals: 1, minHold: 20s}", "rto: 10s");
    let drill = drill("");
    let manifests = [("verify", &*verify), ("drill", &*drill), ("policy", &*policy)];
    let bench = Bench::serving(&manifests).await;
    let (status, reason, message) = ready(&bench).await;
    assert_eq!((&*status, &*reason), ("False", "ObjectiveTooShort"));
    assert!(
        message.contains("its objective of 10s is shorter than the TTL of its traffic, 20s"),
        "{message}"
    );
    let over = ran(&bench, "now").await;
    assert_eq!(why(&over), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked));
    assert!(over.message.contains("(ObjectiveFeasible)"), "{}", over.message);
}

#[tokio::test(start_paused = true)]
async fn what_the_grade_asks_of_a_drill_is_its_default_and_its_least() {
    let policy = &[("policy", POLICY)];
    assert_ready(&drill(""), policy, "False", "BelowPolicy", "spec.hold: 10s is too short").await;
    let few = drill("hold: 30s\napprovals: 0");
    assert_ready(&few, policy, "False", "BelowPolicy", "spec.approvals: 0 is too few").await;
    let rare = drill("hold: 30s\nschedule: {cron: \"0 10 1 1 *\", timeZone: Asia/Seoul}");
    assert_ready(&rare, policy, "True", "TooRare", "GradePolicy grade-1 allows 2160h").await;
    let often = drill("hold: 30s\nschedule: {cron: \"0 10 1 * *\", timeZone: Asia/Seoul}");
    assert_ready(&often, policy, "True", "Scheduled", "1 services").await;

    let bench = bench(&drill("hold: 10s\napprovals: 1"), policy).await;
    bench.edit("lee", Some(&approval("short"))).await;
    let short = ran(&bench, "short").await;
    assert_eq!(why(&short), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked));
    assert!(short.message.contains("no less than 20s (GradePolicy)"), "{}", short.message);
    bench.edit("drill", Some(&drill("hold: 30s"))).await;
    bench.edit("asked", Some(&wish("asked"))).await;
    let waits = bench
        .until("it waits", || run(&bench, "asked").filter(|run| run.message.contains("approvals")))
        .await;
    assert_eq!(waits.limits.approvals, 1, "the default is the policy's");
}

#[tokio::test(start_paused = true)]
async fn the_ladder_is_climbed_step_by_step_or_leaving_one_out_is_a_finding() {
    let policy = |ladder: &str| {
        POLICY.replace("interval: 2160h, approvals: 1, minHold: 20s", &format!("ladder: {ladder}"))
    };
    let bench = bench(&drill("kind: Live"), &[("policy", &policy("Require"))]).await;
    let live = ran(&bench, "live-1").await;
    assert_eq!(why(&live), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked));
    assert!(
        live.message.contains("no drill of kind DryRun away from daejeon has passed"),
        "{}",
        live.message
    );
    bench.edit("policy", Some(&policy("Advise"))).await;
    let live = ran(&bench, "live-2").await;
    assert_eq!(
        why(&live),
        (DrillVerdict::PassedWithFindings, DrillRule::FindingsOpen),
        "{:?}",
        live.timeline
    );
    bench.edit("policy", Some(&policy("Require"))).await;
    let live = ran(&bench, "live-3").await;
    assert_eq!(why(&live), (DrillVerdict::Passed, DrillRule::AllLimitsKept), "climbed before");
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_detects_says_at_which_stage_a_loss_would_be_lost_and_moves_nothing() {
    let bench = bench(&drill("kind: Detection"), &[]).await;
    let before = bench.record("verify");
    let well = ran(&bench, "well").await;
    let stages: Vec<_> = well.pre_checks.iter().filter(|check| check.service.is_some()).collect();
    // The bench has one vantage, in the witness region.
    assert_eq!(why(&well), (DrillVerdict::Passed, DrillRule::AllLimitsKept), "{stages:#?}");
    assert_eq!(
        stages.iter().map(|stage| &*stage.name).collect::<Vec<_>>(),
        ["VantagesSpeak", "QuorumReached", "MoveDecided", "DetectedInTime"]
    );
    assert!(stages[2].message.contains("Bongsu would move it to gwangju"), "{}", stages[2].message);
    bench.members.fail("gwangju", "verify");
    bench.pass(Duration::from_secs(10)).await;
    let nowhere = ran(&bench, "nowhere").await;
    assert_eq!(why(&nowhere), (DrillVerdict::Failed, DrillRule::LossUnnoticed));
    assert!(nowhere.findings[0].contains("gwangju cannot take over: it is Down"), "{:?}", nowhere.findings);
    assert_eq!(bench.record("verify"), before, "nothing was moved");
}

#[tokio::test(start_paused = true)]
async fn an_approval_of_a_run_that_nobody_knows_or_that_is_over_says_so() {
    let bench = bench(&drill(""), &[]).await;
    bench.edit("lee", Some(&approval("nobody"))).await;
    let shown = |reason: &'static str| {
        let bench = &bench;
        move || bench.ready("Approval", "lee").filter(|(_, found, _)| found == reason)
    };
    bench.until("it is told", shown("UnknownDrillRun")).await;
    ran(&bench, "now").await;
    bench.edit("lee", Some(&approval("now"))).await;
    let (status, _, message) = bench.until("it is told", shown("TooLate")).await;
    assert_eq!((&*status, &*message), ("False", "DrillRun now is over"));
}

#[tokio::test(start_paused = true)]
async fn people_are_told_twice_when_it_is_announced_and_when_it_starts() {
    let bench = bench(&drill(""), &[]).await;
    let starts = "1970-01-01T00:05:00Z";
    let later = wish("later").replace("spec: {", &format!("spec: {{startsAt: \"{starts}\", "));
    bench.edit("later", Some(&later)).await;
    let told = || bench.desk.told.lock().unwrap().clone();
    bench.until("it is announced", || told().contains(&"DrillAnnounced".to_owned()).then_some(())).await;
    assert!(!told().contains(&"DrillStarted".to_owned()));
    assert!(run(&bench, "later").unwrap().message.contains("starts at 1970-01-01T00:05:00"));
    bench.pass(Duration::from_secs(300)).await;
    bench.until("it starts", || told().contains(&"DrillStarted".to_owned()).then_some(())).await;
    bench.until("it is over", || run(&bench, "later").filter(|run| run.phase == DrillPhase::Over)).await;
    assert_eq!(told().iter().filter(|reason| *reason == "DrillStarted").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_a_ramp_one_service_leaves_and_the_other_waits_and_both_come_back() {
    let issue = service("issue", &["others"]);
    let ramped = drill("services: {names: [verify, issue]}\nramp: [{percent: 50, hold: 30s}]");
    let bench = bench(&ramped, &[("issue", &issue)]).await;
    bench.pass(Duration::from_secs(10)).await;
    assert_eq!(ready(&bench).await.1, "ByHand");
    let over = ran(&bench, "now").await;
    assert_eq!(why(&over), (DrillVerdict::Passed, DrillRule::AllLimitsKept), "{:?}", over.timeline);
    let at = |words: &str| {
        let found = over.timeline.iter().find(|(_, what)| what.contains(words));
        found.unwrap_or_else(|| panic!("{words} is not in {:?}", over.timeline)).0
    };
    let waited = at("verify leaves daejeon").since(at("1 of 2 services have left (50 %)"));
    assert!(waited >= Duration::from_secs(30), "{waited:?}");
}

/// Answers as it is told, and notes which token it was asked with.
struct Told {
    answer: Mutex<Result<Vec<f64>, MeteringError>>,
    token: Mutex<Option<Arc<str>>>,
}

#[async_trait]
impl Metering for Told {
    async fn ask(&self, meter: &Meter, _: &str) -> Result<Vec<f64>, MeteringError> {
        self.token.lock().unwrap().clone_from(&meter.token);
        self.answer.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_is_asked_for_with_the_token_of_the_secret_and_one_that_is_refused_is_read_anew() {
    let told = Arc::new(Told { answer: Mutex::new(Ok(vec![0.0])), token: Mutex::default() });
    let measured = drill(
        "prometheus: {url: \"http://prometheus.example:9090\", tokenSecretRef: {name: prometheus, key: token}}\n\
         guardrails: {maxDuration: 5m, unknownFor: 20s, promql: [{name: errors, query: errors, max: \"0.01\"}]}\n\
         hold: 2m",
    );
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: prometheus, namespace: gpki}, stringData: {token: \"t0ken\\n\"}}";
    let verify = service("verify", &["names"]);
    let manifests = [("verify", &*verify), ("drill", &*measured), ("secret", secret)];
    let bench = Bench::measuring(&manifests, told.clone()).await;
    bench
        .until("every service is ready to move", || {
            bench.condition("verify", "FailoverReady").filter(|c| c.0 == "True")
        })
        .await;
    bench.edit("now", Some(&wish("now"))).await;
    let phase = |wanted: DrillPhase| {
        let bench = &bench;
        move || run(bench, "now").filter(|run| run.phase == wanted)
    };
    bench.until("it is held", phase(DrillPhase::Holding)).await;
    assert_eq!(told.token.lock().unwrap().as_deref(), Some("t0ken"));
    let refused = MeteringError::Unauthorized { url: "prometheus.example".to_owned(), status: 401 };
    *told.answer.lock().unwrap() = Err(refused);
    let since = bench.now();
    let over = bench.until("it is over", phase(DrillPhase::Over)).await;
    let waited = over.stop.as_ref().unwrap().at.0 - i64::try_from(since).unwrap();
    assert!((20_000..32_000).contains(&waited), "{waited} ms: unknownFor and one question");
    assert_eq!(why(&over), (DrillVerdict::Aborted, DrillRule::GuardrailTripped));
    assert!(over.message.contains("errors has not been known for 20s"), "{}", over.message);
    assert!(bench.desk.doubted.lock().unwrap().contains(&"gpki/prometheus".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_service_of_another_drill_that_this_cluster_does_not_know_may_be_related() {
    let bench = bench(&drill(""), &[]).await;
    let mut other = ran(&bench, "first").await;
    assert_eq!(why(&other), (DrillVerdict::Passed, DrillRule::AllLimitsKept));
    other.id = "elsewhere-1".into();
    other.drill = "elsewhere".into();
    other.services[0].service = super::bench::key("unknown");
    other.phase = DrillPhase::Holding;
    other.held_since = other.ended_at;
    let entry = Entry::Drill("gpki".into(), other.id.clone());
    bench.ledger.put_text(&entry, &serde_json::to_string(&other).unwrap()).await;
    let second = ran(&bench, "second").await;
    assert_eq!(why(&second), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked));
    assert!(
        second.message.contains("DrillRun elsewhere-1 moves unknown (NoOtherMove)"),
        "{}",
        second.message
    );
}

#[tokio::test(start_paused = true)]
async fn a_live_drill_starts_only_where_updates_are_taken_and_one_that_moves_nothing_does_not_ask() {
    let check = |run: &DrillRun| run.pre_checks.iter().find(|check| check.name == "TrafficWritable").cloned();
    let bench = bench(&drill(""), &[]).await;
    bench.servers.refuse.store(true, Ordering::SeqCst);
    let refused = ran(&bench, "refused").await;
    assert_eq!(why(&refused), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked));
    assert_eq!(check(&refused).unwrap().message, "ns answered no: repair it");
    assert!(refused.message.contains("ns answered no: repair it (TrafficWritable)"), "{}", refused.message);
    bench.edit("drill", Some(&drill("kind: DryRun"))).await;
    let dry = ran(&bench, "dry").await;
    assert_eq!((why(&dry).0, check(&dry)), (DrillVerdict::Passed, None));
    bench.servers.refuse.store(false, Ordering::SeqCst);
    bench.edit("drill", Some(&drill(""))).await;
    let passed = ran(&bench, "passed").await;
    assert_eq!(why(&passed).0, DrillVerdict::Passed);
    assert_eq!(check(&passed).unwrap().outcome, RuleOutcome::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_drill_does_not_start_where_the_member_that_serves_could_not_take_the_service_back() {
    let bench = bench(&drill(""), &[]).await;
    let small = service("verify", &["names"])
        .replace("addresses: [192.0.2.1]", "addresses: [192.0.2.1], capacity: 10")
        .replace("addresses: [198.51.100.1]", "addresses: [198.51.100.1], capacity: 100")
        .replace("  health:", "  peakLoad: 50\n  health:");
    bench.edit("verify", Some(&small)).await;
    let refused = ran(&bench, "now").await;
    assert_eq!(why(&refused), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked));
    assert!(refused.message.contains("carry 10/s and the peak is 50/s"), "{}", refused.message);
    assert!(refused.message.contains("(ReturnCapacity)"), "{}", refused.message);
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_is_deleted_before_the_start_is_taken_back() {
    let bench = bench(&drill("approvals: 2"), &[]).await;
    bench.edit("now", Some(&wish("now"))).await;
    let given = |count: &'static str| {
        let bench = &bench;
        move || run(bench, "now").filter(|run| run.message.starts_with(count))
    };
    bench.until("it waits for two", given("0 of 2 approvals")).await;
    bench.edit("lee", Some(&approval("now"))).await;
    bench.until("one has said yes", given("1 of 2 approvals")).await;
    bench.edit("lee", None).await;
    bench.until("it is taken back", given("0 of 2 approvals")).await;
    bench.edit("park", Some(&approval("now").replace("lee", "park"))).await;
    let waits = bench.until("another one has said yes", given("1 of 2 approvals")).await;
    assert_eq!((waits.phase, waits.approved_by.len()), (DrillPhase::Announced, 0));
}

#[tokio::test(start_paused = true)]
async fn a_drill_waits_for_a_region_whose_bongsu_is_silent_before_it_starts() {
    let bench = bench(&drill(""), &[]).await;
    bench.ledger.give("region-gwangju", "gwangju-1").await;
    bench.pass(LEASE_TTL * 2).await;
    bench.edit("now", Some(&wish("now"))).await;
    let waits = |run: &DrillRun| run.message.contains("the Bongsu of gwangju to renew its lease");
    bench.until("it waits", || run(&bench, "now").filter(waits)).await;
    bench.pass(LEASE_TTL).await;
    assert_eq!(run(&bench, "now").unwrap().started_at, None);
    bench.ledger.give("region-gwangju", "gwangju-2").await;
    bench.until("it starts", || run(&bench, "now").and_then(|run| run.started_at)).await;
}

#[tokio::test(start_paused = true)]
async fn a_drill_for_which_a_silent_region_did_not_come_back_in_time_is_not_started() {
    let scheduled = "schedule: {cron: \"0 10 * * *\", timeZone: Asia/Seoul, startingDeadline: 30s}";
    let bench = bench(&drill(scheduled), &[]).await;
    bench.ledger.give("region-gwangju", "gwangju-1").await;
    bench.pass(LEASE_TTL * 2).await;
    let run = ran(&bench, "now").await;
    assert_eq!(why(&run), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked), "{}", run.message);
    assert!(run.message.contains("look at the pods there (RegionsWatched)"), "{}", run.message);
}

#[tokio::test(start_paused = true)]
async fn a_drill_does_not_start_while_a_member_of_the_ledger_is_missing() {
    let bench = bench(&drill(""), &[]).await;
    let missing = "member daejeon does not answer: connection refused";
    *bench.ledger.absent.lock().unwrap() = Some(vec![missing.to_owned()]);
    let run = ran(&bench, "now").await;
    assert_eq!(why(&run), (DrillVerdict::NotStarted, DrillRule::PreCheckBlocked), "{}", run.message);
    assert!(run.message.contains(&format!("{missing} (LedgerComplete)")), "{}", run.message);
    *bench.ledger.absent.lock().unwrap() = Some(Vec::new());
    let again = ran(&bench, "again").await;
    assert_eq!(complete(&again), Some(RuleOutcome::Pass), "{}", again.message);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_does_not_say_who_its_members_are_keeps_no_drill_from_starting() {
    let bench = bench(&drill(""), &[]).await;
    let run = ran(&bench, "now").await;
    assert_eq!(complete(&run), Some(RuleOutcome::NotApplicable), "{}", run.message);
    assert!(run.started_at.is_some(), "{}", run.message);
}

fn complete(run: &DrillRun) -> Option<RuleOutcome> {
    run.pre_checks.iter().find(|check| check.name == "LedgerComplete").map(|check| check.outcome)
}

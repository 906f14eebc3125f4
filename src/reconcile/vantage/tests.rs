use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures::FutureExt;
use tokio::time::{Instant, sleep};

use super::*;
use crate::domain::{Limits, Outcome, Recovery, Tick, Window};
use crate::ports::{CheckKind, Probe, PromqlSpec, Scheme};

/// Time that tokio moves on by itself when nothing can run, plus a jump that each wake-up makes: a process that stands
/// still.
pub(in crate::reconcile) struct TestClock {
    start: Instant,
    jumped: AtomicU64,
    jump_at_wake: AtomicU64,
}

impl TestClock {
    pub(in crate::reconcile) fn new() -> Self {
        Self { start: Instant::now(), jumped: AtomicU64::new(0), jump_at_wake: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Clock for TestClock {
    fn tick(&self) -> Tick {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        Tick(elapsed + self.jumped.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Timestamp {
        Timestamp(i64::try_from(self.tick().0).unwrap())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    async fn sleep(&self, time: Duration) {
        sleep(time).await;
        self.jumped.fetch_add(self.jump_at_wake.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// What a probe does at one run.
#[derive(Clone, Copy)]
enum Does {
    Answer(Outcome),
    HangUntilTimeout,
    HangForEver,
    Panic,
}

/// Probes that follow a script, and then its last line; every start is noted.
struct Scripted {
    clock: Arc<TestClock>,
    script: Mutex<VecDeque<Does>>,
    starts: Mutex<Vec<(Arc<str>, u64)>>,
}

struct ScriptedProbe(Arc<Scripted>, CheckSpec);

impl Prober for Arc<Scripted> {
    fn prepare(&self, endpoint: &Endpoint, check: &CheckSpec) -> Result<Arc<dyn Probe>, ProbeError> {
        if &*endpoint.host == "nowhere" {
            return Ok(Arc::new(NeverEnds));
        }
        if let CheckKind::Promql(spec) = &check.kind {
            assert_eq!(&*spec.query, "queue{region=\"daejeon\"}");
        }
        if &*check.name == "broken" {
            return Err(ProbeError::Expect { check: "broken".to_owned(), cause: "line 1".to_owned() });
        }
        Ok(Arc::new(ScriptedProbe(Arc::clone(self), check.clone())))
    }
}

/// A probe of which no sample ever counts.
struct NeverEnds;

#[async_trait]
impl Probe for NeverEnds {
    async fn run(&self) -> Reading {
        std::future::pending().await
    }
}

#[async_trait]
impl Probe for ScriptedProbe {
    async fn run(&self) -> Reading {
        let Self(scripted, check) = self;
        scripted.starts.lock().unwrap().push((check.name.clone(), scripted.clock.tick().0));
        let sign = match &*check.name {
            "strained" => Some(Does::Answer(Outcome::Strained)),
            "unjudged" => Some(Does::Answer(Outcome::Unjudged)),
            _ => None,
        };
        let does = sign.or_else(|| {
            let mut script = scripted.script.lock().unwrap();
            if script.len() > 1 { script.pop_front() } else { script.front().copied() }
        });
        let outcome = match does.unwrap() {
            Does::Answer(outcome) => outcome,
            Does::HangUntilTimeout => {
                scripted.clock.sleep(check.timeout).await;
                Outcome::Unreachable
            }
            Does::HangForEver => std::future::pending().await,
            Does::Panic => panic!("the probe is broken"),
        };
        let latency = if outcome == Outcome::Slow { Duration::from_secs(1) } else { Duration::ZERO };
        Reading { outcome, latency, detail: "as written".to_owned(), ..Reading::default() }
    }
}

#[derive(Default)]
struct Counts {
    samples: AtomicUsize,
    late: AtomicUsize,
    busy: AtomicUsize,
    broken: AtomicUsize,
    stretched: AtomicUsize,
}

impl VantageObserver for Counts {
    fn sample(&self, _: &ServiceKey, _: &RegionName, _: &str, _: &Reading) {
        self.samples.fetch_add(1, Ordering::SeqCst);
    }

    fn skipped(&self, reason: Skipped) {
        let count = match reason {
            Skipped::Late => &self.late,
            Skipped::Busy => &self.busy,
            Skipped::Broken => &self.broken,
            Skipped::Stretched => &self.stretched,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn verdict(&self, _: &ServiceKey, _: &RegionName, _: Verdict) {}
}

struct Bench {
    clock: Arc<TestClock>,
    scripted: Arc<Scripted>,
    counts: Arc<Counts>,
    vantage: Vantage,
}

impl Bench {
    fn new(script: &[Does]) -> Self {
        let clock = Arc::new(TestClock::new());
        let scripted = Arc::new(Scripted {
            clock: clock.clone(),
            script: Mutex::new(script.iter().copied().collect()),
            starts: Mutex::default(),
        });
        let counts = Arc::new(Counts::default());
        let vantage = Vantage::new(clock.clone(), Arc::new(scripted.clone()), counts.clone());
        Self { clock, scripted, counts, vantage }
    }

    /// Virtual time goes by; not a wait for something that happens in real time.
    #[expect(clippy::disallowed_methods, reason = "moves the paused clock")]
    async fn pass(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }

    #[expect(clippy::disallowed_methods, reason = "moves the paused clock")]
    async fn pass_millis(&self, millis: u64) {
        sleep(Duration::from_millis(millis)).await;
    }

    fn verdict(&self, service: &str) -> MemberVerdict {
        self.vantage.verdicts(&ServiceKey::new("gpki", service)).remove(&RegionName::new("daejeon")).unwrap()
    }

    fn starts(&self) -> Vec<u64> {
        self.scripted.starts.lock().unwrap().iter().map(|(_, at)| *at).collect()
    }
}

fn watched(service: &str, checks: &[&str]) -> Watched {
    let endpoint = Endpoint { scheme: Scheme::Tcp, host: "member".into(), port: 1 };
    let spec = |name: &&str| CheckSpec {
        name: Arc::from(*name),
        timeout: Duration::from_millis(800),
        max_latency: None,
        port: None,
        scheme: None,
        kind: CheckKind::Tcp,
    };
    Watched {
        service: ServiceKey::new("gpki", service),
        grade: 1,
        health: HealthPolicy {
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(800),
            window: Window { size: 5, failures: 3 },
            recovery: Recovery { successes: 3, stable_for: Duration::from_secs(10) },
            quorum: 2,
        },
        members: BTreeMap::from([(RegionName::new("daejeon"), endpoint)]),
        checks: checks.iter().map(spec).collect(),
    }
}

/// The same with a number that a Prometheus knows.
fn with_sign(name: &str, checks: &[&str]) -> Watched {
    let mut watched = watched("verify", checks);
    let sign = PromqlSpec {
        url: "http://prometheus.example".into(),
        token: None,
        ca_bundle: None,
        query: "queue{region=\"$region\"}".into(),
        limits: Limits { min: None, max: Some(1.0) },
    };
    let first = watched.checks[0].clone();
    watched.checks.push(CheckSpec { name: name.into(), kind: CheckKind::Promql(sign), ..first });
    watched
}

const OK: Does = Does::Answer(Outcome::Ok);
const WRONG: Does = Does::Answer(Outcome::Wrong);

#[tokio::test(start_paused = true)]
async fn a_member_is_failed_with_the_third_bad_sample_and_since_the_first() {
    let bench = Bench::new(&[OK, OK, OK, OK, WRONG]);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    bench.pass(4).await;
    assert_eq!(bench.verdict("verify").verdict, Verdict::Healthy);
    bench.pass(2).await;
    assert_eq!(bench.verdict("verify").verdict, Verdict::Healthy, "two bad samples of the three");
    bench.pass(1).await;
    let verdict = bench.verdict("verify");
    assert_eq!(verdict.verdict, Verdict::Failed);
    assert_eq!(verdict.onset, Some(Timestamp(i64::try_from(bench.starts()[4]).unwrap())));
    assert_eq!(verdict.reason, "check deep: wrong: as written");
}

#[tokio::test(start_paused = true)]
async fn a_hung_target_counts_at_its_timeout_and_does_not_shift_the_next_check() {
    let bench = Bench::new(&[Does::HangUntilTimeout]);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    bench.pass(6).await;
    let starts = bench.starts();
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == 1_000), "{starts:?}");
    assert_eq!(bench.verdict("verify").verdict, Verdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_never_ends_or_panics_is_no_sample_and_does_not_stop_the_check() {
    let bench = Bench::new(&[OK, OK, OK, Does::HangForEver, Does::Panic, OK]);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    bench.pass(8).await;
    assert_eq!(bench.counts.broken.load(Ordering::SeqCst), 2);
    assert_eq!(bench.verdict("verify").verdict, Verdict::Healthy);
    assert!(bench.counts.samples.load(Ordering::SeqCst) >= 4);
}

#[tokio::test(start_paused = true)]
async fn a_late_vantage_makes_no_samples_and_its_verdict_becomes_unknown() {
    let bench = Bench::new(&[OK]);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    bench.pass(5).await;
    assert_eq!(bench.verdict("verify").verdict, Verdict::Healthy);
    let before = bench.counts.samples.load(Ordering::SeqCst);
    bench.clock.jump_at_wake.store(600, Ordering::SeqCst);
    bench.pass(20).await;
    assert_eq!(bench.counts.samples.load(Ordering::SeqCst), before);
    assert!(bench.counts.late.load(Ordering::SeqCst) > 0);
    let verdict = bench.verdict("verify");
    assert_eq!(verdict.verdict, Verdict::Unknown);
    assert_eq!(verdict.reason, "check deep: not enough samples");
}

#[tokio::test(start_paused = true)]
async fn a_vantage_that_cannot_keep_up_leaves_out_samples_of_grade_4_first_and_takes_them_up_again() {
    let bench = Bench::new(&[OK]);
    let survey = Watched { grade: 4, ..watched("survey", &["answers"]) };
    bench.vantage.watch(vec![watched("verify", &["deep"]), survey]);
    bench.pass(30).await;
    assert!(bench.vantage.stretch().is_none());
    bench.clock.jump_at_wake.store(600, Ordering::SeqCst);
    for _ in 0..200 {
        if bench.vantage.stretch().is_none() {
            bench.pass_millis(250).await;
        }
    }
    assert!(!bench.vantage.stretch().is_none());
    bench.clock.jump_at_wake.store(0, Ordering::SeqCst);
    // Those that slept over the last jump are late.
    bench.pass(2).await;
    let taken = async |seconds| {
        bench.scripted.starts.lock().unwrap().clear();
        bench.pass(seconds).await;
        let starts = bench.scripted.starts.lock().unwrap();
        let of = |name: &str| starts.iter().filter(|(check, _)| **check == *name).count();
        (of("deep"), of("answers"))
    };
    assert_eq!(taken(20).await, (20, 10));
    assert!(bench.counts.stretched.load(Ordering::SeqCst) >= 10);
    assert_eq!(bench.verdict("survey").verdict, Verdict::Healthy, "it is judged by what is left");
    // Two steps back, a minute each: what slept over the last jump was lost too.
    bench.pass(120).await;
    assert!(bench.vantage.stretch().is_none());
    assert_eq!(taken(20).await, (20, 20));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_while_the_process_stood_still_is_no_sample() {
    let bench = Bench::new(&[OK, OK, OK, OK, Does::HangUntilTimeout]);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    bench.pass(3).await;
    let fifth_due = bench.starts()[0] + 4_000;
    bench.clock.sleep(Duration::from_millis(fifth_due + 100 - bench.clock.tick().0)).await;
    assert_eq!(bench.starts().len(), 5);
    bench.clock.jumped.fetch_add(3_000, Ordering::SeqCst);
    let samples = bench.counts.samples.load(Ordering::SeqCst);
    bench.pass(1).await;
    assert_eq!(bench.counts.samples.load(Ordering::SeqCst), samples);
    assert_eq!(bench.counts.late.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sample_that_finds_too_much_in_flight_is_none() {
    let bench = Bench::new(&[OK]);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    let all =
        bench.vantage.shared.in_flight.acquire_many(u32::try_from(IN_FLIGHT_MAX).unwrap()).await.unwrap();
    bench.pass(3).await;
    assert_eq!(bench.starts().len(), 0);
    assert_eq!(bench.counts.busy.load(Ordering::SeqCst), 3);
    drop(all);
    bench.pass(1).await;
    assert_eq!(bench.starts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_did_not_change_keeps_its_window_and_a_removed_one_stops() {
    let bench = Bench::new(&[OK]);
    bench.vantage.watch(vec![watched("verify", &["deep"]), watched("issue", &["other"])]);
    bench.pass(4).await;
    let since = bench.verdict("verify").since;
    bench.vantage.watch(vec![watched("verify", &["deep"]), watched("revoke", &["third"])]);
    assert_eq!(bench.verdict("verify").verdict, Verdict::Healthy);
    assert_eq!(bench.verdict("revoke").verdict, Verdict::Unknown);
    assert!(bench.vantage.verdicts(&ServiceKey::new("gpki", "issue")).is_empty());
    bench.scripted.starts.lock().unwrap().clear();
    bench.pass(5).await;
    assert!(bench.scripted.starts.lock().unwrap().iter().all(|(name, _)| &**name != "other"));
    assert_eq!(bench.verdict("verify").since, since);
}

#[tokio::test(start_paused = true)]
async fn a_changed_service_starts_with_nothing_seen() {
    let bench = Bench::new(&[OK]);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    bench.pass(4).await;
    bench.vantage.watch(vec![watched("verify", &["deep", "second"])]);
    assert_eq!(bench.verdict("verify").verdict, Verdict::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_cannot_be_run_keeps_its_member_unknown_and_says_why() {
    let bench = Bench::new(&[OK]);
    bench.vantage.watch(vec![watched("verify", &["deep", "broken"])]);
    bench.pass(6).await;
    let verdict = bench.verdict("verify");
    assert_eq!(verdict.verdict, Verdict::Unknown);
    assert_eq!(verdict.reason, "check broken: expect does not compile: line 1");
    let readings =
        bench.vantage.sample_now(&ServiceKey::new("gpki", "verify"), &RegionName::new("daejeon")).await;
    let said: Vec<_> = readings.iter().map(|(name, reading)| (&**name, reading.is_ok())).collect();
    assert_eq!(said, [("deep", true), ("broken", false)]);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_warns_degrades_a_member_and_decides_nothing_else() {
    let said = async |sign, script: &[Does]| {
        let bench = Bench::new(script);
        bench.vantage.watch(vec![with_sign(sign, &["deep"])]);
        bench.pass(6).await;
        let said = bench.verdict("verify");
        let (service, region) = (ServiceKey::new("gpki", "verify"), RegionName::new("daejeon"));
        assert_eq!(
            bench.vantage.sample_now(&service, &region).await.len(),
            1,
            "a move is not verified by a sign"
        );
        (said.verdict, said.reason)
    };
    let strained = "check strained: strained: as written".to_owned();
    assert_eq!(said("strained", &[OK]).await, (Verdict::Degraded, strained));
    assert_eq!(said("unjudged", &[OK]).await, (Verdict::Healthy, String::new()), "who is asked may be down");
    let unknown = "check deep: unjudged: as written".to_owned();
    assert_eq!(said("unjudged", &[Does::Answer(Outcome::Unjudged)]).await, (Verdict::Unknown, unknown));
    let failed = "check deep: wrong: as written".to_owned();
    assert_eq!(said("unjudged", &[WRONG]).await, (Verdict::Failed, failed.clone()));
    assert_eq!(said("strained", &[WRONG]).await, (Verdict::Failed, failed));
}

#[tokio::test(start_paused = true)]
async fn changes_come_once_for_each_service_and_none_is_lost() {
    let bench = Bench::new(&[OK]);
    let changes = bench.vantage.changes();
    bench.vantage.watch(vec![watched("a", &["x", "y"]), watched("b", &["x"])]);
    bench.pass(5).await;
    assert_eq!(changes.next().await, ServiceKey::new("gpki", "a"));
    assert_eq!(changes.next().await, ServiceKey::new("gpki", "b"));
    assert!(changes.next().now_or_never().is_none());
    bench.vantage.watch(vec![watched("b", &["x"])]);
    assert_eq!(changes.next().await, ServiceKey::new("gpki", "a"));
}

#[tokio::test(start_paused = true)]
async fn an_extra_sample_does_not_count_for_the_verdict() {
    let bench = Bench::new(&[WRONG]);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    for _ in 0..9 {
        bench.vantage.sample_now(&ServiceKey::new("gpki", "verify"), &RegionName::new("daejeon")).await;
    }
    assert_eq!(bench.verdict("verify").verdict, Verdict::Unknown);
    assert_eq!(bench.counts.samples.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn samples_beyond_the_limits_of_a_drill_are_said_once_and_only_while_it_has_limits() {
    let script = [&[Does::Answer(Outcome::Ok); 10][..], &[Does::Answer(Outcome::Slow)]].concat();
    let bench = Bench::new(&script);
    bench.vantage.watch(vec![watched("verify", &["deep"])]);
    let service = ServiceKey::new("gpki", "verify");
    let limits =
        SampleLimits { count: 5, max_latency: Some(Duration::from_millis(500)), max_failed_percent: None };
    let limited = BTreeMap::from([(service.clone(), limits)]);
    bench.vantage.limit(&limited);
    bench.pass(9).await;
    assert_eq!(bench.verdict("verify").beyond, None);
    let changes = bench.vantage.changes();
    while changes.next().now_or_never().is_some() {}
    bench.pass(4).await;
    let said = bench.verdict("verify").beyond.unwrap();
    assert!(said.starts_with("check deep: of the last 5 samples 95 % took up to 1000 ms"), "{said}");
    assert_eq!(changes.next().now_or_never(), Some(service.clone()));
    bench.pass(30).await;
    while changes.next().now_or_never().is_some() {}
    bench.pass(30).await;
    assert!(changes.next().now_or_never().is_none(), "each sample was told");
    bench.vantage.limit(&BTreeMap::new());
    assert_eq!(changes.next().now_or_never(), Some(service));
    assert_eq!(bench.verdict("verify").beyond, None);
}

/// Two members, the checks of which start at different times in each interval.
#[tokio::test(start_paused = true)]
async fn a_place_that_begins_anew_says_of_both_regions_at_once_that_they_failed() {
    let bench = Bench::new(&[WRONG]);
    let mut both = watched("verify", &["deep"]);
    let endpoint = both.members[&RegionName::new("daejeon")].clone();
    both.members.insert(RegionName::new("busan"), endpoint);
    bench.vantage.watch(vec![both]);
    let mut spoke = Vec::new();
    for _ in 0..120 {
        bench.pass_millis(50).await;
        let said = bench.vantage.verdicts(&ServiceKey::new("gpki", "verify"));
        spoke.push(said.values().filter(|said| said.verdict == Verdict::Failed).count());
    }
    assert!(!spoke.contains(&1), "one region alone: {spoke:?}");
    assert!(spoke.contains(&2));
    bench.vantage.forget_failures(&RegionName::new("gwangju"));
    bench.pass(1).await;
    assert_eq!(bench.verdict("verify").verdict, Verdict::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_said_although_another_member_can_never_be_judged() {
    let bench = Bench::new(&[WRONG]);
    let mut both = watched("verify", &["deep"]);
    let endpoint = both.members[&RegionName::new("daejeon")].clone();
    both.members.insert(RegionName::new("busan"), Endpoint { host: "nowhere".into(), ..endpoint });
    bench.vantage.watch(vec![both]);
    bench.pass(5).await;
    let said = bench.verdict("verify");
    assert_eq!(said.verdict, Verdict::Unknown, "the other one may still be judged");
    assert!(
        said.reason.starts_with("waits until its other members are judged: check deep: wrong"),
        "{said:?}"
    );
    bench.pass(10).await;
    assert_eq!(bench.verdict("verify").verdict, Verdict::Failed);
}

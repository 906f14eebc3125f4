//! What 5,000 HTTP checks a second cost: how late they start, and how much memory they hold.
//!
//! The servers run in a process of their own, so that the memory is the vantage's. Goals on two cores: 99 of 100 starts
//! within 100 ms, and 150 MB. Run with `cargo bench --bench checks`, or `… -- SECONDS`.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement that cannot go on fails")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, atomic::AtomicU64, atomic::Ordering},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::{Router, body::Bytes, routing::post};
use bongsu::{
    adapters::{clock::SystemClock, probe::NetworkProber},
    domain::{HealthPolicy, Outcome, Recovery, RegionName, ServiceKey, Tick, Timestamp, Verdict, Window},
    ports::{BodyFormat, CheckKind, CheckSpec, Clock, Endpoint, HttpSpec, Reading, Scheme, TlsSpec},
    reconcile::vantage::{Skipped, Vantage, VantageObserver, Watched},
};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVICES: usize = 2_500;
const REGIONS: usize = 2;
const INTERVAL: Duration = Duration::from_secs(1);
/// Seconds before counting starts: the first samples warm up allocator and sockets.
const WARM_UP: Duration = Duration::from_secs(3);
const CORES: usize = 2;

/// The real clock, with a note of how late each wait ended.
struct MeasuringClock {
    inner: SystemClock,
    late_micros: Mutex<Vec<u64>>,
}

#[async_trait]
impl Clock for MeasuringClock {
    fn tick(&self) -> Tick {
        self.inner.tick()
    }

    fn wall(&self) -> Timestamp {
        self.inner.wall()
    }

    async fn sleep(&self, time: Duration) {
        let start = Instant::now();
        self.inner.sleep(time).await;
        let late = start.elapsed().saturating_sub(time);
        self.late_micros.lock().unwrap().push(u64::try_from(late.as_micros()).unwrap());
    }
}

#[derive(Default)]
struct Counts {
    good: AtomicU64,
    bad: AtomicU64,
    skipped: AtomicU64,
}

impl VantageObserver for Counts {
    fn sample(&self, _: &ServiceKey, _: &RegionName, _: &str, reading: &Reading) {
        let count = if reading.outcome == Outcome::Ok { &self.good } else { &self.bad };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn skipped(&self, _: Skipped) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    fn verdict(&self, _: &ServiceKey, _: &RegionName, _: Verdict) {}
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(CORES).enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "serve") {
        return runtime.block_on(serve());
    }
    let seconds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(20);
    let (mut server, port) = start_server();
    runtime.block_on(measure(port, Duration::from_secs(seconds)));
    server.kill().unwrap();
    server.wait().unwrap();
}

/// Answers every request well, on every address of this host; says on which port.
async fn serve() {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let answer = |body: Bytes| async move { format!(r#"{{"result":"good","size":{}}}"#, body.len()) };
    axum::serve(listener, Router::new().route("/verify", post(answer))).await.unwrap();
}

fn start_server() -> (Child, u16) {
    let itself = std::env::current_exe().unwrap();
    let mut server = Command::new(itself).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().parse().unwrap())
}

async fn measure(port: u16, time: Duration) {
    let clock = Arc::new(MeasuringClock { inner: SystemClock::new(), late_micros: Mutex::default() });
    let counts = Arc::new(Counts::default());
    let vantage = Vantage::new(clock.clone(), Arc::new(NetworkProber::new(clock.clone())), counts.clone());
    let before = Instant::now();
    vantage.watch((0..SERVICES).map(|number| watched(number, port)).collect());
    println!("checks: {}, prepared in {:?}", SERVICES * REGIONS, before.elapsed());
    println!("resident before the first sample: {} MB", resident_megabytes());
    tokio::time::sleep(WARM_UP).await;
    for count in [&counts.good, &counts.bad, &counts.skipped] {
        count.store(0, Ordering::Relaxed);
    }
    clock.late_micros.lock().unwrap().clear();
    let cpu = cpu_seconds();
    tokio::time::sleep(time).await;
    let cpu = cpu_seconds() - cpu;
    let mut late = clock.late_micros.lock().unwrap().clone();
    late.sort_unstable();
    let [good, bad, skipped] =
        [&counts.good, &counts.bad, &counts.skipped].map(|count| count.load(Ordering::Relaxed));
    println!("samples in {time:?}: {good} good, {bad} not good, {skipped} skipped");
    let at = |percent: usize| late[(late.len() - 1) * percent / 100] as f64 / 1_000.0;
    println!("lateness of starts: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", at(50), at(99), at(100));
    println!("resident: {} MB; processor time: {:.2} cores", resident_megabytes(), cpu / time.as_secs_f64());
}

fn watched(number: usize, port: u16) -> Watched {
    // Sixteen addresses: one alone runs out of client ports before the closed ones may be used again.
    let address = |region: usize| format!("127.0.0.{}", 1 + (number * REGIONS + region) % 16);
    let member = |region: usize| {
        let endpoint = Endpoint { scheme: Scheme::Http, host: address(region).into(), port };
        (RegionName::new(format!("region-{region}")), endpoint)
    };
    Watched {
        service: ServiceKey::new("bench", format!("service-{number}")),
        grade: 1,
        health: HealthPolicy {
            interval: INTERVAL,
            timeout: INTERVAL * 4 / 5,
            window: Window { size: 5, failures: 3 },
            recovery: Recovery { successes: 5, stable_for: Duration::from_secs(60) },
            quorum: 2,
        },
        members: (0..REGIONS).map(member).collect::<BTreeMap<_, _>>(),
        checks: vec![check()],
    }
}

fn check() -> CheckSpec {
    CheckSpec {
        name: "deep".into(),
        timeout: INTERVAL * 4 / 5,
        max_latency: None,
        port: None,
        scheme: None,
        kind: CheckKind::Http(HttpSpec {
            method: "POST",
            path: "/verify".into(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body: Bytes::from_static(&[b'x'; 4096]),
            expected_status: vec![200],
            expect: Some("body.result == 'good' && body.size == 4096".into()),
            max_body_bytes: 65_536,
            keep_alive: false,
            format: BodyFormat::Json,
            http2: false,
            tls: TlsSpec::default(),
        }),
    }
}

fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
}

/// Processor time of this process, from the clock ticks (100 a second) in its status.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

//! How long a move takes from the last bad sample that the rule needs to the name server's acknowledgement.
//!
//! Everything is real (two agents, their sampling, decisions, journal and status, a BIND 9 that takes signed updates)
//! except the answers of the members, which are scripted so that the moment of the last needed sample is known. Goals:
//! a single move within 20 ms (p50) and 100 ms (p99); a lost region with a thousand services within 5 s, first to last.
//! Run with `cargo bench --bench moves`, or `… -- SINGLE_MOVES`. Needs /usr/sbin/named (`hack/parts.sh`).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement that cannot go on fails"
)]

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/support/ask.rs"]
mod ask;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/support/dns_server.rs"]
mod dns_server;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/support/named.rs"]
mod named;
#[path = "../tests/it/support/poll.rs"]
mod poll;

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bongsu::{
    adapters::{
        clock::SystemClock,
        ledger::{MemoryLedger, MeteredLedger},
        manifests::ManifestResources,
        traffic::{TrafficRouter, dns::DnsTraffic, served::ServedTraffic},
    },
    domain::{Epoch, Identity, Outcome, RegionName},
    observability::{Build, Metrics},
    ports::{
        Answer, CheckSpec, Clock, Endpoint, Ledger, Over, Probe, ProbeError, Prober, Reading, Route,
        ServerState, Traffic, TrafficError,
    },
    reconcile::{Agent, Claim, Ports, Sealing, Settings},
};
use dns_server::{DnsServer, SECRET_BASE64, ZONE};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVICES: usize = 1_000;
const SINGLE_MOVES: usize = 200;
/// Bad samples that a vantage needs (`health.window.failures`).
const FAILURES: u32 = 3;
/// Regions that watch. The lost one does not: its Bongsu is gone with it, and two cores are shared by fewer agents.
const VANTAGES: [&str; 2] = ["daejeon", "gwangju"];
const LOST: &str = "seoul";
/// `budget.evacuation.concurrent` of the lost region.
const EVACUATING: usize = 64;
const WORKERS: usize = 64;
const CORES: usize = 2;
/// Time after which a move that has not come will not come.
const LIMIT: Duration = Duration::from_secs(120);
/// Quiet time before the fault: first looks and verifications are over.
const SETTLE: Duration = Duration::from_secs(15);

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(CORES).enable_all().build().unwrap();
    let single = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(SINGLE_MOVES);
    runtime.block_on(async {
        if single > 0 {
            single_moves(single).await;
        }
        lost_region(false).await;
        lost_region(true).await;
    });
}

/// One service after another loses its member in one region; the other services are watched and well.
async fn single_moves(count: usize) {
    let interval = |number| if number < count { "200ms" } else { "2s" };
    let mut world = World::start(10_000, interval, false).await;
    let cpu = cpu_seconds();
    let start = Instant::now();
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        world.script.lose(number);
        let acknowledged = world.next_move(number).await;
        took.push(acknowledged.duration_since(world.script.last_needed(number)));
    }
    println!(
        "{count} single moves, one after another, among {SERVICES} services: {}; {:.2} cores",
        percentiles(took),
        (cpu_seconds() - cpu) / start.elapsed().as_secs_f64()
    );
}

/// All members in one region fail at once. Its loss is confirmed by the last needed sample of the last service; from
/// then on all services but the few of the normal budget are waiting to move. One of two name servers may be lost with it,
/// at the same moment: it takes connections and answers none.
async fn lost_region(with_its_name_server: bool) {
    let mut world = World::start(1, |_| "1s", with_its_name_server).await;
    world.silent.store(true, Ordering::SeqCst);
    (0..SERVICES).for_each(|number| world.script.lose(number));
    let cpu = cpu_seconds();
    let mut acknowledged = Vec::with_capacity(SERVICES);
    for _ in 0..SERVICES {
        acknowledged.push(world.any_move().await);
    }
    let cpu = cpu_seconds() - cpu;
    let confirmed = (0..SERVICES).map(|number| world.script.last_needed(number)).max().unwrap();
    let after: Vec<Duration> =
        acknowledged.iter().filter_map(|at| at.checked_duration_since(confirmed)).collect();
    let [first, last] = [after.iter().min(), after.iter().max()].map(|found| *found.unwrap());
    let what = if with_its_name_server { "and its name server " } else { "" };
    println!(
        "region with {SERVICES} services {what}lost, {EVACUATING} moves at a time: {} of them after the last needed sample: {}",
        after.len(),
        percentiles(after.clone())
    );
    let all = *acknowledged.iter().max().unwrap() - *acknowledged.iter().min().unwrap();
    println!(
        "first to last of these: {:.0} ms, of all: {:.0} ms; {cpu:.1} s of processor time",
        millis(last - first),
        millis(all)
    );
}

fn percentiles(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| millis(took[(took.len() - 1) * percent / 100]);
    format!("p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", at(50), at(99), at(100))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Two agents over one ledger, one name server, and a script.
struct World {
    script: Arc<Script>,
    acknowledged: mpsc::UnboundedReceiver<Acknowledged>,
    /// The second name server answers no more.
    silent: Arc<AtomicBool>,
    // Only held: they end with the world.
    _agents: JoinSet<()>,
    _server: DnsServer,
    _manifests: tempfile::TempDir,
}

impl World {
    /// Waits until every service is published and quiet.
    async fn start(budget: usize, interval: impl Fn(usize) -> &'static str, two_servers: bool) -> Self {
        let server = named::start().await;
        let silent = Arc::new(AtomicBool::new(false));
        let mut agents = JoinSet::new();
        let mut servers = vec![server.addr];
        if two_servers {
            servers.push(second_server(server.addr, silent.clone(), &mut agents).await);
        }
        let directory = tempfile::tempdir().unwrap();
        let text = manifests(&servers, budget, interval);
        std::fs::write(directory.path().join("all.yaml"), text).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let ledger = Arc::new(MemoryLedger::new(clock.clone()));
        let script = Arc::new(Script::default());
        let (sender, acknowledged) = mpsc::unbounded_channel();
        for (vantage, region) in VANTAGES.into_iter().enumerate() {
            let resources = ManifestResources::open(directory.path(), clock.clone()).await.unwrap();
            assert!(resources.findings().is_empty(), "{:?}", resources.findings());
            let region = RegionName::new(region);
            let build = Build { version: "bench", commit: "bench", region: &region };
            let metrics = Arc::new(Metrics::new(build).unwrap());
            let ledger: Arc<dyn Ledger> =
                Arc::new(MeteredLedger::new(ledger.clone(), clock.clone(), metrics.clone()));
            let router = TrafficRouter::new(
                DnsTraffic::new(clock.clone()),
                ServedTraffic::new(ledger.clone(), clock.clone()),
            );
            let ports = Ports {
                clock: clock.clone(),
                resources: Arc::new(resources),
                ledger,
                prober: Arc::new(ScriptedProber { script: script.clone(), vantage }),
                traffic: Arc::new(TimedTraffic { inner: router, sender: sender.clone() }),
                metrics,
                metering: None,
                reports: None,
                agents: None,
                seat: None,
                workloads: None,
            };
            let identity = Identity::new(format!("{region}-bench"));
            let settings = Settings {
                region,
                identity,
                lease_ttl: Duration::from_secs(15),
                workers: WORKERS,
                sealing: Sealing::default(),
                claim: Claim::default(),
                agent_url: None,
            };
            let agent = Agent::new(settings, ports);
            agents.spawn(async move { agent.run(std::future::pending()).await });
        }
        let mut world =
            Self { script, acknowledged, silent, _agents: agents, _server: server, _manifests: directory };
        let start = Instant::now();
        for _ in 0..SERVICES {
            world.next(Epoch(1)).await;
        }
        println!("{SERVICES} services taken over in {:?}", start.elapsed());
        tokio::time::sleep(SETTLE).await;
        world
    }

    /// When the name server acknowledged the move of this service.
    async fn next_move(&mut self, number: usize) -> Instant {
        let acknowledged = self.next(Epoch(2)).await;
        assert_eq!(acknowledged.service, number);
        acknowledged.at
    }

    async fn any_move(&mut self) -> Instant {
        self.next(Epoch(2)).await.at
    }

    async fn next(&mut self, epoch: Epoch) -> Acknowledged {
        let next = async {
            loop {
                let acknowledged = self.acknowledged.recv().await.unwrap();
                if acknowledged.epoch == epoch {
                    return acknowledged;
                }
            }
        };
        tokio::time::timeout(LIMIT, next).await.expect("the name server acknowledges in time")
    }
}

/// A second address of a name server, as if it were another one, until it is silent: then it takes connections, as one does
/// whose host hangs, and answers nothing.
async fn second_server(of: SocketAddr, silent: Arc<AtomicBool>, tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut calls = JoinSet::new();
        loop {
            let (mut caller, _) = listener.accept().await.unwrap();
            let silent = silent.load(Ordering::SeqCst);
            calls.spawn(async move {
                if silent {
                    std::future::pending::<()>().await;
                }
                let mut server = TcpStream::connect(of).await.unwrap();
                // It ends as either side wants.
                let _ended = tokio::io::copy_bidirectional(&mut caller, &mut server).await;
            });
        }
    });
    address
}

/// A name server took a service's answer, and it was read back.
struct Acknowledged {
    service: usize,
    epoch: Epoch,
    at: Instant,
}

struct TimedTraffic {
    inner: TrafficRouter,
    sender: mpsc::UnboundedSender<Acknowledged>,
}

#[async_trait]
impl Traffic for TimedTraffic {
    async fn publish(
        &self,
        route: &Route,
        answer: &Answer,
        over: Over,
    ) -> Vec<Result<ServerState, TrafficError>> {
        let results = self.inner.publish(route, answer, over).await;
        let at = Instant::now();
        if results.iter().all(Result::is_err) {
            // Tried again by the agent, as on a busy day: the acknowledgement is the one that comes in the end.
            return results;
        }
        let service = route.service.name.trim_start_matches("service-").parse().unwrap();
        let _after_the_end = self.sender.send(Acknowledged { service, epoch: answer.epoch(), at });
        results
    }

    async fn read(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        self.inner.read(route).await
    }

    async fn rehearse(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        self.inner.rehearse(route).await
    }
}

/// Which services have lost their member in the lost region, and what was answered since.
struct Script {
    faults: Vec<Fault>,
}

#[derive(Default)]
struct Fault {
    lost: AtomicBool,
    bad: [AtomicU32; VANTAGES.len()],
    last_needed: Mutex<Option<Instant>>,
}

impl Default for Script {
    fn default() -> Self {
        Self { faults: (0..SERVICES).map(|_| Fault::default()).collect() }
    }
}

impl Script {
    fn lose(&self, number: usize) {
        self.faults[number].lost.store(true, Ordering::SeqCst);
    }

    /// When the last vantage got the last bad answer that it needs.
    fn last_needed(&self, number: usize) -> Instant {
        self.faults[number].last_needed.lock().unwrap().unwrap()
    }

    fn answer(&self, number: usize, vantage: usize) -> Outcome {
        let fault = &self.faults[number];
        if !fault.lost.load(Ordering::SeqCst) {
            return Outcome::Ok;
        }
        if fault.bad[vantage].fetch_add(1, Ordering::SeqCst) + 1 == FAILURES {
            *fault.last_needed.lock().unwrap() = Some(Instant::now());
        }
        Outcome::Refused
    }
}

struct ScriptedProber {
    script: Arc<Script>,
    vantage: usize,
}

/// A check of one member; `number` is set for those in the region that will be lost.
struct ScriptedProbe {
    script: Arc<Script>,
    vantage: usize,
    number: Option<usize>,
}

impl Prober for ScriptedProber {
    fn prepare(&self, endpoint: &Endpoint, _: &CheckSpec) -> Result<Arc<dyn Probe>, ProbeError> {
        let number = endpoint.host.strip_prefix(LOST).map(|number| number.parse().unwrap());
        Ok(Arc::new(ScriptedProbe { script: self.script.clone(), vantage: self.vantage, number }))
    }
}

#[async_trait]
impl Probe for ScriptedProbe {
    async fn run(&self) -> Reading {
        let outcome = self.number.map_or(Outcome::Ok, |number| self.script.answer(number, self.vantage));
        Reading { outcome, latency: Duration::from_millis(1), ..Reading::default() }
    }
}

fn manifests(servers: &[SocketAddr], budget: usize, interval: impl Fn(usize) -> &'static str) -> String {
    let mut text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: dns-key, namespace: bench}}\n\
         stringData: {{secret: {SECRET_BASE64}}}\n"
    );
    for region in [LOST].into_iter().chain(VANTAGES) {
        let budget = format!("{{moves: {budget}, evacuation: {{concurrent: {EVACUATING}}}}}");
        write!(
            text,
            "---\napiVersion: bongsu.io/v1alpha1\nkind: Region\nmetadata: {{name: {region}}}\n\
             spec: {{budget: {budget}}}\n"
        )
        .unwrap();
    }
    (0..SERVICES).for_each(|number| text.push_str(&service(number, servers, interval(number))));
    text
}

fn service(number: usize, servers: &[SocketAddr], interval: &str) -> String {
    let (high, low) = (number / 250, number % 250 + 1);
    let servers: Vec<String> = servers.iter().map(|server| format!("{{address: '{server}'}}")).collect();
    let servers = servers.join(", ");
    let member = |(region, name): (usize, &str)| {
        format!(
            "  - {{region: {name}, weight: 50, endpoint: 'http://{name}{number}:80', \
             addresses: [10.{region}.{high}.{low}]}}\n"
        )
    };
    let members: String =
        [LOST].into_iter().chain(VANTAGES).enumerate().map(|(i, name)| member((i, name))).collect();
    format!(
        "---\napiVersion: bongsu.io/v1alpha1\nkind: SharedService\n\
         metadata: {{name: service-{number}, namespace: bench}}\nspec:\n  grade: 1\n  topology: ActiveActive\n  \
         members:\n{members}  \
         health:\n    interval: {interval}\n    timeout: 100ms\n    window: {{size: 5, failures: {FAILURES}}}\n    \
         recovery: {{successes: 2, for: 1s}}\n    checks: [{{name: deep, http: {{path: /}}}}]\n  \
         traffic:\n  - name: names\n    ttl: 1s\n    dns:\n      zone: {ZONE}\n      name: s{number}.{ZONE}\n      \
         servers: [{servers}]\n      \
         tsig: {{name: bongsu, algorithm: hmac-sha256, secretRef: {{name: dns-key, key: secret}}}}\n  \
         failover: {{mode: Automatic}}\n"
    )
}

/// Processor time of this process (the name server's is its own), from the clock ticks (100 a second) in its status.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

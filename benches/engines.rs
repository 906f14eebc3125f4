//! What checks cost, beside HAProxy with the same targets in the same run: processor seconds for 1,000 checks, each second, of servers that
//! answer with 200 bytes of JSON. HAProxy judges the status, Bongsu the body. The servers run in a process of their own and count what they
//! are asked. Run with `cargo bench --bench engines`, or `… -- SECONDS`; without HAProxy (Debian: `apt install haproxy`) only Bongsu is measured.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement that cannot go on fails")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bongsu::{
    adapters::{clock::SystemClock, probe::NetworkProber},
    domain::{HealthPolicy, Recovery, RegionName, ServiceKey, Verdict, Window},
    ports::{BodyFormat, CheckKind, CheckSpec, Clock, Endpoint, HttpSpec, Reading, Scheme, TlsSpec},
    reconcile::vantage::{Skipped, Vantage, VantageObserver, Watched},
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const INTERVAL: Duration = Duration::from_secs(1);
/// Before counting starts: the first samples open what is kept, and warm up allocator and sockets.
const WARM_UP: Duration = Duration::from_secs(4);
const CORES: usize = 2;
const NAME: &str = "member.example";

/// What is measured: over TLS or not, on kept connections or not, with so many targets.
const CASES: [(&str, bool, bool, usize); 5] = [
    ("HTTP, new connections, 1,000 targets", false, false, 1_000),
    ("HTTP, new connections, 5,000 targets", false, false, 5_000),
    ("HTTPS, full handshakes, 1,000 targets", true, false, 1_000),
    ("HTTPS, kept connections, 1,000 targets", true, true, 1_000),
    ("HTTPS, kept connections, 5,000 targets", true, true, 5_000),
];

/// Servers in a process of their own.
struct Servers {
    process: Child,
    plain: u16,
    secure: u16,
    authority: String,
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(CORES).enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "serve") {
        return runtime.block_on(serve());
    }
    let seconds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(20);
    let time = Duration::from_secs(seconds);
    println!("processor seconds for 1,000 checks, and checks done of those that were due, in {time:?} each");
    for (name, tls, keep, targets) in CASES {
        let servers = Servers::start();
        let ours = runtime.block_on(bongsu(&servers, tls, keep, targets, time));
        println!("{name}: Bongsu {:.3} ({:.0} %)", ours.0, ours.1);
        // HAProxy opens a connection for each check.
        if keep {
            continue;
        }
        match haproxy(&servers, tls, targets, time) {
            Some(theirs) => println!(
                "{name}: HAProxy {:.3} ({:.0} %): Bongsu takes {:.2} times as much",
                theirs.0,
                theirs.1,
                ours.0 / theirs.0
            ),
            None => println!("{name}: HAProxy is not installed, so there is nothing to compare with"),
        }
    }
}

impl Servers {
    fn start() -> Self {
        let itself = std::env::current_exe().unwrap();
        let mut process = Command::new(itself).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line.trim().to_owned()
        };
        let (plain, secure) = (line().parse().unwrap(), line().parse().unwrap());
        let authority = line().replace('|', "\n");
        Self { process, plain, secure, authority }
    }

    /// Checks that they have answered so far.
    fn count(&self) -> u64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.plain)).unwrap();
        stream.write_all(b"GET /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.rsplit("\r\n").next().unwrap().parse().unwrap()
    }

    fn port(&self, tls: bool) -> u16 {
        if tls { self.secure } else { self.plain }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Answers on every address of this host; says on which ports, and who certifies the second.
async fn serve() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let plain = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let secure = TcpListener::bind("0.0.0.0:0").await.unwrap();
    println!("{}", plain.local_addr().unwrap().port());
    println!("{}", secure.local_addr().unwrap().port());
    println!("{}", authority.pem().trim().replace("\r\n", "\n").replace('\n', "|"));
    let count = Arc::new(AtomicU64::new(0));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = secure.accept().await else { continue };
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, count).await;
                }
            });
        }
    });
    loop {
        let Ok((stream, _)) = plain.accept().await else { continue };
        tokio::spawn(answer(stream, Arc::clone(&count)));
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, count: Arc<AtomicU64>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let count = Arc::clone(&count);
        async move {
            let body = match request.uri().path() {
                "/count" => count.load(Ordering::Relaxed).to_string(),
                _ => {
                    count.fetch_add(1, Ordering::Relaxed);
                    format!(r#"{{"result":"good","padding":"{}"}}"#, "x".repeat(170))
                }
            };
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
        }
    });
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The address of a target: each is another one.
fn address(number: usize) -> String {
    format!("127.1.{}.{}", number / 250, 1 + number % 250)
}

/// What was spent on 1,000 checks, and the share of those that were due.
fn cost(cpu: f64, done: u64, targets: usize, time: Duration) -> (f64, f64) {
    let due = targets as f64 * time.as_secs_f64() / INTERVAL.as_secs_f64();
    (cpu * 1_000.0 / done as f64, done as f64 * 100.0 / due)
}

#[derive(Default)]
struct Counts {
    bad: AtomicU64,
    skipped: AtomicU64,
}

impl VantageObserver for Counts {
    fn sample(&self, _: &ServiceKey, _: &RegionName, _: &str, reading: &Reading) {
        self.bad.fetch_add(u64::from(reading.outcome.is_bad()), Ordering::Relaxed);
    }

    fn skipped(&self, _: Skipped) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    fn verdict(&self, _: &ServiceKey, _: &RegionName, _: Verdict) {}
}

async fn bongsu(servers: &Servers, tls: bool, keep: bool, targets: usize, time: Duration) -> (f64, f64) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let counts = Arc::new(Counts::default());
    let prober = Arc::new(NetworkProber::new(clock.clone()));
    let vantage = Vantage::new(clock, prober, counts.clone());
    vantage.watch((0..targets).map(|number| watched(servers, number, tls, keep)).collect());
    tokio::time::sleep(WARM_UP).await;
    let (cpu, count) = (cpu_seconds(std::process::id()), servers.count());
    tokio::time::sleep(time).await;
    let (cpu, count) = (cpu_seconds(std::process::id()) - cpu, servers.count() - count);
    let [bad, skipped] = [&counts.bad, &counts.skipped].map(|count| count.load(Ordering::Relaxed));
    if bad + skipped > 0 {
        println!("    {bad} bad samples, {skipped} skipped");
    }
    cost(cpu, count, targets, time)
}

fn watched(servers: &Servers, number: usize, tls: bool, keep_alive: bool) -> Watched {
    let scheme = if tls { Scheme::Https } else { Scheme::Http };
    let endpoint = Endpoint { scheme, host: address(number).into(), port: servers.port(tls) };
    let verified = TlsSpec {
        server_name: Some(NAME.into()),
        ca_bundle: Some(servers.authority.as_str().into()),
        ..TlsSpec::default()
    };
    let kind = CheckKind::Http(HttpSpec {
        method: "GET",
        path: "/health".into(),
        headers: Vec::new(),
        secret_headers: Vec::new(),
        body: Bytes::new(),
        expected_status: vec![200],
        expect: Some("body.result == 'good'".into()),
        max_body_bytes: 65_536,
        keep_alive,
        format: BodyFormat::Json,
        http2: false,
        tls: if tls { verified } else { TlsSpec::default() },
    });
    let timeout = INTERVAL * 4 / 5;
    Watched {
        service: ServiceKey::new("bench", format!("service-{number}")),
        grade: 1,
        health: HealthPolicy {
            interval: INTERVAL,
            timeout,
            window: Window { size: 3, failures: 3 },
            recovery: Recovery { successes: 3, stable_for: Duration::from_secs(60) },
            quorum: 2,
        },
        members: BTreeMap::from([(RegionName::new("here"), endpoint)]),
        checks: vec![CheckSpec {
            name: "deep".into(),
            timeout,
            max_latency: None,
            port: None,
            scheme: None,
            kind,
        }],
    }
}

/// The same by HAProxy, if it is installed.
fn haproxy(servers: &Servers, tls: bool, targets: usize, time: Duration) -> Option<(f64, f64)> {
    let dir = tempfile::tempdir().unwrap();
    let authority = dir.path().join("ca.pem");
    std::fs::write(&authority, &servers.authority).unwrap();
    let secure = format!("check-ssl verify required ca-file {} verifyhost {NAME}", authority.display());
    let mut text = format!(
        "global\n  nbthread {CORES}\n  maxconn 20000\ndefaults\n  mode http\n  timeout connect 800ms\n  timeout server 800ms\n  \
         timeout client 800ms\nbackend members\n  option httpchk\n  http-check send meth GET uri /health ver HTTP/1.1 hdr Host \
         {NAME}\n  http-check expect status 200\n  default-server check inter 1s fall 3 rise 2 {}\n",
        if tls { &secure } else { "" }
    );
    for number in 0..targets {
        let _written = writeln!(text, "  server s{number} {}:{}", address(number), servers.port(tls));
    }
    let file = dir.path().join("haproxy.cfg");
    std::fs::write(&file, text).unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file).stdout(Stdio::null()).stderr(log);
    let mut process = command.spawn().ok()?;
    // It spreads the first checks of its servers over an interval.
    std::thread::sleep(WARM_UP);
    let (cpu, count) = (cpu_seconds(process.id()), servers.count());
    std::thread::sleep(time);
    let (cpu, count) = (cpu_seconds(process.id()) - cpu, servers.count() - count);
    process.kill().unwrap();
    process.wait().unwrap();
    Some(cost(cpu, count, targets, time))
}

/// Processor time of a process, from the clock ticks (100 a second) in its status.
fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

//! What many services cost while all is well: three regions, one etcd, services with three members and a served name.
//!
//! Everything is real but the place: three processes `bongsu run` and the etcd share one host. Goals, for 10,000 services: at most
//! 5 writes to the ledger a second, however many services there are; 500 MB resident and half a core for each region, checks
//! excluded (each member is checked once in five minutes, 100 checks a second in each region). Run with
//! `cargo bench --bench scale`, or `… -- SERVICES`. Needs etcd (`hack/parts.sh`).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement that cannot go on fails"
)]

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const SERVICES: usize = 10_000;
const REGIONS: [&str; 3] = ["busan", "daejeon", "gwangju"];
/// Time in which all names must be published.
const FILLS_WITHIN: Duration = Duration::from_secs(1_800);
/// Quiet time after that: what was published is shown.
const SETTLE: Duration = Duration::from_secs(60);
/// Time over which is counted.
const MEASURED: Duration = Duration::from_secs(60);

fn main() {
    let services = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(SERVICES);
    let dir = tempfile::tempdir().unwrap();
    write_manifests(&dir.path().join("manifests"), services, serve_members());
    let etcd = Etcd::start(dir.path());
    let start = Instant::now();
    let regions: Vec<Region> = REGIONS.iter().map(|name| Region::start(name, dir.path(), &etcd)).collect();
    let filled = loop {
        thread::sleep(Duration::from_secs(1));
        let published = etcd.count("/bongsu/v1/entry/answer/");
        if published >= services {
            break start.elapsed();
        }
        assert!(start.elapsed() < FILLS_WITHIN, "{published} of {services} names are published");
    };
    println!(
        "{services} services, taken over and published for the first time in {:.0} s",
        filled.as_secs_f64()
    );
    thread::sleep(SETTLE);
    let before: Vec<Used> = regions.iter().map(Region::used).collect();
    thread::sleep(MEASURED);
    let mut writes = 0.0;
    for (region, before) in regions.iter().zip(before) {
        let now = region.used();
        let cores = (now.processor - before.processor) / MEASURED.as_secs_f64();
        writes += now.writes - before.writes;
        let name = region.name;
        println!("{name}: {:.0} MB resident, {cores:.3} cores", now.resident / 1_000_000.0);
    }
    println!("{:.2} writes to the ledger a second, of all together", writes / MEASURED.as_secs_f64());
}

/// A server for all members, which answers whatever it is asked.
fn serve_members() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(mut stream: TcpStream) {
    let mut asked = [0; 4_096];
    if stream.read(&mut asked).is_ok() {
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    }
}

fn write_manifests(dir: &Path, services: usize, port: u16) {
    fs::create_dir_all(dir).unwrap();
    let mut text = String::new();
    for region in REGIONS {
        writeln!(
            text,
            "---\napiVersion: bongsu.io/v1alpha1\nkind: Region\nmetadata: {{name: {region}}}\nspec: {{}}"
        )
        .unwrap();
    }
    fs::write(dir.join("regions.yaml"), text).unwrap();
    let all: Vec<usize> = (0..services).collect();
    for (part, numbers) in all.chunks(500).enumerate() {
        let texts = numbers.iter().map(|number| service(*number, port));
        fs::write(dir.join(format!("services-{part}.yaml")), texts.collect::<String>()).unwrap();
    }
}

fn service(number: usize, port: u16) -> String {
    let mut members = String::new();
    for (place, region) in REGIONS.iter().enumerate() {
        let address = format!("10.{}.{}.{}", place + 1, number / 250, number % 250 + 1);
        writeln!(members, "  - {{region: {region}, weight: 50, endpoint: \"http://127.0.0.1:{port}\", addresses: [{address}]}}").unwrap();
    }
    format!(
        "---
apiVersion: bongsu.io/v1alpha1
kind: SharedService
metadata: {{name: service-{number}, namespace: many}}
spec:
  grade: 2
  topology: ActiveActive
  members:
{members}  health:
    interval: 5m
    timeout: 5s
    vantages: {{quorum: 2}}
    checks:
    - {{name: answers, http: {{path: /}}}}
  traffic:
  - name: served
    ttl: 5s
    served: {{zone: many.example, name: service-{number}.many.example, nameServers: [ns1.many.example]}}
  failover: {{mode: Automatic}}
  objectives: {{rto: 2h}}
"
    )
}

/// A part that ends with the measurement.
struct Leashed(Child);

impl Drop for Leashed {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

fn start(command: &mut Command, log: &Path) -> Leashed {
    let log = fs::File::create(log).unwrap();
    Leashed(command.stdout(Stdio::null()).stderr(log).spawn().expect("start a part: see hack/parts.sh"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Etcd {
    url: String,
    _process: Leashed,
}

impl Etcd {
    fn start(dir: &Path) -> Self {
        let (url, peer) =
            (format!("http://127.0.0.1:{}", free_port()), format!("http://127.0.0.1:{}", free_port()));
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(dir.join("etcd")).args(["--listen-client-urls", &url]);
        command.args([
            "--advertise-client-urls",
            &url,
            "--listen-peer-urls",
            &peer,
            "--quota-backend-bytes",
            "2000000000",
        ]);
        let process = start(&mut command, &dir.join("etcd.log"));
        let etcd = Self { url, _process: process };
        while etcd.ask(&["endpoint", "health"]).is_none() {
            thread::sleep(Duration::from_millis(200));
        }
        etcd
    }

    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("etcdctl");
        let output = command.args(["--endpoints", &self.url]).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn count(&self, prefix: &str) -> usize {
        let text =
            self.ask(&["get", "--prefix", "--count-only", "--write-out=fields", prefix]).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("\"Count\" : "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

struct Region {
    name: &'static str,
    port: u16,
    _process: Leashed,
}

/// What a region has used since its start.
struct Used {
    /// Bytes.
    resident: f64,
    /// Seconds.
    processor: f64,
    writes: f64,
}

impl Region {
    fn start(name: &'static str, dir: &Path, etcd: &Etcd) -> Self {
        let port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
        command.args(["run", "--region", name, "--ledger", "etcd", "--ledger-etcd-endpoints", &etcd.url]);
        command.arg("--manifests").arg(dir.join("manifests")).args(["--log-filter", "warn"]);
        command.args([
            "--http-address",
            &format!("127.0.0.1:{port}"),
            "--dns-address",
            &format!("127.0.0.1:{}", free_port()),
        ]);
        let log: PathBuf = dir.join(format!("{name}.log"));
        Self { name, port, _process: start(&mut command, &log) }
    }

    fn used(&self) -> Used {
        let metrics = self.metrics();
        let value =
            |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        let writes =
            metrics.lines().filter(|line| line.starts_with("bongsu_ledger_call_duration_seconds_count"));
        let writes = writes
            .filter(|line| ["put", "delete", "acquire"].iter().any(|of| line.contains(&format!("\"{of}\""))));
        Used {
            resident: value("process_resident_memory_bytes ").unwrap(),
            processor: value("process_cpu_seconds_total ").unwrap(),
            writes: writes.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum(),
        }
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

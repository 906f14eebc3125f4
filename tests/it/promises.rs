//! Promises between regions over real TLS, and a real gate whose real etcd is lost.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bongsu::{
    adapters::{
        agents::{Credentials, HttpAgents, answer},
        clock::SystemClock,
        ledger::EtcdLedger,
    },
    domain::{
        Epoch, Identity, PromiseRequest, Promiser, Promisers, Promises, Record, Refusal, ServiceKey, Term,
        Timestamp, WithholdRequest,
    },
    ports::{AgentError, Agents, Clock, Expect, Key, Ledger, Promising, promisers},
};
use tokio::net::TcpListener;

use super::support::{
    bongsu::{SOON, page},
    control_plane::free_ports,
    etcd::{Certificates, Etcd},
    gate::{Gate, pause},
    wait::until,
};

const SERVICE: &str = "gpki/gpki-directory";

/// As in `gate`.
const TTL: Duration = Duration::from_secs(7);

fn service() -> ServiceKey {
    ServiceKey::new("gpki", "gpki-directory")
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn record() -> Record {
    Record {
        epoch: Epoch(3),
        serving: ["daejeon".into()].into(),
        away: BTreeMap::new(),
        changed_at: Timestamp(0),
        last_automatic: None,
        run: None,
        fenced: false,
    }
}

/// What answers in another region: the core's own book.
struct Region {
    process: Identity,
    promises: Mutex<Promises>,
    clock: Arc<dyn Clock>,
}

impl Region {
    fn book(&self) -> MutexGuard<'_, Promises> {
        self.promises.lock().unwrap()
    }
}

impl Promising for Region {
    fn promise(&self, request: &PromiseRequest) -> Result<(), Refusal> {
        if request.process != self.process {
            return Err(Refusal::AnotherProcess(self.process.clone()));
        }
        self.book().promise(request, Some(&record()), self.clock.tick())
    }

    fn withhold(&self, request: &WithholdRequest) -> Result<Duration, Refusal> {
        let now = self.clock.tick();
        Ok(self.book().withhold(&request.service, request.term, now))
    }
}

/// Files of one authority, whose certificates are of this host.
fn certificates(dir: &Path) -> [PathBuf; 3] {
    Certificates::make(dir, vec!["127.0.0.1".to_owned()]);
    ["ca.crt", "tls.crt", "tls.key"].map(|file| dir.join("client").join(file))
}

fn credentials([ca, certificate, key]: [PathBuf; 3]) -> Arc<Credentials> {
    Arc::new(Credentials::read(ca, certificate, key, clock()).unwrap())
}

/// A region that answers until the test ends.
async fn region(name: &str, files: [PathBuf; 3]) -> (Promiser, Arc<Region>) {
    let process = Identity::new(format!("bongsu-{name}"));
    let region = Arc::new(Region { process: process.clone(), promises: Mutex::default(), clock: clock() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(answer(listener, credentials(files), region.clone(), std::future::pending()));
    (Promiser { process, url: url.into() }, region)
}

fn request(process: &Identity, term: u64) -> PromiseRequest {
    PromiseRequest {
        process: process.clone(),
        gate: Identity::new("gate"),
        service: service(),
        epoch: Epoch(3),
        term: Term(term),
        millis: 9_000,
    }
}

#[tokio::test]
async fn a_promise_over_mutual_tls_is_given_kept_and_withheld() {
    let dir = tempfile::tempdir().unwrap();
    let files = certificates(dir.path());
    let (daegu, _region) = region("daegu", files.clone()).await;
    let agents = HttpAgents::new(credentials(files));
    agents.promise(&daegu, &request(&daegu.process, 1)).await.unwrap();
    let withhold = WithholdRequest { process: daegu.process.clone(), service: service(), term: Term(1) };
    let left = agents.withhold(&daegu, &withhold).await.unwrap();
    assert!(left > Duration::from_secs(7) && left <= Duration::from_secs(9), "{left:?}");
    let refused = agents.promise(&daegu, &request(&daegu.process, 1)).await.unwrap_err();
    assert!(matches!(refused, AgentError::Refused(Refusal::MovedOn(_))), "{refused}");
    let other = Identity::new("bongsu-of-before");
    let refused = agents.promise(&daegu, &request(&other, 2)).await.unwrap_err();
    assert_eq!(refused, AgentError::Refused(Refusal::AnotherProcess(daegu.process.clone())));
}

#[tokio::test]
async fn who_shows_no_certificate_of_the_regions_authority_is_promised_nothing_and_not_believed() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (files, others) = (certificates(ours.path()), certificates(theirs.path()));
    let (daegu, region) = region("daegu", files.clone()).await;
    // It trusts the server, and shows what somebody else signed.
    let [ca, ..] = files.clone();
    let [_, certificate, key] = others.clone();
    let stranger = HttpAgents::new(credentials([ca, certificate, key]));
    let refused = stranger.promise(&daegu, &request(&daegu.process, 1)).await.unwrap_err();
    assert!(matches!(refused, AgentError::Unanswered(_)), "{refused}");
    assert!(region.book().standing(&service(), region.clock.tick()).is_none());
    // It does not trust the server.
    let [ca, ..] = others;
    let [_, certificate, key] = files;
    let careful = HttpAgents::new(credentials([ca, certificate, key]));
    let refused = careful.promise(&daegu, &request(&daegu.process, 1)).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
}

#[test]
fn a_key_that_is_not_that_of_the_certificate_is_refused_by_name() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ([ca, certificate, _], [.., key]) = (certificates(one.path()), certificates(other.path()));
    let error = Credentials::read(ca, certificate, key, clock()).unwrap_err().to_string();
    assert!(
        error.starts_with("--agent-key ") && error.contains("is it the key of the certificate?"),
        "{error}"
    );
}

async fn say(ledger: &EtcdLedger, key: String, value: &impl serde::Serialize) {
    let text = serde_json::to_string(value).unwrap();
    ledger.put(&Key::new(key), &text, Expect::Absent).await.unwrap();
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_ledger_a_writer_goes_on_while_all_promise_and_stops_when_one_does_not() {
    let (etcd, prefix) = (Etcd::single().await, "/promised");
    let dir = tempfile::tempdir().unwrap();
    let files = certificates(dir.path());
    let ledger = EtcdLedger::new(etcd.config(prefix), clock()).unwrap();
    let (daegu, _) = region("daegu", files.clone()).await;
    let (gwangju, changes_its_mind) = region("gwangju", files.clone()).await;
    say(&ledger, Promiser::key(&"daegu".into()), &daegu).await;
    say(&ledger, Promiser::key(&"gwangju".into()), &gwangju).await;
    say(&ledger, format!("record/{SERVICE}"), &record()).await;

    let file = dir.path().join("written");
    let script = format!("while :; do echo x >> {}; sleep 0.02; done", file.display());
    let [ca, certificate, key] = files.map(|file| file.display().to_string());
    let [http] = free_ports::<1>().map(|port| format!("127.0.0.1:{port}"));
    let trusted =
        ["--agent-ca", &ca, "--agent-cert", &certificate, "--agent-key", &key, "--http-address", &http];
    let form: Vec<&str> = trusted.into_iter().chain(["--", "sh", "-c", &script]).collect();
    let _gate = Gate::start(&etcd, prefix, SERVICE, "daejeon", &form);
    let told = async || {
        let (_, text) = page(&http, "/status").await?;
        let status: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(status.get("promises")?.as_str()?.to_owned())
    };
    let named = until("the ledger says whom it asks", TTL + SOON, async || {
        let found = promisers(&ledger, &service()).await.unwrap();
        found.map(|(_, promisers)| promisers).filter(|promisers| promisers.agents.len() == 2)
    })
    .await;
    assert!(named.has(&daegu.process) && named.has(&gwangju.process));

    etcd.freeze(0);
    pause(TTL * 2).await;
    let before = lines(&file);
    pause(Duration::from_millis(500)).await;
    assert!(lines(&file) > before, "the lease was over long ago, and all have promised");
    let text = told().await.unwrap();
    assert!(text.contains("goes on by promises of daegu and gwangju"), "{text}");

    let ask = WithholdRequest { process: gwangju.process.clone(), service: service(), term: named.term };
    let left = changes_its_mind.withhold(&ask).unwrap();
    assert!(!left.is_zero() && left <= TTL, "{left:?}");
    pause(left).await;
    let stopped = lines(&file);
    pause(Duration::from_secs(1)).await;
    assert_eq!(lines(&file), stopped, "the writer had stopped when the last promise was over");

    etcd.thaw(0);
    until("the ledger is back", TTL + SOON, async || (lines(&file) > stopped).then_some(())).await;
    until("what was promised is over", SOON, async || told().await.filter(String::is_empty)).await;
}

/// A writer whose earlier gate may still write by promises starts only when somebody says that none is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_comes_after_another_waits_for_its_promises_or_for_a_persons_word() {
    let (etcd, prefix) = (Etcd::shared().await, "/promised-before");
    let ledger = EtcdLedger::new(etcd.config(prefix), clock()).unwrap();
    let gone = Promiser { process: Identity::new("bongsu-gone"), url: "https://127.0.0.1:1".into() };
    let agents = [("daegu".into(), gone)].into();
    let left = Promisers { gate: Identity::new("gate-of-before"), term: Term(1), agents };
    say(&ledger, Promisers::key(&service()), &left).await;
    say(&ledger, format!("record/{SERVICE}"), &record()).await;

    let dir = tempfile::tempdir().unwrap();
    let [ca, certificate, key] = certificates(dir.path()).map(|file| file.display().to_string());
    let file = dir.path().join("written");
    let script = format!("while :; do echo x >> {}; sleep 0.02; done", file.display());
    let trusted = ["--agent-ca", &ca, "--agent-cert", &certificate, "--agent-key", &key];
    let form: Vec<&str> = trusted.into_iter().chain(["--", "sh", "-c", &script]).collect();
    let _gate = Gate::start(etcd, prefix, SERVICE, "daejeon", &form);
    until("it holds the lease", SOON, async || {
        ledger.lease(&format!("writer/{SERVICE}")).await.unwrap().filter(|lease| lease.alive)
    })
    .await;
    pause(Duration::from_secs(2)).await;
    assert_eq!(lines(&file), 0, "nobody says that no promise is left");

    let say_so = |gate: &str| {
        let endpoints = etcd.config(prefix).endpoints.join(",");
        std::process::Command::new(env!("CARGO_BIN_EXE_bongsu"))
            .args(["gate-stopped", gate, "--service", SERVICE])
            .args(["--ledger-etcd-endpoints", &endpoints, "--ledger-etcd-prefix", prefix])
            .output()
            .unwrap()
    };
    let wrong = say_so("another-gate");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("is gate-of-before, not another-gate"));
    assert!(say_so("gate-of-before").status.success());
    until("the writer writes", SOON, async || (lines(&file) > 0).then_some(())).await;
}

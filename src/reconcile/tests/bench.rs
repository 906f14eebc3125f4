//! One whole process on a paused clock, in a witness region: its manifests are files, its ledger is in memory, its
//! members and name servers do as they are told.

mod desk;
mod names;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::stream::BoxStream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::{sync::watch, task::AbortHandle};

use crate::{
    adapters::{ledger::MemoryLedger, manifests::ManifestResources, reports::DirectoryReports},
    domain::{Identity, Outcome, Record, RegionName, Run, RunId, ServiceKey, Term, Trigger},
    observability::{Build, Metrics},
    ports::{
        Change, CheckSpec, Clock, Endpoint, Event, Expect, Key, LeaseState, Ledger, LedgerError, Metering,
        NewObject, Probe, ProbeError, Prober, Reading, Resources, ResourcesError, Snapshot, StatusUpdate,
        Under, Version, Versioned,
    },
    reconcile::{
        Agent, Claim, Ports, Sealing, Settings,
        book::{Entry, RequestEntry},
        vantage::tests::TestClock,
    },
    report::Lang,
};

pub use desk::Desk;
pub use names::NameServers;

/// Virtual time after which what is waited for will not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Virtual time between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// How long a name server is waited for.
pub const CALL_LIMIT: Duration = Duration::from_secs(2);

/// Length of the leases.
pub const LEASE_TTL: Duration = Duration::from_secs(15);

/// Everything outside of the process.
pub struct Bench {
    pub agent: Arc<Agent>,
    pub ledger: Arc<Store>,
    pub servers: Arc<NameServers>,
    pub members: Arc<Members>,
    pub desk: Arc<Desk>,
    pub resources: Arc<ManifestResources>,
    pub metrics: Arc<Metrics>,
    clock: Arc<TestClock>,
    running: Mutex<Option<AbortHandle>>,
    dir: tempfile::TempDir,
    shelf: tempfile::TempDir,
}

impl Bench {
    /// Members in Daejeon, which serves, and Gwangju, watched from Daegu; with these further manifests.
    pub async fn prepare(manifests: &[(&str, &str)]) -> Self {
        Self::with_metering(manifests, None).await
    }

    /// At work, with somebody who can be asked for numbers.
    pub async fn measuring(manifests: &[(&str, &str)], metering: Arc<dyn Metering>) -> Self {
        let bench = Self::with_metering(manifests, Some(metering)).await;
        bench.go();
        bench
    }

    async fn with_metering(manifests: &[(&str, &str)], metering: Option<Arc<dyn Metering>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("regions", REGIONS)].iter().chain(manifests) {
            std::fs::write(dir.path().join(format!("{name}.yaml")), text).unwrap();
        }
        let shelf = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::new());
        let resources = Arc::new(ManifestResources::open(dir.path(), clock.clone()).await.unwrap());
        assert_eq!(resources.findings(), []);
        let desk = Arc::new(Desk {
            inner: resources.clone(),
            away: AtomicBool::new(false),
            installation: Mutex::default(),
            doubted: Mutex::default(),
            told: Mutex::default(),
            shown: Mutex::default(),
            written: AtomicUsize::new(0),
        });
        let region = RegionName::new("daegu");
        let metrics = Metrics::new(Build { version: "0", commit: "0", region: &region }).unwrap();
        let metrics = Arc::new(metrics);
        let ledger = Arc::new(Store::new(MemoryLedger::new(clock.clone())));
        let servers = Arc::new(NameServers::new(clock.clone()));
        let members = Arc::new(Members::default());
        let ports = Ports {
            clock: clock.clone(),
            resources: desk.clone(),
            ledger: ledger.clone(),
            prober: Arc::new(members.clone()),
            traffic: servers.clone(),
            metering,
            metrics: metrics.clone(),
            reports: Some(Arc::new(DirectoryReports::new(&shelf.path().join("reports")))),
            agents: None,
            seat: None,
            workloads: None,
        };
        let settings = Settings {
            region,
            identity: "daegu-1".into(),
            lease_ttl: LEASE_TTL,
            workers: 8,
            sealing: Sealing { key: None, language: Lang::Ko },
            claim: Claim::default(),
            agent_url: None,
        };
        let agent = Agent::new(settings, ports);
        Self {
            agent,
            ledger,
            servers,
            members,
            desk,
            resources,
            metrics,
            clock,
            running: Mutex::default(),
            dir,
            shelf,
        }
    }

    /// The same, at work.
    pub async fn start(manifests: &[(&str, &str)]) -> Self {
        let bench = Self::prepare(manifests).await;
        bench.go();
        bench
    }

    /// With one service that serves from Daejeon and could move to Gwangju.
    pub async fn serving(manifests: &[(&str, &str)]) -> Self {
        let bench = Self::start(manifests).await;
        bench.until("every service is ready to move", || bench.is_ready("verify")).await;
        bench
    }

    /// Writes as another region's process does.
    pub async fn put<T: serde::Serialize>(&self, entry: &Entry, value: &T) {
        self.ledger.put_text(entry, &serde_json::to_string(value).unwrap()).await;
    }

    /// What the ledger has.
    pub fn entry<T: serde::de::DeserializeOwned>(&self, entry: &Entry) -> Option<T> {
        Some(serde_json::from_str(&self.ledger.text(entry)?.1).unwrap())
    }

    /// The process begins to work.
    pub fn go(&self) {
        let agent = self.agent.clone();
        let task = tokio::spawn(async move { agent.run(std::future::pending()).await });
        *self.running.lock().unwrap() = Some(task.abort_handle());
    }

    /// The process dies, and another one takes its place.
    pub fn restart(&mut self, identity: &str) {
        if let Some(running) = self.running.lock().unwrap().take() {
            running.abort();
        }
        self.become_another(|settings| settings.identity = identity.into());
        self.go();
    }

    /// It is told that it takes the place of another installation.
    pub fn replaces(&mut self, installation: &str) {
        self.become_another(|settings| settings.claim.replaces = Some(installation.into()));
    }

    fn become_another(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.agent.settings.clone();
        change(&mut settings);
        self.agent = Agent::new(settings, self.agent.ports.clone());
    }

    /// Virtual time goes by; not a wait for something that happens in real time.
    #[expect(clippy::disallowed_methods, reason = "moves the paused clock")]
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub fn now(&self) -> u64 {
        self.clock.tick().0
    }

    /// Waits for a condition, in virtual time.
    pub async fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let end = self.now() + u64::try_from(PATIENCE.as_millis()).unwrap();
        while self.now() < end {
            if let Some(found) = look() {
                return found;
            }
            self.pass(LOOK).await;
        }
        panic!("not within {PATIENCE:?}: {what}");
    }

    /// Writes a manifest, or takes it away, as a person would.
    pub async fn edit(&self, name: &str, text: Option<&str>) {
        let file = self.dir.path().join(format!("{name}.yaml"));
        match text {
            Some(text) => std::fs::write(file, text).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        // A change counts at the second look that sees it.
        self.resources.look().await;
        assert!(self.resources.look().await.changed);
        assert_eq!(self.resources.findings(), []);
    }

    fn is_ready(&self, name: &str) -> Option<()> {
        let ready = self.condition(name, "FailoverReady")?;
        (ready.0 == "True").then_some(())
    }

    /// Status, reason and message of a condition, as it is shown.
    pub fn condition(&self, name: &str, kind: &str) -> Option<(String, String, String)> {
        let status = self.resources.statuses().services.remove(&key(name))?;
        let found = status.conditions.into_iter().find(|condition| condition.type_ == kind)?;
        Some((found.status, found.reason, found.message))
    }

    /// The same of the condition `Ready` of a drill or an approval.
    pub fn ready(&self, kind: &'static str, name: &str) -> Option<(String, String, String)> {
        let shown = self.desk.shown.lock().unwrap();
        let found =
            shown.get(&(kind, name.to_owned()))?.iter().find(|condition| condition.type_ == "Ready")?;
        Some((found.status.clone(), found.reason.clone(), found.message.clone()))
    }

    /// The record of a service, as the ledger has it.
    pub fn record(&self, name: &str) -> Record {
        serde_json::from_str(&self.ledger.text(&Entry::Record(key(name))).unwrap().1).unwrap()
    }

    /// A run, as the ledger has it.
    pub fn run(&self, id: &str) -> Option<Run> {
        let (_, text) = self.ledger.text(&Entry::Run("gpki".into(), RunId::new(id)))?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// Writes a request as another region's process does.
    pub async fn put_request(&self, id: &str, change: impl FnOnce(&mut RequestEntry)) {
        let entry = Entry::Request("gpki".into(), RunId::new(id));
        let found = self.ledger.text(&entry);
        let mut request = match &found {
            Some((_, text)) => serde_json::from_str(text).unwrap(),
            None => request(),
        };
        change(&mut request);
        let text = serde_json::to_string(&request).unwrap();
        self.ledger.put_text(&entry, &text).await;
    }

    /// Where reports are written; it is not there before a test makes it.
    pub fn reports(&self) -> std::path::PathBuf {
        self.shelf.path().join("reports")
    }

    /// The value of one series.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let text = self.metrics.render().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series).map(str::to_owned))?;
        line.trim().parse().ok()
    }
}

pub fn key(name: &str) -> ServiceKey {
    ServiceKey::new("gpki", name)
}

fn request() -> RequestEntry {
    RequestEntry {
        service: key("verify"),
        from: None,
        to: Some("gwangju".into()),
        reason: "the test asked".to_owned(),
        dry_run: false,
        writer_stopped: false,
        trigger: Trigger::Manual,
        turn_back: None,
        created_at: crate::domain::Timestamp(0),
        words: BTreeMap::new(),
    }
}

const REGIONS: &str = "
{apiVersion: bongsu.io/v1alpha1, kind: Region, metadata: {name: daejeon}, spec: {failureDomain: a}}
---
{apiVersion: bongsu.io/v1alpha1, kind: Region, metadata: {name: gwangju}, spec: {failureDomain: b}}
---
{apiVersion: bongsu.io/v1alpha1, kind: Region, metadata: {name: daegu}, spec: {role: Witness, failureDomain: c}}
";

/// A service with these routes.
pub fn service(name: &str, routes: &[&str]) -> String {
    let served = |route: &&str| {
        let zone = format!("{route}.{name}.gpki.example");
        format!(
            "  - {{name: {route}, ttl: 1s, served: {{zone: {zone}, name: {zone}, nameServers: [ns.gpki.example]}}}}\n"
        )
    };
    let routes: String = routes.iter().map(served).collect();
    format!(
        "
apiVersion: bongsu.io/v1alpha1
kind: SharedService
metadata: {{name: {name}, namespace: gpki}}
spec:
  grade: 1
  topology: ActiveStandby
  members:
  - {{region: daejeon, weight: 100, endpoint: \"http://daejeon.{name}:80\", addresses: [192.0.2.1]}}
  - {{region: gwangju, weight: 50, endpoint: \"http://gwangju.{name}:80\", addresses: [198.51.100.1]}}
  health:
    interval: 1s
    timeout: 500ms
    window: {{size: 3, failures: 2}}
    recovery: {{successes: 3, for: 2s}}
    vantages: {{quorum: 1}}
    checks: [{{name: deep, http: {{path: /}}}}]
  traffic:
{routes}  failover: {{mode: Automatic, cooldown: 1s}}
"
    )
}

/// The ledger in memory; it can fall silent, and refuse to delete.
pub struct Store {
    inner: MemoryLedger,
    /// No call is answered.
    pub silent: AtomicBool,
    /// Deletes of keys that begin so fail.
    pub keeps: Mutex<Option<&'static str>>,
    /// What keeps its members from taking part; `None`: it does not say.
    pub absent: Mutex<Option<Vec<String>>>,
}

impl Store {
    fn new(inner: MemoryLedger) -> Self {
        Self { inner, silent: AtomicBool::new(false), keeps: Mutex::default(), absent: Mutex::default() }
    }

    fn answers(&self, what: &str) -> Result<(), LedgerError> {
        match self.silent.load(Ordering::SeqCst) {
            true => Err(LedgerError::Timeout { what: what.to_owned(), limit: Duration::ZERO }),
            false => Ok(()),
        }
    }

    /// Everything that is there below a prefix.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let first = futures::FutureExt::now_or_never(futures::StreamExt::next(&mut self.inner.watch(prefix)));
        let Some(Some(Change::Reset(all))) = first else { panic!("a watch begins with everything") };
        all.into_iter().map(|(key, _)| key.to_string()).collect()
    }

    /// A lease is taken by another process, which then dies.
    pub async fn give(&self, lease: &str, holder: &str) {
        assert!(matches!(self.inner.acquire(lease, &holder.into(), LEASE_TTL).await, Ok(Some(_))));
    }

    /// One entry, with its version.
    pub fn text(&self, entry: &Entry) -> Option<(Version, String)> {
        let key = entry.key();
        // It answers at once, always.
        let found = futures::FutureExt::now_or_never(self.inner.get(&key))?.ok()?;
        found.map(|found| (found.version, found.value.to_string()))
    }

    /// Writes over whatever is there.
    pub async fn put_text(&self, entry: &Entry, text: &str) -> Version {
        let expect = self.text(entry).map_or(Expect::Absent, |(version, _)| Expect::Version(version));
        self.inner.put(&entry.key(), text, expect).await.unwrap()
    }
}

#[async_trait]
impl Ledger for Store {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError> {
        self.answers("get")?;
        self.inner.get(key).await
    }

    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        self.answers("put")?;
        self.inner.write(key, value, expect, under).await
    }

    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError> {
        self.answers("delete")?;
        if self.keeps.lock().unwrap().is_some_and(|prefix| key.as_str().starts_with(prefix)) {
            return Err(LedgerError::Timeout { what: "delete".to_owned(), limit: Duration::ZERO });
        }
        self.inner.delete(key, version).await
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        self.inner.watch(prefix)
    }

    async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, LedgerError> {
        self.answers("acquire")?;
        self.inner.acquire(lease, holder, ttl).await
    }

    async fn release(&self, lease: &str, holder: &Identity) -> Result<(), LedgerError> {
        self.inner.release(lease, holder).await
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        self.answers("leases")?;
        self.inner.leases().await
    }

    async fn absent(&self) -> Result<Option<Vec<String>>, LedgerError> {
        Ok(self.absent.lock().unwrap().clone())
    }
}

/// Members that answer well, but for those that are down.
#[derive(Default)]
pub struct Members(Mutex<BTreeSet<String>>);

impl Members {
    /// The member of a service in a region is down from now on.
    pub fn fail(&self, region: &str, service: &str) {
        self.0.lock().unwrap().insert(format!("{region}.{service}"));
    }

    /// It is well again.
    pub fn heal(&self, region: &str, service: &str) {
        self.0.lock().unwrap().remove(&format!("{region}.{service}"));
    }
}

struct MemberProbe(Arc<Members>, Arc<str>);

impl Prober for Arc<Members> {
    fn prepare(&self, endpoint: &Endpoint, _: &CheckSpec) -> Result<Arc<dyn Probe>, ProbeError> {
        Ok(Arc::new(MemberProbe(self.clone(), endpoint.host.clone())))
    }
}

#[async_trait]
impl Probe for MemberProbe {
    async fn run(&self) -> Reading {
        let down = self.0.0.lock().unwrap().contains(&*self.1);
        let outcome = if down { Outcome::Refused } else { Outcome::Ok };
        Reading { outcome, ..Reading::default() }
    }
}

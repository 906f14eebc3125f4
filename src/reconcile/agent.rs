//! One Bongsu process: watches, votes, and, while it is the leader, decides and acts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::sync::Notify;

use super::{
    book::{self, Entry, SpecSource},
    catalog::Catalog,
    drills::{Samples, Sealing},
    identity::{Claim, Own},
    line::Line,
    mirror::{LEADER_LEASE, Mirror},
    parse::RouteSpec,
    queue::Queue,
    survey::Surveyed,
    tenure::Tenures,
    traffic::{Hurry, RouteSeen},
    vantage::Vantage,
};
use crate::{
    api::{FailoverStatus, SharedServiceStatus},
    domain::{
        Evaluation, Identity, Measured, PreCheck, Promises, RegionName, RouteName, RunId, ServiceKey, Tick,
        Trigger,
    },
    observability::Metrics,
    planted::planted,
    ports::{
        Agents, Clock, Expect, Key, Ledger, LedgerError, Metering, ObjectRef, Prober, Reports, Resources,
        Route, Seat, Traffic, Under, Version, Workloads,
    },
};

/// What a process is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Region that it runs in.
    pub region: RegionName,
    /// Its own name: different for each process and each start.
    pub identity: Identity,
    /// Length of the leader's and the region's lease. Renewed at each third of it.
    pub lease_ttl: Duration,
    /// Services that are looked at at the same time.
    pub workers: usize,
    /// How reports are sealed and written.
    pub sealing: Sealing,
    /// By what its region's name is its own.
    pub claim: Claim,
    /// Where gates of other regions ask this process for promises; `None`: nowhere.
    pub agent_url: Option<Arc<str>>,
}

/// The outside.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The custom resources of this cluster.
    pub resources: Arc<dyn Resources>,
    /// The store of truth.
    pub ledger: Arc<dyn Ledger>,
    /// Makes probes.
    pub prober: Arc<dyn Prober>,
    /// Leads clients.
    pub traffic: Arc<dyn Traffic>,
    /// Asks for numbers that somebody else measures; `None`: nobody can be asked, so nothing is known of them.
    pub metering: Option<Arc<dyn Metering>>,
    /// What Prometheus reads.
    pub metrics: Arc<Metrics>,
    /// Where reports of drills are kept for people; `None`: nowhere but in the ledger.
    pub reports: Option<Arc<dyn Reports>>,
    /// Asks the Bongsu of other regions without the ledger; `None`: nobody can be asked.
    pub agents: Option<Arc<dyn Agents>>,
    /// From where this process promises; `None`: from a place that nobody takes after it.
    pub seat: Option<Arc<dyn Seat>>,
    /// The workloads of this cluster that write for services; `None`: there are none to start and stop.
    pub workloads: Option<Arc<dyn Workloads>>,
}

/// One Bongsu process.
pub struct Agent {
    pub(super) settings: Settings,
    pub(super) ports: Ports,
    pub(super) mirror: Mirror,
    /// Services to look at.
    pub(super) queue: Queue,
    /// Services whose verdicts changed and are not in the ledger yet.
    pub(super) unsaid: Queue,
    /// Services that were looked at and are to be shown.
    pub(super) unshown: Queue,
    pub(super) line: Line,
    pub(super) vantage: Vantage,
    /// What the vantage sees of services that are drilled.
    pub(super) samples: Arc<Samples>,
    pub(super) tenures: Tenures,
    /// What this region holds may not be in the ledger.
    pub(super) unheld: Notify,
    /// Held while a decision is made and counted in the budgets.
    pub(super) deciding: Mutex<()>,
    pub(super) surveyed: Mutex<Surveyed>,
    shared: Mutex<Shared>,
    promises: Mutex<Promises>,
}

/// What the tasks of one process share besides the mirror.
#[derive(Default)]
pub(super) struct Shared {
    /// The resources.
    pub catalog: Arc<Catalog>,
    /// Where they are from; `None`: they were not read yet, and a service that is missing may be there.
    pub source: Option<SpecSource>,
    /// Since when the ledger stands in for the cluster.
    pub recalled_at: Option<Tick>,
    /// The name of this installation.
    pub own: Own,
    /// It was heard once whose the region's name is.
    pub named: bool,
    /// The installation that has it, if that is another one.
    pub refused_by: Option<Arc<str>>,
    /// Another installation that tries to have it.
    pub rival: Option<Identity>,
    /// Moves that were decided and are not in the mirror yet.
    pub starting: BTreeMap<ServiceKey, Starting>,
    /// What was reported last: the snapshot is some milliseconds behind, and a change is told once.
    pub reported: BTreeMap<ServiceKey, Arc<SharedServiceStatus>>,
    /// When it was.
    pub shown: BTreeMap<ServiceKey, Tick>,
    /// The same for Failovers, by service, with the version of the run in the ledger.
    pub reported_runs: BTreeMap<ServiceKey, BTreeMap<RunId, (Version, Arc<FailoverStatus>)>>,
    /// Runs that wait before their next try, and until when. Whatever else happens to the service does not shorten it.
    pub resting: BTreeMap<ServiceKey, Tick>,
    /// Decisions on services that the ledger does not know yet: why they are not established.
    pub unestablished: BTreeMap<ServiceKey, Vec<Evaluation>>,
    /// Objects that cannot be read and were told of, with what is wrong.
    pub reported_invalid: BTreeMap<ObjectRef, String>,
    /// Runs of drills whose report the ledger did not take, and how often.
    pub unreported: BTreeMap<(Arc<str>, RunId), u32>,
    /// What was measured for the conditions of drills, by namespace, run and place in its list, and when.
    pub measured: BTreeMap<(Arc<str>, RunId, usize), (Tick, Measured)>,
    /// What is wrong with the name servers of services that a drill is about to move, and when they were tried.
    pub rehearsed: BTreeMap<ServiceKey, (Tick, Vec<String>)>,
    /// When this process tried the name servers of a service last, or saw first that another one had.
    pub tried: BTreeMap<ServiceKey, Tick>,
    /// Whether all members of the ledger take part, and when they were asked.
    pub ledger_asked: Option<(Tick, PreCheck)>,
    /// What was read of each route last.
    pub routes: BTreeMap<ServiceKey, BTreeMap<RouteName, RouteSeen>>,
    /// Looks at name servers that do not answer.
    pub hurry: Hurry,
    /// Each route with the key that was read last, and the spec that it belongs to.
    pub keyed: BTreeMap<ServiceKey, BTreeMap<RouteName, (RouteSpec, Route)>>,
}

/// A move that was decided a moment ago. It counts in the budgets from the decision on.
#[derive(Clone, Debug)]
pub(super) struct Starting {
    pub trigger: Trigger,
    pub leaving: Vec<RegionName>,
    pub part_of: Option<Arc<str>>,
}

impl Agent {
    /// A process that has not begun. Call [`Agent::run`].
    #[must_use]
    pub fn new(settings: Settings, ports: Ports) -> Arc<Self> {
        let samples = Arc::new(Samples::new(ports.clock.clone(), ports.metrics.clone()));
        let vantage = Vantage::new(ports.clock.clone(), ports.prober.clone(), samples.clone());
        let tenures = Tenures::new(ports.clock.clone(), settings.lease_ttl);
        let longest = ports.seat.as_ref().map(|seat| seat.longest()).unwrap_or_default();
        let promises = Promises::new(ports.clock.tick(), longest);
        Arc::new(Self {
            settings,
            mirror: Mirror::default(),
            queue: Queue::default(),
            unsaid: Queue::default(),
            unshown: Queue::default(),
            line: Line::default(),
            vantage,
            samples,
            tenures,
            ports,
            unheld: Notify::new(),
            deciding: Mutex::default(),
            surveyed: Mutex::default(),
            shared: Mutex::default(),
            promises: Mutex::new(promises),
        })
    }

    /// The resources as they were read last.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.shared().catalog.clone()
    }

    /// Whether this process may decide and act now: it holds the lease, and knows all that was written before it took it.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        let term = self.tenures.leader_term();
        term.is_some_and(|term| self.mirror.has_caught_up(&self.settings.identity, term))
    }

    /// Whether this process speaks for its region now.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.tenures.speaks()
    }

    /// Writes what only the leader writes, as JSON, under the term in which this process leads.
    pub(super) async fn put_as_leader<T: Serialize + Sync>(
        &self,
        entry: &Entry,
        value: &T,
        expect: Expect,
    ) -> Result<Version, LedgerError> {
        let under = self.under(&entry.key())?;
        let result = book::put(self.ports.ledger.as_ref(), entry, value, expect, under.as_ref()).await;
        self.noted(under, result)
    }

    /// The same for a text.
    pub(super) async fn write_as_leader(
        &self,
        key: &Key,
        text: &str,
        expect: Expect,
    ) -> Result<Version, LedgerError> {
        let under = self.under(key)?;
        let result = self.ports.ledger.write(key, text, expect, under.as_ref()).await;
        self.noted(under, result)
    }

    fn under(&self, key: &Key) -> Result<Option<Under>, LedgerError> {
        if planted!(ActsAfterLosingLease) {
            return Ok(None);
        }
        let lost = || LedgerError::NotHolder { key: key.to_string(), lease: LEADER_LEASE.to_owned() };
        self.tenures.leader_under().map(Some).ok_or_else(lost)
    }

    /// A leader that is told by the ledger that it is none stops at once.
    fn noted(
        &self,
        under: Option<Under>,
        result: Result<Version, LedgerError>,
    ) -> Result<Version, LedgerError> {
        if let (Some(under), Err(LedgerError::NotHolder { .. })) = (under, &result) {
            self.tenures.leader_lost(under.term);
        }
        result
    }

    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        // Every holder leaves it whole, so it is good even if one panicked.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this process has promised to gates.
    pub(super) fn promises(&self) -> MutexGuard<'_, Promises> {
        // Every holder leaves it whole, so it is good even if one panicked.
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at these, and at those that need them.
    pub(super) fn push_with_dependents(&self, services: BTreeSet<ServiceKey>, catalog: &Catalog) {
        let now = self.ports.clock.tick();
        for service in services {
            for dependent in catalog.dependents(&service) {
                self.queue.push(dependent.clone(), now);
            }
            self.queue.push(service, now);
        }
    }

    /// Looks at every service again, now.
    pub(super) fn push_all(&self) {
        let now = self.ports.clock.tick();
        let catalog = self.catalog();
        let known = catalog.services.keys().cloned();
        let forgotten = self.mirror.services().into_iter().filter(|key| !catalog.services.contains_key(key));
        for key in known.chain(forgotten) {
            self.queue.push(key, now);
        }
    }
}

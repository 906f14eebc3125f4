//! The processes of the product: started, frozen, killed, started again.

use std::{sync::Arc, time::Duration};

use tokio::task::AbortHandle;

use super::{
    agents::{SimAgents, SimSeat, url_of},
    clock::{SimClock, Skew},
    cluster::SimResources,
    gate::Seat,
    ledger::SimLedger,
    members::SimProber,
    moment::Moment,
    names::SimTraffic,
    network::Site,
    setup::Setup,
    workloads::SimWorkloads,
    world::World,
};
use crate::{
    adapters::{ledger::MemoryLedger, traffic::served::ServedTraffic},
    domain::Identity,
    observability::{Build, Metrics},
    ports::{Clock, Ledger, Workloads},
    reconcile::{Agent, Claim, Ports, Sealing, Settings},
};

/// Services that a simulated process looks at at the same time.
const WORKERS: usize = 8;

/// Number of the first gate; regions are fewer.
pub(super) const GATES: u16 = 1_000;

/// One life of one process, from its start to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Life {
    pub process: u16,
    pub number: u32,
}

impl Life {
    /// What is not a process of the product: never frozen, never dead.
    pub const APART: Self = Self { process: u16::MAX, number: 0 };
}

/// What befalls a process at an effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Strike {
    Misses,
    Before,
    After,
    /// It stands still for a time, with the effect sent or not sent yet, and then goes on.
    Freezes {
        sent: bool,
        time: Duration,
    },
}

/// A process and what befalls it.
pub(super) struct Process {
    pub site: Site,
    pub name: String,
    lives: u32,
    alive: bool,
    frozen_until: Option<Moment>,
    pub skew: Skew,
    /// Every sample that it takes of another site is bad.
    pub lies: bool,
    /// Since when what it sees is its own fault: it lies, or is cut off from two other regions.
    pub blind_since: Option<Moment>,
    /// When that was over the last time.
    pub blind_until: Option<Moment>,
    /// Since when it takes samples: its start, or when it was thawed.
    pub awake_since: Moment,
    /// When it died the last time.
    pub died_at: Moment,
    /// What happens at this effect, counted down.
    pub strikes: Option<(u32, Strike)>,
    /// The place is without power: nothing starts.
    pub dark: bool,
    /// When it sent the last renewal of the leader's lease that was granted.
    pub led_since: Option<Moment>,
    /// Records that it asked the ledger for while it did not lead.
    pub read_unled: std::collections::BTreeSet<String>,
    /// Epoch of each record when it asked the ledger for it last.
    pub read_epochs: std::collections::BTreeMap<String, crate::domain::Epoch>,
    task: Option<AbortHandle>,
    pub agent: Option<Arc<Agent>>,
    /// The longest promise that was given from its seat.
    pub longest_promise: Duration,
    /// Of a gate: what it stands before. The other processes run Bongsu.
    pub seat: Option<Seat>,
}

impl Process {
    /// A process in a site, not running.
    pub(super) fn new(site: Site, name: String) -> Self {
        Self {
            site,
            name,
            lives: 0,
            alive: false,
            frozen_until: None,
            skew: Skew::default(),
            lies: false,
            blind_since: None,
            blind_until: None,
            awake_since: Moment::START,
            died_at: Moment::START,
            strikes: None,
            dark: false,
            led_since: None,
            read_unled: std::collections::BTreeSet::new(),
            read_epochs: std::collections::BTreeMap::new(),
            task: None,
            agent: None,
            longest_promise: Duration::ZERO,
            seat: None,
        }
    }

    /// A gate in a site, not running.
    pub(super) fn gate(site: Site, seat: Seat) -> Self {
        Self { seat: Some(seat), ..Self::new(site, String::new()) }
    }

    /// What it is called in stories.
    pub(super) fn title(&self) -> String {
        match &self.seat {
            None => format!("bongsu in {}", self.name),
            Some(seat) => format!("the gate of {} in {}", seat.service, seat.region),
        }
    }

    /// Its present life, or the last one.
    pub(super) const fn life(&self) -> u32 {
        self.lives
    }

    pub(super) const fn is_alive(&self) -> bool {
        self.alive
    }

    /// Whether its lease still lasts, counted as it must count it: from when it sent the last renewal.
    pub(super) fn leads(&self, now: Moment, ttl: Duration) -> bool {
        self.led_since.is_some_and(|since| now.since(since) < ttl)
    }
}

/// All processes.
pub(super) struct Processes {
    pub list: Vec<Process>,
    /// The gates of writers; their numbers begin at [`GATES`].
    pub gates: Vec<Process>,
    /// The ledger's own clock.
    pub ledger_skew: Skew,
}

impl Processes {
    /// One process for each site that is a region.
    pub(super) fn new(setup: &Setup) -> Self {
        let process = |(index, region): (usize, &crate::domain::RegionName)| {
            Process::new(Site(u8::try_from(index).unwrap_or(u8::MAX)), region.to_string())
        };
        let regions = setup.regions.iter().enumerate();
        let list = regions.map(process).collect();
        Self { list, gates: Self::gates_of(setup), ledger_skew: Skew::default() }
    }

    fn of(&self, life: Life) -> Option<&Process> {
        self.get(life.process).filter(|process| process.alive && process.lives == life.number)
    }

    pub(super) fn get(&self, process: u16) -> Option<&Process> {
        match process.checked_sub(GATES) {
            Some(gate) => self.gates.get(usize::from(gate)),
            None => self.list.get(usize::from(process)),
        }
    }

    pub(super) fn get_mut(&mut self, process: u16) -> Option<&mut Process> {
        match process.checked_sub(GATES) {
            Some(gate) => self.gates.get_mut(usize::from(gate)),
            None => self.list.get_mut(usize::from(process)),
        }
    }

    /// From when on this life can work: now, or when it is thawed. `None`: it is over.
    pub(super) fn thaws(&self, life: Life, now: Moment) -> Option<Moment> {
        if life == Life::APART {
            return Some(now);
        }
        self.of(life).map(|process| process.frozen_until.map_or(now, |until| until.max(now)))
    }

    /// Whether a process runs, frozen or not.
    pub(super) fn is_alive(&self, process: u16) -> bool {
        self.get(process).is_some_and(|found| found.alive)
    }

    /// Whether a process runs and is not frozen.
    pub(super) fn works(&self, process: u16, now: Moment) -> bool {
        self.get(process)
            .is_some_and(|found| found.alive && found.frozen_until.is_none_or(|until| until <= now))
    }

    /// The process that holds the leader's lease, or held it last.
    pub(super) fn leader(&self) -> Option<&Process> {
        let holds = |process: &&Process| (process.alive, process.led_since);
        self.list.iter().filter(|process| process.led_since.is_some()).max_by_key(holds)
    }

    pub(super) fn skew(&self, life: Life) -> Skew {
        self.get(life.process).map_or(self.ledger_skew, |process| self.skew_of(process.site))
    }

    /// The clocks of a host, which all processes of a site share.
    pub(super) fn skew_of(&self, site: Site) -> Skew {
        self.list.get(usize::from(site.0)).map_or(self.ledger_skew, |process| process.skew)
    }

    pub(super) fn lies(&self, life: Life) -> bool {
        self.of(life).is_some_and(|process| process.lies)
    }

    /// Counts an effect.
    pub(super) fn strike(&mut self, life: Life) -> Strike {
        let Some(process) = self.get_mut(life.process) else { return Strike::Misses };
        match &mut process.strikes {
            Some((0, strike)) => {
                let strike = *strike;
                process.strikes = None;
                strike
            }
            Some((left, _)) => {
                *left -= 1;
                Strike::Misses
            }
            None => Strike::Misses,
        }
    }

    pub(super) fn freeze(&mut self, process: u16, until: Moment) {
        if let Some(process) = self.get_mut(process) {
            process.frozen_until = Some(process.frozen_until.map_or(until, |known| known.max(until)));
            process.awake_since = process.awake_since.max(until);
        }
    }
}

impl World {
    /// Kills a process: whatever it was doing is broken off where it stands.
    pub(super) fn crash(self: &Arc<Self>, process: u16, when: &str) {
        let now = self.now();
        let state = &mut *self.state();
        let Some(found) = state.processes.get_mut(process).filter(|found| found.alive) else { return };
        found.alive = false;
        found.died_at = now;
        found.agent = None;
        found.frozen_until = None;
        let task = found.task.take();
        state.story.tell(now, || format!("{} dies {when}", found.title()));
        if let Some(task) = task {
            task.abort();
        }
    }

    /// Starts the Bongsu of each region, and every gate.
    pub(super) fn start_all(self: &Arc<Self>, setup: &Arc<Setup>, store: &Arc<MemoryLedger>) {
        let gates = self.state().processes.gates.len();
        let all = (0..).take(setup.regions.len()).chain((GATES..).take(gates));
        all.for_each(|process| self.start(process, setup, store));
    }

    /// Starts a process that does not run, if its site has power.
    pub(super) fn start(self: &Arc<Self>, process: u16, setup: &Arc<Setup>, store: &Arc<MemoryLedger>) {
        let now = self.now();
        let (life, site, region) = {
            let state = &mut *self.state();
            let Some(found) = state.processes.get_mut(process).filter(|found| !found.alive && !found.dark)
            else {
                return;
            };
            found.alive = true;
            found.lives += 1;
            found.led_since = None;
            found.awake_since = now;
            found.read_unled.clear();
            found.read_epochs.clear();
            state.story.tell(now, || format!("{} starts", found.title()));
            let Some(region) = setup.regions.get(usize::from(found.site.0)) else { return };
            (Life { process, number: found.lives }, found.site, region.clone())
        };
        if process >= GATES {
            let task = self.run_gate(setup, store, life, site);
            if let Some(found) = self.state().processes.get_mut(process) {
                found.task = task;
            }
            return;
        }
        let Some(agent) = self.agent(setup, store, life, site, region) else { return };
        let running = agent.clone();
        let task = tokio::spawn(async move { running.run(std::future::pending()).await });
        if let Some(found) = self.state().processes.get_mut(process) {
            found.task = Some(task.abort_handle());
            found.agent = Some(agent);
        }
    }

    /// The product as `bongsu run` puts it together, on simulated ports.
    fn agent(
        self: &Arc<Self>,
        setup: &Arc<Setup>,
        store: &Arc<MemoryLedger>,
        life: Life,
        site: Site,
        region: crate::domain::RegionName,
    ) -> Option<Arc<Agent>> {
        let clock: Arc<dyn Clock> = Arc::new(SimClock { world: self.clone(), life });
        let ledger: Arc<dyn Ledger> =
            Arc::new(SimLedger { world: self.clone(), life, site, store: store.clone() });
        let build = Build { version: env!("CARGO_PKG_VERSION"), commit: "simulated", region: &region };
        let has_workloads = setup.services.values().any(|parsed| parsed.service.workload().is_some());
        let workloads = has_workloads.then(|| {
            Arc::new(SimWorkloads { world: self.clone(), life, site, setup: setup.clone() })
                as Arc<dyn Workloads>
        });
        let ports = Ports {
            resources: Arc::new(SimResources::open(self.clone(), life, site)),
            prober: Arc::new(SimProber { world: self.clone(), life, site }),
            traffic: Arc::new(SimTraffic {
                world: self.clone(),
                life,
                site,
                served: ServedTraffic::new(ledger.clone(), clock.clone()),
            }),
            metrics: Arc::new(Metrics::new(build).ok()?),
            metering: None,
            reports: None,
            agents: Some(Arc::new(SimAgents { world: self.clone(), life, site })),
            workloads,
            seat: Some(Arc::new(SimSeat {
                world: self.clone(),
                process: life.process,
                region: region.clone(),
            })),
            clock,
            ledger,
        };
        let url = url_of(region.as_str());
        let identity = Identity::new(format!("bongsu-{region}-{}", life.number));
        Some(Agent::new(
            Settings {
                region,
                identity,
                lease_ttl: setup.lease_ttl,
                workers: WORKERS,
                sealing: Sealing::default(),
                claim: Claim::default(),
                agent_url: Some(url),
            },
            ports,
        ))
    }
}

/// Time after which a process that was killed is started again, as the kubelet does.
pub(super) const RESTART_AFTER: Duration = Duration::from_secs(2);

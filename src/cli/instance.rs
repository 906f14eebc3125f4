//! Puts one Bongsu process together: the same for `run` and, three times in one process, for `demo`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::agents::{AgentPlace, agents};
use crate::{
    adapters::{
        agents::answer,
        kube::{KubeResources, KubeWorkloads, connect, wait_until_ready},
        ledger::{EtcdConfig, EtcdLedger, KubeLedger, MemoryLedger, MeteredLedger},
        manifests::ManifestResources,
        probe::{DeniedRanges, NetworkProber},
        reports::DirectoryReports,
        traffic::{TrafficRouter, dns::DnsTraffic, served::NameServer, served::ServedTraffic},
    },
    domain::{Identity, RegionName},
    observability::{Build, Metrics, Pages, Part, Readiness, StatusProvider, serve},
    ports::{Clock, Ledger, Reports, Resources, Workloads},
    reconcile::{Agent, Claim, Ports, Sealing, Settings},
};

/// Services that are looked at at the same time. A pass mostly waits for a name server or the ledger: 64 of them move a
/// thousand services in seconds, and no name server gets more than 64 updates at a time.
pub(super) const WORKERS: usize = 64;

/// How often the readiness is looked at.
const READINESS_INTERVAL: Duration = Duration::from_millis(500);

/// Between two looks at an etcd that does not answer yet.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The part of the readiness that says whether the API server answers.
const API_SERVER: &str = "apiserver";

/// Where the resources come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// An API server; `None`: that of this pod.
    Kubernetes(Option<PathBuf>),
    /// A directory of manifests.
    Manifests(PathBuf),
}

/// Where the ledger is.
#[derive(Clone, Debug)]
pub(super) enum LedgerPlace {
    /// In this process.
    Memory,
    /// In an API server, in a namespace; `None`: the server of the resources.
    Kubernetes(Option<PathBuf>, String),
    /// In etcd.
    Etcd(EtcdConfig),
}

/// All that a process is told.
#[derive(Clone)]
pub(super) struct Instance {
    /// Region that it runs in.
    pub region: RegionName,
    /// Its own name.
    pub identity: Identity,
    /// Length of its leases.
    pub lease_ttl: Duration,
    /// Where the resources come from.
    pub source: Source,
    /// Where the ledger is.
    pub ledger: LedgerPlace,
    /// Where metrics and health pages are served.
    pub http_address: SocketAddr,
    /// Where names are served; `None`: not at all.
    pub dns_address: Option<SocketAddr>,
    /// Where no check reaches.
    pub denied: DeniedRanges,
    /// Directory for the reports of drills; `None`: they stay in the ledger.
    pub reports: Option<PathBuf>,
    /// How they are sealed and written.
    pub sealing: Sealing,
    /// By what its region's name is its own.
    pub claim: Claim,
    /// How it asks other regions without the ledger, and is asked; `None`: neither.
    pub agents: Option<AgentPlace>,
}

/// What `/readyz` says of an agent that runs.
struct Parts {
    resources: Part,
    ledger: Part,
    /// Of a cluster only.
    api: Option<Part>,
    identity: Part,
}

impl Parts {
    async fn follow(self, agent: Arc<Agent>, resources: Arc<dyn Resources>, clock: Arc<dyn Clock>) {
        loop {
            match resources.snapshot() {
                Some(_) => self.resources.ready(),
                // It works on the specs that the ledger keeps, and may be asked for the names that it serves.
                None if agent.has_specs() => {
                    self.resources.ready();
                    self.api.iter().for_each(Part::ready);
                }
                None => self.resources.not_ready("waits for the first full read"),
            }
            for (part, trouble) in [
                (&self.identity, agent.identity_trouble()),
                (&self.ledger, agent.ledger_trouble().map(str::to_owned)),
            ] {
                match trouble {
                    None => part.ready(),
                    Some(trouble) => part.not_ready(trouble),
                }
            }
            clock.sleep(READINESS_INTERVAL).await;
        }
    }
}

impl Instance {
    /// Runs until `stop`. Health pages come first, so that `/readyz` says what is waited for.
    pub(super) async fn run(self, clock: Arc<dyn Clock>, stop: CancellationToken) -> anyhow::Result<()> {
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("BONGSU_COMMIT"));
        let metrics = Arc::new(Metrics::new(Build { version, commit, region: &self.region })?);
        let readiness = Readiness::default();
        let (agent_sender, agent) = watch::channel::<Option<Arc<Agent>>>(None);
        let status: StatusProvider = Arc::new(move || {
            agent.borrow().as_ref().map_or(serde_json::Value::Null, |agent| agent.overview())
        });
        let pages = Pages { metrics: metrics.clone(), readiness: readiness.clone(), status };
        let listener = TcpListener::bind(self.http_address)
            .await
            .with_context(|| format!("listen on {} (--http-address)", self.http_address))?;
        info!(address = %listener.local_addr()?, "health pages listen");
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, pages, stop.clone().cancelled_owned()));
        let part = readiness.part("resources");
        part.not_ready("waits for the first full read");
        let ledger_part = readiness.part("ledger");
        ledger_part.not_ready("waits for the first full read");
        let api_part = matches!(self.source, Source::Kubernetes(_)).then(|| readiness.part(API_SERVER));
        let identity_part = readiness.part("identity");
        identity_part.ready();
        let started = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            ports = self.connect(clock.clone(), metrics, &readiness, &mut tasks) => Some(ports?),
        };
        if let Some(ports) = started {
            let settings = Settings {
                region: self.region.clone(),
                identity: self.identity.clone(),
                lease_ttl: self.lease_ttl,
                workers: WORKERS,
                sealing: self.sealing.clone(),
                claim: self.claim.clone(),
                agent_url: self.agents.as_ref().and_then(|place| Some(place.asked.as_ref()?.1.clone())),
            };
            let resources = ports.resources.clone();
            if let Some(address) = self.dns_address {
                let (server, bound) = NameServer::bind(address, ports.ledger.clone()).await?;
                info!(address = %bound, "name server listens");
                tasks.spawn(answer_names(server, stop.clone()));
            }
            let agent = Agent::new(settings, ports);
            if let Some((place, (address, url))) =
                self.agents.as_ref().and_then(|place| Some((place, place.asked.as_ref()?)))
            {
                let listener = TcpListener::bind(address).await;
                let listener = listener.with_context(|| format!("listen on {address} (--agent-address)"))?;
                info!(address = %listener.local_addr()?, %url, "answers gates and other regions");
                let stop = stop.clone().cancelled_owned();
                tasks.spawn(answer(listener, place.credentials.clone(), agent.clone(), stop));
            }
            agent_sender.send_replace(Some(agent.clone()));
            let parts =
                Parts { resources: part, ledger: ledger_part, api: api_part, identity: identity_part };
            tasks.spawn(parts.follow(agent.clone(), resources, clock));
            info!(region = %self.region, identity = %self.identity, "watching");
            agent.run(stop.clone().cancelled_owned()).await;
            // It may have ended by itself; everything else ends with it.
            stop.cancel();
        }
        tasks.shutdown().await;
        Ok(())
    }

    async fn connect(
        &self,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        readiness: &Readiness,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Ports> {
        let mut workloads = None;
        let resources: Arc<dyn Resources> = match &self.source {
            Source::Kubernetes(kubeconfig) => {
                // Not waited for: what it holds stands in the ledger as well, and services may have to be moved now.
                let client = connect(kubeconfig.as_deref()).await?;
                let part = readiness.part(API_SERVER);
                part.not_ready("not asked yet");
                let (asked, clock) = (client.clone(), clock.clone());
                workloads = Some(Arc::new(KubeWorkloads::new(client.clone())) as Arc<dyn Workloads>);
                let resources = KubeResources::start(client, clock.clone());
                tasks.spawn(async move { wait_for(&asked, clock.as_ref(), &part).await });
                Arc::new(resources)
            }
            Source::Manifests(path) => {
                let manifests = Arc::new(ManifestResources::open(path, clock.clone()).await?);
                let followed = manifests.clone();
                tasks.spawn(async move { followed.follow().await });
                manifests
            }
        };
        let ledger: Arc<dyn Ledger> = match (&self.ledger, &self.source) {
            (LedgerPlace::Memory, _) => Arc::new(MemoryLedger::new(clock.clone())),
            (LedgerPlace::Etcd(config), _) => reached(config, clock.clone(), readiness).await?,
            (LedgerPlace::Kubernetes(own, namespace), source) => {
                let shared = match source {
                    Source::Kubernetes(kubeconfig) => kubeconfig.as_deref(),
                    Source::Manifests(_) => None,
                };
                let kubeconfig = own.as_deref().or(shared);
                let client = connected(kubeconfig, clock.as_ref(), readiness, "ledger-apiserver").await?;
                Arc::new(KubeLedger::new(client, namespace, clock.clone()))
            }
        };
        let reports = self
            .reports
            .as_ref()
            .map(|directory| Arc::new(DirectoryReports::new(directory)) as Arc<dyn Reports>);
        let agents = self.agents.as_ref().map(|place| agents(&place.credentials));
        let seat = self.agents.as_ref().and_then(|place| place.seat.clone());
        Ok(Ports {
            reports,
            agents,
            seat,
            workloads,
            ..ports(clock, resources, ledger, metrics, self.denied.clone())
        })
    }
}

/// The outside of one process.
pub(super) fn ports(
    clock: Arc<dyn Clock>,
    resources: Arc<dyn Resources>,
    ledger: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
    denied: DeniedRanges,
) -> Ports {
    let ledger: Arc<dyn Ledger> = Arc::new(MeteredLedger::new(ledger, clock.clone(), metrics.clone()));
    let traffic =
        TrafficRouter::new(DnsTraffic::new(clock.clone()), ServedTraffic::new(ledger.clone(), clock.clone()));
    let prober =
        Arc::new(NetworkProber::new(clock.clone()).with_secrets_of(resources.clone()).without(denied));
    Ports {
        clock,
        resources,
        ledger,
        metering: Some(prober.clone()),
        prober,
        traffic: Arc::new(traffic),
        metrics,
        reports: None,
        agents: None,
        seat: None,
        workloads: None,
    }
}

async fn connected(
    kubeconfig: Option<&std::path::Path>,
    clock: &dyn Clock,
    readiness: &Readiness,
    name: &'static str,
) -> anyhow::Result<kube::Client> {
    let client = connect(kubeconfig).await?;
    let part = readiness.part(name);
    part.not_ready("not asked yet");
    wait_for(&client, clock, &part).await;
    Ok(client)
}

/// Waits for an API server, and says at `/readyz` what for.
async fn wait_for(client: &kube::Client, clock: &dyn Clock, part: &Part) {
    let (sender, mut receiver) = watch::channel(None);
    let waiting = wait_until_ready(client, clock, &sender);
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            biased;
            () = &mut waiting => break,
            Ok(()) = receiver.changed() => {
                if let Some(reason) = receiver.borrow_and_update().as_ref() {
                    part.not_ready(reason.to_string());
                }
            }
        }
    }
    part.ready();
}

/// The ledger in etcd, once it has answered.
async fn reached(
    config: &EtcdConfig,
    clock: Arc<dyn Clock>,
    readiness: &Readiness,
) -> anyhow::Result<Arc<dyn Ledger>> {
    let ledger = EtcdLedger::new(config.clone(), clock.clone())?;
    let part = readiness.part("ledger-etcd");
    part.not_ready("not asked yet");
    let mut told = String::new();
    while let Err(error) = ledger.reach().await {
        let reason = error.to_string();
        if reason != told {
            warn!(reason, "waiting for etcd");
            part.not_ready(reason.clone());
            told = reason;
        }
        clock.sleep(LOOK_EVERY).await;
    }
    info!("etcd is ready");
    part.ready();
    let ledger = Arc::new(ledger);
    let follower = ledger.clone();
    tokio::spawn(async move { follower.follow_writers().await });
    Ok(ledger)
}

async fn answer_names(server: NameServer, stop: CancellationToken) {
    if let Err(error) = server.run(stop.clone().cancelled_owned()).await {
        // A name server that is silent must be seen: the process ends and is started again.
        error!(%error, "the name server ended, stopping");
        stop.cancel();
    }
}

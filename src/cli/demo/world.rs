//! Three data centers on this machine, with one ledger between them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use super::{center::Center, citizen::Stub, drill::DRILL};
use crate::{
    adapters::{
        ledger::MemoryLedger,
        manifests::{ManifestResources, Source},
        probe::DeniedRanges,
        reports::DirectoryReports,
    },
    api::DrillRun,
    cli::instance::{WORKERS, ports},
    domain::{Identity, RegionName, ServiceKey},
    observability::{Build, Metrics},
    ports::{Clock, Ledger, NewObject, Reports, Resources},
    reconcile::{Agent, Claim, Ports, Sealing, Settings},
};

/// Length of the leases, the shortest that `bongsu run` takes.
const LEASE_TTL: Duration = Duration::from_secs(3);

/// Where the two data centers answer. All of 127.0.0.0/8 is this machine, so each can have an address of its own.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];

/// Tries to find a port that is free on both addresses.
const PORT_ATTEMPTS: u32 = 16;

/// Region that serves first, is the leader, and is lost.
pub(super) const FROM: &str = "daejeon";
/// Region that takes over.
pub(super) const TO: &str = "gwangju";
/// Region that only watches and votes.
pub(super) const WITNESS: &str = "daegu";
/// Name that citizens use.
pub(super) const NAME: &str = "verify.gpki.example";

/// Start of the name of each Bongsu.
const IDENTITY: &str = "bongsu-";

const MANIFESTS: &str = include_str!("manifests.yaml");

/// The name of the service in every output.
pub(super) fn service_key() -> ServiceKey {
    ServiceKey::new("gpki", "gpki-verify")
}

/// Region of a Bongsu.
pub(super) fn region_of(identity: &Identity) -> RegionName {
    let name = identity.as_str();
    RegionName::new(name.strip_prefix(IDENTITY).unwrap_or(name))
}

/// The three data centers and what is between them.
pub(super) struct World {
    clock: Arc<dyn Clock>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) centers: Vec<Center>,
    manifests: Vec<Source>,
    /// Where reports of drills are written.
    reports: Option<PathBuf>,
    /// The objects of the region that people work in.
    desk: Option<Arc<ManifestResources>>,
}

impl World {
    /// Machines without Bongsu.
    pub(super) async fn open(clock: Arc<dyn Clock>, reports: Option<PathBuf>) -> anyhow::Result<Self> {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new(clock.clone()));
        let [first, second] = listeners().await?;
        let port = first.local_addr()?.port();
        let mut centers = [FROM, TO, WITNESS].map(Center::new);
        centers[0].open(first, ledger.clone()).await?;
        centers[1].open(second, ledger.clone()).await?;
        let text = MANIFESTS.replace("HTTP_PORT", &port.to_string());
        let manifests = [("manifests.yaml", text), ("drill.yaml", DRILL.to_owned())];
        let manifests =
            manifests.map(|(name, text)| Source { name: name.to_owned(), bytes: text.into_bytes() });
        let (centers, manifests) = (centers.into(), manifests.into());
        Ok(Self { clock, ledger, centers, manifests, reports, desk: None })
    }

    /// Starts Bongsu in one data center.
    pub(super) fn start(&mut self, region: &str) -> anyhow::Result<()> {
        let agent = self.agent(RegionName::new(region))?;
        if let Some(center) = self.centers.iter_mut().find(|center| center.region.as_str() == region) {
            center.start(agent);
        }
        Ok(())
    }

    /// The same parts as those of `bongsu run`, with the ledger of all three.
    fn agent(&mut self, region: RegionName) -> anyhow::Result<Arc<Agent>> {
        let resources = Arc::new(ManifestResources::of(self.manifests.clone(), self.clock.clone())?);
        if let Some(finding) = resources.findings().into_iter().find(|finding| finding.is_error()) {
            bail!("the demo's own manifests are wrong: {finding}");
        }
        let own = region.as_str() == FROM;
        if own {
            self.desk = Some(resources.clone());
        }
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("BONGSU_COMMIT"));
        let metrics = Arc::new(Metrics::new(Build { version, commit, region: &region })?);
        let settings = Settings {
            identity: Identity::new(format!("{IDENTITY}{region}")),
            region,
            lease_ttl: LEASE_TTL,
            workers: WORKERS,
            sealing: Sealing::default(),
            claim: Claim::default(),
            agent_url: None,
        };
        // All three would write the same files into the one directory.
        let reports = self.reports.as_deref().filter(|_| own);
        let reports = reports.map(|directory| Arc::new(DirectoryReports::new(directory)) as Arc<dyn Reports>);
        let ports =
            ports(self.clock.clone(), resources, self.ledger.clone(), metrics, DeniedRanges::default());
        Ok(Agent::new(settings, Ports { reports, ..ports }))
    }

    /// A person creates a DrillRun.
    pub(super) async fn ask(&self, wish: DrillRun) -> anyhow::Result<()> {
        let desk = self.desk.as_ref().context("a Bongsu runs")?;
        desk.create(NewObject::DrillRun(Box::new(wish))).await.context("create the DrillRun")
    }

    /// Cuts the power of a data center.
    pub(super) async fn lose(&mut self, region: &str) -> anyhow::Result<()> {
        let clock = self.clock.clone();
        match self.centers.iter_mut().find(|center| center.region.as_str() == region) {
            Some(center) => center.lose(clock).await,
            None => Ok(()),
        }
    }

    /// The power is back in a data center: service, name server and Bongsu start again.
    pub(super) async fn restore(&mut self, region: &str) -> anyhow::Result<()> {
        let ledger = self.ledger.clone();
        if let Some(center) = self.centers.iter_mut().find(|center| center.region.as_str() == region) {
            center.restore(ledger).await?;
        }
        self.start(region)
    }

    /// Every Bongsu that lives.
    pub(super) fn agents(&self) -> Vec<(RegionName, Arc<Agent>)> {
        let centers = self.centers.iter();
        centers.filter_map(|center| Some((center.region.clone(), center.agent()?.clone()))).collect()
    }

    /// What Bongsu itself predicts now, and how it comes to that.
    pub(super) async fn prediction(&self) -> Option<(Duration, String)> {
        let (_, agent) = self.agents().into_iter().next()?;
        let preview = agent.preview(&service_key(), None).await.ok()?;
        Some((Duration::from_millis(preview.predicted_rto_millis), preview.arithmetic))
    }

    /// What a citizen's device knows: the name servers of both data centers, and the port of the service.
    pub(super) fn stub(&self) -> anyhow::Result<Stub> {
        let servers = self.centers.iter().filter_map(|center| center.names).collect();
        let port = self.centers.iter().find_map(|center| center.service).context("a service runs")?.port();
        Ok(Stub { servers, port })
    }
}

/// The same free port on both addresses: an answer of the name server has an address and no port.
async fn listeners() -> anyhow::Result<[TcpListener; 2]> {
    let [first, second] = ADDRESSES;
    for _ in 0..PORT_ATTEMPTS {
        let one = bind(first, 0).await?;
        let port = one.local_addr()?.port();
        match TcpListener::bind(SocketAddr::new(IpAddr::V4(second), port)).await {
            Ok(other) => return Ok([one, other]),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(_) => return Ok([one, bind(second, port).await?]),
        }
    }
    bail!("found no port that is free on {first} and {second} in {PORT_ATTEMPTS} tries: run the demo again")
}

async fn bind(address: Ipv4Addr, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(IpAddr::V4(address), port)).await.with_context(|| {
        format!(
            "listen on {address}: the demo gives each data center an address of this machine. Linux has it; on macOS \
             add it by `sudo ifconfig lo0 alias {address}`"
        )
    })
}

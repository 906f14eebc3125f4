//! `bongsu run`: one Bongsu process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Outcome,
    agents::AgentArgs,
    etcd::EtcdArgs,
    instance::{Instance, LedgerPlace, Source},
    report::Language,
};
use crate::{
    adapters::{clock::SystemClock, probe::DeniedRanges},
    api,
    domain::{Identity, RegionName},
    observability::{self, LogFormat},
    ports::Clock,
    reconcile::{Claim, Sealing},
    report::SigningKey,
};

/// Shortest lease: a renewal each third of it must fit a call of the ledger with its limit of 3 s.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);

const EXAMPLES: &str = "\
Examples:
  bongsu run --region daejeon
      in a cluster, with the ledger in the same API server
  bongsu run --region daejeon --ledger-kubeconfig /etc/bongsu/ledger/kubeconfig
      in a cluster, with the ledger in the API server of the witness region
  bongsu run --region daejeon --ledger etcd --ledger-etcd-endpoints https://etcd.daejeon.example:2379 \\
      --ledger-etcd-ca ca.crt --ledger-etcd-cert tls.crt --ledger-etcd-key tls.key
      in a cluster, with the ledger in an etcd that outlives each data center
  bongsu run --region daegu --manifests manifests/
      without Kubernetes: from files, with the ledger in memory

Stops on SIGTERM and SIGINT. Exit codes: 0 stopped, 2 could not start.";

/// Arguments of `bongsu run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Region that this process runs in: the name of a Region
    #[arg(long, env = "BONGSU_REGION")]
    region: String,

    /// Name of this process in leases and logs; the time of the start is added [default: the host name]
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,

    /// Read Regions, SharedServices, GradePolicies, Failovers and Secrets from this directory instead of an API server
    #[arg(long, value_name = "DIR", conflicts_with = "kubeconfig")]
    manifests: Option<PathBuf>,

    /// Kubeconfig of the API server with the resources [default: that of the pod]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Where the ledger is [default: memory with --manifests, else kubernetes]
    #[arg(long, value_enum)]
    ledger: Option<LedgerKind>,

    /// Namespace of the ledger in its API server
    #[arg(long, env = "POD_NAMESPACE", default_value = "bongsu-system")]
    ledger_namespace: String,

    /// Kubeconfig of the API server with the ledger [default: that of the resources]
    #[arg(long, value_name = "FILE")]
    ledger_kubeconfig: Option<PathBuf>,

    #[command(flatten)]
    etcd: EtcdArgs,

    #[command(flatten)]
    agents: AgentArgs,

    /// Length of the leases: another process takes over after at most this and a third
    #[arg(long, default_value = "15s")]
    lease_ttl: api::Duration,

    /// Address of /metrics, /healthz, /readyz and /status
    #[arg(long, default_value = "127.0.0.1:8080")]
    http_address: SocketAddr,

    /// Address on which names of `served` traffic are answered, by UDP and TCP [default: none]
    #[arg(long)]
    dns_address: Option<SocketAddr>,

    /// Ranges of addresses that no check may reach, with commas between them, or `none`
    #[arg(long, value_name = "RANGES", default_value_t)]
    probe_denied: DeniedRanges,

    /// Directory into which the reports of drills are written; it must exist [default: they stay in the ledger]
    #[arg(long, value_name = "DIR")]
    report_dir: Option<PathBuf>,

    /// Ed25519 private key (PKCS#8, PEM or DER) with which reports are signed [default: nobody signs them]
    #[arg(long, value_name = "FILE")]
    report_key: Option<PathBuf>,

    /// Language of the reports' pages
    #[arg(long, value_enum, default_value_t = Language::En)]
    report_language: Language,

    /// Name of this installation, the same for all its replicas and for no other one [default: the UID of the cluster's
    /// namespace kube-system; with --manifests none]
    #[arg(long, value_name = "NAME")]
    installation: Option<String>,

    /// Installation that had this region's name before and is gone, as the refusal names it: takes the name over from it
    #[arg(long, value_name = "NAME")]
    replaces_installation: Option<String>,

    /// Form of the log on standard error
    #[arg(long, value_enum, default_value_t = Format::Text)]
    log_format: Format,

    /// What is logged, such as `info` or `info,bongsu::reconcile=debug`
    #[arg(long, default_value = "info,hickory_server=warn")]
    log_filter: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum LedgerKind {
    /// In this process: gone when it ends. One process only.
    Memory,
    /// In an API server.
    Kubernetes,
    /// In etcd, with a member in each of three sites.
    Etcd,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Runs one process until it is told to stop.
pub(super) fn run(args: Args) -> anyhow::Result<Outcome> {
    let format = match args.log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    observability::init(format, &args.log_filter).context("--log-filter")?;
    let clock = Arc::new(SystemClock::new());
    let instance = instance(args, clock.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = terminate.recv() => info!("SIGTERM"),
                _ = interrupt.recv() => info!("SIGINT"),
            }
            told.cancel();
        });
        instance.run(clock, stop).await?;
        Ok(Outcome::Good)
    })
}

fn instance(args: Args, clock: Arc<dyn Clock>) -> anyhow::Result<Instance> {
    let Args {
        region,
        identity,
        manifests,
        kubeconfig,
        ledger,
        ledger_namespace,
        ledger_kubeconfig,
        etcd,
        agents,
        lease_ttl,
        http_address,
        dns_address,
        probe_denied,
        report_dir,
        report_key,
        report_language,
        installation,
        replaces_installation,
        log_format: _,
        log_filter: _,
    } = args;
    if lease_ttl.0 < SHORTEST_LEASE {
        bail!("--lease-ttl {lease_ttl} is too short: give at least {SHORTEST_LEASE:?}");
    }
    let default = if manifests.is_some() { LedgerKind::Memory } else { LedgerKind::Kubernetes };
    let kind = ledger.unwrap_or(default);
    if kind != LedgerKind::Kubernetes && ledger_kubeconfig.is_some() {
        bail!("--ledger-kubeconfig goes with --ledger kubernetes");
    }
    if let Some(given) = etcd.given().filter(|_| kind != LedgerKind::Etcd) {
        bail!("{given} goes with --ledger etcd");
    }
    let ledger = match kind {
        LedgerKind::Memory => LedgerPlace::Memory,
        LedgerKind::Kubernetes => LedgerPlace::Kubernetes(ledger_kubeconfig, ledger_namespace),
        LedgerKind::Etcd => LedgerPlace::Etcd(etcd.config()?),
    };
    let sealing = Sealing {
        key: report_key.as_deref().map(signing_key).transpose()?.map(Arc::new),
        language: report_language.into(),
    };
    let name = identity.map_or_else(host_name, Ok)?;
    // A process that starts again is another process: what the former one said before it ended no longer counts.
    let identity = Identity::new(format!("{name}_{}", clock.wall().0));
    let agents = agents.place(&identity, clock)?;
    Ok(Instance {
        region: RegionName::new(region),
        identity,
        lease_ttl: lease_ttl.0,
        source: manifests.map_or(Source::Kubernetes(kubeconfig), Source::Manifests),
        ledger,
        http_address,
        dns_address,
        denied: probe_denied,
        reports: report_dir,
        sealing,
        agents,
        claim: Claim {
            installation: installation.map(Arc::from),
            replaces: replaces_installation.map(Arc::from),
        },
    })
}

/// Read once: a key that changes is read at the next start.
fn signing_key(file: &Path) -> anyhow::Result<SigningKey> {
    let place = || format!("--report-key {}", file.display());
    let bytes = std::fs::read(file).with_context(place)?;
    SigningKey::parse(&bytes).with_context(place)
}

pub(super) fn host_name() -> anyhow::Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .context("read the host name; give --identity")?;
    Ok(name.trim().to_owned())
}

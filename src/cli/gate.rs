//! `bongsu gate`: lets a writer write while its lease is held.

mod health;
pub(super) mod stopped;

use std::{ffi::OsString, net::SocketAddr, num::NonZeroI32, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use self::health::Health;
use super::{
    Outcome,
    agents::{CredentialArgs, agents},
    etcd::EtcdArgs,
    run::host_name,
};
use crate::{
    adapters::{
        clock::SystemClock,
        ledger::{ETCD_TIMEOUT, EtcdLedger},
    },
    api,
    domain::{Identity, RegionName, ServiceKey, Tick},
    gate::{self, Door, Keeper, Promised, Proxy, Supervisor},
    observability::{self, LogFormat},
    ports::{Clock, Ledger},
};

const EXAMPLES: &str = "\
Examples:
  bongsu gate --service gpki/gpki-directory --region daejeon \\
      --ledger-etcd-endpoints https://etcd.daejeon.example:2379 --proxy 0.0.0.0:5432=127.0.0.1:5433
      before a database: clients connect to 5432, the database listens on 127.0.0.1:5433 only
  bongsu gate --service gpki/gpki-directory --region daejeon \\
      --ledger-etcd-endpoints https://etcd.daejeon.example:2379 -- /usr/sbin/writer --config writer.conf
      around a program: it runs while the lease is held and is killed (SIGKILL) when it is not; BONGSU_EPOCH tells it the epoch

Stops on SIGTERM and SIGINT, and gives the lease back, so that another region can write at once.
A program that is told to stop gets SIGTERM, and SIGKILL when the lease as it was renewed last is over.
Exit codes: that of the program, if it ends by itself; 0 stopped; 2 could not start.";

/// Arguments of `bongsu gate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The SharedService that the writer writes for
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = service)]
    service: ServiceKey,

    /// Region that the writer is in: the name of a Region
    #[arg(long, env = "BONGSU_REGION")]
    region: String,

    /// Name of this host in the lease; the time of the start is added [default: the host name]
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,

    /// Length of the lease: after an unclean loss another region may write when it is over
    #[arg(long, default_value = "15s")]
    lease_ttl: api::Duration,

    /// Pass TCP connections to LISTEN on to TARGET while the lease is held
    #[arg(long, value_name = "LISTEN=TARGET", value_parser = proxy)]
    proxy: Option<(String, String)>,

    /// Serve /readyz (could it write: the ledger answers, the writer behind the proxy takes connections), /metrics and /status here
    #[arg(long, value_name = "ADDRESS")]
    http_address: Option<SocketAddr>,

    /// Device that resets this host when it is not fed in time; set its time to less than the lease
    #[arg(long, value_name = "FILE", requires = "command")]
    watchdog: Option<PathBuf>,

    #[command(flatten)]
    etcd: EtcdArgs,

    #[command(flatten)]
    credentials: CredentialArgs,

    /// What is logged on standard error
    #[arg(long, default_value = "info")]
    log_filter: String,

    /// The program to run while the lease is held, and its arguments; its standard input is empty
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// Arguments of the guard, which the gate starts.
#[derive(Debug, clap::Args)]
pub(super) struct GuardArgs {
    /// Tick at which the lease is over, if standard input says no later one
    until: u64,
    /// The program and its arguments
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// Arguments of what becomes the writer, which the guard starts.
#[derive(Debug, clap::Args)]
pub(super) struct LaunchArgs {
    /// Process id of the guard
    guard: NonZeroI32,
    /// The program and its arguments
    #[arg(last = true)]
    command: Vec<OsString>,
}

fn service(text: &str) -> Result<ServiceKey, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(ServiceKey::new(namespace, name))
        }
        _ => Err("write NAMESPACE/NAME, such as gpki/gpki-directory".to_owned()),
    }
}

fn proxy(text: &str) -> Result<(String, String), String> {
    let both = text.split_once('=').filter(|(listen, target)| listen.contains(':') && target.contains(':'));
    let both = both.map(|(listen, target)| (listen.to_owned(), target.to_owned()));
    both.ok_or_else(|| "write LISTEN=TARGET, such as 0.0.0.0:5432=127.0.0.1:5433".to_owned())
}

/// Keeps the door of a writer until it is told to stop or the writer ends.
pub(super) fn run(args: Args) -> anyhow::Result<Outcome> {
    observability::init(LogFormat::Text, &args.log_filter).context("--log-filter")?;
    if args.proxy.is_none() && args.command.is_empty() {
        bail!("there is no writer: give --proxy LISTEN=TARGET, or `-- COMMAND`, or both");
    }
    let shortest = Keeper::shortest_ttl(ETCD_TIMEOUT);
    if args.lease_ttl.0 < shortest {
        bail!(
            "--lease-ttl {} is too short: give at least {shortest:?}, so that one lost renewal does not stop the writer",
            args.lease_ttl
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(keep(args));
    // A guard that cannot be killed must not keep this process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn keep(args: Args) -> anyhow::Result<Outcome> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let door = Arc::new(Door::new(clock.clone()));
    let host = args.identity.map_or_else(host_name, Ok)?;
    let ledger: Arc<dyn Ledger> = Arc::new(EtcdLedger::new(args.etcd.config()?, clock.clone())?);
    let credentials = args.credentials.read(clock.clone()).context("certificates for other regions")?;
    let region = RegionName::new(&args.region);
    let identity = Identity::new(format!("{region}_{host}_{}", clock.wall().0));
    let promised = Promised::new(
        (ledger.clone(), clock.clone()),
        credentials.as_ref().map(agents),
        (args.service.clone(), region.clone(), identity.clone()),
    );
    let keeper = Keeper {
        ledger,
        clock: clock.clone(),
        service: args.service,
        region,
        identity,
        promised,
        ttl: args.lease_ttl.0,
        door: door.clone(),
        standing: Arc::default(),
    };
    if let Some(address) = args.http_address {
        let health = Health {
            service: keeper.service.clone(),
            region: keeper.region.clone(),
            lease_ttl: keeper.ttl,
            target: args.proxy.as_ref().map(|(_, target)| target.clone()),
            door: door.clone(),
            standing: keeper.standing.clone(),
            clock: clock.clone(),
        };
        health.start(address).await?;
    }
    if let Some((listen, target)) = args.proxy {
        let listener =
            TcpListener::bind(&listen).await.with_context(|| format!("--proxy: listen on {listen}"))?;
        let proxy = Arc::new(Proxy { target, door: door.clone(), clock: clock.clone() });
        tokio::spawn(proxy.serve(listener));
    }
    let supervisor = Supervisor { command: args.command, door, watchdog: args.watchdog, clock };
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    // A task of its own: it must stop the writer also while the keeper waits for the ledger, or for the writer to end.
    let writer = tokio::spawn(async move {
        match supervisor.command.is_empty() {
            true => {
                told.await;
                Ok(0)
            }
            false => supervisor.run(told).await,
        }
    });
    let mut code = Ok(Ok(0));
    // The lease is kept until the writer has ended, and only then given back.
    keeper.run(async { code = writer.await }).await;
    code.context("run the writer")?.map(Outcome::Ended)
}

/// The guard of a writer.
pub(super) fn guard(args: &GuardArgs) -> anyhow::Result<Outcome> {
    let code = gate::guard(&args.command, Tick(args.until), &SystemClock::new());
    let program = args.command.first().map(|program| program.display().to_string()).unwrap_or_default();
    code.map(Outcome::Ended).with_context(|| format!("run {program}"))
}

/// Becomes the writer.
pub(super) fn launch(args: &LaunchArgs) -> anyhow::Result<Outcome> {
    let error = gate::launch(args.guard.get(), &args.command);
    let program = args.command.first().map(|program| program.display().to_string()).unwrap_or_default();
    Err(error).with_context(|| format!("run {program}: is it installed, and may it be run?"))
}

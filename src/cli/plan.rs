//! `bongsu plan`: what would happen now, and which rule blocks it.

use std::{fmt::Write, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::{Outcome, instance::ports, print};
use crate::{
    adapters::{
        clock::SystemClock,
        kube::{KubeResources, connect, readiness},
        ledger::{KubeLedger, MemoryLedger},
        manifests::ManifestResources,
        probe::DeniedRanges,
    },
    domain::{Identity, RegionName, ServiceKey},
    observability::{Build, Metrics},
    ports::{Clock, Ledger, Resources},
    reconcile::{Agent, Claim, Preview, Sealing, Settings},
};

/// How long the API server may take until everything was read.
const PATIENCE: Duration = Duration::from_secs(15);

const EXAMPLES: &str = "\
Examples:
  bongsu plan gpki/gpki-verify                  from the cluster that kubectl talks to
  bongsu plan gpki/gpki-verify --lost gwangju   if that region were lost
  bongsu plan -f manifests/                     from files, supposing that all is well now
  bongsu plan gpki/gpki-verify -o json          for other programs

Nothing is touched.

Exit codes:
  0  every service asked about would be moved by itself
  1  one would not; the rules say why
  2  it could not be found out";

/// Arguments of `bongsu plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// NAMESPACE/NAME of a SharedService; without it every service is asked about
    #[arg(value_name = "SERVICE")]
    service: Option<String>,

    /// Region whose loss is supposed [default: the first that serves]
    #[arg(long, value_name = "REGION")]
    lost: Option<String>,

    /// Directory or file with manifests, instead of a cluster
    #[arg(short, long = "filename", value_name = "FILE", conflicts_with = "kubeconfig")]
    file: Option<PathBuf>,

    /// Kubeconfig of the cluster with the resources [default: as kubectl]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Kubeconfig of the cluster with the ledger [default: that of the resources]
    #[arg(long, value_name = "FILE")]
    ledger_kubeconfig: Option<PathBuf>,

    /// Namespace of the ledger
    #[arg(long, default_value = "bongsu-system")]
    ledger_namespace: String,

    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// One array of objects
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let previews = runtime.block_on(previews(args))?;
    print(&match args.output {
        Output::Text => text(&previews)?,
        Output::Json => format!("{}\n", serde_json::to_string_pretty(&previews)?),
    })?;
    let all_ready = previews.iter().all(|preview| preview.outcome == "Ready");
    Ok(if all_ready { Outcome::Good } else { Outcome::Findings })
}

async fn previews(args: &Args) -> anyhow::Result<Vec<Preview>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let agent = match &args.file {
        Some(file) => from_files(file, clock).await?,
        None => from_cluster(args, clock).await?,
    };
    let keys = match &args.service {
        Some(service) => vec![key(service)?],
        None => agent.known_services(),
    };
    if keys.is_empty() {
        bail!("there is no SharedService");
    }
    let lost = args.lost.as_deref().map(RegionName::new);
    let mut previews = Vec::new();
    for key in &keys {
        previews.push(agent.preview(key, lost.as_ref()).await?);
    }
    Ok(previews)
}

fn key(text: &str) -> anyhow::Result<ServiceKey> {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => {
            Ok(ServiceKey::new(namespace, name))
        }
        _ => bail!("{text:?} is not NAMESPACE/NAME, such as gpki/gpki-verify"),
    }
}

async fn from_files(file: &std::path::Path, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<Agent>> {
    let manifests = ManifestResources::open(file, clock.clone()).await?;
    let wrong: Vec<String> =
        manifests.findings().iter().filter(|f| f.is_error()).map(ToString::to_string).collect();
    if !wrong.is_empty() {
        bail!("the manifests have mistakes:\n{}", wrong.join("\n"));
    }
    let agent = agent(clock.clone(), Arc::new(manifests), Arc::new(MemoryLedger::new(clock)))?;
    agent.look_once().await?;
    agent.suppose_all_well().await?;
    Ok(agent)
}

async fn from_cluster(args: &Args, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<Agent>> {
    let client = connect(args.kubeconfig.as_deref()).await?;
    readiness(&client).await?;
    let resources = Arc::new(KubeResources::start(client.clone(), clock.clone()));
    let ledger = match &args.ledger_kubeconfig {
        Some(kubeconfig) => connect(Some(kubeconfig)).await?,
        None => client,
    };
    let ledger = Arc::new(KubeLedger::new(ledger, &args.ledger_namespace, clock.clone()));
    let mut changes = resources.changes();
    let read = async { while resources.snapshot().is_none() && changes.changed().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, read).await.context("read the resources: the API server is too slow")?;
    let agent = agent(clock, resources, ledger)?;
    tokio::time::timeout(PATIENCE, agent.look_once())
        .await
        .context("read the ledger: the API server is too slow")??;
    Ok(agent)
}

/// An agent that only looks: it takes no lease and runs no task.
fn agent(
    clock: Arc<dyn Clock>,
    resources: Arc<dyn Resources>,
    ledger: Arc<dyn Ledger>,
) -> anyhow::Result<Arc<Agent>> {
    let region = RegionName::new("plan");
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("BONGSU_COMMIT"));
    let metrics = Arc::new(Metrics::new(Build { version, commit, region: &region })?);
    let settings = Settings {
        region,
        identity: Identity::new("plan"),
        lease_ttl: crate::domain::Timings::default().leader_ttl,
        workers: 1,
        sealing: Sealing::default(),
        claim: Claim::default(),
        agent_url: None,
    };
    Ok(Agent::new(settings, ports(clock, resources, ledger, metrics, DeniedRanges::default())))
}

fn text(previews: &[Preview]) -> anyhow::Result<String> {
    let mut text = String::new();
    for (index, preview) in previews.iter().enumerate() {
        if index > 0 {
            writeln!(text)?;
        }
        one(&mut text, preview)?;
    }
    Ok(text)
}

fn one(text: &mut String, preview: &Preview) -> anyhow::Result<()> {
    let Preview {
        service,
        epoch,
        serving,
        supposed,
        outcome,
        trigger,
        to,
        steps,
        predicted_rto_millis,
        arithmetic,
        rules,
    } = preview;
    match epoch {
        Some(epoch) => writeln!(text, "{service}: epoch {epoch}, served by {}", serving.join(", "))?,
        None => writeln!(text, "{service}: not known to the ledger yet")?,
    }
    let cause = match (supposed, trigger) {
        (Some(region), _) => format!("If {region} were lost now"),
        (None, Some(trigger)) => format!("Now ({trigger})"),
        (None, None) => "Now".to_owned(),
    };
    let to = if to.is_empty() { "nobody".to_owned() } else { to.join(", ") };
    let seconds = Duration::from_millis(*predicted_rto_millis);
    match *outcome {
        "Ready" => writeln!(text, "{cause}: {to} would serve within {seconds:?}, by itself.")?,
        "Recommend" => writeln!(text, "{cause}: a person would have to move it to {to}.")?,
        _ if trigger.is_none() && supposed.is_none() => writeln!(text, "{cause}: nothing has to move.")?,
        _ => writeln!(text, "{cause}: nothing would be moved.")?,
    }
    writeln!(text, "  predicted: {arithmetic}")?;
    for (index, step) in steps.iter().enumerate() {
        writeln!(text, "  step {}: {step}", index + 1)?;
    }
    for rule in rules {
        let mark = if matches!(rule.outcome.as_str(), "Block" | "Recommend") { "!" } else { " " };
        writeln!(text, "{mark} rule {:<17} {:<13} {}", rule.rule, rule.outcome, rule.message)?;
    }
    Ok(())
}

//! `kubectl bongsu inspect` and `bongsu inspect`: everything that a switch will need, looked at before the day. What Bongsu tries
//! all the time it has written into the status; what only somebody outside sees is looked at here. Nothing is changed.

mod look;
mod service;

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use futures::future::join_all;

use super::{
    Outcome,
    access::{Flags, Session},
    words::{say, tell},
};
use crate::{
    api::SwitchoverDrill,
    cli::{VERSION, print},
    report::{Found, Inspection, Lang, Line, inspection_html},
};

const EXAMPLES: &str = "\
Examples:
  bongsu inspect -A                                    the cluster that kubectl talks to
  bongsu inspect -A --contexts daejeon,gwangju,daegu   every data center
  bongsu inspect -A -o html --out inspection.html --language ko

Nothing is changed.

Exit codes:
  0  no problems; there may be warnings
  1  there are problems: a switch would not work, or not as promised
  2  it cannot be told: something is not known, or a cluster does not answer";

/// Arguments of `kubectl bongsu inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The services and drills of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    /// Contexts of the kubeconfig, one for each cluster [default: the current one]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', conflicts_with = "context")]
    contexts: Vec<String>,

    /// Text, JSON, or one page to print
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,

    /// Write it to this file instead of printing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `bongsu inspect`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Alone {
    #[command(flatten)]
    access: Flags,
    #[command(flatten)]
    args: Args,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    Text,
    Json,
    Html,
}

/// `bongsu inspect`.
pub(in crate::cli) fn run_alone(alone: &Alone) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&alone.access, &alone.args))
}

pub(super) async fn run(access: &Flags, args: &Args) -> anyhow::Result<Outcome> {
    let lang = access.lang();
    let contexts: Vec<Option<&str>> = match args.contexts.is_empty() {
        true => vec![None],
        false => args.contexts.iter().map(|name| Some(name.as_str())).collect(),
    };
    let mut sessions = Vec::new();
    for context in contexts {
        let session = match context {
            Some(name) => access.in_context(name).session().await?,
            None => access.session().await?,
        };
        sessions.push((context.unwrap_or(session.url()).to_owned(), session));
    }
    let looks = sessions.iter().map(|(name, session)| cluster(session, name, args));
    let lines: Vec<Line> = join_all(looks).await.concat();
    let clusters = sessions.iter().map(|(name, _)| name.clone()).collect();
    let at = sessions.first().map(|(_, session)| session.moment()).unwrap_or_default();
    let found = Inspection::new(at, format!("bongsu {VERSION}"), clusters, lines, lang);
    show(&found, args, lang)?;
    Ok(match found.counts {
        counts if counts.problems > 0 => Outcome::Findings,
        counts if counts.unknown > 0 => Outcome::Failed,
        _ => Outcome::Good,
    })
}

fn show(found: &Inspection, args: &Args, lang: Lang) -> anyhow::Result<()> {
    let text = match args.output {
        Format::Text => found.text(lang),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(found)?),
        Format::Html => inspection_html(found, lang),
    };
    let Some(out) = &args.out else { return print(&text) };
    fs::write(out, text).with_context(|| format!("write {}", out.display()))?;
    let out = out.display();
    tell!(lang, "Written to {out}.", "{out}에 저장하였습니다.");
    Ok(())
}

/// All that can be said of one cluster. What cannot be read is not known, and the rest is still looked at.
async fn cluster(session: &Session, name: &str, args: &Args) -> Vec<Line> {
    let (lang, namespace) = (session.lang, (!args.all_namespaces).then_some(session.namespace.as_str()));
    let unread = |subject: &str, error: &anyhow::Error| {
        vec![Line::new(name, subject, "ClusterReachable", Found::Unknown, format!("{error:#}"))]
    };
    // At the same time: of a cluster that is silent each is waited for.
    let (offset, pods, regions, policies, drills, services) = tokio::join!(
        session.clock_offset(),
        session.installations(),
        session.list_all(),
        session.list_all(),
        session.list::<SwitchoverDrill>(namespace),
        session.list(namespace),
    );
    let mut lines =
        vec![look::clock(lang, name, offset), look::running(lang, name, pods), not_asked(lang, name)];
    lines.extend(match regions {
        Ok(regions) => regions.iter().flat_map(|region| look::region(lang, name, region)).collect(),
        Err(error) => unread("Region", &error),
    });
    lines.extend(match policies {
        Ok(policies) => policies.iter().flat_map(|policy| look::policy(lang, name, policy)).collect(),
        Err(error) => unread("GradePolicy", &error),
    });
    lines.extend(match &drills {
        Ok(drills) => drills.iter().map(|drill| look::drill(lang, name, drill)).collect(),
        Err(error) => unread("SwitchoverDrill", error),
    });
    lines.extend(match services {
        Ok(services) => {
            let drills = drills.as_deref().ok();
            services.iter().flat_map(|one| service::lines(lang, name, one, drills)).collect()
        }
        Err(error) => unread("SharedService", &error),
    });
    lines
}

/// The ledger is no part of what people may read.
fn not_asked(lang: Lang, cluster: &str) -> Line {
    let text = say!(
        lang,
        "whether every member of the ledger takes part is asked by a live drill before it starts, and not here",
        "원장 구성원의 참여 여부는 실전형 훈련 시작 전에 확인하며 여기서는 점검하지 않습니다"
    );
    Line::new(cluster, &say!(lang, "ledger", "원장"), "LedgerComplete", Found::NotInspected, text)
}

//! `kubectl bongsu report`: the sealed report of a run, from the ledger in the cluster.

use std::{fs, path::PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;

use super::{
    Outcome,
    access::{Role, Session},
    words::{say, tell},
};
use crate::{
    adapters::ledger::object_name,
    api::{DrillRun, LedgerEntry},
    cli::print,
    domain::RunId,
    reconcile::Entry,
    report::{Sealed, html, markdown},
};

const EXAMPLES: &str = "\
Examples:
  kubectl bongsu report verify-quarterly-x7k2p                     Markdown
  kubectl bongsu report verify-quarterly-x7k2p -o html --out report.html
  kubectl bongsu report verify-quarterly-x7k2p -o json --out report.json
  bongsu report verify report.json                                 see that nothing was changed

-o json is the sealed file, byte for byte. Where the ledger is in another cluster, give the
--context of that one.

Exit codes:
  0  it was printed
  1  there is none (yet), or it was changed after it was sealed
  2  it could not be read or written";

/// Arguments of `kubectl bongsu report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// DrillRun, as NAME or NAMESPACE/NAME
    #[arg(value_name = "RUN")]
    run: String,

    /// Markdown, one page to print, or the sealed file
    #[arg(short, long, value_enum, default_value_t = Format::Md)]
    output: Format,

    /// Write it to this file instead of printing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Namespace of the ledger
    #[arg(long, value_name = "NAME", default_value = "bongsu-system")]
    ledger_namespace: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    Md,
    Html,
    Json,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    let (namespace, name) = session.place(&args.run)?;
    let key = Entry::Report(namespace.as_str().into(), RunId::new(&name)).key();
    let entry = object_name(key.as_str());
    let found = session.find_as::<LedgerEntry>(&args.ledger_namespace, &entry, Role::Reports).await?;
    let Some(found) = found.filter(|found| found.spec.key == key.as_str()) else {
        return why_none(session, &namespace, &name, &args.ledger_namespace).await;
    };
    let text = found.spec.value;
    let sealed = match Sealed::parse(text.as_bytes()) {
        Ok(sealed) => sealed,
        Err(error) => {
            tell!(
                lang,
                "The report of {namespace}/{name} cannot be trusted: {error}.",
                "{namespace}/{name} 보고서를 신뢰할 수 없습니다: {error}."
            );
            return Ok(Outcome::Findings);
        }
    };
    let page = match args.output {
        Format::Md => markdown(&sealed, lang),
        Format::Html => html(&sealed, lang),
        Format::Json => text,
    };
    match &args.out {
        Some(out) => {
            fs::write(out, page).with_context(|| format!("write {}", out.display()))?;
            let out = out.display();
            tell!(lang, "Written to {out}.", "{out}에 저장하였습니다.");
        }
        None => print(&page)?,
    }
    Ok(Outcome::Good)
}

/// The run itself says whether there should be one.
async fn why_none(session: &Session, namespace: &str, name: &str, ledger: &str) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    let run: Option<DrillRun> = session.find(namespace, name).await?;
    let run = run.ok_or_else(|| {
        anyhow!(say!(
            lang,
            "there is no DrillRun {namespace}/{name}: look for it with kubectl get drillruns -A",
            "DrillRun {namespace}/{name}이(가) 없습니다. kubectl get drillruns -A로 찾아보십시오"
        ))
    })?;
    let status = run.status.unwrap_or_default();
    match (status.verdict, status.report_digest) {
        (None, _) => tell!(
            lang,
            "DrillRun {name} is not over yet; its report comes within seconds of its end.",
            "DrillRun {name}이(가) 아직 끝나지 않았습니다. 보고서는 종료 후 몇 초 안에 만들어집니다."
        ),
        (Some(_), None) => {
            tell!(
                lang,
                "DrillRun {name} ended without a report.",
                "DrillRun {name}은(는) 보고서 없이 끝났습니다."
            );
        }
        (Some(_), Some(_)) => bail!(say!(
            lang,
            "the ledger in namespace {ledger} has no report of {name}: give the --context and --ledger-namespace of \
             the ledger, or look into the directory that reports are written to",
            "네임스페이스 {ledger}의 원장에 {name} 보고서가 없습니다. 원장이 있는 곳의 --context와 --ledger-namespace를 \
             지정하거나 보고서 디렉터리를 확인하십시오"
        )),
    }
    Ok(Outcome::Findings)
}

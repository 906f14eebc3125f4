//! `kubectl bongsu plan`: what a switch would do. Asks Bongsu by a dry run, so the answer is that of whoever would do it.

use std::{fmt::Write, time::Duration};

use anyhow::bail;

use super::{
    Outcome,
    access::{Role, Session},
    output::Form,
    rules::{is_in_the_way, rules_table},
    table::Table,
    wish::{self, Waited, Way},
    words::{list, say, tell},
};
use crate::{
    api::{Failover, FailoverPhase, RuleStatus, SharedService},
    report::Lang,
};

/// Longest wait for the plan. The leader answers within a second or two when it lives.
const PATIENCE: Duration = Duration::from_secs(30);

/// For the record.
const REASON: &str = "asked by kubectl bongsu plan";

const EXAMPLES: &str = "\
Examples:
  kubectl bongsu plan gpki-verify                     away from what serves now
  kubectl bongsu plan gpki-verify --to gwangju -o yaml

Creates a Failover with dryRun, which touches nothing and stays as a record of what was asked.

Exit codes:
  0  it would be done
  1  it would be refused; the rules say why
  2  it could not be found out";

/// Arguments of `kubectl bongsu plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// SharedService, as NAME or NAMESPACE/NAME
    #[arg(value_name = "SERVICE")]
    service: String,

    #[command(flatten)]
    way: Way,

    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    let (namespace, name) = session.place(&args.service)?;
    let service: SharedService = session.get(&namespace, &name, Role::View).await?;
    let way = args.way.or_away_from_what_serves(&service);
    let wish = way.wish(lang, &service, REASON, true)?;
    let made = wish::ask(session, &namespace, &wish).await?;
    match wish::follow(session, &made, PATIENCE).await? {
        Waited::Ended(found) => {
            args.form.print(&*found, |found| text(lang, found, args.form.is_wide()))?;
            let planned = found.status.is_some_and(|status| status.phase == Some(FailoverPhase::Planned));
            Ok(if planned { Outcome::Good } else { Outcome::Findings })
        }
        Waited::Late { why, .. } => {
            bail!(say!(
                lang,
                "no plan within {PATIENCE:?}: {why}",
                "{PATIENCE:?} 안에 계획이 나오지 않았습니다: {why}"
            ))
        }
        Waited::Interrupted => {
            tell!(lang, "Stopped looking.", "기다리기를 그만두었습니다.");
            Ok(Outcome::Failed)
        }
    }
}

fn text(lang: Lang, found: &Failover, wide: bool) -> String {
    let status = found.status.clone().unwrap_or_default();
    let name = &found.spec.service_name;
    let (from, to) = (list(&status.from), list(&status.to));
    let mut text = match status.phase {
        Some(FailoverPhase::Planned) => {
            let rto = status.predicted_rto.map_or_else(|| "?".to_owned(), |rto| rto.to_string());
            say!(
                lang,
                "{name} would be moved from {from} to {to}, verified within {rto}. Nothing was touched.\n",
                "{name}: {from}에서 {to}(으)로 전환되며 {rto} 안에 정상 확인될 것으로 예상합니다. 변경된 것은 없습니다.\n"
            )
        }
        _ => {
            // The message says all that blocks in one line; the table says it in several.
            let why = match status.rules.iter().any(is_in_the_way) {
                true => String::new(),
                false => format!(": {}", status.message.unwrap_or_default()),
            };
            say!(
                lang,
                "{name} would not be moved{why}. Nothing was touched.\n",
                "{name}: 전환되지 않습니다{why}. 변경된 것은 없습니다.\n"
            )
        }
    };
    if !status.steps.is_empty() {
        let mut table = Table::new([say!(lang, "  STEP", "  단계"), say!(lang, "WHAT", "내용")]);
        for step in &status.steps {
            table.row(vec![format!("  {}", step.name), step.detail.clone().unwrap_or_default()]);
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", table.text());
    }
    let told: Vec<&RuleStatus> = status.rules.iter().filter(|rule| wide || is_in_the_way(rule)).collect();
    let rules = rules_table(lang, &told);
    if !rules.is_empty() {
        let _ = write!(text, "\n{rules}");
    }
    text
}

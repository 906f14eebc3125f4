//! `kubectl bongsu drill next`.

use serde::Serialize;

use super::{
    super::{Outcome, access::Session, output::Form, table::Table, words::say},
    list::none,
};
use crate::{api::SwitchoverDrill, report::Lang};

/// Arguments of `kubectl bongsu drill next`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// SwitchoverDrill, as NAME or NAMESPACE/NAME; without it, all of them
    #[arg(value_name = "DRILL", conflicts_with = "all_namespaces")]
    drill: Option<String>,

    /// The drills of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Next {
    /// As in the schedule's zone; the day only if it is unannounced. `None`: it never runs by itself.
    at: Option<String>,
    namespace: String,
    drill: String,
    /// Why no run starts then.
    blocked_by: Option<String>,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let (namespace, name) = match &args.drill {
        Some(drill) => session.place(drill).map(|(namespace, name)| (Some(namespace), Some(name)))?,
        None => ((!args.all_namespaces).then(|| session.namespace.clone()), None),
    };
    let drills: Vec<SwitchoverDrill> = match (&namespace, &name) {
        (Some(namespace), Some(name)) => {
            vec![session.get(namespace, name, super::super::access::Role::View).await?]
        }
        _ => session.list(namespace.as_deref()).await?,
    };
    let mut next: Vec<Next> = drills.iter().flat_map(of).collect();
    // What never comes stands last. Moments of different zones do not sort as text.
    next.sort_by_key(|next| {
        let at = next.at.as_deref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        (at.is_none(), at, next.at.clone())
    });
    args.form.print(&next, |next| match next.is_empty() {
        true => none(session.lang, namespace.as_deref()),
        false => table(session.lang, next, args.all_namespaces),
    })?;
    Ok(Outcome::Good)
}

fn of(drill: &SwitchoverDrill) -> Vec<Next> {
    let status = drill.status.clone().unwrap_or_default();
    let next = |at: Option<String>, blocked_by: Option<String>| Next {
        at,
        namespace: drill.metadata.namespace.clone().unwrap_or_default(),
        drill: drill.metadata.name.clone().unwrap_or_default(),
        blocked_by,
    };
    if status.next_runs.is_empty() {
        let ready = status.conditions.into_iter().find(|condition| condition.type_ == "Ready");
        return vec![next(None, ready.map(|condition| condition.message))];
    }
    status.next_runs.into_iter().map(|run| next(Some(run.at), run.blocked_by)).collect()
}

fn table(lang: Lang, runs: &[Next], all_namespaces: bool) -> String {
    let mut table =
        Table::new([say!(lang, "AT", "시각"), say!(lang, "DRILL", "훈련"), say!(lang, "RUNS", "실시 여부")]);
    for run in runs {
        let name = match all_namespaces {
            true => format!("{}/{}", run.namespace, run.drill),
            false => run.drill.clone(),
        };
        let says = match (&run.at, &run.blocked_by) {
            (Some(_), None) => say!(lang, "yes", "실시"),
            (Some(_), Some(why)) => say!(lang, "no: {why}", "실시 안 함: {why}"),
            (None, Some(why)) => why.clone(),
            (None, None) => say!(lang, "not known yet", "아직 모름"),
        };
        table.row(vec![run.at.clone().unwrap_or_else(|| "-".to_owned()), name, says]);
    }
    table.text()
}

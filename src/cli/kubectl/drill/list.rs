//! `kubectl bongsu drill list`.

use serde::Serialize;

use super::super::{
    Outcome,
    access::Session,
    output::Form,
    table::Table,
    words::{list, say},
};
use crate::{
    api::{DrillKind, SwitchoverDrill},
    report::Lang,
};

/// Arguments of `kubectl bongsu drill list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The drills of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Drill {
    namespace: String,
    name: String,
    kind: DrillKind,
    services: Vec<String>,
    schedule: Option<String>,
    time_zone: Option<String>,
    suspended: bool,
    next: Option<String>,
    active: Option<String>,
    last_run: Option<String>,
    last_verdict: Option<String>,
    /// What keeps it from running at all.
    trouble: Option<String>,
}

impl From<SwitchoverDrill> for Drill {
    fn from(drill: SwitchoverDrill) -> Self {
        let status = drill.status.unwrap_or_default();
        let unready = status.conditions.into_iter().find(|c| c.type_ == "Ready" && c.status != "True");
        Self {
            namespace: drill.metadata.namespace.unwrap_or_default(),
            name: drill.metadata.name.unwrap_or_default(),
            kind: drill.spec.kind,
            services: status.services,
            schedule: drill.spec.schedule.as_ref().map(|schedule| schedule.cron.clone()),
            time_zone: drill.spec.schedule.map(|schedule| schedule.time_zone),
            suspended: drill.spec.suspend,
            next: status.next,
            active: status.active,
            last_run: status.last_run,
            last_verdict: status.last_verdict,
            trouble: unready.map(|condition| condition.message),
        }
    }
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let namespace = (!args.all_namespaces).then_some(session.namespace.as_str());
    let drills: Vec<SwitchoverDrill> = session.list(namespace).await?;
    let drills: Vec<Drill> = drills.into_iter().map(Drill::from).collect();
    args.form.print(&drills, |drills| match drills.is_empty() {
        true => none(session.lang, namespace),
        false => table(session.lang, drills, args),
    })?;
    Ok(Outcome::Good)
}

pub(super) fn none(lang: Lang, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => say!(
            lang,
            "There is no SwitchoverDrill in namespace {namespace}: try --all-namespaces.\n",
            "네임스페이스 {namespace}에 SwitchoverDrill이 없습니다. --all-namespaces로 찾아보십시오.\n"
        ),
        None => say!(
            lang,
            "There is no SwitchoverDrill in this cluster.\n",
            "이 클러스터에 SwitchoverDrill이 없습니다.\n"
        ),
    }
}

fn table(lang: Lang, drills: &[Drill], args: &Args) -> String {
    let mut table = Table::new([
        say!(lang, "DRILL", "훈련"),
        say!(lang, "SERVICES", "대상 서비스"),
        say!(lang, "NEXT", "다음 실시"),
        say!(lang, "LAST", "최근 결과"),
        say!(lang, "NOW", "진행 중"),
    ]);
    for drill in drills {
        let name = match args.all_namespaces {
            true => format!("{}/{}", drill.namespace, drill.name),
            false => drill.name.clone(),
        };
        let last = match (&drill.last_verdict, &drill.last_run) {
            (Some(verdict), Some(run)) => format!("{verdict} ({run})"),
            _ => say!(lang, "never", "없음"),
        };
        table.row(vec![
            name,
            list(&drill.services),
            next(lang, drill),
            last,
            drill.active.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    if args.form.is_wide() {
        table.column(say!(lang, "KIND", "유형"), drills.iter().map(|drill| format!("{:?}", drill.kind)));
        let schedule = drills.iter().map(|drill| match (&drill.schedule, &drill.time_zone) {
            (Some(cron), Some(zone)) => format!("{cron} {zone}"),
            _ => "-".to_owned(),
        });
        table.column(say!(lang, "SCHEDULE", "일정"), schedule);
    }
    table.text()
}

fn next(lang: Lang, drill: &Drill) -> String {
    match (drill.suspended, &drill.next, &drill.trouble, &drill.schedule) {
        (true, ..) => say!(lang, "suspended", "중지됨"),
        (false, Some(next), ..) => next.clone(),
        (false, None, Some(why), _) => say!(lang, "never: {why}", "없음: {why}"),
        (false, None, None, None) => say!(lang, "by hand only", "수동 실시만"),
        (false, None, None, Some(_)) => say!(lang, "not known yet", "아직 모름"),
    }
}

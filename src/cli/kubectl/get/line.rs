//! One service in one line.

use std::time::Duration;

use serde::Serialize;

use super::{
    super::{
        access::Session,
        table::Table,
        words::{drill_phase, health, length, list, mode, say, verdict},
    },
    Args, Policies,
};
use crate::{
    api::{DrillPhase, DrillRun, DrillVerdict, Mode, SharedService},
    report::Lang,
};

/// What `kubectl bongsu get` says of a service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Regions that serve.
    pub(super) serving: Vec<String>,
    /// Health of what serves.
    pub(super) health: String,
    pub(super) regions: Vec<RegionHealth>,
    /// `None`: it is that of a GradePolicy, which could not be read.
    pub(super) mode: Option<Mode>,
    pub(super) epoch: Option<i64>,
    pub(super) predicted_rto: Option<String>,
    /// What would happen if what serves were lost.
    pub(super) if_lost: Option<IfLost>,
    /// The last run of a drill that moved it and is over.
    pub(super) last_drill: Option<LastDrill>,
    /// The Failover that is going on.
    pub(super) failover: Option<String>,
    /// The DrillRun that is going on.
    pub(super) drill_run: Option<DrillNow>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegionHealth {
    pub(super) region: String,
    pub(super) health: String,
    pub(super) serving: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IfLost {
    pub(super) outcome: String,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) blocked_by: Vec<String>,
    pub(super) message: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastDrill {
    pub(super) run: String,
    pub(super) verdict: DrillVerdict,
    pub(super) ended_at: String,
    /// Since then.
    pub(super) age_seconds: u64,
    /// Whether it is longer ago than `maxDrillAge`.
    pub(super) overdue: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DrillNow {
    pub(super) run: String,
    pub(super) phase: DrillPhase,
}

impl Line {
    pub(super) fn of(
        session: &Session,
        service: &SharedService,
        runs: &[DrillRun],
        policies: &Policies,
    ) -> Self {
        let status = service.status.clone().unwrap_or_default();
        let namespace = service.metadata.namespace.clone().unwrap_or_default();
        let name = service.metadata.name.clone().unwrap_or_default();
        let of_service =
            |run: &&DrillRun| run.metadata.namespace.as_ref() == Some(&namespace) && has(run, &name);
        let runs: Vec<&DrillRun> = runs.iter().filter(of_service).collect();
        Self {
            serving: status.serving,
            health: status.health.unwrap_or_else(|| "Unknown".to_owned()),
            regions: status
                .members
                .into_iter()
                .map(|member| RegionHealth {
                    region: member.region,
                    health: member.health,
                    serving: member.serving,
                })
                .collect(),
            mode: policies.mode(service),
            epoch: status.epoch,
            predicted_rto: status.predicted_rto.map(|rto| rto.to_string()),
            if_lost: status.next_move.map(|next| IfLost {
                outcome: next.outcome,
                from: next.from,
                to: next.to,
                blocked_by: next.blocked_by,
                message: next.message,
            }),
            last_drill: last_drill(session, &runs, &name, policies.max_drill_age(service)),
            failover: status.run,
            drill_run: runs.iter().find_map(|run| now(run)),
            namespace,
            name,
        }
    }

    /// Whether somebody should look at it first.
    pub(super) fn is_troubled(&self) -> bool {
        self.health != "Healthy" || self.failover.is_some()
    }
}

/// Whether a run is about a service.
pub(super) fn has(run: &DrillRun, service: &str) -> bool {
    run.status.as_ref().is_some_and(|status| status.services.iter().any(|drilled| drilled.name == service))
}

fn now(run: &DrillRun) -> Option<DrillNow> {
    let phase = run.status.as_ref()?.phase?;
    let going_on = matches!(phase, DrillPhase::Leaving | DrillPhase::Holding | DrillPhase::Returning);
    going_on.then(|| DrillNow { run: run.metadata.name.clone().unwrap_or_default(), phase })
}

/// The last run that moved the service. One that was not started, or showed a plan only, drilled nothing.
fn last_drill(
    session: &Session,
    runs: &[&DrillRun],
    service: &str,
    max_age: Option<Duration>,
) -> Option<LastDrill> {
    let over = runs.iter().filter_map(|run| {
        let status = run.status.as_ref()?;
        let moved = status.services.iter().any(|drilled| drilled.name == service && !drilled.to.is_empty());
        let verdict = status.verdict.filter(|_| moved)?;
        let ended_at = status.ended_at.clone()?;
        let age = session.ago(&ended_at)?;
        let run = run.metadata.name.clone().unwrap_or_default();
        let overdue = max_age.is_some_and(|max_age| age > max_age);
        Some(LastDrill { run, verdict, ended_at, age_seconds: age.as_secs(), overdue })
    });
    over.min_by_key(|last| last.age_seconds)
}

/// All lines, under headings.
pub(super) fn table(lang: Lang, lines: &[Line], args: &Args) -> String {
    let mut table = Table::new([
        say!(lang, "SERVICE", "서비스"),
        say!(lang, "SERVED BY", "서비스 지역"),
        say!(lang, "HEALTH", "상태"),
        say!(lang, "REGIONS", "지역별 상태"),
        say!(lang, "MODE", "전환 방식"),
        say!(lang, "IF LOST", "상실 시"),
        say!(lang, "LAST DRILL", "최근 훈련"),
        say!(lang, "NOW", "진행 중"),
    ]);
    for line in lines {
        let name = match args.all_namespaces {
            true => format!("{}/{}", line.namespace, line.name),
            false => line.name.clone(),
        };
        table.row(vec![
            name,
            served_by(lang, line),
            health(lang, &line.health).to_owned(),
            regions(lang, &line.regions),
            line.mode.map_or("?", |found| mode(lang, found)).to_owned(),
            if_lost(lang, line.if_lost.as_ref()),
            drilled(lang, line.last_drill.as_ref()),
            going_on(lang, line),
        ]);
    }
    if args.form.is_wide() {
        let rto = lines.iter().map(|line| line.predicted_rto.clone().unwrap_or_else(|| "-".to_owned()));
        table.column(say!(lang, "PREDICTED RTO", "예상 복구시간"), rto);
        let epoch =
            lines.iter().map(|line| line.epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string()));
        table.column(say!(lang, "EPOCH", "에포크"), epoch);
        let why = lines
            .iter()
            .map(|line| line.if_lost.as_ref().map(|next| next.message.clone()).unwrap_or_default());
        table.column(say!(lang, "WHY", "설명"), why);
    }
    table.text()
}

fn served_by(lang: Lang, line: &Line) -> String {
    match line.serving.is_empty() {
        true => say!(lang, "nobody yet", "아직 없음"),
        false => list(&line.serving),
    }
}

/// All in two words while they agree, so that the one which does not is seen.
fn regions(lang: Lang, regions: &[RegionHealth]) -> String {
    let first = regions.first().map(|region| region.health.as_str());
    if let Some(state) = first.filter(|first| regions.iter().all(|region| region.health == *first)) {
        let state = health(lang, state);
        return say!(lang, "all {state}", "모두 {state}");
    }
    let each = regions.iter().map(|region| format!("{} {}", region.region, health(lang, &region.health)));
    list(&each.collect::<Vec<_>>())
}

/// What would happen.
pub(super) fn if_lost(lang: Lang, next: Option<&IfLost>) -> String {
    let Some(next) = next else { return say!(lang, "unknown", "모름") };
    let (to, why) = (list(&next.to), list(&next.blocked_by));
    match next.outcome.as_str() {
        "Ready" => say!(lang, "moves to {to}", "{to} 자동 전환"),
        "Recommend" => say!(lang, "recommends {to}", "{to} 전환 권고"),
        _ => say!(lang, "stays: {why}", "전환 안 됨: {why}"),
    }
}

fn drilled(lang: Lang, last: Option<&LastDrill>) -> String {
    let Some(last) = last else { return say!(lang, "never", "없음") };
    let (verdict, age) = (verdict(lang, last.verdict), length(lang, Duration::from_secs(last.age_seconds)));
    match last.overdue {
        true => say!(lang, "{verdict} {age} ago, overdue", "{age} 전 {verdict}, 기한 경과"),
        false => say!(lang, "{verdict} {age} ago", "{age} 전 {verdict}"),
    }
}

/// What is going on now.
fn going_on(lang: Lang, line: &Line) -> String {
    let drill = line.drill_run.as_ref().map(|drill| {
        let (run, phase) = (&drill.run, drill_phase(lang, drill.phase));
        say!(lang, "drill {run} ({phase})", "훈련 {run}({phase})")
    });
    let failover = line.failover.as_ref().map(|name| say!(lang, "Failover {name}", "Failover {name}"));
    let both: Vec<String> = drill.into_iter().chain(failover).collect();
    list(&both)
}

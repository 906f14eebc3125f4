//! `kubectl bongsu get`: one line for each service that a tired person understands, or all of one service.

mod line;
mod story;

use std::time::Duration;

use serde::Serialize;

use super::{
    Outcome,
    access::{Role, Session},
    output::Form,
    words::say,
};
use crate::{
    api::{DrillRun, Failover, GradePolicy, Mode, Region, SharedService, SwitchoverDrill},
    report::Lang,
};
use line::Line;
use story::Story;

/// Arguments of `kubectl bongsu get`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// SharedService, as NAME or NAMESPACE/NAME; without it, one line for each
    #[arg(value_name = "SERVICE", conflicts_with = "all_namespaces")]
    service: Option<String>,

    /// The services of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,

    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    match &args.service {
        Some(service) => one(session, args, service).await,
        None => all(session, args).await,
    }
}

/// What concerns every service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    /// What somebody should know before all else.
    warnings: Vec<String>,
    services: Vec<Line>,
}

async fn all(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let namespace = (!args.all_namespaces).then_some(session.namespace.as_str());
    let services: Vec<SharedService> = session.list(namespace).await?;
    let runs: Vec<DrillRun> = session.list(namespace).await?;
    let mut told = Vec::new();
    match session.list_all::<Region>().await {
        Ok(regions) => told.extend(warnings(session.lang, &regions)),
        // Without them the lines are still right.
        Err(error) => told.push(format!("{error:#}")),
    }
    let policies = Policies::read(session, &mut told).await;
    let mut services: Vec<Line> =
        services.iter().map(|service| Line::of(session, service, &runs, &policies)).collect();
    services.sort_by_key(|line| (!line.is_troubled(), line.namespace.clone(), line.name.clone()));
    let overview = Overview { warnings: told, services };
    args.form.print(&overview, |overview| {
        let warnings: String = overview.warnings.iter().map(|warning| format!("! {warning}\n")).collect();
        let lines = match overview.services.is_empty() {
            true => none(session, namespace),
            false => line::table(session.lang, &overview.services, args),
        };
        format!("{warnings}{lines}")
    })?;
    Ok(Outcome::Good)
}

fn none(session: &Session, namespace: Option<&str>) -> String {
    let text = match namespace {
        Some(namespace) => say!(
            session.lang,
            "There is no SharedService in namespace {namespace}: try --all-namespaces.",
            "네임스페이스 {namespace}에 SharedService가 없습니다. --all-namespaces로 찾아보십시오."
        ),
        None => say!(
            session.lang,
            "There is no SharedService in this cluster.",
            "이 클러스터에 SharedService가 없습니다."
        ),
    };
    text + "\n"
}

/// A stop that somebody has pulled, work that is done, and a region that is lost or silent.
fn warnings(lang: Lang, regions: &[Region]) -> Vec<String> {
    let mut found = Vec::new();
    for region in regions {
        let name = region.metadata.name.as_deref().unwrap_or_default();
        if let Some(stop) = &region.spec.global_stop {
            let reason = &stop.reason;
            found.push(say!(
                lang,
                "nothing moves by itself: the global stop is set in Region {name} ({reason})",
                "자동 전환이 모두 멈춰 있습니다. Region {name}의 globalStop: {reason}"
            ));
        }
        if let Some(maintenance) = &region.spec.maintenance {
            let reason = &maintenance.reason;
            found.push(say!(
                lang,
                "{name} is under maintenance and takes nothing over ({reason})",
                "{name} 점검 중이라 전환 대상에서 빠집니다: {reason}"
            ));
        }
        let conditions = region.status.iter().flat_map(|status| &status.conditions);
        for condition in conditions {
            let message = &condition.message;
            match (condition.type_.as_str(), condition.status.as_str()) {
                ("Lost", "True") => {
                    found.push(say!(lang, "{name} is lost: {message}", "{name} 상실: {message}"));
                }
                ("AgentAlive", "False") => found.push(say!(
                    lang,
                    "{name} is silent: {message}",
                    "{name}의 Bongsu가 응답하지 않습니다: {message}"
                )),
                _ => {}
            }
        }
    }
    found
}

/// Defaults of the grades; `None`: they could not be read.
struct Policies(Option<Vec<GradePolicy>>);

impl Policies {
    async fn read(session: &Session, warnings: &mut Vec<String>) -> Self {
        match session.list_all().await {
            Ok(policies) => Self(Some(policies)),
            Err(error) => {
                warnings.push(format!("{error:#}"));
                Self(None)
            }
        }
    }

    /// The one in force: of two for one grade, the other says that it is not.
    fn of(&self, service: &SharedService) -> Option<&GradePolicy> {
        let counts = |policy: &&GradePolicy| {
            let conditions = policy.status.iter().flat_map(|status| &status.conditions);
            policy.spec.grade == service.spec.grade
                && !conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "False")
        };
        self.0.iter().flatten().find(counts)
    }

    /// `None`: not known.
    fn mode(&self, service: &SharedService) -> Option<Mode> {
        let by_policy = || self.0.is_some().then(|| self.of(service).and_then(|policy| policy.spec.mode));
        service.spec.failover.mode.or_else(|| by_policy().map(Option::unwrap_or_default))
    }

    fn max_drill_age(&self, service: &SharedService) -> Option<Duration> {
        let own = service.spec.failover.max_drill_age;
        own.or_else(|| self.of(service)?.spec.max_drill_age).map(|age| age.0)
    }
}

async fn one(session: &Session, args: &Args, service: &str) -> anyhow::Result<Outcome> {
    let (namespace, name) = session.place(service)?;
    let object: SharedService = session.get(&namespace, &name, Role::View).await?;
    let runs: Vec<DrillRun> = session.list(Some(&namespace)).await?;
    let moves: Vec<Failover> = session.list(Some(&namespace)).await?;
    let drills: Vec<SwitchoverDrill> = session.list(Some(&namespace)).await?;
    let mut told = Vec::new();
    let policies = Policies::read(session, &mut told).await;
    told.iter().for_each(|warning| eprintln!("! {warning}"));
    let story = Story::of(session, object, moves, runs, drills, &policies);
    args.form.print(&story, |story| story.text(session, args.form.is_wide()))?;
    Ok(Outcome::Good)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_concerns_every_service_is_said_with_its_reason() {
        let region = |spec: serde_json::Value, alive: &str| -> Region {
            let alive = json!({
                "type": "AgentAlive", "status": alive, "reason": "R", "message": "look there",
                "lastTransitionTime": "2027-01-01T00:00:00Z",
            });
            serde_json::from_value(json!({
                "apiVersion": "bongsu.io/v1alpha1", "kind": "Region", "metadata": {"name": "daejeon"}, "spec": spec,
                "status": {"conditions": [alive]},
            }))
            .unwrap()
        };
        let stop = region(json!({"globalStop": {"reason": "wrong verdicts"}}), "True");
        let work = region(json!({"maintenance": {"reason": "new switches"}}), "False");
        let told = warnings(Lang::En, &[stop.clone(), work, region(json!({}), "Unknown")]);
        let expected = [
            "nothing moves by itself: the global stop is set in Region daejeon (wrong verdicts)",
            "daejeon is under maintenance and takes nothing over (new switches)",
            "daejeon is silent: look there",
        ];
        assert_eq!(told, expected);
        assert!(warnings(Lang::Ko, &[stop])[0].contains("자동 전환이 모두 멈춰"));
    }
}

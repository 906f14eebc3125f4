//! What is seen of a cluster itself, of its Regions, policies and drills.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};

use super::super::words::say;
use crate::{
    api::{ConditionType, GradePolicy, Region, SwitchoverDrill},
    report::{Found, Lang, Line},
};

/// Seconds by which clocks may differ without a word. The API server tells whole seconds, and an answer takes its time.
const CLOCKS_DIFFER: i64 = 5;

/// Seconds from which on signed updates and answers are refused as too old or too new (RFC 8945 §10: 300).
const CLOCKS_REFUSED: i64 = 300;

/// Whether the API server's clock and this machine's agree. `offset`: seconds by which the server is ahead; `None`: it does
/// not say its time.
pub(super) fn clock(lang: Lang, cluster: &str, offset: anyhow::Result<Option<i64>>) -> Line {
    let line = |outcome, message| Line::new(cluster, "API server", "ClockOffset", outcome, message);
    let ahead = match offset {
        Ok(Some(ahead)) => ahead,
        Ok(None) => {
            let text =
                say!(lang, "the API server does not say its time", "API 서버가 시각을 알려주지 않습니다");
            return line(Found::NotInspected, text);
        }
        Err(error) => {
            return Line::new(
                cluster,
                "API server",
                "ClusterReachable",
                Found::Unknown,
                format!("{error:#}"),
            );
        }
    };
    let size = ahead.abs();
    if size < CLOCKS_DIFFER {
        let text = say!(lang, "as this machine's, to a few seconds", "이 컴퓨터와 몇 초 안에서 일치합니다");
        return line(Found::Ok, text);
    }
    let outcome = if size < CLOCKS_REFUSED { Found::Warning } else { Found::Problem };
    line(
        outcome,
        say!(
            lang,
            "differs by {size} s from this machine's; signatures are refused from {CLOCKS_REFUSED} s on",
            "이 컴퓨터와 {size}초 차이가 납니다. {CLOCKS_REFUSED}초부터는 서명이 거부됩니다"
        ),
    )
}

/// Whether Bongsu runs: what is in a status was true when it was written. `pods`: how many are ready.
pub(super) fn running(lang: Lang, cluster: &str, pods: anyhow::Result<Option<i32>>) -> Line {
    let line = |outcome, message| Line::new(cluster, "Bongsu", "BongsuRunning", outcome, message);
    match pods {
        Ok(Some(ready)) if ready > 0 => {
            line(Found::Ok, say!(lang, "{ready} pods are ready", "파드 {ready}개가 준비됨"))
        }
        Ok(Some(_)) => {
            let text = say!(
                lang,
                "no pod is ready: what is said here of this cluster is old",
                "준비된 파드가 없습니다. 이 클러스터의 표시 내용은 오래된 것입니다"
            );
            line(Found::Problem, text)
        }
        Ok(None) => {
            let text = say!(
                lang,
                "there is no Deployment of the chart: whether Bongsu writes what is shown is not known here",
                "차트의 Deployment가 없어 표시 내용을 봉수가 쓰고 있는지 알 수 없습니다"
            );
            line(Found::NotInspected, text)
        }
        Err(error) => {
            let text = say!(
                lang,
                "whether Bongsu writes what is shown is not known here: {error:#}",
                "표시 내용을 봉수가 쓰고 있는지 알 수 없습니다: {error:#}"
            );
            line(Found::NotInspected, text)
        }
    }
}

pub(super) fn region(lang: Lang, cluster: &str, region: &Region) -> Vec<Line> {
    let subject = format!("Region {}", name(&region.metadata));
    let status = region.status.clone().unwrap_or_default();
    let said =
        |kind, check, bad| of_condition(lang, (cluster, &subject), &status.conditions, kind, check, bad);
    let mut lines = vec![
        said(ConditionType::AgentAlive, "AgentAlive", Found::Problem),
        said(ConditionType::NameUnique, "NameUnique", Found::Problem),
        said(ConditionType::ProbesOnTime, "ProbesOnTime", Found::Warning),
        // Levers are pulled in one cluster first.
        said(ConditionType::SpecInSync, "SpecInSync", Found::Warning),
    ];
    lines.extend(stale(lang, (cluster, &subject), &region.metadata, status.observed_generation));
    let warning = |check, text: &str| Line::new(cluster, &subject, check, Found::Warning, text);
    lines.extend(region.spec.global_stop.iter().map(|stop| warning("GlobalStop", &stop.reason)));
    lines.extend(region.spec.maintenance.iter().map(|work| warning("Maintenance", &work.reason)));
    lines
}

pub(super) fn policy(lang: Lang, cluster: &str, policy: &GradePolicy) -> Vec<Line> {
    let subject = format!("GradePolicy {}", name(&policy.metadata));
    let status = policy.status.clone().unwrap_or_default();
    let said = |kind, check| {
        of_condition(lang, (cluster, &subject), &status.conditions, kind, check, Found::Warning)
    };
    let mut lines =
        vec![said(ConditionType::Ready, "PolicyInForce"), said(ConditionType::SpecInSync, "SpecInSync")];
    lines.extend(stale(lang, (cluster, &subject), &policy.metadata, status.observed_generation));
    lines
}

pub(super) fn drill(lang: Lang, cluster: &str, drill: &SwitchoverDrill) -> Line {
    let namespace = drill.metadata.namespace.as_deref().unwrap_or_default();
    let subject = format!("SwitchoverDrill {namespace}/{}", name(&drill.metadata));
    let status = drill.status.clone().unwrap_or_default();
    let kind = ConditionType::Ready;
    let mut line =
        of_condition(lang, (cluster, &subject), &status.conditions, kind, "DrillReady", Found::Problem);
    let reason = find(&status.conditions, kind).map(|condition| condition.reason.as_str());
    if line.outcome == Found::Ok && matches!(reason, Some("TooRare" | "Suspended")) {
        line.outcome = Found::Warning;
    }
    line
}

/// What Bongsu says in a condition that is `True` where all is well.
pub(super) fn of_condition(
    lang: Lang,
    (cluster, subject): (&str, &str),
    conditions: &[Condition],
    kind: ConditionType,
    check: &str,
    bad: Found,
) -> Line {
    let Some(condition) = find(conditions, kind) else {
        let text = say!(
            lang,
            "the Bongsu of this cluster has not said it",
            "이 클러스터의 봉수가 아직 표시하지 않았습니다"
        );
        return Line::new(cluster, subject, check, Found::Unknown, text);
    };
    let outcome = match condition.status.as_str() {
        "True" => Found::Ok,
        "False" => bad,
        _ => Found::Unknown,
    };
    Line::new(cluster, subject, check, outcome, condition.message.as_str())
}

pub(super) fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

/// What is shown is of an older spec.
pub(super) fn stale(
    lang: Lang,
    (cluster, subject): (&str, &str),
    of: &ObjectMeta,
    observed: Option<i64>,
) -> Option<Line> {
    (observed != of.generation).then(|| {
        let text = say!(
            lang,
            "what is shown is not of the spec that is applied: Bongsu has not looked at it since",
            "표시 내용이 적용된 명세의 것이 아닙니다. 봉수가 아직 확인하지 않았습니다"
        );
        Line::new(cluster, subject, "StatusCurrent", Found::Unknown, text)
    })
}

fn name(of: &ObjectMeta) -> &str {
    of.name.as_deref().unwrap_or_default()
}

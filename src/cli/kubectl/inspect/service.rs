//! What is seen of a SharedService: what Bongsu asks all the time, and what it cannot ask.

use super::{
    super::words::say,
    look::{find, of_condition, stale},
};
use crate::{
    api::{
        ConditionType, ReadinessFinding, SharedService, SwitchDirection, SwitchReadiness, SwitchoverDrill,
    },
    report::{Found, Lang, Line},
};

/// `drills`: those of its namespace, or more; `None`: they cannot be read.
pub(super) fn lines(
    lang: Lang,
    cluster: &str,
    service: &SharedService,
    drills: Option<&[SwitchoverDrill]>,
) -> Vec<Line> {
    let meta = &service.metadata;
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let subject = format!("{namespace}/{}", meta.name.as_deref().unwrap_or_default());
    let at = (cluster, subject.as_str());
    let status = service.status.clone().unwrap_or_default();
    let mut accepted =
        of_condition(lang, at, &status.conditions, ConditionType::Accepted, "Accepted", Found::Problem);
    let reason = find(&status.conditions, ConditionType::Accepted).map(|found| found.reason.as_str());
    if reason == Some("BeyondPolicy") {
        accepted.outcome = Found::Warning;
    }
    let mut lines = vec![accepted];
    lines.extend(stale(lang, at, meta, status.observed_generation));
    match &status.readiness {
        Some(readiness) => lines.extend(of_readiness(lang, at, readiness)),
        None => lines.push(of_condition(
            lang,
            at,
            &status.conditions,
            ConditionType::ReadyToSwitch,
            "ReadyToSwitch",
            Found::Problem,
        )),
    }
    lines.extend(drills.map(|drills| drilled(lang, at, service, drills)));
    lines.extend(not_inspected(lang, at, service));
    lines
}

fn of_readiness(lang: Lang, (cluster, subject): (&str, &str), readiness: &SwitchReadiness) -> Vec<Line> {
    let mut lines: Vec<Line> = passed(lang, (cluster, subject), readiness.passed).into_iter().collect();
    lines.extend(readiness.findings.iter().map(|found| finding((cluster, subject), found)));
    lines.extend(readiness.not_inspected.iter().map(|check| {
        let text = say!(lang, "nobody has tried it yet", "아직 아무도 시험하지 않았습니다");
        Line::new(cluster, subject, check, Found::NotInspected, text)
    }));
    for direction in &readiness.directions {
        let subject = format!("{subject} {}", way(direction));
        lines.extend(passed(lang, (cluster, &subject), direction.passed));
        lines.extend(direction.findings.iter().map(|found| finding((cluster, &subject), found)));
    }
    lines
}

fn way(direction: &SwitchDirection) -> String {
    let to = if direction.to.is_empty() { "–".to_owned() } else { direction.to.join(", ") };
    format!("{} → {to}", direction.from)
}

fn passed(lang: Lang, (cluster, subject): (&str, &str), passed: i32) -> Option<Line> {
    let questions = u32::try_from(passed).ok().filter(|questions| *questions > 0)?;
    let text = say!(lang, "{questions} questions, nothing against it", "{questions}개 항목에 이상 없음");
    Some(Line { questions, ..Line::new(cluster, subject, "ReadyToSwitch", Found::Ok, text) })
}

/// A word that this version does not know is not known.
fn finding((cluster, subject): (&str, &str), found: &ReadinessFinding) -> Line {
    let outcome = match found.outcome.as_str() {
        "Problem" => Found::Problem,
        "Warning" => Found::Warning,
        _ => Found::Unknown,
    };
    Line::new(cluster, subject, &found.check, outcome, found.message.as_str())
}

/// Whether a drill of its namespace moves it.
fn drilled(
    lang: Lang,
    (cluster, subject): (&str, &str),
    service: &SharedService,
    drills: &[SwitchoverDrill],
) -> Line {
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let moves = |drill: &&SwitchoverDrill| {
        let services = drill.status.iter().flat_map(|status| &status.services);
        drill.metadata.namespace == service.metadata.namespace && services.into_iter().any(|one| one == name)
    };
    let (outcome, text) = match drills.iter().find(moves).and_then(|drill| drill.metadata.name.as_deref()) {
        Some(drill) => {
            (Found::Ok, say!(lang, "SwitchoverDrill {drill} moves it", "SwitchoverDrill {drill}의 대상"))
        }
        None => (
            Found::Warning,
            say!(lang, "no SwitchoverDrill moves it", "대상으로 하는 SwitchoverDrill이 없습니다"),
        ),
    };
    Line::new(cluster, subject, "DrillPlanned", outcome, text)
}

/// What nobody asks.
fn not_inspected(lang: Lang, (cluster, subject): (&str, &str), service: &SharedService) -> Vec<Line> {
    let spec = &service.spec;
    let line = |check, text: String| Line::new(cluster, subject, check, Found::NotInspected, text);
    let mut lines = Vec::new();
    let shows_certificates = spec.members.iter().any(|member| member.endpoint.starts_with("https:"));
    if shows_certificates && !spec.health.checks.iter().any(|check| check.tls.is_some()) {
        let text = say!(
            lang,
            "no check of kind tls looks at when its certificates run out",
            "인증서 만료를 확인하는 tls 점검이 없습니다"
        );
        lines.push(line("CertificatesLast", text));
    }
    if !spec.substitutes.is_empty() {
        let text = say!(
            lang,
            "whether its substitutes carry those who are sent to them is not looked at",
            "대체수단이 이용자를 감당할 수 있는지는 점검하지 않습니다"
        );
        lines.push(line("SubstitutesFit", text));
    }
    lines
}

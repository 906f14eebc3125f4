//! All of one service.

use std::fmt::Write;

use serde::Serialize;

use super::{
    super::{
        access::Session,
        rules::{is_in_the_way, rules_table},
        table::Table,
        words::{health, length, list, mode, move_phase, say, verdict},
    },
    Policies,
    line::{Line, has, if_lost},
};
use crate::{
    api::{DrillRun, Failover, RuleStatus, SharedService, SwitchoverDrill},
    report::Lang,
};

/// Moves, and runs of drills, that are shown: the newest.
const SHOWN: usize = 5;

/// What `kubectl bongsu get SERVICE` says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Story {
    #[serde(flatten)]
    line: Line,
    service: SharedService,
    /// Its Failovers, the newest first.
    failovers: Vec<Failover>,
    /// Runs of drills that moved it, the newest first.
    drill_runs: Vec<DrillRun>,
    /// Drills that select it.
    drills: Vec<SwitchoverDrill>,
}

impl Story {
    pub(super) fn of(
        session: &Session,
        service: SharedService,
        mut failovers: Vec<Failover>,
        mut drill_runs: Vec<DrillRun>,
        mut drills: Vec<SwitchoverDrill>,
        policies: &Policies,
    ) -> Self {
        let line = Line::of(session, &service, &drill_runs, policies);
        failovers.retain(|failover| failover.spec.service_name == line.name);
        failovers.sort_by_key(|failover| std::cmp::Reverse(failover.metadata.creation_timestamp.clone()));
        drill_runs.retain(|run| has(run, &line.name));
        drill_runs.sort_by_key(|run| std::cmp::Reverse(run.metadata.creation_timestamp.clone()));
        drills
            .retain(|drill| drill.status.as_ref().is_some_and(|status| status.services.contains(&line.name)));
        failovers.truncate(SHOWN);
        drill_runs.truncate(SHOWN);
        Self { line, service, failovers, drill_runs, drills }
    }

    pub(super) fn text(&self, session: &Session, wide: bool) -> String {
        let lang = session.lang;
        let members = (say!(lang, "Regions", "지역"), self.members(lang));
        let parts = [
            members,
            (say!(lang, "Conditions", "상태 조건"), self.conditions(session)),
            (say!(lang, "Rules of the next decision", "다음 결정의 규칙"), self.rules(lang, wide)),
            (say!(lang, "Moves, the newest first", "전환 기록(최신순)"), self.moves(session)),
            (say!(lang, "Runs of drills, the newest first", "훈련 기록(최신순)"), self.runs(session)),
            (say!(lang, "Drills to come", "예정된 훈련"), self.drills(lang)),
        ];
        let mut text = self.head(lang);
        for (title, body) in parts.into_iter().filter(|(_, body)| !body.is_empty()) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{title}\n{body}");
        }
        text
    }

    fn head(&self, lang: Lang) -> String {
        let Line { namespace, name, serving, health: state, .. } = &self.line;
        let (state, by) = (health(lang, state), list(serving));
        let first = match (serving.is_empty(), self.line.epoch) {
            (true, _) | (_, None) => say!(
                lang,
                "{namespace}/{name} is served by nobody that Bongsu knows of.",
                "{namespace}/{name}: Bongsu가 아는 서비스 지역이 아직 없습니다."
            ),
            (false, Some(epoch)) => say!(
                lang,
                "{namespace}/{name} is served by {by}, and is {state}. (epoch {epoch})",
                "{namespace}/{name}: {by}에서 서비스 중, 상태 {state}. (에포크 {epoch})"
            ),
        };
        let spec = &self.service.spec;
        let (grade, topology) = (spec.grade, spec.topology);
        let mode = self.line.mode.map_or("?", |found| mode(lang, found));
        let second = say!(
            lang,
            "Grade {grade}, {topology:?}, mode {mode}.",
            "{grade}등급, {topology:?}, 전환 방식 {mode}."
        );
        let next = if_lost(lang, self.line.if_lost.as_ref());
        let third = match self.line.if_lost.as_ref() {
            Some(told) => {
                let from = &told.from;
                say!(lang, "If {from} were lost: {next}.", "{from} 상실 시: {next}.")
            }
            None => String::new(),
        };
        let lines = [first, second, third];
        lines.iter().filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
    }

    fn members(&self, lang: Lang) -> String {
        let members = self.service.status.iter().flat_map(|status| &status.members);
        let mut table = Table::new([
            say!(lang, "  REGION", "  지역"),
            say!(lang, "SERVES", "서비스"),
            say!(lang, "HEALTH", "상태"),
            say!(lang, "COULD TAKE OVER", "전환 대상"),
            say!(lang, "SEEN FROM", "관측"),
        ]);
        for member in members {
            let target = match (member.target, &member.reason) {
                (true, _) => say!(lang, "yes", "가능"),
                (false, Some(reason)) => say!(lang, "no: {reason}", "불가: {reason}"),
                (false, None) => say!(lang, "no", "불가"),
            };
            let seen: Vec<String> = member
                .vantages
                .iter()
                .map(|vantage| {
                    let verdict = health(lang, &vantage.verdict);
                    match vantage.reason.as_ref().filter(|_| vantage.verdict != "Healthy") {
                        Some(reason) => format!("{} {verdict} ({reason})", vantage.vantage),
                        None => format!("{} {verdict}", vantage.vantage),
                    }
                })
                .collect();
            table.row(vec![
                format!("  {}", member.region),
                if member.serving { say!(lang, "yes", "예") } else { "-".to_owned() },
                health(lang, &member.health).to_owned(),
                target,
                list(&seen),
            ]);
        }
        table.text()
    }

    fn conditions(&self, session: &Session) -> String {
        let lang = session.lang;
        let conditions = self.service.status.iter().flat_map(|status| &status.conditions);
        let mut table = Table::new([
            say!(lang, "  CONDITION", "  조건"),
            say!(lang, "STATUS", "값"),
            say!(lang, "SINCE", "경과"),
            say!(lang, "WHY", "설명"),
        ]);
        for condition in conditions {
            let since = session.ago(&condition.last_transition_time.0.to_string());
            table.row(vec![
                format!("  {}", condition.type_),
                condition.status.clone(),
                since.map_or_else(|| "-".to_owned(), |age| length(lang, age)),
                condition.message.clone(),
            ]);
        }
        table.text()
    }

    /// Those that block; all of them if more is wanted.
    fn rules(&self, lang: Lang, wide: bool) -> String {
        let rules = self.service.status.iter().flat_map(|status| &status.rules);
        let told: Vec<&RuleStatus> = rules.filter(|rule| wide || is_in_the_way(rule)).collect();
        rules_table(lang, &told)
    }

    fn moves(&self, session: &Session) -> String {
        let lang = session.lang;
        if self.failovers.is_empty() {
            return String::new();
        }
        let mut table = Table::new([
            "  FAILOVER".to_owned(),
            say!(lang, "AGE", "경과"),
            say!(lang, "MOVE", "전환"),
            say!(lang, "PHASE", "단계"),
            say!(lang, "RTO", "복구시간"),
            say!(lang, "WHY", "설명"),
        ]);
        for failover in &self.failovers {
            let status = failover.status.clone().unwrap_or_default();
            table.row(vec![
                format!("  {}", failover.metadata.name.clone().unwrap_or_default()),
                age(session, failover.metadata.creation_timestamp.as_ref()),
                format!("{} → {}", list(&status.from), list(&status.to)),
                move_phase(lang, status.phase).to_owned(),
                status.rto.map_or_else(|| "-".to_owned(), |rto| rto.to_string()),
                status
                    .message
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| failover.spec.reason.clone()),
            ]);
        }
        table.text()
    }

    fn runs(&self, session: &Session) -> String {
        let lang = session.lang;
        if self.drill_runs.is_empty() {
            return String::new();
        }
        let mut table = Table::new([
            "  DRILLRUN".to_owned(),
            say!(lang, "AGE", "경과"),
            say!(lang, "VERDICT", "판정"),
            say!(lang, "RTO", "복구시간"),
            say!(lang, "WHY", "설명"),
        ]);
        for run in &self.drill_runs {
            let status = run.status.clone().unwrap_or_default();
            table.row(vec![
                format!("  {}", run.metadata.name.clone().unwrap_or_default()),
                age(session, run.metadata.creation_timestamp.as_ref()),
                status.verdict.map_or("-", |found| verdict(lang, found)).to_owned(),
                status.rto.map_or_else(|| "-".to_owned(), |rto| rto.to_string()),
                status.message.unwrap_or_default(),
            ]);
        }
        table.text()
    }

    fn drills(&self, lang: Lang) -> String {
        if self.drills.is_empty() {
            return String::new();
        }
        let mut table = Table::new([say!(lang, "  DRILL", "  훈련"), say!(lang, "NEXT", "다음 실시")]);
        for drill in &self.drills {
            let next = drill.status.as_ref().and_then(|status| status.next.clone());
            let next = next.unwrap_or_else(|| say!(lang, "by hand only", "수동 실시만"));
            table.row(vec![format!("  {}", drill.metadata.name.clone().unwrap_or_default()), next]);
        }
        table.text()
    }
}

fn age(session: &Session, created: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>) -> String {
    let since = created.and_then(|time| session.ago(&time.0.to_string()));
    since.map_or_else(|| "-".to_owned(), |age| length(session.lang, age))
}

//! Every section but the results of the services.

use super::{Block, Cell, Section, Tone, Writer};
use crate::report::{CheckOutcome, Severity, words::codes};

impl Writer<'_> {
    pub(super) fn sections(&self) -> Vec<Section> {
        let names = &self.words.sections;
        [
            (names.identity, self.identity()),
            (names.scope, self.scope()),
            (names.people, self.people()),
            (names.pre_checks, self.pre_checks()),
            (names.results, self.results()),
            (names.timeline, self.timeline()),
            (names.guardrails, self.guardrails()),
            (names.deviations, self.deviations()),
            (names.findings, self.findings()),
            (names.follow_ups, self.follow_ups()),
            (names.integrity, self.integrity()),
        ]
        .into_iter()
        .map(|(title, blocks)| Section { title, blocks })
        .collect()
    }

    fn identity(&self) -> Vec<Block> {
        let identity = &self.sealed.report.identity;
        let labels = &self.words.labels;
        let mut facts: Vec<(&str, Cell)> = vec![
            (labels.number, identity.number.as_str().into()),
            (labels.drill, identity.drill.as_str().into()),
        ];
        facts.extend(identity.system.as_deref().map(|system| (labels.system, system.into())));
        facts.extend([
            (labels.kind, (self.words.kind)(identity.kind).into()),
            (labels.started, self.moment_or(identity.started_at, self.says().never_started).into()),
            (labels.ended, self.human.moment(identity.ended_at).into()),
            (labels.previous, self.previous()),
        ]);
        facts.extend(identity.due_by.map(|due| (labels.due, self.due(due, identity.overdue))));
        facts.push((labels.plan_hash, identity.plan_hash.as_str().into()));
        vec![Block::Facts(facts)]
    }

    fn previous(&self) -> Cell {
        match &self.sealed.report.identity.previous {
            None => self.says().first_drill.into(),
            Some(previous) => {
                let (ended, outcome) =
                    (self.human.moment(previous.ended_at), (self.words.outcome)(previous.outcome));
                format!("{}, {ended}, {outcome}", previous.number).into()
            }
        }
    }

    fn due(&self, due: i64, overdue: bool) -> Cell {
        let due = self.human.moment(due);
        match overdue {
            true => Cell::toned(format!("{due} ({})", self.says().overdue), Tone::Bad),
            false => format!("{due} ({})", self.says().in_time).into(),
        }
    }

    fn scope(&self) -> Vec<Block> {
        let scope = &self.sealed.report.scope;
        let labels = &self.words.labels;
        let facts = vec![
            (labels.scenario, scope.scenario.as_str().into()),
            (labels.regions, scope.regions.join(", ").into()),
            (labels.hold, self.length_or_none(scope.hold).into()),
        ];
        let objective = |objective: &crate::report::Objective| {
            vec![objective.service.as_str().into(), self.human.length(objective.rto_target).into()]
        };
        let objectives: Vec<_> = scope.objectives.iter().map(objective).collect();
        let mut blocks = vec![Block::Facts(facts)];
        if !objectives.is_empty() {
            blocks.push(self.table(&[labels.service, labels.target], objectives));
        }
        blocks
    }

    fn people(&self) -> Vec<Block> {
        let report = &self.sealed.report;
        let labels = &self.words.labels;
        let requested = report.people.requested_by.as_deref().unwrap_or(self.says().the_schedule);
        let announced = self.moment_or(report.notice.announced_at, self.says().not_announced);
        vec![Block::Facts(vec![
            (labels.requested_by, requested.into()),
            (labels.required, report.people.approvals_required.to_string().into()),
            (labels.approvers, self.approvers()),
            (labels.announced, announced.into()),
        ])]
    }

    fn approvers(&self) -> Cell {
        let one = |approver: &crate::report::Approver| match approver.at {
            Some(at) => format!("{} ({})", approver.name, self.human.moment(at)),
            None => approver.name.clone(),
        };
        let people = &self.sealed.report.people;
        let all: Vec<_> = people.approvers.iter().map(one).collect();
        match all.is_empty() {
            true => self.says().none.into(),
            false => all.join(", ").into(),
        }
    }

    fn pre_checks(&self) -> Vec<Block> {
        let labels = &self.words.labels;
        let row = |check: &crate::report::PreCheck| {
            let tone = match check.outcome {
                CheckOutcome::Pass => Tone::Good,
                CheckOutcome::Block => Tone::Bad,
                CheckOutcome::Recommend => Tone::Warn,
                CheckOutcome::NotApplicable => Tone::Plain,
            };
            vec![
                codes::check(&check.name, self.words.lang).into(),
                self.service_or_all(check.service.as_ref()).into(),
                Cell::toned((self.words.check)(check.outcome), tone),
                check.message.as_str().into(),
            ]
        };
        let rows = self.sealed.report.pre_checks.iter().map(row).collect();
        vec![self.table(&[labels.name, labels.service, labels.result, labels.why], rows)]
    }

    fn timeline(&self) -> Vec<Block> {
        let labels = &self.words.labels;
        let row = |moment: &crate::report::Moment| {
            vec![
                Cell::whole(self.human.exactly(moment.at)),
                moment.service.as_deref().unwrap_or_default().into(),
                moment.what.as_str().into(),
            ]
        };
        let rows = self.sealed.report.timeline.iter().map(row).collect();
        vec![self.table(&[labels.at, labels.service, labels.what], rows)]
    }

    fn guardrails(&self) -> Vec<Block> {
        let labels = &self.words.labels;
        let row = |guardrail: &crate::report::Guardrail| {
            let tripped = match guardrail.tripped_at {
                Some(at) => Cell::toned(self.human.exactly(at), Tone::Bad),
                None => Cell::toned(self.says().not_tripped, Tone::Good),
            };
            let message = guardrail.message.as_deref().unwrap_or_default();
            let name = codes::guardrail(&guardrail.name, self.words.lang);
            vec![name.into(), guardrail.limit.as_str().into(), tripped, message.into()]
        };
        let rows = self.sealed.report.guardrails.iter().map(row).collect();
        vec![self.table(&[labels.name, labels.limit, labels.tripped, labels.why], rows)]
    }

    fn deviations(&self) -> Vec<Block> {
        let labels = &self.words.labels;
        let row = |deviation: &crate::report::Deviation| {
            vec![
                codes::step(&deviation.step, self.words.lang).into(),
                self.service_or_all(deviation.service.as_ref()).into(),
                Cell::toned((self.words.deviation)(deviation.kind), Tone::Warn),
                deviation.attempts.to_string().into(),
                deviation.message.as_str().into(),
            ]
        };
        let rows = self.sealed.report.deviations.iter().map(row).collect();
        vec![self.table(&[labels.step, labels.service, labels.result, labels.attempts, labels.why], rows)]
    }

    fn findings(&self) -> Vec<Block> {
        let labels = &self.words.labels;
        let row = |finding: &crate::report::Finding| {
            let tone = match finding.severity {
                Severity::High => Tone::Bad,
                Severity::Medium => Tone::Warn,
                Severity::Low => Tone::Plain,
            };
            vec![
                finding.id.as_str().into(),
                Cell::toned((self.words.severity)(finding.severity), tone),
                self.service_or_all(finding.service.as_ref()).into(),
                finding.text.as_str().into(),
            ]
        };
        let rows = self.sealed.report.findings.iter().map(row).collect();
        vec![self.table(&[labels.name, labels.severity, labels.service, labels.what], rows)]
    }

    fn follow_ups(&self) -> Vec<Block> {
        let labels = &self.words.labels;
        let row = |follow_up: &crate::report::FollowUp| {
            let due = follow_up.due.map(|due| self.human.moment(due));
            vec![
                (self.words.task)(follow_up.task).into(),
                self.service_or_all(follow_up.service.as_ref()).into(),
                follow_up.finding.as_deref().unwrap_or("–").into(),
                follow_up.owner.as_deref().unwrap_or("–").into(),
                Cell::whole(due.as_deref().unwrap_or("–")),
            ]
        };
        let rows = self.sealed.report.follow_ups.iter().map(row).collect();
        vec![self.table(&[labels.what, labels.service, labels.finding, labels.owner, labels.until], rows)]
    }

    fn integrity(&self) -> Vec<Block> {
        let integrity = &self.sealed.report.integrity;
        let labels = &self.words.labels;
        let previous = integrity.previous_digest.as_deref().unwrap_or(self.says().first_report);
        let signature = match &self.sealed.signature {
            Some(signature) => format!("{:?}, {}", signature.algorithm, signature.key_id),
            None => self.says().not_signed.to_owned(),
        };
        let facts = vec![
            (labels.digest, self.sealed.digest.as_str().into()),
            (labels.previous_digest, previous.into()),
            (labels.signature, signature.into()),
            (labels.sealed, self.human.moment(integrity.sealed_at).into()),
            (labels.tool, integrity.tool_version.as_str().into()),
            (labels.clock, integrity.clock_source.as_str().into()),
        ];
        vec![Block::Facts(facts), Block::Text(self.says().how_to_verify.to_owned())]
    }
}

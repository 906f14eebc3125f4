//! From the announcement to the first move: what a run waits for, what it asks, and what keeps it from starting.

use super::{Condition, DrillPhase, DrillRule, DrillRun, DrillSight, PreCheck};
use crate::domain::{Measured, RuleOutcome, Timestamp};

impl DrillRun {
    /// Starts, goes on waiting, or ends without having touched anything.
    pub(super) fn start(&mut self, seen: &DrillSight) {
        if let Some(region) = self.aborted_in() {
            let message = format!("a person in {region} stopped it before it began");
            return self.end_unstarted(DrillRule::AbortedBeforeStart, message, seen.now);
        }
        if seen.now < self.starts_at {
            return;
        }
        let too_late = seen.now.since(self.starts_at) > self.limits.starting_deadline;
        if self.waits_for_others(seen, too_late) {
            return;
        }
        let approved_by = self.approved_by_at(seen.now);
        if self.waits_for_approvals(approved_by.len(), seen.now, too_late) {
            return;
        }
        let Some(of_conditions) = self.answered(seen).or_else(|| too_late.then(|| self.never_asked(seen)))
        else {
            self.message = "waits for the first answer of Prometheus".to_owned();
            return;
        };
        if let Some(what) = seen.waits_for.as_ref().filter(|_| !too_late) {
            self.message = format!("waits for {what}");
            return;
        }
        if let Some((rule, message)) = self.obstacle(seen, of_conditions) {
            return self.end_unstarted(rule, message, seen.now);
        }
        self.approved_by = approved_by;
        self.begin(seen);
    }

    /// Another run of the same drill goes on: waits for it, or gives up.
    fn waits_for_others(&mut self, seen: &DrillSight, too_late: bool) -> bool {
        let Some(other) = &seen.another_run else { return false };
        if too_late || !self.limits.waits_for_another {
            let message = format!("DrillRun {other} of the same drill is going on");
            self.end_unstarted(DrillRule::AnotherRun, message, seen.now);
        } else {
            self.message = format!("waits for DrillRun {other}");
        }
        true
    }

    /// Too few people have said yes: waits for them, or gives up.
    fn waits_for_approvals(&mut self, given: usize, now: Timestamp, too_late: bool) -> bool {
        let needed = self.limits.approvals as usize;
        if given >= needed {
            return false;
        }
        let message = format!("{given} of {needed} approvals: create an Approval for DrillRun {}", self.id);
        match too_late {
            true => self.end_unstarted(DrillRule::ApprovalsMissing, message, now),
            false => self.message = message,
        }
        true
    }

    /// Conditions that are asked before the start, each with what was measured.
    fn asked<'a>(&'a self, seen: &'a DrillSight) -> impl Iterator<Item = (&'a Condition, &'a Measured)> {
        let both = self.conditions.iter().zip(&seen.conditions);
        both.filter(|(condition, _)| condition.is_asked_in(DrillPhase::Announced))
    }

    /// What became of the conditions; `None`: one was not answered yet.
    fn answered(&self, seen: &DrillSight) -> Option<Vec<PreCheck>> {
        self.asked(seen).map(|(condition, measured)| condition.check(measured)).collect()
    }

    /// The conditions when the time to start is over: what nobody has asked is not known.
    fn never_asked(&self, seen: &DrillSight) -> Vec<PreCheck> {
        let unknown = Measured::Unknown("nobody has asked it in time".to_owned());
        let known = |(condition, measured): (&Condition, &Measured)| {
            condition.check(measured).or_else(|| condition.check(&unknown))
        };
        self.asked(seen).filter_map(known).collect()
    }

    /// Notes every check, and gives back what keeps the run from starting.
    fn obstacle(&mut self, seen: &DrillSight, of_conditions: Vec<PreCheck>) -> Option<(DrillRule, String)> {
        self.pre_checks.clone_from(&seen.checks);
        self.pre_checks.extend(of_conditions);
        // Whether a loss would be noticed is what a run that detects asks, and no reason not to ask.
        let must_pass = if self.detects { self.pre_checks.len() } else { usize::MAX };
        self.pre_checks.extend(seen.services.iter().flat_map(|service| service.checks.iter().cloned()));
        if self.services.is_empty() {
            let message = "no selected service is served by the region that is left".to_owned();
            return Some((DrillRule::NothingToMove, message));
        }
        let mut must_pass = self.pre_checks.iter().take(must_pass);
        let check = must_pass.find(|check| check.outcome == RuleOutcome::Block)?;
        let of = check.service.as_ref().map(|service| format!("{service}: ")).unwrap_or_default();
        Some((DrillRule::PreCheckBlocked, format!("{of}{} ({})", check.message, check.name)))
    }

    fn begin(&mut self, seen: &DrillSight) {
        // A step of the ladder that was left out, where the grade only advises it.
        let advised = |check: &&PreCheck| check.name == "Ladder" && check.outcome == RuleOutcome::Recommend;
        self.findings.extend(self.pre_checks.iter().filter(advised).map(|check| {
            let of = check.service.as_deref().unwrap_or_default();
            format!("{of}: {}", check.message)
        }));
        self.started_at = Some(seen.now);
        for (drilled, sight) in self.services.iter_mut().zip(&seen.services) {
            drilled.from.clone_from(&sight.serving);
        }
        if self.detects {
            self.phase = DrillPhase::Holding;
            self.held_since = Some(seen.now);
            let text = format!("started: asks for {:?} whether a loss would be noticed", self.limits.hold);
            self.note(seen.now, text);
            return self.tell_unnoticed(seen.now);
        }
        self.phase = DrillPhase::Leaving;
        self.note(seen.now, "started: every check before the start has passed".to_owned());
        self.leave(seen);
    }
}

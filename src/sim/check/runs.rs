//! Runs and their journals.

use std::sync::Arc;

use super::{Invariant, Noted};
use crate::{
    domain::{Run, RunId, RunState, Step, StepKind, StepState},
    sim::{moment::Moment, world::State},
};

impl State {
    pub(super) fn run_changed(&mut self, now: Moment, key: (Arc<str>, RunId), run: Run) {
        let before = self.checker.runs.remove(&key);
        let known = before.as_ref().map(|before| &before.run);
        let broken = known.and_then(|known| went_back(known, &run)).or_else(|| self.two_at_once(&key, &run));
        if self.story.is_told() && known.is_none_or(|known| told(known) != told(&run)) {
            self.story.tell(now, || told(&run));
        }
        if let Some(what) = broken {
            self.checker.breaks(Invariant::JournalFirst, now, what);
        }
        if ends_well(known, &run) {
            self.traffic_was_led(now, &run);
        }
        if begins_to_count(known, &run) {
            self.budget_kept(now, &run);
        }
        let since = before.as_ref().map_or(now, |noted| noted.since);
        let settles =
            before.as_ref().and_then(|noted| noted.settles).or_else(|| is_settling(&run).then_some(now));
        let over = before.and_then(|noted| noted.over).or_else(|| run.state.is_over().then_some(now));
        self.checker.runs.insert(key, Noted { run, since, settles, over });
    }

    /// A run that ended well leaves at least one name server of the service under the epoch of the ledger.
    fn traffic_was_led(&mut self, now: Moment, run: &Run) {
        let Some(epoch) = self.checker.records.get(&run.service).map(|record| record.epoch) else { return };
        if self.checker.led.get(&run.service).is_some_and(|led| *led < epoch) {
            let what = format!("{} is {:?}, and no name server was led to epoch {epoch}", run.id, run.state);
            self.checker.breaks(Invariant::Liveness, now, what);
        }
    }

    /// Another run of the service that has begun to change something and is not over.
    fn two_at_once(&self, key: &(Arc<str>, RunId), run: &Run) -> Option<String> {
        let acts = |run: &Run| {
            let begun = |record: &crate::domain::StepRecord| {
                record.step.kind() == StepKind::RaiseEpoch && record.state != StepState::Pending
            };
            !run.state.is_over() && run.journal.iter().any(begun)
        };
        let others =
            self.checker.runs.iter().filter(|(other, noted)| {
                *other != key && noted.run.service == run.service && acts(&noted.run)
            });
        let other = if acts(run) { others.map(|(other, _)| &other.1).next() } else { None };
        other.map(|other| format!("two runs of {} act at the same time: {} and {other}", run.service, run.id))
    }
}

fn is_settling(run: &Run) -> bool {
    run.journal
        .iter()
        .any(|record| record.step.kind() == StepKind::Settle && record.state != StepState::Pending)
}

/// A run that is over with this write, and did or undid what it was for.
fn ends_well(before: Option<&Run>, run: &Run) -> bool {
    let was_over = before.is_some_and(|before| before.state.is_over());
    let touched = run
        .journal
        .iter()
        .any(|record| record.step.kind() == StepKind::RaiseEpoch && record.state == StepState::Done);
    let skipped = run.journal.iter().any(|record| record.state == StepState::Skipped);
    let well = matches!(run.state, RunState::Succeeded | RunState::Compensated);
    !was_over && well && touched && !skipped
}

/// A move that begins to count in the budgets with this write.
fn begins_to_count(before: Option<&Run>, run: &Run) -> bool {
    before.is_none() && run.state == RunState::Running && run.plan.change.trigger.is_unplanned()
}

/// What a run forgot, if it did.
fn went_back(before: &Run, after: &Run) -> Option<String> {
    if before.state.is_over() && before.state != after.state {
        return Some(format!("{} was {:?} and is {:?} again", after.id, before.state, after.state));
    }
    if before.plan != after.plan {
        return Some(format!("the plan of {} was changed while it ran", after.id));
    }
    let forgot = before.journal.iter().zip(&after.journal).find(|(before, after)| {
        let settled = matches!(before.state, StepState::Done | StepState::Skipped);
        (settled && before.state != after.state) || before.step != after.step
    });
    forgot.map(|(step, _)| format!("{} forgot that {:?} was done", after.id, step.step))
}

fn told(run: &Run) -> String {
    let steps: Vec<String> = run
        .journal
        .iter()
        .filter(|record| record.state != StepState::Pending)
        .map(|record| {
            let detail = match &record.step {
                Step::RaiseEpoch { epoch, .. } => format!(" {epoch}"),
                _ => String::new(),
            };
            format!("{}{detail} {:?}", record.step.kind().as_str(), record.state)
        })
        .collect();
    let steps = if steps.is_empty() { String::new() } else { format!(" ({})", steps.join(", ")) };
    let regions = |all: &std::collections::BTreeSet<crate::domain::RegionName>| {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
    };
    let change = &run.plan.change;
    let message =
        if run.state.is_over() || run.state == RunState::Paused { run.message.as_str() } else { "" };
    format!(
        "run {}: {} {} → {}: {:?}{steps} {message}",
        run.id,
        change.trigger.as_str(),
        regions(&change.from),
        regions(&change.to),
        run.state
    )
    .trim_end()
    .to_owned()
}

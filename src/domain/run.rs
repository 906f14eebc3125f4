//! One execution of a plan, as the journal keeps it. Pure: the shell writes the intent, does the effect, reports back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Epoch, Identity, Plan, RegionName, RouteName, RunId, ServiceKey, Step, StepKind, Timestamp, Trigger,
};

/// Tries of one step before the point of no return. With the delays of `reconcile::retry` this is some 2 s: a planned
/// move that does not work at once is better undone than waited for.
const ATTEMPTS_BEFORE_NO_RETURN: u32 = 3;

/// Tries of one step after the point of no return, before a person is asked. With the delays of `reconcile::retry` this
/// is half a minute: a name server that restarts is back by then.
const ATTEMPTS_AFTER_NO_RETURN: u32 = 8;

/// A run and its journal. Written to the ledger before each effect (I5).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Name of its Failover.
    pub id: RunId,
    /// The service.
    pub service: ServiceKey,
    /// What is done.
    pub plan: Plan,
    /// Why, in a person's or Bongsu's words.
    pub reason: String,
    /// Who asked; `None`: Bongsu.
    pub requested_by: Option<String>,
    /// What the rules said when it was decided: name, outcome, message.
    pub rules: Vec<(String, String, String)>,
    /// Where it stands.
    pub state: RunState,
    /// One for each step: those of the plan, then those of the compensation if it came to that.
    pub journal: Vec<StepRecord>,
    /// Index of the current step in `journal`.
    pub cursor: usize,
    /// When each phase was reached.
    pub times: Times,
    /// All of it in one sentence.
    pub message: String,
    /// Generation of the Failover up to which a person's word was heard, by the region in which it was said: each
    /// cluster counts its own generations.
    #[serde(default)]
    pub heard: BTreeMap<RegionName, i64>,
    /// Who served before works no more, as it was seen at the last failure: an epoch that is raised is not taken back then, and what
    /// fails is tried on, as in a move that began because something broke.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_way_back: bool,
    /// Regions to which moves led that were left since the last one that ended well, because whoever they led to failed as well.
    /// Each is tried once; then a person is asked.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tried: BTreeSet<RegionName>,
    /// The process that wrote last.
    pub owner: Identity,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum RunState {
    /// A dry run: nothing was and will be touched.
    Planned,
    /// A rule blocked it.
    Refused,
    /// Steps are being done.
    Running,
    /// Steps are being undone.
    Compensating,
    /// Waits for a person.
    Paused,
    /// Done.
    Succeeded,
    /// Undone, or failed before anything was touched.
    Compensated,
    /// Given up, by a person or because a newer epoch exists.
    Failed,
}

impl RunState {
    /// Nothing will happen any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Planned | Self::Refused | Self::Succeeded | Self::Compensated | Self::Failed => true,
            Self::Running | Self::Compensating | Self::Paused => false,
        }
    }
}

/// One step in the journal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// What is done.
    pub step: Step,
    /// How far it is.
    pub state: StepState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What the last try said.
    pub message: Option<String>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum StepState {
    /// Not started.
    Pending,
    /// Its intent is in the ledger; its effect may have happened.
    Running,
    /// Its effect was seen.
    Done,
    /// It did not work.
    Failed,
    /// A person said to go on without it.
    Skipped,
}

/// When each phase was reached.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Times {
    /// First bad sample.
    pub fault: Option<Timestamp>,
    /// A quorum called the member down: the vote that made the quorum.
    pub detected: Option<Timestamp>,
    /// The process that decided looked. Later than `detected` where the leader was lost as well.
    #[serde(default)]
    pub observed: Option<Timestamp>,
    /// The plan was in the ledger.
    pub decided: Option<Timestamp>,
    /// The old writer had stopped; without a gate: the new epoch was in the ledger.
    pub fenced: Option<Timestamp>,
    /// The new writer was promoted.
    pub promoted: Option<Timestamp>,
    /// Traffic was led to the new members.
    pub shifted: Option<Timestamp>,
    /// The new members were seen to answer well.
    pub verified: Option<Timestamp>,
    /// The run was over.
    pub settled: Option<Timestamp>,
}

/// What an effect came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StepResult {
    /// It is done; what was seen.
    Done(String),
    /// It needs more time and nothing is wrong; what it waits for, and for how long.
    NotYet(String, Duration),
    /// It did not work; what was answered, and what to do about it.
    Failed(String),
    /// A newer epoch exists: this run must do nothing more.
    Superseded(String),
}

/// What a person says to a paused run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Intervention {
    /// Try the step again.
    Resume,
    /// Go on without it.
    Skip,
    /// Stop here.
    Abort,
}

/// What comes next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// This step; its intent must be written first.
    Execute(Step),
    /// A person's word.
    Person,
    /// Nothing: the run is over.
    Over,
}

impl Run {
    /// A run of a plan that has not begun.
    #[must_use]
    pub fn new(id: RunId, service: ServiceKey, plan: Plan, owner: Identity, times: Times) -> Self {
        let journal = plan.steps.iter().cloned().map(StepRecord::pending).collect();
        Self {
            id,
            service,
            plan,
            reason: String::new(),
            requested_by: None,
            rules: Vec::new(),
            state: RunState::Running,
            journal,
            cursor: 0,
            times,
            message: String::new(),
            heard: BTreeMap::new(),
            no_way_back: false,
            tried: BTreeSet::new(),
            owner,
        }
    }

    /// What comes next.
    #[must_use]
    pub fn next(&self) -> Next {
        match (self.state, self.journal.get(self.cursor)) {
            (RunState::Paused, _) => Next::Person,
            (RunState::Running | RunState::Compensating, Some(record)) => Next::Execute(record.step.clone()),
            _ => Next::Over,
        }
    }

    /// The current step.
    #[must_use]
    pub fn current(&self) -> Option<&StepRecord> {
        self.journal.get(self.cursor)
    }

    /// Notes the intent to try the current step. To be written before the effect.
    pub fn begin(&mut self, now: Timestamp) {
        if let Some(record) = self.journal.get_mut(self.cursor) {
            record.state = StepState::Running;
            record.attempts = record.attempts.saturating_add(1);
            record.started_at.get_or_insert(now);
        }
    }

    /// Notes what the effect of the current step came to, and moves on.
    pub fn finish(&mut self, result: StepResult, now: Timestamp) {
        match result {
            StepResult::Done(seen) => self.step_done(StepState::Done, seen, now),
            StepResult::NotYet(waits_for, _) => {
                self.note(StepState::Running, waits_for, None);
                if let Some(record) = self.journal.get_mut(self.cursor) {
                    // Waiting is no failed try.
                    record.attempts = record.attempts.saturating_sub(1);
                }
            }
            StepResult::Failed(answer) => self.step_failed(answer, now),
            StepResult::Superseded(answer) => {
                self.note(StepState::Failed, answer.clone(), Some(now));
                self.end(RunState::Failed, format!("stopped: {answer}"), now);
            }
        }
    }

    /// A person's word on a paused run; ignored in any other state and when it was heard already.
    pub fn intervene(&mut self, word: Intervention, region: &RegionName, generation: i64, now: Timestamp) {
        let heard = self.heard.get(region).copied().unwrap_or_default();
        if self.state != RunState::Paused || generation <= heard {
            return;
        }
        self.heard.insert(region.clone(), generation);
        self.state = if self.compensating() { RunState::Compensating } else { RunState::Running };
        match word {
            Intervention::Resume => {
                if let Some(record) = self.journal.get_mut(self.cursor) {
                    record.attempts = 0;
                }
                "a person said: try again".clone_into(&mut self.message);
            }
            Intervention::Skip => {
                self.step_done(StepState::Skipped, "a person said: go on without it".to_owned(), now);
            }
            Intervention::Abort => {
                let name = self.current().map_or("", |record| record.step.kind().as_str());
                let text = format!("a person stopped it at {name}; what was done before stays");
                self.end(RunState::Failed, text, now);
            }
        }
    }

    /// Whether it is a planned move that is not verified yet. What has no way back goes on.
    #[must_use]
    pub fn may_turn_back(&self) -> bool {
        let has_way_back = !self.is_past_return() && !self.compensating();
        self.state == RunState::Running && has_way_back && !self.plan.compensation.is_empty()
    }

    /// Undoes a planned move that is not wanted any more; only where [`Run::may_turn_back`].
    pub fn turn_back(&mut self, why: &str, now: Timestamp) {
        why.clone_into(&mut self.message);
        // A step that was not begun has touched nothing, and stays so.
        if self.current().is_some_and(|record| record.state != StepState::Pending) {
            self.note(StepState::Failed, why.to_owned(), Some(now));
        }
        self.compensate(now);
    }

    /// Whether what was done is not undone any more.
    fn is_past_return(&self) -> bool {
        let raise = |step: &Step| matches!(step, Step::RaiseEpoch { .. });
        let planned = self.plan.point_of_no_return;
        let raised = self.plan.steps.iter().position(raise).filter(|_| self.no_way_back);
        self.cursor > raised.map_or(planned, |raised| raised.min(planned))
    }

    /// Whether it may be left for a move to these regions, which answers the loss of whoever it led to: what it did is not undone
    /// any more, its present step has not worked so far, and none of them was tried before. A new service is led to nobody yet.
    #[must_use]
    pub fn may_be_left_for<'a>(&self, mut joining: impl Iterator<Item = &'a RegionName>) -> bool {
        let at_it = matches!(self.state, RunState::Running | RunState::Paused) && !self.compensating();
        let fails = self.is_past_return() && self.attempts() > 0;
        let is_new = self.plan.change.trigger == Trigger::Establish;
        let own: BTreeSet<&RegionName> = self.plan.change.joining().collect();
        let tried = |region: &RegionName| self.tried.contains(region) || own.contains(region);
        at_it && fails && !is_new && !joining.any(tried)
    }

    /// Ends for a move that answers another loss; only where [`Run::may_be_left_for`].
    pub fn leave(&mut self, why: &str, now: Timestamp) {
        self.tried.extend(self.plan.change.joining().cloned());
        self.end(RunState::Failed, why.to_owned(), now);
    }

    /// The run ends because the world around it is gone, for example its service was deleted.
    pub fn give_up(&mut self, why: &str, now: Timestamp) {
        self.end(RunState::Failed, why.to_owned(), now);
    }

    /// Tries of the current step that failed; the wait before the next grows with it.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.current().map_or(0, |record| record.attempts)
    }

    /// Whether it holds a place in the evacuation budget: it leads traffic away from a lost region, and has not done so
    /// yet. One that waits for a person does nothing meanwhile, and keeps no other service from being served.
    #[must_use]
    pub fn is_evacuating(&self) -> bool {
        let at_work = !self.state.is_over() && self.state != RunState::Paused;
        at_work && self.plan.change.trigger == Trigger::RegionLost && self.times.shifted.is_none()
    }

    /// Whether steps of the compensation have begun.
    #[must_use]
    pub fn compensating(&self) -> bool {
        self.journal.len() > self.plan.steps.len()
    }

    /// Whether it has said that it leads a route to who serves under this epoch, or is over, and will not say it any more.
    #[must_use]
    pub fn has_led(&self, route: &RouteName, epoch: Epoch) -> bool {
        let raises =
            |record: &StepRecord| matches!(&record.step, Step::RaiseEpoch { epoch: to, .. } if *to == epoch);
        let leads = |record: &StepRecord| {
            matches!(&record.step, Step::ShiftTraffic { route: to } if to == route)
                && record.state != StepState::Pending
        };
        let raised = self.journal.iter().rposition(raises);
        self.state.is_over() || raised.is_some_and(|at| self.journal.iter().skip(at).any(leads))
    }

    /// Number of steps that are behind, and of all.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.cursor.min(self.journal.len()), self.journal.len())
    }

    fn note(&mut self, state: StepState, message: String, finished_at: Option<Timestamp>) {
        if let Some(record) = self.journal.get_mut(self.cursor) {
            record.state = state;
            record.message = (!message.is_empty()).then_some(message);
            record.finished_at = finished_at;
        }
    }

    fn step_done(&mut self, state: StepState, seen: String, now: Timestamp) {
        self.note(state, seen, Some(now));
        let kind = self.current().map(|record| record.step.kind());
        self.cursor += 1;
        self.note_phase(kind, now);
        if self.cursor < self.journal.len() {
            return;
        }
        match self.state {
            RunState::Compensating => {
                let undone = format!("undone: {}", self.message);
                self.end(RunState::Compensated, undone, now);
            }
            _ if self.times.verified.is_none() => self.end(RunState::Succeeded, "done".to_owned(), now),
            _ => self.end(RunState::Succeeded, "done and verified".to_owned(), now),
        }
    }

    fn note_phase(&mut self, kind: Option<StepKind>, now: Timestamp) {
        if self.compensating() {
            return;
        }
        let more_to_shift = self.current().is_some_and(|record| record.step.kind() == StepKind::ShiftTraffic);
        match kind {
            // Without a gate, raising the epoch is the fence.
            Some(StepKind::AwaitFence | StepKind::RaiseEpoch) => {
                self.times.fenced.get_or_insert(now);
            }
            Some(StepKind::Verify) => self.times.verified = Some(now),
            Some(StepKind::ShiftTraffic | StepKind::Settle | StepKind::Precheck | StepKind::Fence) | None => {
            }
        }
        let shifting = matches!(kind, Some(StepKind::RaiseEpoch | StepKind::ShiftTraffic));
        if shifting && !more_to_shift {
            self.times.shifted = Some(now);
        }
    }

    fn step_failed(&mut self, answer: String, now: Timestamp) {
        let name = self.current().map_or("", |record| record.step.kind().as_str());
        let attempts = self.attempts();
        let past_return = self.is_past_return() || self.compensating();
        // A new service: nobody is led by this name yet, so trying on harms nobody and a repaired key is picked up.
        let endless = self.plan.change.trigger == Trigger::Establish && past_return;
        let limit = if past_return { ATTEMPTS_AFTER_NO_RETURN } else { ATTEMPTS_BEFORE_NO_RETURN };
        let exhausted = !endless && attempts >= limit;
        self.message = format!("{name} failed {attempts} times: {answer}");
        self.note(
            if exhausted { StepState::Failed } else { StepState::Running },
            answer,
            exhausted.then_some(now),
        );
        match (exhausted, past_return) {
            (false, _) => {}
            (true, true) => {
                self.message.push_str(". Set spec.intervention of this Failover to Resume, Skip or Abort");
                self.state = RunState::Paused;
            }
            (true, false) => self.compensate(now),
        }
    }

    /// Undoes what was done. Where nobody was fenced and the epoch was never raised, nothing was.
    fn compensate(&mut self, now: Timestamp) {
        let touched = self
            .journal
            .iter()
            .any(|record| record.step.kind().touches_record() && record.state != StepState::Pending);
        if !touched || self.plan.compensation.is_empty() {
            let message = std::mem::take(&mut self.message);
            return self.end(RunState::Compensated, format!("nothing was changed: {message}"), now);
        }
        self.cursor = self.journal.len();
        self.journal.extend(self.plan.compensation.iter().cloned().map(StepRecord::pending));
        self.state = RunState::Compensating;
    }

    fn end(&mut self, state: RunState, message: String, now: Timestamp) {
        self.state = state;
        self.message = message;
        self.times.settled = Some(now);
    }
}

impl StepRecord {
    const fn pending(step: Step) -> Self {
        Self {
            step,
            state: StepState::Pending,
            attempts: 0,
            started_at: None,
            finished_at: None,
            message: None,
        }
    }
}

#[cfg(test)]
mod tests;

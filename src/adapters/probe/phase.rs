//! How far a sample has come, and how long each part of its way took.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::{domain::Stage, ports::StageTimes};

/// Where a sample is: what a timeout is blamed on.
pub(super) struct Phase(Mutex<Way>);

struct Way {
    /// Of a sample that has several.
    step: Option<Arc<str>>,
    stage: Stage,
    doing: &'static str,
    since: Instant,
    took: StageTimes,
}

impl Default for Phase {
    fn default() -> Self {
        let (stage, since) = (Stage::Resolve, Instant::now());
        Self(Mutex::new(Way { step: None, stage, doing: "start", since, took: StageTimes::default() }))
    }
}

impl Phase {
    /// A step of several begins.
    pub(super) fn begin(&self, step: &Arc<str>) {
        let mut way = self.way();
        way.account();
        (way.step, way.stage, way.doing) = (Some(step.clone()), Stage::Resolve, "start");
    }

    /// The next stage begins, or a stage once more; `doing` says what, in the protocol's words.
    pub(super) fn enter(&self, stage: Stage, doing: &'static str) {
        let mut way = self.way();
        way.account();
        (way.stage, way.doing) = (stage, doing);
    }

    /// What it does now, in the protocol's words.
    pub(super) fn doing(&self) -> String {
        let way = self.way();
        match &way.step {
            Some(step) => format!("step {step}: {}", way.doing),
            None => way.doing.to_owned(),
        }
    }

    /// Where it is.
    pub(super) fn stage(&self) -> Stage {
        self.way().stage
    }

    /// The times of all stages until now.
    pub(super) fn ends(&self) -> StageTimes {
        let mut way = self.way();
        way.account();
        way.took
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    fn account(&mut self) {
        let now = Instant::now();
        self.took.add(self.stage, now.duration_since(self.since));
        self.since = now;
    }
}

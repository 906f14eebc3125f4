//! What begins when a run comes to a step.

use super::{
    moment::Moment,
    world::{Deed, State},
};
use crate::domain::{Run, ServiceKey, StepKind, StepState};

/// Something that waits for a run.
pub(super) struct Awaited {
    /// Whose run; `None`: anybody's.
    pub service: Option<ServiceKey>,
    pub step: StepKind,
    pub after: Moment,
    /// Line of the entry in a scenario.
    pub line: usize,
    pub deed: Deed,
}

impl State {
    /// The ledger took a run, and nobody knows of it yet. What waited for the step that it intends is given back.
    pub(super) fn due(&mut self, now: Moment, run: &Run) -> Vec<Deed> {
        if self.awaited.is_empty() {
            return Vec::new();
        }
        let Some(intended) = run.current().filter(|step| step.state == StepState::Running) else {
            return Vec::new();
        };
        let fits = |awaited: &Awaited| {
            awaited.service.as_ref().is_none_or(|service| *service == run.service)
                && awaited.step == intended.step.kind()
                && now >= awaited.after
        };
        let (due, waits): (Vec<_>, _) = std::mem::take(&mut self.awaited).into_iter().partition(fits);
        self.awaited = waits;
        due.into_iter().map(|awaited| awaited.deed).collect()
    }
}

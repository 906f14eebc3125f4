//! One check of one member, for ever. A task each: a timer and less than a kilobyte, so 5,000 of them cost less than
//! one list of due checks with its locks would, and a check that hangs holds up nobody.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;

use super::{Shared, Skipped, Watched, member::Member};
use crate::{
    domain::{Outcome, Sample, Tick, Verdict},
    ports::{Probe, Reading},
    reconcile::schedule::Schedule,
};

/// The task of a check.
pub(super) struct Task {
    shared: Arc<Shared>,
    member: Arc<Member>,
    index: usize,
    schedule: Schedule,
    grade: u8,
}

impl Task {
    pub(super) fn new(shared: &Arc<Shared>, member: &Arc<Member>, index: usize, watched: &Watched) -> Self {
        let name = member.checks.get(index).map_or("", |check| &check.name);
        let schedule = Schedule::new(watched.health.interval, &member.service, &member.region, name);
        let grade = watched.grade;
        Self { shared: Arc::clone(shared), member: Arc::clone(member), index, schedule, grade }
    }

    /// Samples at each start of the schedule. Ends at once if the check cannot be run: it stays Unknown.
    pub(super) async fn run(self) {
        let Some(Ok(probe)) = self.member.checks.get(self.index).map(|check| check.probe.as_ref()) else {
            return;
        };
        let mut due = self.schedule.next(self.shared.clock.tick(), None);
        loop {
            let now = self.shared.clock.tick();
            self.shared.clock.sleep(due.since(now)).await;
            let taken = self.take(due, &**probe).await;
            self.report(taken);
            due = self.schedule.next(self.shared.clock.tick(), Some(due));
        }
    }

    /// One sample, or why it is none.
    async fn take(&self, due: Tick, probe: &dyn Probe) -> Result<(Sample, Reading), Skipped> {
        let Shared { clock, in_flight, stalls, .. } = &*self.shared;
        let (start, wall) = (clock.tick(), clock.wall());
        if !self.schedule.is_turn(due, self.shared.load.stretch().stride(self.grade)) {
            return Err(Skipped::Stretched);
        }
        self.shared.observer.lag(start.since(due));
        if start.since(due) > self.schedule.tolerance() {
            return Err(Skipped::Late);
        }
        let _permit = in_flight.try_acquire().map_err(|_| Skipped::Busy)?;
        let reading = self.limited(probe).await.ok_or(Skipped::Broken)?;
        // A good answer is good whatever this process did meanwhile; any other may be our own fault.
        if reading.outcome != Outcome::Ok && stalls.overlaps(start, clock.tick()) {
            return Err(Skipped::Late);
        }
        Ok((Sample { at: start, wall, outcome: reading.outcome }, reading))
    }

    /// Runs the probe; nothing if it broke its promise to end in time and not to panic.
    async fn limited(&self, probe: &dyn Probe) -> Option<Reading> {
        // Twice the timeout: the probe has to notice its own first.
        let limit = self.member.checks.get(self.index)?.timeout * 2;
        tokio::select! {
            biased;
            reading = AssertUnwindSafe(probe.run()).catch_unwind() => reading.ok(),
            () = self.shared.clock.sleep(limit) => None,
        }
    }

    fn report(&self, taken: Result<(Sample, Reading), Skipped>) {
        let Self { shared, member, .. } = self;
        match &taken {
            Err(Skipped::Broken | Skipped::Stretched) => {}
            taken => shared.load.count(taken.is_err()),
        }
        match taken {
            Ok((sample, reading)) => {
                let check = member.checks.get(self.index).map_or("", |check| &check.name);
                let (changed, other) = member.record(self.index, sample, &reading);
                shared.observer.sample(&member.service, &member.region, check, &reading);
                self.tell(changed, other);
            }
            Err(reason) => {
                shared.observer.skipped(reason);
                let (changed, other) = member.expire(self.index, shared.clock.tick(), shared.clock.wall());
                self.tell(changed, other);
            }
        }
    }

    /// A changed verdict, or something else that is said of the member.
    fn tell(&self, changed: Option<Verdict>, other: bool) {
        let Self { shared, member, .. } = self;
        if let Some(verdict) = changed {
            shared.observer.verdict(&member.service, &member.region, verdict);
        }
        if changed.is_some() || other {
            shared.changes.add(member.service.clone());
        }
    }
}

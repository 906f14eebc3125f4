//! Notices when this process stood still: a suspended virtual machine, a throttled container, a starved runtime. What
//! timed out meanwhile says nothing about a member.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{domain::Tick, ports::Clock};

/// Time between two beats. 250 ms: four wake-ups a second cost nothing.
const BEAT: Duration = Duration::from_millis(250);

/// Lateness of a beat that is a stall. 250 ms: together with the beat, every stall of half a second is seen, which is
/// half of the shortest timeout that is common; a shorter one leaves the member time to answer.
const STALL: Duration = Duration::from_millis(250);

/// The last beat, and the end of the last stall.
pub(super) struct StallWatch {
    last_beat: AtomicU64,
    last_stall: AtomicU64,
}

impl StallWatch {
    pub(super) const fn new(now: Tick) -> Self {
        Self { last_beat: AtomicU64::new(now.0), last_stall: AtomicU64::new(0) }
    }

    /// Beats for ever, and says so each time.
    pub(super) async fn run(&self, clock: &dyn Clock, each: impl Fn()) {
        // The time until this task runs for the first time is not a stall of the samples.
        self.last_beat.store(clock.tick().0, Ordering::SeqCst);
        loop {
            clock.sleep(BEAT).await;
            self.beat(clock.tick());
            each();
        }
    }

    /// Whether this process stood still at some time from `start` to `now`. Judges by the beat that is overdue too: the
    /// sample may be woken before the watch is.
    pub(super) fn overlaps(&self, start: Tick, now: Tick) -> bool {
        let overdue = now.since(Tick(self.last_beat.load(Ordering::SeqCst))) > BEAT + STALL;
        let stalled = self.last_stall.load(Ordering::SeqCst);
        overdue || (stalled > 0 && stalled >= start.0)
    }

    fn beat(&self, now: Tick) {
        let before = Tick(self.last_beat.swap(now.0, Ordering::SeqCst));
        if now.since(before) > BEAT + STALL {
            self.last_stall.store(now.0, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_overlaps_a_stall_that_ended_after_it_began() {
        let watch = StallWatch::new(Tick(1_000));
        watch.beat(Tick(1_260));
        assert!(!watch.overlaps(Tick(1_100), Tick(1_300)));
        watch.beat(Tick(3_000));
        assert!(watch.overlaps(Tick(1_300), Tick(3_001)));
        assert!(!watch.overlaps(Tick(3_001), Tick(3_100)));
    }

    #[test]
    fn a_sample_that_is_woken_before_the_watch_sees_the_stall_too() {
        let watch = StallWatch::new(Tick(1_000));
        assert!(watch.overlaps(Tick(1_100), Tick(3_000)));
    }
}

//! Whether this vantage can keep up, and which samples it leaves out while it cannot.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::domain::{Pace, Stretch};

/// Beats of the stall watch in a period: 5 s. In it a service with an interval of a second has five samples, and an overload is answered
/// within ten seconds.
const BEATS: u64 = 20;

/// What was due of late, and what was lost of it.
#[derive(Default)]
pub(super) struct Load {
    beats: AtomicU64,
    due: AtomicU64,
    lost: AtomicU64,
    pace: Mutex<Pace>,
}

impl Load {
    /// A sample was due; it was `lost` if it was late, or found too much in flight.
    pub(super) fn count(&self, lost: bool) {
        self.due.fetch_add(1, Ordering::Relaxed);
        self.lost.fetch_add(u64::from(lost), Ordering::Relaxed);
    }

    /// Time goes on; the new stretch, if it changed.
    pub(super) fn beat(&self) -> Option<Stretch> {
        if !(self.beats.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(BEATS) {
            return None;
        }
        let (due, lost) = (self.due.swap(0, Ordering::Relaxed), self.lost.swap(0, Ordering::Relaxed));
        let mut pace = self.pace();
        let before = pace.stretch();
        *pace = pace.after(due, lost);
        Some(pace.stretch()).filter(|now| *now != before)
    }

    pub(super) fn stretch(&self) -> Stretch {
        self.pace().stretch()
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // Changed by whole assignments only, so it is good even if a holder of the lock panicked.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What should run now, and what was missed.

use std::time::Duration;

use jiff::Timestamp;

use super::{Slot, TICK, Timetable, minus};

/// Slots that are looked at, blocked ones too, however long nobody looked: an hourly drill has 8,784 in a year, one of
/// every minute 10,080 in a week.
const LIMIT: usize = 10_000;

/// What has come since the slot that was handled last.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Due {
    /// The slot that should run now: the latest that is not blocked and not older than the deadline. Never more than one.
    pub run: Option<Slot>,
    /// Slots that should have run, and will not: older than the deadline, or followed by one that is due as well.
    pub missed: Missed,
    /// What to give as `last` the next time, so that no slot is run, or reported as missed, twice: the latest slot that has
    /// come, blocked or not.
    pub handled: Option<Timestamp>,
}

/// Slots that will not run any more. Blocked ones are not among them: they were not meant to run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Missed {
    /// How many.
    pub count: u64,
    /// Whether there are more, that were not counted because too many came.
    pub more: bool,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last that was counted.
    pub last: Option<Timestamp>,
}

impl Timetable {
    /// What has come up to `now` since the slot that was handled `last`. For a drill of which none was, give the time at
    /// which it was created: with `None` nothing was missed, but a slot that is not older than the deadline is due.
    ///
    /// The work is bounded however long nobody asked: at most 10,000 slots are counted.
    #[must_use]
    pub fn due(&self, last: Option<Timestamp>, now: Timestamp, starting_deadline: Duration) -> Due {
        let earliest = minus(now, starting_deadline);
        let since = last.unwrap_or_else(|| minus(earliest, TICK));
        let handled = self.until(now).next().filter(|at| *at > since);
        let in_time = self.until(now).take_while(|at| *at > since && *at >= earliest);
        let run = in_time.take(LIMIT).find(|at| self.blocks(*at).is_none());
        let missed = match last {
            Some(last) => self.missed(last, run, now),
            None => Missed::default(),
        };
        Due { run: run.map(|at| Slot { at, blocked_by: None }), missed, handled: handled.or(last) }
    }

    fn missed(&self, since: Timestamp, run: Option<Timestamp>, now: Timestamp) -> Missed {
        let mut missed = Missed::default();
        // What is after the slot that runs is blocked.
        let gone = |at: &Timestamp| run.map_or(*at <= now, |run| *at < run);
        for (index, at) in self.after(since).take_while(gone).enumerate() {
            if index == LIMIT {
                missed.more = true;
                break;
            }
            if self.blocks(at).is_none() {
                missed.count += 1;
                missed.first = missed.first.or(Some(at));
                missed.last = Some(at);
            }
        }
        missed
    }
}

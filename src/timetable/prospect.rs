//! Whether a drill will ever run, and when next.

use std::time::Duration;

use jiff::Timestamp;

use super::{Blocked, Slot, TICK, Timetable, Violation, minus, plus};

/// How far ahead a free slot is looked for. Calendars are kept a year or two ahead; what they block for longer is a mistake.
const HORIZON_YEARS: u64 = 5;

const HORIZON: Duration = Duration::from_secs(HORIZON_YEARS * 366 * 86_400);

/// Blocked slots that are looked at. Each step passes a whole blocked span or goes on to the next opening of a window, of
/// which a year of days with ten windows has 3,660.
const STEPS: usize = 20_000;

/// What a search for a free slot found.
enum Found {
    Slot(Slot),
    /// Nothing to the horizon, and what blocked first.
    Nothing(Option<Blocked>),
    /// Nothing in as many steps as are taken.
    Unknown,
}

impl Timetable {
    /// The first slot after a moment that nothing blocks. `None` if there is none within five years, or none was found
    /// among the first 20,000 that may be free.
    #[must_use]
    pub fn next_free(&self, after: Timestamp) -> Option<Slot> {
        match self.search(after) {
            Found::Slot(slot) => Some(slot),
            Found::Nothing(_) | Found::Unknown => None,
        }
    }

    /// Whether some run is left over from `now` on.
    ///
    /// # Errors
    /// Everything is blocked for five years, with the field to change.
    pub fn prospect(&self, now: Timestamp) -> Result<(), Violation> {
        let Found::Nothing(first) = self.search(now) else {
            return Ok(());
        };
        Err(match (first, self.calendars.is_empty()) {
            (Some(blocked), false) => Violation::new(
                "spec.schedule.calendars",
                format!(
                    "block every run of the next {HORIZON_YEARS} years, the first by {blocked}: shorten that span, leave the calendar out, or choose another time in cron"
                ),
            ),
            (Some(_), true) => Violation::new(
                "spec.schedule.windows",
                format!(
                    "no run of the next {HORIZON_YEARS} years lies in a window: widen a window, or choose another time in cron"
                ),
            ),
            (None, _) => Violation::new(
                "spec.schedule.cron",
                format!("names no time of the next {HORIZON_YEARS} years: let it name more days"),
            ),
        })
    }

    fn search(&self, after: Timestamp) -> Found {
        let horizon = plus(after, HORIZON);
        let mut first = None;
        let mut passed = after;
        for _ in 0..STEPS {
            let Some(at) = self.next_at(passed).filter(|at| *at <= horizon) else {
                return Found::Nothing(first);
            };
            let Some(blocked) = self.blocks(at) else {
                return Found::Slot(Slot { at, blocked_by: None });
            };
            first = first.or(Some(blocked));
            // Until then nothing is free, so neither is a slot whose whole spread lies before.
            let opens = minus(minus(self.opens(at), self.spread), TICK);
            passed = at.max(opens);
        }
        Found::Unknown
    }

    /// A moment up to which, from a blocked one on, all are blocked.
    fn opens(&self, blocked: Timestamp) -> Timestamp {
        match self.calendars.closed_at(blocked) {
            Some((_, closure)) => closure.until,
            None => self.windows.next_opening(&self.zone, blocked).unwrap_or(blocked),
        }
    }
}

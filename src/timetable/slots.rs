//! The moments that a schedule names, and what blocks them.

use std::fmt;

use jiff::Timestamp;

use super::{TICK, Timetable, minus, plus};

/// A moment that `cron` names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Slot {
    /// When, to the minute. With a [spread](Timetable::spread) the first moment of those from which the start is drawn.
    pub at: Timestamp,
    /// Why no run starts. With a spread: why not at `at`, nor at any moment that could be drawn.
    pub blocked_by: Option<Blocked>,
}

/// Why no run starts in a slot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Blocked {
    /// A span of a calendar.
    Calendar {
        /// Name of the Calendar.
        calendar: String,
        /// Name of its span.
        span: String,
    },
    /// It is outside of every window of the schedule.
    Windows,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calendar { calendar, span } => write!(f, "{span} (calendar {calendar})"),
            Self::Windows => f.write_str("outside of the windows of the schedule"),
        }
    }
}

impl Timetable {
    /// The first slot after a moment, blocked or not. `None` if none comes within 41 years.
    ///
    /// Where clocks are put forward, all slots in the gap are one at the first moment after it; where they are put back, a
    /// slot that comes twice is at its first time only.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Slot> {
        self.next_at(after).map(|at| self.slot(at))
    }

    /// The first slots after a moment, at most `count`, ascending, blocked or not.
    #[must_use]
    pub fn upcoming(&self, after: Timestamp, count: usize) -> Vec<Slot> {
        self.after(after).take(count).map(|at| self.slot(at)).collect()
    }

    /// Why no run may start at a moment.
    #[must_use]
    pub fn blocked_at(&self, moment: Timestamp) -> Option<Blocked> {
        let closure = self.calendars.closed_at(moment);
        let by_calendar = closure.map(|(calendar, closure)| Blocked::Calendar {
            calendar: calendar.to_owned(),
            span: closure.span,
        });
        by_calendar.or_else(|| (!self.windows.is_open(&self.zone, moment)).then_some(Blocked::Windows))
    }

    pub(super) fn next_at(&self, after: Timestamp) -> Option<Timestamp> {
        let civil = self.cron.next(self.zone.reached(after))?;
        Some(self.zone.first(civil)).filter(|at| *at > after)
    }

    /// Moments of the slots after one, ascending.
    pub(super) fn after(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_at(moment), |at| self.next_at(*at))
    }

    /// Moments of the slots up to one, descending.
    pub(super) fn until(&self, moment: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let last = |until| self.cron.last(self.zone.reached(until)).map(|civil| self.zone.first(civil));
        std::iter::successors(last(moment), move |at| last(minus(*at, TICK)))
    }

    pub(super) fn slot(&self, at: Timestamp) -> Slot {
        Slot { at, blocked_by: self.blocks(at) }
    }

    pub(super) fn blocks(&self, at: Timestamp) -> Option<Blocked> {
        let blocked = self.blocked_at(at)?;
        let possible = !self.spread.is_zero() && !self.free(at, plus(at, self.spread)).is_empty();
        (!possible).then_some(blocked)
    }
}

//! When drills run: cron, time zone, windows, calendars, and what was missed. A core: values in, values out.
//!
//! Absent on purpose: a clock, chance and files. The present moment and the random number come in as values, so the same
//! timetable gives the same answer to every process that asks. The zones are those that are compiled in, and not those of
//! the host, for the same reason.
//!
//! All wall clock times go through [`zone`], which is the only place that knows what happens when clocks are changed.

mod calendar;
mod cron;
mod draw;
mod due;
pub mod ical;

mod parse;
mod prospect;
mod slots;
#[cfg(test)]
mod tests;
mod violation;
mod windows;
mod zone;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use calendar::Calendars;
use cron::Pattern;
use windows::Windows;
use zone::Zone;

pub use calendar::{Calendar, Closure};
pub use due::{Due, Missed};
pub use slots::{Blocked, Slot};
pub use violation::Violation;

/// When one drill runs. Made by [`Timetable::parse`].
#[derive(Clone, Debug)]
pub struct Timetable {
    cron: Pattern,
    zone: Zone,
    windows: Windows,
    calendars: Calendars,
    spread: Duration,
}

impl Timetable {
    /// How long after the time of a slot its run may start by draw: `jitter` or `unannouncedWithin`, at most 31 days; zero
    /// if the schedule has neither.
    #[must_use]
    pub const fn spread(&self) -> Duration {
        self.spread
    }
}

/// A moment later by a length of time; the last moment there is, if that is later still.
fn plus(moment: Timestamp, time: Duration) -> Timestamp {
    let signed = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    moment.checked_add(signed).unwrap_or(Timestamp::MAX)
}

/// A moment earlier by a length of time; the first moment there is, if that is earlier still.
fn minus(moment: Timestamp, time: Duration) -> Timestamp {
    let signed = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    moment.checked_sub(signed).unwrap_or(Timestamp::MIN)
}

/// The shortest time there is. Nothing that is read here is finer than a minute.
const TICK: Duration = Duration::from_nanos(1);

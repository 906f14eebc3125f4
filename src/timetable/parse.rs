//! A schedule, read from what users write.

use std::time::Duration;

use jiff::civil::{Date, date};

use crate::api::{self, DrillSchedule};

use super::{Timetable, Violation, calendar::Calendars, cron::Pattern, windows::Windows, zone::Zone};

/// A month. A run that may start at any time of a longer span has no schedule; and this bounds what a draw looks at.
const LONGEST_SPREAD: Duration = Duration::from_secs(31 * 86_400);

impl Timetable {
    /// Reads a schedule. `calendars` are all that there are; those that the schedule names are taken.
    ///
    /// Whether calendars leave any run over depends on today: that says [`Timetable::prospect`].
    ///
    /// # Errors
    /// What is wrong with its fields, all of it, with paths that begin with `spec.schedule`: a cron expression that is none
    /// or never comes, an unknown zone, windows in which no time of cron lies, a calendar that is missing or cannot be
    /// read, `jitter` or `unannouncedWithin` longer than 31 days.
    pub fn parse(schedule: &DrillSchedule, calendars: &[&api::Calendar]) -> Result<Self, Vec<Violation>> {
        let mut wrong = Vec::new();
        let cron = note(Pattern::read(&schedule.cron), "spec.schedule.cron", &mut wrong);
        let zone = note(Zone::named(&schedule.time_zone), "spec.schedule.timeZone", &mut wrong);
        let windows = Windows::read(&schedule.windows, &mut wrong);
        let calendars = Calendars::find(&schedule.calendars, calendars, &mut wrong);
        let spread = spread(schedule, &mut wrong);
        match (cron, zone) {
            (Some(cron), Some(zone)) if wrong.is_empty() => {
                if never_open(&cron, &windows, spread) {
                    return Err(vec![Violation::new("spec.schedule.windows", outside(&schedule.cron))]);
                }
                Ok(Self { cron, zone, windows, calendars, spread })
            }
            _ => Err(wrong),
        }
    }
}

fn note<T>(read: Result<T, String>, path: &str, wrong: &mut Vec<Violation>) -> Option<T> {
    read.map_err(|message| wrong.push(Violation::new(path, message))).ok()
}

fn spread(schedule: &DrillSchedule, wrong: &mut Vec<Violation>) -> Duration {
    if schedule.jitter.is_some() && schedule.unannounced_within.is_some() {
        let message = "draws the time, and so does jitter: set one of them";
        wrong.push(Violation::new("spec.schedule.unannouncedWithin", message));
    }
    let (field, spread) = match (schedule.unannounced_within, schedule.jitter) {
        (Some(within), _) => ("unannouncedWithin", within.0),
        (None, Some(jitter)) => ("jitter", jitter.0),
        (None, None) => return Duration::ZERO,
    };
    if spread > LONGEST_SPREAD {
        let message = "is longer than 31 days: write at most 744h, and let cron name more days";
        wrong.push(Violation::new(format!("spec.schedule.{field}"), message));
    }
    spread
}

fn outside(cron: &str) -> String {
    format!(
        "no time that {cron:?} names lies in a window: widen a window, or let cron name a time inside of one"
    )
}

/// Whether no time of cron ever lies in a window. By the wall clock alone: what is open depends on the weekday and the time
/// of the day only, so that one day is looked at for each weekday on which cron ever falls.
fn never_open(cron: &Pattern, windows: &Windows, spread: Duration) -> bool {
    if windows.is_always_open() {
        return false;
    }
    let mut seen = [false; 7];
    let mut day = date(1999, 12, 31);
    // In 28 years every date falls on every weekday; in 40 over the end of a century.
    while let Some(next) = next_day(cron, day).filter(|next| next.year() < 2041) {
        day = next;
        let weekday = usize::from(day.weekday().to_monday_zero_offset().unsigned_abs());
        let new = seen.get_mut(weekday).is_some_and(|seen| !std::mem::replace(seen, true));
        if new && cron.times().iter().any(|time| windows.meets(day.to_datetime(*time), spread)) {
            return false;
        }
        if seen.iter().all(|seen| *seen) {
            break;
        }
    }
    true
}

fn next_day(cron: &Pattern, day: Date) -> Option<Date> {
    cron.next(day.at(23, 59, 59, 0)).map(|time| time.date())
}

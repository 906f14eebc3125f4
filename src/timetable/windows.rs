//! Times of the day at which a run may start.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
};

use crate::api::{DrillWindow, Weekday};

use super::{Violation, plus, zone::Zone};

/// The windows of a schedule. None: open at all times.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows(Vec<Window>);

#[derive(Clone, Debug)]
struct Window {
    /// By days from Monday.
    days: [bool; 7],
    from: Time,
    to: Time,
    over_midnight: bool,
}

impl Windows {
    pub(super) fn read(windows: &[DrillWindow], wrong: &mut Vec<Violation>) -> Self {
        let read = windows.iter().enumerate().filter_map(|(index, window)| {
            Window::read(window)
                .map_err(|(field, message)| {
                    wrong.push(Violation::new(format!("spec.schedule.windows[{index}].{field}"), message));
                })
                .ok()
        });
        Self(read.collect())
    }

    /// Whether there is no limit.
    pub(super) fn is_always_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Openings on the wall clock that begin on a day: first time, and the first one after it.
    fn of_day(&self, date: Date) -> impl Iterator<Item = (DateTime, DateTime)> + '_ {
        self.0.iter().filter_map(move |window| window.of_day(date))
    }

    /// Whether some opening touches the time of length `spread` from a time of the wall clock on.
    pub(super) fn meets(&self, from: DateTime, spread: Duration) -> bool {
        let length = SignedDuration::try_from(spread).unwrap_or(SignedDuration::MAX);
        let to = from.checked_add(length).unwrap_or(DateTime::MAX);
        let first = from.date().yesterday().unwrap_or(from.date());
        let mut openings = days(first, to.date()).flat_map(|day| self.of_day(day));
        openings.any(|(opens, closes)| from < closes && (opens <= from || opens < to))
    }

    /// Whether some opening contains a moment.
    pub(super) fn is_open(&self, zone: &Zone, moment: Timestamp) -> bool {
        self.is_always_open()
            || self.openings(zone, moment, moment).any(|(from, to)| from <= moment && moment < to)
    }

    /// Openings that begin on the days around `from` to `to`, in no order: all that touch that time, and some more.
    pub(super) fn openings<'a>(
        &'a self,
        zone: &'a Zone,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
        let (first, last) = (zone.civil(from).date(), zone.civil(to).date());
        let (first, last) = (first.yesterday().unwrap_or(first), last.tomorrow().unwrap_or(last));
        days(first, last)
            .flat_map(|day| self.of_day(day))
            .map(|(from, to)| (zone.first(from), zone.first(to)))
            .filter(|(from, to)| from < to)
    }

    /// The first moment after one at which an opening begins. `None` if there is no window.
    pub(super) fn next_opening(&self, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
        // Each window opens once a week at least; the second week is for one that fell into a gap.
        let until = plus(after, Duration::from_secs(15 * 86_400));
        self.openings(zone, after, until).map(|(from, _)| from).filter(|from| *from > after).min()
    }
}

impl Window {
    fn read(window: &DrillWindow) -> Result<Self, (&'static str, String)> {
        let from = clock(&window.from).map_err(|message| ("from", message))?;
        let midnight = window.to == "24:00";
        let to = if midnight { Ok(Time::midnight()) } else { clock(&window.to) };
        let to = to.map_err(|message| ("to", message))?;
        if from == to && !midnight {
            let message = "never opens, it is the same as from: for the whole day write 00:00 to 24:00";
            return Err(("to", message.to_owned()));
        }
        let meant = |day: &Weekday| window.days.is_empty() || window.days.contains(day);
        let days = WEEK.each_ref().map(meant);
        Ok(Self { days, from, to, over_midnight: midnight || to < from })
    }

    fn of_day(&self, date: Date) -> Option<(DateTime, DateTime)> {
        let index = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
        if !self.days.get(index).copied().unwrap_or(false) {
            return None;
        }
        let end = if self.over_midnight { date.tomorrow().ok()? } else { date };
        Some((date.to_datetime(self.from), end.to_datetime(self.to)))
    }
}

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn clock(text: &str) -> Result<Time, String> {
    let wrong = || format!("{text:?} is no time of the day: write hours and minutes, such as 09:30");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return Err(wrong());
    }
    let number = |part: &str| part.parse().map_err(|_| wrong());
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| wrong())
}

fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |day| day.tomorrow().ok()).take_while(move |day| *day <= last)
}

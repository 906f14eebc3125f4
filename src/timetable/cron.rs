//! The times of the wall clock that a cron expression names. `croner` reads the expression and says which days it means;
//! the search is done here, on wall clock times: `croner`'s own search treats `*/30` and `30 2` differently when clocks are
//! changed, walks second by second, and may look through thousands of years.

use croner::{Cron, parser::CronParser, parser::Seconds, parser::Year, time::Weekday};
use jiff::civil::{Date, DateTime, Time, time};

/// 29 February on a Monday comes once in 28 years, and once in 40 where a century has no leap day.
const YEARS: usize = 41;

/// Days that a search looks at. Months that are not meant take one step.
const STEPS: usize = YEARS * 366;

const FORM: &str =
    "write five fields: minute, hour, day of month, month, day of week, such as `0 10 * * MON#1`";

/// A cron expression of five fields.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    cron: Cron,
    /// Times of each day that is meant, ascending; at least one.
    times: Vec<Time>,
}

impl Pattern {
    /// # Errors
    /// It is not one, or no day ever fits; says what to write instead.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text.split_whitespace().count() != 5 || text.contains('@') {
            return Err(format!("{text:?} is not a cron expression: {FORM}"));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| {
            let cause = error.to_string();
            format!("{text:?} is not a cron expression: {}: {FORM}", cause.trim_end_matches('.'))
        })?;
        let times = times(&cron);
        let pattern = Self { cron, times };
        match pattern.next(DateTime::constant(1999, 12, 31, 23, 59, 0, 0)) {
            Some(_) => Ok(pattern),
            None => Err(format!(
                "{text:?} never comes: no month that it names has such a day; for the last day of a month write L"
            )),
        }
    }

    /// The first time after one. `None` if there is none within 41 years.
    pub(super) fn next(&self, after: DateTime) -> Option<DateTime> {
        if self.means(after.date()) {
            let later = self.times.partition_point(|time| *time <= after.time());
            if let Some(time) = self.times.get(later) {
                return Some(after.date().to_datetime(*time));
            }
        }
        let forward = |date: Date| date.tomorrow().ok();
        let date = self.search(forward(after.date())?, forward, Date::last_of_month)?;
        Some(date.to_datetime(*self.times.first()?))
    }

    /// The last time up to one. `None` if there is none within 41 years.
    pub(super) fn last(&self, until: DateTime) -> Option<DateTime> {
        if self.means(until.date()) {
            let later = self.times.partition_point(|time| *time <= until.time());
            if let Some(time) = later.checked_sub(1).and_then(|index| self.times.get(index)) {
                return Some(until.date().to_datetime(*time));
            }
        }
        let back = |date: Date| date.yesterday().ok();
        let date = self.search(back(until.date())?, back, Date::first_of_month)?;
        Some(date.to_datetime(*self.times.last()?))
    }

    /// Times of each day that it names.
    pub(super) fn times(&self) -> &[Time] {
        &self.times
    }

    /// The first day from `date` on that is meant, one step after the other; `edge` is the last day of a month in the
    /// direction of the search.
    fn search(
        &self,
        mut date: Date,
        step: impl Fn(Date) -> Option<Date>,
        edge: fn(Date) -> Date,
    ) -> Option<Date> {
        for _ in 0..STEPS {
            if self.means(date) {
                return Some(date);
            }
            let month = u32::from(date.month().unsigned_abs());
            let meant = self.cron.pattern.month_match(month).unwrap_or(false);
            date = step(if meant { date } else { edge(date) })?;
        }
        None
    }

    fn means(&self, date: Date) -> bool {
        let (month, day) = (u32::from(date.month().unsigned_abs()), u32::from(date.day().unsigned_abs()));
        let weekday = u32::from(date.weekday().to_sunday_zero_offset().unsigned_abs());
        let weekday = Weekday::from_days_from_sunday(weekday);
        let pattern = &self.cron.pattern;
        let day = || pattern.day_match(i32::from(date.year()), month, day, weekday);
        // It fails only for days that no calendar has.
        pattern.month_match(month).unwrap_or(false) && day().unwrap_or(false)
    }
}

fn times(cron: &Cron) -> Vec<Time> {
    let pattern = &cron.pattern;
    let hours = (0..24).filter(|hour| pattern.hour_match(*hour).unwrap_or(false));
    let minutes = |hour: u32| (0..60).map(move |minute| (hour, minute));
    hours
        .flat_map(minutes)
        .filter(|(_, minute)| pattern.minute_match(*minute).unwrap_or(false))
        .filter_map(|(hour, minute)| Some(time(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0)))
        .collect()
}

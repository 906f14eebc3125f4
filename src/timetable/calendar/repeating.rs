//! A span that comes again.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
};

use crate::api::Repeats;

use super::{super::zone::Zone, Closure};

/// Times that are looked at for the next one. The longest without one is 29 February over a century: eight years.
const TRIES: i64 = 12;

/// Clocks were never changed by more.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A span that comes again by its civil time, from its first time on.
#[derive(Clone, Debug)]
pub(super) struct Repeating {
    name: String,
    from: DateTime,
    to: DateTime,
    repeats: Repeats,
}

impl Repeating {
    pub(super) fn new(name: &str, (from, to): (DateTime, DateTime), repeats: Repeats) -> Self {
        Self { name: name.to_owned(), from, to, repeats }
    }

    /// Every time of it that touches `from` to `to`, and some more.
    pub(super) fn around<'a>(
        &'a self,
        zone: &'a Zone,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = Closure> + 'a {
        // The time before may still go on: none is longer than its period. One more for what clocks are changed by.
        let (begins, ends) = (zone.civil(from), zone.civil(to));
        let first = self.count(begins) - 2;
        let last = self.count(ends) + 1;
        let near = move |(from, until): &(DateTime, DateTime)| {
            until.duration_since(begins) > -DAY && ends.duration_since(*from) > -DAY
        };
        let times = (first.max(0)..=last).filter_map(|count| self.time(count)).filter(near);
        times.map(|time| self.closure(zone, time))
    }

    /// The first time of it that begins after a moment.
    pub(super) fn next(&self, zone: &Zone, after: Timestamp) -> Option<Closure> {
        let first = (self.count(zone.civil(after)) - 1).max(0);
        let times = (first..first + TRIES).filter_map(|count| self.time(count));
        let closures = times.map(|time| self.closure(zone, time));
        closures.filter(|closure| closure.from > after).min_by_key(|closure| closure.from)
    }

    /// How often it has come before the period in which a time lies.
    fn count(&self, time: DateTime) -> i64 {
        let (start, date) = (self.from.date(), time.date());
        let days = date.duration_since(start).as_hours().div_euclid(24);
        match self.repeats {
            Repeats::Daily => days,
            Repeats::Weekly => days.div_euclid(7),
            Repeats::Monthly => months(date) - months(start),
            Repeats::Yearly => i64::from(date.year()) - i64::from(start.year()),
        }
    }

    /// The time after `count` periods. `None` if it would begin on a day that the month does not have.
    fn time(&self, count: i64) -> Option<(DateTime, DateTime)> {
        let from = self.moved(self.from, count)?;
        let as_long = from.checked_add(self.to.duration_since(self.from)).ok()?;
        // 20 February to 1 March is a day longer in a leap year, and 30 January to 2 February lasts three days after 30 April
        // as well: of what may be meant, the later.
        let until = self.moved(self.to, count).map_or(as_long, |same_date| same_date.max(as_long));
        Some((from, until))
    }

    fn closure(&self, zone: &Zone, (from, until): (DateTime, DateTime)) -> Closure {
        Closure { span: self.name.clone(), from: zone.first(from), until: zone.last(until) }
    }

    fn moved(&self, time: DateTime, count: i64) -> Option<DateTime> {
        let days = |days: i64| time.checked_add(SignedDuration::from_hours(days.checked_mul(24)?)).ok();
        match self.repeats {
            Repeats::Daily => days(count),
            Repeats::Weekly => days(count.checked_mul(7)?),
            Repeats::Monthly => in_month(time, months(time.date()) + count),
            Repeats::Yearly => in_month(time, months(time.date()) + count.checked_mul(12)?),
        }
    }
}

/// Months since the year 0.
fn months(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

fn in_month(time: DateTime, months: i64) -> Option<DateTime> {
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
    Some(Date::new(year, month, time.day()).ok()?.to_datetime(time.time()))
}

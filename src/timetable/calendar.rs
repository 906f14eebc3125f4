//! Calendars: spans of time at which nothing may be drilled.

mod read;
mod repeating;

use jiff::Timestamp;

use crate::api;

use super::{TICK, Violation, plus, zone::Zone};
use repeating::Repeating;

/// When nothing may be drilled, by one Calendar.
#[derive(Clone, Debug)]
pub struct Calendar {
    name: String,
    zone: Zone,
    once: Vec<Closure>,
    repeating: Vec<Repeating>,
}

/// One time at which a calendar blocks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closure {
    /// Name of the span.
    pub span: String,
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Calendar {
    /// Reads a calendar. Its times are those of its own zone: one in a gap of the clock is the first moment after the gap;
    /// of two, `from` is the first and `to` the second.
    ///
    /// # Errors
    /// What is wrong with its fields, all of it: an unknown zone, a time that is none, a span that ends before it begins or
    /// comes again before it is over.
    pub fn parse(calendar: &api::Calendar) -> Result<Self, Vec<Violation>> {
        read::read(calendar)
    }

    /// The span that blocks at a moment; of several the one that ends last.
    #[must_use]
    pub fn closed_at(&self, moment: Timestamp) -> Option<Closure> {
        self.closures(moment, plus(moment, TICK)).max_by_key(|closure| closure.until)
    }

    /// The first span that begins after a moment. `None` if none does within 41 years.
    #[must_use]
    pub fn next_closure(&self, after: Timestamp) -> Option<Closure> {
        let once = self.once.iter().filter(|closure| closure.from > after).cloned();
        let again = self.repeating.iter().filter_map(|span| span.next(&self.zone, after));
        once.chain(again).min_by_key(|closure| closure.from)
    }

    /// Every time that it blocks between `from` and before `to`, in no order.
    fn closures(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Closure> + '_ {
        let touches = move |closure: &Closure| closure.from < to && from < closure.until;
        let once = self.once.iter().filter(move |closure| touches(closure)).cloned();
        let again = self.repeating.iter().flat_map(move |span| span.around(&self.zone, from, to));
        once.chain(again.filter(touches))
    }
}

/// The calendars of a schedule.
#[derive(Clone, Debug, Default)]
pub(super) struct Calendars(Vec<Calendar>);

impl Calendars {
    /// Finds the calendars that a schedule names.
    pub(super) fn find(names: &[String], given: &[&api::Calendar], wrong: &mut Vec<Violation>) -> Self {
        let mut found = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match one(name, given) {
                Ok(calendar) => found.push(calendar),
                Err(message) => {
                    wrong.push(Violation::new(format!("spec.schedule.calendars[{index}]"), message));
                }
            }
        }
        Self(found)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The calendar that blocks at a moment, with its span; of several what ends last.
    pub(super) fn closed_at(&self, moment: Timestamp) -> Option<(&str, Closure)> {
        let all =
            self.0.iter().filter_map(|calendar| Some((calendar.name.as_str(), calendar.closed_at(moment)?)));
        all.max_by_key(|(_, closure)| closure.until)
    }

    /// Every time that is blocked between `from` and before `to`, in no order.
    pub(super) fn closed(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let all = self.0.iter().flat_map(|calendar| calendar.closures(from, to));
        all.map(|closure| (closure.from, closure.until)).collect()
    }
}

fn one(name: &str, given: &[&api::Calendar]) -> Result<Calendar, String> {
    let named = |calendar: &&&api::Calendar| calendar.metadata.name.as_deref() == Some(name);
    let Some(calendar) = given.iter().find(named) else {
        return Err(missing(name, given));
    };
    Calendar::parse(calendar).map_err(|wrong| {
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        format!("the Calendar {name:?} cannot be read, correct it first: {}", wrong.join("; "))
    })
}

fn missing(name: &str, given: &[&api::Calendar]) -> String {
    let mut names: Vec<&str> =
        given.iter().filter_map(|calendar| calendar.metadata.name.as_deref()).collect();
    names.sort_unstable();
    // A hint, and not a list: five fit on a line.
    names.truncate(5);
    match names.is_empty() {
        true => format!("there is no Calendar {name:?}: create it"),
        false => {
            format!("there is no Calendar {name:?}: create it, or name one there is: {}", names.join(", "))
        }
    }
}

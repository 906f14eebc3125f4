//! iCalendar files (RFC 5545) as Calendars. What a Calendar cannot say is refused with its line, never left out: a span that
//! is missing would let a drill run on the day that somebody wrote down.
//!
//! The file is read here and not by a crate. What exists reports places in the unfolded text, or none, drags in a second
//! library for times (`icalendar`: chrono, nom, iso8601), or is no longer kept (`ical`); of the format only lines,
//! parameters and six properties of events are needed.
//!
//! Left out on purpose, because it says nothing about time: alarms, descriptions, people, places. Whether an event counts
//! as busy (`TRANSP`) is not looked at: public holidays are published as free time.

mod duration;
mod event;
mod lines;
mod names;
mod rule;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;

use crate::api::{self, CalendarSpec};

use super::{Calendar, zone::Zone};
use event::Event;
use lines::Line;

/// Spans that a Calendar may have.
const MOST: usize = 1_000;

/// What is wrong with a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// Line of the file, counted from 1.
    pub line: usize,
    /// What is wrong there, and what to do about it.
    pub message: String,
}

impl Trouble {
    fn at(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for Trouble {}

/// Makes a Calendar called `name` of the text of an iCalendar file. Times are written in `zone`; without one, in that which
/// the file names (`X-WR-TIMEZONE`, or the one `TZID` of all its events), or in UTC if all its times are in UTC.
///
/// A time with seconds is widened to whole minutes. Events of the same summary get their dates as a part of their names.
///
/// # Errors
/// Everything in it that is no iCalendar, or that a Calendar cannot say.
pub fn import(text: &str, name: &str, zone: Option<&str>) -> Result<api::Calendar, Vec<Trouble>> {
    let lines = lines::read(text)?;
    let (events, own_zone) = parts(&lines)?;
    let (zone_name, zone) = zone_of(&events, zone.or(own_zone)).map_err(|trouble| vec![trouble])?;
    let mut wrong = Vec::new();
    let mut spans = Vec::new();
    for event in &events {
        match event.span(&zone) {
            Ok(span) => spans.push(span),
            Err(trouble) => wrong.push(trouble),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    names::distinguish(&mut spans);
    let calendar = api::Calendar::new(name, CalendarSpec { time_zone: zone_name, blocked: spans });
    proven(calendar, &events)
}

/// The calendar, if it can be read again.
fn proven(calendar: api::Calendar, events: &[Event<'_>]) -> Result<api::Calendar, Vec<Trouble>> {
    let line_of = |path: &str| {
        let index = path.strip_prefix("spec.blocked[").and_then(|rest| rest.split(']').next()?.parse().ok());
        index.and_then(|index: usize| events.get(index)).map_or(1, Event::line)
    };
    match Calendar::parse(&calendar) {
        Ok(_) => Ok(calendar),
        Err(wrong) => Err(wrong
            .into_iter()
            .map(|violation| {
                let field = violation.path.rsplit('.').next().unwrap_or_default().to_owned();
                Trouble::at(line_of(&violation.path), format!("{field}: {}", violation.message))
            })
            .collect()),
    }
}

/// The events of a file, and the zone that it names.
fn parts<'a>(lines: &'a [Line]) -> Result<(Vec<Event<'a>>, Option<&'a str>), Vec<Trouble>> {
    let mut wrong = Vec::new();
    let mut events = Vec::new();
    let mut zone = None;
    let mut open: Vec<&Line> = Vec::new();
    for line in lines {
        let inside = open.last().map(|begin| begin.value.as_str());
        match (line.name.as_str(), inside) {
            ("BEGIN", _) => {
                if let Err(trouble) = begun(line, inside) {
                    wrong.push(trouble);
                }
                if line.value == "VEVENT" {
                    events.push(Event::new(line));
                }
                open.push(line);
            }
            ("END", Some(name)) if line.value == name => drop(open.pop()),
            ("END", _) => {
                let wanted =
                    inside.map_or_else(|| "nothing is open".into(), |name| format!("{name} is open"));
                wrong.push(Trouble::at(
                    line.number,
                    format!("END:{}, but {wanted}: export the file again", line.value),
                ));
                break;
            }
            (_, None) => wrong.push(Trouble::at(
                line.number,
                "is outside of BEGIN:VCALENDAR and END:VCALENDAR: is this an iCalendar file?",
            )),
            ("X-WR-TIMEZONE", Some("VCALENDAR")) => zone = Some(line.value.as_str()),
            (_, Some("VEVENT")) => {
                events.iter_mut().last().into_iter().for_each(|event| event.properties.push(line))
            }
            _ => {}
        }
        // Nothing that follows would be worth reading.
        if wrong.len() >= 20 {
            break;
        }
    }
    let unclosed = open.last().filter(|_| wrong.is_empty());
    wrong.extend(unclosed.map(|begin| {
        Trouble::at(begin.number, format!("BEGIN:{} has no END: the file is cut off", begin.value))
    }));
    if wrong.is_empty() && events.is_empty() {
        wrong.push(Trouble::at(1, "there is no event (VEVENT) in it: a Calendar needs at least one"));
    }
    if let Some(event) = events.get(MOST) {
        wrong.push(Trouble::at(
            event.line(),
            "is the 1001st event, and a Calendar has at most 1000: split the file",
        ));
    }
    if wrong.is_empty() { Ok((events, zone)) } else { Err(wrong) }
}

/// Whether a component may stand there.
fn begun(line: &Line, inside: Option<&str>) -> Result<(), Trouble> {
    match (line.value.as_str(), inside) {
        ("VCALENDAR", None) | ("VEVENT" | "VTIMEZONE", Some("VCALENDAR")) => Ok(()),
        // What a zone is called is looked up; how the file defines it does not matter. An alarm blocks nothing.
        ("STANDARD" | "DAYLIGHT", Some("VTIMEZONE")) | ("VALARM", Some("VEVENT")) => Ok(()),
        (other, None) => Err(Trouble::at(
            line.number,
            format!("BEGIN:{other} instead of BEGIN:VCALENDAR: is this an iCalendar file?"),
        )),
        (other, Some(inside)) => Err(Trouble::at(
            line.number,
            format!(
                "{other} in {inside} cannot be imported, only events (VEVENT): make it an event, or delete it"
            ),
        )),
    }
}

/// The zone in which the spans are written.
fn zone_of(events: &[Event<'_>], named: Option<&str>) -> Result<(String, Zone), Trouble> {
    let first = events.first().map_or(1, Event::line);
    let mut zones: Vec<Option<&str>> = events.iter().filter_map(Event::zone).collect();
    zones.sort_unstable();
    zones.dedup();
    let only = match zones.as_slice() {
        [only] => *only,
        _ => None,
    };
    let Some(name) = named.or(only) else {
        let message =
            "the file does not say in which zone its days are: give it with --time-zone, such as Asia/Seoul";
        return Err(Trouble::at(first, message));
    };
    let zone = Zone::named(name)
        .map_err(|message| Trouble::at(first, format!("time zone of the calendar: {message}")))?;
    Ok((name.to_owned(), zone))
}

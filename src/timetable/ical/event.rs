//! An event as a span of a Calendar.

use jiff::{SignedDuration, ToSpan, civil::DateTime};

use crate::api::{BlockedSpan, Repeats};

use super::{
    super::zone::Zone,
    Trouble, duration,
    lines::{Line, shortened},
    rule,
    value::Value,
};

/// Letters that the name of a span may have.
const LONGEST_NAME: usize = 128;

/// A `VEVENT` with its properties, not those of its alarms.
pub(super) struct Event<'a> {
    begin: &'a Line,
    pub(super) properties: Vec<&'a Line>,
}

impl<'a> Event<'a> {
    pub(super) const fn new(begin: &'a Line) -> Self {
        Self { begin, properties: Vec::new() }
    }

    /// Where it begins in the file.
    pub(super) const fn line(&self) -> usize {
        self.begin.number
    }

    /// The zone of its start: `Some(None)` if it names none. `None` if it has no start.
    pub(super) fn zone(&self) -> Option<Option<&str>> {
        let start = self.property("DTSTART")?;
        Some(if start.value.trim().ends_with('Z') { Some("UTC") } else { start.parameter("TZID") })
    }

    /// The span that it blocks, by the clocks of `zone`.
    pub(super) fn span(&self, zone: &Zone) -> Result<BlockedSpan, Trouble> {
        self.refuse_what_no_calendar_says()?;
        let name = self.name()?;
        let start_line =
            self.only("DTSTART")?.ok_or_else(|| self.trouble("has no DTSTART: say when it begins"))?;
        let start = Value::read(start_line).map_err(|trouble| self.named(trouble))?;
        let begin = start.in_zone(zone);
        let end = self.end(&start, zone)?;
        if end <= start.in_zone(zone) {
            return Err(
                self.trouble("ends before it begins, or at once: correct DTEND, the first moment after it")
            );
        }
        let repeats = self.repeats(&start, zone)?;
        let (from, to) = match start.is_date() {
            true => (begin.strftime("%Y-%m-%d").to_string(), end.strftime("%Y-%m-%d").to_string()),
            false => (minutes(begin), minutes(up(end))),
        };
        Ok(BlockedSpan { name, from, to, repeats })
    }

    fn refuse_what_no_calendar_says(&self) -> Result<(), Trouble> {
        let refused =
            |line: &&&Line| matches!(line.name.as_str(), "RDATE" | "EXDATE" | "EXRULE" | "RECURRENCE-ID");
        if let Some(line) = self.properties.iter().find(refused) {
            let message =
                format!("{} cannot be said by a Calendar: write each time as an event of its own", line.name);
            return Err(self.named(Trouble::at(line.number, message)));
        }
        match self.property("STATUS") {
            Some(line) if line.value.trim().eq_ignore_ascii_case("CANCELLED") => {
                let message =
                    "the event is cancelled: delete it from the file, or its STATUS if it is to block";
                Err(self.named(Trouble::at(line.number, message)))
            }
            _ => Ok(()),
        }
    }

    fn name(&self) -> Result<String, Trouble> {
        let line = self.only("SUMMARY")?;
        let name = line.map(|line| unescaped(&line.value)).unwrap_or_default();
        if name.is_empty() {
            return Err(self.trouble(
                "has no SUMMARY: give it one, it stands in every message about a drill that it blocks",
            ));
        }
        if name.chars().count() > LONGEST_NAME {
            return Err(self.trouble("has a SUMMARY of more than 128 letters: shorten it"));
        }
        Ok(name)
    }

    fn end(&self, start: &Value, zone: &Zone) -> Result<DateTime, Trouble> {
        match (self.only("DTEND")?, self.only("DURATION")?) {
            (Some(line), None) => {
                let end = Value::read(line).map_err(|trouble| self.named(trouble))?;
                if end.is_date() != start.is_date() {
                    let message = "DTEND and DTSTART must both be dates or both be times";
                    return Err(self.named(Trouble::at(line.number, message)));
                }
                Ok(end.in_zone(zone))
            }
            (None, Some(line)) => self.after(start, line, zone),
            (None, None) if start.is_date() => self.later(start.written(), 1.day()),
            (None, None) => Err(self.trouble("has no end: give it DTEND or DURATION")),
            (Some(_), Some(_)) => Err(self.trouble("has both DTEND and DURATION: leave one of them out")),
        }
    }

    /// The end by `DURATION`: days by the calendar, then hours as they pass.
    fn after(&self, start: &Value, line: &Line, zone: &Zone) -> Result<DateTime, Trouble> {
        let wrong = || {
            let message = format!("{:?} is no length such as P1D or, for times, PT1H30M", line.value);
            self.named(Trouble::at(line.number, format!("DURATION: {message}")))
        };
        let (days, seconds) = duration::read(&line.value).ok_or_else(wrong)?;
        let shifted = self.later(start.written(), days)?;
        let own = match start {
            Value::Date(_) if seconds > 0 => return Err(wrong()),
            Value::Date(_) => return Ok(shifted),
            Value::Floating(_) => zone,
            Value::Zoned(_, own) => own,
        };
        let end = own.first(shifted).checked_add(SignedDuration::from_secs(seconds)).map_err(|_| wrong())?;
        Ok(zone.civil(end))
    }

    fn later(&self, time: DateTime, days: jiff::Span) -> Result<DateTime, Trouble> {
        time.checked_add(days)
            .map_err(|_| self.trouble("ends after the year 9999: correct DTEND or DURATION"))
    }

    fn repeats(&self, start: &Value, zone: &Zone) -> Result<Option<Repeats>, Trouble> {
        let Some(line) = self.only("RRULE")? else {
            return Ok(None);
        };
        let repeats = rule::read(&line.value, start.written())
            .map_err(|message| self.named(Trouble::at(line.number, format!("RRULE: {message}"))))?;
        if !keeps_step(start, zone, repeats) {
            let message = "RRULE: the event comes again by the clocks of its own zone, which go differently from those of the calendar: import with --time-zone and the zone of the event";
            return Err(self.named(Trouble::at(line.number, message)));
        }
        Ok(Some(repeats))
    }

    fn property(&self, name: &str) -> Option<&'a Line> {
        self.properties.iter().find(|line| line.name == name).copied()
    }

    /// The one property of a name.
    fn only(&self, name: &str) -> Result<Option<&'a Line>, Trouble> {
        let mut all = self.properties.iter().filter(|line| line.name == name);
        let first = all.next().copied();
        match all.next() {
            Some(second) => Err(self.named(Trouble::at(
                second.number,
                format!("{name} comes a second time: leave one of them out"),
            ))),
            None => Ok(first),
        }
    }

    fn trouble(&self, message: &str) -> Trouble {
        self.named(Trouble::at(self.line(), message))
    }

    /// With the event that it is about.
    fn named(&self, trouble: Trouble) -> Trouble {
        let summary = self.property("SUMMARY").map(|line| shortened(&unescaped(&line.value)));
        let event = summary
            .map_or_else(|| "event without a summary".to_owned(), |summary| format!("event {summary:?}"));
        Trouble::at(trouble.line, format!("{event}: {}", trouble.message))
    }
}

/// Whether what comes again by the clocks of the start does so by those of the calendar.
fn keeps_step(start: &Value, zone: &Zone, repeats: Repeats) -> bool {
    let Value::Zoned(written, own) = start else {
        return true;
    };
    if own.is(zone) {
        return true;
    }
    let moment = own.first(*written);
    let same_date = written.date() == zone.civil(moment).date();
    let by_days = matches!(repeats, Repeats::Daily | Repeats::Weekly);
    own.is_steady_after(moment) && zone.is_steady_after(moment) && (same_date || by_days)
}

/// Up to the next whole minute, so that not a second less is blocked.
fn up(time: DateTime) -> DateTime {
    let missing = (60 - i64::from(time.second())) % 60;
    time.checked_add(SignedDuration::from_secs(missing)).unwrap_or(time)
}

fn minutes(time: DateTime) -> String {
    time.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Text as it was meant; a new line in it becomes a blank.
fn unescaped(text: &str) -> String {
    let mut meant = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let (letter, escaped) = if letter == '\\' { (letters.next(), true) } else { (Some(letter), false) };
        let new_line = |letter: char| letter.is_control() || (escaped && matches!(letter, 'n' | 'N'));
        meant.extend(letter.map(|letter| if new_line(letter) { ' ' } else { letter }));
    }
    meant.trim().to_owned()
}

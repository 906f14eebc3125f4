//! A Calendar, read from what users write.

use jiff::{
    SignedDuration,
    civil::{Date, DateTime},
};

use crate::api::{self, BlockedSpan, Repeats};

use super::{
    super::{Violation, zone::Zone},
    Calendar, Closure, Repeating,
};

pub(super) fn read(calendar: &api::Calendar) -> Result<Calendar, Vec<Violation>> {
    let mut wrong = Vec::new();
    let zone = Zone::named(&calendar.spec.time_zone);
    let mut once = Vec::new();
    let mut repeating = Vec::new();
    for (index, blocked) in calendar.spec.blocked.iter().enumerate() {
        match span(blocked) {
            Err((field, message)) => {
                wrong.push(Violation::new(format!("spec.blocked[{index}].{field}"), message));
            }
            Ok(span) => match (blocked.repeats, &zone) {
                (Some(repeats), _) => repeating.push(Repeating::new(&blocked.name, span, repeats)),
                (None, Ok(zone)) => once.push(closure(zone, &blocked.name, span)),
                (None, Err(_)) => {}
            },
        }
    }
    let name = calendar.metadata.name.clone().unwrap_or_default();
    match zone {
        Ok(zone) if wrong.is_empty() => Ok(Calendar { name, zone, once, repeating }),
        Ok(_) => Err(wrong),
        Err(message) => {
            wrong.insert(0, Violation::new("spec.timeZone", message));
            Err(wrong)
        }
    }
}

fn closure(zone: &Zone, name: &str, (from, to): (DateTime, DateTime)) -> Closure {
    Closure { span: name.to_owned(), from: zone.first(from), until: zone.last(to) }
}

fn span(span: &BlockedSpan) -> Result<(DateTime, DateTime), (&'static str, String)> {
    let from = civil(&span.from).map_err(|message| ("from", message))?;
    let to = civil(&span.to).map_err(|message| ("to", message))?;
    if to <= from {
        let message = format!(
            "{:?} is not after from: it is the first moment that is no longer blocked, for one whole day the next day",
            span.to
        );
        return Err(("to", message));
    }
    match span.repeats.map(longest).filter(|(days, _)| to.duration_since(from) > whole_days(*days)) {
        Some((_, words)) => Err((
            "to",
            format!("comes again before it is over: let it end within {words}, or leave repeats out"),
        )),
        None => Ok((from, to)),
    }
}

/// Days that a span may last before it comes again at the latest.
fn longest(repeats: Repeats) -> (i64, &'static str) {
    match repeats {
        Repeats::Yearly => (366, "a year"),
        Repeats::Monthly => (31, "a month"),
        Repeats::Weekly => (7, "a week"),
        Repeats::Daily => (1, "a day"),
    }
}

fn whole_days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// `2027-03-03` or `2027-03-03T18:00`, and nothing else that `jiff` would read.
fn civil(text: &str) -> Result<DateTime, String> {
    let wrong = || format!("{text:?} is no date, or no date and time: write 2027-03-03 or 2027-03-03T18:00");
    let date = |text: &str| text.parse::<Date>().map_err(|_| wrong());
    let shape: String =
        text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    match shape.as_str() {
        "0000-00-00" => Ok(date(text)?.to_datetime(jiff::civil::Time::midnight())),
        "0000-00-00T00:00" => text.parse::<DateTime>().map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

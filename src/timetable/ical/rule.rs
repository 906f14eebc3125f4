//! Rules by which an event comes again, as far as a Calendar can say them.

use jiff::civil::{DateTime, Weekday};

use crate::api::Repeats;

/// What `RRULE` says of an event that begins at `start`.
///
/// # Errors
/// A Calendar cannot say it; what to do instead.
pub(super) fn read(text: &str, start: DateTime) -> Result<Repeats, String> {
    let parts = text.trim().split(';').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        part.split_once('=').map(|(name, value)| (name.to_ascii_uppercase(), value.to_ascii_uppercase()))
    };
    let parts: Option<Vec<_>> = parts.map(pair).collect();
    let parts = parts.ok_or_else(|| format!("{text:?} is no rule such as FREQ=YEARLY"))?;
    let part = |wanted: &str| parts.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let repeats = match part("FREQ") {
        Some("YEARLY") => Repeats::Yearly,
        Some("MONTHLY") => Repeats::Monthly,
        Some("WEEKLY") => Repeats::Weekly,
        Some("DAILY") => Repeats::Daily,
        other => {
            let other = other.unwrap_or("missing");
            return Err(format!(
                "FREQ is {other}: a Calendar repeats YEARLY, MONTHLY, WEEKLY or DAILY; write each time as an event of its own"
            ));
        }
    };
    for (index, (name, value)) in parts.iter().enumerate() {
        let again = parts.iter().take(index).any(|(earlier, _)| earlier == name);
        if again || !says_nothing_new(name, value, repeats, start, part("BYMONTH").is_some()) {
            return Err(format!(
                "{name}={value} cannot be said by a Calendar: write each time as an event of its own, or leave it out"
            ));
        }
    }
    Ok(repeats)
}

/// Whether a part of a rule only repeats what its frequency and the start of the event say already.
fn says_nothing_new(name: &str, value: &str, repeats: Repeats, start: DateTime, has_month: bool) -> bool {
    let is = |number: i8| value.parse() == Ok(number);
    match name {
        "FREQ" => true,
        // It matters only where weeks are skipped or several days named, and neither is accepted.
        "WKST" => true,
        "INTERVAL" => is(1),
        "BYMONTH" => repeats == Repeats::Yearly && is(start.month()),
        "BYMONTHDAY" => {
            (repeats == Repeats::Monthly || repeats == Repeats::Yearly && has_month) && is(start.day())
        }
        "BYDAY" => repeats == Repeats::Weekly && value == two_letters(start.weekday()),
        _ => false,
    }
}

const fn two_letters(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "MO",
        Weekday::Tuesday => "TU",
        Weekday::Wednesday => "WE",
        Weekday::Thursday => "TH",
        Weekday::Friday => "FR",
        Weekday::Saturday => "SA",
        Weekday::Sunday => "SU",
    }
}

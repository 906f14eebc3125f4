//! Dates and times of an iCalendar file.

use jiff::civil::{Date, DateTime, Time};

use super::{super::zone::Zone, Trouble, lines::Line};

/// A date or a time, as written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Date(Date),
    /// By clocks wherever one is.
    Floating(DateTime),
    /// By clocks in a zone.
    Zoned(DateTime, Zone),
}

impl Value {
    pub(super) fn read(line: &Line) -> Result<Self, Trouble> {
        let wrong = || {
            let message = format!(
                "{:?} is neither a date such as 20270303 nor a time such as 20270303T180000",
                line.value
            );
            Trouble::at(line.number, format!("{}: {message}", line.name))
        };
        let text = line.value.trim();
        match line.parameter("VALUE") {
            None | Some("DATE" | "DATE-TIME") => {}
            Some(_) => return Err(wrong()),
        }
        let Some((date_part, time_part)) = text.split_once('T') else {
            return Ok(Self::Date(date(text).ok_or_else(wrong)?));
        };
        let (time_part, utc) = time_part.strip_suffix('Z').map_or((time_part, false), |rest| (rest, true));
        let both = date(date_part).zip(time(time_part)).filter(|_| line.parameter("VALUE") != Some("DATE"));
        let civil = both.map(|(date, time)| date.to_datetime(time)).ok_or_else(wrong)?;
        let name = if utc { Some("UTC") } else { line.parameter("TZID") };
        let Some(name) = name else {
            return Ok(Self::Floating(civil));
        };
        let zone =
            Zone::named(name).map_err(|message| Trouble::at(line.number, format!("TZID: {message}")))?;
        Ok(Self::Zoned(civil, zone))
    }

    /// What clocks in another zone show then. A date is its midnight there.
    pub(super) fn in_zone(&self, zone: &Zone) -> DateTime {
        match self {
            Self::Date(date) => date.to_datetime(Time::midnight()),
            Self::Floating(civil) => *civil,
            Self::Zoned(civil, own) => zone.civil(own.first(*civil)),
        }
    }

    /// What is written, whatever the zone.
    pub(super) fn written(&self) -> DateTime {
        match self {
            Self::Date(date) => date.to_datetime(Time::midnight()),
            Self::Floating(civil) | Self::Zoned(civil, _) => *civil,
        }
    }

    pub(super) const fn is_date(&self) -> bool {
        matches!(self, Self::Date(_))
    }
}

/// `20270303`.
fn date(text: &str) -> Option<Date> {
    let [year, month, day] = numbers(text, [4, 2, 2])?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// `180000`; a leap second is the one before it.
fn time(text: &str) -> Option<Time> {
    let [hour, minute, second] = numbers(text, [2, 2, 2])?;
    let second = if second == 60 { 59 } else { second };
    Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, i8::try_from(second).ok()?, 0).ok()
}

fn numbers(text: &str, lengths: [usize; 3]) -> Option<[i16; 3]> {
    if text.len() != lengths.iter().sum::<usize>() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (first, rest) = text.split_at(lengths[0]);
    let (second, third) = rest.split_at(lengths[1]);
    Some([first.parse().ok()?, second.parse().ok()?, third.parse().ok()?])
}

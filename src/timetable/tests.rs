//! Tests of the timetable as a whole.

mod calendars;
mod clocks;
mod drawing;
mod dues;
mod properties;
mod refusals;
mod year;

use crate::api::{self, DrillSchedule};

use super::*;

/// `cron` in a zone, with more fields in YAML.
fn schedule(cron: &str, zone: &str, more: &str) -> DrillSchedule {
    serde_yaml::from_str(&format!("cron: '{cron}'\ntimeZone: {zone}\n{more}")).unwrap()
}

/// A calendar with lines such as `election 2027-03-03 2027-03-04 Yearly`.
fn calendar(name: &str, zone: &str, spans: &[&str]) -> api::Calendar {
    let blocked = spans.iter().map(|line| {
        let parts: Vec<&str> = line.split(' ').collect();
        let repeats = parts.get(3).map(|word| serde_yaml::from_str(word).unwrap());
        let [name, from, to] = [parts[0], parts[1], parts[2]].map(str::to_owned);
        api::BlockedSpan { name, from, to, repeats }
    });
    let spec = api::CalendarSpec { time_zone: zone.to_owned(), blocked: blocked.collect() };
    api::Calendar::new(name, spec)
}

fn timetable(cron: &str, zone: &str, more: &str, calendars: &[&api::Calendar]) -> Timetable {
    Timetable::parse(&schedule(cron, zone, more), calendars).unwrap()
}

/// A moment, such as `2027-03-14T07:00Z`.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Slots as clocks in a zone show them, with what blocks them.
fn shown(slots: &[Slot], zone: &str) -> Vec<String> {
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let clock = |slot: &Slot| slot.at.to_zoned(zone.clone()).strftime("%m-%d %H:%M %Z").to_string();
    let why = |slot: &Slot| slot.blocked_by.as_ref().map(|blocked| format!(" {blocked}")).unwrap_or_default();
    slots.iter().map(|slot| clock(slot) + &why(slot)).collect()
}

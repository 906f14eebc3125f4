//! Where in its spread a run starts.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn busy() -> Timetable {
    let closed =
        calendar("c", "UTC", &["lunch 2027-03-03T12:00 2027-03-03T13:00", "all 2027-03-05 2027-03-06"]);
    let more = "calendars: [c]\nwindows: [{from: '10:00', to: '14:00'}]\nunannouncedWithin: 24h";
    timetable("0 0 * * *", "UTC", more, &[&closed])
}

/// Draws from `from` on with each of a thousand evenly spread numbers: how many fall into each hour of the day.
fn hours(table: &Timetable, from: &str, span: Duration) -> Vec<(i8, usize)> {
    let mut hours = std::collections::BTreeMap::new();
    for draw in 0..1_000 {
        let drawn = table.drawn(at(from), span, draw * (u64::MAX / 1_000)).unwrap();
        *hours.entry(drawn.to_zoned(jiff::tz::TimeZone::UTC).hour()).or_default() += 1;
    }
    hours.into_iter().collect()
}

#[test]
fn every_moment_that_is_free_is_equally_likely_and_no_other_is_drawn() {
    let found = hours(&busy(), "2027-03-03T00:00Z", 24 * HOUR);
    assert_eq!(found.iter().map(|(hour, _)| *hour).collect::<Vec<_>>(), [10, 11, 13]);
    assert!(found.iter().all(|(_, count)| count.abs_diff(333) <= 2), "{found:?}");
}

#[test]
fn the_ends_of_the_span_are_not_passed() {
    let free = timetable("0 10 * * *", "UTC", "jitter: 1h", &[]);
    let from = at("2027-03-03T10:00Z");
    assert_eq!(free.drawn(from, HOUR, 0), Some(from));
    assert_eq!(free.drawn(from, HOUR, u64::MAX), Some(at("2027-03-03T10:59:59Z")));
    assert_eq!(free.drawn(from, HOUR, 1 << 63), Some(at("2027-03-03T10:30Z")));
    assert_eq!(free.drawn(from, Duration::ZERO, u64::MAX), Some(from));
    assert_eq!(free.drawn(from, Duration::from_millis(1), u64::MAX), Some(from));
    assert_eq!(free.spread(), HOUR);
}

#[test]
fn a_slot_without_any_free_moment_is_blocked() {
    let table = busy();
    assert_eq!(table.drawn(at("2027-03-05T00:00Z"), 24 * HOUR, 7), None);
    assert_eq!(table.drawn(at("2027-03-04T00:00Z"), Duration::ZERO, 7), None);
    let slots = table.upcoming(at("2027-03-02T23:00Z"), 4);
    let expected =
        ["03-03 00:00 UTC", "03-04 00:00 UTC", "03-05 00:00 UTC all (calendar c)", "03-06 00:00 UTC"];
    assert_eq!(shown(&slots, "UTC"), expected);
}

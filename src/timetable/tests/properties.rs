//! What must hold for every schedule.

use croner::Cron;
use jiff::{ToSpan, tz::TimeZone};
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 6] =
    ["Asia/Seoul", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"];

fn field(low: u8, high: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        3 => (low..=high).prop_map(|value| value.to_string()),
        1 => (1_u8..=(high / 2)).prop_map(|step| format!("*/{step}")),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

prop_compose! {
    fn crons()(minute in field(0, 59), hour in field(0, 23), day in field(1, 28), month in field(1, 12),
        weekday in field(0, 6)) -> String {
        format!("{minute} {hour} {day} {month} {weekday}")
    }
}

/// Every minute from a moment on, one after the other: at which of them does a clock in the zone show a time of cron, or has
/// it just passed one? `croner` says whether a time fits; the search and the clocks are none of its business here.
fn brute(cron: &str, zone: &str, from: Timestamp, minutes: i64) -> Vec<Timestamp> {
    let cron: Cron = cron.parse().unwrap();
    let zone = TimeZone::get(zone).unwrap();
    let mut shown = zone.to_datetime(from);
    let mut slots = Vec::new();
    for minute in 1..=minutes {
        let moment = from + minute.minutes();
        // Times that clocks have not shown before this minute; none while a time comes for the second time.
        let now = zone.to_datetime(moment);
        let mut fits = false;
        while shown < now {
            shown += 1.minute();
            fits |= cron.is_time_matching(&shown.to_zoned(TimeZone::UTC).unwrap()).unwrap();
        }
        if fits {
            slots.push(moment);
        }
    }
    slots
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn slots_are_those_that_a_look_at_every_minute_finds(
        cron in crons(), zone in prop::sample::select(&ZONES[..]), day in 0_i64..1_100,
    ) {
        let from = at("2026-01-01T00:00Z") + (day * 24).hours();
        let minutes = 31 * 24 * 60;
        let table = timetable(&cron, zone, "", &[]);
        let end = from + minutes.minutes();
        let found: Vec<_> = table.after(from).take_while(|slot| *slot <= end).collect();
        // A minute that came before `from` for the first time and after it for the second is known to one of the two only.
        prop_assert_eq!(found, brute(&cron, zone, from, minutes), "{} in {}", cron, zone);
    }

    #[test]
    fn slots_ascend_and_backwards_they_are_the_same(
        cron in crons(), zone in prop::sample::select(&ZONES[..]), hour in 0_i64..26_000,
    ) {
        let from = at("2026-01-01T00:00Z") + hour.hours();
        let table = timetable(&cron, zone, "", &[]);
        let mut forward: Vec<_> = table.after(from).take(100).collect();
        prop_assert!(forward.windows(2).all(|pair| pair[0] < pair[1]));
        let backward: Vec<_> = table.until(*forward.last().unwrap()).take(forward.len()).collect();
        forward.reverse();
        prop_assert_eq!(forward, backward);
    }

    #[test]
    fn what_is_drawn_is_free_and_in_the_span(
        start in 0_i64..1_000, span in 0_u64..100_000, random: u64, from in 0_u32..24, to in 1_u32..=24, day in 1_u32..28,
    ) {
        prop_assume!(from != to);
        let span = Duration::from_secs(span);
        let closed = calendar("c", "Asia/Seoul", &[&format!("x 2027-01-{day:02} 2027-01-{:02} Monthly", day + 1)]);
        let more = format!("calendars: [c]\nwindows: [{{from: '{from:02}:00', to: '{to:02}:00'}}]");
        let table = timetable("* * * * *", "America/New_York", &more, &[&closed]);
        let begin = at("2027-02-20T00:00Z") + start.hours();
        let end = plus(begin, span);
        match table.drawn(begin, span, random) {
            Some(drawn) => {
                prop_assert_eq!(table.blocked_at(drawn), None);
                prop_assert!(begin <= drawn && (drawn < end || span.is_zero()));
            }
            None => {
                let mut minute = begin;
                while minute < end {
                    prop_assert!(table.blocked_at(minute).is_some(), "{} is free", minute);
                    minute += 1.minute();
                }
            }
        }
    }

    #[test]
    fn any_text_is_understood_or_refused(cron in "[ -~é]{0,24}", fields in "([0-9*/,#LW?+-]{1,4} ){4}[0-9*/,#LW?+-]{1,4}") {
        for text in [cron, fields] {
            let mut schedule = schedule("* * * * *", "UTC", "");
            schedule.cron = text;
            let _ = Timetable::parse(&schedule, &[]);
        }
    }
}

/// `reached` and `first` are two halves of one rule: in every zone, around every change of the clocks for ten years.
#[test]
fn in_every_zone_a_time_is_ahead_exactly_if_its_moment_is() {
    let mut changes = 0;
    for name in jiff::tz::TimeZoneDatabase::bundled().available().step_by(7) {
        let zone = Zone::named(name.as_str()).unwrap_or_else(|_| Zone::named("UTC").unwrap());
        let known = TimeZone::get(name.as_str()).unwrap();
        for change in known
            .following(at("2019-01-01T00:00Z"))
            .take_while(|change| change.timestamp() < at("2029-01-01T00:00Z"))
        {
            changes += 1;
            for minutes in (-190..190_i64).step_by(19) {
                let moment = change.timestamp() + minutes.minutes();
                for around in (-190..190_i64).step_by(19) {
                    let civil = zone.civil(moment) + around.minutes();
                    assert_eq!(
                        civil > zone.reached(moment),
                        zone.first(civil) > moment,
                        "{}: {civil} at {moment}",
                        name.as_str()
                    );
                }
            }
        }
    }
    assert!(changes > 300, "{changes}");
}

//! What is refused, and what a reader is told to write instead.

use super::*;

/// A schedule is refused with these paths and words, and nothing else.
fn check(schedule: &DrillSchedule, calendars: &[&api::Calendar], expected: &[(&str, &str)]) {
    let wrong = Timetable::parse(schedule, calendars).unwrap_err();
    assert_eq!(wrong.len(), expected.len(), "{wrong:?}");
    for (violation, (path, words)) in wrong.iter().zip(expected) {
        assert_eq!(violation.path, format!("spec.schedule.{path}"), "{violation}");
        assert!(violation.message.contains(words), "{violation} does not say {words:?}");
    }
}

#[test]
fn a_cron_that_is_none_is_refused() {
    for cron in [
        "0 10 * *",
        "0 0 10 * * MON",
        "0 0 10 * * MON 2027",
        "@annually",
        "61 10 * * *",
        "0 24 * * *",
        "0 10 * * MON#6",
        "0 10 * * XYZ",
        "*/0 * * * *",
        "é 10 * * *",
        "0 10 32 * *",
    ] {
        check(&schedule(cron, "Asia/Seoul", ""), &[], &[("cron", "write five fields")]);
    }
}

#[test]
fn a_cron_that_never_comes_is_refused() {
    for cron in ["0 0 31 2 *", "0 0 30 FEB *", "0 0 31 4,6,9,11 *"] {
        check(&schedule(cron, "Asia/Seoul", ""), &[], &[("cron", "never comes")]);
    }
}

#[test]
fn an_unknown_zone_is_refused_and_one_of_that_city_is_named() {
    for (zone, words) in [
        ("Seoul", "such as Asia/Seoul"),
        ("new york", "such as America/New_York"),
        ("KST", "such as Asia/Seoul"),
        ("Etc/Unknown", "is no IANA time zone"),
    ] {
        check(&schedule("0 10 * * *", zone, ""), &[], &[("timeZone", words)]);
    }
}

#[test]
fn everything_is_named_at_once() {
    let bad = calendar(
        "bad",
        "Asia/Soul",
        &["a 2027-02-30 2027-03-01", "b 2027-03-02 2027-03-01", "c 2027-03-01 2027-03-09 Weekly"],
    );
    let more = "calendars: [bad, other]\nwindows: [{from: '25:00', to: '26:00'}, {from: '10:00', to: '10:00'}]\nunannouncedWithin: 800h";
    let expected = [
        ("cron", "write five fields"),
        ("timeZone", "IANA"),
        ("windows[0].from", "such as 09:30"),
        ("windows[1].to", "00:00 to 24:00"),
        ("calendars[0]", "spec.timeZone"),
        ("calendars[1]", "there is no Calendar \"other\": create it, or name one there is: bad"),
        ("unannouncedWithin", "at most 744h"),
    ];
    check(&schedule("nonsense", "Nowhere", more), &[&bad], &expected);
    let wrong: Vec<String> = Calendar::parse(&bad).unwrap_err().iter().map(ToString::to_string).collect();
    let expected = ["spec.timeZone", "spec.blocked[0].from", "spec.blocked[1].to", "spec.blocked[2].to"];
    assert_eq!(wrong.len(), expected.len(), "{wrong:?}");
    assert!(wrong.iter().zip(expected).all(|(wrong, path)| wrong.starts_with(path)), "{wrong:?}");
}

#[test]
fn windows_without_any_time_of_cron_are_refused() {
    for (cron, windows, never) in [
        ("0 10 * * MON", "[{from: '11:00', to: '12:00'}]", true),
        ("0 10 * * MON", "[{days: [Tue], from: '09:00', to: '12:00'}]", true),
        ("0 10 * * MON-FRI", "[{days: [Sat, Sun], from: '00:00', to: '24:00'}]", true),
        ("0 10 * * MON", "[{days: [Sun], from: '11:00', to: '10:00'}]", true),
        ("0 10 * * MON", "[{days: [Sun], from: '11:00', to: '10:01'}]", false),
        // Once in eleven years or so.
        ("0 10 25 12 *", "[{days: [Mon], from: '10:00', to: '12:00'}]", false),
    ] {
        let more = format!("windows: {windows}");
        match never {
            true => check(&schedule(cron, "Asia/Seoul", &more), &[], &[("windows", "widen a window")]),
            false => drop(timetable(cron, "Asia/Seoul", &more, &[])),
        }
    }
    // Drawn within a week, it finds the window.
    let more = "windows: [{days: [Fri], from: '10:00', to: '12:00'}]\nunannouncedWithin: 120h";
    drop(timetable("0 0 * * MON", "Asia/Seoul", more, &[]));
}

#[test]
fn calendars_that_block_every_run_for_years_are_found() {
    let now = at("2027-01-01T00:00Z");
    let years = calendar("freeze", "Asia/Seoul", &["closed 2026-01-01 2036-01-01"]);
    let mondays = calendar("mondays", "Asia/Seoul", &["monday 2026-01-05 2026-01-06 Weekly"]);
    for (cron, calendars, windows, blocked) in [
        ("* * * * *", "[freeze]", "[]", true),
        ("* * * * *", "[mondays]", "[{days: [Mon], from: '10:00', to: '12:00'}]", true),
        ("* * * * *", "[mondays]", "[{days: [Mon], from: '23:00', to: '00:01'}]", false),
        ("0 10 * * MON", "[mondays]", "[]", true),
        ("0 10 * * MON,TUE", "[mondays]", "[]", false),
    ] {
        let table = timetable(
            cron,
            "Asia/Seoul",
            &format!("calendars: {calendars}\nwindows: {windows}"),
            &[&years, &mondays],
        );
        let prospect = table.prospect(now);
        assert_eq!(prospect.is_err(), blocked, "{cron} {calendars} {windows}: {prospect:?}");
        if let Err(violation) = prospect {
            assert_eq!(violation.path, "spec.schedule.calendars");
            assert!(violation.message.contains("next 5 years"), "{violation}");
        }
        assert_eq!(table.next_free(now).is_none(), blocked);
    }
    // As far as it blocks only what is past, it does not matter.
    let table = timetable("0 10 * * *", "Asia/Seoul", "calendars: [freeze]", &[&years]);
    assert_eq!(table.prospect(at("2033-01-01T00:00Z")), Ok(()));
}

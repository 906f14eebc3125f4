//! Windows and calendars.

use super::*;

/// What blocks at moments of the wall clock in Seoul, or `-`.
fn check(timetable: &Timetable, expected: &[(&str, &str)]) {
    for (time, why) in expected {
        let blocked = timetable.blocked_at(at(&format!("{time}+09:00")));
        let blocked = blocked.map_or_else(|| "-".to_owned(), |blocked| blocked.to_string());
        assert!(blocked.starts_with(why), "{time}: {blocked}, not {why}");
    }
}

#[test]
fn windows_open_on_their_days_and_over_midnight() {
    let windows = "windows: [{days: [Mon, Fri], from: '22:00', to: '02:00'}, {days: [Wed], from: '00:00', to: '24:00'}]";
    let table = timetable("* * * * *", "Asia/Seoul", windows, &[]);
    check(
        &table,
        &[
            ("2027-03-01T21:59", "outside"),
            ("2027-03-01T22:00", "-"),
            ("2027-03-02T01:59", "-"),
            ("2027-03-02T02:00", "outside"),
            ("2027-03-02T23:59", "outside"),
            ("2027-03-03T00:00", "-"),
            ("2027-03-03T23:59", "-"),
            ("2027-03-04T00:00", "outside"),
            ("2027-03-06T01:00", "-"),
            ("2027-03-07T01:00", "outside"),
        ],
    );
}

#[test]
fn a_span_blocks_from_its_first_moment_to_before_its_end_in_its_own_zone() {
    let calendar = calendar(
        "c",
        "Europe/London",
        &["election 2027-03-03 2027-03-04", "work 2027-05-05T10:00 2027-05-05T12:30"],
    );
    let table = timetable("* * * * *", "Asia/Seoul", "calendars: [c]", &[&calendar]);
    check(
        &table,
        &[
            ("2027-03-03T08:59", "-"),
            ("2027-03-03T09:00", "election (calendar c)"),
            ("2027-03-04T08:59", "election"),
            ("2027-03-04T09:00", "-"),
            ("2027-05-05T17:59", "-"),
            ("2027-05-05T18:00", "work"),
            ("2027-05-05T20:30", "-"),
            ("2028-03-03T12:00", "-"),
        ],
    );
}

#[test]
fn spans_come_again() {
    let spans = [
        "year-end 2026-12-28 2027-01-03 Yearly",
        "leap 2024-02-29 2024-03-01 Yearly",
        "closing 2027-01-31 2027-02-01 Monthly",
        "mondays 2027-01-04T08:00 2027-01-04T10:00 Weekly",
        "nights 2027-06-01T23:00 2027-06-02T01:00 Daily",
    ];
    let calendar = calendar("c", "Asia/Seoul", &spans);
    let table = timetable("* * * * *", "Asia/Seoul", "calendars: [c]", &[&calendar]);
    check(
        &table,
        &[
            ("2025-12-31T12:00", "-"),
            ("2026-12-28T00:00", "year-end"),
            ("2031-01-02T22:59", "year-end"),
            ("2031-01-03T01:00", "-"),
            ("2027-03-01T00:00", "-"),
            ("2028-02-29T12:00", "leap"),
            ("2027-02-28T12:00", "-"),
            ("2027-03-31T12:00", "closing"),
            ("2027-04-30T12:00", "-"),
            ("2026-12-21T09:00", "-"),
            ("2027-02-15T09:00", "mondays"),
            ("2027-02-15T10:00", "-"),
            ("2027-02-16T09:00", "-"),
            ("2027-06-01T00:30", "-"),
            ("2027-06-05T00:30", "nights"),
            ("2029-06-05T23:30", "nights"),
            ("2029-06-05T22:30", "-"),
        ],
    );
}

#[test]
fn the_end_of_a_span_that_comes_again_is_the_later_of_what_may_be_meant() {
    let spans = ["tax 2026-02-20 2026-03-01 Yearly", "turn 2027-01-30 2027-02-02 Monthly"];
    let calendar = calendar("c", "Asia/Seoul", &spans);
    let table = timetable("* * * * *", "Asia/Seoul", "calendars: [c]", &[&calendar]);
    check(
        &table,
        &[
            ("2028-02-29T23:00", "tax"),
            ("2028-03-01T00:00", "-"),
            ("2027-05-02T23:00", "turn"),
            ("2027-05-03T00:00", "-"),
        ],
    );
}

#[test]
fn a_slot_says_what_blocks_it() {
    let calendar = calendar("korea", "Asia/Seoul", &["election 2027-03-03 2027-03-04"]);
    let more = "calendars: [korea]\nwindows: [{days: [Mon, Tue, Wed, Thu, Fri], from: '10:00', to: '17:00'}]";
    let table = timetable("0 10 * * *", "Asia/Seoul", more, &[&calendar]);
    let slots = table.upcoming(at("2027-03-02T02:00Z"), 5);
    let expected = [
        "03-03 10:00 KST election (calendar korea)",
        "03-04 10:00 KST",
        "03-05 10:00 KST",
        "03-06 10:00 KST outside of the windows of the schedule",
        "03-07 10:00 KST outside of the windows of the schedule",
    ];
    assert_eq!(shown(&slots, "Asia/Seoul"), expected);
    assert_eq!(table.next_free(at("2027-03-05T02:00Z")).unwrap().at, at("2027-03-08T01:00Z"));
}

#[test]
fn the_next_span_is_known() {
    let calendar =
        calendar("c", "Asia/Seoul", &["once 2027-03-03 2027-03-04", "leap 2024-02-29 2024-03-01 Yearly"]);
    let calendar = Calendar::parse(&calendar).unwrap();
    let next = |after| calendar.next_closure(at(after)).map(|next| (next.span, next.from.to_string()));
    assert_eq!(next("2026-01-01T00:00Z").unwrap(), ("once".into(), "2027-03-02T15:00:00Z".into()));
    assert_eq!(next("2027-03-02T15:00Z").unwrap(), ("leap".into(), "2028-02-28T15:00:00Z".into()));
    assert_eq!(next("2096-03-01T00:00Z").unwrap().1, "2104-02-28T15:00:00Z");
}

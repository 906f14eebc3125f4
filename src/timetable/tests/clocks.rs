//! What happens when clocks are changed.

use super::*;

/// The slots after a moment, as clocks show them.
fn check(cron: &str, zone: &str, after: &str, expected: &[&str]) {
    let timetable = timetable(cron, zone, "", &[]);
    let slots = timetable.upcoming(at(after), expected.len());
    assert_eq!(shown(&slots, zone), expected, "{cron} in {zone} after {after}");
}

#[test]
fn a_time_in_a_gap_is_the_first_moment_after_it() {
    // 02:00 EST becomes 03:00 EDT at 07:00Z.
    let after = "2027-03-13T12:00Z";
    check("30 2 * * *", "America/New_York", after, &["03-14 03:00 EDT", "03-15 02:30 EDT"]);
    check("0 2 * * *", "America/New_York", after, &["03-14 03:00 EDT", "03-15 02:00 EDT"]);
    check("30 1 * * *", "Europe/London", "2027-03-27T12:00Z", &["03-28 02:00 BST", "03-29 01:30 BST"]);
    // Half an hour only: 02:00 becomes 02:30.
    check("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T12:00Z", &["10-03 02:30 +11", "10-04 02:15 +11"]);
}

#[test]
fn all_times_in_a_gap_are_one_slot() {
    check(
        "*/20 1-3 * * *",
        "America/New_York",
        "2027-03-14T06:30Z",
        &["03-14 01:40 EST", "03-14 03:00 EDT", "03-14 03:20 EDT"],
    );
    check(
        "*/10 2 * * *",
        "Australia/Lord_Howe",
        "2027-10-02T12:00Z",
        &["10-03 02:30 +11", "10-03 02:40 +11"],
    );
}

#[test]
fn a_time_that_comes_twice_is_its_first() {
    // 02:00 EDT becomes 01:00 EST at 06:00Z.
    let after = "2027-11-06T12:00Z";
    check("30 1 * * *", "America/New_York", after, &["11-07 01:30 EDT", "11-08 01:30 EST"]);
    check("30 1 * * *", "Europe/London", "2027-10-30T12:00Z", &["10-31 01:30 BST", "11-01 01:30 GMT"]);
    check(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2027-04-03T12:00Z",
        &["04-04 01:45 +11", "04-05 01:45 +1030"],
    );
}

#[test]
fn what_repeats_runs_once_in_the_hour_that_comes_twice() {
    check(
        "*/30 * * * *",
        "America/New_York",
        "2027-11-07T05:00Z",
        &["11-07 01:30 EDT", "11-07 02:00 EST", "11-07 02:30 EST"],
    );
    // Asked in the middle of the second hour: the first has had its turn.
    check("*/30 * * * *", "America/New_York", "2027-11-07T06:10Z", &["11-07 02:00 EST"]);
}

#[test]
fn without_changes_every_day_is_alike() {
    let days = ["03-14 02:30 KST", "03-15 02:30 KST", "03-16 02:30 KST"];
    check("30 2 * * *", "Asia/Seoul", "2027-03-13T12:00Z", &days);
}

#[test]
fn names_ordinals_and_last_days_are_understood() {
    let after = "2027-01-31T15:00Z";
    check("0 10 * * MON#1", "Asia/Seoul", after, &["02-01 10:00 KST", "03-01 10:00 KST", "04-05 10:00 KST"]);
    check("0 10 L * *", "Asia/Seoul", after, &["02-28 10:00 KST", "03-31 10:00 KST", "04-30 10:00 KST"]);
    check("0 10 * * FRIL", "Asia/Seoul", after, &["02-26 10:00 KST", "03-26 10:00 KST"]);
    check("0 10 * JUN,DEC tue-thu", "Asia/Seoul", after, &["06-01 10:00 KST", "06-02 10:00 KST"]);
    // As in every cron: with both, one of the two is enough.
    check("0 10 13 * FRI", "Asia/Seoul", after, &["02-05 10:00 KST", "02-12 10:00 KST", "02-13 10:00 KST"]);
}

#[test]
fn the_rarest_day_is_found_and_what_is_past_the_end_of_time_is_not() {
    check("0 0 29 2 +MON", "Asia/Seoul", "2072-03-01T00:00Z", &["02-29 00:00 KST"]);
    let daily = timetable("0 0 * * *", "Asia/Seoul", "", &[]);
    assert_eq!(daily.next(Timestamp::MAX), None);
    assert!(daily.next(Timestamp::MIN).is_some());
}

#[test]
fn a_window_and_a_span_at_a_change_of_clocks() {
    let night = calendar("night", "America/New_York", &["work 2027-11-07T00:30 2027-11-07T01:15"]);
    let more = "calendars: [night]";
    let table = timetable("*/15 * * * *", "UTC", more, &[&night]);
    let free = |text: &str| table.blocked_at(at(text)).is_none();
    // The span ends at the second 01:15 and begins at the first 00:30.
    assert!(free("2027-11-07T04:15Z") && !free("2027-11-07T04:30Z"));
    assert!(!free("2027-11-07T06:00Z") && free("2027-11-07T06:15Z"));
}

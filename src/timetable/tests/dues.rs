//! What should run now, and what was missed.

use super::*;

fn hourly() -> Timetable {
    timetable("0 * * * *", "Asia/Seoul", "", &[])
}

const QUARTER: Duration = Duration::from_secs(900);

/// Last handled, now → slot that runs, count of missed, what is handled then. Times are of one day.
fn check(table: &Timetable, last: &str, now: &str, expected: (&str, u64, &str)) {
    let moment = |time: &str| at(&format!("2027-03-03T{time}Z"));
    let due = table.due(Some(moment(last)), moment(now), QUARTER);
    let clock =
        |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.strftime("%H:%M").to_string());
    let found = (clock(due.run.map(|slot| slot.at)), due.missed.count, clock(due.handled));
    assert_eq!(found, (expected.0.to_owned(), expected.1, expected.2.to_owned()), "{last} to {now}");
}

#[test]
fn a_slot_runs_until_its_deadline_and_is_missed_after_it() {
    check(&hourly(), "10:00", "10:59", ("-", 0, "10:00"));
    check(&hourly(), "10:00", "11:00", ("11:00", 0, "11:00"));
    check(&hourly(), "10:00", "11:15", ("11:00", 0, "11:00"));
    check(&hourly(), "10:00", "11:16", ("-", 1, "11:00"));
    check(&hourly(), "11:00", "11:16", ("-", 0, "11:00"));
}

#[test]
fn after_an_absence_only_the_latest_runs() {
    check(&hourly(), "03:00", "11:10", ("11:00", 7, "11:00"));
    check(&timetable("*/5 * * * *", "UTC", "", &[]), "10:00", "10:16", ("10:15", 2, "10:15"));
}

#[test]
fn blocked_slots_are_neither_run_nor_missed() {
    let closed = calendar(
        "c",
        "UTC",
        &["work 2027-03-03T05:00 2027-03-03T07:00", "rest 2027-03-03T11:00 2027-03-03T12:00"],
    );
    let table = timetable("0 * * * *", "UTC", "calendars: [c]", &[&closed]);
    check(&table, "03:00", "08:30", ("-", 3, "08:00"));
    check(&table, "10:00", "11:05", ("-", 0, "11:00"));
    // Older than the one that is blocked, but still in time.
    let table = timetable("*/10 * * * *", "UTC", "calendars: [c]", &[&closed]);
    check(&table, "10:40", "11:02", ("10:50", 0, "11:00"));
}

#[test]
fn a_clock_that_was_put_back_runs_nothing_again() {
    check(&hourly(), "11:00", "10:05", ("-", 0, "11:00"));
}

#[test]
fn nothing_was_missed_by_a_drill_that_never_ran() {
    let due = hourly().due(None, at("2027-03-03T11:10Z"), QUARTER);
    assert_eq!(due.run.unwrap().at, at("2027-03-03T11:00Z"));
    assert_eq!(due.missed, Missed::default());
    let due = hourly().due(None, at("2027-03-03T11:20Z"), QUARTER);
    assert_eq!(due, Due::default());
}

#[test]
fn years_of_absence_take_bounded_work_and_are_said() {
    let every_minute = timetable("* * * * *", "America/New_York", "", &[]);
    let (last, now) = (at("2007-01-01T00:00Z"), at("2027-01-01T00:00:30Z"));
    let due = every_minute.due(Some(last), now, QUARTER);
    assert_eq!(due.run.unwrap().at, at("2027-01-01T00:00Z"));
    assert_eq!((due.missed.count, due.missed.more), (10_000, true));
    assert_eq!(due.handled, Some(at("2027-01-01T00:00Z")));
    // What follows is counted from there on, so that each is reported once.
    assert_eq!(every_minute.due(due.handled, now, QUARTER), Due { handled: due.handled, ..Due::default() });
    let weekly = timetable("0 10 * * MON", "Asia/Seoul", "", &[]);
    let missed = weekly.due(Some(last), now, QUARTER).missed;
    assert_eq!((missed.count, missed.more), (1_044, false));
    assert_eq!(missed.first, Some(at("2007-01-01T01:00Z")));
}

use proptest::prelude::*;

use super::*;

/// A file with lines such as `DTSTART:20270303|SUMMARY:x`, each entry one event.
fn file(events: &[&str]) -> String {
    let events: String = events
        .iter()
        .map(|event| format!("BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n", event.replace('|', "\r\n")))
        .collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
}

/// An event becomes this span in Seoul: name, from, to, and how it repeats.
fn check(event: &str, expected: &str) {
    let calendar =
        import(&file(&[event]), "c", Some("Asia/Seoul")).unwrap_or_else(|wrong| panic!("{event}: {wrong:?}"));
    let span = &calendar.spec.blocked[0];
    let repeats = span.repeats.map(|repeats| format!(" {repeats:?}")).unwrap_or_default();
    assert_eq!(format!("{} {} {}{repeats}", span.name, span.from, span.to), expected, "{event}");
}

/// An event is refused at a line with these words; its `BEGIN` is line 3.
fn refused(event: &str, line: usize, words: &str) {
    let wrong = import(&file(&[event]), "c", Some("Asia/Seoul")).expect_err(event);
    assert_eq!(wrong.len(), 1, "{event}: {wrong:?}");
    assert_eq!(wrong[0].line, line, "{event}: {wrong:?}");
    assert!(wrong[0].message.contains(words), "{event}: {}", wrong[0].message);
}

#[test]
fn dates_and_times_become_spans() {
    check("SUMMARY:vote|DTSTART;VALUE=DATE:20270303|DTEND;VALUE=DATE:20270305", "vote 2027-03-03 2027-03-05");
    check("SUMMARY:vote|DTSTART;VALUE=DATE:20270303", "vote 2027-03-03 2027-03-04");
    check("SUMMARY:vote|DTSTART;VALUE=DATE:20270303|DURATION:P1W", "vote 2027-03-03 2027-03-10");
    check("SUMMARY:a|DTSTART:20270303T090000|DTEND:20270303T100000", "a 2027-03-03T09:00 2027-03-03T10:00");
    check("SUMMARY:a|DTSTART:20270303T180000Z|DURATION:PT1H30M", "a 2027-03-04T03:00 2027-03-04T04:30");
    check(
        "SUMMARY:a|DTSTART;TZID=America/New_York:20270303T090000|DTEND;TZID=\"Asia/Seoul\":20270304T000000",
        "a 2027-03-03T23:00 2027-03-04T00:00",
    );
    // A day is a day of that zone, an hour is an hour: clocks are put forward in between.
    check(
        "SUMMARY:a|DTSTART;TZID=America/New_York:20270313T120000|DURATION:P1D",
        "a 2027-03-14T02:00 2027-03-15T01:00",
    );
    check(
        "SUMMARY:a|DTSTART;TZID=America/New_York:20270313T120000|DURATION:PT24H",
        "a 2027-03-14T02:00 2027-03-15T02:00",
    );
}

#[test]
fn seconds_are_widened_to_minutes() {
    check("SUMMARY:a|DTSTART:20270303T090059|DTEND:20270303T235959", "a 2027-03-03T09:00 2027-03-04T00:00");
}

#[test]
fn summaries_are_unfolded_and_unescaped() {
    check("SUMMARY;LANGUAGE=\"ko:KR\":a\\, b\\;|  c\\nd|DTSTART:20270303", "a, b; c d 2027-03-03 2027-03-04");
    check(
        "SUMMARY:설\r\n 날|DTSTART:20270303|BEGIN:VALARM|SUMMARY:x|DURATION:PT5M|END:VALARM",
        "설날 2027-03-03 2027-03-04",
    );
}

#[test]
fn simple_rules_become_repeats() {
    for (rule, repeats) in [
        ("FREQ=YEARLY", "Yearly"),
        ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3", "Yearly"),
        ("FREQ=MONTHLY;BYMONTHDAY=3;INTERVAL=1", "Monthly"),
        ("FREQ=WEEKLY;WKST=SU;BYDAY=WE", "Weekly"),
        ("freq=daily", "Daily"),
    ] {
        check(
            &format!("SUMMARY:a|DTSTART:20270303|RRULE:{rule}"),
            &format!("a 2027-03-03 2027-03-04 {repeats}"),
        );
    }
    // Neither Seoul nor UTC changes its clocks; only a week does not care on which date it begins.
    let late = "SUMMARY:a|DTSTART:20270303T200000Z|DURATION:PT1H|RRULE:FREQ";
    check(&format!("{late}=WEEKLY"), "a 2027-03-04T05:00 2027-03-04T06:00 Weekly");
    refused(&format!("{late}=MONTHLY"), 7, "--time-zone");
}

#[test]
fn rules_that_a_calendar_cannot_say_are_refused_at_their_line() {
    for rule in [
        "FREQ=YEARLY;COUNT=3",
        "FREQ=YEARLY;UNTIL=20300101",
        "FREQ=YEARLY;BYDAY=1WE",
        "FREQ=YEARLY;BYMONTHDAY=3",
        "FREQ=YEARLY;BYMONTH=4",
        "FREQ=MONTHLY;BYMONTHDAY=4",
        "FREQ=MONTHLY;BYDAY=WE",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=WEEKLY;INTERVAL=2",
        "FREQ=WEEKLY;BYDAY=WE,TH",
        "FREQ=WEEKLY;BYDAY=TH",
        "FREQ=DAILY;BYHOUR=3",
        "FREQ=HOURLY",
        "INTERVAL=1",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=WEEKLY;BYSETPOS=1",
        "FREQ=DAILY;X=1",
    ] {
        refused(&format!("SUMMARY:a|DTSTART:20270303|RRULE:{rule}"), 6, "each time as an event of its own");
    }
    refused("SUMMARY:a|DTSTART:20270303|RRULE:YEARLY", 6, "no rule such as FREQ=YEARLY");
    let new_york = "SUMMARY:a|DTSTART;TZID=America/New_York:20270303T090000|DURATION:PT1H";
    refused(&format!("{new_york}|RRULE:FREQ=DAILY"), 7, "event \"a\": RRULE");
    refused("SUMMARY:a|DTSTART:20270303|DURATION:P8D|RRULE:FREQ=WEEKLY", 3, "within a week");
}

#[test]
fn what_else_a_calendar_cannot_say_is_refused_at_its_line() {
    for (event, line, words) in [
        ("SUMMARY:a|DTSTART:20270303|EXDATE:20280303", 6, "EXDATE"),
        ("SUMMARY:a|DTSTART:20270303|RDATE:20280303", 6, "RDATE"),
        ("SUMMARY:a|DTSTART:20270303|RECURRENCE-ID:20280303", 6, "RECURRENCE-ID"),
        ("SUMMARY:a|DTSTART:20270303|STATUS:CANCELLED", 6, "cancelled"),
        ("SUMMARY:a", 3, "no DTSTART"),
        ("DTSTART:20270303", 3, "no SUMMARY"),
        ("SUMMARY:a|DTSTART:20270303T090000", 3, "no end"),
        ("SUMMARY:a|DTSTART:20270303|DTEND:20270303", 3, "ends before it begins"),
        ("SUMMARY:a|DTSTART:20270303|DTEND:20270303T090000", 6, "both be dates"),
        ("SUMMARY:a|DTSTART:20270303|DTEND:20270304|DURATION:P1D", 3, "both DTEND and DURATION"),
        ("SUMMARY:a|DTSTART:20270303|DURATION:PT1H", 6, "no length"),
        ("SUMMARY:a|DTSTART:20270303|DURATION:-P1D", 6, "no length"),
        ("SUMMARY:a|DTSTART:20270303|DTSTART:20270304", 6, "second time"),
        ("SUMMARY:a|DTSTART:20270230", 5, "neither a date"),
        ("SUMMARY:a|DTSTART;VALUE=PERIOD:20270203", 5, "neither a date"),
        ("SUMMARY:a|DTSTART;TZID=Korea Standard Time:20270303T090000|DURATION:PT1H", 5, "IANA"),
    ] {
        refused(event, line, words);
    }
    refused(&format!("SUMMARY:{}|DTSTART:20270303", "가".repeat(129)), 3, "128 letters");
}

#[test]
fn the_zone_is_the_one_given_or_the_one_that_the_file_names() {
    let zone = |text: &str, given| {
        import(text, "c", given).map(|calendar| calendar.spec.time_zone).map_err(|wrong| wrong[0].to_string())
    };
    let utc = file(&["SUMMARY:a|DTSTART:20270303T090000Z|DURATION:PT1H"]);
    let local = file(&["SUMMARY:a|DTSTART;TZID=Europe/London:20270303T090000|DURATION:PT1H"]);
    let dates = file(&["SUMMARY:a|DTSTART:20270303"]);
    let named = dates.replace("VERSION:2.0", "X-WR-TIMEZONE:Asia/Seoul");
    assert_eq!(zone(&utc, None).unwrap(), "UTC");
    assert_eq!(zone(&local, None).unwrap(), "Europe/London");
    assert_eq!(zone(&named, None).unwrap(), "Asia/Seoul");
    assert_eq!(zone(&named, Some("Asia/Tokyo")).unwrap(), "Asia/Tokyo");
    assert!(zone(&dates, None).unwrap_err().contains("--time-zone"));
    assert!(zone(&dates, Some("Seoul")).unwrap_err().contains("Asia/Seoul"));
}

#[test]
fn every_span_has_a_name_of_its_own() {
    let events = [
        "SUMMARY:설날|DTSTART:20270206",
        "SUMMARY:설날|DTSTART:20280126",
        "SUMMARY:설날|DTSTART:20280126T100000|DURATION:PT1H",
        "SUMMARY:b|DTSTART:20280126",
    ];
    let calendar = import(&file(&events), "c", Some("Asia/Seoul")).unwrap();
    let names: Vec<&str> = calendar.spec.blocked.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["설날 2027-02-06", "설날 2028-01-26", "설날 2028-01-26 2", "b"]);
}

#[test]
fn files_that_are_none_say_where() {
    let event = "BEGIN:VEVENT\nSUMMARY:a\nDTSTART:20270303\nEND:VEVENT\n";
    for (text, line, words) in [
        (String::new(), 1, "no event"),
        ("<html>\n".to_owned(), 1, "no line of iCalendar"),
        ("BEGIN:VCARD\nEND:VCARD\n".to_owned(), 1, "BEGIN:VCALENDAR"),
        ("SUMMARY:a\n".to_owned(), 1, "is this an iCalendar file?"),
        (format!("BEGIN:VCALENDAR\n{event}"), 1, "cut off"),
        (
            format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", event.replace("END:VEVENT\n", "")),
            5,
            "VEVENT is open",
        ),
        (format!("BEGIN:VCALENDAR\n{event}BEGIN:VTODO\nEND:VTODO\nEND:VCALENDAR\n"), 6, "VTODO"),
        (format!("BEGIN:VCALENDAR\n{event}nonsense\nEND:VCALENDAR\n"), 6, "\"nonsense\""),
        (format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", event.repeat(1_001)), 4_002, "split the file"),
    ] {
        let wrong = import(&text, "c", Some("UTC")).unwrap_err();
        assert_eq!(wrong[0].line, line, "{wrong:?}");
        assert!(wrong[0].message.contains(words), "{wrong:?}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let events =
        ["SUMMARY:a|DTSTART:x", "SUMMARY:b|DTSTART:20270303", "SUMMARY:c|DTSTART:20270303|RRULE:FREQ=HOURLY"];
    let wrong = import(&file(&events), "c", Some("UTC")).unwrap_err();
    assert_eq!(wrong.iter().map(|trouble| trouble.line).collect::<Vec<_>>(), [5, 14]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        text in "\\PC{0,80}", value in "[A-Z0-9;:=,+\" -]{0,24}", name in "(DTSTART|DTEND|DURATION|RRULE|SUMMARY|END|BEGIN)",
    ) {
        let _ = import(&text, "c", Some("America/New_York"));
        let event = format!("SUMMARY:a|DTSTART:20270303T090000|{name}:{value}|{name};{value}");
        let _ = import(&file(&[event.as_str()]), "c", None);
    }
}

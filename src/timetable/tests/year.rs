//! A year of 500 drills.

use std::time::Instant;

use jiff::{ToSpan, civil::DateTime, tz::TimeZone};

use super::*;

const ZONES: [&str; 5] = ["Asia/Seoul", "America/New_York", "Europe/London", "Australia/Lord_Howe", "UTC"];

const WINDOWS: [&str; 4] = [
    "[]",
    "[{days: [Mon, Tue, Wed, Thu, Fri], from: '09:00', to: '18:00'}]",
    "[{from: '22:00', to: '06:00'}, {from: '12:00', to: '15:00'}]",
    "[{days: [Sat, Sun], from: '00:00', to: '24:00'}, {days: [Tue], from: '01:00', to: '11:00'}]",
];

/// One of 500: from once a month to four times an hour, at times that lie in its windows.
fn drill(index: usize) -> (String, &'static str, &'static str) {
    let hour = [1 + index % 22, 9 + index % 9, 12 + index % 3, 1 + index % 10][index % WINDOWS.len()];
    let (minute, day) = (index * 7 % 60, index % 28 + 1);
    let cron = match index % 7 {
        _ if index % 250 == 6 => "*/15 * * * *".to_owned(),
        0 => format!("{minute} {hour} {day} * *"),
        1 => format!("{minute} {hour} * * TUE,{}", index % 6),
        2 => format!("{minute} */6 * * *"),
        3 => format!("{minute} {hour} * * TUE#{}", index % 4 + 1),
        4 => format!("{minute} {hour} L * *"),
        5 => format!("{minute} 2,{hour},23 * * *"),
        _ => format!("{minute} {hour} * * SUN,TUE,THU"),
    };
    (cron, ZONES[index % ZONES.len()], WINDOWS[index % WINDOWS.len()])
}

fn calendars() -> [api::Calendar; 2] {
    [
        calendar(
            "korea",
            "Asia/Seoul",
            &[
                "new-year 2026-12-31 2027-01-02 Yearly",
                "election 2027-03-03T06:00 2027-03-03T18:00",
                "payday 2027-01-25 2027-01-26 Monthly",
            ],
        ),
        calendar(
            "trade",
            "America/New_York",
            &[
                "friday 2026-01-02T15:00 2026-01-02T17:00 Weekly",
                "night 2026-06-01T23:30 2026-06-02T00:30 Daily",
            ],
        ),
    ]
}

/// Slots of a year, and how many of them are free, by a look at the wall clock at every minute. It knows neither the search
/// nor the spans: only whether one minute fits.
fn slowly(index: usize, from: Timestamp, to: Timestamp) -> (usize, usize) {
    let (cron, zone, _) = drill(index);
    let cron: croner::Cron = cron.parse().unwrap();
    let zone = TimeZone::get(zone).unwrap();
    let mut found = (0, 0);
    let mut shown = zone.to_datetime(from);
    let mut moment = from;
    while moment < to {
        moment += 1.minute();
        let now = zone.to_datetime(moment);
        let mut fits = false;
        while shown < now {
            shown += 1.minute();
            fits |= cron.is_time_matching(&shown.to_zoned(TimeZone::UTC).unwrap()).unwrap();
        }
        if fits {
            found.0 += 1;
            found.1 += usize::from(is_open(index % 4, now) && !is_closed(moment));
        }
    }
    found
}

/// What `WINDOWS` says, by hand.
fn is_open(windows: usize, now: DateTime) -> bool {
    let weekday = now.weekday().to_monday_one_offset();
    let hour = now.hour();
    match windows {
        0 => true,
        1 => weekday <= 5 && (9..18).contains(&hour),
        2 => !(6..22).contains(&hour) || (12..15).contains(&hour),
        _ => weekday >= 6 || (weekday == 2 && (1..11).contains(&hour)),
    }
}

/// What `calendars` says, by hand.
fn is_closed(moment: Timestamp) -> bool {
    let seoul = TimeZone::get("Asia/Seoul").unwrap().to_datetime(moment);
    let york = TimeZone::get("America/New_York").unwrap().to_datetime(moment);
    let day = (seoul.month(), seoul.day());
    let minute = i32::from(york.hour()) * 60 + i32::from(york.minute());
    day == (12, 31)
        || day == (1, 1)
        || (day == (3, 3) && (6..18).contains(&seoul.hour()))
        || day.1 == 25
        || (york.weekday().to_monday_one_offset() == 5 && (15..17).contains(&york.hour()))
        || !(30..23 * 60 + 30).contains(&minute)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn a_year_of_500_drills_takes_seconds_and_loses_no_slot() {
    let (from, to) = (at("2027-01-01T00:00Z"), at("2028-01-01T00:00Z"));
    let calendars = calendars();
    let calendars: Vec<&api::Calendar> = calendars.iter().collect();
    let begun = Instant::now();
    let counts: Vec<(usize, usize)> = (0..500)
        .map(|index| {
            let (cron, zone, windows) = drill(index);
            let more = format!("calendars: [korea, trade]\nwindows: {windows}");
            let table = timetable(&cron, zone, &more, &calendars);
            assert_eq!(table.prospect(from), Ok(()), "drill {index}");
            let slots = table.after(from).take_while(|at| *at <= to).map(|at| table.slot(at));
            slots.fold((0, 0), |(all, free), slot| (all + 1, free + usize::from(slot.blocked_by.is_none())))
        })
        .collect();
    let took = begun.elapsed();
    // Each kind of cron, each zone and each set of windows.
    for index in [6, 33, 111, 478] {
        assert_eq!(counts[index], slowly(index, from, to), "drill {index}: {:?}", drill(index));
    }
    let sum = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    // Four of the 500 were counted slowly; the sum holds the rest where it is.
    assert_eq!(sum, (272_193, 154_908));
    assert!(took < Duration::from_secs(60), "{took:?}");
}

//! Moments and lengths of time as people read them.

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use super::words::Words;

/// Writes times in one zone and one language.
pub(super) struct Human {
    zone: TimeZone,
    words: &'static Words,
}

impl Human {
    /// A zone that is not known is UTC: the offset stands beside every moment, so nobody is misled. The zones come with
    /// the program, so the same report reads the same on every machine.
    pub(super) fn new(zone: &str, words: &'static Words) -> Self {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap_or(TimeZone::UTC);
        Self { zone, words }
    }

    /// Down to the second, with the offset.
    pub(super) fn moment(&self, at: i64) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S %:z")
    }

    /// Down to the millisecond, with the offset.
    pub(super) fn exactly(&self, at: i64) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S%.3f %:z")
    }

    /// The time of the day.
    pub(super) fn of_day(&self, at: i64) -> String {
        self.format(at, "%H:%M:%S")
    }

    fn format(&self, at: i64, form: &str) -> String {
        match Timestamp::from_millisecond(at) {
            Ok(time) => time.to_zoned(self.zone.clone()).strftime(form).to_string(),
            Err(_) => at.to_string(),
        }
    }

    /// A length of time, never rounded: a target that was missed by a millisecond must not look as if it was met.
    pub(super) fn length(&self, millis: i64) -> String {
        let sign = if millis < 0 { "-" } else { "" };
        let size = millis.unsigned_abs();
        let units = &self.words.units;
        let [hours, minutes, rest] = [size / 3_600_000, size / 60_000 % 60, size % 60_000];
        if size < 1_000 {
            return format!("{sign}{size}{}", units.millis);
        }
        let whole = |number: u64, unit: &str| (number > 0).then(|| format!("{number}{unit}"));
        let seconds = (rest > 0).then(|| format!("{}{}", seconds(rest), units.seconds));
        let parts = [whole(hours, units.hours), whole(minutes, units.minutes), seconds];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        format!("{sign}{text}")
    }
}

/// Seconds with as many decimals as there are.
fn seconds(millis: u64) -> String {
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Lang;

    fn check(millis: i64, en: &str, ko: &str) {
        for (lang, expected) in [(Lang::En, en), (Lang::Ko, ko)] {
            assert_eq!(Human::new("UTC", Words::of(lang)).length(millis), expected);
        }
    }

    #[test]
    fn lengths_are_never_rounded() {
        check(0, "0 ms", "0밀리초");
        check(999, "999 ms", "999밀리초");
        check(45_000, "45 s", "45초");
        check(45_290, "45.29 s", "45.29초");
        check(60_001, "1 min 0.001 s", "1분 0.001초");
        check(192_000, "3 min 12 s", "3분 12초");
        check(7_200_000, "2 h", "2시간");
        check(7_265_000, "2 h 1 min 5 s", "2시간 1분 5초");
        check(-1_500, "-1.5 s", "-1.5초");
    }

    #[test]
    fn moments_are_shown_in_the_zone_with_its_offset() {
        let at = 1_795_312_800_123;
        let shown = |zone| Human::new(zone, Words::of(Lang::En)).exactly(at);
        assert_eq!(shown("Asia/Seoul"), "2026-11-22 11:00:00.123 +09:00");
        assert_eq!(shown("Nowhere/Land"), "2026-11-22 02:00:00.123 +00:00");
    }
}

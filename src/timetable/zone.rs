//! Wall clock times and moments. Here alone it is decided what happens when clocks are changed:
//!
//! - a time in a gap is the first moment after the gap;
//! - a time that comes twice is the first of the two, for runs, windows and the start of a blocked span; the end of a
//!   blocked span is the second, so that a calendar never blocks less than it says.
//!
//! The usual rule for gaps, to keep the distance from the last change (02:30 becomes 03:30), was rejected: runs at 02:15
//! and 03:00 would change their order.

use std::sync::LazyLock;

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase},
};

/// The zones that are compiled in: every host, region and test has the same ones.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone by its IANA name.
#[derive(Clone, Debug)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// # Errors
    /// There is no such zone; says what to write instead.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        match ZONES.get(name) {
            Ok(zone) if !zone.is_unknown() => Ok(Self(zone)),
            _ => Err(unknown(name)),
        }
    }

    /// The first moment at which clocks show a time, or would have shown it.
    pub(super) fn first(&self, civil: DateTime) -> Timestamp {
        self.moment(civil, |before, _| before)
    }

    /// The last moment at which clocks show a time, or would have shown it.
    pub(super) fn last(&self, civil: DateTime) -> Timestamp {
        self.moment(civil, |_, after| after)
    }

    fn moment(&self, civil: DateTime, of_two: fn(Offset, Offset) -> Offset) -> Timestamp {
        let at = |offset: Offset| offset.to_timestamp(civil).unwrap_or_else(|_| beyond(civil));
        match self.0.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset),
            AmbiguousOffset::Fold { before, after } => at(of_two(before, after)),
            // By the offset that is to come, a time in the gap lies before the change.
            AmbiguousOffset::Gap { after, .. } => {
                self.0.following(at(after)).next().map_or_else(|| at(after), |change| change.timestamp())
            }
        }
    }

    /// What clocks show.
    pub(super) fn civil(&self, moment: Timestamp) -> DateTime {
        self.0.to_datetime(moment)
    }

    /// The latest time that clocks have shown: while a time comes for the second time, the end of what comes twice. A time
    /// is after it exactly if its [`first`](Self::first) moment is after `moment`.
    pub(super) fn reached(&self, moment: Timestamp) -> DateTime {
        let shown = self.civil(moment);
        match self.0.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Fold { before, after } if self.0.to_offset(moment) == after => {
                // By the offset of the first time, what is shown lies before the change.
                let first = before.to_timestamp(shown).ok();
                let change = first.and_then(|first| self.0.following(first).next());
                let change = change.map(|change| change.timestamp());
                let end = change.map(|change| before.to_datetime(change));
                end.and_then(|end| end.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()).unwrap_or(shown)
            }
            _ => shown,
        }
    }

    /// Whether it is the same zone.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Whether clocks are never changed after a moment, so that every distance of wall clock times is one of moments.
    pub(super) fn is_steady_after(&self, moment: Timestamp) -> bool {
        self.0.following(moment).next().is_none()
    }
}

/// Years before -9999 and after 9999 do not exist.
fn beyond(civil: DateTime) -> Timestamp {
    if civil.year() < 0 { Timestamp::MIN } else { Timestamp::MAX }
}

fn unknown(name: &str) -> String {
    let city =
        |name: &str| name.rsplit('/').next().unwrap_or_default().replace(' ', "_").to_ascii_lowercase();
    let wanted = city(name);
    let near = ZONES.available().map(|zone| zone.as_str().to_owned()).find(|zone| city(zone) == wanted);
    let instead = near.unwrap_or_else(|| "Asia/Seoul".to_owned());
    format!("{name:?} is no IANA time zone: write one by its whole name, such as {instead}")
}

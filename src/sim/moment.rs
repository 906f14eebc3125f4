//! Virtual time.

use std::{fmt, time::Duration};

/// Microseconds since the start of a simulated run. Finer than the clocks of the product, so that two messages rarely
/// arrive at the same moment by accident of rounding.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(pub u64);

impl Moment {
    /// The start of the run.
    pub const START: Self = Self(0);

    /// The moment that is this long after the start.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self::START.plus(time)
    }

    /// This moment plus a time.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(micros(time)))
    }

    /// Time since an earlier moment; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Moment {
    /// `MM:SS.mmm`, or `H:MM:SS.mmm` after an hour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000;
        let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
        if hours > 0 {
            write!(f, "{hours}:")?;
        }
        write!(f, "{minutes:02}:{:02}.{:03}", millis / 1_000 % 60, millis % 1_000)
    }
}

/// Whole microseconds of a time, at most `u64::MAX`.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

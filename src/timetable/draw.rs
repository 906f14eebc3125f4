//! Where in its spread a run starts.

use std::time::Duration;

use jiff::Timestamp;

use super::{Timetable, plus};

impl Timetable {
    /// The moment at which the run of the slot at `at` starts, drawn by `random` (any number, each equally likely) from the
    /// `span` that begins at `at`. Every second of it at which a run may start is equally likely; those that are outside of
    /// the windows or in a calendar are left out. The same number gives the same moment.
    ///
    /// `None` if a run may start at no moment of it: then the slot is blocked.
    #[must_use]
    pub fn drawn(&self, at: Timestamp, span: Duration, random: u64) -> Option<Timestamp> {
        if span.is_zero() {
            return self.blocked_at(at).is_none().then_some(at);
        }
        let free = self.free(at, plus(at, span));
        let total: u64 = free.iter().map(seconds).sum();
        // The upper half of the product: uniform to 1 in 2^64 / total, without the bias of a remainder.
        let drawn = u64::try_from((u128::from(random) * u128::from(total)) >> 64).unwrap_or(0);
        let mut left = drawn;
        for piece in &free {
            match left.checked_sub(seconds(piece)) {
                Some(rest) => left = rest,
                None => return Some(plus(piece.0, Duration::from_secs(left))),
            }
        }
        None
    }

    /// The pieces of the time from `from` to before `to` in which a run may start, ascending, none empty.
    pub(super) fn free(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let mut open = match self.windows.is_always_open() {
            true => vec![(from, to)],
            false => self.windows.openings(&self.zone, from, to).collect(),
        };
        open = merged(open.into_iter().map(|(first, last)| (first.max(from), last.min(to))).collect());
        let closed = merged(self.calendars.closed(from, to));
        open.into_iter().flat_map(|piece| without(piece, &closed)).collect()
    }
}

/// Whole seconds that begin in a piece.
fn seconds((from, to): &(Timestamp, Timestamp)) -> u64 {
    let time = to.duration_since(*from);
    let whole = u64::try_from(time.as_secs()).unwrap_or(0);
    whole + u64::from(time.subsec_nanos() > 0)
}

/// The same time as ascending pieces that do not touch.
fn merged(mut pieces: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    pieces.retain(|(from, to)| from < to);
    pieces.sort_unstable();
    let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in pieces {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// What is left of a piece. `closed` is ascending and does not overlap itself.
fn without(piece: (Timestamp, Timestamp), closed: &[(Timestamp, Timestamp)]) -> Vec<(Timestamp, Timestamp)> {
    let (mut from, to) = piece;
    let mut left = Vec::new();
    for (closes, opens) in closed {
        if from < *closes {
            left.push((from, to.min(*closes)));
        }
        from = from.max(*opens);
    }
    left.push((from, to));
    left.retain(|(from, to)| from < to);
    left
}

//! One service on the time line, as a row of letters.

use crate::domain::Timestamp;

/// When a service began to leave, was away, began to return, was back.
pub(super) struct Course {
    pub(super) left: Option<Timestamp>,
    pub(super) away: Option<Timestamp>,
    pub(super) returned: Option<Timestamp>,
    pub(super) back: Option<Timestamp>,
}

pub(super) const HOME: char = '─';
pub(super) const MOVING: char = '▒';
pub(super) const AWAY: char = '█';
pub(super) const TO_COME: char = '·';

impl Course {
    /// `width` letters from one moment to another. What is shorter than a letter is still seen: a letter stands for what
    /// was reached at its end, and a move has at least one.
    pub(super) fn bar(&self, from: Timestamp, to: Timestamp, now: Timestamp, width: usize) -> String {
        let span = to.0.saturating_sub(from.0).max(1);
        let cells = i64::try_from(width.max(1)).unwrap_or(1);
        let edge = |cell: i64| Timestamp(from.0 + span * cell / cells);
        (0..cells).map(|cell| self.letter(edge(cell), edge(cell + 1), now)).collect()
    }

    fn letter(&self, begin: Timestamp, end: Timestamp, now: Timestamp) -> char {
        if begin >= now {
            return TO_COME;
        }
        let moves_in = |start: Option<Timestamp>, stop: Option<Timestamp>| {
            start.is_some_and(|start| start < end && stop.is_none_or(|stop| stop >= begin))
        };
        if moves_in(self.left, self.away) || moves_in(self.returned, self.back) {
            return MOVING;
        }
        let is_away = self.away.is_some_and(|away| away < end) && self.back.is_none_or(|back| back >= begin);
        if is_away { AWAY } else { HOME }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: [Option<i64>; 4], now: i64, expected: &str) {
        let [left, away, returned, back] = times.map(|time| time.map(Timestamp));
        let course = Course { left, away, returned, back };
        assert_eq!(course.bar(Timestamp(0), Timestamp(100), Timestamp(now), 10), expected);
    }

    #[test]
    fn a_bar_shows_home_move_away_and_what_is_to_come() {
        check([None; 4], 100, "──────────");
        check([Some(10), None, None, None], 35, "─▒▒▒······");
        check([Some(10), Some(15), None, None], 55, "─▒████····");
        check([Some(10), Some(15), Some(70), Some(75)], 100, "─▒█████▒──");
        check([Some(12), Some(12), Some(70), Some(70)], 100, "─▒█████▒──");
    }
}

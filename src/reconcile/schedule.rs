//! When something that is done at an interval starts: a check's samples, a look at a name server. Pure.

use std::time::Duration;

use crate::domain::{RegionName, ServiceKey, Tick};

/// Lateness of a start that is blamed on this vantage, at most. 500 ms: far above what a busy host needs to wake a task
/// (tens of milliseconds), and half of the shortest interval that is common.
const LATE_MAX: Duration = Duration::from_millis(500);

/// Starts at `phase + n · interval`, whatever the samples before did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Schedule {
    interval: u64,
    phase: u64,
    /// Spreads the starts that are left when not all count.
    turn: u64,
}

impl Schedule {
    /// The schedule of one check or one route (`what`). The phase comes from the names, so that all of them are spread
    /// evenly over the interval, in the same way after each restart.
    pub(super) fn new(interval: Duration, service: &ServiceKey, region: &RegionName, what: &str) -> Self {
        let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
        let names = [&*service.namespace, &*service.name, region.as_str(), what];
        let hash = fnv1a(&names);
        Self { interval, phase: hash % interval, turn: hash / interval }
    }

    /// The first start at or after `now` that comes after the start before it. Missed ones are left out.
    pub(super) fn next(&self, now: Tick, before: Option<Tick>) -> Tick {
        let from = before.map_or(now.0, |before| now.0.max(before.0.saturating_add(1)));
        let rounds = from.saturating_sub(self.phase).div_ceil(self.interval);
        Tick(self.phase.saturating_add(rounds.saturating_mul(self.interval)))
    }

    /// Whether a start is the one in `stride` that is left when the others are left out.
    pub(super) fn is_turn(&self, start: Tick, stride: u64) -> bool {
        (start.0 / self.interval).wrapping_add(self.turn).is_multiple_of(stride.max(1))
    }

    /// How late a start may be to count: half the interval, so that a sample is nearer to its own start than to the
    /// next, but at most [`LATE_MAX`].
    pub(super) fn tolerance(&self) -> Duration {
        Duration::from_millis(self.interval / 2).min(LATE_MAX)
    }
}

/// 64-bit FNV-1a over the names, each ended by a zero byte. Not the standard library's hash: its result may change with
/// the compiler, and the phases with it.
fn fnv1a(names: &[&str]) -> u64 {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(service: &str, check: &str, interval: u64) -> Schedule {
        let service = ServiceKey::new("gpki", service);
        Schedule::new(Duration::from_millis(interval), &service, &RegionName::new("daejeon"), check)
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // Published test vectors are over bytes without our end marks; `\0` alone is one of them.
        assert_eq!(fnv1a(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(&[""]), 0xaf63_bd4c_8601_b7df);
    }

    #[test]
    fn five_thousand_checks_are_spread_over_the_interval() {
        for interval in [1_000, 2_000, 1_024] {
            let mut buckets = vec![0_usize; 10];
            for number in 0..5_000 {
                let phase = schedule(&format!("service-{number}"), "issue", interval).phase;
                buckets[usize::try_from(phase * 10 / interval).unwrap()] += 1;
            }
            let (least, most) = (buckets.iter().min().unwrap(), buckets.iter().max().unwrap());
            assert!(*least > 350 && *most < 700, "{interval}: {buckets:?}");
        }
    }

    #[test]
    fn starts_are_whole_intervals_apart_and_missed_ones_are_left_out() {
        let schedule = Schedule { interval: 1_000, phase: 300, turn: 0 };
        assert_eq!(schedule.next(Tick(0), None), Tick(300));
        assert_eq!(schedule.next(Tick(300), None), Tick(300));
        assert_eq!(schedule.next(Tick(300), Some(Tick(300))), Tick(1_300));
        assert_eq!(schedule.next(Tick(1_299), Some(Tick(300))), Tick(1_300));
        assert_eq!(schedule.next(Tick(1_300), Some(Tick(300))), Tick(1_300));
        assert_eq!(schedule.next(Tick(7_301), Some(Tick(300))), Tick(8_300));
    }

    #[test]
    fn of_starts_that_are_left_out_every_second_or_fourth_stays_and_of_each_check_another() {
        let turns = |check: &str, stride| {
            let schedule = schedule("a", check, 1_000);
            let start = |number: u64| Tick(schedule.phase + number * 1_000);
            (0..8)
                .map(|number| if schedule.is_turn(start(number), stride) { 'x' } else { '.' })
                .collect::<String>()
        };
        assert_eq!(turns("b", 1), "xxxxxxxx");
        let checks = ["a", "b", "c", "d", "e", "f", "g", "h"];
        for (stride, left) in [(2, 4), (4, 2)] {
            let seen: Vec<String> = checks.iter().map(|check| turns(check, stride)).collect();
            assert!(seen.iter().all(|turns| turns.matches('x').count() == left), "{seen:?}");
            assert!(seen.iter().any(|turns| *turns != seen[0]), "{seen:?}");
        }
    }

    #[test]
    fn a_start_may_be_late_by_half_the_interval_but_not_by_more_than_half_a_second() {
        assert_eq!(schedule("a", "b", 100).tolerance(), Duration::from_millis(50));
        assert_eq!(schedule("a", "b", 60_000).tolerance(), Duration::from_millis(500));
    }
}

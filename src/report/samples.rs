//! Samples of a whole drill, put together while it goes on so that a chart can show them.

use std::collections::BTreeMap;

use super::Bucket;

/// Most stretches of one service: a chart of 180 mm cannot show more bars, and neither memory nor report grow with the length
/// of the drill.
const MOST: usize = 120;

/// Answers that took this many milliseconds or less are told apart to the millisecond, slower ones to 1 part in 64. So one
/// stretch knows at most some 1,000 different times, however many samples it has.
const EXACT_BITS: u32 = 7;

/// What one check saw once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// When.
    pub at: i64,
    /// Whether it was good.
    pub good: bool,
    /// How long the answer took, in milliseconds.
    pub took: i64,
}

/// What the checks saw from a moment on, in stretches of the same length: whole seconds, doubled whenever they become too
/// many. Every sample counts, good or bad.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    from: i64,
    length: i64,
    stretches: Vec<Stretch>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Stretch {
    good: u32,
    bad: u32,
    /// How many of the good ones took how long.
    times: BTreeMap<i64, u32>,
}

impl Tally {
    /// Nothing was seen yet.
    #[must_use]
    pub const fn new(from: i64) -> Self {
        Self { from, length: 1000, stretches: Vec::new() }
    }

    /// Counts a sample. One from before the beginning does not count.
    pub fn add(&mut self, sample: Sample) {
        if sample.at < self.from {
            return;
        }
        self.make_room(sample.at.saturating_add(1));
        let index = usize::try_from((sample.at - self.from) / self.length).unwrap_or(MOST);
        if index >= self.stretches.len() {
            self.stretches.resize_with(index + 1, Stretch::default);
        }
        self.stretches[index].add(sample);
    }

    /// The stretches until before a moment. Those in which there was no sample are there as well, since their absence says
    /// something.
    #[must_use]
    pub fn buckets(&self, until: i64) -> Vec<Bucket> {
        let mut all = self.clone();
        all.make_room(until);
        let span = until.saturating_sub(all.from).max(0);
        let count = span / all.length + i64::from(span % all.length > 0);
        let empty = Stretch::default();
        let one = |index: i64| {
            let at = all.from.saturating_add(index.saturating_mul(all.length));
            let stretch = usize::try_from(index).ok().and_then(|index| all.stretches.get(index));
            stretch.unwrap_or(&empty).bucket(at)
        };
        (0..count).map(one).collect()
    }

    /// Makes the stretches as long as they have to be to reach a moment.
    fn make_room(&mut self, until: i64) {
        let span = until.saturating_sub(self.from);
        while span / i64::try_from(MOST).unwrap_or(i64::MAX) >= self.length {
            self.length = self.length.saturating_mul(2);
            let pairs = self.stretches.chunks(2);
            self.stretches = pairs.map(|pair| pair.iter().fold(Stretch::default(), Stretch::with)).collect();
        }
    }
}

impl Stretch {
    fn add(&mut self, sample: Sample) {
        let count = if sample.good { &mut self.good } else { &mut self.bad };
        *count = count.saturating_add(1);
        if sample.good {
            *self.times.entry(rounded_up(sample.took)).or_default() += 1;
        }
    }

    fn with(mut self, other: &Self) -> Self {
        self.good = self.good.saturating_add(other.good);
        self.bad = self.bad.saturating_add(other.bad);
        for (took, count) in &other.times {
            *self.times.entry(*took).or_default() += count;
        }
        self
    }

    fn bucket(&self, at: i64) -> Bucket {
        // The nearest rank: the smallest time within which at least 95 of 100 came.
        let rank = u64::from(self.good) * 95;
        let mut counted = 0;
        let p95 = self.times.iter().find_map(|(took, count)| {
            counted += u64::from(*count);
            (counted * 100 >= rank).then_some(*took)
        });
        Bucket { at, good: self.good, bad: self.bad, p95 }
    }
}

fn rounded_up(took: i64) -> i64 {
    let took = took.max(0);
    let bits = i64::BITS - took.leading_zeros();
    let lost = bits.saturating_sub(EXACT_BITS);
    let step = 1_i64.checked_shl(lost).unwrap_or(i64::MAX);
    took.checked_add(step - 1).map_or(i64::MAX, |up| up / step * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[(i64, bool, i64)], until: i64, expected: &[(i64, u32, u32, Option<i64>)]) {
        let mut tally = Tally::new(0);
        times.iter().for_each(|&(at, good, took)| tally.add(Sample { at, good, took }));
        let found: Vec<_> = tally.buckets(until).iter().map(|b| (b.at, b.good, b.bad, b.p95)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_short_drill_is_counted_by_the_second_with_its_silence() {
        check(
            &[(-1, true, 9), (0, true, 5), (999, false, 70), (2000, true, 6), (2400, true, 9)],
            2500,
            &[(0, 1, 1, Some(5)), (1000, 0, 0, None), (2000, 2, 0, Some(9))],
        );
        check(&[(0, true, 1)], 0, &[]);
    }

    #[test]
    fn the_95th_percentile_is_the_nearest_rank_of_the_good_ones() {
        let hundred: Vec<_> = (1..=100).map(|took| (took, true, took)).chain([(5, false, 9_999)]).collect();
        check(&hundred, 1000, &[(0, 100, 1, Some(95))]);
    }

    #[test]
    fn a_slow_answer_is_told_as_no_faster_than_it_was_and_little_slower() {
        for took in (0..300).chain([1_000, 4_321, 59_999, i64::MAX]) {
            let told = rounded_up(took);
            assert!(told >= took && told - took <= took / 64, "{took}: {told}");
        }
        assert_eq!((rounded_up(127), rounded_up(-1)), (127, 0));
    }

    #[test]
    fn a_long_drill_has_no_more_stretches_than_a_chart_can_show_and_loses_no_sample() {
        let mut tally = Tally::new(0);
        // Fifty hours; one of a hundred is bad.
        for second in 0..180_000_i64 {
            tally.add(Sample { at: second * 1000, good: second % 100 != 0, took: 20 + second % 50 });
            assert!(tally.stretches.len() <= MOST, "{second}");
        }
        let buckets = tally.buckets(180_000_000);
        assert!((60..=120).contains(&buckets.len()), "{}", buckets.len());
        let sum = |count: fn(&Bucket) -> u32| buckets.iter().map(count).sum::<u32>();
        assert_eq!((sum(|b| b.good), sum(|b| b.bad)), (178_200, 1_800));
        for until in [119_000, 120_000, 120_001, 7_200_000, i64::MAX] {
            let count = Tally::new(0).buckets(until).len();
            assert!((60..=120).contains(&count), "{until}: {count}");
        }
    }
}

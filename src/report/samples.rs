//! Samples of a whole drill, put together so that a chart can show them.

use super::Bucket;

/// Most buckets of one service: a chart of 180 mm cannot show more bars, and the report stays small.
const MOST: i64 = 120;

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

/// The samples from a moment until before another, in at most 120 buckets of the same length: whole seconds. Buckets in
/// which there was no sample are there as well, since their absence says something.
#[must_use]
pub fn buckets(samples: &[Sample], from: i64, until: i64) -> Vec<Bucket> {
    let span = until.saturating_sub(from).max(0);
    let length = span.div_euclid(MOST * 1000).saturating_add(1).saturating_mul(1000);
    let count = span.div_euclid(length) + i64::from(span.rem_euclid(length) > 0);
    let one = |index: i64| {
        let begin = from.saturating_add(index * length);
        let end = begin.saturating_add(length).min(until);
        bucket(begin, samples.iter().filter(|sample| (begin..end).contains(&sample.at)))
    };
    (0..count).map(one).collect()
}

fn bucket<'a>(at: i64, samples: impl Iterator<Item = &'a Sample>) -> Bucket {
    let (good, bad): (Vec<&Sample>, Vec<&Sample>) = samples.partition(|sample| sample.good);
    let mut times: Vec<i64> = good.iter().map(|sample| sample.took).collect();
    times.sort_unstable();
    // The nearest rank: the smallest time within which at least 95 of 100 came.
    let rank = (times.len() * 95).div_ceil(100).saturating_sub(1);
    let count = |samples: &[&Sample]| u32::try_from(samples.len()).unwrap_or(u32::MAX);
    Bucket { at, good: count(&good), bad: count(&bad), p95: times.get(rank).copied() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[(i64, bool, i64)], until: i64, expected: &[(i64, u32, u32, Option<i64>)]) {
        let samples: Vec<_> = times.iter().map(|&(at, good, took)| Sample { at, good, took }).collect();
        let found: Vec<_> =
            buckets(&samples, 0, until).iter().map(|b| (b.at, b.good, b.bad, b.p95)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_short_drill_is_counted_by_the_second_with_its_silence() {
        check(
            &[(-1, true, 9), (0, true, 5), (999, false, 70), (2000, true, 6), (2500, true, 9)],
            2500,
            &[(0, 1, 1, Some(5)), (1000, 0, 0, None), (2000, 1, 0, Some(6))],
        );
        check(&[(0, true, 1)], 0, &[]);
    }

    #[test]
    fn the_95th_percentile_is_the_nearest_rank_of_the_good_ones() {
        let hundred: Vec<_> = (1..=100).map(|took| (took, true, took)).chain([(5, false, 9_999)]).collect();
        check(&hundred, 1000, &[(0, 100, 1, Some(95))]);
    }

    #[test]
    fn a_long_drill_has_no_more_buckets_than_a_chart_can_show() {
        for until in [119_000, 120_000, 120_001, 7_200_000, i64::MAX] {
            let count = buckets(&[], 0, until).len();
            assert!((1..=120).contains(&count), "{until}: {count}");
        }
    }
}

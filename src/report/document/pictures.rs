//! What the pictures show: numbers, and the texts beside them.

use super::services::named;
use crate::report::{Bucket, Move, ServiceResult, human::Human, words::Words};

/// A time against its target, and where it went.
pub(in crate::report) struct Times {
    pub(in crate::report) real: i64,
    pub(in crate::report) target: Option<i64>,
    pub(in crate::report) predicted: Option<i64>,
    pub(in crate::report) real_shown: String,
    pub(in crate::report) target_shown: String,
    pub(in crate::report) predicted_shown: String,
    pub(in crate::report) segments: Vec<Segment>,
}

/// A stretch of a move: until the clock of this name.
pub(in crate::report) struct Segment {
    pub(in crate::report) name: &'static str,
    pub(in crate::report) millis: i64,
    pub(in crate::report) shown: String,
}

/// The samples of a service over the drill.
pub(in crate::report) struct Samples {
    pub(in crate::report) buckets: Vec<Bucket>,
    /// First moment after the last bucket.
    pub(in crate::report) until: i64,
    pub(in crate::report) from_shown: String,
    pub(in crate::report) until_shown: String,
    pub(in crate::report) longest_p95: Option<(i64, String)>,
    pub(in crate::report) shades: Vec<Shade>,
}

/// Time during which the service was being moved.
pub(in crate::report) struct Shade {
    pub(in crate::report) from: i64,
    pub(in crate::report) until: i64,
}

pub(super) fn times(service: &ServiceResult, words: &Words, human: &Human) -> Option<Times> {
    let real = service.rto.real.filter(|real| *real >= 0)?;
    let shown = |millis: Option<i64>| millis.map(|millis| human.length(millis)).unwrap_or_default();
    Some(Times {
        real,
        target: service.rto.target,
        predicted: service.rto.predicted,
        real_shown: human.length(real),
        target_shown: shown(service.rto.target),
        predicted_shown: shown(service.rto.predicted),
        segments: segments(service, words, human),
    })
}

/// From the first clock to verified service, which is what counts as its RTO.
fn segments(service: &ServiceResult, words: &Words, human: &Human) -> Vec<Segment> {
    let Some(away) = &service.away else {
        return Vec::new();
    };
    let clocks = named(&away.clocks, &words.clocks);
    let until_verified = &clocks[..clocks.len() - 1];
    let known: Vec<_> = until_verified.iter().filter_map(|(name, at)| at.map(|at| (*name, at))).collect();
    let stretch = |pair: &[(&'static str, i64)]| {
        let millis = pair[1].1.saturating_sub(pair[0].1).max(0);
        Segment { name: pair[1].0, millis, shown: human.length(millis) }
    };
    known.windows(2).map(stretch).collect()
}

pub(super) fn samples(service: &ServiceResult, human: &Human) -> Option<Samples> {
    let buckets = service.samples.clone();
    let (first, last) = (buckets.first()?.at, buckets.last()?.at);
    let length = buckets.get(1).map_or(1000, |second| second.at.saturating_sub(first)).max(1);
    let until = last.saturating_add(length);
    let shade = |one: &Option<Move>| {
        let clocks = one.as_ref()?.clocks;
        Some(Shade { from: clocks.decided?, until: clocks.verified.or(clocks.settled)? })
    };
    Some(Samples {
        until,
        from_shown: human.of_day(first),
        until_shown: human.of_day(until),
        longest_p95: buckets.iter().filter_map(|b| b.p95).max().map(|p95| (p95, human.length(p95))),
        shades: [&service.away, &service.back].into_iter().filter_map(shade).collect(),
        buckets,
    })
}

//! What a run watches besides the health of its services: numbers that somebody else measures, and samples of its own.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{DrillPhase, PreCheck, RuleOutcome};
use crate::domain::{Limits, Measured, Outcome, Standing, Timestamp};

/// A number that somebody else measures, and where it must lie.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Name, for messages and the report.
    pub name: Arc<str>,
    /// What is asked.
    pub query: String,
    /// The smallest good value.
    pub min: Option<f64>,
    /// The largest good value.
    pub max: Option<f64>,
    /// Asked for as long as services are away, and not only before the start.
    pub guards: bool,
    /// What still arrives where the services were: asked while they are held, and looked at once, at the end.
    #[serde(default)]
    pub residual: bool,
    /// How long the value may be out of its limits before the run returns.
    pub may_break_for: Duration,
    /// How long nothing may be known of the value before the run returns.
    pub may_be_unknown_for: Duration,
    /// Since when it has been out of its limits.
    #[serde(default)]
    pub broken_since: Option<Timestamp>,
    /// Since when nothing has been known of it.
    #[serde(default)]
    pub unknown_since: Option<Timestamp>,
}

impl Condition {
    /// Where its number must lie.
    const fn must_lie(&self) -> Limits {
        Limits { min: self.min, max: self.max }
    }

    /// What a measurement says of it; `None` while nobody has asked.
    pub(super) fn judge(&self, measured: &Measured) -> Option<Standing> {
        match measured {
            Measured::NotAsked => None,
            Measured::Unknown(why) => Some(Standing::Unknown(why.clone())),
            Measured::Values(values) => Some(self.must_lie().judge(values)),
        }
    }

    /// The limits in words.
    #[must_use]
    pub fn limits(&self) -> String {
        self.must_lie().to_string()
    }

    /// The condition as a check before the start; `None` while nobody has asked. Who cannot see does not start.
    pub(super) fn check(&self, measured: &Measured) -> Option<PreCheck> {
        let (outcome, message) = match self.judge(measured)? {
            Standing::Kept(text) => (RuleOutcome::Pass, text),
            Standing::Broken(text) => (RuleOutcome::Block, text),
            Standing::Unknown(why) => (RuleOutcome::Block, format!("it is not known: {why}")),
        };
        Some(PreCheck { name: self.check_name(), service: None, outcome, message })
    }

    /// Whether its number is wanted in this phase of a run.
    #[must_use]
    pub const fn is_asked_in(&self, phase: DrillPhase) -> bool {
        match phase {
            DrillPhase::Announced => !self.residual,
            DrillPhase::Leaving => self.guards,
            DrillPhase::Holding => self.guards || self.residual,
            DrillPhase::Returning | DrillPhase::Over => false,
        }
    }

    /// Its name among the checks before the start and among the guardrails.
    #[must_use]
    pub fn check_name(&self) -> String {
        format!("PromQL/{}", self.name)
    }

    /// Takes in what is measured during the run; why it must return, if it must.
    pub(super) fn watch(&mut self, measured: &Measured, now: Timestamp) -> Option<String> {
        let standing = self.judge(measured);
        let broken = matches!(standing, Some(Standing::Broken(_)));
        let unknown = matches!(standing, Some(Standing::Unknown(_)) | None);
        // What is not known is not good again either: only a good value ends a bad time.
        if broken {
            self.broken_since.get_or_insert(now);
        } else if !unknown {
            self.broken_since = None;
        }
        self.unknown_since = unknown.then(|| self.unknown_since.unwrap_or(now));
        let lasts = |since: Option<Timestamp>, limit| since.is_some_and(|since| now.since(since) >= limit);
        let name = &self.name;
        match standing {
            Some(Standing::Broken(text)) if lasts(self.broken_since, self.may_break_for) => {
                Some(format!("{name}: {text}"))
            }
            Some(Standing::Unknown(why)) if lasts(self.unknown_since, self.may_be_unknown_for) => {
                Some(format!("{name} has not been known for {:?}: {why}", self.may_be_unknown_for))
            }
            None if lasts(self.unknown_since, self.may_be_unknown_for) => {
                Some(format!("{name} has not been asked for {:?}", self.may_be_unknown_for))
            }
            _ => None,
        }
    }
}

/// What the samples of a member must keep to. Judged where they are taken.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleLimits {
    /// The last samples of each check that are looked at. Before there are so many, nothing is said.
    pub count: usize,
    /// The 95th percentile of their latencies.
    pub max_latency: Option<Duration>,
    /// Percent of them that may be bad.
    pub max_failed_percent: Option<u32>,
}

impl SampleLimits {
    /// What is beyond the limits in the samples of one check, newest last.
    #[must_use]
    pub fn beyond(&self, samples: &[(Outcome, Duration)]) -> Option<String> {
        let from = samples.len().checked_sub(self.count)?;
        let looked_at = samples.get(from..)?;
        let bad = looked_at.iter().filter(|(outcome, _)| outcome.is_bad()).count();
        if let Some(limit) = self.max_failed_percent
            && bad * 100 > self.count * usize::try_from(limit).unwrap_or(usize::MAX)
        {
            return Some(format!("{bad} of the last {} samples are bad, {limit} % may be", self.count));
        }
        let limit = self.max_latency?;
        let mut latencies: Vec<Duration> = looked_at.iter().map(|(_, latency)| *latency).collect();
        latencies.sort_unstable();
        // Nearest rank: of twenty the nineteenth, so one slow answer among twenty is no reason.
        let rank = (self.count * 95).div_ceil(100).max(1);
        let found = *latencies.get(rank - 1)?;
        (found > limit).then(|| {
            format!(
                "of the last {} samples 95 % took up to {} ms, {limit:?} are allowed",
                self.count,
                found.as_millis()
            )
        })
    }
}

impl fmt::Display for SampleLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of the last {} samples of a check", self.count)?;
        if let Some(limit) = self.max_latency {
            write!(f, ", the slowest 5 % take longer than {limit:?}")?;
        }
        match self.max_failed_percent {
            Some(limit) => write!(f, ", more than {limit} % are bad"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition() -> Condition {
        Condition {
            name: Arc::from("errors"),
            query: "errors".to_owned(),
            min: None,
            max: Some(0.01),
            guards: true,
            residual: false,
            may_break_for: Duration::from_secs(10),
            may_be_unknown_for: Duration::from_secs(60),
            broken_since: None,
            unknown_since: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    #[test]
    fn every_value_must_be_within_the_limits_and_no_value_says_nothing() {
        let judge = |values: &[f64]| condition().judge(&Measured::Values(values.to_vec())).unwrap();
        assert!(matches!(judge(&[0.0, 0.01]), Standing::Kept(_)));
        assert_eq!(judge(&[0.0, 0.5]), Standing::Broken("it is 0.5, and must be at most 0.01".to_owned()));
        assert!(matches!(judge(&[f64::INFINITY]), Standing::Broken(_)));
        assert!(matches!(judge(&[]), Standing::Unknown(_)));
        assert!(matches!(judge(&[0.0, f64::NAN]), Standing::Unknown(_)));
        let low = Condition { min: Some(0.2), max: None, ..condition() };
        assert!(matches!(low.judge(&Measured::Values(vec![0.1])).unwrap(), Standing::Broken(_)));
    }

    #[test]
    fn before_the_start_what_is_not_known_blocks_and_what_was_not_asked_is_waited_for() {
        let check = |measured| condition().check(&measured).map(|check| check.outcome);
        assert_eq!(check(Measured::Values(vec![0.0])), Some(RuleOutcome::Pass));
        assert_eq!(check(Measured::Values(vec![1.0])), Some(RuleOutcome::Block));
        assert_eq!(check(Measured::Unknown("refused".to_owned())), Some(RuleOutcome::Block));
        assert_eq!(check(Measured::NotAsked), None);
    }

    #[test]
    fn a_value_trips_after_its_time_and_silence_between_bad_values_is_no_good_value() {
        let mut watched = condition();
        let bad = Measured::Values(vec![1.0]);
        let silent = Measured::Unknown("no answer".to_owned());
        assert_eq!(watched.watch(&bad, at(0)), None);
        assert_eq!(watched.watch(&silent, at(5)), None);
        assert_eq!(watched.watch(&bad, at(10)).unwrap(), "errors: it is 1, and must be at most 0.01");
        assert_eq!(watched.watch(&Measured::Values(vec![0.0]), at(11)), None);
        assert_eq!(watched.watch(&bad, at(12)), None, "it counts anew");
    }

    #[test]
    fn a_value_that_is_not_known_for_long_trips() {
        let mut watched = condition();
        let silent = Measured::Unknown("no answer".to_owned());
        assert_eq!(watched.watch(&silent, at(0)), None);
        assert_eq!(watched.watch(&Measured::NotAsked, at(59)), None);
        assert!(watched.watch(&silent, at(60)).unwrap().contains("not been known for 60s: no answer"));
        assert_eq!(watched.watch(&Measured::Values(vec![0.0]), at(61)), None);
        assert_eq!(watched.watch(&silent, at(62)), None);
    }

    #[test]
    fn samples_are_judged_by_their_last_ones_and_only_when_there_are_enough() {
        let limits = SampleLimits {
            count: 20,
            max_latency: Some(Duration::from_millis(100)),
            max_failed_percent: Some(10),
        };
        let fast = (Outcome::Ok, Duration::from_millis(10));
        let slow = (Outcome::Slow, Duration::from_millis(900));
        let bad = (Outcome::Wrong, Duration::from_millis(10));
        let of = |samples: &[(usize, (Outcome, Duration))]| {
            let all: Vec<_> =
                samples.iter().flat_map(|(count, sample)| std::iter::repeat_n(*sample, *count)).collect();
            limits.beyond(&all)
        };
        assert_eq!(of(&[(19, bad)]), None, "too few to say anything");
        assert_eq!(of(&[(18, fast), (2, bad)]), None);
        assert_eq!(of(&[(17, fast), (3, bad)]).unwrap(), "3 of the last 20 samples are bad, 10 % may be");
        assert_eq!(of(&[(3, bad), (20, fast)]), None, "what is longer ago does not count");
        assert_eq!(of(&[(19, fast), (1, slow)]), None);
        assert!(of(&[(18, fast), (2, slow)]).unwrap().contains("95 % took up to 900 ms"));
    }
}

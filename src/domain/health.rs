//! From samples to a verdict: what one vantage says of one member.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Tick, Timestamp};

/// What one run of a check saw.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Outcome {
    /// The right answer in time.
    #[default]
    Ok,
    /// The right answer, later than the latency limit: an early sign.
    Slow,
    /// The right answer, and what it rests on runs out soon, such as a certificate: an early sign.
    Expiring,
    /// The member does its work, and a number says that it may not for long, such as the length of a queue: an early sign.
    Strained,
    /// An answer that cannot be judged here, such as one that is signed by an algorithm that this build does not know. Neither good nor
    /// bad: it is no sample.
    Unjudged,
    /// An answer that is not right.
    Wrong,
    /// Nobody listens, or the peer broke off.
    Refused,
    /// No answer within the timeout.
    Unreachable,
}

impl Outcome {
    /// Every outcome, for metrics.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Slow,
        Self::Expiring,
        Self::Strained,
        Self::Unjudged,
        Self::Wrong,
        Self::Refused,
        Self::Unreachable,
    ];

    /// Whether the member did its work.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Ok | Self::Slow | Self::Expiring | Self::Strained)
    }

    /// Whether the member did not do its work.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Wrong | Self::Refused | Self::Unreachable)
    }

    /// The word in metrics and status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Expiring => "expiring",
            Self::Strained => "strained",
            Self::Unjudged => "unjudged",
            Self::Wrong => "wrong",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
        }
    }
}

/// One run of a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// When it was started, by this process's clock.
    pub at: Tick,
    /// When it was started, by the wall clock.
    pub wall: Timestamp,
    /// What it saw.
    pub outcome: Outcome,
}

/// What a window of samples says.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(from = "Word")]
pub enum Verdict {
    /// It works.
    Healthy,
    /// It works, but an early sign is there.
    Degraded,
    /// It failed, and works again, not yet for as long as [`Recovery`] wants.
    Recovering,
    /// Not enough was seen to say anything; also what a newer version says in a word that this one does not know.
    #[default]
    Unknown,
    /// It does not work.
    Failed,
}

/// A verdict as it is read. The order of verdicts is that of badness, and what stands for every other word must be the last.
#[derive(Deserialize)]
enum Word {
    Healthy,
    Degraded,
    Recovering,
    Failed,
    #[serde(other)]
    Unknown,
}

impl From<Word> for Verdict {
    fn from(word: Word) -> Self {
        match word {
            Word::Healthy => Self::Healthy,
            Word::Degraded => Self::Degraded,
            Word::Recovering => Self::Recovering,
            Word::Failed => Self::Failed,
            Word::Unknown => Self::Unknown,
        }
    }
}

impl Verdict {
    /// Every verdict, for metrics.
    pub const ALL: [Self; 5] = [Self::Healthy, Self::Degraded, Self::Recovering, Self::Unknown, Self::Failed];

    /// Whether the member does its work, whatever else is to be said of it.
    #[must_use]
    pub const fn works(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded | Self::Recovering)
    }

    /// The word in metrics and status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Degraded => "Degraded",
            Self::Recovering => "Recovering",
            Self::Unknown => "Unknown",
            Self::Failed => "Failed",
        }
    }
}

/// A member is as good as its worst check. One unknown check keeps it from being healthy, but not from having failed.
///
/// A sign is a check that asks somebody else about the member. It can make the member degraded and never worse, and one of which
/// nothing is known says nothing: whoever was asked may be the one that is down.
#[must_use]
pub fn together(
    checks: impl IntoIterator<Item = Verdict>,
    signs: impl IntoIterator<Item = Verdict>,
) -> Verdict {
    // The order of the variants is the order of badness.
    let worst = checks.into_iter().max().unwrap_or(Verdict::Unknown);
    let warned = signs.into_iter().any(|sign| matches!(sign, Verdict::Degraded | Verdict::Failed));
    if warned && worst == Verdict::Healthy { Verdict::Degraded } else { worst }
}

/// How samples become verdicts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthPolicy {
    /// Time between the starts of two samples.
    pub interval: Duration,
    /// Time after which a sample is `Unreachable`.
    pub timeout: Duration,
    /// When a member is called failed.
    pub window: Window,
    /// When it is called healthy again.
    pub recovery: Recovery,
    /// Vantages that must agree.
    pub quorum: u32,
}

/// `failures` bad samples of the last `size`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Samples looked at, 1 to 60.
    pub size: u32,
    /// Bad ones that make a failed verdict, 1 to `size`.
    pub failures: u32,
}

/// `successes` good samples in a row over at least `stable_for`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// Good samples in a row, 1 to 60.
    pub successes: u32,
    /// Time without a bad or slow sample.
    pub stable_for: Duration,
}

/// The last samples of one check of one member at one vantage, and what they say.
///
/// Two-sided: the way down is `window`, the way up is `recovery`. A member that was never judged is called healthy
/// after `recovery.successes` good samples without waiting for `stable_for`: there is no fault to recover from.
#[derive(Clone, Debug)]
pub struct CheckWindow {
    policy: HealthPolicy,
    samples: VecDeque<Sample>,
    verdict: Verdict,
    /// Samples that were right in time.
    fine: Row,
    /// The same with those that were right and a sign of something.
    works: Row,
    onset: Option<Timestamp>,
}

/// Samples of a kind, one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    length: u32,
    since: Option<Tick>,
}

impl Row {
    fn take(&mut self, fits: bool, at: Tick) {
        *self = match fits {
            true => Self { length: self.length.saturating_add(1), since: Some(self.since.unwrap_or(at)) },
            false => Self::default(),
        };
    }

    fn is_stable(self, time: Duration, now: Tick) -> bool {
        self.since.is_some_and(|since| now.since(since) >= time)
    }
}

impl CheckWindow {
    /// A window that has seen nothing.
    #[must_use]
    pub fn new(policy: HealthPolicy) -> Self {
        Self {
            policy,
            samples: VecDeque::with_capacity(policy.window.size as usize),
            verdict: Verdict::Unknown,
            fine: Row::default(),
            works: Row::default(),
            onset: None,
        }
    }

    /// What the window says.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Start of the first bad sample of the last failure, also when that is over.
    #[must_use]
    pub const fn onset(&self) -> Option<Timestamp> {
        self.onset
    }

    /// Outcome of the last sample.
    #[must_use]
    pub fn last(&self) -> Option<Outcome> {
        self.samples.back().map(|sample| sample.outcome)
    }

    /// Takes a sample in; `true` if the verdict changed.
    pub fn record(&mut self, sample: Sample) -> bool {
        if sample.outcome == Outcome::Unjudged {
            // Bad ones that are far apart must not add up over hours in which nothing could be judged.
            let limit = self.limit();
            self.samples.retain(|earlier| sample.at.since(earlier.at) <= limit);
            return self.expire(sample.at);
        }
        if self.samples.len() >= self.policy.window.size as usize {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.fine.take(sample.outcome == Outcome::Ok, sample.at);
        self.works.take(sample.outcome.is_good(), sample.at);
        let before = self.verdict;
        self.verdict = self.judge(sample.at);
        self.note_onset(before);
        before != self.verdict
    }

    /// Forgets what is too old to be believed; `true` if the verdict changed. Called when no sample came, because the
    /// vantage itself was late.
    pub fn expire(&mut self, now: Tick) -> bool {
        let stale = self.samples.back().is_none_or(|last| now.since(last.at) > self.limit());
        if !stale || self.verdict == Verdict::Unknown {
            return false;
        }
        *self = Self::new(self.policy);
        true
    }

    /// Age at which samples are too old: one window's length. After it, none of those that a verdict needs is recent.
    fn limit(&self) -> Duration {
        self.policy.interval * self.policy.window.size + self.policy.timeout
    }

    /// Forgets a failure that may have been this vantage's own: it is judged anew, from what comes. When it began stays
    /// known, because the words of several services are written one after the other: by it those that are still there
    /// are known to be left of the same fault. `true` if there was one.
    pub fn forget_failure(&mut self) -> bool {
        let failed = self.verdict == Verdict::Failed;
        if failed {
            *self = Self { onset: self.onset, ..Self::new(self.policy) };
        }
        failed
    }

    fn judge(&self, now: Tick) -> Verdict {
        let failures = self.policy.window.failures as usize;
        let bad = self.samples.iter().filter(|s| s.outcome.is_bad()).count();
        let not_ok = self.samples.iter().filter(|s| s.outcome != Outcome::Ok).count();
        if bad >= failures {
            Verdict::Failed
        } else if self.recovered(now) {
            Verdict::Healthy
        } else if self.failed_before() && !self.lasts(self.works, now) {
            // Most of it is good again, not yet for long enough: no vote for taking it away, and no target either. Else
            // two vantages that were cut off, one after the other, could together move a service that works (I9).
            Verdict::Recovering
        } else if self.failed_before() || not_ok >= failures {
            Verdict::Degraded
        } else {
            self.verdict
        }
    }

    const fn failed_before(&self) -> bool {
        matches!(self.verdict, Verdict::Failed | Verdict::Recovering)
    }

    fn recovered(&self, now: Tick) -> bool {
        let never_judged = self.verdict == Verdict::Unknown;
        self.lasts(self.fine, now) || (never_judged && self.fine.length >= self.policy.recovery.successes)
    }

    fn lasts(&self, row: Row, now: Tick) -> bool {
        let Recovery { successes, stable_for } = self.policy.recovery;
        row.length >= successes && row.is_stable(stable_for, now)
    }

    fn note_onset(&mut self, before: Verdict) {
        if self.verdict == Verdict::Failed && before != Verdict::Failed {
            self.onset = self.samples.iter().find(|s| s.outcome.is_bad()).map(|s| s.wall);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: HealthPolicy = HealthPolicy {
        interval: Duration::from_secs(1),
        timeout: Duration::from_millis(500),
        window: Window { size: 5, failures: 3 },
        recovery: Recovery { successes: 3, stable_for: Duration::from_secs(10) },
        quorum: 2,
    };

    /// Feeds one sample a second: `+` ok, `~` slow, `e` expiring, `u` unjudged, `-` wrong, `r` refused, `x` unreachable, `.` none.
    /// The answer has one letter a second: `H`, `D`, `R`, `U` or `F`.
    fn check(samples: &str, expected: &str) {
        let mut window = CheckWindow::new(POLICY);
        let mut said = String::new();
        for (second, letter) in samples.chars().enumerate() {
            let at = Tick(second as u64 * 1_000);
            let outcome = match letter {
                '+' => Some(Outcome::Ok),
                '~' => Some(Outcome::Slow),
                'e' => Some(Outcome::Expiring),
                'u' => Some(Outcome::Unjudged),
                '-' => Some(Outcome::Wrong),
                'r' => Some(Outcome::Refused),
                'x' => Some(Outcome::Unreachable),
                _ => None,
            };
            let before = window.verdict();
            let changed = match outcome {
                Some(outcome) => window.record(Sample { at, wall: Timestamp(at.0 as i64), outcome }),
                None => window.expire(at),
            };
            assert_eq!(changed, before != window.verdict(), "second {second} of {samples}");
            said.push_str(&window.verdict().as_str()[..1]);
        }
        assert_eq!(said, expected, "{samples}");
    }

    #[test]
    fn three_bad_of_five_make_a_member_failed_whatever_kind_of_bad() {
        check("+++-r+x", "UUHHHHF");
    }

    #[test]
    fn two_bad_of_five_change_nothing() {
        check("+++x+x+++x+x", "UUHHHHHHHHHH");
    }

    #[test]
    fn a_failed_member_that_is_good_again_is_recovering_and_healthy_only_after_time() {
        check("+++xxx++++++++++++", "UUHHHFFFRRRRRRRRHH");
    }

    #[test]
    fn a_bad_sample_starts_the_recovery_time_again() {
        check("xxx++++++++x++++++++++++", "UUFFFRRRRRRRRRRRRRRRRRHH");
    }

    #[test]
    fn a_failed_member_that_comes_back_with_a_sign_is_degraded_after_the_same_time() {
        check("+++xxx~~~~~~~~~~~~~~", "UUHHHFFFRRRRRRRRDDDD");
        check("xxx~~~~~~~~~~~~~++++++++++++", "UUFFFRRRRRRRRDDDDDDDDDDDDDHH");
    }

    #[test]
    fn what_runs_out_soon_degrades_and_does_not_fail() {
        check("+++eeeeee", "UUHHHDDDD");
    }

    #[test]
    fn answers_that_cannot_be_judged_are_no_samples_and_a_member_is_unknown_after_a_window_of_them() {
        check("+++uuuuuu", "UUHHHHHHU");
        // They neither hide a failure nor make one.
        check("+++-u-u-u", "UUHHHHHFF");
        check("uuuuuuuu", "UUUUUUUU");
        // A bad one in six is not three of five, however long it goes on.
        check("+++-uuuuu-uuuuu-uuuuu-", "UUHHHHHHHHHHHHHHHHHHHH");
        check("-uuuuuu-uuuuuu-uuuuuu", "UUUUUUUUUUUUUUUUUUUUU");
    }

    #[test]
    fn slow_answers_degrade_and_do_not_fail() {
        check("+++~~~~~~", "UUHHHDDDD");
    }

    #[test]
    fn nothing_seen_is_unknown_and_silence_becomes_unknown_again() {
        check("..", "UU");
        check("+++......", "UUHHHHHHU");
    }

    #[test]
    fn the_onset_is_the_first_bad_sample_and_not_the_last() {
        let mut window = CheckWindow::new(POLICY);
        for (second, outcome) in
            [Outcome::Ok, Outcome::Wrong, Outcome::Ok, Outcome::Wrong, Outcome::Wrong].into_iter().enumerate()
        {
            let at = Tick(second as u64 * 1_000);
            window.record(Sample { at, wall: Timestamp(at.0 as i64), outcome });
        }
        assert_eq!(window.onset(), Some(Timestamp(1_000)));
        assert!(window.forget_failure() && !window.forget_failure());
        assert_eq!(
            (window.verdict(), window.onset()),
            (Verdict::Unknown, Some(Timestamp(1_000))),
            "stays known"
        );
    }

    #[test]
    fn a_word_that_is_not_known_is_unknown_and_every_other_is_read_as_it_was_written() {
        let read = |text: &str| serde_json::from_str::<Verdict>(text).unwrap();
        for verdict in Verdict::ALL {
            assert_eq!(read(&serde_json::to_string(&verdict).unwrap()), verdict);
        }
        assert_eq!(read("\"Transcendent\""), Verdict::Unknown);
    }

    #[test]
    fn one_unknown_check_keeps_a_member_from_being_healthy_but_not_from_having_failed() {
        use Verdict::{Degraded, Failed, Healthy, Unknown};
        let worst = |checks: &[Verdict]| together(checks.iter().copied(), []);
        assert_eq!(worst(&[Healthy, Unknown, Degraded]), Unknown);
        assert_eq!(worst(&[Healthy, Unknown, Failed]), Failed);
        assert_eq!(worst(&[Healthy, Degraded]), Degraded);
        assert_eq!(worst(&[]), Unknown);
    }

    #[test]
    fn a_sign_makes_a_member_degraded_and_never_worse_and_one_that_is_not_known_says_nothing() {
        use Verdict::{Degraded, Failed, Healthy, Unknown};
        for (check, sign, said) in [
            (Healthy, Healthy, Healthy),
            (Healthy, Unknown, Healthy),
            (Healthy, Degraded, Degraded),
            (Healthy, Failed, Degraded),
            (Unknown, Healthy, Unknown),
            (Unknown, Degraded, Unknown),
            (Failed, Degraded, Failed),
        ] {
            assert_eq!(together([check], [sign]), said, "{check:?} and a sign that is {sign:?}");
        }
        assert_eq!(together([], [Healthy]), Unknown, "a sign alone judges nobody");
    }
}

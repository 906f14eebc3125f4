//! One member: its checks, their windows, and what they say together.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{MemberVerdict, Watched};
use crate::{
    domain::{
        CheckWindow, Outcome, RegionName, Sample, SampleLimits, ServiceKey, Symptom, Tick, Timestamp,
        Verdict, together,
    },
    ports::{Clock, Endpoint, Probe, ProbeError, Prober, Reading},
};

/// Bytes of a reason. 1,000: an event's note has 1,024.
pub(super) const REASON_BYTES_MAX: usize = 1_000;

/// Samples of each check that are kept for the limits of drills: as many as a drill may look at.
const RECENT_MAX: usize = 60;

/// A member under watch.
pub(super) struct Member {
    pub(super) service: ServiceKey,
    pub(super) region: RegionName,
    pub(super) checks: Vec<Check>,
    state: Mutex<State>,
}

/// A check, prepared or not.
pub(super) struct Check {
    pub(super) name: Arc<str>,
    pub(super) timeout: Duration,
    pub(super) probe: Result<Arc<dyn Probe>, ProbeError>,
    /// It asks somebody else about the member.
    pub(super) is_sign: bool,
}

struct State {
    windows: Vec<CheckWindow>,
    /// The last samples of each check, newest last.
    recent: Vec<VecDeque<(Outcome, Duration)>>,
    limits: Option<SampleLimits>,
    /// What was first seen beyond the limits, by check.
    beyond: Vec<Option<String>>,
    /// The last sample of each check, if it was not good.
    complaints: Vec<Complaint>,
    verdict: Verdict,
    since: Timestamp,
    /// Samples that fill the windows of all checks that run.
    full: usize,
    /// How many of them are still to come since nothing could be said of the member.
    awaited: usize,
}

/// A sample that was not good; empty for one that was.
#[derive(Clone, Default)]
struct Complaint {
    /// In words.
    text: String,
    /// Where it broke.
    symptom: Option<Symptom>,
}

impl Complaint {
    fn of(reading: &Reading) -> Self {
        if reading.outcome == Outcome::Ok {
            return Self::default();
        }
        let text = format!("{}: {}", reading.outcome.as_str(), reading.detail);
        Self { text, symptom: reading.symptom }
    }
}

impl Member {
    pub(super) fn new(
        watched: &Watched,
        region: &RegionName,
        endpoint: &Endpoint,
        prober: &dyn Prober,
        clock: &dyn Clock,
    ) -> Self {
        let checks: Vec<Check> = watched
            .checks
            .iter()
            .map(|spec| Check {
                name: Arc::clone(&spec.name),
                timeout: spec.timeout,
                probe: prober.prepare(endpoint, &spec.of(region)),
                is_sign: spec.kind.is_sign(),
            })
            .collect();
        let running = checks.iter().filter(|check| check.probe.is_ok() && !check.is_sign).count();
        let full = running * usize::try_from(watched.health.window.size).unwrap_or(usize::MAX);
        let state = State {
            windows: checks.iter().map(|_| CheckWindow::new(watched.health)).collect(),
            recent: vec![VecDeque::new(); checks.len()],
            limits: None,
            beyond: vec![None; checks.len()],
            complaints: vec![Complaint::default(); checks.len()],
            verdict: Verdict::Unknown,
            since: clock.wall(),
            full,
            awaited: full,
        };
        Self { service: watched.service.clone(), region: region.clone(), checks, state: Mutex::new(state) }
    }

    /// Takes a sample in; the member's new verdict if it changed, and whether something else is to be said: it crossed a
    /// limit, or is awaited no longer.
    pub(super) fn record(&self, check: usize, sample: Sample, reading: &Reading) -> (Option<Verdict>, bool) {
        let mut state = self.state();
        let changed = self.take_in(&mut state, check, sample, reading);
        if self.is_sign(check) {
            return (changed, false);
        }
        let crossed = state.note_recent(check, reading);
        (changed, state.await_less() || crossed)
    }

    /// Whether it cannot be judged yet, since the start or since its samples were forgotten, and soon can.
    pub(super) fn is_awaited(&self) -> bool {
        self.state().is_awaited()
    }

    fn take_in(&self, state: &mut State, check: usize, sample: Sample, reading: &Reading) -> Option<Verdict> {
        state.windows.get_mut(check)?.record(sample);
        *state.complaints.get_mut(check)? = Complaint::of(reading);
        state.judge(&self.checks, sample.wall)
    }

    /// Judges the samples by these limits from now on; `true` if what is said changed.
    pub(super) fn limit(&self, limits: Option<SampleLimits>) -> bool {
        let mut state = self.state();
        if state.limits == limits {
            return false;
        }
        state.limits = limits;
        let before = std::mem::take(&mut state.beyond);
        state.beyond = state.recent.iter().map(|recent| beyond(limits, recent)).collect();
        before != state.beyond
    }

    /// Forgets what is too old, because a sample is missing; the member's new verdict if it changed, and whether it is
    /// awaited no longer.
    pub(super) fn expire(&self, check: usize, now: Tick, wall: Timestamp) -> (Option<Verdict>, bool) {
        let mut state = self.state();
        if state.windows.get_mut(check).is_some_and(|window| window.expire(now))
            && let Some(complaint) = state.complaints.get_mut(check)
        {
            *complaint = Complaint::default();
        }
        let changed = state.judge(&self.checks, wall);
        (changed, !self.is_sign(check) && state.await_less())
    }

    fn is_sign(&self, check: usize) -> bool {
        self.checks.get(check).is_some_and(|check| check.is_sign)
    }

    /// Judges a failed member anew, from what comes; its new verdict if it was one.
    pub(super) fn forget_failure(&self, wall: Timestamp) -> Option<Verdict> {
        let mut state = self.state();
        let State { windows, complaints, .. } = &mut *state;
        for (window, complaint) in windows.iter_mut().zip(complaints) {
            if window.forget_failure() {
                *complaint = Complaint::default();
            }
        }
        state.judge(&self.checks, wall)
    }

    /// What is said now.
    pub(super) fn verdict(&self) -> MemberVerdict {
        let state = self.state();
        let alike = state.windows.iter().filter(|window| window.verdict() == state.verdict);
        let onsets = alike.filter_map(CheckWindow::onset);
        MemberVerdict {
            verdict: state.verdict,
            onset: if state.verdict == Verdict::Failed { onsets.min() } else { onsets.max() },
            since: state.since,
            reason: self.reason(&state),
            symptom: symptom(&state),
            beyond: self.beyond(&state),
        }
    }

    /// One part for each check that is as bad as the member, or that cannot be run.
    fn reason(&self, state: &State) -> String {
        let mut reason = String::new();
        let seen = self.checks.iter().zip(&state.windows).zip(&state.complaints);
        for ((check, window), complaint) in seen {
            let part = match &check.probe {
                Err(error) => error.to_string(),
                Ok(_) if state.verdict == Verdict::Healthy || window.verdict() != state.verdict => continue,
                // A sign makes nobody unknown.
                Ok(_) if check.is_sign && state.verdict != Verdict::Degraded => continue,
                Ok(_) if complaint.text.is_empty() => {
                    format!("check {}: {}", check.name, quiet_reason(window.verdict()))
                }
                Ok(_) => format!("check {}: {}", check.name, complaint.text),
            };
            if reason.len() + part.len() + 2 > REASON_BYTES_MAX {
                break;
            }
            let separator = if reason.is_empty() { "" } else { "; " };
            reason.push_str(separator);
            reason.push_str(&part);
        }
        reason
    }

    /// The first check whose samples are beyond the limits.
    fn beyond(&self, state: &State) -> Option<String> {
        let both = self.checks.iter().zip(&state.beyond);
        both.filter_map(|(check, beyond)| Some(format!("check {}: {}", check.name, beyond.as_ref()?))).next()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change leaves the state whole, so it is good even if a holder of the lock panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_awaited(&self) -> bool {
        self.verdict == Verdict::Unknown && self.awaited > 0
    }

    /// One sample has come, or should have; `true` if the member is awaited no longer because of that.
    fn await_less(&mut self) -> bool {
        let before = self.is_awaited();
        self.awaited = self.awaited.saturating_sub(1);
        before && !self.is_awaited()
    }

    /// Keeps a sample for the limits; `true` if one was crossed, or is kept to again.
    fn note_recent(&mut self, check: usize, reading: &Reading) -> bool {
        let (Some(recent), Some(said)) = (self.recent.get_mut(check), self.beyond.get_mut(check)) else {
            return false;
        };
        if reading.outcome == Outcome::Unjudged {
            return false;
        }
        if recent.len() >= RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back((reading.outcome, reading.latency));
        let now = beyond(self.limits, recent);
        let crossed = now.is_some() != said.is_some();
        if crossed {
            *said = now;
        }
        crossed
    }

    fn judge(&mut self, checks: &[Check], wall: Timestamp) -> Option<Verdict> {
        let of = |sign: bool| {
            let each = checks.iter().zip(&self.windows).filter(move |(check, _)| check.is_sign == sign);
            each.map(|(_, window)| window.verdict())
        };
        let verdict = together(of(false), of(true));
        if verdict == self.verdict {
            return None;
        }
        self.verdict = verdict;
        self.since = wall;
        self.awaited = self.full;
        Some(verdict)
    }
}

fn beyond(limits: Option<SampleLimits>, recent: &VecDeque<(Outcome, Duration)>) -> Option<String> {
    let limits = limits?;
    let samples: Vec<_> = recent.iter().copied().collect();
    limits.beyond(&samples)
}

/// Where the first check breaks that is as bad as the member.
fn symptom(state: &State) -> Option<Symptom> {
    let both = state.windows.iter().zip(&state.complaints);
    let mut alike = both.filter(|(window, _)| window.verdict() == state.verdict);
    alike.find_map(|(_, complaint)| complaint.symptom).filter(|_| state.verdict != Verdict::Healthy)
}

/// Why a check is not healthy although its last sample was good.
const fn quiet_reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "good",
        Verdict::Degraded => "a sign a moment ago",
        Verdict::Recovering | Verdict::Failed => "good again, not yet for long enough",
        Verdict::Unknown => "not enough samples",
    }
}

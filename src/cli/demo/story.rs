//! The state of the demo: what was told so far, folded together. No I/O and no clock; the views only read it.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

use serde::Serialize;

use super::event::{Event, RuleSaid};
use crate::domain::{Epoch, RegionName, Run, Tick, Timestamp};

/// Verifications that are kept for the strip: half a minute of them.
const STRIP: usize = 150;

/// Lines that are kept for the screen's log.
const LOG: usize = 100;

/// When each phase was reached, in milliseconds since the fault. `None`: it was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clocks {
    /// The power was cut: 0.
    pub(super) fault: Option<u64>,
    /// A quorum of vantages called the member down, as a Bongsu that lives showed it.
    pub(super) detected: Option<u64>,
    /// Another Bongsu became the leader.
    pub(super) leader: Option<u64>,
    /// The plan was in the ledger.
    pub(super) decided: Option<u64>,
    /// The new epoch was in the ledger.
    pub(super) fenced: Option<u64>,
    /// The name servers gave the new answer.
    pub(super) shifted: Option<u64>,
    /// The citizen was served again.
    pub(super) served: Option<u64>,
    /// Bongsu saw the new member answer well after the old answer had run out.
    pub(super) verified: Option<u64>,
}

impl Clocks {
    /// Names and times, in the order in which they are shown.
    pub(super) const fn all(&self) -> [(&'static str, Option<u64>); 8] {
        let Self { fault, detected, leader, decided, fenced, shifted, served, verified } = *self;
        [
            ("fault", fault),
            ("detected", detected),
            ("leader", leader),
            ("decided", decided),
            ("fenced", fenced),
            ("shifted", shifted),
            ("served", served),
            ("verified", verified),
        ]
    }
}

/// One data center, as the views show it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: RegionName,
    pub(super) service: Option<SocketAddr>,
    pub(super) lost: bool,
    /// Its Bongsu's lease; `None`: never seen.
    pub(super) alive: Option<bool>,
    /// Health of its member by quorum, and by vantage.
    pub(super) health: String,
    pub(super) verdicts: BTreeMap<String, String>,
}

/// One verification in the strip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) ok: bool,
    /// Index of the data center that was asked.
    pub(super) place: Option<usize>,
}

/// Everything that was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) begun: Tick,
    pub(super) now: Tick,
    pub(super) fault: Option<(Tick, Timestamp)>,
    /// When the drill began. What happens from then on is no part of the failover.
    pub(super) drill: Option<Tick>,
    pub(super) places: Vec<Place>,
    pub(super) leader: Option<RegionName>,
    pub(super) epoch: Epoch,
    pub(super) serving: Vec<RegionName>,
    pub(super) next_move: Option<(String, String)>,
    pub(super) strip: VecDeque<Mark>,
    pub(super) good_in_a_row: usize,
    pub(super) requests: usize,
    /// Errors since the fault or the drill, by reason.
    pub(super) errors: BTreeMap<String, usize>,
    /// Errors after the citizen was served again.
    pub(super) errors_after: usize,
    pub(super) latencies: Vec<u64>,
    pub(super) answer: Option<(IpAddr, u64)>,
    pub(super) predicted_millis: Option<u64>,
    pub(super) rules: Vec<RuleSaid>,
    pub(super) clocks: Clocks,
    pub(super) moved_to: Vec<RegionName>,
    pub(super) over: Option<String>,
    pub(super) log: VecDeque<(Tick, String)>,
}

impl Story {
    /// Time that is shown beside what happened at `at`: since the drill began, else since the fault, else since the start.
    pub(super) fn shown(&self, at: Tick) -> u64 {
        let zeros = [self.drill, self.fault.map(|(fault, _)| fault)];
        let zero = zeros.into_iter().flatten().find(|zero| at >= *zero);
        millis(at, zero.unwrap_or(self.begun))
    }

    /// Takes in what happened. `true`: with it, the citizen is served again.
    pub(super) fn take(&mut self, at: Tick, event: &Event) -> bool {
        let before = self.clocks.served;
        let sentence = event.sentence().filter(|_| self.is_news(event));
        self.fold(at, event);
        if let Some(sentence) = sentence {
            self.log.push_back((at, sentence));
            let surplus = self.log.len().saturating_sub(LOG);
            self.log.drain(..surplus);
        }
        self.clocks.served != before
    }

    /// Whether people should be told; to be asked before it is taken in. While everything starts, what could not be
    /// done yet is no news, and neither is a leader who was seen to decide.
    pub(super) fn is_news(&self, event: &Event) -> bool {
        match event {
            Event::NextMove { outcome, .. } => self.predicted_millis.is_some() || outcome == "Ready",
            Event::Leader { region } => *region != self.leader,
            _ => true,
        }
    }

    fn fold(&mut self, at: Tick, event: &Event) {
        match event {
            Event::Region { region, service, .. } => self.places.push(Place {
                name: region.clone(),
                service: *service,
                lost: false,
                alive: None,
                health: "Unknown".to_owned(),
                verdicts: BTreeMap::new(),
            }),
            Event::Leader { region } => {
                self.leader.clone_from(region);
                if region.is_some() {
                    self.clocks.leader = self.clocks.leader.or(self.since_fault(at));
                }
            }
            Event::Lease { region, alive } => self.place(region.as_str(), |place| place.alive = Some(*alive)),
            Event::Serving { epoch, regions } => {
                (self.epoch, self.serving) = (*epoch, regions.clone());
            }
            Event::Verdict { vantage, member, verdict, .. } => {
                let (vantage, verdict) = (vantage.clone(), verdict.clone());
                self.place(member, |place| drop(place.verdicts.insert(vantage, verdict)));
            }
            Event::Health { member, health } => self.judged(at, member, health),
            Event::NextMove { outcome, message } => self.next_move = Some((outcome.clone(), message.clone())),
            Event::Steady { predicted_rto_millis, .. } => self.predicted_millis = Some(*predicted_rto_millis),
            Event::Fault { lost } => {
                lost.iter().for_each(|region| self.place(region, |place| place.lost = true));
                (self.good_in_a_row, self.clocks.fault) = (0, Some(0));
            }
            Event::Restored { region } => self.place(region.as_str(), |place| place.lost = false),
            Event::Answer { address, ttl_seconds, .. } => self.answer = Some((*address, *ttl_seconds)),
            Event::Request { ok, begun, address, latency_millis, error } => {
                self.request(at, *begun, *ok, *address, *latency_millis, error.as_deref());
            }
            Event::Decision { by, to, rules, .. } => {
                (self.moved_to, self.rules) = (to.clone(), rules.clone());
                // Who decides leads; that may be seen before the lease is.
                self.leader = Some(by.clone());
            }
            Event::Over { state, .. } => self.over = Some(state.clone()),
            Event::Step { .. }
            | Event::Served { .. }
            | Event::Drill { .. }
            | Event::DrillSummary(_)
            | Event::Summary(_) => {}
        }
    }

    fn place(&mut self, name: &str, change: impl FnOnce(&mut Place)) {
        if let Some(place) = self.places.iter_mut().find(|place| place.name.as_str() == name) {
            change(place);
        }
    }

    fn judged(&mut self, at: Tick, member: &str, health: &str) {
        self.place(member, |place| health.clone_into(&mut place.health));
        if health == "Down" {
            self.clocks.detected = self.clocks.detected.or(self.since_fault(at));
        }
    }

    fn request(
        &mut self,
        at: Tick,
        begun: Tick,
        ok: bool,
        address: Option<IpAddr>,
        latency: u64,
        error: Option<&str>,
    ) {
        let of = |place: &Place| place.service.map(|service| service.ip()) == address && address.is_some();
        let place = self.places.iter().position(of);
        self.strip.push_back(Mark { ok, place });
        let surplus = self.strip.len().saturating_sub(STRIP);
        self.strip.drain(..surplus);
        self.requests += 1;
        self.good_in_a_row = if ok { self.good_in_a_row + 1 } else { 0 };
        if ok {
            self.latencies.push(latency);
        }
        if let (Some(error), true) = (error, self.fault.is_some() || self.drill.is_some()) {
            *self.errors.entry(error.to_owned()).or_default() += 1;
            self.errors_after += usize::from(self.clocks.served.is_some());
        }
        // An answer that was on its way when the power went is no recovery, and neither is one of the lost place.
        let after = self.fault.is_some_and(|(fault, _)| begun >= fault);
        let from_another = place.and_then(|index| self.places.get(index)).is_some_and(|place| !place.lost);
        if ok && after && from_another {
            self.clocks.served = self.clocks.served.or(self.since_fault(at));
        }
    }

    /// Milliseconds since the fault; `None` before it.
    pub(super) fn since_fault(&self, at: Tick) -> Option<u64> {
        self.fault.filter(|(fault, _)| at >= *fault).map(|(fault, _)| millis(at, fault))
    }

    /// Takes the times over that the ledger keeps of the move.
    pub(super) fn take_run(&mut self, run: &Run) {
        let (Some((_, fault)), None) = (self.fault, self.drill) else { return };
        let since = |at: Option<Timestamp>| {
            at.map(|at| u64::try_from(at.since(fault).as_millis()).unwrap_or(u64::MAX))
        };
        let times = &run.times;
        let clocks = &mut self.clocks;
        clocks.decided = since(times.decided);
        clocks.fenced = since(times.fenced);
        clocks.shifted = since(times.shifted);
        clocks.verified = since(times.verified);
        // Seen from outside, and so some milliseconds late; whoever decided led and had detected by then.
        for seen in [&mut clocks.detected, &mut clocks.leader] {
            *seen = match (*seen, clocks.decided) {
                (Some(seen), Some(decided)) => Some(seen.min(decided)),
                (seen, _) => seen,
            };
        }
    }

    /// Errors since the fault or the drill.
    pub(super) fn error_count(&self) -> usize {
        self.errors.values().sum()
    }

    /// The latency that half of the good verifications stay below.
    pub(super) fn median_latency(&self) -> u64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// Whether every Bongsu watches, and every one of them calls every member healthy.
    pub(super) fn all_agree(&self) -> bool {
        let watching = self.places.iter().all(|place| place.alive == Some(true));
        let mut members = self.places.iter().filter(|place| place.service.is_some());
        let healthy = |place: &Place| place.verdicts.values().filter(|said| *said == "Healthy").count();
        watching && members.all(|place| healthy(place) == self.places.len())
    }
}

fn millis(at: Tick, zero: Tick) -> u64 {
    u64::try_from(at.since(zero).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

//! How long things took.

use std::{collections::BTreeMap, time::Duration};

use super::{
    citizen::Outage,
    witness::{Glimpse, Moved},
};
use crate::{
    domain::{Run, ServiceKey, StepKind, Timestamp},
    ports::Event,
    sim::{Moment, Site, Violation, clock::WALL_AT_START},
};

/// What was seen of a whole run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub end: Moment,
    /// The invariant that was broken; the run ended there.
    pub broken: Option<Violation>,
    pub outages: BTreeMap<ServiceKey, Vec<Outage>>,
    pub moves: BTreeMap<ServiceKey, Vec<Moved>>,
    /// In the order of their names; with the moment when each came into the ledger.
    pub runs: Vec<(Moment, Run)>,
    pub glimpses: BTreeMap<Moment, Glimpse>,
    pub events: Vec<(Moment, Site, Event)>,
    pub story: Vec<(Moment, String)>,
    /// Entries of the time line that waited for a step which no run came to.
    pub never_began: Vec<(usize, ServiceKey, StepKind)>,
}

/// A part of the run: from a moment, up to and with another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub from: Moment,
    pub to: Moment,
}

impl Span {
    pub(super) fn holds(self, at: Moment) -> bool {
        self.from <= at && at <= self.to
    }
}

/// The phases of a move.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Detect,
    Decide,
    Shift,
    Verify,
}

impl Seen {
    /// Outages of a service that began in a part of the run.
    fn outages<'a>(&'a self, service: &ServiceKey, span: Span) -> impl Iterator<Item = &'a Outage> {
        self.outages.get(service).into_iter().flatten().filter(move |outage| span.holds(outage.from))
    }

    /// From the first citizen who is not served until all are again, for good. `None`: they are not at the end.
    pub(super) fn rto(&self, service: &ServiceKey, span: Span) -> Option<Duration> {
        let Some(first) = self.outages(service, span).next() else { return Some(Duration::ZERO) };
        let last = self.outages(service, span).last()?;
        last.until.map(|until| until.since(first.from))
    }

    /// How long citizens were not served, all in all, and why not at first.
    pub(super) fn unserved(&self, service: &ServiceKey, span: Span) -> (Duration, Option<&str>) {
        let lasted = |outage: &Outage| outage.until.unwrap_or(self.end).min(span.to).since(outage.from);
        let total = self.outages(service, span).map(lasted).sum();
        (total, self.outages(service, span).next().map(|outage| outage.why.as_str()))
    }

    /// How long a phase of the first unplanned move took that was decided in a part of the run.
    pub(super) fn phase(&self, service: &ServiceKey, span: Span, phase: Phase) -> Result<Duration, String> {
        let moved = |(at, run): &&(Moment, Run)| {
            run.service == *service && run.plan.change.trigger.is_unplanned() && span.holds(*at)
        };
        let mut found: Vec<&(Moment, Run)> = self.runs.iter().filter(moved).collect();
        found.sort_by_key(|(at, _)| *at);
        let (_, run) = found.first().ok_or("no move was decided")?;
        let times = &run.times;
        let fault = self.outages(service, span).next().map(|outage| outage.from);
        let (from, to) = match phase {
            Phase::Detect => (fault.or(times.fault.map(moment)), times.detected),
            Phase::Decide => (times.detected.map(moment), times.decided),
            Phase::Shift => (times.decided.map(moment), times.shifted),
            Phase::Verify => (times.shifted.map(moment), times.verified),
        };
        match (from, to.map(moment)) {
            (Some(from), Some(to)) => Ok(to.since(from)),
            _ => Err(format!("{} never came so far", run.id)),
        }
    }

    /// How often it was decided who serves, without the first time.
    pub(super) fn moves<'a>(&'a self, service: &ServiceKey, span: Span) -> impl Iterator<Item = &'a Moved> {
        let all = self.moves.get(service).into_iter().flatten().skip(1);
        all.filter(move |moved| span.holds(moved.at))
    }
}

/// The moment of a time by the hosts' wall clocks, as if they were right.
fn moment(at: Timestamp) -> Moment {
    let millis = u64::try_from(at.0.saturating_sub(WALL_AT_START)).unwrap_or(0);
    Moment(millis.saturating_mul(1_000))
}

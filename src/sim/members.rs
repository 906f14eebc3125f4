//! The members of the services, and the probes of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    clock::Sleep,
    moment::{Moment, micros},
    network::Site,
    process::Life,
    setup::Setup,
    world::{State, World},
};
use crate::{
    domain::{Outcome, ServiceKey},
    ports::{CheckSpec, Endpoint, Probe, ProbeError, Prober, Reading},
};

/// What a member does when it is asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Condition {
    /// Answers well.
    #[default]
    Good,
    /// Its port is closed.
    Down,
    /// Takes the connection and never answers.
    Hangs,
    /// Answers well, after this time.
    Slow(Duration),
    /// Answers quickly, with the wrong body. A TCP check finds it good.
    Wrong,
    /// Closes its port for this long, opens it for as long, and so on.
    Flaps(Duration),
}

/// One member.
pub(super) struct Member {
    pub service: ServiceKey,
    pub site: Site,
    pub condition: Condition,
    /// Its site has no power.
    pub dark: bool,
}

/// All members, and what was truly seen of them.
pub(super) struct Members {
    pub list: Vec<Member>,
    by_endpoint: BTreeMap<(Arc<str>, u16), usize>,
    seen: BTreeMap<(u16, usize), Seen>,
}

/// Time after which a vantage that sees everything fail is known to: the samples that make a failure, and another
/// round of them for the second region.
const KNOWN_AFTER: Duration = Duration::from_secs(10);

/// Samples that are remembered of a member.
const REMEMBERED: usize = 12;

/// The last samples that one vantage took of one member, as they were, whatever it says of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    samples: [(Moment, bool); REMEMBERED],
    count: usize,
}

impl Seen {
    fn note(&mut self, at: Moment, bad: bool) {
        self.samples[self.count % REMEMBERED] = (at, bad);
        self.count += 1;
    }

    /// Samples since a moment that were bad, or good.
    pub(super) fn since(&self, from: Moment, bad: bool) -> usize {
        let known = self.samples.iter().take(self.count.min(REMEMBERED));
        known.filter(|(at, was_bad)| *at >= from && *was_bad == bad).count()
    }
}

impl Members {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut by_endpoint = BTreeMap::new();
        let mut list = Vec::new();
        for member in &setup.members {
            by_endpoint.entry((member.host.clone(), member.port)).or_insert(list.len());
            let (service, site) = (member.service.clone(), member.site);
            list.push(Member { service, site, condition: Condition::Good, dark: false });
        }
        Self { list, by_endpoint, seen: BTreeMap::new() }
    }

    pub(super) fn index(&self, service: &ServiceKey, site: Site) -> Option<usize> {
        self.list.iter().position(|member| member.service == *service && member.site == site)
    }

    pub(super) fn seen(&self, process: u16, member: usize) -> Seen {
        self.seen.get(&(process, member)).copied().unwrap_or_default()
    }

    /// Whether it answers well within a time at this moment.
    pub(super) fn is_good(&self, member: usize, within: Duration, now: Moment) -> bool {
        let answered = self.list.get(member).map(|found| found.answers(now, true));
        matches!(answered, Some((Outcome::Ok, Some(time))) if time <= within)
    }
}

impl Member {
    /// The outcome of asking it, and when the answer comes; `None`: never.
    fn answers(&self, now: Moment, transaction: bool) -> (Outcome, Option<Duration>) {
        const QUICK: Option<Duration> = Some(Duration::from_millis(5));
        match self.condition {
            _ if self.dark => (Outcome::Unreachable, None),
            Condition::Down => (Outcome::Refused, QUICK),
            Condition::Hangs if transaction => (Outcome::Unreachable, None),
            Condition::Slow(time) if transaction => (Outcome::Ok, Some(time)),
            Condition::Wrong if transaction => (Outcome::Wrong, QUICK),
            Condition::Flaps(half) if (now.0 / micros(half).max(1)).is_multiple_of(2) => {
                (Outcome::Refused, QUICK)
            }
            _ => (Outcome::Ok, QUICK),
        }
    }
}

/// Probes of one process.
pub(super) struct SimProber {
    pub world: Arc<World>,
    pub life: Life,
    pub site: Site,
}

struct SimProbe {
    world: Arc<World>,
    life: Life,
    site: Site,
    member: Option<usize>,
    bytes: usize,
    transaction: bool,
    timeout: Duration,
    max_latency: Option<Duration>,
}

impl Prober for SimProber {
    fn prepare(&self, endpoint: &Endpoint, check: &CheckSpec) -> Result<Arc<dyn Probe>, ProbeError> {
        let member =
            self.world.state().members.by_endpoint.get(&(endpoint.host.clone(), endpoint.port)).copied();
        Ok(Arc::new(SimProbe {
            world: self.world.clone(),
            life: self.life,
            site: self.site,
            member,
            bytes: check.kind.request_bytes(),
            transaction: check.kind.is_transaction(),
            timeout: check.timeout,
            max_latency: check.max_latency,
        }))
    }
}

#[async_trait]
impl Probe for SimProbe {
    async fn run(&self) -> Reading {
        let (outcome, latency) = self.sample();
        // A good answer is taken in at once: nothing depends on the few milliseconds that it takes, and it is what
        // nearly all samples are.
        if outcome != Outcome::Ok {
            let until = self.world.now().plus(latency);
            Sleep { world: &self.world, life: self.life, until, registered: false }.await;
        }
        let detail = if outcome == Outcome::Ok { String::new() } else { "simulated".to_owned() };
        Reading { outcome, latency, detail, ..Reading::default() }
    }
}

impl SimProbe {
    fn sample(&self) -> (Outcome, Duration) {
        let now = self.world.now();
        let state = &mut *self.world.state();
        let lost = (Outcome::Unreachable, self.timeout);
        let Some(index) = self.member else { return lost };
        let Some(site) = state.members.list.get(index).map(|member| member.site) else { return lost };
        let passes = state.passes(self.site, site, self.bytes);
        let answered = state.members.list.get(index).map(|member| member.answers(now, self.transaction));
        let (outcome, latency) = match answered {
            Some((outcome, Some(latency))) if passes && latency < self.timeout => match self.max_latency {
                Some(limit) if latency > limit && outcome == Outcome::Ok => (Outcome::Slow, latency),
                _ => (outcome, latency),
            },
            _ => lost,
        };
        let lies = site != self.site && state.processes.lies(self.life);
        let process = state.processes.get(self.life.process);
        let blind = process.and_then(|process| Some(process.blind_since?.max(process.awake_since)));
        // What a vantage sees by its own fault says nothing of a member elsewhere; except at first, when it has not yet
        // seen a second region turn bad and nobody can know.
        let believable = site == self.site || blind.is_none_or(|since| now.since(since) < KNOWN_AFTER);
        let bad = outcome.is_bad();
        if believable || !bad || lies {
            let seen = state.members.seen.entry((self.life.process, index)).or_default();
            // A liar may say what is true.
            seen.note(now, bad || (lies && believable));
        }
        if lies {
            return (Outcome::Refused, Duration::from_millis(1));
        }
        (outcome, latency)
    }
}

impl State {
    /// Whether a question of this size and its answer both get through now.
    pub(super) fn passes(&mut self, from: Site, to: Site, bytes: usize) -> bool {
        if from == to {
            return true;
        }
        let links = [self.network.link(from, to), self.network.link(to, from)];
        !links.iter().any(|link| link.loses(bytes, &mut self.rng))
    }
}

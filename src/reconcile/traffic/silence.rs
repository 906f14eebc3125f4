//! Name servers that do not answer. Nothing waits for one that is known to be silent; whether it is back is asked at a
//! bounded rate, and what it has missed is made up for by the looks that follow.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::BEHIND_INTERVAL;
use crate::{
    domain::Tick,
    ports::{DnsRoute, Route, RouteKind, ServerState, TrafficError},
    reconcile::agent::Agent,
};

/// Time between two looks of all services together that come earlier than [`super::LOOK_INTERVAL`] because a server does not
/// answer. Each may wait for that server as long as one call may take (2 s), so this is two workers' time, however many
/// services there are. The first that is answered brings the others to look.
const HURRY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a server counts as silent that nobody has asked since: three looks that come because it is.
const SILENCE_COUNTS: Duration = Duration::from_secs(15);

/// A server that says sooner than this that nobody is there costs no time, and is always asked. Far above a round trip
/// between distant sites (50 ms), and far below the limit of a call (2 s).
const WAITED_IN_VAIN: Duration = Duration::from_millis(500);

/// What every server of a route that was asked has said, in the order of the route.
pub(super) type Heard = Vec<Result<ServerState, TrafficError>>;

/// When services look at a name server that did not answer the last time.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Hurry {
    last: Option<Tick>,
    /// When a server answered last that had not before.
    pub(super) back: Option<Tick>,
    /// Servers that were waited for in vain the last time, whatever the service: when that was, and what was found out.
    silent: BTreeMap<SocketAddr, (Tick, TrafficError)>,
}

/// Which servers of a route are asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whom {
    /// All of them, to see whether a silent one is back.
    All,
    /// Those that are not known to be silent.
    Answering,
    /// The same, but all of them where none would be left: a move must not fail untried.
    AnsweringOrAll,
}

/// What is about to be asked.
pub(super) struct Question {
    /// The route with the servers that are asked.
    pub route: Route,
    /// For each server of the whole route: what is known of one that is not asked.
    known: Vec<Option<TrafficError>>,
    at: Tick,
}

impl Hurry {
    /// Whom a route asks now that was looked at then and is behind, if it is to look at all; this is then the look of all
    /// services.
    pub(super) fn is_due(&mut self, seen: Tick, now: Tick) -> Option<Whom> {
        if self.back.is_some_and(|back| back > seen) {
            return Some(Whom::Answering);
        }
        let free = self.last.is_none_or(|last| now.since(last) >= HURRY_INTERVAL);
        let due = free && now.since(seen) >= BEHIND_INTERVAL;
        if due {
            self.last = Some(now);
        }
        due.then_some(Whom::All)
    }

    fn silence(&self, server: &SocketAddr, now: Tick) -> Option<TrafficError> {
        let (at, error) = self.silent.get(server)?;
        (now.since(*at) < SILENCE_COUNTS).then(|| error.clone())
    }

    fn note(
        &mut self,
        server: SocketAddr,
        result: &Result<ServerState, TrafficError>,
        waited: bool,
        now: Tick,
    ) {
        match result {
            Err(error @ TrafficError::Unreachable { .. }) if waited => {
                self.silent.insert(server, (now, error.clone()));
            }
            _ => {
                self.silent.remove(&server);
            }
        }
    }
}

impl Agent {
    /// Chooses the servers of a route that are asked.
    pub(super) fn question(&self, route: Route, whom: Whom) -> Question {
        let at = self.ports.clock.tick();
        let servers = servers(&route);
        let known: Vec<Option<TrafficError>> = match whom {
            Whom::All => vec![None; servers.len()],
            Whom::Answering | Whom::AnsweringOrAll => {
                let shared = self.shared();
                servers.iter().map(|server| shared.hurry.silence(server, at)).collect()
            }
        };
        let none_left = known.iter().all(Option::is_some);
        match route.kind {
            RouteKind::Dns(dns) if !(none_left && whom == Whom::AnsweringOrAll) => {
                let asked = dns.servers.iter().zip(&known).filter(|(_, known)| known.is_none());
                let servers = asked.map(|(server, _)| *server).collect();
                let kind = RouteKind::Dns(DnsRoute { servers, ..dns });
                Question { route: Route { kind, ..route }, known, at }
            }
            // There is one, and it is the ledger, or all of them are silent.
            _ => Question { known: vec![None; known.len().max(1)], route, at },
        }
    }

    /// Takes note of who answered. Gives back what is known of each server of the whole route.
    pub(super) fn heard(&self, question: Question, results: Heard) -> Heard {
        let now = self.ports.clock.tick();
        let waited = now.since(question.at) >= WAITED_IN_VAIN;
        {
            let mut shared = self.shared();
            for (server, result) in servers(&question.route).iter().zip(&results) {
                shared.hurry.note(*server, result, waited, now);
            }
        }
        let mut results = results.into_iter();
        question.known.into_iter().filter_map(|known| known.map(Err).or_else(|| results.next())).collect()
    }
}

fn servers(route: &Route) -> &[SocketAddr] {
    match &route.kind {
        RouteKind::Dns(dns) => &dns.servers,
        RouteKind::Served(_) => &[],
    }
}

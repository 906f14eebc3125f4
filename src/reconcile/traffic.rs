//! Traffic of one service: what is published, what should be, and catching up those that are behind.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use futures::future::join_all;
use tracing::{info, warn};

use super::{
    agent::Agent,
    book::SpecSource,
    catalog::Catalog,
    parse::{NoKey, Parsed, RouteSpec},
    schedule::Schedule,
};
use crate::{
    domain::{Record, RouteName, ServiceKey, StepResult, Tick},
    observability::PassOutcome,
    planted::planted,
    ports::{Answer, Route, ServerState, TrafficError},
};

/// Time between two looks at what a name server publishes while nothing moves. Half a minute finds a name server that
/// came back from an old backup soon enough, and costs a thousand services 33 look-ups a second.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// The same while a name server is behind or does not answer. One that comes back shows what it showed when it was lost, and
/// leads clients there until it is brought up to date.
const BEHIND_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two looks of all services together that come earlier than [`LOOK_INTERVAL`] because a server does not
/// answer. Each may wait for that server as long as one call may take (2 s), so this is two workers' time, however many
/// services there are. The first that is answered brings the others to look.
const HURRY_INTERVAL: Duration = Duration::from_secs(1);

/// Waits as after this many failures, some seconds, for a key that only the cluster has.
const RECALLED_TRY: u32 = 4;

/// What was seen of a route last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteSeen {
    /// Servers that answered.
    pub servers: Vec<ServerState>,
    /// When.
    pub at: Tick,
    /// Servers that do not show what the ledger says, or did not answer, and why. Empty: all is in step.
    pub behind: Vec<String>,
}

/// When services look at a name server that did not answer the last time.
#[derive(Debug, Default)]
pub(super) struct Hurry {
    last: Option<Tick>,
    /// When a server answered last that had not before.
    back: Option<Tick>,
}

impl Hurry {
    /// Whether a route that was looked at then is looked at now; this is then the look of all services.
    fn is_due(&mut self, seen: Tick, now: Tick) -> bool {
        if self.back.is_some_and(|back| back > seen) {
            return true;
        }
        let free = self.last.is_none_or(|last| now.since(last) >= HURRY_INTERVAL);
        let due = free && now.since(seen) >= BEHIND_INTERVAL;
        if due {
            self.last = Some(now);
        }
        due
    }
}

impl Agent {
    /// Reads what all routes of a service publish that the ledger does not know yet. The second part is what could not
    /// be read; until it can, nothing is established, so it is also shown.
    pub(super) async fn read_routes(&self, parsed: &Parsed) -> (Vec<ServerState>, Option<String>) {
        let mut read = Vec::new();
        let mut unread = Vec::new();
        for (name, spec) in &parsed.routes {
            let (good, errors) = match self.with_key(parsed, name, spec).await {
                Ok(route) => {
                    let (good, bad) = self.split(spec, self.ports.traffic.read(&route).await);
                    (good, bad.iter().map(ToString::to_string).collect())
                }
                Err(error) => (Vec::new(), vec![error]),
            };
            if good.is_empty() {
                unread.extend(errors.iter().cloned());
            }
            read.extend(good.iter().cloned());
            self.note_seen(parsed, name, good, errors);
        }
        (read, (!unread.is_empty()).then(|| unread.join("; ")))
    }

    /// Whether this process has asked the name servers of every route, whatever came of it.
    pub(super) fn has_looked(&self, parsed: &Parsed) -> bool {
        let shared = self.shared();
        let seen = shared.routes.get(&parsed.service.key);
        parsed.routes.keys().all(|name| seen.is_some_and(|seen| seen.contains_key(name)))
    }

    /// What the servers showed that hold the newest epoch, if that is newer than the ledger's.
    pub(super) fn ahead(&self, parsed: &Parsed, record: &Record) -> Vec<ServerState> {
        let shared = self.shared();
        let servers = || {
            shared.routes.get(&parsed.service.key).into_iter().flatten().flat_map(|(_, seen)| &seen.servers)
        };
        let newest = servers().filter_map(|server| server.epoch).max();
        let newest = newest.filter(|newest| *newest > record.epoch);
        servers().filter(|server| newest.is_some() && server.epoch == newest).cloned().collect()
    }

    /// Publishes on one route what the ledger says.
    pub(super) async fn publish(&self, parsed: &Parsed, name: &RouteName, record: &Record) -> StepResult {
        let Some(spec) = parsed.routes.get(name) else {
            return StepResult::Done(format!("{name} is no longer part of spec.traffic"));
        };
        let (route, answer) = match self.prepare(spec, name, parsed, record).await {
            Ok(prepared) => prepared,
            // It comes with the API server, or with a leader that has it: no person can do anything better.
            Err(error) if self.source() == Some(SpecSource::Ledger) => {
                return StepResult::NotYet(error, super::retry::delay(RECALLED_TRY));
            }
            Err(error) => return StepResult::Failed(error),
        };
        // The key may have been waited for, and the lead lost meanwhile.
        if !self.is_leader() {
            return StepResult::NotYet("another process leads now".to_owned(), super::retry::delay(1));
        }
        let results = self.ports.traffic.publish(&route, &answer).await;
        let stale = results.iter().find_map(|result| match result {
            Err(error @ TrafficError::Stale { .. }) => Some(error.to_string()),
            _ => None,
        });
        let (good, bad) = self.split(spec, results);
        let errors: Vec<String> = bad.iter().map(ToString::to_string).collect();
        let published = !good.is_empty();
        self.note_route(parsed, name, good, &errors, &answer);
        match (published, stale) {
            (_, Some(stale)) => StepResult::Superseded(stale),
            (true, None) if errors.is_empty() => {
                StepResult::Done(format!("published {}", list(answer.addresses())))
            }
            (true, None) => {
                let text = format!("published {}; behind: {}", list(answer.addresses()), errors.join("; "));
                StepResult::Done(text)
            }
            (false, None) => StepResult::Failed(errors.join("; ")),
        }
    }

    /// Shows of every server of every route that it can be written: what is wrong with those that cannot.
    pub(super) async fn rehearse(&self, parsed: &Parsed) -> Vec<String> {
        let wrong = parsed.routes.iter().map(|(name, spec)| async move {
            let route = match self.with_key(parsed, name, spec).await {
                Ok(route) => route,
                Err(error) => return vec![error],
            };
            // The key may have been waited for, and the lead lost meanwhile.
            if !self.is_leader() {
                return vec!["another process leads now".to_owned()];
            }
            let (_, bad) = self.split(spec, self.ports.traffic.rehearse(&route).await);
            bad.iter().map(ToString::to_string).collect()
        });
        join_all(wrong).await.concat()
    }

    async fn prepare(
        &self,
        spec: &RouteSpec,
        name: &RouteName,
        parsed: &Parsed,
        record: &Record,
    ) -> Result<(Route, Answer), String> {
        Ok((self.with_key(parsed, name, spec).await?, answer(parsed, record)?))
    }

    /// A route with the key that signs its updates. While the API server does not answer, with the one that was read last:
    /// a region that burns loses its API server first, and its leader must still lead clients away.
    async fn with_key(&self, parsed: &Parsed, name: &RouteName, spec: &RouteSpec) -> Result<Route, String> {
        let service = &parsed.service.key;
        match spec.with_secret(self.ports.resources.as_ref()).await {
            Ok(route) => {
                let mut shared = self.shared();
                let known = shared.keyed.entry(service.clone()).or_default();
                if known.get(name).is_none_or(|(known, keyed)| known != spec || *keyed != route) {
                    known.insert(name.clone(), (spec.clone(), route.clone()));
                }
                Ok(route)
            }
            Err(NoKey { message, unknown }) => {
                let shared = self.shared();
                let known = shared.keyed.get(service).and_then(|routes| routes.get(name));
                let same = known.filter(|(known, _)| unknown && known == spec);
                same.map(|(_, route)| route.clone()).ok_or(message)
            }
        }
    }

    /// Looks at every route if the last look is old, and, as leader, brings up to date what is behind: a name server
    /// that was down during a move, one that came back from a backup, an answer that somebody edited, an address that
    /// was changed in the spec, once most regions hold it. Returns when to look again, and what came of it.
    pub(super) async fn sync_routes(
        &self,
        parsed: &Parsed,
        record: &Record,
        catalog: &Catalog,
    ) -> (Duration, PassOutcome) {
        let mut outcome = PassOutcome::Unchanged;
        let Ok(wanted) = answer(parsed, record) else { return (LOOK_INTERVAL, PassOutcome::Failed) };
        for (name, spec) in &parsed.routes {
            if !self.look_is_due(parsed, name, &wanted) {
                continue;
            }
            let route = match self.with_key(parsed, name, spec).await {
                Ok(route) => route,
                Err(error) => {
                    self.note_route(parsed, name, Vec::new(), &[error], &wanted);
                    outcome = PassOutcome::Failed;
                    continue;
                }
            };
            let (read, failed) = self.split(spec, self.ports.traffic.read(&route).await);
            let behind = read.iter().any(|server| !server.shows(&wanted));
            // Not written to in vain: the next decision takes over what it shows.
            let ahead = read.iter().any(|server| server.epoch > Some(record.epoch));
            let errors: Vec<String> = failed.iter().map(ToString::to_string).collect();
            self.note_route(parsed, name, read, &errors, &wanted);
            if !errors.is_empty() || ahead {
                outcome = PassOutcome::Failed;
            }
            if behind && !ahead && self.is_leader() && self.is_of_most(parsed, catalog) {
                let caught_up = self.catch_up(parsed, name, record).await;
                let all_well = caught_up && outcome != PassOutcome::Failed;
                outcome = if all_well { PassOutcome::Changed } else { PassOutcome::Failed };
            }
        }
        let now = self.ports.clock.tick();
        let next = parsed.routes.keys().map(|name| self.next_look(parsed, name, now).since(now)).min();
        let behind = self.is_behind(&parsed.service.key);
        (if behind { BEHIND_INTERVAL } else { next.unwrap_or(LOOK_INTERVAL) }, outcome)
    }

    /// Whether most regions hold the spec that says what is to be published: two leaders with two lists of addresses would
    /// undo each other's.
    fn is_of_most(&self, parsed: &Parsed, catalog: &Catalog) -> bool {
        self.agreement(&parsed.service.key, catalog, &self.fleet(catalog)).is_most()
            || planted!(MinorityPublishes)
    }

    fn is_behind(&self, service: &ServiceKey) -> bool {
        let shared = self.shared();
        shared.routes.get(service).is_some_and(|routes| routes.values().any(|seen| !seen.behind.is_empty()))
    }

    async fn catch_up(&self, parsed: &Parsed, name: &RouteName, record: &Record) -> bool {
        let service = &parsed.service.key;
        match self.publish(parsed, name, record).await {
            StepResult::Done(seen) => {
                info!(%service, route = %name, epoch = %record.epoch, seen, "traffic brought up to date");
                true
            }
            StepResult::NotYet(answer, _) | StepResult::Failed(answer) | StepResult::Superseded(answer) => {
                warn!(%service, route = %name, epoch = %record.epoch, answer, "traffic is behind and was not brought up to date");
                false
            }
        }
    }

    fn look_is_due(&self, parsed: &Parsed, name: &RouteName, wanted: &Answer) -> bool {
        let now = self.ports.clock.tick();
        let mut shared = self.shared();
        let Some(seen) = shared.routes.get(&parsed.service.key).and_then(|routes| routes.get(name)) else {
            return true;
        };
        let known_wrong = seen.servers.iter().any(|server| !server.shows(wanted));
        if known_wrong || self.next_look(parsed, name, seen.at) <= now {
            return true;
        }
        let (behind, at) = (!seen.behind.is_empty(), seen.at);
        behind && shared.hurry.is_due(at, now)
    }

    /// When a route is looked at again. By a schedule, for services that were taken over together would be looked at
    /// together: a thousand connections at once are more than a name server lets wait, and a move whose connection is
    /// dropped with theirs loses the second until its system tries again.
    fn next_look(&self, parsed: &Parsed, name: &RouteName, last: Tick) -> Tick {
        let key = &parsed.service.key;
        Schedule::new(LOOK_INTERVAL, key, &self.settings.region, name.as_str()).next(last, Some(last))
    }

    /// What servers show, and what went wrong with the others. A key that one of them did not take is doubted.
    fn split(
        &self,
        spec: &RouteSpec,
        results: Vec<Result<ServerState, TrafficError>>,
    ) -> (Vec<ServerState>, Vec<TrafficError>) {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        for result in results {
            match result {
                Ok(state) => good.push(state),
                Err(error) => bad.push(error),
            }
        }
        if bad.iter().any(|error| matches!(error, TrafficError::KeyRefused { .. })) {
            spec.doubt_secret(self.ports.resources.as_ref());
        }
        (good, bad)
    }

    fn note_route(
        &self,
        parsed: &Parsed,
        name: &RouteName,
        servers: Vec<ServerState>,
        errors: &[String],
        wanted: &Answer,
    ) {
        let mut behind: Vec<String> = servers
            .iter()
            .filter(|server| !server.shows(wanted))
            .map(|s| format!("{} answers {} under {}", s.server, list(&s.addresses), epoch_text(s)))
            .collect();
        behind.extend(errors.iter().cloned());
        self.note_seen(parsed, name, servers, behind);
    }

    fn note_seen(&self, parsed: &Parsed, name: &RouteName, servers: Vec<ServerState>, behind: Vec<String>) {
        let now = self.ports.clock.tick();
        let answered = servers.len();
        let seen = RouteSeen { servers, at: now, behind };
        let mut shared = self.shared();
        let routes = shared.routes.entry(parsed.service.key.clone()).or_default();
        let before = routes.insert(name.clone(), seen);
        if before.is_some_and(|before| before.servers.len() < answered) {
            shared.hurry.back = Some(now);
        }
    }
}

fn epoch_text(server: &ServerState) -> String {
    server.epoch.map_or_else(|| "no epoch".to_owned(), |epoch| format!("epoch {epoch}"))
}

/// Addresses of the members that serve, under the epoch of the ledger.
fn answer(parsed: &Parsed, record: &Record) -> Result<Answer, String> {
    let serving = record.serving.iter().filter_map(|region| parsed.addresses.get(region));
    let addresses: BTreeSet<IpAddr> = serving.flatten().copied().collect();
    Answer::new(record.epoch, addresses).map_err(|error| error.to_string())
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
}

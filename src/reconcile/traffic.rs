//! Traffic of one service: what is published, what should be, and catching up those that are behind.

mod silence;
mod stand_in;

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use futures::future::join_all;
use tracing::{info, warn};

use super::{
    agent::Agent,
    book::SpecSource,
    catalog::Catalog,
    parse::{NoKey, Parsed, RouteSpec},
    retry,
    schedule::Schedule,
};
use crate::{
    domain::{Epoch, Record, RouteName, ServiceKey, StepResult, Tick},
    observability::PassOutcome,
    planted::planted,
    ports::{Answer, Over, Route, ServerState, TrafficError},
};
pub(super) use silence::Hurry;
use silence::{Heard, Whom};

/// Time between two looks at what a name server publishes while nothing moves. Half a minute finds a name server that
/// came back from an old backup soon enough, and costs a thousand services 33 look-ups a second.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// The same while a name server is behind or does not answer. One that comes back shows what it showed when it was lost, and
/// leads clients there until it is brought up to date.
const BEHIND_INTERVAL: Duration = Duration::from_secs(5);

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
    /// Since when a server is known to show an older epoch than this one, which is the ledger's.
    late: Option<(Epoch, Tick)>,
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
                    let (good, bad) = self.read(spec, route, Whom::Answering).await;
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
                return StepResult::NotYet(error, retry::delay(RECALLED_TRY));
            }
            Err(error) => return StepResult::Failed(error),
        };
        // The key may have been waited for, and the lead lost meanwhile.
        if !self.is_leader() {
            return StepResult::NotYet("another process leads now".to_owned(), retry::delay(1));
        }
        self.publish_on(parsed, name, spec, (route, answer), Over::Same).await
    }

    /// A name server that is known to be silent is not waited for as long as another one may answer: it is brought up to
    /// date when it is back.
    async fn publish_on(
        &self,
        parsed: &Parsed,
        name: &RouteName,
        spec: &RouteSpec,
        (route, answer): (Route, Answer),
        over: Over,
    ) -> StepResult {
        let question = self.question(route, Whom::AnsweringOrAll);
        let results = self.ports.traffic.publish(&question.route, &answer, over).await;
        let results = self.heard(question, results);
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

    /// Looks at every route if the last look is old, and brings up to date what is behind: a name server that was down
    /// during a move, one that came back from a backup, an answer that somebody edited, an address that was changed in the
    /// spec, once most regions hold it. All this as leader, and what shows an older epoch also in its place. Returns when
    /// to look again, and what came of it.
    pub(super) async fn sync_routes(
        &self,
        parsed: &Parsed,
        record: &Record,
        catalog: &Catalog,
    ) -> (Duration, PassOutcome) {
        let Ok(wanted) = answer(parsed, record) else { return (LOOK_INTERVAL, PassOutcome::Failed) };
        let run = self.mirror.active_run(&parsed.service.key);
        // Before a run has said that it leads a route there, nobody does.
        let is_led = |name: &RouteName| run.as_ref().is_none_or(|(_, run)| run.has_led(name, record.epoch));
        let routes: Vec<_> = parsed.routes.iter().filter(|(name, _)| is_led(name)).collect();
        let mut outcomes = Vec::new();
        for (name, spec) in &routes {
            if let Some(whom) = self.look_is_due(parsed, name, &wanted, run.is_some()) {
                outcomes.push(self.sync_route(parsed, (name, spec), record, catalog, (&wanted, whom)).await);
            }
        }
        let outcome = match () {
            () if outcomes.contains(&PassOutcome::Failed) => PassOutcome::Failed,
            () if outcomes.contains(&PassOutcome::Changed) => PassOutcome::Changed,
            () => PassOutcome::Unchanged,
        };
        (self.time_to_look(parsed, routes.iter().map(|(name, _)| *name), record), outcome)
    }

    async fn sync_route(
        &self,
        parsed: &Parsed,
        (name, spec): (&RouteName, &RouteSpec),
        record: &Record,
        catalog: &Catalog,
        (wanted, whom): (&Answer, Whom),
    ) -> PassOutcome {
        let route = match self.with_key(parsed, name, spec).await {
            Ok(route) => route,
            Err(error) => {
                self.note_route(parsed, name, Vec::new(), &[error], wanted);
                return PassOutcome::Failed;
            }
        };
        let (read, failed) = self.read(spec, route, whom).await;
        let behind = read.iter().any(|server| !server.shows(wanted));
        // Not written to in vain: the next decision takes over what it shows.
        let ahead = read.iter().any(|server| server.epoch > Some(record.epoch));
        let errors: Vec<String> = failed.iter().map(ToString::to_string).collect();
        self.note_route(parsed, name, read, &errors, wanted);
        let well = errors.is_empty() && !ahead;
        let leads = self.is_leader();
        let acts = behind && !ahead && (leads || self.has_turn(parsed, name, record.epoch));
        if !(acts && self.is_of_most(parsed, catalog)) {
            return if well { PassOutcome::Unchanged } else { PassOutcome::Failed };
        }
        let result = match leads {
            true => self.publish(parsed, name, record).await,
            false => self.stand_in(parsed, name, record).await,
        };
        let caught_up = tell(&parsed.service.key, name, record, leads, result);
        if caught_up && well { PassOutcome::Changed } else { PassOutcome::Failed }
    }

    async fn read(
        &self,
        spec: &RouteSpec,
        route: Route,
        whom: Whom,
    ) -> (Vec<ServerState>, Vec<TrafficError>) {
        let question = self.question(route, whom);
        let results = self.ports.traffic.read(&question.route).await;
        self.split(spec, self.heard(question, results))
    }

    /// Time until the next look at one of these routes.
    fn time_to_look<'a>(
        &self,
        parsed: &Parsed,
        routes: impl Iterator<Item = &'a RouteName>,
        record: &Record,
    ) -> Duration {
        let (now, stands_in) = (self.ports.clock.tick(), self.may_stand_in());
        let mut shared = self.shared();
        let mut known = shared.routes.get_mut(&parsed.service.key);
        let next = routes.map(|name| {
            let regular = self.next_look(parsed, name, now);
            let Some(seen) = known.as_mut().and_then(|known| known.get_mut(name)) else { return regular };
            let turn = self.turn(parsed, name, seen, record.epoch).filter(|_| stands_in);
            let usual = if seen.behind.is_empty() { regular } else { now.plus(BEHIND_INTERVAL) };
            turn.map_or(usual, |turn| usual.min(turn))
        });
        next.min().map_or(LOOK_INTERVAL, |next| next.since(now))
    }

    /// Whether most regions hold the spec that says what is to be published: two leaders with two lists of addresses would
    /// undo each other's.
    fn is_of_most(&self, parsed: &Parsed, catalog: &Catalog) -> bool {
        self.agreement(&parsed.service.key, catalog, &self.fleet(catalog)).is_most()
            || planted!(MinorityPublishes)
    }

    /// Whom to ask, if a route is looked at now. While a run leads traffic the leader does what is to be done, and another
    /// process waits for its turn.
    fn look_is_due(&self, parsed: &Parsed, name: &RouteName, wanted: &Answer, goes_on: bool) -> Option<Whom> {
        let (now, stands_in) = (self.ports.clock.tick(), self.may_stand_in());
        let mut shared = self.shared();
        let Some(seen) = shared.routes.get_mut(&parsed.service.key).and_then(|routes| routes.get_mut(name))
        else {
            return Some(Whom::Answering);
        };
        let known_wrong = seen.servers.iter().any(|server| !server.shows(wanted));
        let has_turn =
            self.turn(parsed, name, seen, wanted.epoch()).is_some_and(|turn| stands_in && turn <= now);
        let old = self.next_look(parsed, name, seen.at) <= now;
        if (known_wrong && !goes_on) || has_turn || old {
            return Some(Whom::Answering);
        }
        let (behind, at) = (!seen.behind.is_empty(), seen.at);
        if behind { shared.hurry.is_due(at, now) } else { None }
    }

    /// When a route is looked at again. By a schedule, for services that were taken over together would be looked at
    /// together: a thousand connections at once are more than a name server lets wait, and a move whose connection is
    /// dropped with theirs loses the second until its system tries again.
    fn next_look(&self, parsed: &Parsed, name: &RouteName, last: Tick) -> Tick {
        let key = &parsed.service.key;
        Schedule::new(LOOK_INTERVAL, key, &self.settings.region, name.as_str()).next(last, Some(last))
    }

    /// What servers show, and what went wrong with the others. A key that one of them did not take is doubted.
    fn split(&self, spec: &RouteSpec, results: Heard) -> (Vec<ServerState>, Vec<TrafficError>) {
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
        let mut shared = self.shared();
        let seen = shared
            .routes
            .entry(parsed.service.key.clone())
            .or_default()
            .entry(name.clone())
            .or_insert_with(|| RouteSeen { servers: servers.clone(), ..RouteSeen::default() });
        let more = seen.servers.len() < answered;
        *seen = RouteSeen { servers, at: now, behind, late: seen.late };
        if more {
            shared.hurry.back = Some(now);
        }
    }
}

/// Logs what came of catching up. Returns whether it worked.
fn tell(service: &ServiceKey, route: &RouteName, record: &Record, leads: bool, result: StepResult) -> bool {
    match result {
        StepResult::Done(seen) => {
            info!(%service, %route, epoch = %record.epoch, leads, seen, "traffic brought up to date");
            true
        }
        StepResult::NotYet(answer, _) | StepResult::Failed(answer) | StepResult::Superseded(answer) => {
            warn!(%service, %route, epoch = %record.epoch, leads, answer, "traffic is behind and was not brought up to date");
            false
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

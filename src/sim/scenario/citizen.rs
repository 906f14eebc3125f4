//! The people who use the services: outside of the regions, with a resolver that keeps answers for their TTL, and a whole
//! transaction with every address of an answer, which is written down where a gate lets a writer write. They know nothing
//! of Bongsu, so what they see is the outage.
//!
//! All citizens are followed at once, not one of them: an answer counts from when any name server gave it until the TTL
//! after it last did, and a service is served when every address of every such answer serves.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::witness::Witness;
use crate::{
    domain::ServiceKey,
    ports::Key,
    reconcile::parse::Parsed,
    sim::{
        Moment, Setup, Site,
        world::{State, World},
    },
};

/// Time between two looks. A tenth of the shortest interval between checks.
pub(super) const EVERY: Duration = Duration::from_millis(250);

/// Bytes of a question to a name server: far below what any link loses by size.
const QUESTION_BYTES: usize = 64;

/// Questions to one name server until a resolver goes to the next.
const QUESTIONS: usize = 3;

/// All citizens.
pub(super) struct Citizens {
    list: Vec<Citizen>,
    /// By region, what its Bongsu answers: it goes on with what it read last while it does not reach the ledger.
    books: Vec<BTreeMap<Key, BTreeSet<IpAddr>>>,
    pub(super) outages: BTreeMap<ServiceKey, Vec<Outage>>,
}

/// A time in which citizens are not served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Outage {
    pub from: Moment,
    /// `None`: it goes on.
    pub until: Option<Moment>,
    /// What the first citizen met.
    pub why: String,
}

/// Those who use one service.
#[derive(Clone)]
struct Citizen {
    people: People,
    ways: Vec<Way>,
}

/// What they do with an answer.
#[derive(Clone)]
struct People {
    service: ServiceKey,
    /// Bytes of a transaction: the body of the service's first HTTP check.
    bytes: usize,
    timeout: Duration,
    /// Members by address.
    members: BTreeMap<IpAddr, usize>,
}

/// One name of a service.
#[derive(Clone)]
struct Way {
    asked: Asked,
    ttl: Duration,
    /// Answers that resolvers may still give, and when a name server gave them last.
    kept: BTreeMap<BTreeSet<IpAddr>, Moment>,
    /// Somebody has had an answer: before that the name does not exist yet.
    known: bool,
}

/// Who answers for a name.
#[derive(Clone)]
enum Asked {
    /// The name, and the servers that hold it.
    Servers(String, Vec<SocketAddr>),
    /// Every Bongsu, by the key of the route.
    Bongsu(Key),
}

impl Citizens {
    pub(super) fn new(setup: &Setup) -> Self {
        let list = setup.services.iter().map(|(key, parsed)| citizen(setup, key, parsed)).collect();
        Self { list, books: vec![BTreeMap::new(); setup.regions.len()], outages: BTreeMap::new() }
    }

    /// What each name server answers that can be reached, by service.
    pub(super) fn answers(
        &self,
        state: &mut State,
        now: Moment,
    ) -> BTreeMap<ServiceKey, Vec<(String, BTreeSet<IpAddr>)>> {
        let answers = |citizen: &Citizen| {
            let all = citizen.ways.iter().flat_map(|way| self.ask(&way.asked, state, now)).collect();
            (citizen.people.service.clone(), all)
        };
        self.list.iter().map(answers).collect()
    }

    fn ask(&self, asked: &Asked, state: &mut State, now: Moment) -> Vec<(String, BTreeSet<IpAddr>)> {
        let outside = state.network.outside();
        match asked {
            Asked::Servers(name, servers) => {
                let found: Vec<(Site, String, BTreeSet<IpAddr>)> = state
                    .names
                    .list
                    .iter()
                    .filter(|server| servers.contains(&server.address) && server.is_asked())
                    .filter_map(|server| {
                        let held = server.names.get(name)?;
                        Some((server.site, server.address.to_string(), held.addresses.clone()))
                    })
                    .collect();
                let reached = found.into_iter().filter(|(site, ..)| state.reaches(outside, *site));
                reached.map(|(_, server, answer)| (server, answer)).collect()
            }
            Asked::Bongsu(key) => {
                let books = (0..=u8::MAX).map(Site).zip(&self.books);
                let answering = books.filter(|(site, _)| {
                    state.processes.works(u16::from(site.0), now) && state.reaches(outside, *site)
                });
                let found: Vec<(Site, BTreeSet<IpAddr>)> =
                    answering.filter_map(|(site, book)| Some((site, book.get(key)?.clone()))).collect();
                let name = |site: Site| {
                    let region = state.checker.setup.region(site);
                    region.map_or_else(String::new, |region| format!("bongsu in {region}"))
                };
                found.into_iter().map(|(site, answer)| (name(site), answer)).collect()
            }
        }
    }

    /// What each Bongsu has read of the ledger by now.
    fn follow(&mut self, state: &State, now: Moment, served: &BTreeMap<Key, BTreeSet<IpAddr>>) {
        for (site, book) in (0..=u8::MAX).map(Site).zip(&mut self.books) {
            let process = u16::from(site.0);
            if !state.processes.is_alive(process) {
                book.clear();
            } else if state.processes.works(process, now) && state.reaches_ledger(site) {
                book.clone_from(served);
            }
        }
    }

    fn look(&mut self, state: &mut State, now: Moment) {
        for index in 0..self.list.len() {
            let Some(mut citizen) = self.list.get(index).cloned() else { continue };
            let mut trouble = None;
            for way in &mut citizen.ways {
                let answers = self.ask(&way.asked, state, now);
                way.keep(answers, now);
                trouble = trouble.or_else(|| citizen.people.trouble(way, state, now));
            }
            self.note(&citizen.people.service, state, now, trouble);
            if let Some(known) = self.list.get_mut(index) {
                *known = citizen;
            }
        }
    }

    fn note(&mut self, service: &ServiceKey, state: &mut State, now: Moment, trouble: Option<String>) {
        let outages = self.outages.entry(service.clone()).or_default();
        let open = outages.last_mut().filter(|outage| outage.until.is_none());
        match (open, trouble) {
            (None, Some(why)) => {
                state.story.tell(now, || format!("citizens are not served by {service}: {why}"));
                outages.push(Outage { from: now, until: None, why });
            }
            (Some(outage), None) => {
                outage.until = Some(now);
                let time = now.since(outage.from);
                state.story.tell(now, || format!("citizens are served by {service} again, after {time:?}"));
            }
            _ => {}
        }
    }
}

impl Way {
    fn keep(&mut self, answers: Vec<(String, BTreeSet<IpAddr>)>, now: Moment) {
        for (_, answer) in answers {
            self.known = true;
            self.kept.insert(answer, now);
        }
        let ttl = self.ttl;
        self.kept.retain(|_, given| now.since(*given) <= ttl);
    }
}

impl People {
    /// What a citizen meets who is not served.
    fn trouble(&self, way: &Way, state: &mut State, now: Moment) -> Option<String> {
        if way.kept.is_empty() {
            return way.known.then(|| "no name server answers".to_owned());
        }
        let addresses: BTreeSet<&IpAddr> = way.kept.keys().flatten().collect();
        addresses.into_iter().find_map(|address| self.trouble_at(*address, state, now))
    }

    fn trouble_at(&self, address: IpAddr, state: &mut State, now: Moment) -> Option<String> {
        let outside = state.network.outside();
        // A new address is one of the same member.
        let known = state.checker.specs.given.get(&address).and_then(|before| before.first().copied());
        let place = self
            .members
            .get(&known.unwrap_or(address))
            .and_then(|index| Some((*index, state.members.list.get(*index)?.site)));
        let reached = place.filter(|(index, site)| {
            state.passes(outside, *site, self.bytes) && state.members.is_good(*index, self.timeout, now)
        });
        match reached {
            None => Some(format!("{address} does not answer")),
            Some((_, site)) if !state.takes_writes(&self.service, site, now) => {
                Some(format!("nobody writes at {address}"))
            }
            Some(_) => None,
        }
    }
}

fn citizen(setup: &Setup, key: &ServiceKey, parsed: &Arc<Parsed>) -> Citizen {
    let deep = parsed.checks.iter().find(|check| check.kind.is_transaction());
    let body = deep.map(|check| check.kind.request_bytes());
    let way = |(name, route): (&crate::domain::RouteName, &crate::reconcile::parse::RouteSpec)| Way {
        asked: match route.servers() {
            [] => Asked::Bongsu(Key::new(format!("answer/{key}/{name}"))),
            servers => Asked::Servers(route.domain_name().to_owned(), servers.to_vec()),
        },
        ttl: Duration::from_secs(u64::from(route.ttl())),
        kept: BTreeMap::new(),
        known: false,
    };
    let mut members = BTreeMap::new();
    for (index, member) in setup.members.iter().enumerate().filter(|(_, member)| member.service == *key) {
        let region = setup.region(member.site).and_then(|region| parsed.addresses.get(region));
        members.extend(region.into_iter().flatten().map(|address| (*address, index)));
    }
    Citizen {
        ways: parsed.routes.iter().map(way).collect(),
        people: People {
            service: key.clone(),
            bytes: body.unwrap_or(0),
            timeout: parsed.service.health.timeout,
            members,
        },
    }
}

impl State {
    /// Whether one of a few small questions gets through.
    fn reaches(&mut self, from: Site, to: Site) -> bool {
        (0..QUESTIONS).any(|_| self.passes(from, to, QUESTION_BYTES))
    }

    fn citizens_look(&mut self, now: Moment) {
        let Some(mut witness) = self.witness.take() else { return };
        let Witness { citizens, served, .. } = &mut *witness;
        citizens.follow(self, now, served);
        citizens.look(self, now);
        self.witness = Some(witness);
    }
}

/// Lets the citizens look now and from then on.
pub(super) fn look(world: &Arc<World>) {
    let now = world.now();
    world.state().citizens_look(now);
    world.after(EVERY, look);
}

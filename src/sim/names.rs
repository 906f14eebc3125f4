//! Name servers that take dynamic updates, and the traffic port over them. The rules of an update are those of the
//! adapter `traffic::dns`: read, refuse what is older, write under the condition that nothing changed, read back.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;

use super::{call::Errand, moment::Moment, network::Site, process::Life, setup::Setup, world::World};
use crate::{
    adapters::traffic::served::ServedTraffic,
    domain::{Epoch, ServiceKey},
    planted::planted,
    ports::{Answer, DnsRoute, Over, Route, RouteKind, ServerState, Traffic, TrafficError},
};

/// Longest time of one call on one server, as in the adapter.
const SERVER_LIMIT: Duration = Duration::from_secs(2);

/// Attempts when others write in between, as in the adapter.
const ATTEMPTS: u32 = 3;

/// What a name server does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Manner {
    /// Its work.
    #[default]
    Good,
    /// Does not answer.
    Silent,
    /// Answers REFUSED to updates.
    Refuses,
    /// Answers BADKEY to one site, whose key it does not take any more.
    OtherKey(Site),
    /// Acknowledges updates and does not make them.
    Forgets,
    /// Answers after this time.
    Late(Duration),
}

/// What stands under one name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Held {
    pub epoch: Epoch,
    pub owner: ServiceKey,
    pub addresses: BTreeSet<IpAddr>,
}

/// One name server.
pub(super) struct NameServer {
    pub address: SocketAddr,
    pub site: Site,
    pub manner: Manner,
    pub dark: bool,
    pub names: BTreeMap<String, Held>,
    /// What it held when the backup was made that a fault may bring back.
    pub backup: BTreeMap<String, Held>,
}

impl NameServer {
    /// Whether it answers questions, whatever it does with updates.
    pub(super) fn is_asked(&self) -> bool {
        !self.dark && self.manner != Manner::Silent
    }
}

/// All name servers.
pub(super) struct NameServers {
    pub list: Vec<NameServer>,
}

impl NameServers {
    pub(super) fn new(setup: &Setup) -> Self {
        let server = |(address, site): &(SocketAddr, Site)| NameServer {
            address: *address,
            site: *site,
            manner: Manner::Good,
            dark: false,
            names: BTreeMap::new(),
            backup: BTreeMap::new(),
        };
        Self { list: setup.name_servers.iter().map(server).collect() }
    }

    fn index(&self, address: SocketAddr) -> Option<usize> {
        self.list.iter().position(|server| server.address == address)
    }
}

/// What a server says to an update.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Written {
    Taken,
    /// The condition does not hold.
    Changed,
    Refused,
}

/// The traffic port of one process.
pub(super) struct SimTraffic {
    pub world: Arc<World>,
    pub life: Life,
    pub site: Site,
    pub served: ServedTraffic,
}

/// One call on one server.
struct Session<'a> {
    traffic: &'a SimTraffic,
    route: &'a Route,
    name: &'a str,
    address: SocketAddr,
    server: Option<(usize, Site)>,
    until: Moment,
}

#[async_trait]
impl Traffic for SimTraffic {
    async fn publish(
        &self,
        route: &Route,
        answer: &Answer,
        over: Over,
    ) -> Vec<Result<ServerState, TrafficError>> {
        match over {
            Over::Same => self.world.begins_effect(self.life, "to lead traffic"),
            Over::Older => self.world.stands_in(self.life, &route.service, answer.epoch()),
        }
        match &route.kind {
            RouteKind::Served(served) => vec![self.served.publish(route, served, answer, over).await],
            RouteKind::Dns(dns) => {
                let sessions = self.sessions(route, dns);
                join_all(sessions.map(|session| async move { session.publish(answer, over).await })).await
            }
        }
    }

    async fn read(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        match &route.kind {
            RouteKind::Served(served) => vec![self.served.read(route, served).await],
            RouteKind::Dns(dns) => join_all(self.sessions(route, dns).map(Session::look)).await,
        }
    }

    async fn rehearse(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        self.world.begins_effect(self.life, "to rehearse an update");
        match &route.kind {
            RouteKind::Served(_) => vec![self.served.rehearse(route).await],
            RouteKind::Dns(dns) => join_all(self.sessions(route, dns).map(Session::rehearse)).await,
        }
    }
}

impl SimTraffic {
    fn sessions<'a>(&'a self, route: &'a Route, dns: &'a DnsRoute) -> impl Iterator<Item = Session<'a>> {
        dns.servers.iter().map(move |address| {
            let state = self.world.state();
            let index = state.names.index(*address);
            let server = index.and_then(|index| Some((index, state.names.list.get(index)?.site)));
            let until = self.world.now().plus(SERVER_LIMIT);
            Session { traffic: self, route, name: &dns.name, address: *address, server, until }
        })
    }
}

impl Session<'_> {
    async fn look(self) -> Result<ServerState, TrafficError> {
        Ok(self.state(self.read().await?.as_ref()))
    }

    async fn publish(&self, answer: &Answer, over: Over) -> Result<ServerState, TrafficError> {
        for _ in 0..ATTEMPTS {
            let held = self.read().await?;
            self.judge(held.as_ref(), answer)?;
            if held.as_ref().is_some_and(|held| shows(held, answer) || over.spares(Some(held.epoch), answer))
            {
                return Ok(self.state(held.as_ref()));
            }
            match self.write(held, answer).await? {
                Written::Taken => return self.read_back(answer).await,
                Written::Changed => {}
                Written::Refused => return Err(self.refused("REFUSED")),
            }
        }
        Err(self.refused("NXRRSET to 3 attempts"))
    }

    async fn rehearse(self) -> Result<ServerState, TrafficError> {
        for _ in 0..ATTEMPTS {
            let held = self.read().await?;
            match self.rewrite(held.clone()).await? {
                Written::Taken => return Ok(self.state(held.as_ref())),
                Written::Changed => {}
                Written::Refused => return Err(self.refused("REFUSED")),
            }
        }
        Err(self.refused("NXRRSET to 3 attempts"))
    }

    fn judge(&self, held: Option<&Held>, answer: &Answer) -> Result<(), TrafficError> {
        let Some(held) = held else { return Ok(()) };
        let server = self.address.to_string();
        if held.owner != self.route.service {
            return Err(TrafficError::Claimed { server, owner: held.owner.to_string() });
        }
        if held.epoch > answer.epoch() && !planted!(EpochNotCompared) {
            return Err(TrafficError::Stale { server, held: held.epoch, tried: answer.epoch() });
        }
        Ok(())
    }

    async fn read_back(&self, answer: &Answer) -> Result<ServerState, TrafficError> {
        let held = self.read().await?;
        self.judge(held.as_ref(), answer)?;
        match held {
            Some(held) if shows(&held, answer) => Ok(self.state(Some(&held))),
            other => {
                let found =
                    other.map_or_else(|| "nothing".to_owned(), |held| format!("{:?}", held.addresses));
                Err(TrafficError::ReadBack { server: self.address.to_string(), found })
            }
        }
    }

    async fn read(&self) -> Result<Option<Held>, TrafficError> {
        let name = self.name.to_owned();
        self.ask(false, move |server| (server.names.get(&name).cloned(), None)).await
    }

    async fn write(&self, held: Option<Held>, answer: &Answer) -> Result<Written, TrafficError> {
        let name = self.name.to_owned();
        let new = Held {
            epoch: answer.epoch(),
            owner: self.route.service.clone(),
            addresses: answer.addresses().clone(),
        };
        self.ask(true, move |server| {
            if server.manner == Manner::Refuses {
                return (Written::Refused, None);
            }
            if !planted!(EpochNotCompared) && server.names.get(&name) != held.as_ref() {
                return (Written::Changed, None);
            }
            if server.manner == Manner::Forgets {
                return (Written::Taken, None);
            }
            server.names.insert(name.clone(), new.clone());
            (Written::Taken, Some(new.clone()))
        })
        .await
    }

    async fn rewrite(&self, held: Option<Held>) -> Result<Written, TrafficError> {
        let name = self.name.to_owned();
        self.ask(true, move |server| {
            let written = match server.names.get(&name) == held.as_ref() {
                _ if server.manner == Manner::Refuses => Written::Refused,
                true => Written::Taken,
                false => Written::Changed,
            };
            (written, None)
        })
        .await
    }

    /// `serve` gives its answer, and what it changed.
    async fn ask<R: Send + 'static>(
        &self,
        effect: bool,
        serve: impl Fn(&mut NameServer) -> (R, Option<Held>) + Send + Sync + 'static,
    ) -> Result<R, TrafficError> {
        let SimTraffic { world, life, site, .. } = self.traffic;
        let silent = || TrafficError::Unreachable {
            server: self.address.to_string(),
            cause: "no answer in time; the update may have been taken".to_owned(),
        };
        let (index, to) = self.server.ok_or_else(silent)?;
        let limit = self.until.since(world.now());
        let late = match world.state().names.list.get(index).map(|server| server.manner) {
            Some(Manner::Late(time)) => time,
            _ => Duration::ZERO,
        };
        let (from, manner) = (*site, Manner::OtherKey(*site));
        let errand = Errand { life: *life, from, to, bytes: 0, limit, late, effect };
        let asked = world.ask(errand, move |world| {
            let mut state = world.state();
            let server = state.names.list.get_mut(index)?;
            if server.dark || server.manner == Manner::Silent {
                return None;
            }
            if server.manner == manner {
                return Some(None);
            }
            let (answer, changed) = serve(server);
            drop(state);
            if let Some(held) = changed {
                world.name_changed(index, &held);
            }
            Some(Some(answer))
        });
        asked.await.ok_or_else(silent)?.ok_or_else(|| self.refused("BADKEY"))
    }

    fn refused(&self, answer: &str) -> TrafficError {
        TrafficError::Refused {
            server: self.address.to_string(),
            answer: answer.to_owned(),
            remedy: "simulated".to_owned(),
        }
    }

    fn state(&self, held: Option<&Held>) -> ServerState {
        ServerState {
            server: self.address.to_string(),
            epoch: held.map(|held| held.epoch),
            addresses: held.map(|held| held.addresses.clone()).unwrap_or_default(),
        }
    }
}

fn shows(held: &Held, answer: &Answer) -> bool {
    held.epoch == answer.epoch() && held.addresses == *answer.addresses()
}

//! Name servers that keep what they are told, and do as a test wants.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;

use super::{CALL_LIMIT, TestClock};
use crate::{
    domain::Epoch,
    ports::{Answer, Clock, Over, Route, RouteKind, ServerState, Traffic, TrafficError},
};

/// Name servers that take every update, or none.
pub struct NameServers {
    clock: Arc<TestClock>,
    pub refuse: AtomicBool,
    /// They do not answer.
    pub silent: AtomicBool,
    /// The key is another one than theirs.
    pub refuse_key: AtomicBool,
    /// Those of them that take every question and answer none.
    pub deaf: Mutex<BTreeSet<String>>,
    /// How often one of them was waited for in vain.
    pub waits: AtomicUsize,
    /// How often they were read.
    pub looks: AtomicUsize,
    tries: Mutex<Vec<(u64, String, Epoch)>>,
    holds: Mutex<BTreeMap<String, ServerState>>,
}

impl NameServers {
    pub fn new(clock: Arc<TestClock>) -> Self {
        let [refuse, silent, refuse_key] = [false; 3].map(AtomicBool::new);
        Self {
            clock,
            refuse,
            silent,
            refuse_key,
            deaf: Mutex::default(),
            waits: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
            tries: Mutex::default(),
            holds: Mutex::default(),
        }
    }

    /// They hold nothing any more.
    pub fn forget(&self) {
        self.holds.lock().unwrap().clear();
    }

    /// When each update of a route came that carried this epoch.
    pub fn tries(&self, route: &str, epoch: u64) -> Vec<u64> {
        let tries = self.tries.lock().unwrap();
        let of_route = tries.iter().filter(|(_, name, tried)| name == route && *tried == Epoch(epoch));
        of_route.map(|(at, ..)| *at).collect()
    }

    /// Asks each server of a route; the slowest of them is waited for.
    async fn ask(
        &self,
        route: &Route,
        serve: impl Fn(String) -> Result<ServerState, TrafficError>,
    ) -> Vec<Result<ServerState, TrafficError>> {
        let servers = match &route.kind {
            RouteKind::Dns(dns) => dns.servers.iter().map(ToString::to_string).collect(),
            RouteKind::Served(_) => vec!["ns".to_owned()],
        };
        let is_deaf = |server: &String| self.deaf.lock().unwrap().contains(server);
        if servers.iter().any(is_deaf) {
            self.waits.fetch_add(1, Ordering::SeqCst);
            self.clock.sleep(CALL_LIMIT).await;
        }
        let answer = |server: String| match is_deaf(&server) {
            true => Err(TrafficError::Unreachable { server, cause: "no answer in time".to_owned() }),
            false => serve(server),
        };
        servers.into_iter().map(answer).collect()
    }

    /// What a server of a service's route shows.
    pub fn shows(&self, server: &str, service: &str, route: &str) -> Option<ServerState> {
        self.holds.lock().unwrap().get(&format!("{server} gpki/{service} {route}")).cloned()
    }

    /// Somebody else changes what all servers show.
    pub fn edit(&self, change: impl Fn(&mut ServerState)) {
        self.holds.lock().unwrap().values_mut().for_each(change);
    }
}

#[async_trait]
impl Traffic for NameServers {
    async fn publish(
        &self,
        route: &Route,
        answer: &Answer,
        over: Over,
    ) -> Vec<Result<ServerState, TrafficError>> {
        self.tries.lock().unwrap().push((self.clock.tick().0, route.name.to_string(), answer.epoch()));
        let publish = |server: String| {
            let [answered, remedy] = ["no", "repair it"].map(str::to_owned);
            if self.refuse_key.load(Ordering::SeqCst) {
                return Err(TrafficError::KeyRefused { server, answer: answered, remedy });
            }
            if self.refuse.load(Ordering::SeqCst) {
                return Err(TrafficError::Refused { server, answer: answered, remedy });
            }
            let mut holds = self.holds.lock().unwrap();
            let place = place(&server, route);
            if let Some(held) = holds.get(&place).filter(|held| over.spares(held.epoch, answer)) {
                return Ok(held.clone());
            }
            let state =
                ServerState { server, epoch: Some(answer.epoch()), addresses: answer.addresses().clone() };
            holds.insert(place, state.clone());
            Ok(state)
        };
        self.ask(route, publish).await
    }

    async fn read(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.held(route).await
    }

    async fn rehearse(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        if self.refuse.load(Ordering::SeqCst) {
            let [server, answer, remedy] = ["ns", "no", "repair it"].map(str::to_owned);
            return vec![Err(TrafficError::Refused { server, answer, remedy })];
        }
        self.held(route).await
    }
}

impl NameServers {
    async fn held(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        let read = |server: String| {
            if self.silent.load(Ordering::SeqCst) {
                return Err(TrafficError::Unreachable { server, cause: "no answer".to_owned() });
            }
            let held = self.holds.lock().unwrap().get(&place(&server, route)).cloned();
            Ok(held.unwrap_or(ServerState { server, epoch: None, addresses: BTreeSet::new() }))
        };
        self.ask(route, read).await
    }
}

fn place(server: &str, route: &Route) -> String {
    format!("{server} {} {}", route.service, route.name)
}

//! The ledger: the product's own memory ledger, behind a network. It answers while a majority of its replicas, one in
//! each region, can talk to each other and to whoever asks.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, stream, stream::BoxStream};

use super::{
    call::Errand,
    clock::Sleep,
    network::{Fate, Site, chance},
    process::Life,
    world::{State, World},
};
use crate::{
    adapters::ledger::MemoryLedger,
    domain::{Identity, Term},
    ports::{Change, Expect, Key, LeaseState, Ledger, LedgerError, Under, Version, Versioned},
    reconcile::LEADER_LEASE,
};

/// Longest time of one call. The adapters' limit is 3 s; the simulated leases are shorter in the same proportion.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(1);

/// Time between two tries of a watcher to come back.
const RECONNECT: Duration = Duration::from_millis(500);

/// What befalls the ledger itself.
#[derive(Default)]
pub(super) struct LedgerFaults {
    /// Replicas that do not run.
    pub dead: BTreeSet<Site>,
    /// Sites whose process does not reach the ledger, though it reaches everything else.
    pub cut_off: BTreeSet<Site>,
    /// No majority, whatever the network says.
    pub down: bool,
    /// Writes of a thousand that are refused as if somebody else had come first.
    pub conflicts: u32,
}

impl State {
    /// The replica that a client in a site talks to, and whether that one has a majority.
    fn replica(&self, client: Site) -> (Site, bool) {
        let outside = self.network.outside();
        let replicas = || self.network.sites().filter(move |site| *site != outside);
        let alive = |site: &Site| !self.ledger.dead.contains(site);
        let total = replicas().count();
        let majority = |replica: Site| {
            let with =
                replicas().filter(|other| alive(other) && self.network.connected(replica, *other)).count();
            !self.ledger.down && with * 2 > total
        };
        let near = std::iter::once(client).chain(replicas().filter(|site| *site != client));
        let mut reachable =
            near.filter(|site| *site != outside && alive(site) && self.network.connected(client, *site));
        match reachable.find(|replica| majority(*replica)) {
            Some(replica) => (replica, true),
            None => (client, false),
        }
    }
}

impl State {
    /// Whether a call from a site is served by the replica that it went to.
    fn reached_by(&self, client: Site, replica: Site) -> bool {
        !self.ledger.cut_off.contains(&client) && self.replica(replica).1
    }

    /// Whether a process in a site can read the ledger now.
    pub(super) fn reaches_ledger(&self, site: Site) -> bool {
        !self.ledger.cut_off.contains(&site) && self.replica(site).1
    }
}

/// The ledger as one process sees it.
pub(super) struct SimLedger {
    pub world: Arc<World>,
    pub life: Life,
    pub site: Site,
    pub store: Arc<MemoryLedger>,
}

impl SimLedger {
    async fn call<R: Send + 'static>(
        &self,
        what: impl FnOnce() -> String,
        bytes: usize,
        effect: bool,
        serve: impl Fn(&Arc<World>, &MemoryLedger) -> R + Send + Sync + 'static,
    ) -> Result<R, LedgerError> {
        let to = self.world.state().replica(self.site).0;
        let errand = Errand {
            life: self.life,
            from: self.site,
            to,
            bytes,
            limit: CALL_LIMIT,
            late: Duration::ZERO,
            effect,
        };
        let (store, from) = (self.store.clone(), self.site);
        let served = self.world.ask(errand, move |world| {
            let reached = world.state().reached_by(from, to);
            reached.then(|| serve(world, &store))
        });
        served.await.ok_or_else(|| LedgerError::Timeout { what: what(), limit: CALL_LIMIT })
    }
}

/// The store answers at once, always.
fn now<R>(call: impl Future<Output = Result<R, LedgerError>>) -> Result<R, LedgerError> {
    let late = || LedgerError::Unavailable { what: "call".to_owned(), cause: "it waits".to_owned() };
    call.now_or_never().unwrap_or_else(|| Err(late()))
}

#[async_trait]
impl Ledger for SimLedger {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError> {
        let wanted = key.clone();
        self.world.reads(self.life, key.as_str());
        self.call(|| format!("read {key}"), 0, false, move |_, store| now(store.get(&wanted))).await?
    }

    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        let under = under.cloned();
        let (wanted, text, life) = (key.clone(), Arc::<str>::from(value), self.life);
        let serve = move |world: &Arc<World>, store: &MemoryLedger| {
            let refused = {
                let state = &mut *world.state();
                chance(&mut state.rng, state.ledger.conflicts)
            };
            if refused {
                return Err(LedgerError::Conflict { key: wanted.to_string() });
            }
            let result = now(store.write(&wanted, &text, expect, under.as_ref()));
            if result.is_ok() {
                world.ledger_changed(life, &wanted, Some(&text));
                world.witness(&wanted, &text);
            }
            result
        };
        self.call(|| format!("write {key}"), value.len(), true, serve).await?
    }

    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError> {
        let (wanted, life) = (key.clone(), self.life);
        let serve = move |world: &Arc<World>, store: &MemoryLedger| {
            let result = now(store.delete(&wanted, version));
            if result.is_ok() {
                world.ledger_changed(life, &wanted, None);
            }
            result
        };
        self.call(|| format!("delete {key}"), 0, true, serve).await?
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        let line = Line {
            world: self.world.clone(),
            life: self.life,
            site: self.site,
            store: self.store.clone(),
            prefix: prefix.to_owned(),
        };
        let watcher = Watcher { line, inner: None, ready: Vec::new() };
        stream::unfold(watcher, |mut watcher| async move { Some((watcher.next().await, watcher)) }).boxed()
    }

    async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, LedgerError> {
        let (name, me) = (lease.to_owned(), holder.clone());
        let sent = self.world.now();
        let serve = move |_: &Arc<World>, store: &MemoryLedger| now(store.acquire(&name, &me, ttl));
        let granted = self.call(|| format!("acquire {lease}"), 0, true, serve).await?;
        if lease == LEADER_LEASE
            && let Some(process) = self.world.state().processes.get_mut(self.life.process)
        {
            process.led_since = matches!(granted, Ok(Some(_))).then_some(sent);
        }
        granted
    }

    async fn release(&self, lease: &str, holder: &Identity) -> Result<(), LedgerError> {
        let (name, me) = (lease.to_owned(), holder.clone());
        let serve = move |_: &Arc<World>, store: &MemoryLedger| now(store.release(&name, &me));
        self.call(|| format!("release {lease}"), 0, true, serve).await?
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        self.call(|| "read the leases".to_owned(), 0, false, |_, store| now(store.leases())).await?
    }
}

/// A watch that breaks with the network and comes back with everything.
struct Watcher {
    line: Line,
    inner: Option<BoxStream<'static, Change>>,
    /// Changes that have arrived, the last first.
    ready: Vec<Change>,
}

/// The connection of a watch.
struct Line {
    world: Arc<World>,
    life: Life,
    site: Site,
    store: Arc<MemoryLedger>,
    prefix: String,
}

impl Watcher {
    async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.ready.pop() {
                return change;
            }
            let Some(inner) = &mut self.inner else {
                self.inner = Some(self.line.connect().await);
                continue;
            };
            let Some(first) = inner.next().await else {
                self.inner = None;
                continue;
            };
            let mut gathered = vec![first];
            while let Some(Some(change)) = inner.next().now_or_never() {
                gathered.push(change);
            }
            match self.line.travel() {
                Some(time) => {
                    self.line.sleep(time).await;
                    gathered.reverse();
                    self.ready = gathered;
                }
                None => self.inner = None,
            }
        }
    }
}

impl Line {
    async fn connect(&self) -> BoxStream<'static, Change> {
        loop {
            if let Some(time) = self.travel() {
                self.sleep(time).await;
                return self.store.watch(&self.prefix);
            }
            self.sleep(RECONNECT).await;
        }
    }

    /// Time of a message from the ledger; `None`: it is lost, and the connection with it.
    fn travel(&self) -> Option<Duration> {
        let state = &mut *self.world.state();
        let (replica, has_majority) = state.replica(self.site);
        if !has_majority || state.ledger.cut_off.contains(&self.site) {
            return None;
        }
        match state.network.fate(replica, self.site, 0, &mut state.rng) {
            Fate::Arrives(after, _) => Some(after),
            Fate::Lost => None,
        }
    }

    async fn sleep(&self, time: Duration) {
        let until = self.world.now().plus(time);
        Sleep { world: &self.world, life: self.life, until, registered: false }.await;
    }
}

//! Following all records below a prefix, for ever.

use std::{collections::VecDeque, sync::Arc};

use futures::{StreamExt, stream, stream::BoxStream};
use tracing::{info, warn};

use super::{
    Store,
    connection::Watching,
    failure::Failure,
    wire::{self, Event, WatchCreateRequest, WatchRequest, WatchResponse},
};
use crate::{
    adapters::kube::WatchBackoff,
    ports::{Change, Key},
};

/// Every change below `prefix`; first everything.
pub(super) fn follow(store: Arc<Store>, prefix: &str) -> BoxStream<'static, Change> {
    let watcher = Watcher {
        prefix: format!("{}{prefix}", store.entries),
        store,
        seen: None,
        watching: None,
        ready: VecDeque::new(),
        backoff: WatchBackoff::default(),
        interrupted: false,
    };
    stream::unfold(watcher, |mut watcher| async move { Some((watcher.next().await, watcher)) }).boxed()
}

struct Watcher {
    store: Arc<Store>,
    prefix: String,
    /// How far it has seen; `None`: it must read everything.
    seen: Option<Seen>,
    watching: Option<Watching>,
    ready: VecDeque<Change>,
    backoff: WatchBackoff,
    interrupted: bool,
}

#[derive(Clone, Copy)]
struct Seen {
    revision: i64,
    /// A cluster that was made anew from a backup has another one, and revisions that mean something else.
    cluster_id: u64,
}

impl Watcher {
    async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return change;
            }
            match self.advance().await {
                Ok(()) => {}
                // Only this revision is gone; etcd itself answers.
                Err(Failure::Compacted) => {
                    info!(prefix = self.prefix, "what was missed is no longer kept, reading everything");
                    (self.seen, self.watching) = (None, None);
                }
                Err(failure) => self.wait(&failure).await,
            }
        }
    }

    /// One step: reads everything, opens the watch, or waits for its next message.
    async fn advance(&mut self) -> Result<(), Failure> {
        let Some(seen) = self.seen else {
            let content = self.store.all(&self.prefix).await?;
            self.seen = Some(Seen { revision: content.revision, cluster_id: content.cluster_id });
            let records = content.keys.into_iter().filter_map(|pair| self.store.record(pair));
            self.ready.push_back(Change::Reset(records.collect()));
            return Ok(());
        };
        let Some(watching) = &mut self.watching else {
            self.watching = Some(self.store.connection.watch(self.request(seen)).await?);
            return Ok(());
        };
        let message = self.store.connection.next(watching).await?;
        self.take_in(message, seen).await
    }

    async fn take_in(&mut self, message: WatchResponse, seen: Seen) -> Result<(), Failure> {
        let header = message.header.unwrap_or_default();
        let another = header.cluster_id != seen.cluster_id;
        if message.compact_revision > 0 || another || (message.created && header.revision < seen.revision) {
            return Err(Failure::Compacted);
        }
        if message.canceled {
            if let Some(watching) = self.watching.take() {
                self.store.connection.give_up(&watching).await;
            }
            return Err(Failure::Undone(format!("etcd ended the watch: {}", message.cancel_reason)));
        }
        if self.interrupted {
            self.interrupted = false;
            info!(prefix = self.prefix, "watch is back");
        }
        self.backoff = WatchBackoff::default();
        let last =
            message.events.iter().filter_map(|event| event.kv.as_ref()).map(|pair| pair.mod_revision).max();
        let quiet = message.events.is_empty() && !message.created;
        // The rest of a revision that was too large for one message is still to come.
        let last = last.map(|last| last.saturating_sub(i64::from(message.fragment)));
        // A message without events says how far etcd has looked.
        let revision = last.or(quiet.then_some(header.revision)).unwrap_or(seen.revision);
        self.seen = Some(Seen { revision: revision.max(seen.revision), ..seen });
        let changes: Vec<Change> =
            message.events.into_iter().filter_map(|event| self.change(event)).collect();
        self.ready.extend(changes);
        Ok(())
    }

    fn change(&self, event: Event) -> Option<Change> {
        let pair = event.kv?;
        if event.kind == wire::DELETE {
            let key = std::str::from_utf8(&pair.key).ok()?.strip_prefix(&self.store.entries)?;
            return Some(Change::Deleted(Key::new(key)));
        }
        self.store.record(pair).map(|(key, record)| Change::Put(key, record))
    }

    fn request(&self, seen: Seen) -> WatchRequest {
        let create = WatchCreateRequest {
            key: self.prefix.clone().into(),
            range_end: wire::end_of(&self.prefix),
            start_revision: seen.revision.saturating_add(1),
            progress_notify: true,
            fragment: true,
        };
        WatchRequest { create: Some(create) }
    }

    /// Goes on where it was, after a while.
    async fn wait(&mut self, failure: &Failure) {
        self.watching = None;
        if !self.interrupted {
            self.interrupted = true;
            warn!(prefix = self.prefix, error = %failure, "watch interrupted, trying again");
        }
        let wait = self.backoff.wait();
        self.store.clock.sleep(wait).await;
    }
}

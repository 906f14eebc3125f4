//! What a name server remembers of the ledger. Pure: changes go in, zones come out.
//!
//! Nothing is ever forgotten because it is gone from the ledger: a clean-up that removes the record of a live service
//! must not take its name off the net (I3, I8). A removed record is answered on until the process ends or another
//! record takes its name.

use std::collections::BTreeMap;

use super::{record::Record, zones::Zones};
use crate::ports::{Change, Key, Version, Versioned};

/// The records.
#[derive(Default)]
pub(super) struct Book {
    entries: BTreeMap<Key, Entry>,
}

struct Entry {
    version: Version,
    record: Record,
    /// Whether the ledger still holds it.
    live: bool,
}

impl Book {
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Reset(records) => {
                self.entries.values_mut().for_each(|entry| entry.live = false);
                for (key, found) in records {
                    // Also one that cannot be read is there: the last one that could be is given.
                    if let Some(entry) = self.entries.get_mut(&key) {
                        entry.live = true;
                    }
                    self.put(key, &found);
                }
            }
            Change::Put(key, found) => self.put(key, &found),
            Change::Deleted(key) => {
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.live = false;
                    tracing::warn!(%key, name = entry.record.name, "answer removed from the ledger, still given");
                }
            }
        }
    }

    fn put(&mut self, key: Key, found: &Versioned) {
        match Record::parse(&found.value) {
            Ok(record) => {
                self.entries.insert(key, Entry { version: found.version, record, live: true });
            }
            Err(error) => {
                tracing::error!(%key, error, "answer in the ledger cannot be read, the last one is given")
            }
        }
    }

    /// The zones to answer from. Where two records have one name, the one that the ledger still holds wins, then the
    /// one whose key comes first: the same in every region, in whatever order the changes came.
    pub(super) fn zones(&self) -> Zones {
        let mut zones = Zones::default();
        let (live, kept): (Vec<_>, Vec<_>) = self.entries.values().partition(|entry| entry.live);
        for Entry { version, record, .. } in live.into_iter().chain(kept) {
            if let Err(error) = zones.add(record, *version) {
                tracing::error!(name = record.name, error, "answer in the ledger is not usable");
            }
        }
        zones
    }
}

//! Failovers that a person created, brought from the cluster into the ledger.

use std::{collections::BTreeMap, sync::Arc};

use tracing::{info, warn};

use super::{
    agent::Agent,
    book::{self, Entry, RequestEntry},
    catalog::Catalog,
};
use crate::{
    api::{self, Failover, FailoverPhase},
    domain::{Intervention, RegionName, RunId, ServiceKey, Timestamp, Trigger},
    ports::Expect,
};

impl Agent {
    /// Puts every new wish, and every new word on a paused run, into the ledger. Which region's Bongsu does it makes no
    /// difference: the key is the same.
    pub(super) async fn bring_requests(&self, catalog: &Catalog) {
        // Most Failovers are over and nobody says a word on them.
        let is_open = |failover: &&Arc<Failover>| failover.spec.intervention.is_some() || !is_over(failover);
        for failover in catalog.snapshot.failovers.values().filter(is_open) {
            let Some((id, mut wish, word)) = wish(failover) else { continue };
            let here = &self.settings.region;
            let known = self.mirror.request(&wish.service.namespace, &id);
            let heard = known
                .as_ref()
                .and_then(|(_, entry)| entry.words.get(here))
                .map(|(_, generation)| *generation);
            let new_word = word.filter(|(_, generation)| heard.is_none_or(|heard| *generation > heard));
            let own_run = self.mirror.run(&wish.service, &id).is_some();
            let expect = match &known {
                Some((version, entry)) if new_word.is_some() => {
                    wish = (**entry).clone();
                    Expect::Version(*version)
                }
                Some(_) => continue,
                // Bongsu's own run: only a person's word on it is news.
                None if own_run && new_word.is_none() => continue,
                None if is_over(failover) || (!own_run && has_begun(failover)) => continue,
                None => Expect::Absent,
            };
            wish.words.extend(new_word.map(|word| (here.clone(), word)));
            let entry = Entry::Request(wish.service.namespace.clone(), id.clone());
            match book::put(self.ports.ledger.as_ref(), &entry, &wish, expect, None).await {
                Ok(version) => {
                    info!(service = %wish.service, failover = %id, reason = wish.reason, "a person's wish is in the ledger");
                    self.mirror.wrote(&entry, version, &wish);
                    self.queue.push(wish.service.clone(), self.ports.clock.tick());
                }
                Err(error) => {
                    warn!(failover = %id, %error, "a person's wish is not in the ledger yet, trying again")
                }
            }
        }
    }
}

/// A Failover that ended long ago is no wish, even if the ledger has forgotten its run.
fn is_over(failover: &Failover) -> bool {
    let phase = failover.status.as_ref().and_then(|status| status.phase);
    matches!(
        phase,
        Some(
            FailoverPhase::Succeeded
                | FailoverPhase::Compensated
                | FailoverPhase::Failed
                | FailoverPhase::Refused
                | FailoverPhase::Planned
        )
    )
}

/// A Failover that was answered once is no wish, even if this cluster never learned how it ended and the ledger has
/// forgotten it since.
fn has_begun(failover: &Failover) -> bool {
    let phase = failover.status.as_ref().and_then(|status| status.phase);
    !matches!(phase, None | Some(FailoverPhase::Pending))
}

/// A person's word on a paused run, and the generation of the Failover that brought it.
type Word = (Intervention, i64);

/// Name, wish, and a person's word.
fn wish(failover: &Failover) -> Option<(RunId, RequestEntry, Option<Word>)> {
    let name = failover.metadata.name.as_deref()?;
    let namespace = failover.metadata.namespace.as_deref().unwrap_or("default");
    let spec = &failover.spec;
    let created = failover.metadata.creation_timestamp.as_ref().map(|time| time.0.as_millisecond());
    let generation = failover.metadata.generation.unwrap_or(1);
    let entry = RequestEntry {
        service: ServiceKey::new(namespace, &spec.service_name),
        from: spec.from.as_deref().map(RegionName::new),
        to: spec.to.as_deref().map(RegionName::new),
        reason: spec.reason.clone(),
        dry_run: spec.dry_run,
        writer_stopped: spec.writer_stopped,
        trigger: Trigger::Manual,
        turn_back: None,
        created_at: Timestamp(created.unwrap_or_default()),
        words: BTreeMap::new(),
    };
    let word = spec.intervention.map(|word| (intervention(word), generation));
    Some((RunId::new(name), entry, word))
}

const fn intervention(word: api::Intervention) -> Intervention {
    match word {
        api::Intervention::Resume => Intervention::Resume,
        api::Intervention::Skip => Intervention::Skip,
        api::Intervention::Abort => Intervention::Abort,
    }
}

//! What this region's cluster holds, said in the ledger; and what the other regions say that they hold.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;
use tracing::{info, warn};

use super::{
    agent::Agent,
    book::{
        self, Entry, SCHEMA, SpecEntry, SpecMark, SpecSource, StandingEntry, StandingObject, StandingObjects,
    },
    catalog::{Catalog, ServiceEntry, hash_of},
    mirror::Held,
};
use crate::{
    domain::{Agreement, Fleet, ServiceKey, SpecWord, Term, Timestamp},
    ports::{Expect, LedgerError},
};

/// Specs that are written at the same time, when many are new. 16, as for verdicts: ten thousand are written within ten
/// seconds at 15 ms for a write, and a ledger that is also asked to move services is not held up.
const WRITES: usize = 16;

impl Agent {
    /// Says what this region holds, whenever that is another than what the ledger says of it. While all is well it writes
    /// nothing, however many services there are.
    pub(super) async fn say_what_is_held(self: Arc<Self>) {
        loop {
            // Woken by a change, and once a lease's third for what could not be written before.
            tokio::select! {
                biased;
                () = self.unheld.notified() => {}
                () = self.ports.clock.sleep(self.tenures.renewal_interval()) => {}
            }
            let source = self.source().filter(|_| self.mirror.is_ready());
            if let Some((term, source)) = self.tenures.region_term().zip(source)
                && let Err(error) = self.say_all(source, term).await
            {
                warn!(%error, "what this region holds is not in the ledger yet, trying again");
            }
        }
    }

    /// First the services, then who says it and what else there is: whoever reads the latter counts on the former.
    async fn say_all(&self, source: SpecSource, term: Term) -> Result<(), LedgerError> {
        let catalog = self.catalog();
        if source == SpecSource::Cluster {
            self.say_services(&catalog).await?;
        }
        self.say_standing(source, term, &catalog).await
    }

    async fn say_services(&self, catalog: &Catalog) -> Result<(), LedgerError> {
        let region = &self.settings.region;
        let differs = |(key, entry): &(&ServiceKey, &ServiceEntry)| {
            self.mirror.spec_entry(region, key).is_none_or(|(_, known)| *known != mark(entry))
        };
        let new = catalog.services.iter().filter(differs).map(|(key, entry)| self.say_spec(key, entry));
        let said: Vec<_> = stream::iter(new.collect::<Vec<_>>()).buffer_unordered(WRITES).collect().await;
        said.into_iter().collect::<Result<(), _>>()?;
        for (key, version) in self.mirror.specs_of(region) {
            if !catalog.services.contains_key(&key) {
                let entry = Entry::Spec(region.clone(), key);
                self.ports.ledger.delete(&entry.key(), version).await?;
                self.mirror.deleted(&entry);
            }
        }
        Ok(())
    }

    async fn say_standing(
        &self,
        source: SpecSource,
        term: Term,
        catalog: &Catalog,
    ) -> Result<(), LedgerError> {
        let region = &self.settings.region;
        let known = self.mirror.standing_entry(region);
        let standing = match (source, &known) {
            // What it holds it has from there: nothing else is said than who says it.
            (SpecSource::Ledger, Some((_, known))) => {
                let incarnation = self.settings.identity.clone();
                let stretch = Some(self.vantage.stretch());
                StandingEntry { source, incarnation, term, stretch, ..(**known).clone() }
            }
            _ => self.standing(catalog, source, term),
        };
        let entry = Entry::Standing(region.clone());
        let expect = match known {
            Some((_, known)) if *known == standing => return Ok(()),
            Some((version, _)) => Expect::Version(version),
            None => Expect::Absent,
        };
        self.say(&entry, &standing, expect).await?;
        info!(services = catalog.services.len(), ?source, "what this region holds is in the ledger");
        Ok(())
    }

    async fn say_spec(&self, key: &ServiceKey, entry: &ServiceEntry) -> Result<(), LedgerError> {
        let region = &self.settings.region;
        let expect = self.mirror.spec_entry(region, key).map_or(Expect::Absent, |(v, _)| Expect::Version(v));
        let SpecMark { hash, created_at } = mark(entry);
        let said = SpecEntry { schema: SCHEMA, hash, created_at, spec: json(&entry.object.spec) };
        self.say(&Entry::Spec(region.clone(), key.clone()), &said, expect).await
    }

    /// Only this region writes these keys, so what is there although the mirror does not know it may be replaced.
    async fn say<T: Serialize + Sync>(
        &self,
        entry: &Entry,
        value: &T,
        expect: Expect,
    ) -> Result<(), LedgerError> {
        let ledger = self.ports.ledger.as_ref();
        let version = match book::put(ledger, entry, value, expect, None).await {
            Err(LedgerError::Conflict { .. }) => {
                let expect = book::expect(ledger, entry).await?;
                book::put(ledger, entry, value, expect, None).await?
            }
            written => written?,
        };
        self.mirror.wrote(entry, version, value);
        Ok(())
    }

    fn standing(&self, catalog: &Catalog, source: SpecSource, term: Term) -> StandingEntry {
        StandingEntry {
            schema: SCHEMA,
            incarnation: self.settings.identity.clone(),
            term,
            source,
            grades: catalog.grades.clone(),
            regions: catalog.standing_regions.clone(),
            policies: catalog.standing_policies.clone(),
            stretch: Some(self.vantage.stretch()),
        }
    }

    /// What the other regions say of the spec that is held here. A region that is lost has no word in what becomes of its
    /// services.
    pub(super) fn agreement(&self, key: &ServiceKey, catalog: &Catalog, fleet: &Fleet) -> Agreement {
        let Some(entry) = catalog.services.get(key) else { return Agreement::default() };
        let grade = entry.object.spec.grade;
        let held = Held { spec: &entry.hash, grade, policy: catalog.grades.get(&grade) };
        let words = self.mirror.spec_words(key, &self.settings.region, &held);
        Agreement::new(words.into_iter().filter(|(region, _)| !fleet.lost(region)))
    }
}

impl Agent {
    /// What the other regions say of a Region or a grade policy that is held here.
    pub(super) fn agreement_on(
        &self,
        name: &str,
        held: &StandingObjects,
        of: impl Fn(&StandingEntry) -> &StandingObjects,
    ) -> Agreement {
        let held = held.get(name).map(|object| &object.hash);
        let word = |standing: Option<&StandingEntry>| match standing.map(|standing| of(standing).get(name)) {
            None => SpecWord::Unsaid,
            Some(None) => SpecWord::Missing,
            Some(Some(object)) if Some(&object.hash) == held => SpecWord::Same,
            Some(Some(_)) => SpecWord::Other,
        };
        Agreement::new(
            self.mirror.with_standings(&self.settings.region, |region, standing| (region, word(standing))),
        )
    }
}

fn mark(entry: &ServiceEntry) -> SpecMark {
    SpecMark { hash: entry.hash.clone(), created_at: created_at(&entry.object.metadata) }
}

/// Regions or grade policies, as they are said. While they are what they were before, nothing is hashed again: this is
/// asked whenever a status changes.
pub(super) fn standing_objects<K, S: PartialEq + Serialize>(
    now: &BTreeMap<String, Arc<K>>,
    before: &BTreeMap<String, Arc<K>>,
    known: &StandingObjects,
    parts: for<'a> fn(&'a K) -> (&'a S, &'a ObjectMeta),
) -> StandingObjects {
    let same = |was: &K, is: &K| {
        let ((old, before), (new, now)) = (parts(was), parts(is));
        old == new && created_at(before) == created_at(now)
    };
    let known_as_is = |(name, is): (&String, &Arc<K>)| before.get(name).is_some_and(|was| same(was, is));
    if now.len() == before.len() && now.iter().all(known_as_is) {
        return known.clone();
    }
    let said = now.iter().map(|(name, object)| {
        let (spec, metadata) = parts(object);
        let said = StandingObject { hash: hash_of(spec), created_at: created_at(metadata), spec: json(spec) };
        (name.clone(), said)
    });
    Arc::new(said.collect())
}

fn created_at(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.creation_timestamp.as_ref().map(|time| Timestamp(time.0.as_millisecond()))
}

/// Specs come from JSON, so they can be written as JSON.
fn json(spec: &impl Serialize) -> Value {
    serde_json::to_value(spec).unwrap_or_default()
}

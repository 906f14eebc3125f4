//! Going on with the specs that the ledger keeps, while the own API server has not answered since the start.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use super::{
    agent::Agent,
    book::{self, Entry, SpecEntry, SpecSource, StandingObject},
    catalog::Catalog,
    tasks::watched,
};
use crate::{
    api::{GradePolicy, Region, SharedService},
    domain::{ServiceKey, Timestamp},
    ports::{Change, Event, EventKind, Key, Snapshot, Versioned},
};

impl Agent {
    /// Waits for a third of a lease for what the cluster holds; then takes what the ledger says that it held. A task of its
    /// own, which ends with the process.
    pub(super) async fn recall_specs(self: Arc<Self>) {
        loop {
            self.ports.clock.sleep(self.tenures.renewal_interval()).await;
            if self.source().is_some() {
                std::future::pending::<()>().await;
            }
            if self.mirror.is_ready()
                && let Some(snapshot) = self.recalled().await
            {
                self.go_on_with(snapshot);
            }
        }
    }

    /// Where the specs are from; `None`: nothing was read yet.
    pub(super) fn source(&self) -> Option<SpecSource> {
        self.shared().source
    }

    /// Whether anything is known of what the users want.
    #[must_use]
    pub fn has_specs(&self) -> bool {
        self.source().is_some()
    }

    /// Nothing can be shown in a cluster whose API server does not answer.
    pub(super) fn can_show(&self) -> bool {
        self.source() == Some(SpecSource::Cluster)
    }

    /// What this region held last, as the ledger keeps it.
    async fn recalled(&self) -> Option<Snapshot> {
        let region = &self.settings.region;
        let (_, standing) = self.mirror.standing_entry(region)?;
        let mut snapshot = Snapshot {
            regions: objects("Region", &standing.regions, |name, spec, created| {
                let mut region = Region::new(name, spec);
                region.metadata.creation_timestamp = created;
                region
            }),
            policies: objects("GradePolicy", &standing.policies, |name, spec, created| {
                let mut policy = GradePolicy::new(name, spec);
                policy.metadata.creation_timestamp = created;
                policy
            }),
            ..Snapshot::default()
        };
        let mut changes = self.ports.ledger.watch(&format!("spec/{region}/"));
        let all = tokio::select! {
            biased;
            first = changes.next() => first,
            () = self.ports.clock.sleep(self.tenures.renewal_interval()) => None,
        };
        let Some(Change::Reset(all)) = all else { return None };
        snapshot.services = all
            .iter()
            .filter_map(|(key, value)| service(key, value))
            .map(|(k, v)| (k, Arc::new(v)))
            .collect();
        Some(snapshot)
    }

    fn go_on_with(&self, snapshot: Snapshot) {
        let (regions, services) = (snapshot.regions.len(), snapshot.services.len());
        let catalog = Arc::new(Catalog::new(Arc::new(snapshot), &Catalog::default()));
        {
            let mut shared = self.shared();
            // What the cluster holds came meanwhile, and counts.
            if shared.source.is_some() {
                return;
            }
            shared.catalog = catalog.clone();
            shared.source = Some(SpecSource::Ledger);
            shared.recalled_at = Some(self.ports.clock.tick());
        }
        self.ports.metrics.set_spec_source(Some(true));
        warn!(
            regions,
            services,
            "the own API server does not answer: going on with the specs that it accepted last, from the ledger; names \
             whose updates are signed cannot be updated from here, and nothing is shown"
        );
        self.vantage.watch(watched(&catalog));
        self.unheld.notify_one();
        self.push_all();
    }

    /// What the cluster holds was read. Tells it if the ledger stood in for it.
    pub(super) async fn note_cluster_read(&self) -> bool {
        let (before, since) = {
            let mut shared = self.shared();
            (shared.source.replace(SpecSource::Cluster), shared.recalled_at.take())
        };
        self.ports.metrics.set_spec_source(Some(false));
        if let Some(since) = since {
            let time = Duration::from_secs(self.ports.clock.tick().since(since).as_secs());
            let note = format!(
                "the API server is back: what it holds counts again. For {time:?} this region went on with the specs that \
                 it accepted last, from the ledger"
            );
            info!("{note}");
            let event = self.event_on_region("SpecsFromLedger", note);
            self.tell(Event { kind: EventKind::Normal, ..event }).await;
        }
        before != Some(SpecSource::Cluster)
    }
}

fn service(key: &Key, value: &Versioned) -> Option<(ServiceKey, SharedService)> {
    let Some(Entry::Spec(_, service)) = Entry::of(key) else { return None };
    let entry: SpecEntry = match book::newer_schema(&value.value) {
        Some(cause) => {
            warn!(%key, cause, "a spec of the ledger is not used");
            return None;
        }
        None => read(key, serde_json::from_str(&value.value))?,
    };
    let mut object = SharedService::new(&service.name, read(key, serde_json::from_value(entry.spec))?);
    object.metadata.namespace = Some(service.namespace.to_string());
    object.metadata.creation_timestamp = created(entry.created_at);
    Some((service, object))
}

fn objects<S: DeserializeOwned, K>(
    kind: &str,
    all: &BTreeMap<String, StandingObject>,
    make: impl Fn(&str, S, Option<Time>) -> K,
) -> BTreeMap<String, Arc<K>> {
    let object = |(name, held): (&String, &StandingObject)| {
        let spec = read(&Key::new(format!("{kind} {name}")), serde_json::from_value(held.spec.clone()))?;
        Some((name.clone(), Arc::new(make(name, spec, created(held.created_at)))))
    };
    all.iter().filter_map(object).collect()
}

/// What a newer version wrote is passed over.
fn read<T>(key: &Key, result: Result<T, serde_json::Error>) -> Option<T> {
    result
        .inspect_err(|error| warn!(%key, %error, "a spec of the ledger cannot be read by this version"))
        .ok()
}

fn created(at: Option<Timestamp>) -> Option<Time> {
    jiff::Timestamp::from_millisecond(at?.0).ok().map(Time)
}

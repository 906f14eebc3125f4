//! Everything that is known of the kinds, and who must hear when it changes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Client, Resource, core::object::HasStatus};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use super::{
    guard::Guarded,
    table::{Name, Table},
    watch::follow,
};
use crate::{
    api::{Approval, Calendar, DrillRun, Failover, GradePolicy, Region, SharedService, SwitchoverDrill},
    domain::ServiceKey,
    ports::{InvalidObject, ObjectRef, Snapshot},
};

/// A kind that is watched and whose status is written.
pub(crate) trait Kind:
    Resource<DynamicType = ()>
    + HasStatus<Status: Clone + Default + PartialEq + Send + Sync>
    + Clone
    + std::fmt::Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// Its name, as users write it.
    const NAME: &'static str;

    /// Where it is kept.
    fn table(tables: &mut Tables) -> &mut Table<Self>;

    /// The conditions of a status.
    fn conditions(status: &mut Self::Status) -> &mut Vec<Condition>;

    /// The objects of one namespace, or all of them for a cluster-scoped kind.
    fn api(client: Client, namespace: &str) -> Api<Self>;
}

macro_rules! kind {
    ($kind:ident, $field:ident, |$client:ident, $namespace:ident| $api:expr) => {
        impl Kind for $kind {
            const NAME: &'static str = stringify!($kind);

            fn table(tables: &mut Tables) -> &mut Table<Self> {
                &mut tables.$field
            }

            fn conditions(status: &mut Self::Status) -> &mut Vec<Condition> {
                &mut status.conditions
            }

            fn api($client: Client, $namespace: &str) -> Api<Self> {
                $api
            }
        }
    };
}

kind!(Region, regions, |client, _namespace| Api::all(client));
kind!(GradePolicy, policies, |client, _namespace| Api::all(client));
kind!(SharedService, services, |client, namespace| Api::namespaced(client, namespace));
kind!(Failover, failovers, |client, namespace| Api::namespaced(client, namespace));
kind!(SwitchoverDrill, drills, |client, namespace| Api::namespaced(client, namespace));
kind!(DrillRun, drill_runs, |client, namespace| Api::namespaced(client, namespace));
kind!(Calendar, calendars, |client, _namespace| Api::all(client));
kind!(Approval, approvals, |client, namespace| Api::namespaced(client, namespace));

/// One table for each kind.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    regions: Table<Region>,
    services: Table<SharedService>,
    policies: Table<GradePolicy>,
    failovers: Table<Failover>,
    drills: Table<SwitchoverDrill>,
    drill_runs: Table<DrillRun>,
    calendars: Table<Calendar>,
    approvals: Table<Approval>,
    /// Made when somebody asks and kept until something changes: a burst of changes costs one copy, not one each.
    snapshot: Option<Arc<Snapshot>>,
}

/// The tables, shared between the watches and those who ask.
#[derive(Debug)]
pub(crate) struct Index {
    tables: Mutex<Tables>,
    changes: watch::Sender<u64>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { tables: Mutex::default(), changes: watch::channel(0).0 }
    }

    /// Follows one kind for ever.
    pub(crate) async fn follow<K: Kind>(self: Arc<Self>, client: Client) {
        let mut events = std::pin::pin!(follow::<K>(Api::<Guarded<K>>::all(client), K::NAME));
        while let Some(event) = events.next().await {
            if self.with(|tables| K::table(tables).apply(event)) {
                self.changes.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        // Not `with`: looking changes nothing.
        let mut tables = self.tables();
        if tables.snapshot.is_none() && tables.are_ready() {
            tables.snapshot = Some(Arc::new(tables.make_snapshot()));
        }
        tables.snapshot.clone()
    }

    pub(crate) fn get<K: Kind>(&self, name: &Name) -> Option<Arc<K>> {
        K::table(&mut self.tables()).get(name)
    }

    /// Takes in the answer to a write of our own. Wakes nobody: whoever wrote knows.
    pub(crate) fn written<K: Kind>(&self, object: K) {
        self.with(|tables| K::table(tables).written(object));
    }

    /// Identity of an object, if it is known.
    pub(crate) fn uid(&self, object: &ObjectRef) -> Option<String> {
        let tables = self.tables();
        let name = (object.namespace.clone(), object.name.clone());
        match object.kind {
            Region::NAME => tables.regions.uid(&name),
            SharedService::NAME => tables.services.uid(&name),
            GradePolicy::NAME => tables.policies.uid(&name),
            Failover::NAME => tables.failovers.uid(&name),
            SwitchoverDrill::NAME => tables.drills.uid(&name),
            DrillRun::NAME => tables.drill_runs.uid(&name),
            Calendar::NAME => tables.calendars.uid(&name),
            Approval::NAME => tables.approvals.uid(&name),
            _ => None,
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        let mut tables = self.tables();
        tables.snapshot = None;
        change(&mut tables)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Rows are changed by whole assignments only, so they are good even if a holder of the lock panicked.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    const fn are_ready(&self) -> bool {
        let Self { regions, services, policies, failovers, .. } = self;
        let Self { drills, drill_runs, calendars, approvals, .. } = self;
        let drills_are =
            drills.is_ready() && drill_runs.is_ready() && calendars.is_ready() && approvals.is_ready();
        regions.is_ready() && services.is_ready() && policies.is_ready() && failovers.is_ready() && drills_are
    }

    fn make_snapshot(&self) -> Snapshot {
        let service = |((namespace, name), object): (&Name, &Arc<SharedService>)| {
            (ServiceKey::new(namespace, name), Arc::clone(object))
        };
        let mut invalid = Vec::new();
        invalid.extend(invalid_of(&self.regions));
        invalid.extend(invalid_of(&self.services));
        invalid.extend(invalid_of(&self.policies));
        invalid.extend(invalid_of(&self.failovers));
        invalid.extend(invalid_of(&self.drills));
        invalid.extend(invalid_of(&self.drill_runs));
        invalid.extend(invalid_of(&self.calendars));
        invalid.extend(invalid_of(&self.approvals));
        Snapshot {
            regions: by_name(&self.regions),
            services: self.services.valid().map(service).collect(),
            policies: by_name(&self.policies),
            failovers: by_namespace(&self.failovers),
            drills: by_namespace(&self.drills),
            drill_runs: by_namespace(&self.drill_runs),
            calendars: by_name(&self.calendars),
            approvals: by_namespace(&self.approvals),
            invalid,
        }
    }
}

fn by_name<K: Kind>(table: &Table<K>) -> BTreeMap<String, Arc<K>> {
    table.valid().map(|(name, object)| (name.1.clone(), Arc::clone(object))).collect()
}

fn by_namespace<K: Kind>(table: &Table<K>) -> BTreeMap<Name, Arc<K>> {
    table.valid().map(|(name, object)| (name.clone(), Arc::clone(object))).collect()
}

fn invalid_of<K: Kind>(table: &Table<K>) -> impl Iterator<Item = InvalidObject> {
    table.invalid().map(|((namespace, name), message)| InvalidObject {
        object: ObjectRef { kind: K::NAME, namespace: namespace.clone(), name: name.clone() },
        message: message.to_owned(),
    })
}

//! The port `Resources` on an API server.
//!
//! Needs `get`, `list` and `watch` on all kinds, `update` on their `status`, `create` on `failovers` and `drillruns`, `get` on the
//! Secrets that services refer to, `get` on the namespace `kube-system`, and `create` and `patch` on `events.events.k8s.io`.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use tokio::{sync::watch, task::JoinSet};

use super::{
    client::{CallError, bounded},
    events::Events,
    index::{Index, Kind},
    secrets::Secrets,
    status::{self, parameters, unavailable},
};
use crate::{
    api::{Approval, Calendar, DrillRun, Failover, GradePolicy, Region, SharedService, SwitchoverDrill},
    ports::{Clock, Event, NewObject, Resources, ResourcesError, Snapshot, StatusUpdate},
};

/// The resources of one cluster. Its watches run until it is dropped.
pub struct KubeResources {
    client: Client,
    index: Arc<Index>,
    secrets: Secrets,
    events: Events,
    #[expect(dead_code, reason = "dropping it ends the tasks")]
    tasks: JoinSet<()>,
}

impl KubeResources {
    /// Starts to follow every kind. Call it within a Tokio runtime.
    #[must_use]
    pub fn start(client: Client, clock: Arc<dyn Clock>) -> Self {
        let index = Arc::new(Index::new());
        let (events, publishing) = Events::new(client.clone(), Arc::clone(&index));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&index).follow::<Region>(client.clone()));
        tasks.spawn(Arc::clone(&index).follow::<SharedService>(client.clone()));
        tasks.spawn(Arc::clone(&index).follow::<GradePolicy>(client.clone()));
        tasks.spawn(Arc::clone(&index).follow::<Failover>(client.clone()));
        tasks.spawn(Arc::clone(&index).follow::<SwitchoverDrill>(client.clone()));
        tasks.spawn(Arc::clone(&index).follow::<DrillRun>(client.clone()));
        tasks.spawn(Arc::clone(&index).follow::<Calendar>(client.clone()));
        tasks.spawn(Arc::clone(&index).follow::<Approval>(client.clone()));
        tasks.spawn(publishing);
        let secrets = Secrets::new(client.clone(), clock);
        Self { client, index, secrets, events, tasks }
    }
}

#[async_trait]
impl Resources for KubeResources {
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.index.snapshot()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.index.changes()
    }

    async fn installation(&self) -> Result<Option<Arc<str>>, ResourcesError> {
        // Every cluster has this namespace from its beginning to its end, and nobody restores it into another one.
        let namespace = bounded(Api::<Namespace>::all(self.client.clone()).get_metadata("kube-system")).await;
        let read = namespace.map_err(|error| unavailable(&error, "read namespace kube-system".to_owned()))?;
        Ok(read.metadata.uid.map(Arc::from))
    }

    async fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, ResourcesError> {
        self.secrets.value(namespace, name, key).await
    }

    fn doubt_secret(&self, namespace: &str, name: &str) {
        self.secrets.doubt(namespace, name);
    }

    async fn write_status(&self, update: StatusUpdate) -> Result<(), ResourcesError> {
        let Self { client, index, .. } = self;
        let cluster = |name| (String::new(), name);
        match update {
            StatusUpdate::Service(key, status) => {
                let name = (key.namespace.to_string(), key.name.to_string());
                status::write::<SharedService>(client, index, &name, *status).await
            }
            StatusUpdate::Region(name, status) => {
                status::write::<Region>(client, index, &cluster(name), status).await
            }
            StatusUpdate::Policy(name, status) => {
                status::write::<GradePolicy>(client, index, &cluster(name), status).await
            }
            StatusUpdate::Failover(namespace, name, status) => {
                status::write::<Failover>(client, index, &(namespace, name), *status).await
            }
            StatusUpdate::Drill(namespace, name, status) => {
                status::write::<SwitchoverDrill>(client, index, &(namespace, name), *status).await
            }
            StatusUpdate::DrillRun(namespace, name, status) => {
                status::write::<DrillRun>(client, index, &(namespace, name), *status).await
            }
            StatusUpdate::Calendar(name, status) => {
                status::write::<Calendar>(client, index, &cluster(name), status).await
            }
            StatusUpdate::Approval(namespace, name, status) => {
                status::write::<Approval>(client, index, &(namespace, name), status).await
            }
        }
    }

    async fn create(&self, object: NewObject) -> Result<(), ResourcesError> {
        match object {
            NewObject::Failover(failover) => create(&self.client, *failover).await,
            NewObject::DrillRun(run) => create(&self.client, *run).await,
        }
    }

    async fn emit(&self, event: Event) {
        self.events.emit(event);
    }
}

/// One that exists already is no error.
async fn create<K: Kind>(client: &Client, object: K) -> Result<(), ResourcesError> {
    let namespace = object.namespace().unwrap_or_default();
    match bounded(K::api(client.clone(), &namespace).create(&parameters(), &object)).await {
        Ok(_) => Ok(()),
        Err(CallError::Answer(kube::Error::Api(status))) if status.is_already_exists() => Ok(()),
        Err(error) => {
            let what = format!("create {} {namespace}/{}", K::NAME, object.name_any());
            Err(unavailable(&error, what))
        }
    }
}

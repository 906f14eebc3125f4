//! The port `Resources` on an API server.
//!
//! Needs `get`, `list` and `watch` on the four kinds, `update` on their `status`, `create` on `failovers`, `get` on the
//! Secrets that services refer to, and `create` and `patch` on `events.events.k8s.io`.

use std::sync::Arc;

use async_trait::async_trait;
use kube::{Client, ResourceExt};
use tokio::{sync::watch, task::JoinSet};

use super::{
    client::{CallError, bounded},
    events::Events,
    index::{Index, Kind},
    secrets::Secrets,
    status::{self, parameters, unavailable},
};
use crate::{
    api::{Failover, GradePolicy, Region, SharedService},
    ports::{Clock, Event, Resources, ResourcesError, Snapshot, StatusUpdate},
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
        }
    }

    async fn create_failover(&self, failover: Failover) -> Result<(), ResourcesError> {
        let namespace = failover.namespace().unwrap_or_default();
        let api = Failover::api(self.client.clone(), &namespace);
        match bounded(api.create(&parameters(), &failover)).await {
            Ok(_) => Ok(()),
            Err(CallError::Answer(kube::Error::Api(status))) if status.is_already_exists() => Ok(()),
            Err(error) => {
                let what = format!("create Failover {namespace}/{}", failover.name_any());
                Err(unavailable(&error, what))
            }
        }
    }

    async fn emit(&self, event: Event) {
        self.events.emit(event);
    }
}

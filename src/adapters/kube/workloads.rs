//! Deployments and StatefulSets: how many pods there should be, how many there are, and that none can come back.

use async_trait::async_trait;
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, StatefulSet},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
    core::Selector,
};
use serde_json::json;

use super::{
    client::{CallError, bounded},
    status::unavailable,
};
use crate::{
    api::FIELD_MANAGER,
    domain::{Workload, WorkloadKind},
    ports::{ResourcesError, WorkloadState, Workloads},
};

/// Why the workload has the number of pods that it has, for people who look at it, and so that no two moves write the same.
const MARK: &str = "bongsu.io/writer";

/// Pods that may still run. One that has succeeded or failed has no container left.
const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// The workloads of one API server.
pub struct KubeWorkloads {
    client: Client,
}

/// What both kinds have.
struct Found {
    metadata: ObjectMeta,
    replicas: Option<i32>,
    selector: LabelSelector,
    ready: Option<i32>,
    observed: Option<i64>,
}

impl KubeWorkloads {
    /// The workloads that this client may read and change.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    async fn found(&self, namespace: &str, workload: &Workload) -> Result<Found, CallError> {
        Ok(match workload.kind {
            WorkloadKind::Deployment => {
                let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
                let found = bounded(api.get(&workload.name)).await?;
                let (spec, status) = (found.spec.unwrap_or_default(), found.status.unwrap_or_default());
                Found {
                    metadata: found.metadata,
                    replicas: spec.replicas,
                    selector: spec.selector,
                    ready: status.ready_replicas,
                    observed: status.observed_generation,
                }
            }
            WorkloadKind::StatefulSet => {
                let api: Api<StatefulSet> = Api::namespaced(self.client.clone(), namespace);
                let found = bounded(api.get(&workload.name)).await?;
                let (spec, status) = (found.spec.unwrap_or_default(), found.status.unwrap_or_default());
                Found {
                    metadata: found.metadata,
                    replicas: spec.replicas,
                    selector: spec.selector,
                    ready: status.ready_replicas,
                    observed: status.observed_generation,
                }
            }
        })
    }

    /// Why a pod may still run or be made. The controllers are asked first: what they have seen they have done, and a pod that
    /// they made before that is found.
    async fn left(&self, namespace: &str, found: &Found) -> Result<Option<String>, CallError> {
        if !has_seen(&found.metadata, found.observed) {
            return Ok(Some("its controller has not seen the change yet".to_owned()));
        }
        let wrong = |error: kube::core::ParseExpressionError| {
            CallError::Answer(kube::Error::Service(Box::new(error)))
        };
        let selector = Selector::try_from(found.selector.clone()).map_err(wrong)?;
        let below = ListParams::default().labels_from(&selector);
        let sets: Api<ReplicaSet> = Api::namespaced(self.client.clone(), namespace);
        let sets = bounded(sets.list(&below)).await?;
        let own = |set: &&ReplicaSet| {
            let owners = set.metadata.owner_references.iter().flatten();
            owners.into_iter().any(|owner| Some(&owner.uid) == found.metadata.uid.as_ref())
        };
        if let Some(set) = sets.items.iter().filter(own).find(|set| !is_empty(set)) {
            return Ok(Some(format!("ReplicaSet {} is not at zero yet", name(&set.metadata))));
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pods = bounded(pods.list(&below.fields(NOT_ENDED).limit(1))).await?;
        Ok(pods.items.first().map(|pod| format!("pod {} has not ended", name(&pod.metadata))))
    }
}

fn name(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

/// Whether the controller has seen the object as it is.
fn has_seen(metadata: &ObjectMeta, observed: Option<i64>) -> bool {
    observed.zip(metadata.generation).is_some_and(|(observed, generation)| observed >= generation)
}

/// Whether its controller knows that it is to have no pods, and has none.
fn is_empty(set: &ReplicaSet) -> bool {
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas);
    let status = set.status.as_ref();
    wanted == Some(0)
        && has_seen(&set.metadata, status.and_then(|status| status.observed_generation))
        && status.is_some_and(|status| status.replicas == 0)
}

fn count(replicas: Option<i32>) -> u32 {
    replicas.map_or(0, |replicas| u32::try_from(replicas).unwrap_or(0))
}

#[async_trait]
impl Workloads for KubeWorkloads {
    async fn look(&self, namespace: &str, workload: &Workload) -> Result<WorkloadState, ResourcesError> {
        let what = || format!("read {workload} in {namespace}");
        let found = self.found(namespace, workload).await.map_err(|error| unavailable(&error, what()))?;
        let wanted = count(found.replicas);
        let left = match wanted {
            0 => self.left(namespace, &found).await.map_err(|error| unavailable(&error, what()))?,
            more => Some(format!("{more} pods are wanted")),
        };
        let mark = found.metadata.annotations.and_then(|mut all| all.remove(MARK));
        let version = found.metadata.resource_version.unwrap_or_default();
        Ok(WorkloadState { version, wanted, ready: count(found.ready), mark, left })
    }

    async fn set(
        &self,
        namespace: &str,
        workload: &Workload,
        version: &str,
        replicas: u32,
        mark: &str,
    ) -> Result<(), ResourcesError> {
        let change = Patch::Merge(json!({
            "metadata": {"resourceVersion": version, "annotations": {MARK: mark}},
            "spec": {"replicas": replicas},
        }));
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let result = match workload.kind {
            WorkloadKind::Deployment => {
                let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
                bounded(api.patch(&workload.name, &parameters, &change)).await.map(drop)
            }
            WorkloadKind::StatefulSet => {
                let api: Api<StatefulSet> = Api::namespaced(self.client.clone(), namespace);
                bounded(api.patch(&workload.name, &parameters, &change)).await.map(drop)
            }
        };
        result.map_err(|error| unavailable(&error, format!("set {workload} in {namespace} to {replicas}")))
    }
}

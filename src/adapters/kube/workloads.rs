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
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
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

impl KubeWorkloads {
    /// The workloads that this client may read and change.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// What is asked for stands in the same fields of both kinds.
    fn api(&self, namespace: &str, workload: &Workload) -> Api<DynamicObject> {
        let kind = match workload.kind {
            WorkloadKind::Deployment => ApiResource::erase::<Deployment>(&()),
            WorkloadKind::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
        };
        Api::namespaced_with(self.client.clone(), namespace, &kind)
    }

    /// Why a pod may still run or be made. The controllers are asked first: what they have seen they have done, and a pod that
    /// they made before that is found.
    async fn left(&self, namespace: &str, found: &DynamicObject) -> Result<Option<String>, CallError> {
        if !has_seen(&found.metadata, number(found, "/status/observedGeneration")) {
            return Ok(Some("its controller has not seen the change yet".to_owned()));
        }
        let selector = found.data.pointer("/spec/selector").cloned().unwrap_or_default();
        let selector: LabelSelector = serde_json::from_value(selector)
            .map_err(|error| CallError::Answer(kube::Error::SerdeError(error)))?;
        let selector = Selector::try_from(selector)
            .map_err(|error| CallError::Answer(kube::Error::Service(Box::new(error))))?;
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

fn number(found: &DynamicObject, path: &str) -> Option<i64> {
    found.data.pointer(path)?.as_i64()
}

fn count(found: &DynamicObject, path: &str) -> u32 {
    number(found, path).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

#[async_trait]
impl Workloads for KubeWorkloads {
    async fn look(&self, namespace: &str, workload: &Workload) -> Result<WorkloadState, ResourcesError> {
        let what = || format!("read {workload} in {namespace}");
        let found = bounded(self.api(namespace, workload).get(&workload.name)).await;
        let found = found.map_err(|error| unavailable(&error, what()))?;
        let wanted = count(&found, "/spec/replicas");
        let left = match wanted {
            0 => self.left(namespace, &found).await.map_err(|error| unavailable(&error, what()))?,
            more => Some(format!("{more} pods are wanted")),
        };
        let seen = has_seen(&found.metadata, number(&found, "/status/observedGeneration"));
        let ready = if seen { count(&found, "/status/readyReplicas") } else { 0 };
        let mark = found.metadata.annotations.and_then(|mut all| all.remove(MARK));
        let version = found.metadata.resource_version.unwrap_or_default();
        Ok(WorkloadState { version, wanted, ready, mark, left })
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
        let result = bounded(self.api(namespace, workload).patch(&workload.name, &parameters, &change)).await;
        result
            .map_err(|error| unavailable(&error, format!("set {workload} in {namespace} to {replicas}")))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(generation: i64, observed: Option<i64>, wanted: i32, there: i32) -> ReplicaSet {
        let status = json!({"replicas": there, "observedGeneration": observed});
        let object = json!({
            "metadata": {"generation": generation},
            "spec": {"replicas": wanted, "selector": {}},
            "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_replica_set_is_at_zero_when_its_controller_has_seen_that_it_is_to_be_and_has_no_pod() {
        assert!(is_empty(&set(3, Some(3), 0, 0)));
        assert!(!is_empty(&set(3, Some(2), 0, 0)), "a pod may be on its way by what was there before");
        assert!(!is_empty(&set(3, None, 0, 0)));
        assert!(!is_empty(&set(3, Some(3), 1, 0)));
        assert!(!is_empty(&set(3, Some(3), 0, 1)));
    }
}

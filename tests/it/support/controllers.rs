//! A real kube-controller-manager for one control plane, with the controllers that make and remove pods. No kubelet: a pod
//! that is on no node ends when it is deleted, and one that a test has put on a node only when the test says so.

use std::path::Path;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{
    bongsu::SOON,
    control_plane::{ControlPlane, Leashed},
    programs::program,
    wait::until,
};

/// The controllers, and the pods that they make. They end with the value.
pub struct Controllers<'a> {
    plane: &'a ControlPlane,
    namespace: String,
    _process: Leashed,
}

impl<'a> Controllers<'a> {
    /// Starts them.
    pub fn start(plane: &'a ControlPlane, namespace: &str) -> Self {
        let arguments = [
            format!("--kubeconfig={}", plane.admin_kubeconfig().display()),
            "--controllers=deployment-controller,replicaset-controller,statefulset-controller,serviceaccount-controller".to_owned(),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ];
        let log = plane.home().join("controllers.log");
        let process = Leashed::start(Path::new(""), &program("kube-controller-manager"), &arguments, &log);
        Self { plane, namespace: namespace.to_owned(), _process: process }
    }

    fn api(&self) -> Api<Pod> {
        Api::namespaced(self.plane.client(), &self.namespace)
    }

    /// Names of the pods that are there, also those that are ending.
    pub async fn pods(&self) -> Vec<String> {
        let list = self.api().list(&ListParams::default()).await.unwrap();
        list.items.iter().map(ResourceExt::name_any).collect()
    }

    /// Waits until there are so many pods.
    pub async fn has_pods(&self, count: usize) -> Vec<String> {
        until(&format!("there are {count} pods"), SOON, async || {
            let pods = self.pods().await;
            (pods.len() == count).then_some(pods)
        })
        .await
    }

    /// Waits until the controllers have done what they can to stop a Deployment: the rest is for kubelets.
    pub async fn has_let_go(&self, deployment: &str) {
        let api: Api<Deployment> = Api::namespaced(self.plane.client(), &self.namespace);
        until("the controllers have let go of all pods", SOON, async || {
            let found = api.get(deployment).await.unwrap();
            let status = found.status.unwrap_or_default();
            let seen = status.observed_generation >= found.metadata.generation;
            (found.spec?.replicas == Some(0) && seen && status.replicas.unwrap_or(0) == 0).then_some(())
        })
        .await;
    }

    /// Puts a pod on a node, which is as far as nobody but a kubelet can end it.
    pub async fn bind(&self, pod: &str) {
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "node-1"},
        });
        let bound = self.api().create_subresource("binding", pod, &PostParams::default(), &binding).await;
        let _answer: serde_json::Value = bound.unwrap();
    }

    /// Says of a pod what its kubelet would: it is ready.
    pub async fn is_ready(&self, pod: &str) {
        let conditions = ["Ready", "ContainersReady"].map(|kind| json!({"type": kind, "status": "True"}));
        let status = json!({"status": {"phase": "Running", "conditions": conditions}});
        self.api().patch_status(pod, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    }

    /// Says of a pod that was deleted what its kubelet would: its containers have ended.
    pub async fn has_ended(&self, pod: &str) {
        self.api().delete(pod, &DeleteParams::default().grace_period(0)).await.unwrap();
    }
}

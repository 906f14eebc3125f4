//! Resources in a real API server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bongsu::{
    adapters::{
        clock::SystemClock,
        kube::{KubeResources, Unready, connect, readiness, wait_until_ready},
    },
    api::{
        ConditionType, Failover, FailoverSpec, GradePolicy, SharedService, SharedServiceStatus, condition,
    },
    domain::ServiceKey,
    ports::{Event, EventKind, NewObject, ObjectRef, Resources, ResourcesError, Snapshot, StatusUpdate},
};
use k8s_openapi::{api::core::v1::Secret, jiff::Timestamp};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::sync::watch;

use crate::support::{
    admission_cases::service, control_plane::ControlPlane, manual_clock::ManualClock, wait::until,
};

/// Long enough for a busy machine; nothing waits for its end.
const SOON: Duration = Duration::from_secs(30);

/// A namespace on the shared control plane, and the resources as Bongsu sees them.
struct Cluster {
    namespace: String,
    client: Client,
    resources: KubeResources,
    plane: &'static ControlPlane,
}

impl Cluster {
    async fn new() -> Self {
        let plane = ControlPlane::shared().await;
        let resources = KubeResources::start(plane.client(), Arc::new(SystemClock::new()));
        Self { namespace: plane.namespace("resources").await, client: plane.client(), resources, plane }
    }

    fn services(&self) -> Api<SharedService> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn key(&self, name: &str) -> ServiceKey {
        ServiceKey::new(&self.namespace, name)
    }

    async fn create(&self, name: &str) -> SharedService {
        let mut object: SharedService = serde_json::from_value(service()).unwrap();
        object.metadata.name = Some(name.to_owned());
        object.metadata.namespace = Some(self.namespace.clone());
        let created = self.services().create(&PostParams::default(), &object).await.unwrap();
        self.shows("the service", |snapshot| snapshot.services.contains_key(&self.key(name))).await;
        created
    }

    async fn shows(&self, what: &str, is_there: impl Fn(&Snapshot) -> bool) {
        shows(&self.resources, what, is_there).await;
    }
}

async fn shows(resources: &KubeResources, what: &str, is_there: impl Fn(&Snapshot) -> bool) {
    until(what, SOON, async || resources.snapshot().filter(|snapshot| is_there(snapshot))).await;
}

/// A status as of a second that differs each time.
fn status(ready: bool) -> SharedServiceStatus {
    static SECOND: AtomicI64 = AtomicI64::new(1_760_000_000);
    let now = Timestamp::from_second(SECOND.fetch_add(1, Ordering::SeqCst)).unwrap();
    SharedServiceStatus {
        epoch: Some(7),
        serving: vec!["daejeon".to_owned()],
        conditions: vec![
            condition(ConditionType::Ready, Some(ready), "Serving", "all is well", Some(1), now),
            condition(ConditionType::Accepted, Some(true), "Valid", "understood", Some(1), now),
        ],
        ..SharedServiceStatus::default()
    }
}

#[tokio::test]
async fn the_snapshot_follows_what_users_write_and_wakes_who_listens() {
    let cluster = Cluster::new().await;
    let mut changes = cluster.resources.changes();
    cluster.create("ivs").await;
    assert!(changes.has_changed().unwrap());
    cluster.services().delete("ivs", &DeleteParams::default()).await.unwrap();
    let gone = |snapshot: &Snapshot| !snapshot.services.contains_key(&cluster.key("ivs"));
    cluster.shows("the deletion", gone).await;
    changes.mark_unchanged();
    cluster.create("ivs").await;
    tokio::time::timeout(SOON, changes.changed()).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_named_and_the_others_go_on() {
    let cluster = Cluster::new().await;
    let name = format!("broken-{}", cluster.namespace);
    // The schema knows the form of a duration, but not that this one is too long.
    let broken = json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "GradePolicy", "metadata": {"name": name},
        "spec": {"grade": 1, "rto": "99999999999999999999s"},
    });
    let policies: Api<GradePolicy> = Api::all(cluster.client.clone());
    let request = http::Request::post(policies.resource_url()).header("content-type", "application/json");
    let request = request.body(broken.to_string().into_bytes()).unwrap();
    cluster.client.request_text(request).await.unwrap();
    let named = |snapshot: &Snapshot| {
        let found = snapshot.invalid.iter().find(|invalid| invalid.object.name == name);
        found.is_some_and(|invalid| {
            invalid.object.kind == "GradePolicy"
                && invalid.message.starts_with("spec.rto: \"99999999999999999999s\"")
        })
    };
    cluster.shows("the broken policy", named).await;
    // A Bongsu that starts now meets it in the first list.
    let fresh = KubeResources::start(cluster.plane.client(), Arc::new(SystemClock::new()));
    shows(&fresh, "the broken policy at start", named).await;
    cluster.create("good").await;
    policies.delete(&name, &DeleteParams::default()).await.ok();
    cluster.shows("the broken policy is gone", |snapshot| !named(snapshot)).await;
}

#[tokio::test]
async fn a_status_is_written_only_if_it_differs_and_keeps_its_transition_times() {
    let cluster = Cluster::new().await;
    cluster.create("ivs").await;
    let write = async |ready| {
        let update = StatusUpdate::Service(cluster.key("ivs"), Box::new(status(ready)));
        cluster.resources.write_status(update).await.unwrap();
        cluster.services().get("ivs").await.unwrap()
    };
    let first = write(true).await;
    let again = write(true).await;
    assert_eq!(first.resource_version(), again.resource_version(), "nothing to write");
    let other = write(false).await;
    assert_ne!(first.resource_version(), other.resource_version());
    let time = |object: &SharedService, n: usize| object.status.as_ref().unwrap().conditions[n].clone();
    assert_eq!(time(&first, 0), time(&other, 0), "Accepted did not change");
    assert_ne!(time(&first, 1).status, time(&other, 1).status);
    let manager = other.managed_fields().iter().find(|entry| entry.subresource.as_deref() == Some("status"));
    assert_eq!(manager.unwrap().manager.as_deref(), Some("bongsu"));
}

#[tokio::test]
async fn writers_that_collide_read_again_and_lose_nothing_of_others() {
    let cluster = Cluster::new().await;
    cluster.create("ivs").await;
    for round in 0..10 {
        let update = StatusUpdate::Service(cluster.key("ivs"), Box::new(status(round % 2 == 0)));
        // Changes the object under the writer's feet.
        let note = json!({"metadata": {"labels": {"round": round.to_string()}}});
        let patch = kube::api::Patch::Merge(&note);
        cluster.services().patch("ivs", &kube::api::PatchParams::default(), &patch).await.unwrap();
        cluster.resources.write_status(update).await.unwrap();
    }
    let last = cluster.services().get("ivs").await.unwrap();
    assert_eq!(last.labels().get("round").map(String::as_str), Some("9"));
    assert_eq!(last.status.unwrap().conditions[1].status, "False");
}

#[tokio::test]
async fn the_status_of_an_object_that_is_gone_is_not_found() {
    let cluster = Cluster::new().await;
    let update = StatusUpdate::Service(cluster.key("gone"), Box::new(status(true)));
    let error = cluster.resources.write_status(update).await.unwrap_err();
    let what = format!("SharedService {}/gone", cluster.namespace);
    assert_eq!(error, ResourcesError::NotFound { what });
}

#[tokio::test]
async fn a_failover_is_created_once_and_the_second_time_is_no_error() {
    let cluster = Cluster::new().await;
    let spec = FailoverSpec {
        service_name: "ivs".to_owned(),
        from: None,
        to: Some("gwangju".to_owned()),
        reason: "region lost".to_owned(),
        dry_run: false,
        writer_stopped: false,
        intervention: None,
    };
    let mut failover = Failover::new("ivs-8", spec);
    failover.metadata.namespace = Some(cluster.namespace.clone());
    cluster.resources.create(NewObject::Failover(Box::new(failover.clone()))).await.unwrap();
    cluster.resources.create(NewObject::Failover(Box::new(failover.clone()))).await.unwrap();
    failover.spec.to = None;
    failover.metadata.name = Some("ivs-9".to_owned());
    let refused =
        cluster.resources.create(NewObject::Failover(Box::new(failover))).await.unwrap_err().to_string();
    assert!(refused.contains("say where to") && !refused.contains("Status {"), "{refused}");
}

#[tokio::test]
async fn an_event_is_shown_by_kubectl_describe() {
    let cluster = Cluster::new().await;
    cluster.create("ivs").await;
    let event = Event {
        object: ObjectRef {
            kind: "SharedService",
            namespace: cluster.namespace.clone(),
            name: "ivs".to_owned(),
        },
        kind: EventKind::Warning,
        reason: "MemberDown".to_owned(),
        action: "Judge".to_owned(),
        note: "절체 ".repeat(400),
    };
    cluster.resources.emit(event).await;
    let describe = ["describe", "ss", "ivs", "-n", &cluster.namespace];
    until("the event", SOON, async || cluster.plane.kubectl(&describe).contains("MemberDown").then_some(()))
        .await;
}

#[tokio::test]
async fn a_missing_secret_or_key_is_named_and_found_when_it_was_added() {
    let cluster = Cluster::new().await;
    let namespace = &cluster.namespace;
    let secret: Secret =
        serde_json::from_value(json!({"metadata": {"name": "tsig"}, "stringData": {"secret": "c2Vj"}}))
            .unwrap();
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let read = async |name, key| cluster.resources.secret(namespace, name, key).await;
    assert_eq!(read("tsig", "secret").await, Ok(b"c2Vj".to_vec()));
    let missing = |what| Err(ResourcesError::NotFound { what });
    assert_eq!(read("tsig", "other").await, missing(format!("key other of Secret {namespace}/tsig")));
    assert_eq!(read("none", "secret").await, missing(format!("Secret {namespace}/none")));
    let added = json!({"stringData": {"other": "added"}});
    secrets.patch("tsig", &PatchParams::default(), &Patch::Merge(&added)).await.unwrap();
    assert_eq!(
        read("tsig", "other").await,
        Ok(b"added".to_vec()),
        "what was missing is looked for each time"
    );
}

#[tokio::test]
async fn a_secret_is_kept_for_a_while_unless_it_is_doubted() {
    let cluster = Cluster::new().await;
    let namespace = &cluster.namespace;
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    let write = async |value: &str| {
        let secret: Secret =
            serde_json::from_value(json!({"metadata": {"name": "tsig"}, "stringData": {"k": value}}))
                .unwrap();
        // Deleted first: it may be there.
        secrets.delete("tsig", &DeleteParams::default()).await.ok();
        secrets.create(&PostParams::default(), &secret).await.unwrap();
    };
    let resources = KubeResources::start(cluster.client.clone(), Arc::new(ManualClock::default()));
    let read = async || resources.secret(namespace, "tsig", "k").await.unwrap();
    write("old").await;
    assert_eq!(read().await, b"old");
    write("new").await;
    assert_eq!(read().await, b"old");
    resources.doubt_secret(namespace, "tsig");
    assert_eq!(read().await, b"new");
}

#[tokio::test]
async fn bongsu_waits_for_its_crds_and_outlives_its_api_server() {
    let plane = ControlPlane::start().await;
    let client = plane.client();
    let unready = readiness(&client).await.unwrap_err();
    assert!(unready.to_string().contains("sharedservices.bongsu.io"), "{unready}");
    assert!(
        unready.to_string().ends_with("not installed: kubectl apply --server-side -f crds/"),
        "{unready}"
    );

    let resources = KubeResources::start(client.clone(), Arc::new(SystemClock::new()));
    assert!(resources.snapshot().is_none(), "nothing is known yet");
    plane.apply_crds().await;
    let (state, seen) = watch::channel(Some(unready));
    let clock = ManualClock::default();
    tokio::time::timeout(SOON, wait_until_ready(&client, &clock, &state)).await.unwrap();
    assert_eq!(*seen.borrow(), None);
    shows(&resources, "the watches are ready", |snapshot| snapshot.services.is_empty()).await;

    let secret: Secret =
        serde_json::from_value(json!({"metadata": {"name": "tsig"}, "stringData": {"k": "v"}})).unwrap();
    Api::namespaced(client.clone(), "default").create(&PostParams::default(), &secret).await.unwrap();
    let clock = Arc::new(ManualClock::default());
    let outlasting = KubeResources::start(client.clone(), clock.clone());
    outlasting.secret("default", "tsig", "k").await.unwrap();
    plane.kill_apiserver();
    assert!(matches!(readiness(&client).await, Err(Unready::Unreachable { .. })));
    clock.advance(Duration::from_secs(3600));
    assert_eq!(outlasting.secret("default", "tsig", "k").await, Ok(b"v".to_vec()), "the last value read");
    outlasting.doubt_secret("default", "tsig");
    assert_eq!(outlasting.secret("default", "tsig", "k").await, Ok(b"v".to_vec()), "nothing better is known");
    assert!(resources.snapshot().is_some(), "what is known stays known");

    plane.restart_apiserver().await;
    let mut object: SharedService = serde_json::from_value(service()).unwrap();
    object.metadata.name = Some("after".to_owned());
    Api::namespaced(plane.client(), "default").create(&PostParams::default(), &object).await.unwrap();
    let key = ServiceKey::new("default", "after");
    shows(&resources, "what was written after the restart", |snapshot| snapshot.services.contains_key(&key))
        .await;
}

#[tokio::test]
async fn a_kubeconfig_leads_to_the_cluster_that_it_names() {
    let plane = ControlPlane::shared().await;
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    plane.kubeconfig(kubeconfig.path());
    let client = connect(Some(kubeconfig.path())).await.unwrap();
    assert_eq!(readiness(&client).await, Ok(()));
    let nobody = readiness(&plane.client_as("no-such-token")).await.unwrap_err();
    assert!(nobody.to_string().contains("Unauthorized"), "{nobody}");
}

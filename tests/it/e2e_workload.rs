//! A writer that is a workload: started and stopped by Bongsu, in clusters with real controllers.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::support::{
    bongsu::{Bongsu, SOON},
    control_plane::ControlPlane,
    controllers::Controllers,
    dns_server::SECRET_BASE64,
    etcd::Etcd,
    gate::pause,
    service::{DAEJEON, GWANGJU, SERVICE, Service},
    wait::until,
    world::World,
};

const NAMESPACE: &str = "gpki";
const WRITER: &str = "writer";

/// Daejeon with its Bongsu and that of the witness, and Gwangju; each with an API server of its own.
async fn sites(etcd: &Etcd) -> [World; 2] {
    let writers = json!([{"namespace": NAMESPACE, "deployments": [WRITER]}]);
    let install = async |region| {
        let plane = ControlPlane::start().await;
        World::install_with(plane, region, &[NAMESPACE], &json!({"workloads": writers})).await
    };
    let (mut daejeon, mut gwangju) = tokio::join!(install("daejeon"), install("gwangju"));
    daejeon.processes = ["daejeon", "daegu"].map(|region| daejeon.run_on(etcd, region)).into();
    gwangju.processes = vec![gwangju.run_on(etcd, "gwangju")];
    join_all(daejeon.processes.iter().chain(&gwangju.processes).map(Bongsu::ready)).await;
    [daejeon, gwangju]
}

fn deployment() -> Value {
    let container = json!({"name": "writer", "image": "images.example/writer"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": WRITER, "namespace": NAMESPACE},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": WRITER}},
            "template": {"metadata": {"labels": {"app": WRITER}}, "spec": {"containers": [container]}},
        },
    })
}

/// A service whose writer runs in daejeon.
async fn started<'a>(worlds: &'a [World; 2], [here, there]: [&Controllers<'_>; 2]) -> Service<'a> {
    let service = Service::prepare(&worlds[0].plane, NAMESPACE).await;
    let mut object = service.object();
    object["spec"]["health"]["vantages"]["quorum"] = json!(1);
    let limits = json!({"name": WRITER, "stopWithin": "15s", "startWithin": "15s"});
    object["spec"]["fence"] = json!({"workload": limits});
    for world in worlds {
        world.apply(&service.secret(SECRET_BASE64));
        world.apply(&deployment());
        world.apply(&object);
    }
    service.serves("daejeon", 1).await;
    let pods = here.has_pods(1).await;
    here.bind(&pods[0]).await;
    here.is_ready(&pods[0]).await;
    assert_eq!(there.pods().await, Vec::<String>::new());
    service.target("gwangju").await;
    service.has("WriterFenced", "True", "Confirmed").await;
    service.has("FailoverReady", "True", "").await;
    service
}

async fn mark(world: &World) -> String {
    let api: Api<Deployment> = Api::namespaced(world.plane.client(), NAMESPACE);
    let found = api.get(WRITER).await.unwrap();
    found.annotations().get("bongsu.io/writer").cloned().unwrap_or_default()
}

/// Waits until the step of a Failover that waits says so.
async fn waits_for(service: &Service<'_>, failover: &str, words: &str) {
    until(&format!("{failover} waits for {words}"), SOON, async || {
        let found = service.failovers().await.into_iter().find(|found| found.name_any() == failover)?;
        let told = serde_json::to_string(&found.status?).unwrap();
        told.contains(words).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workload_runs_where_it_is_served_and_a_move_waits_until_its_last_pod_has_ended() {
    let etcd = Etcd::single().await;
    let worlds = sites(&etcd).await;
    let [here, there] = [0, 1].map(|site: usize| Controllers::start(&worlds[site].plane, NAMESPACE));
    let mut service = started(&worlds, [&here, &there]).await;
    let pod = here.pods().await.remove(0);

    // The member is gone, its writer is not: the pod is told to end, and does not.
    service.daejeon.die();
    let failover = format!("{SERVICE}-e2");
    waits_for(&service, &failover, "waits until the last pod of Deployment writer in daejeon has ended")
        .await;
    here.has_let_go(WRITER).await;
    pause(Duration::from_secs(3)).await;
    assert_eq!(here.pods().await, std::slice::from_ref(&pod), "it is ending, and still there");
    assert_eq!(service.shown().await, service.answer("daejeon", 1), "nobody is led elsewhere meanwhile");
    assert_eq!(there.pods().await, Vec::<String>::new(), "and nobody writes there");
    assert_eq!(mark(&worlds[0]).await, format!("epoch 1: fenced by Failover {failover}"));

    here.has_ended(&pod).await;
    service.serves("gwangju", 2).await;
    let pods = there.has_pods(1).await;
    waits_for(&service, &failover, "waits until a pod of Deployment writer in gwangju is ready").await;
    there.is_ready(&pods[0]).await;
    service.failover(&failover, "Succeeded").await;
    assert_eq!(here.has_pods(0).await, Vec::<String>::new());

    // A person who starts it by hand where it does not serve is set back.
    worlds[0].plane.try_kubectl(&["scale", "deploy", WRITER, "-n", NAMESPACE, "--replicas=1"], "").unwrap();
    until("it is set back", SOON, async || {
        (mark(&worlds[0]).await == "epoch 2: serves elsewhere").then_some(())
    })
    .await;
    here.has_pods(0).await;
    worlds.iter().for_each(World::assert_allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_lost_region_nobody_reads_back_anything_and_a_person_says_that_its_writer_has_stopped() {
    let etcd = Etcd::single().await;
    let mut worlds = sites(&etcd).await;
    let mut lost = worlds[0].processes.remove(0);
    let [here, there] = [0, 1].map(|site: usize| Controllers::start(&worlds[site].plane, NAMESPACE));
    let mut service = started(&worlds, [&here, &there]).await;

    lost.kill();
    service.daejeon.die();
    let api: Api<bongsu::api::SharedService> = Api::namespaced(worlds[1].plane.client(), NAMESPACE);
    let recommended = until("a person is asked", SOON, async || {
        let status = api.get(SERVICE).await.unwrap().status?;
        let found =
            status.conditions.into_iter().find(|c| c.type_ == "WriterFenced" && c.status == "False")?;
        Some(found.message)
    })
    .await;
    assert!(recommended.contains("the Bongsu of daejeon does not answer"), "{recommended}");
    assert!(recommended.contains("writerStopped: true"), "{recommended}");
    // A move that began before the lease of Daejeon's Bongsu was over has found nobody who says the word, and gone back.
    assert!(service.shown().await.starts_with(DAEJEON), "nothing is moved");
    assert_eq!(there.pods().await, Vec::<String>::new());

    worlds[1].apply(&service.wish("sure", &json!({"writerStopped": true})));
    until("gwangju serves", SOON, async || service.shown().await.starts_with(GWANGJU).then_some(())).await;
    there.has_pods(1).await;
    assert_eq!(here.pods().await.len(), 1, "nobody has stopped it: the person was wrong, and has said so");
}

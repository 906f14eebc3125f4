//! A person moves a service: shown, done, refused, undone, or asked again.

use bongsu::api::StepState;
use serde_json::{Value, json};

use crate::support::{
    bongsu::SOON,
    service::{DAEJEON, GWANGJU, SERVICE, Service},
    wait::until,
    world::World,
};

/// A service whose updates the name server refuses, because its key may only read.
fn with_a_reading_key(service: &Service<'_>) -> Value {
    let mut object = service.object();
    object["spec"]["traffic"][0]["dns"]["tsig"]["name"] = json!("reader");
    object
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_is_shown_by_a_dry_run_and_then_done() {
    let world = World::shared().await;
    let service =
        Service::start(&world.plane, "by-hand", |spec| spec["failover"]["mode"] = json!("Manual")).await;
    let watcher = service.watch();

    service.apply(&service.wish("try", &json!({"dryRun": true})));
    let planned = service.failover("try", "Planned").await.status.unwrap();
    let steps: Vec<&str> = planned.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["Precheck", "RaiseEpoch", "ShiftTraffic", "Verify", "Settle"]);
    assert!(planned.steps.iter().all(|step| step.state == StepState::Pending), "{:?}", planned.steps);
    assert!(planned.predicted_rto.is_some());
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
    assert_eq!(service.read().await.status.unwrap().epoch, Some(1));

    service.apply(&service.wish("move", &json!({})));
    let done = service.failover("move", "Succeeded").await.status.unwrap();
    assert!(
        done.steps.iter().all(|step| step.started_at.is_some() && step.finished_at.is_some()),
        "{done:?}"
    );
    assert_eq!(done.trigger.as_deref(), Some("Manual"));
    assert_eq!(service.shown().await, service.answer("gwangju", 2));
    assert_eq!(watcher.answers(), [DAEJEON, GWANGJU]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_to_go_where_nothing_serves_is_refused_with_the_reason() {
    let world = World::shared().await;
    let mut service = Service::start(&world.plane, "refused", |_| ()).await;
    service.gwangju.die();
    until("gwangju is down", SOON, async || {
        let members = service.read().await.status.unwrap().members;
        members.iter().any(|member| member.region == "gwangju" && member.health == "Down").then_some(())
    })
    .await;
    service.apply(&service.wish("move", &json!({})));
    let refused = service.failover("move", "Refused").await.status.unwrap();
    let message = refused.message.unwrap();
    assert!(message.contains("gwangju cannot take over: it is Down"), "{message}");
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_move_that_cannot_be_published_is_undone() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "compensated", |_| ()).await;
    let watcher = service.watch();
    service.apply(&with_a_reading_key(&service));
    service.has("Accepted", "True", "").await;
    service.apply(&service.wish("move", &json!({})));
    let undoing = service.failover("move", "Compensating").await.status.unwrap();
    assert!(undoing.message.unwrap().contains("REFUSED"));
    service.apply(&service.object());
    let undone = service.failover("move", "Compensated").await.status.unwrap();
    let names: Vec<&str> = undone.steps.iter().map(|step| step.name.as_str()).collect();
    let planned = ["Precheck", "RaiseEpoch", "ShiftTraffic", "Verify", "Settle"];
    assert_eq!(names, [&planned[..], &["RaiseEpoch", "ShiftTraffic"]].concat());
    service.serves("daejeon", 3).await;
    assert_eq!(watcher.answers(), [DAEJEON]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_cannot_be_published_waits_for_a_person_and_goes_on_at_a_word() {
    let world = World::shared().await;
    let mut service = Service::start(&world.plane, "resumed", |_| ()).await;
    let watcher = service.watch();
    service.apply(&with_a_reading_key(&service));
    service.has("Accepted", "True", "").await;
    service.daejeon.die();
    let name = format!("{SERVICE}-e2");
    let paused = service.failover(&name, "Paused").await.status.unwrap();
    assert!(paused.message.unwrap().contains("REFUSED"));
    service.kubectl(&["wait", &format!("fo/{name}"), "--for=condition=Paused", "--timeout=60s"]);
    let message = service.has("Stalled", "True", "Paused").await;
    assert!(message.contains("Resume, Skip or Abort"), "{message}");
    assert_eq!(service.shown().await, service.answer("daejeon", 1));

    service.apply(&service.object());
    service.patch(&format!("fo/{name}"), &json!({"spec": {"intervention": "Resume"}}));
    service.failover(&name, "Succeeded").await;
    service.serves("gwangju", 2).await;
    assert_eq!(watcher.answers(), [DAEJEON, GWANGJU]);
}

//! Mistakes of people and broken neighbours: each is named where people look, harms nobody else, and ends with its cause.

use serde_json::{Value, json};

use crate::support::{
    bongsu::SOON,
    dns_server::free_port,
    service::{SERVICE, Service},
    wait::until,
    world::World,
};

/// A new service whose traffic is wrong must say so in these words, and work as soon as it is right.
async fn check_establishment(namespace: &str, words: &[&str], spoil: impl FnOnce(&mut Value)) {
    let world = World::shared().await;
    let service = Service::prepare(&world.plane, namespace).await;
    let mut object = service.object();
    spoil(&mut object["spec"]["traffic"][0]["dns"]);
    service.apply(&object);
    let message = service.has("TrafficInSync", "False", "").await;
    let server = object["spec"]["traffic"][0]["dns"]["servers"][0]["address"].as_str().unwrap();
    for word in [words, &[server]].concat() {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    service.apply(&service.object());
    service.serves("daejeon", 1).await;
    service.has("TrafficInSync", "True", "").await;
    service.has("Ready", "True", "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_the_name_server_does_not_know_is_named() {
    check_establishment("wrong-key", &["BADKEY"], |dns| dns["tsig"]["name"] = json!("nobody")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_the_name_server_does_not_have_is_named() {
    check_establishment("no-zone", &["other.test"], |dns| {
        dns["zone"] = json!("other.test");
        dns["name"] = json!("verify.other.test");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_server_that_is_down_is_named() {
    let nowhere = format!("127.0.0.1:{}", free_port());
    check_establishment("server-down", &["refused"], |dns| dns["servers"][0]["address"] = json!(nowhere))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_belongs_to_the_older_service() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "claimed", |_| ()).await;
    let mut younger = service.object();
    younger["metadata"]["name"] = json!("younger");
    younger["spec"]["members"][1]["weight"] = json!(1000);
    // Kubernetes writes down the second of creation, and of two in the same second the name decides.
    service.apply(&younger);
    let message = service.other_has("younger", "Accepted", "False", "NameClaimed").await;
    assert!(message.contains(&format!("claimed/{SERVICE}")), "{message}");
    service.other_has("younger", "Ready", "False", "NameClaimed").await;
    service.apply(&service.wish("steal", &json!({"serviceName": "younger"})));
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
    service.has("Ready", "True", "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_of_a_deleted_service_stays_as_it_is() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "deleted", |_| ()).await;
    let watcher = service.watch();
    let series = format!("bongsu_epoch{{namespace=\"deleted\",service=\"{SERVICE}\"}}");
    service.kubectl(&["delete", "ss", SERVICE]);
    for process in &world.processes {
        until("it is forgotten", SOON, async || process.metric(&series).await.is_none().then_some(())).await;
    }
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
    // The same object again is taken up where it was.
    service.apply(&service.object());
    service.has("Ready", "True", "").await;
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
    assert_eq!(watcher.answers().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_cannot_be_read_is_told_on_itself_and_stops_no_other() {
    let world = World::shared().await;
    let mut broken = Service::prepare(&world.plane, "malformed").await.object();
    broken["metadata"]["name"] = json!("unreadable");
    // The schema knows the form of a duration, but not that this one is too long.
    broken["spec"]["failover"]["cooldown"] = json!("99999999999999999999s");
    world.apply(&broken);
    let service = Service::start(&world.plane, "malformed", |_| ()).await;
    until("the event on it", SOON, async || {
        let told = service.kubectl(&["describe", "ss", "unreadable"]);
        (told.contains("InvalidObject") && told.contains("spec.failover.cooldown")).then_some(())
    })
    .await;
}

/// A service that cannot be operated must say so for this reason and in these words.
async fn check_not_accepted(namespace: &str, reason: &str, words: &[&str], spoil: impl FnOnce(&mut Value)) {
    let world = World::shared().await;
    let service = Service::prepare(&world.plane, namespace).await;
    let mut object = service.object();
    spoil(&mut object["spec"]);
    service.apply(&object);
    let message = service.has("Accepted", "False", reason).await;
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    service.apply(&service.object());
    service.has("Accepted", "True", "Valid").await;
    service.has("Ready", "True", "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_that_does_not_compile_is_shown() {
    check_not_accepted("broken-check", "CheckBroken", &["check deep", "expect does not compile"], |spec| {
        spec["health"]["checks"][0]["http"]["expect"] = json!("body.result ==");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_in_a_region_that_nobody_applied_is_shown() {
    check_not_accepted("unknown-region", "UnknownRegion", &["busan"], |spec| {
        spec["members"][1]["region"] = json!("busan");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_mode_recommend_it_says_what_it_would_do_and_a_person_does_it() {
    let world = World::shared().await;
    let mut service =
        Service::start(&world.plane, "recommended", |spec| spec["failover"]["mode"] = json!("Recommend"))
            .await;
    service.daejeon.die();
    service.has("Ready", "False", "Down").await;
    let wanted = "daejeon is down, a person would have to create a Failover to gwangju";
    until("it says what a person would have to do", SOON, async || {
        service.has("FailoverReady", "False", "NeedsPerson").await.starts_with(wanted).then_some(())
    })
    .await;
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
    service.apply(&service.wish("now", &json!({})));
    service.failover("now", "Succeeded").await;
    assert_eq!(service.shown().await, service.answer("gwangju", 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_global_stop_stops_every_automatic_move_until_it_is_lifted() {
    let world = World::start(&["daegu"], &["gpki"]).await;
    let mut service =
        Service::start(&world.plane, "gpki", |spec| spec["health"]["vantages"]["quorum"] = json!(1)).await;
    let stop = |reason: Value| service_patch(&world, &json!({"spec": {"globalStop": reason}}));
    stop(json!({"reason": "wrong verdicts since 02:10"}));
    service.has("FailoverReady", "False", "Blocked").await;
    service.daejeon.die();
    service.has("Ready", "False", "Down").await;
    let next = service.read().await.status.unwrap().next_move.unwrap();
    assert_eq!(next.blocked_by, ["GlobalStop"]);
    assert!(next.message.contains("wrong verdicts since 02:10"), "{}", next.message);
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
    stop(Value::Null);
    service.serves("gwangju", 2).await;
    world.assert_allowed();
}

fn service_patch(world: &World, patch: &Value) {
    let patch = ["patch", "rg", "gwangju", "--type=merge", "--patch", &patch.to_string()].map(str::to_owned);
    let arguments: Vec<&str> = patch.iter().map(String::as_str).collect();
    world.plane.try_kubectl(&arguments, "").unwrap();
}

//! From `helm install` to the way back: a member dies, citizens are led elsewhere, everybody can see why, and the member
//! that comes back serves again.

use std::process::Command;

use bongsu::api::{Failover, StepState};
use kube::ResourceExt;
use serde_json::json;

use crate::support::{
    bongsu::SOON,
    programs::{program, run},
    service::{DAEJEON, GWANGJU, SERVICE, Service},
    wait::until,
    world::{REGIONS, World},
};

const NAMESPACE: &str = "gpki";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_member_is_replaced_and_comes_back() {
    let world = World::start(&REGIONS, &[NAMESPACE]).await;
    let back =
        json!({"mode": "Automatic", "cooldown": "1s", "failback": {"mode": "Automatic", "after": "3s"}});
    let mut service = Service::start(&world.plane, NAMESPACE, |spec| spec["failover"] = back).await;
    service.kubectl(&["wait", &format!("ss/{SERVICE}"), "--for=condition=Ready", "--timeout=60s"]);
    columns_are(&service, &["[\"daejeon\"]", "Healthy", "Ready", "[\"gwangju\"]", "1"]);
    let watcher = service.watch();

    service.daejeon.die();
    service.serves("gwangju", 2).await;
    the_failover_tells_its_story(&service).await;
    service.has("Ready", "True", "Serving").await;
    columns_are(&service, &["[\"gwangju\"]", "Healthy", "Blocked", "2"]);
    events_tell_the_story(&service).await;
    metrics_tell_the_story(&world).await;

    service.daejeon.come_back().await;
    service.serves("daejeon", 3).await;
    let back = service.failover(&format!("{SERVICE}-e3"), "Succeeded").await;
    assert_eq!(back.status.as_ref().unwrap().trigger.as_deref(), Some("Failback"));
    service.has("Ready", "True", "Serving").await;
    service.is_quiet().await;
    assert_eq!(watcher.answers(), [DAEJEON, GWANGJU, DAEJEON], "no answer was ever empty or mixed");
    world.assert_allowed();
}

fn columns_are(service: &Service<'_>, wanted: &[&str]) {
    let table = service.kubectl(&["get", "sharedservice", SERVICE, "--no-headers"]);
    let columns: Vec<&str> = table.split_whitespace().skip(1).collect();
    let shown = wanted.iter().all(|column| columns.contains(column));
    assert!(shown, "{wanted:?} is not in {table}");
}

async fn the_failover_tells_its_story(service: &Service<'_>) {
    let failover = service.failover(&format!("{SERVICE}-e2"), "Succeeded").await;
    let status = failover.status.clone().unwrap();
    let steps: Vec<&str> = status.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["Precheck", "RaiseEpoch", "ShiftTraffic", "Verify", "Settle"]);
    for step in &status.steps {
        assert_eq!(step.state, StepState::Done, "{step:?}");
        assert!(step.started_at.is_some() && step.finished_at >= step.started_at, "{step:?}");
    }
    let times = status.times.unwrap();
    let clocks = [times.fault, times.detected, times.decided, times.fenced, times.shifted, times.verified];
    assert!(clocks.iter().all(Option::is_some), "{clocks:?}");
    assert!(clocks.is_sorted() && times.settled >= clocks[5], "{clocks:?}");
    assert_eq!((status.trigger.as_deref(), status.epoch), (Some("MemberDown"), Some(2)));
    assert!(
        status.rto.is_some() && status.rules.iter().all(|rule| rule.outcome != "Block"),
        "{:?}",
        status.rules
    );
    assert_is_spelled_out(service, &failover);
}

/// What a person sees who knows nothing but `kubectl get`.
fn assert_is_spelled_out(service: &Service<'_>, failover: &Failover) {
    let table = service.kubectl(&["get", "failover", &failover.name_any(), "--no-headers"]);
    let columns: Vec<&str> = table.split_whitespace().take(6).collect();
    let name = failover.name_any();
    assert_eq!(columns, [&name, SERVICE, "[\"daejeon\"]", "[\"gwangju\"]", "Succeeded", "Done"]);
}

async fn events_tell_the_story(service: &Service<'_>) {
    for wanted in ["MemberDown", "ServingChanged"] {
        until(&format!("the event {wanted}"), SOON, async || {
            service.kubectl(&["describe", "ss", SERVICE]).contains(wanted).then_some(())
        })
        .await;
    }
    let name = format!("{SERVICE}-e2");
    until("the Failover's event", SOON, async || {
        service
            .kubectl(&["describe", "failover", &name])
            .contains("daejeon → gwangju under epoch 2")
            .then_some(())
    })
    .await;
}

async fn metrics_tell_the_story(world: &World) {
    let of =
        |name: &str, label: &str| format!("{name}{{namespace=\"{NAMESPACE}\",service=\"{SERVICE}\"{label}}}");
    for process in &world.processes {
        until("the metrics show who serves", SOON, async || {
            let epoch = process.metric(&of("bongsu_epoch", "")).await;
            (epoch == Some(2.0)).then_some(())
        })
        .await;
        let text = process.metrics().await;
        let said = run(Command::new(program("promtool")).args(["check", "metrics"]), &text);
        assert_eq!(said.as_deref(), Ok(""), "{text}");
    }
    let mut done = 0.0;
    for process in &world.processes {
        done +=
            process.metric("bongsu_steps_total{kind=\"ShiftTraffic\",result=\"done\"}").await.unwrap_or(0.0);
    }
    // Once for the first publication and once for the failover; only the leader acts.
    assert!((done - 2.0).abs() < f64::EPSILON, "{done}");
}

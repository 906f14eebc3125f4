//! What keeps a drill from starting and makes it return, on a real API server, a real name server and a real Prometheus.

use std::time::Duration;

use bongsu::api::{DrillRun, DrillRunStatus};
use kube::Api;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    bongsu::SOON,
    prometheus::{GAUGE, Prometheus},
    service::{SERVICE, Service},
    wait::until,
    world::World,
};

/// A drill away from Daejeon, and a run of it now.
pub fn drilled_now(service: &Service<'_>, spec: &Value) {
    let mut drill = json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "SwitchoverDrill",
        "metadata": {"name": "monthly", "namespace": service.namespace},
        "spec": {
            "services": {"names": [SERVICE]}, "direction": {"awayFrom": "daejeon"}, "hold": "50s",
            "guardrails": {"maxDuration": "90s"},
        },
    });
    for (key, value) in spec.as_object().unwrap() {
        drill["spec"][key] = value.clone();
    }
    service.apply(&drill);
    run(service, "now");
}

pub fn run(service: &Service<'_>, name: &str) {
    service.apply(&json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "DrillRun",
        "metadata": {"name": name, "namespace": service.namespace},
        "spec": {"drillName": "monthly", "reason": "the exercise of this month", "requestedBy": "admin"},
    }));
}

pub async fn run_is(
    service: &Service<'_>,
    name: &str,
    wanted: &str,
    is: impl Fn(&DrillRunStatus) -> bool,
) -> DrillRunStatus {
    let api: Api<DrillRun> = Api::namespaced(service.plane.client(), &service.namespace);
    until(&format!("the run {name} is {wanted}"), SOON, async || {
        api.get(name).await.unwrap().status.filter(|status| is(status))
    })
    .await
}

pub async fn ended(service: &Service<'_>, name: &str, rule: &str) -> DrillRunStatus {
    let over = run_is(service, name, "over", |status| status.verdict.is_some()).await;
    assert_eq!(over.rule.as_deref(), Some(rule), "{:#?}", over.timeline);
    over
}

pub async fn is_held(service: &Service<'_>, name: &str) {
    run_is(service, name, "held", |s| s.phase.is_some_and(|p| format!("{p:?}") == "Holding")).await;
}

/// Gwangju is gone for less than an interval, and then well for longer than a window.
#[expect(clippy::disallowed_methods, reason = "how long an outage lasts is what the test sets")]
async fn short_outage(service: &mut Service<'_>) {
    service.gwangju.die();
    tokio::time::sleep(Duration::from_millis(400)).await;
    service.gwangju.come_back().await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_turns_bad_returns_traffic_and_keeps_the_next_run_from_starting() {
    let world = World::shared().await;
    let mut prometheus = Prometheus::start(0.001).await;
    let service = Service::start(&world.plane, "drill-measured", |_| ()).await;
    let condition = json!({"name": "errors", "query": GAUGE, "max": "0.01"});
    drilled_now(
        &service,
        &json!({
            "prometheus": {"url": prometheus.url()},
            "gates": [{"name": "error-budget", "query": format!("1 - {GAUGE}"), "min": "0.9"}],
            "guardrails": {"maxDuration": "90s", "promql": [condition]},
        }),
    );
    is_held(&service, "now").await;
    prometheus.set(0.05);
    let bad_since = Instant::now();
    service.serves("daejeon", 3).await;
    assert!(bad_since.elapsed() < Duration::from_secs(30), "{:?}", bad_since.elapsed());
    let over = ended(&service, "now", "GuardrailTripped").await;
    let passed = |name: &str| over.pre_checks.iter().any(|c| c.name == name && c.outcome == "Pass");
    assert!(passed("PromQL/errors") && passed("PromQL/error-budget"), "{:?}", over.pre_checks);
    assert!(over.message.unwrap().contains("errors: it is 0.05, and must be at most 0.01"));

    run(&service, "still-bad");
    let over = ended(&service, "still-bad", "PreCheckBlocked").await;
    assert!(over.message.unwrap().contains("it is 0.05, and must be at most 0.01 (PromQL/errors)"));
    prometheus.die();
    run(&service, "unknown");
    let over = ended(&service, "unknown", "PreCheckBlocked").await;
    let message = over.message.unwrap();
    assert!(message.contains("it is not known") && message.contains("connection refused"), "{message}");
    assert_eq!(service.shown().await, service.answer("daejeon", 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_that_fail_too_often_where_it_is_served_return_traffic_although_no_member_is_down() {
    let world = World::shared().await;
    let mut service = Service::start(&world.plane, "drill-sampled", |_| ()).await;
    let limits = json!({"maxDuration": "90s", "degraded": false, "maxFailedPercent": 10, "samples": 8});
    drilled_now(&service, &json!({"guardrails": limits}));
    is_held(&service, "now").await;
    // One sample of three at a time is no failed verdict, but one of eight is more than ten percent.
    until("the run returns", SOON, async || {
        short_outage(&mut service).await;
        let status = run_is(&service, "now", "there", |_| true).await;
        status.phase.is_some_and(|phase| format!("{phase:?}") != "Holding").then_some(())
    })
    .await;
    let over = ended(&service, "now", "GuardrailTripped").await;
    let message = over.message.unwrap();
    assert!(message.contains("of the last 8 samples are bad, 10 % may be (seen from"), "{message}");
    service.serves("daejeon", 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_that_still_arrives_where_it_was_left_is_a_finding_with_its_value() {
    let world = World::shared().await;
    let prometheus = Prometheus::start(0.5).await;
    let service = Service::start(&world.plane, "drill-residual", |_| ()).await;
    let residual = json!({"query": GAUGE, "max": "0.25"});
    drilled_now(
        &service,
        &json!({"hold": "3s", "prometheus": {"url": prometheus.url()}, "residual": residual}),
    );
    let over = ended(&service, "now", "FindingsOpen").await;
    let told = "what still arrives where the services were: it is 0.5, and must be at most 0.25";
    assert_eq!(over.findings, [told]);
    assert_eq!(format!("{:?}", over.verdict.unwrap()), "PassedWithFindings");
    prometheus.set(0.125);
    run(&service, "little");
    let over = ended(&service, "little", "AllLimitsKept").await;
    assert!(over.timeline.iter().any(|moment| moment.what.contains("it is 0.125, and must be")));
}

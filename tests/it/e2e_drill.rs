//! Live drills on a real API server and a real name server, with the permissions of the chart.

use std::time::Duration;

use bongsu::api::{DrillRun, DrillRunStatus, DrillVerdict, SwitchoverDrill};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};

use crate::support::{
    bongsu::SOON,
    service::{DAEJEON, GWANGJU, SERVICE, Service},
    wait::until,
    world::World,
};

/// Away from Daejeon, held for some seconds.
fn drill(service: &Service<'_>, change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "SwitchoverDrill",
        "metadata": {"name": "monthly", "namespace": service.namespace},
        "spec": {
            "services": {"names": [SERVICE]}, "direction": {"awayFrom": "daejeon"}, "hold": "3s",
            "guardrails": {"maxDuration": "60s"},
        },
    });
    change(&mut object["spec"]);
    object
}

fn drill_run(service: &Service<'_>, requested_by: &str) -> Value {
    json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "DrillRun",
        "metadata": {"name": "now", "namespace": service.namespace},
        "spec": {"drillName": "monthly", "reason": "the exercise of this month", "requestedBy": requested_by},
    })
}

fn approval(service: &Service<'_>, name: &str, approver: &str) -> Value {
    json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "Approval",
        "metadata": {"name": name, "namespace": service.namespace},
        "spec": {"drillRunName": "now", "approver": approver},
    })
}

/// Creates an object as this user, who may do everything.
fn create_as(service: &Service<'_>, user: &str, object: &Value) -> Result<String, String> {
    let arguments = ["--as", user, "--as-group", "system:masters", "create", "-f", "-"];
    service.plane.try_kubectl(&arguments, &object.to_string())
}

async fn status(service: &Service<'_>) -> Option<DrillRunStatus> {
    let api: Api<DrillRun> = Api::namespaced(service.plane.client(), &service.namespace);
    api.get("now").await.unwrap().status
}

/// Waits until the run stands like this.
async fn run_is(service: &Service<'_>, wanted: &str, is: impl Fn(&DrillRunStatus) -> bool) -> DrillRunStatus {
    let what = format!("the run is {wanted}");
    until(&what, SOON, async || status(service).await.filter(|status| is(status))).await
}

async fn ended(service: &Service<'_>, verdict: &str, rule: &str) -> DrillRunStatus {
    let over = run_is(service, "over", |status| status.verdict.is_some()).await;
    let found = (format!("{:?}", over.verdict.unwrap()), over.rule.clone().unwrap());
    assert_eq!(found, (verdict.to_owned(), rule.to_owned()), "{:#?}", over.timeline);
    over
}

async fn is_away(service: &Service<'_>) {
    run_is(service, "held", |status| status.phase.is_some_and(|p| format!("{p:?}") == "Holding")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_moves_traffic_away_holds_it_and_brings_it_back() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "drilled", |_| ()).await;
    service.target("gwangju").await;
    let watcher = service.watch();
    service.apply(&drill(&service, |_| ()));
    create_as(&service, "kim", &drill_run(&service, "kim")).unwrap();
    service.kubectl(&["wait", "dr/now", "--for=condition=Complete", "--timeout=60s"]);
    let over = ended(&service, "Passed", "AllLimitsKept").await;
    service.serves("daejeon", 3).await;
    assert_eq!(watcher.answers(), [DAEJEON, GWANGJU, DAEJEON]);
    let drilled = &over.services[0];
    assert_eq!((drilled.state.as_str(), drilled.to.as_slice()), ("Back", &["gwangju".to_owned()][..]));
    assert!(over.rto.is_some() && drilled.return_time.is_some(), "{drilled:?}");
    for name in ["NeverEmpty", "TrafficWritable"] {
        assert!(over.pre_checks.iter().any(|check| check.name == name && check.outcome == "Pass"), "{name}");
    }
    let shown = service.kubectl(&["get", "dr"]);
    assert!(shown.contains("Passed") && shown.contains("AllLimitsKept"), "{shown}");
    let told = service.kubectl(&["get", "events", "-o", "custom-columns=REASON:.reason,NOTE:.message"]);
    assert!(
        told.contains("DrillStarted") && told.contains("to stop it: kubectl patch drillrun now"),
        "{told}"
    );
    let stop = ["patch", "dr/now", "-n", &service.namespace, "--type=merge", "--patch"];
    let late = [&stop[..], &[r#"{"spec":{"abort":true}}"#]].concat();
    let refused = service.plane.try_kubectl(&late, "").unwrap_err();
    assert!(refused.contains("this run is over, so there is nothing to stop"), "{refused}");
    world.assert_allowed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_stops_a_drill_has_traffic_back_at_once() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "drill-aborted", |_| ()).await;
    service.target("gwangju").await;
    service.apply(&drill(&service, |spec| spec["hold"] = json!("50s")));
    create_as(&service, "kim", &drill_run(&service, "kim")).unwrap();
    is_away(&service).await;
    service.patch("dr/now", &json!({"spec": {"abort": true}}));
    service.serves("daejeon", 3).await;
    ended(&service, "Aborted", "AbortedByPerson").await;
    let taken_back = service.plane.try_kubectl(
        &[
            "patch",
            "dr/now",
            "-n",
            &service.namespace,
            "--type=merge",
            "--patch",
            r#"{"spec":{"abort":false}}"#,
        ],
        "",
    );
    assert!(taken_back.unwrap_err().contains("an abort cannot be taken back"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_loss_on_either_side_of_a_drill_leaves_the_service_where_it_works() {
    let world = World::shared().await;
    let mut target = Service::start(&world.plane, "drill-target-lost", |_| ()).await;
    let mut origin = Service::start(&world.plane, "drill-origin-lost", |_| ()).await;
    for service in [&target, &origin] {
        service.target("gwangju").await;
        service.apply(&drill(service, |spec| spec["hold"] = json!("50s")));
        create_as(service, "kim", &drill_run(service, "kim")).unwrap();
        is_away(service).await;
    }
    target.gwangju.die();
    origin.daejeon.die();
    target.serves("daejeon", 3).await;
    let over = ended(&origin, "Aborted", "RealIncident").await;
    assert_eq!(over.services[0].state, "Kept");
    assert_eq!(origin.shown().await, origin.answer("gwangju", 2));
    run_is(&target, "aborted", |status| status.verdict.is_some_and(|v| format!("{v:?}") == "Aborted")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_starts_only_when_enough_other_people_said_yes_in_their_own_name() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "drill-approved", |_| ()).await;
    service.target("gwangju").await;
    service.apply(&drill(&service, |spec| spec["approvals"] = json!(2)));
    let refused = |result: Result<String, String>| result.unwrap_err();
    let claimed = refused(create_as(&service, "kim", &drill_run(&service, "lee")));
    assert!(claimed.contains("spec.requestedBy must be your own user name, kim"), "{claimed}");
    create_as(&service, "kim", &drill_run(&service, "kim")).unwrap();
    let forged = refused(create_as(&service, "kim", &approval(&service, "forged", "lee")));
    assert!(forged.contains("spec.approver must be your own user name, kim"), "{forged}");
    for (name, user) in [("own", "kim"), ("first", "lee")] {
        create_as(&service, user, &approval(&service, name, user)).unwrap();
    }
    let waits = |status: &DrillRunStatus| {
        status.message.as_deref().is_some_and(|m| m.starts_with("1 of 2 approvals"))
    };
    run_is(&service, "waiting for the second approval", waits).await;
    create_as(&service, "park", &approval(&service, "second", "park")).unwrap();
    let over = ended(&service, "Passed", "AllLimitsKept").await;
    assert_eq!(over.approved_by, ["lee", "park"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_be_says_why() {
    let world = World::shared().await;
    let mut service = Service::start(&world.plane, "drill-refused", |_| ()).await;
    create_as(&service, "kim", &drill_run(&service, "kim")).unwrap();
    let no_drill = |status: &DrillRunStatus| {
        status.message.as_deref().is_some_and(|m| m.contains("there is no SwitchoverDrill monthly"))
    };
    run_is(&service, "not taken", no_drill).await;
    service.gwangju.die();
    until("gwangju is down", SOON, async || {
        let members = service.read().await.status.unwrap().members;
        members.iter().any(|member| member.region == "gwangju" && member.health == "Down").then_some(())
    })
    .await;
    service.apply(&drill(&service, |_| ()));
    let over = ended(&service, "NotStarted", "PreCheckBlocked").await;
    assert!(over.message.unwrap().contains("gwangju cannot take over: it is Down"));
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
}

/// Every minute, announced before the one in between.
fn every_minute(spec: &mut Value) {
    spec["schedule"] = json!({"cron": "* * * * *", "timeZone": "Asia/Seoul"});
    spec["notice"] = json!("90s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_runs_by_its_schedule_and_not_on_a_blocked_day() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "drill-scheduled", |_| ()).await;
    service.target("gwangju").await;
    let calendar = |from: &str, to: &str| {
        json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "Calendar", "metadata": {"name": service.namespace},
            "spec": {"timeZone": "Asia/Seoul", "blocked": [{"name": "the election", "from": from, "to": to}]},
        })
    };
    world.apply(&calendar("2020-01-01", "2040-01-01"));
    service.apply(&drill(&service, |spec| {
        every_minute(spec);
        spec["schedule"]["calendars"] = json!([service.namespace]);
    }));
    let api: Api<SwitchoverDrill> = Api::namespaced(service.plane.client(), &service.namespace);
    let never = until("the drill says that it never runs", SOON, async || {
        let conditions = api.get("monthly").await.unwrap().status?.conditions;
        conditions.into_iter().find(|c| c.type_ == "Ready" && c.status == "False")
    })
    .await;
    assert_eq!(never.reason, "NeverRuns");
    assert!(never.message.contains("the election"), "{}", never.message);
    let blocked = api.get("monthly").await.unwrap().status.unwrap();
    let reasons = blocked.next_runs.iter().filter_map(|run| run.blocked_by.as_deref());
    assert_eq!(reasons.filter(|reason| reason.contains("the election")).count(), 5);
    assert!(blocked.next.is_none() && blocked.services == [SERVICE]);

    // A person's wish does not open a blocked day.
    create_as(&service, "kim", &drill_run(&service, "kim")).unwrap();
    let over = ended(&service, "NotStarted", "PreCheckBlocked").await;
    let message = over.message.unwrap();
    assert!(message.contains("the election") && message.contains("(TimeAllowed)"), "{message}");

    world.apply(&calendar("2020-01-01", "2020-01-02"));
    scheduled(&service, DrillVerdict::Passed).await;
    service.serves("daejeon", 3).await;
}

/// Waits until the schedule has made a run, and this run is over with this verdict.
async fn scheduled(service: &Service<'_>, verdict: DrillVerdict) -> DrillRunStatus {
    let runs: Api<DrillRun> = Api::namespaced(service.plane.client(), &service.namespace);
    let announced = until("a run is announced", SOON, async || {
        let all = runs.list(&ListParams::default()).await.unwrap().items;
        all.into_iter().find(|run| run.name_any().starts_with("monthly-20"))
    })
    .await;
    assert!(announced.spec.starts_at.is_some() && announced.spec.requested_by.is_none());
    let over = until("the run is over", Duration::from_secs(180), async || {
        runs.get(&announced.name_any()).await.unwrap().status.filter(|status| status.verdict.is_some())
    })
    .await;
    assert_eq!(over.verdict, Some(verdict), "{:#?}", over.timeline);
    over
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_of_a_service_that_both_regions_serve_runs_by_its_schedule_and_both_serve_again() {
    let world = World::shared().await;
    let service = Service::prepare(&world.plane, "drill-active-active").await;
    let mut object = service.object();
    object["spec"]["topology"] = json!("ActiveActive");
    service.apply(&object);
    service.has("Ready", "True", "").await;
    let both = format!("{DAEJEON} {GWANGJU}");
    let shows = async |addresses: &str, epoch: u64| {
        let wanted = format!("{addresses} | epoch={epoch} service={}/{SERVICE}", service.namespace);
        until(&format!("the name server answers {wanted}"), SOON, async || {
            (service.shown().await == wanted).then_some(())
        })
        .await;
    };
    shows(&both, 1).await;
    service.apply(&drill(&service, every_minute));
    let over = scheduled(&service, DrillVerdict::Passed).await;
    shows(&both, 3).await;
    let drilled = &over.services[0];
    assert_eq!((drilled.state.as_str(), drilled.to.as_slice()), ("Back", &["gwangju".to_owned()][..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_the_schedule_that_nobody_has_approved_in_time_does_not_start() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "drill-unapproved", |_| ()).await;
    service.apply(&drill(&service, |spec| {
        every_minute(spec);
        spec["schedule"]["startingDeadline"] = json!("3s");
        spec["notice"] = json!("5s");
        spec["approvals"] = json!(1);
    }));
    let over = scheduled(&service, DrillVerdict::NotStarted).await;
    assert_eq!(over.rule.as_deref(), Some("ApprovalsMissing"));
    assert!(over.message.unwrap().contains("0 of 1 approvals"));
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_does_not_start_while_a_name_server_would_not_take_its_updates() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "drill-unwritable", |_| ()).await;
    service.apply(&drill(&service, |_| ()));
    let mut object = service.object();
    // With the first of them reading works, so that nothing but an update can tell.
    for (key, words) in [("reader", "key reader"), ("nobody", "BADKEY")] {
        object["spec"]["traffic"][0]["dns"]["tsig"]["name"] = json!(key);
        service.apply(&object);
        let mut wish = drill_run(&service, "admin");
        wish["metadata"]["name"] = json!(key);
        service.apply(&wish);
        let api: Api<DrillRun> = Api::namespaced(service.plane.client(), &service.namespace);
        let over = until("the run is over", SOON, async || {
            api.get(key).await.unwrap().status.filter(|status| status.verdict.is_some())
        })
        .await;
        assert_eq!(over.rule.as_deref(), Some("PreCheckBlocked"), "{:#?}", over.timeline);
        let (message, server) = (over.message.unwrap(), service.dns.addr.to_string());
        for word in [words, &server, "(TrafficWritable)"] {
            assert!(message.contains(word), "{word:?} is not in {message:?}");
        }
    }
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
    service.apply(&service.object());
    service.has("TrafficInSync", "True", "").await;
    create_as(&service, "kim", &drill_run(&service, "kim")).unwrap();
    ended(&service, "Passed", "AllLimitsKept").await;
}

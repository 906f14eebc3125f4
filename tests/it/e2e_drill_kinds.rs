//! Drills of every kind on a real API server: one that only asks, the ladder up to live traffic, services that leave in steps,
//! and a Prometheus that wants to know who asks.

use bongsu::api::DrillRunStatus;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};

use crate::{
    e2e_guardrails::{drilled_now, ended, run, run_is},
    support::{
        http_server::Server,
        prometheus::{GAUGE, Prometheus},
        service::{SERVICE, Service},
        world::World,
    },
};

/// Runs the drill once, as this kind.
async fn run_of(service: &Service<'_>, name: &str, kind: &str) -> DrillRunStatus {
    service.patch("drill/monthly", &json!({"spec": {"kind": kind}}));
    run(service, name);
    run_is(service, name, "over", |status| status.verdict.is_some()).await
}

fn outcome<'a>(status: &'a DrillRunStatus, check: &str) -> Option<&'a str> {
    status.pre_checks.iter().find(|found| found.name == check).map(|found| found.outcome.as_str())
}

fn passed(status: &DrillRunStatus) -> bool {
    status.verdict.is_some_and(|verdict| format!("{verdict:?}") == "Passed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ladder_is_climbed_from_a_question_to_live_traffic() {
    let world = World::shared().await;
    world.apply(&json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "GradePolicy", "metadata": {"name": "grade-4"},
        "spec": {"grade": 4, "drills": {"ladder": "Require"}},
    }));
    let service = Service::start(&world.plane, "drill-ladder", |spec| {
        spec["grade"] = json!(4);
        spec["objectives"] = json!({"rto": "30s"});
    })
    .await;
    drilled_now(&service, &json!({"hold": "3s"}));
    let too_early = ended(&service, "now", "PreCheckBlocked").await.message.unwrap();
    assert!(too_early.contains("no drill of kind DryRun away from daejeon has passed"), "{too_early}");

    let asked = run_of(&service, "asks", "Detection").await;
    assert!(passed(&asked), "{asked:#?}");
    for stage in ["VantagesSpeak", "QuorumReached", "MoveDecided", "DetectedInTime"] {
        assert_eq!(outcome(&asked, stage), Some("Pass"), "{:#?}", asked.pre_checks);
    }
    let planned = run_of(&service, "plans", "DryRun").await;
    assert!(passed(&planned) && outcome(&planned, "Ladder") == Some("Pass"), "{planned:#?}");
    assert_eq!(service.shown().await, service.answer("daejeon", 1), "until now nothing was moved");

    let live = run_of(&service, "moves", "Live").await;
    assert!(passed(&live) && outcome(&live, "Ladder") == Some("Pass"), "{live:#?}");
    service.serves("daejeon", 3).await;
    world.assert_allowed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_that_nobody_would_answer_fails_a_detection_drill_and_moves_nothing() {
    let world = World::shared().await;
    let mut service = Service::start(&world.plane, "drill-unnoticed", |_| ()).await;
    drilled_now(&service, &json!({"kind": "Detection", "hold": "20s"}));
    run_is(&service, "now", "asking", |s| s.phase.is_some_and(|p| format!("{p:?}") == "Holding")).await;
    service.gwangju.die();
    let failed = ended(&service, "now", "LossUnnoticed").await;
    assert_eq!(outcome(&failed, "MoveDecided"), Some("Block"), "{:#?}", failed.pre_checks);
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
}

/// When the first moment that begins so was.
fn at(status: &DrillRunStatus, what: &str) -> Timestamp {
    let found = status.timeline.iter().find(|moment| moment.what.contains(what));
    found.unwrap_or_else(|| panic!("{what}: {:#?}", status.timeline)).at.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_services_the_second_leaves_when_the_first_has_been_away_for_its_step() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "drill-ramp", |_| ()).await;
    let mut second = service.object();
    second["metadata"]["name"] = json!("issue");
    second["spec"]["traffic"][0]["dns"]["name"] = json!(format!("issue-{}", service.name()));
    service.apply(&second);
    service.other_has("issue", "Ready", "True", "").await;
    let both = json!({"names": [SERVICE, "issue"]});
    drilled_now(&service, &json!({"services": both, "hold": "3s", "ramp": [{"percent": 50, "hold": "4s"}]}));
    let over = run_is(&service, "now", "over", |status| status.verdict.is_some()).await;
    assert!(passed(&over), "{over:#?}");
    let waited = at(&over, "1 of 2 services have left (50 %): the next waits for 4s");
    let left = at(&over, "all are away");
    assert!(left.duration_since(waited).as_secs_f64() >= 4.0, "{:#?}", over.timeline);
    let away: Vec<_> = over.services.iter().filter_map(|drilled| drilled.away.clone()).collect();
    assert_eq!(away.len(), 2, "{:#?}", over.services);
    service.serves("daejeon", 3).await;
}

/// Carries connections to a server on, if the first request of each shows this token.
async fn asking_for(token: &'static str, behind: &Prometheus) -> Server {
    let behind = behind.address;
    Server::by_hand(move |mut stream, _| async move {
        let mut head = vec![0; 8192];
        let length = stream.read(&mut head).await.unwrap_or(0);
        let text = String::from_utf8_lossy(&head[..length]).to_lowercase();
        if !text.contains(&format!("authorization: bearer {token}\r\n")) {
            let refusal = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _gone = stream.write_all(refusal).await;
            return;
        }
        let mut inner = TcpStream::connect(behind).await.unwrap();
        inner.write_all(&head[..length]).await.unwrap();
        let _gone = copy_bidirectional(&mut stream, &mut inner).await;
    })
    .await
}

/// Puts a token beside the key of the name server: that Secret is the one that Bongsu may read.
fn token(service: &Service<'_>, token: &str) {
    service.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dns-key", "namespace": service.namespace},
        "stringData": {"secret": crate::support::dns_server::SECRET_BASE64, "token": token},
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_asked_for_with_the_token_of_a_secret_and_a_wrong_one_is_said() {
    let world = World::shared().await;
    let prometheus = Prometheus::start(0.001).await;
    let guarded = asking_for("right", &prometheus).await;
    let service = Service::start(&world.plane, "drill-token", |_| ()).await;
    token(&service, "wrong");
    let condition: Value = json!({"name": "errors", "query": GAUGE, "max": "0.01"});
    let at = json!({
        "url": format!("http://{}", guarded.address),
        "tokenSecretRef": {"name": "dns-key", "key": "token"},
    });
    drilled_now(&service, &json!({"hold": "3s", "prometheus": at, "gates": [condition]}));
    let refused = ended(&service, "now", "PreCheckBlocked").await.message.unwrap();
    assert!(refused.contains("refused the token: status 401"), "{refused}");
    assert!(!refused.contains("wrong"), "a token is in no message: {refused}");
    token(&service, "right");
    run(&service, "known");
    let over = run_is(&service, "known", "over", |status| status.verdict.is_some()).await;
    assert!(passed(&over) && outcome(&over, "PromQL/errors") == Some("Pass"), "{over:#?}");
    world.assert_allowed();
}

//! The preventive inspection: the condition of real Bongsu processes, and what `bongsu inspect` makes of it.

use std::path::Path;

use bongsu::report::{Found, Inspection, Lang, Line, inspection_html};
use serde_json::{Value, json};

use crate::{
    kubectl::shown_as,
    support::{
        admission_cases,
        bongsu::SOON,
        control_plane::{ControlPlane, write_kubeconfig},
        plugin::{Called, Person},
        programs::assert_committed,
        service::Service,
        wait::until,
        world::World,
    },
};

fn waits(service: &Service<'_>) {
    service.kubectl(&["wait", "ss/verify", "--for=condition=ReadyToSwitch", "--timeout=60s"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_wait_sees_a_service_become_ready_and_a_bad_member_or_a_long_ttl_makes_it_not() {
    let world = World::shared().await;
    let mut service = Service::start(&world.plane, "inspected", |_| ()).await;
    waits(&service);
    let tried = async || {
        let readiness = service.read().await.status?.readiness?;
        readiness.not_inspected.is_empty().then_some(())
    };
    until("the name server was asked to take an update that changes nothing", SOON, tried).await;
    assert_eq!(service.shown().await, service.answer("daejeon", 1));
    service.is_quiet().await;

    service.gwangju.die();
    let text = service.has("ReadyToSwitch", "False", "TargetAvailable").await;
    assert!(text.contains("daejeon → gwangju: Problem: gwangju cannot take over: it is Down"), "{text}");
    let seen = inspected(&service, &["-o", "json"]).await;
    assert_eq!(seen.code, 1, "{}", seen.err);
    let seen: Inspection = serde_json::from_str(&seen.out).unwrap();
    let subject = "inspected/verify daejeon → gwangju";
    let problems = seen.lines.iter().filter(|line| line.outcome == Found::Problem && line.subject == subject);
    assert_eq!(problems.map(|line| line.check.as_str()).collect::<Vec<_>>(), ["TargetAvailable"]);
    // The chart is installed, and no kubelet runs its pods.
    assert_eq!(seen.lines.first().unwrap().check, "BongsuRunning");
    service.gwangju.come_back().await;
    waits(&service);

    let ttl = json!([{"op": "replace", "path": "/spec/traffic/0/ttl", "value": "58s"}]).to_string();
    service.kubectl(&["patch", "ss/verify", "--type=json", "--patch", &ttl]);
    let text = service.has("ReadyToSwitch", "False", "DetectedInTime").await;
    assert!(text.contains("TTL 58s") && text.contains("shorten traffic.ttl"), "{text}");
    service.is_quiet().await;
    let ttl = ttl.replace("58s", "1s");
    service.kubectl(&["patch", "ss/verify", "--type=json", "--patch", &ttl]);
    waits(&service);
    let well = inspected(&service, &["-o", "json"]).await;
    let well: Inspection = serde_json::from_str(&well.out).unwrap();
    let own = |line: &&Line| line.subject.starts_with("inspected/") && line.outcome < Found::Ok;
    let left: Vec<_> = well.lines.iter().filter(own).map(|line| line.check.as_str()).collect();
    assert_eq!(left, ["DrillPlanned"]);
    world.assert_allowed();
}

/// As the administrator of the cluster, in the service's namespace.
async fn inspected(service: &Service<'_>, more: &[&str]) -> Called {
    let person = Person::new(service.plane, ControlPlane::ADMIN, &service.namespace);
    person.calls(&[&["inspect"], more].concat()).await
}

const HOSTILE: &str = "</td><script>alert(1)</script> http://outside.example \u{202e}";

/// Two services as a Bongsu would show them: one is ready, of the other something is wrong in every way.
async fn shown(name: &str) -> (&'static ControlPlane, String) {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace(name).await;
    let spec = admission_cases::service()["spec"].clone();
    let accepted = json!({
        "type": "Accepted", "status": "True", "reason": "Valid", "message": "the spec is valid",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let well = json!({"passed": 9, "notInspected": ["TrafficWritable"], "directions": [
        {"from": "daejeon", "to": ["gwangju"], "state": "Ready", "passed": 3},
    ]});
    let ill = json!({"passed": 5, "findings": [
        {"check": "DrillFresh", "outcome": "Warning", "message": "too old"},
        {"check": "SpecInSync", "outcome": "Unknown", "message": "not said"},
    ], "directions": [
        {"from": "daejeon", "to": ["gwangju"], "state": "NotReady", "passed": 0, "findings": [
            {"check": "TargetAvailable", "outcome": "Problem", "message": HOSTILE},
        ]},
    ]});
    for (service, readiness) in [("a-well", well), ("b-ill", ill)] {
        let status =
            json!({"observedGeneration": 1, "conditions": [accepted.clone()], "readiness": readiness});
        shown_as(plane, &namespace, "SharedService", service, &spec, &status);
    }
    (plane, namespace)
}

/// What is said of the services, without that of the cluster, which others use.
fn of_services(out: &str, namespace: &str) -> Vec<String> {
    let seen: Value = serde_json::from_str(out).unwrap();
    let lines = seen["lines"].as_array().unwrap().iter();
    let word = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let lines = lines.filter_map(|line| {
        let subject = word(line, "subject");
        let rest = subject.strip_prefix(namespace)?;
        let questions = line["questions"].as_u64().unwrap();
        Some(format!("{}{} {rest} {}", word(line, "outcome"), questions, word(line, "check")))
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inspection_lists_the_worst_first_and_what_nobody_looked_at_is_never_ok() {
    let (plane, namespace) = shown("inspect-shown").await;
    let person = Person::new(plane, ControlPlane::ADMIN, &namespace);
    // An API server that has just begun says for a moment that it cannot list.
    let json = until("the API server lists every kind", SOON, async || {
        let out = person.calls(&["inspect", "-o", "json"]).await.with(1);
        (!out.contains("ClusterReachable")).then_some(out)
    })
    .await;
    let expected = [
        "Problem1 /b-ill daejeon → gwangju TargetAvailable",
        "Unknown1 /b-ill SpecInSync",
        "Warning1 /a-well DrillPlanned",
        "Warning1 /b-ill DrillFresh",
        "Warning1 /b-ill DrillPlanned",
        "Ok1 /a-well Accepted",
        "Ok9 /a-well ReadyToSwitch",
        "Ok3 /a-well daejeon → gwangju ReadyToSwitch",
        "Ok1 /b-ill Accepted",
        "Ok5 /b-ill ReadyToSwitch",
        "NotInspected1 /a-well TrafficWritable",
    ];
    let mut seen = of_services(&json, &namespace);
    seen.retain(|line| !line.ends_with("CertificatesLast") && !line.ends_with("SubstitutesFit"));
    assert_eq!(seen, expected, "{json}");
    let seen: Inspection = serde_json::from_str(&json).unwrap();
    let problems = seen.lines.iter().filter(|line| line.outcome == Found::Problem);
    assert_eq!(seen.counts.problems, problems.map(|line| line.questions).sum::<u32>());
    let ledger = seen.lines.iter().find(|line| line.check == "LedgerComplete").unwrap();
    assert_eq!(ledger.outcome, Found::NotInspected);
    let clock = seen.lines.iter().find(|line| line.check == "ClockOffset").unwrap();
    assert_eq!(clock.outcome, Found::Ok, "{clock:?}");

    let text = person.calls(&["inspect", "--language", "ko"]).await.with(1);
    assert!(text.contains("문제: ") && text.contains("    조치: 해당 구성원을 복구"), "{text}");
    let file = person.kubeconfig().with_file_name("page.html");
    let name = file.to_str().unwrap();
    person.calls(&["inspect", "-o", "html", "--out", name, "--language", "ko"]).await.with(1);
    fetches_nothing(&std::fs::read_to_string(&file).unwrap());

    let absent = person.calls(&["inspect", "--contexts", "nowhere"]).await.refused();
    assert!(absent.contains("nowhere"), "{absent}");
}

/// The page is well-formed, and nothing in it leads outside.
fn fetches_nothing(page: &str) {
    let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let tree = roxmltree::Document::parse(body).unwrap();
    for node in tree.descendants().filter(|node| node.is_element()) {
        let name = node.tag_name().name();
        assert!(!["script", "img", "link", "iframe", "object"].contains(&name), "{name}");
        for attribute in node.attributes() {
            assert!(!attribute.value().contains("://"), "{attribute:?}");
            assert!(!["href", "src", "style"].contains(&attribute.name()), "{attribute:?}");
        }
    }
    for word in ["<script", "url(", "@import", "\u{202e}"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_cluster_that_does_not_answer_nothing_is_told_and_that_is_no_success() {
    let person = Person::nowhere("gpki");
    write_kubeconfig(&person.kubeconfig(), &json!({"server": "https://127.0.0.1:9"}), "nobody");
    let seen = person.calls(&["inspect", "-o", "json"]).await.with(2);
    let seen: Inspection = serde_json::from_str(&seen).unwrap();
    assert_eq!((seen.counts.ok, seen.counts.problems), (0, 0));
    assert!(seen.counts.unknown >= 4, "{seen:?}");
}

#[test]
fn the_forms_of_an_inspection_are_those_that_were_looked_at() {
    let line =
        |check: &str, outcome, message: &str| Line::new("daejeon", "gpki/verify", check, outcome, message);
    let lines = vec![
        Line { questions: 14, ..line("ReadyToSwitch", Found::Ok, "14 questions, nothing against it") },
        line("DrillFresh", Found::Warning, "the last passed drill is 120 days old, the limit is 100 days"),
        line("TargetAvailable", Found::Problem, "gwangju cannot take over: it is Degraded"),
        line("TrafficWritable", Found::NotInspected, "nobody has tried it yet"),
        line("SpecInSync", Found::Unknown, "gwangju has not said yet which spec it holds"),
    ];
    for (lang, code) in [(Lang::En, "en"), (Lang::Ko, "ko")] {
        let at = "2026-11-22T02:00:00Z".to_owned();
        let found =
            Inspection::new(at, "bongsu 0.0.0".to_owned(), vec!["daejeon".to_owned()], lines.clone(), lang);
        let page = inspection_html(&found, lang);
        fetches_nothing(&page);
        let committed = |name: String, text: &str| {
            assert_committed(Path::new("tests/data/inspection").join(name).to_str().unwrap(), text);
        };
        committed(format!("{code}.html"), &page);
        committed(format!("{code}.txt"), &found.text(lang));
    }
}

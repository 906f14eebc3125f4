//! Checks of a ledger of identities: what it answers is good, until one thing in it is not.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bongsu::{
    adapters::probe::NetworkProber,
    domain::Outcome::{self, Ok as Good, Refused, Slow, Unjudged, Unreachable, Wrong},
    ports::{
        ChainRpc, CheckKind, CheckSpec, DidHead, DidResolve, DidSpec, DidStatus, ProbeError, Prober, Reading,
        Scheme, TlsSpec,
    },
};
use serde_json::{Value, json};

use crate::support::{
    http_server::{Server, closed_port},
    manual_clock::ManualClock,
    mobile_id::{ISSUER, KEY, KEY_ID, MobileId, State, issuer, multibase},
    probes::{PATIENT, SHORT, check, endpoint, expect_reading, network_prober},
};

const DOCUMENT: &str = "/api/v1/did-doc";
const STATUS: &str = "/api/v1/vc-meta";

fn resolve() -> DidResolve {
    DidResolve {
        did: ISSUER.into(),
        path: format!("{DOCUMENT}?did={ISSUER}").into(),
        document: "/didDoc".into(),
        key_id: Some(KEY_ID.into()),
        public_key: Some(KEY.into()),
    }
}

fn status(id: &str, expect: Option<&str>, http_status: u16) -> DidStatus {
    DidStatus {
        path: format!("{STATUS}?vcId={id}").into(),
        pointer: "/vcMeta/status".into(),
        expect: expect.map(Into::into),
        http_status,
    }
}

fn statuses() -> Vec<DidStatus> {
    vec![
        status("canary-active", Some("ACTIVE"), 200),
        status("canary-revoked", Some("REVOKED"), 200),
        status("canary-unknown", None, 404),
    ]
}

fn head() -> DidHead {
    DidHead {
        path: "/rpc".into(),
        rpc: Some(ChainRpc::EthGetBlockByNumber),
        number: "/result/number".into(),
        time: Some("/result/timestamp".into()),
        max_stall: Duration::from_secs(15),
        max_behind: 0,
        max_age: Duration::from_secs(60),
    }
}

fn whole() -> DidSpec {
    DidSpec { resolve: Some(resolve()), statuses: statuses(), head: Some(head()), tls: TlsSpec::default() }
}

fn only_head(head: DidHead) -> DidSpec {
    DidSpec { resolve: None, statuses: Vec::new(), head: Some(head), tls: TlsSpec::default() }
}

fn did(timeout: Duration, spec: DidSpec) -> CheckSpec {
    check(timeout, CheckKind::Did(spec))
}

async fn sample(address: SocketAddr, check: &CheckSpec) -> Reading {
    network_prober().prepare(&endpoint(Scheme::Http, address), check).unwrap().run().await
}

/// One sample after a change.
async fn changed(change: impl FnOnce(&mut State)) -> Reading {
    let service = MobileId::start().await;
    service.change(change);
    sample(service.server.address, &did(PATIENT, whole())).await
}

/// One sample of a service that answers one path in another way.
async fn with(path: &str, http_status: u16, body: impl Into<Vec<u8>>) -> Reading {
    let body = body.into();
    changed(|state| drop(state.instead.insert(path.to_owned(), (http_status, body)))).await
}

#[tokio::test]
async fn a_ledger_that_tells_the_truth_is_good_and_each_thing_is_asked_once() {
    let service = MobileId::start().await;
    expect_reading(&sample(service.server.address, &did(PATIENT, whole())).await, Good, "");
    let asked: Vec<String> =
        service.change(|state| state.asked.iter().map(|(path, _)| path.clone()).collect());
    assert_eq!(
        asked,
        [
            "/api/v1/did-doc?did=did:kr:mobileid:example:issuer",
            "/api/v1/vc-meta?vcId=canary-active",
            "/api/v1/vc-meta?vcId=canary-revoked",
            "/api/v1/vc-meta?vcId=canary-unknown",
            "/rpc",
        ]
    );
}

#[tokio::test]
async fn each_way_in_which_a_document_may_be_wrong_is_named() {
    let wrapped = |change: fn(&mut Value)| {
        let mut document = issuer();
        change(&mut document);
        json!({"didDoc": multibase(&document)}).to_string()
    };
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: Vec<(u16, String, Outcome, &str)> = vec![
        (404, "{}".to_owned(), Wrong, "step document: status 404, expected 200"),
        (200, "<html>".to_owned(), Wrong, "step document: body is not JSON"),
        (200, String::new(), Wrong, "step document: body is not JSON"),
        (200, deep.clone(), Wrong, "step document: body is not JSON: recursion limit exceeded"),
        (200, "1e999".to_owned(), Wrong, "step document: body is not JSON"),
        (200, "{}".to_owned(), Wrong, "step document: has no /didDoc"),
        (200, json!({"didDoc": deep}).to_string(), Wrong, "neither JSON nor JSON in base64"),
        (200, json!({"didDoc": "m%%%"}).to_string(), Wrong, "neither JSON nor JSON in base64"),
        (200, json!({"didDoc": "z6MkpTHR8VNs"}).to_string(), Unjudged, "is in base58"),
        (200, json!({"didDoc": 5}).to_string(), Wrong, "step document: has no id"),
        (
            200,
            wrapped(|doc| doc["id"] = json!("did:kr:mobileid:example:other")),
            Wrong,
            "is of did:kr:mobileid:example:other",
        ),
        (200, wrapped(|doc| doc["deactivated"] = json!(true)), Wrong, "is deactivated"),
        (200, wrapped(|doc| doc["verificationMethod"] = json!([])), Wrong, "has no verificationMethod"),
        (
            200,
            wrapped(|doc| drop(doc["verificationMethod"].as_array_mut().unwrap().pop())),
            Wrong,
            "has no verificationMethod did:kr",
        ),
        (
            200,
            wrapped(|doc| doc["verificationMethod"][1]["publicKeyMultibase"] = json!("mNew")),
            Wrong,
            "has another public key",
        ),
    ];
    for (http_status, body, outcome, said) in cases {
        expect_reading(&with(DOCUMENT, http_status, body).await, outcome, said);
    }
}

#[tokio::test]
async fn a_ledger_that_calls_everything_active_is_wrong() {
    let reading = changed(|state| state.lets_everything_in = true).await;
    expect_reading(
        &reading,
        Wrong,
        "step status: is ACTIVE, expected REVOKED (/api/v1/vc-meta?vcId=canary-revoked)",
    );
    // Where only an unknown one is asked about.
    let service = MobileId::start().await;
    service.change(|state| state.lets_everything_in = true);
    let unknown = DidSpec { statuses: vec![statuses().remove(2)], ..whole() };
    let reading = sample(service.server.address, &did(PATIENT, unknown)).await;
    expect_reading(
        &reading,
        Wrong,
        "step status: status 200, expected 404 (/api/v1/vc-meta?vcId=canary-unknown)",
    );
}

#[tokio::test]
async fn each_way_in_which_a_status_may_be_wrong_is_named() {
    let meta = |status: Value| json!({"vcMeta": multibase(&json!({"status": status}))}).to_string();
    for (http_status, body, said) in [
        (500, "{}".to_owned(), "step status: status 500, expected 200 (/api/v1/vc-meta?vcId=canary-active)"),
        (200, "<html>".to_owned(), "step status: body is not JSON"),
        (200, "{}".to_owned(), "step status: has no /vcMeta/status"),
        (200, json!({"vcMeta": "ACTIVE"}).to_string(), "step status: has no /vcMeta/status"),
        (200, meta(json!("REVOKED")), "step status: is REVOKED, expected ACTIVE"),
        (200, meta(json!("active")), "step status: is active, expected ACTIVE"),
        (200, meta(json!(null)), "step status: /vcMeta/status is no text"),
        (200, meta(json!("A\u{1b}[2J\u{202e}")), "step status: is A [2J , expected ACTIVE"),
    ] {
        expect_reading(&with(STATUS, http_status, body).await, Wrong, said);
    }
}

#[tokio::test]
async fn each_way_in_which_a_head_may_be_wrong_is_named() {
    for (http_status, body, said) in [
        (503, "", "step head: status 503, expected 200"),
        (200, "nothing", "step head: body is not JSON"),
        (200, "{}", "step head: has no /result/number"),
        (200, r#"{"result": null}"#, "step head: has no /result/number"),
        (
            200,
            r#"{"error": {"code": -32000, "message": "not synced"}}"#,
            "step head: the node refuses: not synced",
        ),
        (200, r#"{"result": {"number": "0xzz", "timestamp": "0x1"}}"#, "is not a block number"),
        (
            200,
            r#"{"result": {"number": 99999999999999999999999, "timestamp": "0x1"}}"#,
            "is not a block number",
        ),
        (200, r#"{"result": {"number": "0x10"}}"#, "step head: has no /result/timestamp"),
        (200, r#"{"result": {"number": "0x10", "timestamp": "soon"}}"#, "is not a time"),
        (
            200,
            r#"{"result": {"number": "0x10", "timestamp": "0x1"}}"#,
            "step head: block 16 is the newest, and is",
        ),
        (
            200,
            r#"{"result": {"number": "0x10", "timestamp": "2090-01-01T00:00:00Z"}}"#,
            "is from the future: 2090",
        ),
    ] {
        expect_reading(&with("/rpc", http_status, body).await, Wrong, said);
    }
    expect_reading(&changed(|state| state.age = 120).await, Wrong, "old: longer than 60s");
}

#[tokio::test]
async fn a_chain_that_stands_still_is_noticed_although_all_else_is_answered() {
    let service = MobileId::start().await;
    let clock = Arc::new(ManualClock::default());
    let numbers = [
        DidHead { rpc: Some(ChainRpc::EthBlockNumber), number: "/result".into(), time: None, ..head() },
        DidHead { path: "/height".into(), rpc: None, number: "/height".into(), time: None, ..head() },
    ];
    for head in numbers {
        let prober = NetworkProber::new(clock.clone());
        let check = did(PATIENT, DidSpec { head: Some(head), ..whole() });
        let probe = prober.prepare(&endpoint(Scheme::Http, service.server.address), &check).unwrap();
        service.change(|state| (state.height, state.pace) = (4_000, 1));
        expect_reading(&probe.run().await, Good, "");
        clock.advance(Duration::from_secs(60));
        expect_reading(&probe.run().await, Good, "");
        service.change(|state| state.pace = 0);
        clock.advance(Duration::from_secs(15));
        expect_reading(&probe.run().await, Good, "");
        clock.advance(Duration::from_secs(2));
        expect_reading(
            &probe.run().await,
            Wrong,
            "step head: stands still at block 4002 for 17s, longer than 15s",
        );
        service.change(|state| state.height = 3_990);
        expect_reading(
            &probe.run().await,
            Wrong,
            "step head: went down from block 4002 to 3990: an older state",
        );
        service.change(|state| (state.height, state.pace) = (4_002, 1));
        expect_reading(&probe.run().await, Good, "");
    }
}

#[tokio::test]
async fn a_member_that_floods_costs_no_more_than_it_may() {
    let server = Server::flooding("HTTP/1.1 200 OK\r\n\r\n", vec![b'['; 65_536]).await;
    let reading = sample(server.address, &did(PATIENT, whole())).await;
    expect_reading(&reading, Wrong, "step document: body larger than 1048576 bytes");
}

#[tokio::test]
async fn a_member_that_says_nothing_is_unreachable_at_the_step_where_it_stopped() {
    let server = Server::by_hand(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let reading = sample(server.address, &did(SHORT, whole())).await;
    expect_reading(&reading, Unreachable, "no answer within 300ms (step document: request)");
    let reading = sample(server.address, &did(SHORT, only_head(head()))).await;
    expect_reading(&reading, Unreachable, "no answer within 300ms (step head: request)");
    let reading = sample(closed_port().await, &did(PATIENT, whole())).await;
    expect_reading(&reading, Refused, "step document: connect: connection refused");
}

#[tokio::test]
async fn a_right_answer_that_takes_too_long_is_slow() {
    let service = MobileId::start().await;
    let check = CheckSpec { max_latency: Some(Duration::ZERO), ..did(PATIENT, whole()) };
    expect_reading(&sample(service.server.address, &check).await, Slow, "took");
}

#[tokio::test]
async fn a_path_that_cannot_be_asked_is_refused_before() {
    let wrong = only_head(DidHead { path: "/a b".into(), ..head() });
    let endpoint = endpoint(Scheme::Http, closed_port().await);
    let error = network_prober().prepare(&endpoint, &did(PATIENT, wrong)).err().unwrap();
    assert!(matches!(error, ProbeError::Field { field: "path", .. }), "{error}");
}

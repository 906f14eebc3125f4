//! Checks of verifiers of identities: messages in the shape of mobile ID and of OpenDID, and answers of which one thing is wrong.

use std::{net::SocketAddr, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine};
use bongsu::{
    domain::Outcome::{Ok as Good, Refused, Slow, Unreachable, Wrong},
    ports::{
        CheckKind, CheckSpec, Prober, Reading, Scheme, StepBody, StepSpec, TlsSpec, VerifierSpec,
        VerifierStep,
    },
};
use serde_json::{Value, json};

use crate::support::{
    http_server::{Server, closed_port},
    mobile_id::MobileId,
    probes::{PATIENT, SHORT, check, endpoint, expect_reading, network_prober},
};

const PRESENTATION: &str = r#"{"type": "mip", "version": "1.0.0", "cmd": "400", "request": "presentation",
    "trxcode": "{trxcode}", "vp": {"nonce": "{nonce}", "proof": "canary"}}"#;

fn step(name: &str, path: &str, body: StepBody) -> VerifierStep {
    VerifierStep {
        request: StepSpec {
            name: name.into(),
            method: "POST",
            path: path.into(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body,
            captures: Vec::new(),
        },
        http_status: 200,
        result: "/result".into(),
        expect_code: None,
        expect: None,
    }
}

fn data(text: &str) -> StepBody {
    StepBody::Data(text.into())
}

fn json(text: &str) -> StepBody {
    StepBody::Json(text.into())
}

fn captures(step: VerifierStep, name: &str, pointer: &str) -> VerifierStep {
    let request = StepSpec { captures: vec![(name.into(), pointer.into())], ..step.request };
    VerifierStep { request, ..step }
}

/// The messages of mobile ID: M200, M310, M400, and what became of them.
fn mobile_id() -> Vec<VerifierStep> {
    let profile =
        r#"{"type": "mip", "version": "1.0.0", "cmd": "310", "request": "profile", "trxcode": "{trxcode}"}"#;
    vec![
        captures(
            step("request", "/mip/request", data(r#"{"cmd": "200", "id": "{uuid}"}"#)),
            "trxcode",
            "/data/trxcode",
        ),
        captures(step("profile", "/mip/profile", data(profile)), "nonce", "/data/profile/nonce"),
        step("vp", "/mip/vp", data(PRESENTATION)),
        VerifierStep {
            expect: Some("body.data.trxStsCode == '0003'".into()),
            ..step("trxsts", "/mip/trxsts", data(r#"{"trxcode": "{trxcode}"}"#))
        },
    ]
}

/// The same with a presentation that must be refused.
fn forged() -> Vec<VerifierStep> {
    let mut steps = mobile_id();
    steps.truncate(3);
    steps[2].request.body = data(&PRESENTATION.replace("canary", "forged"));
    steps[2].expect_code = Some("20401".into());
    steps
}

/// The messages of OpenDID (P310), whose answers say what they are only at the end.
fn open_did() -> Vec<VerifierStep> {
    let base = "/verifier/api/v1";
    let without_result = |step: VerifierStep| VerifierStep { result: "".into(), ..step };
    let offer =
        step("offer", &format!("{base}/request-offer-qr"), json(r#"{"id": "{uuid}", "policyId": "canary"}"#));
    let profile = step(
        "profile",
        &format!("{base}/request-profile"),
        json(r#"{"id": "{uuid}", "offerId": "{offer}"}"#),
    );
    let vp = r#"{"id": "{uuid}", "txId": "{tx}", "vp": {"verifierNonce": "{nonce}"}}"#;
    let mut offer = captures(without_result(offer), "offer", "/payload/offerId");
    offer.request.captures.push(("tx".into(), "/txId".into()));
    vec![
        offer,
        captures(without_result(profile), "nonce", "/profile/profile/process/verifierNonce"),
        without_result(step("verify", &format!("{base}/request-verify"), json(vp))),
        step("confirm", &format!("{base}/confirm-verify"), json(r#"{"offerId": "{offer}"}"#)),
    ]
}

fn verifier(timeout: Duration, steps: Vec<VerifierStep>) -> CheckSpec {
    check(timeout, CheckKind::Verifier(VerifierSpec { steps, tls: TlsSpec::default() }))
}

async fn sample(address: SocketAddr, check: &CheckSpec) -> Reading {
    network_prober().prepare(&endpoint(Scheme::Http, address), check).unwrap().run().await
}

/// One sample of a service that answers one path in another way.
async fn with(steps: Vec<VerifierStep>, path: &str, status: u16, body: impl Into<Vec<u8>>) -> Reading {
    let service = MobileId::start().await;
    service.answer_instead(path, status, body);
    sample(service.server.address, &verifier(PATIENT, steps)).await
}

/// The message inside of a request of mobile ID.
fn inside(body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap();
    serde_json::from_slice(&BASE64_STANDARD.decode(body["data"].as_str().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_presentation_in_the_shape_of_mobile_id_is_good_to_its_end() {
    let service = MobileId::start().await;
    let check = verifier(PATIENT, mobile_id());
    expect_reading(&sample(service.server.address, &check).await, Good, "");
    expect_reading(&sample(service.server.address, &check).await, Good, "");
    let asked = service.change(|state| state.asked.clone());
    let paths: Vec<&str> = asked.iter().map(|(path, _)| path.as_str()).collect();
    let once = ["/mip/request", "/mip/profile", "/mip/vp", "/mip/trxsts"];
    assert_eq!(paths, [once, once].concat());
    // What an answer said is in the next message, with its quotation marks.
    let vp = inside(&asked[2].1);
    assert_eq!((&vp["trxcode"], &vp["vp"]["nonce"]), (&json!("trx \"1\"/+"), &json!("nonce-1")));
    // What is drawn is another one in each sample.
    let [first, second] = [0, 4].map(|at| inside(&asked[at].1)["id"].as_str().unwrap().to_owned());
    assert_eq!(first.len(), 36);
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_presentation_in_the_shape_of_opendid_is_good_to_its_end() {
    let service = MobileId::start().await;
    expect_reading(&sample(service.server.address, &verifier(PATIENT, open_did())).await, Good, "");
    // Nothing was submitted: HTTP 200 says false.
    let mut steps = open_did();
    steps.remove(2);
    let reading = sample(service.server.address, &verifier(PATIENT, steps)).await;
    expect_reading(&reading, Wrong, "step confirm: result is false: no code says why");
}

#[tokio::test]
async fn a_verifier_that_lets_in_what_it_must_not_is_wrong() {
    let service = MobileId::start().await;
    let forged = verifier(PATIENT, forged());
    let mut steps = open_did();
    steps.truncate(3);
    steps[2].request.body = json(r#"{"txId": "{tx}", "vp": {"verifierNonce": "{uuid}"}}"#);
    steps[2].http_status = 400;
    steps[2].expect_code = Some("SSRVVRF00402".into());
    let wrong_nonce = verifier(PATIENT, steps);
    for check in [&forged, &wrong_nonce] {
        expect_reading(&sample(service.server.address, check).await, Good, "");
    }
    service.change(|state| state.lets_everything_in = true);
    let reading = sample(service.server.address, &forged).await;
    expect_reading(&reading, Wrong, "step vp: was taken, and must be refused with 20401");
    let reading = sample(service.server.address, &wrong_nonce).await;
    expect_reading(&reading, Wrong, "step verify: status 200, expected 400");
}

/// Who asks, the status and the body of its answer, and what must be said.
type Wrongs = Vec<(&'static str, u16, String, &'static str)>;

/// An answer that says no, by this code.
fn refused(code: &str) -> String {
    let data = BASE64_STANDARD.encode(json!({"errcode": code, "errmsg": "why"}).to_string());
    json!({"result": false, "data": data}).to_string()
}

/// An answer that says yes.
fn taken(data: &Value) -> String {
    json!({"result": true, "data": BASE64_STANDARD.encode(data.to_string())}).to_string()
}

/// Answers to the first message that are wrong in themselves.
fn wrong_from_the_first() -> Wrongs {
    let deep = format!("{}1{}", "[".repeat(60_000), "]".repeat(60_000));
    vec![
        ("/mip/request", 500, "{}".to_owned(), "step request: status 500, expected 200"),
        ("/mip/request", 302, String::new(), "step request: status 302, expected 200"),
        ("/mip/request", 200, "<html>".to_owned(), "step request: body is not JSON"),
        ("/mip/request", 200, deep.clone(), "step request: body is not JSON: recursion limit exceeded"),
        ("/mip/request", 200, r#"{"result": 1e999}"#.to_owned(), "step request: body is not JSON"),
        ("/mip/request", 200, "{}".to_owned(), "step request: has no /result"),
        ("/mip/request", 200, r#"{"result": "true"}"#.to_owned(), "step request: /result is \"true\""),
        (
            "/mip/request",
            200,
            r#"{"result": true}"#.to_owned(),
            "step request: has no /data/trxcode, which is trxcode",
        ),
        ("/mip/request", 200, taken(&json!({"trxcode": null})), "step request: has no /data/trxcode"),
        (
            "/mip/request",
            200,
            json!({"result": true, "data": deep}).to_string(),
            "step request: has no /data/trxcode",
        ),
        (
            "/mip/request",
            200,
            taken(&json!({"trxcode": "other"})),
            "step profile: result is false: 10104, the transaction code is not found",
        ),
    ]
}

/// Answers to later messages.
fn wrong_from_later_ones() -> Wrongs {
    vec![
        (
            "/mip/profile",
            200,
            refused("20307"),
            "step profile: result is false: 20307, the DID document cannot be fetched",
        ),
        (
            "/mip/profile",
            200,
            refused("10201"),
            "step profile: result is false: 10201, a message out of sequence",
        ),
        (
            "/mip/profile",
            200,
            refused("10202"),
            "step profile: result is false: 10202, the transaction timed out",
        ),
        (
            "/mip/profile",
            200,
            refused("10399"),
            "step profile: result is false: 10399, the push server failed",
        ),
        ("/mip/profile", 200, refused("20999"), "step profile: result is false: 20999, why"),
        (
            "/mip/profile",
            200,
            taken(&json!({"profile": {"nonce": "old"}})),
            "step vp: result is false: 20402",
        ),
        (
            "/mip/vp",
            200,
            refused("20401"),
            "step vp: result is false: 20401, the zero-knowledge proof is not right",
        ),
        ("/mip/vp", 200, r#"{"result": true}"#.to_owned(), "step trxsts: expect is false"),
        ("/mip/trxsts", 200, r#"{"result": true}"#.to_owned(), "step trxsts: expect: "),
        ("/mip/trxsts", 200, taken(&json!({"trxStsCode": "0001"})), "step trxsts: expect is false"),
    ]
}

#[tokio::test]
async fn each_way_in_which_an_answer_may_be_wrong_is_named_with_its_step() {
    for (path, status, body, said) in wrong_from_the_first().into_iter().chain(wrong_from_later_ones()) {
        expect_reading(&with(mobile_id(), path, status, body).await, Wrong, said);
    }
}

#[tokio::test]
async fn each_way_in_which_a_refusal_may_be_wrong_is_named() {
    for (status, body, said) in [
        (200, r#"{"result": true, "errcode": "20401"}"#, "was taken, and must be refused with 20401"),
        (200, r#"{"result": false}"#, "must be refused with 20401, not with no code"),
        (200, r#"{"result": false, "errcode": 20307}"#, "not with 20307, the DID document cannot be fetched"),
        (200, r#"{"errcode": "20401"}"#, "has no /result"),
        (503, r#"{"result": false, "errcode": "20401"}"#, "status 503, expected 200: 20401"),
        (200, "", "body is not JSON"),
    ] {
        expect_reading(&with(forged(), "/mip/vp", status, body).await, Wrong, said);
    }
    let right = r#"{"result": false, "errcode": 20401}"#;
    expect_reading(&with(forged(), "/mip/vp", 200, right).await, Good, "");
}

#[tokio::test]
async fn what_a_member_says_cannot_break_out_of_the_next_request() {
    let steps = |place: fn(&mut VerifierStep)| {
        let first = captures(step("first", "/mip/request", StepBody::None), "word", "/word");
        let mut second = step("second", "/mip/trxsts", StepBody::None);
        place(&mut second);
        vec![first, second]
    };
    let hostile = json!({"result": true, "word": "a\r\nX: y\"} /?&#"}).to_string();
    let header = steps(|step| step.request.headers = vec![("X-Word".to_owned(), "{word}".to_owned())]);
    let reading = with(header, "/mip/request", 200, hostile.clone()).await;
    expect_reading(&reading, Wrong, "step second: x-word: not a header value");

    let service = MobileId::start().await;
    service.answer_instead("/mip/request", 200, hostile);
    service.answer_instead("/mip/trxsts", 200, r#"{"result": true}"#);
    let placed = steps(|step| {
        step.request.path = "/mip/trxsts?word={word}".into();
        step.request.body = json(r#"{"word": "{word}"}"#);
    });
    expect_reading(&sample(service.server.address, &verifier(PATIENT, placed)).await, Good, "");
    let (path, body) = service.change(|state| state.asked[1].clone());
    assert_eq!(path, "/mip/trxsts?word=a%0D%0AX%3A%20y%22%7D%20%2F%3F%26%23");
    assert_eq!(body, r#"{"word": "a\r\nX: y\"} /?&#"}"#);
}

#[tokio::test]
async fn a_member_that_floods_or_says_nothing_costs_no_more_than_it_may() {
    let server = Server::flooding("HTTP/1.1 200 OK\r\n\r\n", vec![b'['; 65_536]).await;
    let reading = sample(server.address, &verifier(PATIENT, mobile_id())).await;
    expect_reading(&reading, Wrong, "step request: body larger than 262144 bytes");
    let server = Server::by_hand(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let reading = sample(server.address, &verifier(SHORT, mobile_id())).await;
    expect_reading(&reading, Unreachable, "no answer within 300ms (step request: request)");
    let reading = sample(closed_port().await, &verifier(PATIENT, mobile_id())).await;
    expect_reading(&reading, Refused, "step request: connect: connection refused");
    let service = MobileId::start().await;
    let check = CheckSpec { max_latency: Some(Duration::ZERO), ..verifier(PATIENT, mobile_id()) };
    expect_reading(&sample(service.server.address, &check).await, Slow, "took");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_and_the_step_is_named() {
    let wrong = |change: fn(&mut Vec<VerifierStep>)| {
        let mut steps = mobile_id();
        change(&mut steps);
        steps
    };
    let endpoint = endpoint(Scheme::Http, closed_port().await);
    for (steps, said) in [
        (
            wrong(|steps| drop(steps.remove(0))),
            "step profile: no step before captures {trxcode}: known are nonce, uuid",
        ),
        (
            wrong(|steps| steps[0].request.path = "/{trxcode}".into()),
            "step request: no step before captures {trxcode}",
        ),
        (wrong(|steps| steps[3].expect = Some("body.".into())), "step trxsts: expect: "),
        (wrong(|steps| steps[3].expect = Some("data.x".into())), "step trxsts: expect: unknown name data"),
        (
            wrong(|steps| steps[1].request.headers = vec![("Host".to_owned(), "x".to_owned())]),
            "step profile: host is set by the probe",
        ),
    ] {
        let error = network_prober().prepare(&endpoint, &verifier(PATIENT, steps)).err().unwrap().to_string();
        assert!(error.starts_with("check deep: steps: ") && error.contains(said), "{error}");
    }
}

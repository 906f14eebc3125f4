//! The checks of the examples, as they are written, against services as they should be and with one thing broken.

use std::{fs, net::SocketAddr, path::Path};

use axum::{
    Json, Router,
    body::Bytes,
    routing::{get, post},
};
use bongsu::{
    api::SharedService,
    domain::Outcome,
    ports::{CheckKind, CheckSpec, Prober, Scheme},
    reconcile::parse::{Policies, parse},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{
    http_server::Server,
    mobile_id::{MobileId, State},
    probes::{PATIENT, endpoint, network_prober},
};

/// The checks of every service in a directory.
fn checks(directory: &str) -> Vec<CheckSpec> {
    let files =
        fs::read_dir(Path::new("docs/examples").join(directory)).unwrap().map(|file| file.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let texts: Vec<String> = yaml.map(|path| fs::read_to_string(path).unwrap()).collect();
    let documents = texts.iter().flat_map(|text| serde_yaml::Deserializer::from_str(text));
    let objects = documents.map(|document| Value::deserialize(document).unwrap());
    let services = objects.filter(|object| object["kind"] == "SharedService");
    let services = services.map(|object| serde_json::from_value::<SharedService>(object).unwrap());
    services.flat_map(|service| parse(&service, &Policies::default()).unwrap().checks).collect()
}

/// The names of those checks that are not good against one server, sorted.
async fn bad(checks: Vec<CheckSpec>, address: SocketAddr) -> Vec<String> {
    let mut bad = Vec::new();
    for check in checks {
        let name = check.name.to_string();
        let here = CheckSpec {
            port: None,
            scheme: Some(Scheme::Http),
            timeout: PATIENT,
            max_latency: None,
            ..check
        };
        let probe = network_prober().prepare(&endpoint(Scheme::Http, address), &here).unwrap();
        let reading = probe.run().await;
        if reading.outcome != Outcome::Ok {
            eprintln!("{name}: {reading:?}");
            bad.push(name);
        }
    }
    bad.sort();
    bad
}

/// What is broken, and the checks that see it.
type Fault = (fn(&mut State), &'static [&'static str]);

/// Refuses what is asked at a path, with HTTP 200.
fn refused(state: &mut State, path: &str) {
    let answer = json!({"result": false, "errcode": 20307}).to_string();
    state.instead.insert(path.to_owned(), (200, answer.into_bytes()));
}

#[tokio::test]
async fn the_checks_of_mobile_id_are_good_and_each_fault_is_seen_by_those_that_are_for_it() {
    let faults: [Fault; 8] = [
        (|_| {}, &[]),
        (|state| state.lets_everything_in = true, &["canaries", "forged", "issue-and-revoke", "wrong-nonce"]),
        (|state| drop(state.instead.insert("/api/v1/did-doc".to_owned(), (404, Vec::new()))), &["issuer"]),
        (|state| state.age = 3_600, &["chain"]),
        (|state| refused(state, "/mip/profile"), &["forged", "present"]),
        (|state| refused(state, "/mip/trxsts"), &["present"]),
        (|state| refused(state, "/issuer/api/v1/canary/revoke"), &["issue-and-revoke"]),
        (|state| refused(state, "/verifier/api/v1/request-profile"), &["wrong-nonce"]),
    ];
    for (index, (fault, seen)) in faults.into_iter().enumerate() {
        let service = MobileId::start().await;
        service.change(fault);
        assert_eq!(bad(checks("mobile-id"), service.server.address).await, seen, "fault {index}");
    }
}

/// What the checks of GPKI over plain HTTP ask.
fn gpki(verdict: &'static str, issuing: bool, echo: fn(Bytes) -> Bytes) -> Router {
    Router::new()
        .route("/verify", post(move || async move { Json(json!({"result": verdict})) }))
        .route("/ready", get(move || async move { Json(json!({"issuing": issuing})) }))
        .route("/echo", post(move |body: Bytes| async move { echo(body) }))
}

#[tokio::test]
async fn the_checks_of_gpki_over_plain_http_are_good_and_see_what_is_not() {
    let over_http = || {
        let mut checks = checks("gpki");
        checks.retain(|check| matches!(check.kind, CheckKind::Http(_) | CheckKind::Payload(_)));
        checks
    };
    let cut = |body: Bytes| body.slice(..body.len().min(1_400));
    for (router, seen) in [
        (gpki("good", true, |body| body), &[][..]),
        (gpki("bad", true, |body| body), &["verify-4k"]),
        (gpki("good", false, |body| body), &["ready-to-issue"]),
        (gpki("good", true, cut), &["sizes"]),
    ] {
        let server = Server::axum(router, None).await;
        assert_eq!(bad(over_http(), server.address).await, seen);
    }
}

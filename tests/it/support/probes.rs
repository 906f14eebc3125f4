//! Checks as the tests write them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bongsu::{
    adapters::{clock::SystemClock, probe::NetworkProber},
    domain::Outcome,
    ports::{
        BodyFormat, CheckKind, CheckSpec, Endpoint, HttpSpec, Probe, ProbeError, Prober, Reading, Scheme,
        TlsSpec,
    },
};

/// Long enough for a busy host to answer: what a test says must not depend on its load.
pub const PATIENT: Duration = Duration::from_secs(20);
/// For members that never answer.
pub const SHORT: Duration = Duration::from_millis(300);

/// `GET /` that expects 200 and JSON that says `result: good`.
pub fn get() -> HttpSpec {
    HttpSpec {
        method: "GET",
        path: "/".into(),
        headers: Vec::new(),
        secret_headers: Vec::new(),
        body: bytes::Bytes::new(),
        expected_status: vec![200],
        expect: Some("body.result == 'good'".into()),
        max_body_bytes: 65_536,
        keep_alive: false,
        format: BodyFormat::Json,
        http2: false,
        tls: TlsSpec::default(),
    }
}

pub fn endpoint(scheme: Scheme, address: SocketAddr) -> Endpoint {
    Endpoint { scheme, host: address.ip().to_string().into(), port: address.port() }
}

pub fn check(timeout: Duration, kind: CheckKind) -> CheckSpec {
    CheckSpec { name: "deep".into(), timeout, max_latency: None, port: None, scheme: None, kind }
}

pub fn prepare(endpoint: &Endpoint, timeout: Duration, spec: HttpSpec) -> Result<Arc<dyn Probe>, ProbeError> {
    network_prober().prepare(endpoint, &check(timeout, CheckKind::Http(spec)))
}

/// One sample over HTTP in the clear.
pub async fn probe(address: SocketAddr, timeout: Duration, spec: HttpSpec) -> Reading {
    prepare(&endpoint(Scheme::Http, address), timeout, spec).unwrap().run().await
}

/// Fails unless a reading has this outcome and its detail says so.
#[track_caller]
pub fn expect_reading(reading: &Reading, outcome: Outcome, detail: &str) {
    assert_eq!(reading.outcome, outcome, "{reading:?}");
    assert!(reading.detail.contains(detail), "{detail:?} is not in {reading:?}");
    assert!(reading.detail.len() <= 256 && !reading.detail.contains(char::is_control), "{reading:?}");
}

/// The prober of production.
pub fn network_prober() -> NetworkProber {
    NetworkProber::new(Arc::new(SystemClock::new()))
}

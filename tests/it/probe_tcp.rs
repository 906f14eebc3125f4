//! TCP checks against real listeners.

use std::time::Duration;

use bongsu::{
    domain::Outcome::{self, Ok as Good, Refused, Slow},
    ports::{CheckKind, CheckSpec, Prober, Scheme},
};

use crate::support::{
    http_server::{Server, closed_port},
    probes::{PATIENT, check, endpoint, expect_reading, network_prober},
};

async fn expect(address: std::net::SocketAddr, check: CheckSpec, outcome: Outcome, detail: &str) {
    let endpoint = endpoint(Scheme::Tcp, address);
    let probe = network_prober().prepare(&endpoint, &check).unwrap();
    expect_reading(&probe.run().await, outcome, detail);
}

fn plain() -> CheckSpec {
    check(PATIENT, CheckKind::Tcp)
}

#[tokio::test]
async fn one_who_listens_is_good_and_nobody_is_refused() {
    let server = Server::answering("").await;
    expect(server.address, plain(), Good, "").await;
    expect(closed_port().await, plain(), Refused, "connection refused").await;
}

#[tokio::test]
async fn the_checks_own_port_comes_before_the_endpoints() {
    let server = Server::answering("").await;
    let check = CheckSpec { port: Some(server.address.port()), ..plain() };
    expect(closed_port().await, check, Good, "").await;
}

#[tokio::test]
async fn a_connection_after_the_latency_limit_is_slow() {
    let server = Server::answering("").await;
    expect(
        server.address,
        CheckSpec { max_latency: Some(Duration::from_nanos(1)), ..plain() },
        Slow,
        "limit 1ns",
    )
    .await;
}

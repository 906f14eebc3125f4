//! Messages of several sizes against real servers. What a lossy path does to them is shown in `tests/sites`.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use bongsu::{
    domain::{
        Outcome::{Ok as Good, Refused, Slow, Unreachable, Wrong},
        Sign,
    },
    ports::{CheckKind, CheckSpec, PayloadSpec, Prober, Reading, Scheme, TlsSpec},
};

use crate::support::{
    http_server::{Server, closed_port},
    probes::{PATIENT, check, endpoint, expect_reading, network_prober},
};

/// Long enough for the good answers of a busy host; those that are held back are waited for as long.
const HELD_BACK: Duration = Duration::from_secs(2);

fn payload(timeout: Duration, echo: bool) -> CheckSpec {
    let body = Bytes::from("abcdefgh".repeat(1024));
    let messages = [64, 512, 1400, 1500, 4096, 8192].map(|size| body.slice(..size)).to_vec();
    let spec = PayloadSpec { path: "/echo".into(), messages, echo, tls: TlsSpec::default() };
    check(timeout, CheckKind::Payload(spec))
}

/// Answers a message with this.
async fn server(answer: fn(Bytes) -> (StatusCode, Bytes)) -> Server {
    Server::axum(Router::new().route("/echo", post(async move |body: Bytes| answer(body))), None).await
}

/// Answers messages of these sizes only.
async fn server_that_loses(lost: fn(usize) -> bool) -> Server {
    let echo = async move |body: Bytes| {
        if lost(body.len()) {
            std::future::pending::<()>().await;
        }
        body
    };
    Server::axum(Router::new().route("/echo", post(echo)), None).await
}

async fn sample(address: SocketAddr, check: &CheckSpec) -> Reading {
    network_prober().prepare(&endpoint(Scheme::Http, address), check).unwrap().run().await
}

#[tokio::test]
async fn an_echo_of_every_size_is_good_and_each_has_a_connection_of_its_own() {
    let server = server(|body| (StatusCode::OK, body)).await;
    expect_reading(&sample(server.address, &payload(PATIENT, true)).await, Good, "");
    assert_eq!(server.connections(), 6);
}

#[tokio::test]
async fn the_size_from_which_on_messages_are_lost_is_named() {
    let server = server_that_loses(|size| size >= 1500).await;
    let reading = sample(server.address, &payload(HELD_BACK, true)).await;
    expect_reading(&reading, Unreachable, "messages of 1500 bytes and more are lost (64 to 1400 pass)");
    let symptom = reading.symptom.unwrap();
    assert_eq!((symptom.sign, symptom.from_bytes), (Sign::LargeMessages, Some(1500)), "{reading:?}");
    // All were sent at the same time, and judged before the sample was over.
    assert!(reading.latency < HELD_BACK, "{reading:?}");
}

#[tokio::test]
async fn sizes_that_are_lost_in_between_are_listed() {
    let server = server_that_loses(|size| size == 512 || size == 4096).await;
    let reading = sample(server.address, &payload(HELD_BACK, true)).await;
    expect_reading(&reading, Unreachable, "messages of 512, 4096 bytes are lost (64, 1400, 1500, 8192 pass)");
    let symptom = reading.symptom.unwrap();
    assert_eq!((symptom.sign, symptom.from_bytes), (Sign::LargeMessages, None), "{reading:?}");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_wrong_and_its_size_is_named() {
    let server = server(|body| (StatusCode::OK, body.slice(..body.len().min(1400)))).await;
    let wrong = "message of 1500 bytes: the answer is not what was sent";
    expect_reading(&sample(server.address, &payload(PATIENT, true)).await, Wrong, wrong);
    // Who does not ask for an echo is content with the status.
    expect_reading(&sample(server.address, &payload(PATIENT, false)).await, Good, "");
}

#[tokio::test]
async fn a_server_that_takes_no_large_messages_says_so_itself() {
    let server = server(|body| match body.len() {
        ..=4096 => (StatusCode::OK, body),
        _ => (StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()),
    })
    .await;
    let reading = sample(server.address, &payload(PATIENT, true)).await;
    expect_reading(&reading, Wrong, "message of 8192 bytes: status 413, expected 200");
}

#[tokio::test]
async fn nobody_is_refused_and_a_wrong_path_is_wrong() {
    let reading = sample(closed_port().await, &payload(PATIENT, true)).await;
    expect_reading(&reading, Refused, "no message passes: connect: connection refused");
    let server = Server::axum(Router::new(), None).await;
    let reading = sample(server.address, &payload(PATIENT, true)).await;
    expect_reading(&reading, Wrong, "no message passes: status 404, expected 200");
}

#[tokio::test]
async fn an_answer_without_end_is_wrong() {
    let server = Server::flooding("HTTP/1.1 200 OK\r\n\r\n", vec![b'a'; 4096]).await;
    let reading = sample(server.address, &payload(PATIENT, true)).await;
    expect_reading(&reading, Wrong, "body larger than 65536 bytes");
}

#[tokio::test]
async fn a_message_that_takes_too_long_is_slow_and_named() {
    let server = server(|body| (StatusCode::OK, body)).await;
    let check = CheckSpec { max_latency: Some(Duration::from_nanos(1)), ..payload(PATIENT, true) };
    expect_reading(&sample(server.address, &check).await, Slow, "message of 64 bytes: took");
}

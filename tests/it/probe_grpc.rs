//! The gRPC health check against the server of tonic, and against hostile ones over hyper's HTTP/2.

use std::{convert::Infallible, net::SocketAddr};

use bongsu::{
    domain::Outcome::{self, Ok as Good, Refused, Unreachable, Wrong},
    ports::{CheckKind, CheckSpec, GrpcSpec, Prober, Scheme, TlsSpec},
};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::transport::{Identity, ServerTlsConfig, server::TcpIncoming};
use tonic_health::{ServingStatus, server::health_reporter};

use crate::support::{
    http_server::{Server, closed_port},
    probes::{PATIENT, SHORT, check, endpoint, expect_reading, network_prober},
};

/// A real server of health; it ends with the tasks.
async fn health(
    statuses: &[(&str, ServingStatus)],
    tls: Option<ServerTlsConfig>,
) -> (SocketAddr, JoinSet<()>) {
    let (reporter, service) = health_reporter();
    for (name, status) in statuses {
        reporter.set_service_status(name, *status).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = tonic::transport::Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls).unwrap();
    }
    let serving = server.add_service(service).serve_with_incoming(TcpIncoming::from(listener));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { serving.await.unwrap() });
    (address, tasks)
}

fn grpc(service: &str) -> CheckSpec {
    check(PATIENT, CheckKind::Grpc(GrpcSpec { service: service.into(), tls: TlsSpec::default() }))
}

async fn expect(scheme: Scheme, address: SocketAddr, check: CheckSpec, outcome: Outcome, detail: &str) {
    let probe = network_prober().prepare(&endpoint(scheme, address), &check).unwrap();
    expect_reading(&probe.run().await, outcome, detail);
}

#[tokio::test]
async fn a_server_is_judged_by_what_it_says_of_a_service() {
    let statuses = [
        ("good", ServingStatus::Serving),
        ("stopped", ServingStatus::NotServing),
        ("starting", ServingStatus::Unknown),
    ];
    let (address, _server) = health(&statuses, None).await;
    for (service, outcome, detail) in [
        ("", Good, ""),
        ("good", Good, ""),
        ("stopped", Wrong, "NOT_SERVING, expected SERVING"),
        ("starting", Wrong, "UNKNOWN, expected SERVING"),
        ("nobody", Wrong, "gRPC status NOT_FOUND: service not registered"),
    ] {
        expect(Scheme::Http, address, grpc(service), outcome, detail).await;
    }
}

#[tokio::test]
async fn a_server_over_tls_is_verified() {
    let made = rcgen::generate_simple_self_signed(vec!["member.example".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    let (address, _server) = health(&[], Some(ServerTlsConfig::new().identity(identity))).await;
    let over_tls = |name: &str| {
        let tls = TlsSpec {
            server_name: Some(name.into()),
            ca_bundle: Some(made.cert.pem().into()),
            ..TlsSpec::default()
        };
        check(PATIENT, CheckKind::Grpc(GrpcSpec { service: "".into(), tls }))
    };
    expect(Scheme::Https, address, over_tls("member.example"), Good, "").await;
    expect(Scheme::Https, address, over_tls("other.example"), Refused, "tls: name mismatch").await;
}

#[tokio::test]
async fn who_does_not_speak_http_2_is_refused_and_who_is_silent_is_unreachable() {
    expect(Scheme::Http, closed_port().await, grpc(""), Refused, "connect: connection refused").await;
    let old = Server::answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    expect(Scheme::Http, old.address, grpc(""), Refused, "http").await;
    let silent = Server::by_hand(|stream, _| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let check = CheckSpec { timeout: SHORT, ..grpc("") };
    expect(Scheme::Http, silent.address, check, Unreachable, "no answer within 300ms").await;
}

type Body = BoxBody<Bytes, Infallible>;
type Answer = fn() -> Response<Body>;

/// A body of these frames, again and again where it has no trailers.
fn body(data: &'static [u8], trailers: Option<&'static [(&'static str, &'static str)]>) -> Body {
    let data = move || Ok(Frame::data(Bytes::from_static(data)));
    match trailers {
        Some(pairs) => {
            let pairs =
                pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            let trailers = Frame::trailers(pairs.collect::<HeaderMap>());
            StreamBody::new(stream::iter([data(), Ok(trailers)])).boxed()
        }
        None => StreamBody::new(stream::iter(std::iter::repeat_with(data))).boxed(),
    }
}

/// A server over HTTP/2 that answers every request with this.
async fn hostile(answer: Answer) -> Server {
    Server::by_hand(move |stream, _| async move {
        let service =
            service_fn(move |_: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(answer())));
        let builder = http2::Builder::new(TokioExecutor::new());
        let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
    })
    .await
}

#[tokio::test]
async fn hostile_answers_are_wrong_and_harmless() {
    const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";
    let cases: [(Answer, Outcome, &str); 6] = [
        (|| Response::new(body(SERVING, Some(&[("grpc-status", "0")]))), Good, ""),
        (|| Response::builder().status(503).body(body(b"", Some(&[]))).unwrap(), Wrong, "HTTP status 503"),
        (|| Response::new(body(SERVING, Some(&[]))), Wrong, "it has no grpc-status"),
        (
            || Response::new(body(b"<html>", Some(&[("grpc-status", "0")]))),
            Wrong,
            "not an answer about health",
        ),
        (|| Response::new(body(&[b'a'; 1024], None)), Wrong, "answer larger than 4096 bytes"),
        // Details that are not base64 make tonic's client panic.
        (
            || {
                let status = [
                    ("grpc-status", "12"),
                    ("grpc-status-details-bin", "%%%"),
                    ("grpc-message", "no such method"),
                ];
                let answer = status
                    .into_iter()
                    .fold(Response::builder(), |answer, (name, value)| answer.header(name, value));
                answer.body(body(b"", Some(&[]))).unwrap()
            },
            Wrong,
            "gRPC status UNIMPLEMENTED: no such method",
        ),
    ];
    for (answer, outcome, detail) in cases {
        let server = hostile(answer).await;
        expect(Scheme::Http, server.address, grpc(""), outcome, detail).await;
    }
}

//! HTTP checks against real servers, good and hostile.

use std::convert::Infallible;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Request, Response, Version},
    routing::{get as on_get, post as on_post},
};
use bongsu::{
    domain::{
        Outcome::{Ok as Good, Refused, Slow, Unjudged, Unreachable, Wrong},
        Sign, Stage,
    },
    ports::{BodyFormat, CheckKind, CheckSpec, Endpoint, HttpSpec, ProbeError, Prober, Reading, Scheme},
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use crate::support::{
    http_server::{Server, closed_port, eventually, read_head},
    probes::{PATIENT, SHORT, check, endpoint, expect_reading, get, network_prober, prepare, probe},
};

const GOOD: &str = r#"{"result":"good"}"#;

fn good_router() -> Router {
    Router::new().route("/", on_get(|| async { GOOD }))
}

/// A whole answer with a body.
fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn a_post_of_4_kb_is_judged_by_its_answer_and_says_who_sent_it() {
    let router = Router::new().route(
        "/verify",
        on_post(|headers: HeaderMap, body: Bytes| async move {
            let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            axum::Json(serde_json::json!({
                "size": body.len(), "agent": header("user-agent"), "probe": header("bongsu-probe"),
                "host": header("host"), "extra": header("x-extra"), "connection": header("connection"),
            }))
        }),
    );
    let server = Server::axum(router, None).await;
    let expect = format!(
        "body.size == 4096 && body.agent == 'bongsu/{}' && body.probe == 'deep' && body.host == '{}' \
         && body.extra == 'yes' && body.connection == 'close' && status == 200 \
         && headers['content-type'].startsWith('application/json')",
        env!("CARGO_PKG_VERSION"),
        server.address
    );
    let spec = HttpSpec {
        method: "POST",
        path: "/verify".into(),
        headers: vec![("X-Extra".to_owned(), "yes".to_owned())],
        body: vec![b'x'; 4096].into(),
        expect: Some(expect.into()),
        ..get()
    };
    expect_reading(&probe(server.address, PATIENT, spec).await, Good, "");
}

#[tokio::test]
async fn a_200_whose_body_says_no_is_wrong() {
    let server = Server::answering(answer("200 OK", br#"{"result":"bad"}"#)).await;
    expect_reading(&probe(server.address, PATIENT, get()).await, Wrong, "expect is false");
}

#[tokio::test]
async fn a_missing_field_is_wrong_and_named() {
    let server = Server::answering(answer("200 OK", b"{}")).await;
    expect_reading(&probe(server.address, PATIENT, get()).await, Wrong, "No such key: result");
}

#[tokio::test]
async fn another_status_is_wrong_whatever_the_body() {
    let server = Server::answering(answer("503 Busy", GOOD.as_bytes())).await;
    expect_reading(&probe(server.address, PATIENT, get()).await, Wrong, "status 503");
}

#[tokio::test]
async fn a_redirect_is_judged_and_not_followed() {
    let target = Server::axum(good_router(), None).await;
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", target.address);
    let server = Server::answering(redirect).await;
    expect_reading(&probe(server.address, PATIENT, get()).await, Wrong, "status 302");
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn without_an_expression_the_body_is_read_and_not_judged() {
    let server = Server::answering(answer("200 OK", b"\xff\xfe not json")).await;
    expect_reading(&probe(server.address, PATIENT, HttpSpec { expect: None, ..get() }).await, Good, "");
}

#[tokio::test]
async fn a_head_request_is_judged_by_its_headers() {
    let server = Server::axum(good_router(), None).await;
    let spec = HttpSpec { method: "HEAD", expect: Some("'content-length' in headers".into()), ..get() };
    expect_reading(&probe(server.address, PATIENT, spec).await, Good, "");
}

/// A flood ends at once, and the server could send no more than the limit and what the sockets hold.
async fn check_flood(server: Server, spec: HttpSpec) {
    let start = Instant::now();
    let reading = probe(server.address, PATIENT, spec).await;
    assert!(start.elapsed() < PATIENT / 2, "the timeout ended it");
    expect_reading(&reading, Wrong, "");
    let written = server.written.load(Ordering::SeqCst);
    assert!(written < 16 << 20, "{written} bytes were taken");
}

#[tokio::test]
async fn a_body_of_a_gigabyte_is_wrong_before_it_is_read() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
    check_flood(Server::flooding(head, vec![b'x'; 65_536]).await, get()).await;
}

#[tokio::test]
async fn a_body_without_an_end_is_wrong_at_its_limit() {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    check_flood(Server::flooding(head, vec![b'x'; 65_536]).await, get()).await;
    let unjudged = HttpSpec { expect: None, ..get() };
    check_flood(Server::flooding(head, vec![b'x'; 65_536]).await, unjudged).await;
}

#[tokio::test]
async fn headers_without_an_end_are_wrong() {
    let head = "HTTP/1.1 200 OK\r\n";
    check_flood(Server::flooding(head, b"X-Flood: yes\r\n".repeat(1_000)).await, get()).await;
    check_flood(Server::flooding("HTTP/1.1 200 OK\r\nX: ", vec![b'x'; 65_536]).await, get()).await;
}

#[tokio::test]
async fn a_body_that_drips_is_unreachable_at_the_timeout() {
    let server = Server::by_hand(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await;
        std::future::pending::<()>().await;
    })
    .await;
    expect_reading(&probe(server.address, SHORT, get()).await, Unreachable, "(body)");
}

#[tokio::test]
async fn a_head_that_never_ends_coming_is_unreachable_at_the_timeout() {
    let server = Server::by_hand(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ").await;
        std::future::pending::<()>().await;
    })
    .await;
    expect_reading(
        &probe(server.address, SHORT, get()).await,
        Unreachable,
        "no answer within 300ms (request)",
    );
}

#[tokio::test]
async fn one_who_accepts_and_says_nothing_is_unreachable() {
    let server = Server::by_hand(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    expect_reading(&probe(server.address, SHORT, get()).await, Unreachable, "(request)");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_unreachable() {
    let address = closed_port().await;
    let endpoint =
        bongsu::ports::Endpoint { host: "nobody.invalid".into(), ..endpoint(Scheme::Http, address) };
    let reading = prepare(&endpoint, PATIENT, get()).unwrap().run().await;
    expect_reading(&reading, Unreachable, "name look-up");
}

#[tokio::test]
async fn bodies_that_are_not_json_are_wrong() {
    for (body, detail) in [
        (b"\xff\xfe{}".to_vec(), "utf-8"),
        (b"<html>".to_vec(), "not JSON"),
        (b"{} {}".to_vec(), "not JSON"),
        (Vec::new(), "not JSON"),
        (b"[".repeat(50_000), "recursion limit"),
        ([b"[".repeat(30_000), b"]".repeat(30_000)].concat(), "recursion limit"),
        (br#"{"a":"#.repeat(10_000), "recursion limit"),
    ] {
        let server = Server::answering(answer("200 OK", &body)).await;
        expect_reading(&probe(server.address, PATIENT, get()).await, Wrong, detail);
    }
}

/// Where a sample broke, and what kind of fault it is.
#[track_caller]
fn check_symptom(reading: &Reading, stage: Stage, sign: Sign) {
    let symptom = reading.symptom.map(|symptom| (symptom.stage, symptom.sign));
    assert_eq!(symptom, Some((stage, sign)), "{reading:?}");
}

#[tokio::test]
async fn a_sample_says_at_which_stage_of_its_way_it_broke() {
    let nowhere = Endpoint { host: "nowhere.example".into(), ..endpoint(Scheme::Http, closed_port().await) };
    let reading = prepare(&nowhere, PATIENT, get()).unwrap().run().await;
    check_symptom(&reading, Stage::Resolve, Sign::Plain);

    check_symptom(&probe(closed_port().await, PATIENT, get()).await, Stage::Connect, Sign::Plain);

    let silent = Server::by_hand(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    check_symptom(&probe(silent.address, SHORT, get()).await, Stage::Answer, Sign::Plain);
    let over_tls = prepare(&endpoint(Scheme::Https, silent.address), SHORT, get()).unwrap().run().await;
    check_symptom(&over_tls, Stage::Tls, Sign::Plain);

    let dripping = Server::by_hand(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await;
        std::future::pending::<()>().await;
    })
    .await;
    let reading = probe(dripping.address, SHORT, get()).await;
    check_symptom(&reading, Stage::Body, Sign::Plain);
    assert_eq!(reading.stages.longest(), Stage::Body, "{reading:?}");

    let wrong =
        Server::axum(Router::new().route("/", on_get(|| async { r#"{"result":"bad"}"# })), None).await;
    check_symptom(&probe(wrong.address, PATIENT, get()).await, Stage::Judgement, Sign::Plain);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how long the server takes is what the test sets")]
async fn a_slow_sample_says_what_took_the_time() {
    let answer = || async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        GOOD
    };
    let server = Server::axum(Router::new().route("/", on_get(answer)), None).await;
    let check =
        CheckSpec { max_latency: Some(Duration::from_millis(100)), ..check(PATIENT, CheckKind::Http(get())) };
    let endpoint = endpoint(Scheme::Http, server.address);
    let reading = network_prober().prepare(&endpoint, &check).unwrap().run().await;
    check_symptom(&reading, Stage::Answer, Sign::Slow);
    expect_reading(&reading, Slow, "limit 100ms (");
}

#[tokio::test]
async fn a_hundred_thousand_brackets_within_the_limit_are_wrong() {
    let server = Server::answering(answer("200 OK", &b"[".repeat(100_000))).await;
    let spec = HttpSpec { max_body_bytes: 1 << 20, ..get() };
    expect_reading(&probe(server.address, PATIENT, spec).await, Wrong, "recursion limit");
}

#[tokio::test]
async fn a_good_answer_after_the_latency_limit_is_slow_and_a_bad_one_is_wrong() {
    for (body, outcome) in [(GOOD, Slow), ("{}", Wrong)] {
        let server = Server::answering(answer("200 OK", body.as_bytes())).await;
        let late = CheckSpec {
            max_latency: Some(Duration::from_nanos(1)),
            ..check(PATIENT, CheckKind::Http(get()))
        };
        let probe = network_prober().prepare(&endpoint(Scheme::Http, server.address), &late).unwrap();
        expect_reading(&probe.run().await, outcome, "");
    }
}

#[tokio::test]
async fn nobody_there_is_refused() {
    expect_reading(&probe(closed_port().await, PATIENT, get()).await, Refused, "connection refused");
}

#[tokio::test]
async fn a_reset_and_an_early_end_are_refused() {
    let reset = Server::by_hand(|mut stream: TcpStream, _| async move {
        read_head(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    expect_reading(&probe(reset.address, PATIENT, get()).await, Refused, "connection reset");
    let early = Server::answering("").await;
    expect_reading(&probe(early.address, PATIENT, get()).await, Refused, "closed early");
    let half = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await;
    expect_reading(&probe(half.address, PATIENT, get()).await, Refused, "");
}

#[tokio::test]
async fn garbage_instead_of_http_is_wrong_and_cannot_break_a_terminal() {
    let server = Server::answering("\x1b[31mSSH-2.0 hello\r\n\r\n").await;
    expect_reading(&probe(server.address, PATIENT, get()).await, Wrong, "not an HTTP answer");
}

#[tokio::test]
async fn each_sample_is_a_new_connection_unless_it_is_kept() {
    for (keep_alive, connections) in [(false, 5), (true, 1)] {
        let server = Server::axum(good_router(), None).await;
        let spec = HttpSpec { keep_alive, ..get() };
        let probe = prepare(&endpoint(Scheme::Http, server.address), PATIENT, spec).unwrap();
        for _ in 0..5 {
            expect_reading(&probe.run().await, Good, "");
        }
        assert_eq!(server.connections(), connections, "keep_alive {keep_alive}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_server_ends_is_no_bad_sample() {
    // Answers two requests on each connection. The third meets a connection that is closed as soon as it is sent.
    let closed = Arc::new(AtomicUsize::new(0));
    let count = closed.clone();
    let server = Server::by_hand(move |mut stream, _| {
        let count = count.clone();
        async move {
            for _ in 0..2 {
                read_head(&mut stream).await;
                stream.write_all(&answer("200 OK", GOOD.as_bytes())).await.unwrap();
            }
            read_head(&mut stream).await;
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let spec = HttpSpec { keep_alive: true, ..get() };
    let probe = prepare(&endpoint(Scheme::Http, server.address), PATIENT, spec).unwrap();
    for _ in 0..6 {
        expect_reading(&probe.run().await, Good, "");
    }
    assert_eq!((server.connections(), closed.load(Ordering::SeqCst)), (3, 2));
}

#[tokio::test]
async fn a_server_that_is_gone_is_refused_over_a_kept_connection_too() {
    let server = Server::axum(good_router(), None).await;
    let spec = HttpSpec { keep_alive: true, ..get() };
    let probe = prepare(&endpoint(Scheme::Http, server.address), PATIENT, spec).unwrap();
    expect_reading(&probe.run().await, Good, "");
    drop(server);
    // The kept connection may serve once more until the server's task is gone.
    for _ in 0..100 {
        let reading = probe.run().await;
        if reading.outcome != Good {
            return expect_reading(&reading, Refused, "connection");
        }
    }
    panic!("still good");
}

#[tokio::test]
async fn a_judged_away_body_does_not_leave_its_connection_open() {
    let open = Arc::new(AtomicUsize::new(0));
    let count = open.clone();
    let server = Server::by_hand(move |mut stream, _| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            read_head(&mut stream).await;
            let _gone = stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\n").await;
            let _gone = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            count.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let spec = HttpSpec { keep_alive: true, ..get() };
    let probe = prepare(&endpoint(Scheme::Http, server.address), PATIENT, spec).unwrap();
    expect_reading(&probe.run().await, Wrong, "status 500");
    eventually("the connection is closed", || open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_check_that_cannot_be_run_says_which_field_is_wrong() {
    let address = closed_port().await;
    let cases = [
        (
            HttpSpec { expect: Some("body.result == ".into()), ..get() },
            "check deep: expect does not compile: line 1",
        ),
        (HttpSpec { headers: vec![("a b".into(), "c".into())], ..get() }, "check deep: headers: a b"),
        (HttpSpec { headers: vec![("X-Key".into(), "a\nb".into())], ..get() }, "check deep: headers: x-key"),
        (HttpSpec { headers: vec![("Content-Length".into(), "1".into())], ..get() }, "is set by the probe"),
        (HttpSpec { path: "/a b".into(), ..get() }, "check deep: path"),
        (HttpSpec { path: "http://other/".into(), ..get() }, "check deep: path"),
    ];
    for (spec, expected) in cases {
        let error: ProbeError = match prepare(&endpoint(Scheme::Http, address), PATIENT, spec) {
            Err(error) => error,
            Ok(_) => panic!("{expected}: was prepared"),
        };
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_denied_address_is_not_even_connected_to_and_the_member_is_not_judged() {
    let server = Server::axum(good_router(), None).await;
    let prober = network_prober().without("10.0.0.0/8,127.0.0.0/8".parse().unwrap());
    for host in ["127.0.0.1", "localhost"] {
        let at = Endpoint { host: host.into(), ..endpoint(Scheme::Http, server.address) };
        let probe = prober.prepare(&at, &check(PATIENT, CheckKind::Http(get()))).unwrap();
        expect_reading(&probe.run().await, Unjudged, "is not probed: it is in 127.0.0.0/8");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn http_2_is_spoken_in_the_clear_on_new_and_on_kept_connections() {
    let server = Server::by_hand(|stream, _| async move {
        let service = service_fn(async |request: Request<Incoming>| {
            let good = request.version() == Version::HTTP_2 && request.uri().path() == "/";
            let authority = request.uri().authority().is_some();
            let answer = if good && authority { GOOD } else { "{}" };
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(answer.as_bytes()))))
        });
        let builder = http2::Builder::new(TokioExecutor::new());
        let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
    })
    .await;
    for (keep_alive, connections) in [(false, 3), (true, 4)] {
        let spec = HttpSpec { http2: true, keep_alive, ..get() };
        let probe = prepare(&endpoint(Scheme::Http, server.address), PATIENT, spec).unwrap();
        for _ in 0..3 {
            expect_reading(&probe.run().await, Good, "");
        }
        assert_eq!(server.connections(), connections);
    }
    // Who speaks only HTTP/1.1 is asked in vain.
    let old = Server::answering(answer("200 OK", GOOD.as_bytes())).await;
    let reading = probe(old.address, PATIENT, HttpSpec { http2: true, ..get() }).await;
    assert!(reading.outcome.is_bad(), "{reading:?}");
}

#[tokio::test]
async fn answers_in_xml_cbor_and_text_are_judged_by_what_they_say() {
    let xml = r#"<e:Envelope xmlns:e="urn:x"><e:Body><result code="0">good</result></e:Body></e:Envelope>"#;
    let in_xml = r#"body.Envelope.Body.result["@code"] == "0""#;
    for (format, answer, expect, outcome) in [
        (BodyFormat::Xml, xml.as_bytes(), in_xml, Good),
        (BodyFormat::Xml, b"<Envelope/>", in_xml, Wrong),
        (BodyFormat::Xml, b"{}", in_xml, Wrong),
        (BodyFormat::Cbor, b"\xa1\x66result\x64good", "body.result == 'good'", Good),
        (BodyFormat::Cbor, b"\xa1\x66result\x63bad", "body.result == 'good'", Wrong),
        (BodyFormat::Text, b"status: OK\n", "body.contains('OK')", Good),
        (BodyFormat::Text, b"status: KO\n", "body.contains('OK')", Wrong),
        (BodyFormat::Json, b"status: OK\n", "body.contains('OK')", Wrong),
    ] {
        let server = Server::answering(self::answer("200 OK", answer)).await;
        let spec = HttpSpec { format, expect: Some(expect.into()), ..get() };
        expect_reading(&probe(server.address, PATIENT, spec).await, outcome, "");
    }
}

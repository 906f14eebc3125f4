//! Timestamp checks against `openssl ts` behind HTTP, and against answers that were changed.

use std::{
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Bytes, routing::post};
use bongsu::{
    adapters::probe::NetworkProber,
    domain::Outcome::{Expiring, Ok as Good, Unjudged, Unreachable, Wrong},
    ports::{CheckKind, Clock, Prober, Reading, Scheme, TimestampSpec, TlsSpec},
};

use crate::support::{
    authority::{Authority, Issued},
    http_server::{Server, closed_port},
    manual_clock::ShiftedClock,
    probes::{PATIENT, check, endpoint, expect_reading},
    programs::{program, run},
};

const DAY: i64 = 86_400_000;
const PURPOSE: &str = "extendedKeyUsage = critical,timeStamping\nkeyUsage = critical,digitalSignature\n";

/// A timestamp authority: `openssl ts` for each request.
struct Stamps {
    server: Server,
}

/// Serves with a configuration's lines instead of the usual ones, and changes each answer.
async fn stamps(
    authority: &Arc<Authority>,
    signer: &Issued,
    own: &str,
    change: impl Fn(Vec<u8>) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> Stamps {
    let home = authority.path("").display().to_string();
    let config = format!(
        "[tsa]\ndefault_tsa = this\n[this]\nserial = {home}/serial\nsigner_cert = {}\nsigner_key = {}\n\
         certs = {}\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\n\
         clock_precision_digits = 0\nordering = no\ntsa_name = no\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n{own}\n",
        signer.certificate.display(),
        signer.key.display(),
        signer.certificate.display(),
    );
    std::fs::write(authority.path("ts.conf"), config).unwrap();
    std::fs::write(authority.path("serial"), "01\n").unwrap();
    let (authority, counter) = (authority.clone(), Arc::new(AtomicU32::new(0)));
    let reply = move |request: Bytes| async move {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let [query, answer] = ["tsq", "tsr"].map(|end| authority.path(&format!("{number}.{end}")));
        std::fs::write(&query, request).unwrap();
        let mut command = Command::new(program("openssl"));
        command
            .args(["ts", "-reply", "-config", "ts.conf", "-queryfile"])
            .arg(&query)
            .arg("-out")
            .arg(&answer);
        run(command.current_dir(authority.path("")), "").unwrap();
        change(std::fs::read(&answer).unwrap())
    };
    Stamps { server: Server::axum(Router::new().route("/tsa", post(reply)), None).await }
}

fn spec(authority: &Authority) -> TimestampSpec {
    TimestampSpec {
        path: "/tsa".into(),
        ca_bundle: authority.pem().into(),
        policy: None,
        // openssl says whole seconds.
        max_difference: Duration::from_secs(1),
        expires_within: Duration::from_secs(7 * 86_400),
        tls: TlsSpec::default(),
    }
}

async fn probe_at(address: SocketAddr, spec: TimestampSpec, ahead: i64) -> Reading {
    let clock: Arc<dyn Clock> = Arc::new(ShiftedClock::by(ahead));
    let check = check(PATIENT, CheckKind::Timestamp(spec));
    NetworkProber::new(clock).prepare(&endpoint(Scheme::Http, address), &check).unwrap().run().await
}

async fn probe(stamps: &Stamps, spec: TimestampSpec) -> Reading {
    probe_at(stamps.server.address, spec, 0).await
}

fn authority() -> (Arc<Authority>, Issued) {
    let authority = Arc::new(Authority::new("ca.example"));
    let signer = authority.issue("tsa", 100, PURPOSE);
    (authority, signer)
}

#[tokio::test]
async fn a_signed_time_that_is_now_is_good() {
    let (authority, signer) = authority();
    for own in [
        "",
        "clock_precision_digits = 6",
        "accuracy = secs:1, millisecs:500, microsecs:100",
        "signer_digest = sha512",
    ] {
        let stamps = stamps(&authority, &signer, own, |answer| answer).await;
        expect_reading(&probe(&stamps, spec(&authority)).await, Good, "");
    }
}

#[tokio::test]
async fn a_time_that_is_off_is_wrong_beyond_the_stated_accuracy() {
    let (authority, signer) = authority();
    let exact = stamps(&authority, &signer, "accuracy = secs:1", |answer| answer).await;
    let reading = probe_at(exact.server.address, spec(&authority), 10_000).await;
    expect_reading(&reading, Wrong, "ms from this clock, allowed are 2s");
    let vague = stamps(&authority, &signer, "accuracy = secs:60", |answer| answer).await;
    expect_reading(&probe_at(vague.server.address, spec(&authority), 10_000).await, Good, "");
}

#[tokio::test]
async fn another_policy_than_is_wanted_is_wrong() {
    let (authority, signer) = authority();
    let own = "other_policies = 1.2.3.4.5";
    let both = stamps(&authority, &signer, own, |answer| answer).await;
    let wanted = |policy: &str| TimestampSpec { policy: Some(policy.into()), ..spec(&authority) };
    expect_reading(&probe(&both, wanted("1.2.3.4.5")).await, Good, "");
    expect_reading(
        &probe(&both, wanted("1.2.3.4.9")).await,
        Wrong,
        "the authority refused: status 2 (rejection)",
    );
}

#[tokio::test]
async fn who_signs_must_be_allowed_to() {
    let (authority, signer) = authority();
    let other = Authority::new("other.example");
    let good = stamps(&authority, &signer, "", |answer| answer).await;
    let foreign = TimestampSpec { ca_bundle: other.pem().into(), ..spec(&authority) };
    expect_reading(&probe(&good, foreign).await, Wrong, "certificate tsa was issued by somebody else");
    let soon = Arc::new(Authority::new("ca.example"));
    let short = stamps(&soon, &soon.issue("tsa", 5, PURPOSE), "", |answer| answer).await;
    expect_reading(
        &probe(&short, spec(&soon)).await,
        Expiring,
        "the authority's certificate tsa runs out at",
    );
}

#[tokio::test]
async fn an_authority_between_need_not_name_the_purpose() {
    let root = Arc::new(Authority::new("root.example"));
    let below =
        root.below("intermediate", "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign\n");
    let good = below.issue("tsa", 100, PURPOSE);
    let with_chain = format!("certs = {}", below.path("ca.pem").display());
    let stamped = stamps(&root, &good, &with_chain, |answer| answer).await;
    expect_reading(&probe(&stamped, spec(&root)).await, Good, "");
}

#[tokio::test]
async fn a_critical_extension_that_is_not_known_is_no_reason_to_call_an_authority_wrong() {
    let authority = Arc::new(Authority::new("ca.example"));
    let own = [PURPOSE, "certificatePolicies = critical,1.2.3.4\n"].concat();
    let stamped = stamps(&authority, &authority.issue("tsa", 100, &own), "", |answer| answer).await;
    expect_reading(&probe(&stamped, spec(&authority)).await, Unjudged, "path cannot be judged here");
}

#[tokio::test]
async fn what_is_signed_in_a_way_that_cannot_be_verified_is_no_sample() {
    let (authority, signer) = authority();
    let weak = stamps(&authority, &signer, "signer_digest = sha1", |answer| answer).await;
    expect_reading(&probe(&weak, spec(&authority)).await, Unjudged, "which is not known here");
}

#[tokio::test]
async fn an_answer_from_before_is_wrong() {
    let (authority, signer) = authority();
    let first = Arc::new(std::sync::OnceLock::new());
    let replayed = stamps(&authority, &signer, "", move |answer| first.get_or_init(|| answer).clone()).await;
    expect_reading(&probe(&replayed, spec(&authority)).await, Good, "");
    expect_reading(&probe(&replayed, spec(&authority)).await, Wrong, "another hash than was asked for");
}

#[tokio::test]
async fn each_changed_byte_of_what_is_signed_is_noticed() {
    let (authority, signer) = authority();
    // What is signed begins with its kind, id-ct-TSTInfo, and is some 120 bytes long.
    let kind = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04";
    for at in (0..120).step_by(7) {
        let changed = stamps(&authority, &signer, "", move |mut answer| {
            let begins = answer.windows(kind.len()).position(|bytes| bytes == kind).unwrap();
            answer[begins + at] ^= 0x20;
            answer
        })
        .await;
        let outcome = probe(&changed, spec(&authority)).await.outcome;
        assert_ne!(outcome, Good, "byte {at}");
    }
}

#[tokio::test]
async fn what_is_no_timestamp_is_wrong_and_said() {
    let (authority, signer) = authority();
    for (answer, said) in [
        (&b"<html>maintenance</html>"[..], "not a timestamp"),
        (b"", "not a timestamp"),
        (b"\x30\x05\x30\x03\x02\x01\x02", "status 2 (rejection)"),
        (b"\x30\x05\x30\x03\x02\x01\x00", "granted, and no token"),
        (b"\x30\x84\xff\xff\xff\xff\x30\x00", "not a timestamp"),
    ] {
        let answer = answer.to_vec();
        let server = stamps(&authority, &signer, "", move |_| answer.clone()).await;
        expect_reading(&probe(&server, spec(&authority)).await, Wrong, said);
    }
    let nobody = probe_at(closed_port().await, spec(&authority), 0).await;
    assert_ne!(nobody.outcome, Unreachable, "somebody says no: {nobody:?}");
    let later = stamps(&authority, &signer, "", |answer| answer).await;
    let reading = probe_at(later.server.address, spec(&authority), 200 * DAY).await;
    expect_reading(&reading, Wrong, "certificate tsa or one above it has run out");
}

//! OCSP checks against `openssl ocsp`, and against answers that were changed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Bytes, routing::any};
use bongsu::{
    adapters::probe::NetworkProber,
    domain::{
        Outcome::{Expiring, Ok as Good, Unjudged, Unreachable, Wrong},
        Sign,
    },
    ports::{
        CheckKind, Clock, NonceRule, OcspCanary, OcspMethod, OcspSpec, Prober, Reading, Revocation, Scheme,
        TlsSpec,
    },
};

use crate::support::{
    authority::{ALSO_GOOD, Authority, GOOD, REVOKED, UNKNOWN},
    http_server::Server,
    manual_clock::ShiftedClock,
    probes::{PATIENT, SHORT, check, endpoint, expect_reading},
};

/// In milliseconds.
pub const DAY: i64 = 86_400_000;

/// A certificate by its serial number in hexadecimal, and what must be said of it.
pub fn canary(serial: &str, expected: Revocation) -> OcspCanary {
    let digits: Vec<u8> = serial.bytes().map(|digit| (digit as char).to_digit(16).unwrap() as u8).collect();
    OcspCanary { serial: digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect(), expected }
}

/// Canaries of every status, asked by GET and by POST, with a nonce.
pub fn spec(authority: &Authority) -> OcspSpec {
    OcspSpec {
        path: "/".into(),
        methods: vec![OcspMethod::Get, OcspMethod::Post],
        issuer: authority.pem().into(),
        canaries: vec![
            canary(GOOD, Revocation::Good),
            canary(ALSO_GOOD, Revocation::Good),
            canary(REVOKED, Revocation::Revoked),
            canary(UNKNOWN, Revocation::Unknown),
        ],
        nonce: NonceRule::Required,
        max_age: None,
        clock_skew: Duration::from_secs(60),
        expires_within: Duration::from_secs(7 * 86_400),
        tls: TlsSpec::default(),
    }
}

/// One sample by a clock that is so many milliseconds ahead.
pub async fn probe_at(address: SocketAddr, spec: OcspSpec, ahead: i64, timeout: Duration) -> Reading {
    let clock: Arc<dyn Clock> = Arc::new(ShiftedClock::by(ahead));
    let check = check(timeout, CheckKind::Ocsp(spec));
    let probe = NetworkProber::new(clock).prepare(&endpoint(Scheme::Http, address), &check).unwrap();
    probe.run().await
}

/// One sample now.
pub async fn probe(address: SocketAddr, spec: OcspSpec) -> Reading {
    probe_at(address, spec, 0, PATIENT).await
}

/// Answers everything with these bytes.
async fn replaying(answer: Vec<u8>) -> Server {
    let answer = Bytes::from(answer);
    Server::axum(Router::new().fallback(any(move || async move { answer })), None).await
}

/// What a responder answers to a question of openssl's client.
async fn recorded(authority: &Authority, address: SocketAddr, serial: &str, options: &str) -> Vec<u8> {
    let line = format!(
        "ocsp -issuer ca.pem -serial 0x{serial} -url http://{address}/ -respout recorded.der -noverify {options}"
    );
    authority.openssl(&line);
    std::fs::read(authority.path("recorded.der")).unwrap()
}

fn only(expected: OcspCanary, nonce: NonceRule, authority: &Authority) -> OcspSpec {
    OcspSpec { canaries: vec![expected], methods: vec![OcspMethod::Post], nonce, ..spec(authority) }
}

#[tokio::test]
async fn good_revoked_and_unknown_are_told_apart_by_get_and_by_post() {
    let authority = Authority::new("ca.example");
    for signer in [authority.delegate(), authority.itself()] {
        let responder = authority.responder(&signer, "-ndays 1").await;
        expect_reading(&probe(responder.address, spec(&authority)).await, Good, "");
    }
}

#[tokio::test]
async fn another_status_than_expected_is_wrong_and_named() {
    let authority = Authority::new("ca.example");
    let responder = authority.responder(&authority.delegate(), "-ndays 1").await;
    for (serial, expected, said) in [
        (GOOD, Revocation::Revoked, "says good, expected revoked"),
        (REVOKED, Revocation::Good, "says revoked, expected good"),
        (UNKNOWN, Revocation::Good, "says unknown, expected good"),
        (GOOD, Revocation::Unknown, "says good, expected unknown"),
    ] {
        let spec = OcspSpec { canaries: vec![canary(serial, expected)], ..spec(&authority) };
        expect_reading(&probe(responder.address, spec).await, Wrong, said);
    }
}

#[tokio::test]
async fn who_signs_must_be_the_authority_or_whom_it_allowed_to() {
    let authority = Authority::new("ca.example");
    let other = Authority::new("other.example");
    let namesake = Authority::new("ca.example");
    let no_purpose = authority.issue("server", 100, "extendedKeyUsage = serverAuth\n");
    for (signer, said) in [
        (no_purpose, "certificate server is not for this purpose (extended key usage)"),
        (other.delegate(), "certificate responder was issued by somebody else"),
        (namesake.delegate(), "certificate responder: the signature is not by the key of its issuer"),
        (namesake.itself(), "not by the key of who signed"),
    ] {
        let responder = authority.responder(&signer, "-ndays 1").await;
        expect_reading(&probe(responder.address, spec(&authority)).await, Wrong, said);
    }
    let responder = authority.responder(&authority.delegate(), "-ndays 1 -resp_no_certs").await;
    expect_reading(
        &probe(responder.address, spec(&authority)).await,
        Wrong,
        "certificate is not in the answer",
    );
}

#[tokio::test]
async fn what_is_signed_in_a_way_that_cannot_be_verified_is_no_sample() {
    let authority = Authority::new("ca.example");
    let responder = authority.responder(&authority.delegate(), "-ndays 1 -rmd sha1").await;
    expect_reading(&probe(responder.address, spec(&authority)).await, Unjudged, "RSA with SHA-1");
}

#[tokio::test]
async fn dates_are_judged_by_the_clock() {
    let authority = Authority::new("ca.example");
    let responder = authority.responder(&authority.itself(), "-ndays 1").await;
    let recorded = recorded(&authority, responder.address, GOOD, "-no_nonce").await;
    let old = replaying(recorded).await;
    let good = || only(canary(GOOD, Revocation::Good), NonceRule::None, &authority);
    expect_reading(&probe(old.address, good()).await, Good, "");
    let at = async |ahead| probe_at(old.address, good(), ahead, PATIENT).await;
    let stale = at(2 * DAY).await;
    expect_reading(&stale, Wrong, "stale: was good until");
    assert_eq!(stale.symptom.map(|symptom| symptom.sign), Some(Sign::Stale));
    expect_reading(&at(-DAY).await, Wrong, "thisUpdate is in the future");
    let aged = OcspSpec { max_age: Some(Duration::from_secs(3_600)), ..good() };
    expect_reading(&probe_at(old.address, aged, DAY / 2, PATIENT).await, Wrong, "older than 3600s");
}

#[tokio::test]
async fn a_responders_certificate_that_runs_out_is_an_early_sign_and_then_wrong() {
    let authority = Authority::new("ca.example");
    let responder =
        authority.responder(&authority.issue("responder", 5, "extendedKeyUsage = OCSPSigning\n"), "").await;
    expect_reading(
        &probe(responder.address, spec(&authority)).await,
        Expiring,
        "certificate responder runs out at",
    );
    let later = probe_at(responder.address, spec(&authority), 6 * DAY, PATIENT).await;
    expect_reading(&later, Wrong, "certificate responder or one above it has run out");
}

#[tokio::test]
async fn an_answer_without_an_end_needs_a_nonce_or_a_largest_age() {
    let authority = Authority::new("ca.example");
    let responder = authority.responder(&authority.itself(), "").await;
    let without = replaying(recorded(&authority, responder.address, GOOD, "-no_nonce").await).await;
    let good = || only(canary(GOOD, Revocation::Good), NonceRule::Optional, &authority);
    expect_reading(
        &probe(without.address, good()).await,
        Wrong,
        "does not say until when it is good: set maxAge",
    );
    let aged = OcspSpec { max_age: Some(Duration::from_secs(3_600)), ..good() };
    expect_reading(&probe(without.address, aged).await, Good, "");
    let fresh = only(canary(GOOD, Revocation::Good), NonceRule::Required, &authority);
    expect_reading(&probe(responder.address, fresh).await, Good, "");
}

#[tokio::test]
async fn an_answer_to_somebody_else_is_wrong() {
    let authority = Authority::new("ca.example");
    let responder = authority.responder(&authority.delegate(), "-ndays 1").await;
    let with_nonce = recorded(&authority, responder.address, GOOD, "-nonce").await;
    let without = recorded(&authority, responder.address, GOOD, "-no_nonce").await;
    let good = canary(GOOD, Revocation::Good);
    for (answer, rule, outcome, said) in [
        (&with_nonce, NonceRule::Required, Wrong, "another nonce"),
        (&with_nonce, NonceRule::Optional, Wrong, "another nonce"),
        (&with_nonce, NonceRule::None, Good, ""),
        (&without, NonceRule::Required, Wrong, "no nonce"),
        (&without, NonceRule::Optional, Good, ""),
    ] {
        let server = replaying(answer.clone()).await;
        let spec = only(good.clone(), rule, &authority);
        expect_reading(&probe(server.address, spec).await, outcome, said);
    }
    let server = replaying(without).await;
    let spec = only(canary(REVOKED, Revocation::Good), NonceRule::None, &authority);
    expect_reading(&probe(server.address, spec).await, Wrong, "another certificate than was asked for");
}

#[tokio::test]
async fn each_changed_byte_of_an_answer_is_noticed() {
    let authority = Authority::new("ca.example");
    let responder = authority.responder(&authority.itself(), "-ndays 1").await;
    let answer = recorded(&authority, responder.address, GOOD, "-no_nonce").await;
    let mut taken = Vec::new();
    for at in (0..answer.len()).step_by(7) {
        let mut changed = answer.clone();
        changed[at] ^= 0x20;
        let server = replaying(changed).await;
        let spec = only(canary(GOOD, Revocation::Good), NonceRule::None, &authority);
        if probe(server.address, spec).await.outcome == Good {
            taken.push(at);
        }
    }
    // The certificate that openssl sends along is not signed over, and not needed where the authority itself signs.
    let certificate_begins = answer.len() - std::fs::read(authority.path("ca.pem")).unwrap().len() * 3 / 4;
    assert!(
        taken.iter().all(|at| *at >= certificate_begins),
        "{taken:?}, certificate from {certificate_begins}"
    );
}

#[tokio::test]
async fn what_is_no_answer_is_wrong_and_said() {
    let authority = Authority::new("ca.example");
    for (answer, said) in [
        (&b"<html>maintenance</html>"[..], "not an OCSP answer"),
        (b"", "not an OCSP answer"),
        (b"\x30\x03\x0a\x01\x03", "TryLater"),
        (b"\x30\x03\x0a\x01\x06", "Unauthorized"),
        (b"\x30\x03\x0a\x01\x00", "an empty answer"),
        // Says that it is 4 GiB long.
        (b"\x30\x84\xff\xff\xff\xff\x0a\x01\x00", "not an OCSP answer"),
        (b"\x30\x80\x30\x80\x30\x80\x30\x80", "not an OCSP answer"),
    ] {
        let server = replaying(answer.to_vec()).await;
        expect_reading(&probe(server.address, spec(&authority)).await, Wrong, said);
    }
    let silent = Server::by_hand(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let reading = probe_at(silent.address, spec(&authority), 0, SHORT).await;
    expect_reading(&reading, Unreachable, "no answer within");
}

#[test]
fn an_issuer_that_cannot_be_read_is_refused_when_the_check_is_prepared() {
    let spec = OcspSpec { issuer: "not PEM".into(), ..spec(&Authority::new("ca.example")) };
    let check = check(PATIENT, CheckKind::Ocsp(spec));
    let clock: Arc<dyn Clock> = Arc::new(ShiftedClock::by(0));
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let refused = NetworkProber::new(clock).prepare(&endpoint(Scheme::Http, address), &check).err().unwrap();
    assert!(refused.to_string().starts_with("check deep: issuer: "), "{refused}");
}

//! OCSP checks against a second implementation: CFSSL, whose answers Go encodes and signs beforehand.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bongsu::{
    domain::{
        Outcome::{Expiring, Ok as Good, Wrong},
        Sign,
    },
    ports::{NonceRule, OcspSpec, Revocation},
};

use crate::{
    probe_ocsp::{DAY, canary, probe, probe_at, spec as strict},
    support::{
        authority::{Authority, GOOD, RESPONDER, REVOKED, UNKNOWN},
        cfssl::Cfssl,
        probes::{PATIENT, expect_reading},
    },
};

/// A good one whose request has `//` and `+` in base64, wherever its bytes come to lie.
const AWKWARD: &str = "3FFFFFFFFFFBEFBE00FBEFBE00FBEFBE";

const STATUSES: [(&str, &str); 4] =
    [(GOOD, "good"), (AWKWARD, "good"), (REVOKED, "revoked"), (UNKNOWN, "unknown")];

/// What is asked of a responder that signs beforehand.
fn spec(authority: &Authority) -> OcspSpec {
    OcspSpec {
        canaries: vec![
            canary(GOOD, Revocation::Good),
            canary(AWKWARD, Revocation::Good),
            canary(REVOKED, Revocation::Revoked),
            canary(UNKNOWN, Revocation::Unknown),
        ],
        nonce: NonceRule::Optional,
        ..strict(authority)
    }
}

#[tokio::test]
async fn what_go_signs_is_told_apart_by_get_and_by_post() {
    let authority = Authority::new("ca.example");
    let curve = "ec -pkeyopt ec_paramgen_curve:P-256";
    let delegate_on_a_curve = authority.issue_with_key(curve, "responder", 100, RESPONDER);
    for signer in [delegate_on_a_curve, authority.delegate(), authority.itself()] {
        let responder = Cfssl::serve(&authority, &signer, "96h", &STATUSES).await;
        for nonce in [NonceRule::Optional, NonceRule::None] {
            let spec = OcspSpec { nonce, ..spec(&authority) };
            expect_reading(&probe(responder.address, spec).await, Good, "");
        }
    }
}

#[test]
fn the_request_for_the_awkward_canary_has_what_paths_must_escape() {
    let authority = Authority::new("ca.example");
    authority.openssl(&format!("ocsp -issuer ca.pem -serial 0x{AWKWARD} -no_nonce -reqout request.der"));
    let request = BASE64_STANDARD.encode(std::fs::read(authority.path("request.der")).unwrap());
    assert!(request.contains("//") && request.contains('+') && request.ends_with('='), "{request}");
}

#[tokio::test]
async fn another_status_of_gos_than_expected_is_wrong_and_named() {
    let authority = Authority::new("ca.example");
    let responder = Cfssl::serve(&authority, &authority.delegate(), "96h", &STATUSES).await;
    for (serial, expected, said) in [
        (GOOD, Revocation::Revoked, "says good, expected revoked"),
        (REVOKED, Revocation::Good, "says revoked, expected good"),
        (UNKNOWN, Revocation::Good, "says unknown, expected good"),
        (AWKWARD, Revocation::Unknown, "says good, expected unknown"),
    ] {
        let spec = OcspSpec { canaries: vec![canary(serial, expected)], ..spec(&authority) };
        expect_reading(&probe(responder.address, spec).await, Wrong, said);
    }
}

#[tokio::test]
async fn what_was_signed_beforehand_has_no_nonce_and_is_wrong_where_one_is_required() {
    let authority = Authority::new("ca.example");
    let responder = Cfssl::serve(&authority, &authority.delegate(), "96h", &STATUSES).await;
    for (nonce, outcome, said) in [
        (NonceRule::Required, Wrong, "no nonce: it may be an old answer"),
        (NonceRule::Optional, Good, ""),
        (NonceRule::None, Good, ""),
    ] {
        let spec = OcspSpec { nonce, ..spec(&authority) };
        expect_reading(&probe(responder.address, spec).await, outcome, said);
    }
}

#[tokio::test]
async fn dates_of_what_was_signed_beforehand_are_judged_by_the_clock() {
    let authority = Authority::new("ca.example");
    let responder = Cfssl::serve(&authority, &authority.itself(), "96h", &STATUSES).await;
    let at = async |ahead, spec| probe_at(responder.address, spec, ahead, PATIENT).await;
    expect_reading(&at(3 * DAY, spec(&authority)).await, Good, "");
    let stale = at(4 * DAY, spec(&authority)).await;
    expect_reading(&stale, Wrong, "stale: was good until");
    assert_eq!(stale.symptom.map(|symptom| symptom.sign), Some(Sign::Stale));
    expect_reading(&at(-DAY, spec(&authority)).await, Wrong, "thisUpdate is in the future");
    let aged = OcspSpec { max_age: Some(Duration::from_secs(6 * 3_600)), ..spec(&authority) };
    expect_reading(&at(DAY / 2, aged).await, Wrong, "older than 21600s");
}

#[tokio::test]
async fn a_delegate_of_gos_that_runs_out_is_an_early_sign_and_then_wrong() {
    let authority = Authority::new("ca.example");
    let short = authority.issue("responder", 5, RESPONDER);
    let responder = Cfssl::serve(&authority, &short, "240h", &STATUSES).await;
    let early = probe(responder.address, spec(&authority)).await;
    expect_reading(&early, Expiring, "certificate responder runs out at");
    let later = probe_at(responder.address, spec(&authority), 6 * DAY, PATIENT).await;
    expect_reading(&later, Wrong, "certificate responder or one above it has run out");
}

#[tokio::test]
async fn who_signs_with_go_must_be_the_authority_or_whom_it_allowed_to() {
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
        let responder = Cfssl::serve(&authority, &signer, "96h", &STATUSES).await;
        expect_reading(&probe(responder.address, spec(&authority)).await, Wrong, said);
    }
}

#[tokio::test]
async fn a_serial_number_for_which_nothing_was_signed_is_refused_and_that_is_wrong() {
    let authority = Authority::new("ca.example");
    let responder = Cfssl::serve(&authority, &authority.delegate(), "96h", &[(GOOD, "good")]).await;
    let spec = OcspSpec { canaries: vec![canary(UNKNOWN, Revocation::Unknown)], ..spec(&authority) };
    expect_reading(&probe(responder.address, spec).await, Wrong, "the responder says Unauthorized");
}

/// CFSSL looks answers up by the serial number alone.
#[tokio::test]
async fn an_answer_about_the_same_serial_number_of_another_authority_is_wrong() {
    let [asked, served] = ["asked.example", "served.example"].map(Authority::new);
    let responder = Cfssl::serve(&served, &served.itself(), "96h", &STATUSES).await;
    let reading = probe(responder.address, spec(&asked)).await;
    expect_reading(&reading, Wrong, "another certificate than was asked for");
}

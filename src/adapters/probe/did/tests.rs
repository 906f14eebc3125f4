use std::time::Duration;

use super::{
    super::hostile::{ROUNDS, broken},
    *,
};
use crate::{
    domain::{Tick, Timestamp},
    ports::DidHead,
};

#[test]
fn a_status_is_judged_letter_for_letter() {
    let revoked = DidStatus {
        path: "/vc".into(),
        pointer: "/vcMeta/status".into(),
        expect: Some("REVOKED".into()),
        http_status: 200,
    };
    let unknown = DidStatus { expect: None, http_status: 404, ..revoked.clone() };
    // {"status": "REVOKED"} and {"status": "ACTIVE"} behind the letter of base64.
    for (status, code, body, expected) in [
        (&revoked, 200, r#"{"vcMeta": {"status": "REVOKED"}}"#, ""),
        (&revoked, 200, r#"{"vcMeta": "meyJzdGF0dXMiOiAiUkVWT0tFRCJ9"}"#, ""),
        (&revoked, 200, r#"{"vcMeta": "meyJzdGF0dXMiOiAiQUNUSVZFIn0"}"#, "is ACTIVE, expected REVOKED"),
        (&revoked, 200, r#"{"vcMeta": {"status": "revoked"}}"#, "is revoked, expected REVOKED"),
        (&revoked, 200, r#"{"vcMeta": {"status": true}}"#, "is true, expected REVOKED"),
        (
            &revoked,
            200,
            r#"{"vcMeta": {"status": ["REVOKED"]}}"#,
            "/vcMeta/status is no text, expected REVOKED",
        ),
        (&revoked, 200, r#"{"vcMeta": {}}"#, "has no /vcMeta/status"),
        (&revoked, 200, r#"{"vcMeta": "REVOKED"}"#, "has no /vcMeta/status"),
        (&revoked, 200, "", "body is not JSON: EOF while parsing a value at line 1 column 0"),
        (&revoked, 404, r#"{"vcMeta": {"status": "REVOKED"}}"#, "status 404, expected 200"),
        (&unknown, 404, "<html>", ""),
        (&unknown, 200, r#"{"vcMeta": {"status": "ACTIVE"}}"#, "status 200, expected 404"),
        (&unknown, 500, "", "status 500, expected 404"),
    ] {
        let said = judge_status(status, code, body.as_bytes()).err().unwrap_or_default();
        assert_eq!(said, expected, "{code} {body}");
    }
}

#[test]
fn no_broken_answer_of_a_ledger_panics_and_none_of_another_did_is_taken() {
    let good = r#"{"didDoc": {"id": "did:kr:a:b", "verificationMethod": [{"id": "k", "publicKeyMultibase": "mA"}]},
        "wrapped": "meyJzdGF0dXMiOiAiUkVWT0tFRCJ9", "number": "0x1f4", "time": "2026-11-23T18:00:00Z"}"#;
    let resolve = DidResolve {
        did: "did:kr:a:b".into(),
        path: "/".into(),
        document: "/didDoc".into(),
        key_id: Some("k".into()),
        public_key: Some("mA".into()),
    };
    let head = DidHead {
        path: "/".into(),
        rpc: None,
        number: "/number".into(),
        time: Some("/time".into()),
        max_stall: Duration::from_secs(15),
        max_behind: u64::MAX,
        max_age: Duration::from_secs(60),
    };
    for seed in 0..ROUNDS {
        let body = broken(good.as_bytes(), &mut fastrand::Rng::with_seed(seed));
        let Ok(answer) = parse(&body) else { continue };
        let taken = document::judge(&answer, &resolve).is_ok();
        assert!(!taken || answer["didDoc"]["id"] == "did:kr:a:b", "seed {seed}: {answer}");
        let _status = find(&answer, "/wrapped/status");
        let taken = Head::new(head.clone()).judge(&answer, Tick(0), Timestamp(1_795_456_800_000)).is_ok();
        assert!(
            !taken || answer["number"].is_string() || answer["number"].is_number(),
            "seed {seed}: {answer}"
        );
    }
}

use http::HeaderMap;

use super::*;
use crate::domain::Outcome;

/// What is said of an answer; empty: it is right.
fn said(judge: &Judge, status: u16, body: &str) -> String {
    let answer = Answer { status, headers: HeaderMap::new(), bytes: body.as_bytes().to_vec() };
    match judge.answer(&answer) {
        Ok(_) => String::new(),
        Err(bad) => {
            assert_eq!(bad.outcome, Outcome::Wrong, "{bad:?}");
            bad.detail
        }
    }
}

fn judge(http_status: u16, result: &str, code: Option<&str>) -> Judge {
    Judge { http_status, result: result.into(), expect_code: code.map(Arc::from), expect: None }
}

/// `{"errcode": 20307}` and `{"errcode": "20401", "errmsg": "x"}` in base64.
const NO_DOCUMENT: &str = r#"{"result": false, "data": "eyJlcnJjb2RlIjogMjAzMDd9"}"#;
const NO_PROOF: &str = r#"{"result": false, "data": "eyJlcnJjb2RlIjogIjIwNDAxIiwgImVycm1zZyI6ICJ4In0="}"#;

#[test]
fn a_message_that_must_be_taken_is_taken_by_what_the_answer_says() {
    let mobile_id = judge(200, "/result", None);
    for (status, body, expected) in [
        (200, r#"{"result": true}"#, ""),
        (200, NO_DOCUMENT, "result is false: 20307, the DID document cannot be fetched"),
        (200, NO_PROOF, "result is false: 20401, the zero-knowledge proof is not right"),
        (200, r#"{"result": false, "errcode": 99, "errmsg": "busy"}"#, "result is false: 99, busy"),
        (200, r#"{"result": false, "errcode": 99}"#, "result is false: 99"),
        (200, r#"{"result": false, "errmsg": "busy"}"#, "result is false: busy"),
        (200, r#"{"result": false}"#, "result is false: no code says why"),
        (200, r#"{"result": false, "data": "%%%"}"#, "result is false: no code says why"),
        (200, r#"{"result": "true"}"#, r#"/result is "true", not true or false"#),
        (200, r#"{"result": 1}"#, "/result is 1, not true or false"),
        (200, r#"{"result": null}"#, "/result is null, not true or false"),
        (200, "{}", "has no /result"),
        (200, "[true]", "has no /result"),
        (200, "true", "has no /result"),
        (200, "", "body is not JSON: EOF while parsing a value at line 1 column 0"),
        (200, "<html>", "body is not JSON: expected value at line 1 column 1"),
        (500, r#"{"result": true}"#, "status 500, expected 200"),
        (500, "<html>", "status 500, expected 200"),
        (
            400,
            r#"{"code": "SSRVVRF00300", "description": "x"}"#,
            "status 400, expected 200: SSRVVRF00300, the transaction is not found",
        ),
    ] {
        assert_eq!(said(&mobile_id, status, body), expected, "{status} {body}");
    }
}

#[test]
fn a_message_that_must_be_refused_is_refused_by_its_code_and_no_other() {
    let mobile_id = judge(200, "/result", Some("20401"));
    let open_did = judge(400, "", Some("SSRVVRF00402"));
    let let_in = "was taken, and must be refused with 20401: the verifier lets in what it must not";
    for (judge, status, body, expected) in [
        (&mobile_id, 200, NO_PROOF, ""),
        (&mobile_id, 200, r#"{"result": true}"#, let_in),
        (&mobile_id, 200, r#"{"result": true, "errcode": "20401"}"#, let_in),
        (
            &mobile_id,
            200,
            NO_DOCUMENT,
            "must be refused with 20401, not with 20307, the DID document cannot be fetched",
        ),
        (&mobile_id, 200, r#"{"result": false}"#, "must be refused with 20401, not with no code"),
        (&mobile_id, 200, r#"{"errcode": "20401"}"#, "has no /result"),
        (&mobile_id, 400, NO_PROOF, "status 400, expected 200: 20401, the zero-knowledge proof is not right"),
        (&open_did, 400, r#"{"code": "SSRVVRF00402", "description": "x"}"#, ""),
        (
            &open_did,
            400,
            r#"{"code": "SSRVVRF00300"}"#,
            "must be refused with SSRVVRF00402, not with SSRVVRF00300, the transaction is not found",
        ),
        (&open_did, 400, "{}", "must be refused with SSRVVRF00402, not with no code"),
        (&open_did, 200, r#"{"txId": "1"}"#, "status 200, expected 400"),
    ] {
        assert_eq!(said(judge, status, body), expected, "{status} {body}");
    }
}

#[test]
fn a_long_text_of_a_verifier_is_cut() {
    let body = format!(r#"{{"result": false, "errmsg": "{}"}}"#, "x".repeat(10_000));
    assert!(said(&judge(200, "/result", None), 200, &body).len() <= 256);
}

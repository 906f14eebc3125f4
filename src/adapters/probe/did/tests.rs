use super::*;

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

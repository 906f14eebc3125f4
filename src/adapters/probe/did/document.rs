//! What makes a DID document good (W3C DID Core §5).

use serde_json::Value;

use super::super::{
    Bad,
    json::{find, unwrapped},
    line::line,
};
use crate::ports::DidResolve;

/// Letters of base58 as Bitcoin has it, which follow the letter `z` (multibase).
const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Judges an answer in which a document is.
///
/// # Errors
/// It has none, or one that is of somebody else, deactivated, or without the key that is expected.
pub(super) fn judge(answer: &Value, expected: &DidResolve) -> Result<(), Bad> {
    let pointer = &expected.document;
    let found = find(answer, pointer);
    let found = found.ok_or_else(|| Bad::wrong(line(format_args!("has no {pointer}"))))?;
    let document = match &*found {
        Value::String(text) => read(text)?,
        other => other.clone(),
    };
    match document.get("id") {
        Some(Value::String(id)) if **id == *expected.did => {}
        Some(Value::String(id)) => {
            return Err(Bad::wrong(line(format_args!("is of {id}, not of {}", expected.did))));
        }
        _ => return Err(Bad::wrong("has no id".to_owned())),
    }
    if document.get("deactivated") == Some(&Value::Bool(true)) {
        return Err(Bad::wrong("is deactivated".to_owned()));
    }
    keys(&document, expected).map_err(Bad::wrong)
}

fn read(text: &str) -> Result<Value, Bad> {
    if let Some(document) = unwrapped(text) {
        return Ok(document);
    }
    match text.strip_prefix('z') {
        Some(digits) if !digits.is_empty() && digits.chars().all(|digit| BASE58.contains(digit)) => {
            Err(Bad::unjudged("is in base58 (multibase z), which is not read here".to_owned()))
        }
        _ => Err(Bad::wrong(line(format_args!("is a text, and neither JSON nor JSON in base64: {text}")))),
    }
}

fn keys(document: &Value, expected: &DidResolve) -> Result<(), String> {
    let methods = document.get("verificationMethod").and_then(Value::as_array);
    let methods = methods.filter(|methods| !methods.is_empty()).ok_or("has no verificationMethod")?;
    let mut candidates = Vec::new();
    for method in methods {
        let id = method.get("id").and_then(Value::as_str).ok_or("a verificationMethod has no id")?;
        let wanted = expected.key_id.as_deref();
        if wanted.is_none_or(|wanted| whole(id, &expected.did) == whole(wanted, &expected.did)) {
            candidates.push(method);
        }
    }
    if let (Some(key), true) = (&expected.key_id, candidates.is_empty()) {
        return Err(line(format_args!("has no verificationMethod {key}")));
    }
    match &expected.public_key {
        Some(key) if !candidates.iter().any(|method| shows(method, key)) => {
            Err("has another public key".to_owned())
        }
        _ => Ok(()),
    }
}

/// The identifier of a method with the DID before it, which a document may leave out (W3C DID Core §3.2.2).
fn whole(id: &str, did: &str) -> String {
    match id.starts_with("did:") {
        true => id.to_owned(),
        false => format!("{did}#{}", id.trim_start_matches('#')),
    }
}

fn shows(method: &Value, key: &str) -> bool {
    let fields = method.as_object();
    let mut fields = fields.into_iter().flatten();
    fields.any(|(name, value)| name.starts_with("publicKey") && value.as_str() == Some(key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Outcome::{self, Ok as Good, Unjudged, Wrong};

    const DID: &str = "did:kr:mobileid:issuer";

    fn expected(document: &str, key_id: Option<&str>, key: Option<&str>) -> DidResolve {
        DidResolve {
            did: DID.into(),
            path: "/".into(),
            document: document.into(),
            key_id: key_id.map(Into::into),
            public_key: key.map(Into::into),
        }
    }

    fn document() -> Value {
        json!({
            "id": DID,
            "verificationMethod": [
                {"id": format!("{DID}#key-1"), "publicKeyMultibase": "mAbc"},
                {"id": "#key-2", "publicKeyMultibase": "mDef"},
                {"id": "key-3", "publicKeyBase58": "123"},
            ],
        })
    }

    #[track_caller]
    fn check(answer: &Value, expected: &DidResolve, outcome: Outcome, said: &str) {
        let judged = judge(answer, expected);
        let judged = judged.map_or_else(|bad| (bad.outcome, bad.detail), |()| (Good, String::new()));
        assert_eq!(judged.0, outcome, "{judged:?}");
        assert!(if said.is_empty() { judged.1.is_empty() } else { judged.1.contains(said) }, "{judged:?}");
    }

    #[test]
    fn a_document_is_found_in_each_wrapping() {
        let plain = document().to_string();
        let base64 = super::super::super::json::to_base64(&plain);
        for wrapped in [document(), json!(plain), json!(base64), json!(format!("m{base64}"))] {
            check(&json!({"data": {"didDoc": wrapped}}), &expected("/data/didDoc", None, None), Good, "");
        }
        check(&document(), &expected("", None, None), Good, "");
        let at = expected("/data/didDoc", None, None);
        for (answer, outcome, said) in [
            (json!({"data": {}}), Wrong, "has no /data/didDoc"),
            (json!({"data": {"didDoc": null}}), Wrong, "has no id"),
            (json!({"data": {"didDoc": "!!"}}), Wrong, "neither JSON nor JSON in base64"),
            (json!({"data": {"didDoc": "z26VWT8GTUxN"}}), Unjudged, "base58"),
            (json!({"data": {"didDoc": "z0"}}), Wrong, "neither JSON"),
            (json!({"data": {"didDoc": "z"}}), Wrong, "neither JSON"),
        ] {
            check(&answer, &at, outcome, said);
        }
    }

    #[test]
    fn a_document_of_somebody_else_or_without_keys_is_wrong() {
        let changed = |field: &str, value: Value| {
            let mut changed = document();
            changed[field] = value;
            changed
        };
        for (document, said) in [
            (
                changed("id", json!("did:kr:mobileid:other")),
                "is of did:kr:mobileid:other, not of did:kr:mobileid:issuer",
            ),
            (changed("id", json!(7)), "has no id"),
            (json!({}), "has no id"),
            (json!([]), "has no id"),
            (changed("deactivated", json!(true)), "is deactivated"),
            (changed("verificationMethod", json!([])), "has no verificationMethod"),
            (changed("verificationMethod", json!({})), "has no verificationMethod"),
            (changed("verificationMethod", Value::Null), "has no verificationMethod"),
            (changed("verificationMethod", json!(["key"])), "a verificationMethod has no id"),
        ] {
            check(&document, &expected("", None, None), Wrong, said);
        }
        check(&changed("deactivated", json!(false)), &expected("", None, None), Good, "");
    }

    #[test]
    fn a_key_is_known_by_its_whole_name_or_by_the_part_after_the_did() {
        let whole = format!("{DID}#key-3");
        for (id, key, outcome, said) in [
            (Some("key-1"), None, Good, ""),
            (Some("#key-1"), Some("mAbc"), Good, ""),
            (Some("key-2"), Some("mDef"), Good, ""),
            (Some(whole.as_str()), Some("123"), Good, ""),
            (None, Some("mDef"), Good, ""),
            (Some("key-4"), None, Wrong, "has no verificationMethod key-4"),
            (Some("did:kr:mobileid:other#key-1"), None, Wrong, "has no verificationMethod did:kr"),
            (Some("key-1"), Some("mDef"), Wrong, "has another public key"),
            (None, Some("mXyz"), Wrong, "has another public key"),
        ] {
            check(&document(), &expected("", id, key), outcome, said);
        }
    }
}

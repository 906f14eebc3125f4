//! JSON that may be wrapped: in a text, in base64, or in base64 behind a letter (multibase) as ledgers of identities send it.

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

use super::{Bad, line::line};

/// With or without `=` at the end: mobile ID sends the one, multibase the other.
const PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, PADDING);

/// Letters that say which base64 follows (multibase). JSON in base64 never begins with one of them: it begins with `e`, `W`, or a letter of
/// white space.
const MULTIBASE: [char; 4] = ['m', 'M', 'u', 'U'];

/// Reads an answer's body.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Bad> {
    let text = std::str::from_utf8(bytes).map_err(|error| Bad::wrong(line(format_args!("body: {error}"))))?;
    // serde_json refuses more than 128 levels: the judgement, which recurses too, sees no deeper value.
    serde_json::from_str(text).map_err(|error| Bad::wrong(line(format_args!("body is not JSON: {error}"))))
}

/// What is at a JSON pointer (RFC 6901), which also leads into texts that hold JSON.
pub(super) fn find<'v>(value: &'v Value, pointer: &str) -> Option<Cow<'v, Value>> {
    let mut at = Cow::Borrowed(value);
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        at = match at {
            Cow::Borrowed(Value::String(text)) => Cow::Owned(taken(unwrapped(text)?, &token)?),
            Cow::Borrowed(value) => Cow::Borrowed(child(value, &token)?),
            Cow::Owned(Value::String(text)) => Cow::Owned(taken(unwrapped(&text)?, &token)?),
            Cow::Owned(value) => Cow::Owned(taken(value, &token)?),
        };
    }
    Some(at)
}

fn child<'v>(value: &'v Value, token: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.get(token),
        Value::Array(items) => items.get(token.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The same out of a value that nobody needs any more, without a copy: what a member sent may be large.
fn taken(value: Value, token: &str) -> Option<Value> {
    match value {
        Value::Object(mut fields) => fields.remove(token),
        Value::Array(items) => items.into_iter().nth(token.parse().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The object or list that a text holds, as it stands or in base64.
pub(super) fn unwrapped(text: &str) -> Option<Value> {
    let text = text.trim();
    let value = match text.starts_with(['{', '[']) {
        true => serde_json::from_str(text).ok()?,
        false => serde_json::from_slice(&base64(text)?).ok()?,
    };
    matches!(value, Value::Object(_) | Value::Array(_)).then_some(value)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(MULTIBASE).unwrap_or(text);
    let engine = if digits.contains(['-', '_']) { BASE64_URL } else { BASE64 };
    engine.decode(digits).ok()
}

/// A text in base64.
pub(super) fn to_base64(text: &str) -> String {
    BASE64.encode(text)
}

/// A text, a number or a truth value as people write it.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_leads_into_texts_that_hold_json() {
        let inner = json!({"profile": {"nonce": "n/1"}, "list": [7, {"a/b~c": true}]});
        let plain = inner.to_string();
        let padded = base64::prelude::BASE64_STANDARD.encode(&plain);
        let unpadded = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(&plain);
        for wrapped in [plain.clone(), padded.clone(), format!("m{padded}"), format!("u{unpadded}"), unpadded]
        {
            let value = json!({"data": wrapped});
            let at = |pointer: &str| find(&value, pointer).map(Cow::into_owned);
            assert_eq!(at("/data/profile/nonce"), Some(json!("n/1")), "{wrapped}");
            assert_eq!(at("/data/list/1/a~1b~0c"), Some(json!(true)));
            assert_eq!(at("/data/list/0/deeper"), None);
            assert_eq!(at("/data/nothing"), None);
        }
        let twice = json!({"data": json!({"vc": padded}).to_string()});
        assert_eq!(find(&twice, "/data/vc/list/0").map(Cow::into_owned), Some(json!(7)));
        assert_eq!(find(&twice, "").as_deref(), Some(&twice));
    }

    #[test]
    fn a_text_that_holds_something_else_is_only_a_text() {
        for text in
            ["", "m", "eyJ", "hello", "\"text\"", "NQ", "mNQ", "{", "zQmPZ9gcCEpqKTo6aq61g2nXGUhM4iCL3ewB"]
        {
            assert_eq!(unwrapped(text), None, "{text}");
        }
        assert_eq!(unwrapped(&"[".repeat(10_000)), None);
    }
}

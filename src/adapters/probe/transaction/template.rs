//! Texts with places for values.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use serde_json::Value;

use super::super::{Bad, line::line};

/// Largest text that is made. 1 MiB: a value from an answer, which is hostile, may stand at many places.
const TEXT_BYTES_MAX: usize = 1_048_576;

/// A text with names in braces.
pub(super) struct Template(Vec<Part>);

enum Part {
    Text(String),
    Value(Arc<str>),
}

impl Template {
    /// Reads a text. Braces around anything but a name, as JSON has them, stay as they are.
    ///
    /// # Errors
    /// It has a name that is not known.
    pub(super) fn parse(text: &str, known: &BTreeSet<Arc<str>>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut before = String::new();
        let mut rest = text;
        while let Some((left, right)) = rest.split_once('{') {
            before.push_str(left);
            let Some((name, after)) = right.split_once('}').filter(|(name, _)| is_name(name)) else {
                before.push('{');
                rest = right;
                continue;
            };
            let name = known.get(name).ok_or_else(|| unknown(name, known))?;
            parts.extend([Part::Text(std::mem::take(&mut before)), Part::Value(name.clone())]);
            rest = after;
        }
        parts.push(Part::Text(before + rest));
        Ok(Self(parts))
    }

    /// The text with its values, each written as it must be at this place.
    pub(super) fn fill(
        &self,
        values: &BTreeMap<Arc<str>, Value>,
        written: fn(&Value) -> String,
    ) -> Result<String, Bad> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                // Each name is known to be captured before: there is always a value.
                Part::Value(name) => text.push_str(&written(values.get(name).unwrap_or(&Value::Null))),
            }
            if text.len() > TEXT_BYTES_MAX {
                let detail = format!("the message would be larger than {TEXT_BYTES_MAX} bytes");
                return Err(Bad::wrong(detail));
            }
        }
        Ok(text)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric())
}

fn unknown(name: &str, known: &BTreeSet<Arc<str>>) -> String {
    let known: Vec<&str> = known.iter().map(|name| &**name).collect();
    line(format_args!("no step before captures {{{name}}}: known are {}", known.join(", ")))
}

/// In a path or a query: everything but letters and digits that are safe in both is escaped (RFC 3986 §2.3).
pub(super) fn in_path(value: &Value) -> String {
    let mut escaped = String::new();
    for byte in in_header(value).bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => escaped.push(byte.into()),
            byte => {
                // Writing to a string does not fail.
                let _written = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

/// In a header: as it is. What a header cannot hold is refused when it is made.
pub(super) fn in_header(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// In JSON: a text without its quotation marks, which stand in the template already.
pub(super) fn in_json(value: &Value) -> String {
    let json = value.to_string();
    match value {
        Value::String(_) => json.get(1..json.len() - 1).unwrap_or_default().to_owned(),
        _ => json,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(text: &str, written: fn(&Value) -> String) -> String {
        let values = json!({"code": "a\"b/ c", "profile": {"n": 1}, "nonce": "f00"});
        let Value::Object(values) = values else { unreachable!() };
        let values: BTreeMap<Arc<str>, Value> =
            values.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let known = values.keys().cloned().collect();
        Template::parse(text, &known).unwrap().fill(&values, written).unwrap()
    }

    #[test]
    fn each_name_becomes_its_value_as_the_place_needs_it() {
        assert_eq!(
            filled(r#"{"t": "{code}", "p": {profile}, "e": {}, "s": {"x": "{nonce}{nonce}"}}"#, in_json),
            r#"{"t": "a\"b/ c", "p": {"n":1}, "e": {}, "s": {"x": "f00f00"}}"#
        );
        assert_eq!(filled("/x?c={code}&n={nonce}", in_path), "/x?c=a%22b%2F%20c&n=f00");
        assert_eq!(filled("Bearer {nonce}", in_header), "Bearer f00");
        assert_eq!(filled("no names { here }, {", in_header), "no names { here }, {");
    }

    #[test]
    fn a_name_that_nobody_captures_is_refused_with_those_that_are_known() {
        let known = ["nonce", "trxcode"].map(Arc::from).into();
        let error = Template::parse("{trxCode}", &known).err().unwrap();
        assert_eq!(error, "no step before captures {trxCode}: known are nonce, trxcode");
    }

    #[test]
    fn a_large_value_at_many_places_makes_no_endless_message() {
        let known = BTreeSet::from([Arc::from("a")]);
        let values = BTreeMap::from([(Arc::from("a"), json!("x".repeat(60_000)))]);
        let bad = Template::parse(&"{a}".repeat(5_000), &known).unwrap().fill(&values, in_json).unwrap_err();
        assert_eq!(bad.detail, "the message would be larger than 1048576 bytes");
    }
}

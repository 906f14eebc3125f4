//! One value, one sequence of bytes: RFC 8785 (JCS) for values without fractions.
//!
//! Written here rather than taken from a crate: a report holds whole numbers only, and without fractions the RFC is sorting
//! and what `serde_json` does to strings anyway. What is not a whole number is refused instead of printed.

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// Largest whole number that every JSON reader keeps exactly: 2^53 − 1.
const EXACT: u64 = (1 << 53) - 1;

/// Why a value has no canonical form here.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// A fraction, or too large.
    #[error("{0} is not a whole number of at most 2^53 - 1, so readers would not agree on it")]
    Number(Number),
    /// Its type cannot be JSON.
    #[error("it cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The canonical bytes of a value.
pub(super) fn canonical(value: &impl Serialize) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    write(&serde_json::to_value(value)?, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Array(items) => write_array(items, out),
        Value::Object(fields) => write_object(fields, out),
        Value::Number(number) if !exact(number) => Err(CanonicalError::Number(number.clone())),
        Value::Number(_) | Value::String(_) | Value::Bool(_) | Value::Null => write_plain(value, out),
    }
}

fn exact(number: &Number) -> bool {
    let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    size.is_some_and(|size| size <= EXACT)
}

fn write_plain(value: &impl Serialize, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    Ok(serde_json::to_writer(out, value)?)
}

fn write_array(items: &[Value], out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out)?;
    }
    out.push(b']');
    Ok(())
}

/// The RFC sorts names by their UTF-16 code units, which differs from the order of code points above U+FFFF.
fn write_object(fields: &Map<String, Value>, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push(b'{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_plain(name, out)?;
        out.push(b':');
        write(value, out)?;
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: &Value, expected: &str) {
        assert_eq!(String::from_utf8(canonical(value).unwrap()).unwrap(), expected);
    }

    #[test]
    fn names_are_sorted_as_the_rfc_sorts_them() {
        // The example of section 3.2.3.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        check(
            &value,
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
             \"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\
             \"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        );
    }

    #[test]
    fn strings_and_plain_values_are_written_as_in_the_rfc() {
        // The example of section 3.2.2, without its fractions.
        let value =
            json!({"string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/", "literals": [null, true, false], "n": [-1, 0]});
        check(&value, r#"{"literals":[null,true,false],"n":[-1,0],"string":"€$\u000f\nA'B\"\\\\\"/"}"#);
    }

    #[test]
    fn numbers_on_which_readers_disagree_are_refused() {
        for value in [json!(0.5), json!(1e3), json!(1_i64 << 53), json!(-(1_i64 << 53)), json!(u64::MAX)] {
            assert!(canonical(&value).is_err(), "{value}");
        }
        check(&json!([(1_i64 << 53) - 1, 1 - (1_i64 << 53)]), "[9007199254740991,-9007199254740991]");
    }
}

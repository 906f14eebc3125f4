//! Types, limits, patterns and required fields, in words that say what to write instead.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value;

use crate::api::Duration;

use super::{
    path::FieldPath,
    schema::{KindSchema, schema_at},
    violation::{Violation, closest},
};

/// Longest part of a wrong value that is shown: a certificate in the wrong field would fill the screen.
const SHOWN_LETTERS: usize = 60;

/// Everything that breaks the structural schema.
#[must_use]
pub fn broken_limits(kind: &KindSchema, object: &Value) -> Vec<Violation> {
    kind.validator.iter_errors(object).map(|error| explain(kind, &error)).collect()
}

fn explain(kind: &KindSchema, error: &ValidationError<'_>) -> Violation {
    let path = FieldPath::from(error.instance_path());
    let schema = schema_at(&kind.schema, &path).unwrap_or(&Value::Null);
    let value = shown(error.instance());
    let message = match error.kind() {
        ValidationErrorKind::Required { property } => return required(&path, property, schema),
        ValidationErrorKind::Type { .. } => return wrong_type(path, error.instance(), schema),
        ValidationErrorKind::Enum { .. } => return wrong_option(path, error.instance(), schema),
        ValidationErrorKind::Pattern { pattern } => pattern_message(error.instance(), pattern),
        ValidationErrorKind::Minimum { limit } => format!("{value} is below the minimum of {}", whole(limit)),
        ValidationErrorKind::Maximum { limit } => format!("{value} is above the maximum of {}", whole(limit)),
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("{value} has fewer than {limit} letters"),
        ValidationErrorKind::MaxLength { limit } => {
            format!("has {} letters, at most {limit} are allowed", letters(error.instance()))
        }
        ValidationErrorKind::MinItems { limit } => format!("needs at least {limit} {}", entries(*limit)),
        ValidationErrorKind::MaxItems { limit } => format!("can have at most {limit} {}", entries(*limit)),
        _ => error.to_string(),
    };
    Violation::new(path, message)
}

fn required(parent: &FieldPath, property: &Value, schema: &Value) -> Violation {
    let name = property.as_str().unwrap_or_default();
    let described = schema.pointer(&format!("/properties/{name}/description")).and_then(Value::as_str);
    let violation = Violation::new(parent.field(name), "is required");
    match described.and_then(first_sentence) {
        Some(sentence) => violation.with_remedy(sentence),
        None => violation,
    }
}

fn wrong_type(path: FieldPath, value: &Value, schema: &Value) -> Violation {
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or("another type");
    let violation = Violation::new(path, format!("must be {}, not {}", article(wanted), type_name(value)));
    match (wanted, value) {
        ("string", Value::Bool(_)) => {
            violation.with_remedy("true, false, yes, no, on and off are booleans: put quotes around the text")
        }
        ("string", Value::Number(_)) => violation.with_remedy("put quotes around it"),
        ("integer" | "number", Value::String(text)) if text.parse::<f64>().is_ok() => {
            violation.with_remedy("take the quotes away")
        }
        ("array", _) => violation.with_remedy("start each entry with \"- \""),
        _ => violation,
    }
}

fn wrong_option(path: FieldPath, value: &Value, schema: &Value) -> Violation {
    let options = schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
    let violation = Violation::new(path, format!("{} is not one of {}", shown(value), names.join(", ")));
    match value.as_str().and_then(|text| closest(text, names)) {
        Some(meant) => violation.with_remedy(format!("did you mean {meant}?")),
        None => violation,
    }
}

/// A duration's own error says which units there are; the pattern does not.
fn pattern_message(value: &Value, pattern: &str) -> String {
    let text = value.as_str().unwrap_or_default();
    match text.parse::<Duration>() {
        Err(error) if pattern.contains("(ms|s|m|h)") => error.to_string(),
        _ => format!("{} does not match the pattern {pattern}", shown(value)),
    }
}

fn article(wanted: &str) -> &str {
    match wanted {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        other => other,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A limit of the schema, which prints whole numbers with a fraction.
fn whole(limit: &Value) -> String {
    match limit.as_f64() {
        Some(number) if number.fract() == 0.0 => format!("{number:.0}"),
        _ => limit.to_string(),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn letters(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

fn entries(count: u64) -> &'static str {
    if count == 1 { "entry" } else { "entries" }
}

fn first_sentence(description: &str) -> Option<String> {
    let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = line.split(". ").next()?.trim_end_matches('.');
    let mut letters = sentence.chars();
    let first = letters.next()?;
    Some(first.to_lowercase().chain(letters).collect())
}

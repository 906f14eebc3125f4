//! The only module that knows `serde_yaml`, which is no longer maintained: replacing it means rewriting this file.

use serde::Serialize;
use serde_json::Value;

/// Why a text is not one YAML document.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Line, counted from 1, if the parser knows it.
    pub line: Option<usize>,
    /// Column, counted from 1, if the parser knows it.
    pub column: Option<usize>,
    /// What the parser says, without the place.
    pub message: String,
}

/// Reads one document as the JSON value that an API server would get. Merge keys (`<<`) are resolved.
///
/// # Errors
/// The text is not YAML, holds more than one document, or a value has no counterpart in JSON.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    let mut value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| explain(&error))?;
    value.apply_merge().map_err(|error| explain(&error))?;
    json(value).map_err(|message| YamlError { line: None, column: None, message })
}

/// Prints a value as YAML.
///
/// # Errors
/// The value has no counterpart in YAML.
pub fn print(value: &impl Serialize) -> Result<String, YamlError> {
    serde_yaml::to_string(value).map_err(|error| explain(&error))
}

fn explain(error: &serde_yaml::Error) -> YamlError {
    let text = error.to_string();
    let place = error.location();
    let message = match place.as_ref().map(|at| format!(" at line {} column {}", at.line(), at.column())) {
        Some(suffix) => text.replacen(&suffix, "", 1),
        None => text,
    };
    YamlError { line: place.as_ref().map(|at| at.line()), column: place.map(|at| at.column()), message }
}

/// By hand and not by serde, because serde would turn a key such as `1` into an error without a name.
fn json(value: serde_yaml::Value) -> Result<Value, String> {
    Ok(match value {
        serde_yaml::Value::Null => Value::Null,
        serde_yaml::Value::Bool(flag) => Value::Bool(flag),
        serde_yaml::Value::Number(number) => json_number(&number)?,
        serde_yaml::Value::String(text) => Value::String(text),
        serde_yaml::Value::Sequence(items) => {
            Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?)
        }
        serde_yaml::Value::Mapping(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| Ok((key_text(key)?, json(value)?)))
                .collect::<Result<_, String>>()?,
        ),
        serde_yaml::Value::Tagged(tagged) => return Err(format!("the tag {} is not supported", tagged.tag)),
    })
}

fn json_number(number: &serde_yaml::Number) -> Result<Value, String> {
    if let Some(whole) = number.as_i64() {
        return Ok(Value::from(whole));
    }
    if let Some(whole) = number.as_u64() {
        return Ok(Value::from(whole));
    }
    let float = number.as_f64().and_then(serde_json::Number::from_f64).map(Value::Number);
    float.ok_or_else(|| format!("{number} is not a number that JSON can hold"))
}

/// The API server's reader turns keys that are numbers or booleans into text, too.
fn key_text(key: serde_yaml::Value) -> Result<String, String> {
    match key {
        serde_yaml::Value::String(text) => Ok(text),
        serde_yaml::Value::Bool(flag) => Ok(flag.to_string()),
        serde_yaml::Value::Number(number) => Ok(number.to_string()),
        serde_yaml::Value::Null => Ok("null".to_owned()),
        serde_yaml::Value::Sequence(_) | serde_yaml::Value::Mapping(_) | serde_yaml::Value::Tagged(_) => {
            Err("a key must be text, not a list or a mapping".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_place_and_says_it_once() {
        let error = parse("a: 1\nb: [1,\nc: 2\n").unwrap_err();
        assert_eq!(error.line, Some(4), "{error:?}");
        assert!(!error.message.contains("at line 4"), "{error:?}");
    }

    #[test]
    fn merge_keys_are_resolved_as_kubectl_does() {
        let value = parse("base: &b {x: 1}\nuse:\n  <<: *b\n  y: 2\n").unwrap();
        assert_eq!(value["use"], serde_json::json!({"x": 1, "y": 2}));
    }
}

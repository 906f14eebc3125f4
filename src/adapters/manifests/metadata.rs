//! Names, as every API server judges them.

use serde_json::Value;

use super::{path::FieldPath, schema::Kind, violation::Violation};

/// What is wrong with `metadata`.
#[must_use]
pub fn broken_metadata(kind: Kind, object: &Value) -> Vec<Violation> {
    let path = FieldPath::read("metadata");
    let mut found = Vec::new();
    match text(object, "name") {
        None => found.push(
            Violation::new(path.field("name"), "is required").with_remedy("every object needs a name of its own"),
        ),
        Some(name) if !is_subdomain(name) => found.push(Violation::new(
            path.field("name"),
            format!("{name:?} is not a name: use at most 253 of a-z, 0-9, \"-\" and \".\", beginning and ending with a letter or digit"),
        )),
        Some(_) => {}
    }
    match text(object, "namespace") {
        Some(namespace) if !kind.is_namespaced() => found.push(
            Violation::new(
                path.field("namespace"),
                format!("a {kind} has no namespace, but {namespace:?} is given"),
            )
            .with_remedy("remove the line"),
        ),
        Some(namespace) if !is_label(namespace) => found.push(Violation::new(
            path.field("namespace"),
            format!("{namespace:?} is not a namespace: use at most 63 of a-z, 0-9 and \"-\""),
        )),
        _ => {}
    }
    found
}

fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get("metadata")?.get(field)?.as_str()
}

/// RFC 1123, as `metadata.name` needs it.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label_part)
}

fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_label_part(name)
}

fn is_label_part(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !part.is_empty() && part.chars().all(allowed) && !part.starts_with('-') && !part.ends_with('-')
}

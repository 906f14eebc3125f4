//! What a JSON Schema validator does not see: unknown fields, and list items with the same key.

use serde_json::{Map, Value};

use super::{
    path::FieldPath,
    violation::{Violation, closest},
};

/// Every field that the schema does not know, as `kubectl` and strict field validation refuse them.
#[must_use]
pub fn unknown_fields(schema: &Value, object: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    visit(schema, object, &FieldPath::root(), &mut |schema, value, path| {
        if let (Some(known), Some(fields)) = (closed_properties(schema), value.as_object()) {
            let unknown = fields.keys().filter(|name| !known.contains_key(*name));
            found.extend(unknown.map(|name| unknown_field(path, name, known)));
        }
    });
    found
}

/// Every list item whose key stands in an earlier item, too.
#[must_use]
pub fn repeated_items(schema: &Value, object: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    visit(schema, object, &FieldPath::root(), &mut |schema, value, path| {
        let keys = list_map_keys(schema);
        if let (false, Some(items)) = (keys.is_empty(), value.as_array()) {
            found.extend(repeated(path, items, &keys));
        }
    });
    found
}

fn visit(schema: &Value, value: &Value, path: &FieldPath, look: &mut impl FnMut(&Value, &Value, &FieldPath)) {
    look(schema, value, path);
    match value {
        Value::Object(fields) => {
            let properties = schema.get("properties");
            for (name, child) in fields {
                let known = properties.and_then(|properties| properties.get(name));
                let other = schema.get("additionalProperties").filter(|schema| schema.is_object());
                if let Some(schema) = known.or(other) {
                    visit(schema, child, &path.field(name), look);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    visit(schema, item, &path.index(index), look);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The fields of a schema that allows no others.
fn closed_properties(schema: &Value) -> Option<&Map<String, Value>> {
    let open = schema.get("additionalProperties").is_some_and(|other| other != &Value::Bool(false))
        || schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    let known = schema.get("properties").and_then(Value::as_object);
    known.filter(|_| !open)
}

fn unknown_field(path: &FieldPath, name: &str, known: &Map<String, Value>) -> Violation {
    let violation = Violation::new(path.field(name), "unknown field");
    if let Some(meant) = closest(name, known.keys().map(String::as_str)) {
        return violation.with_remedy(format!("did you mean {meant}?"));
    }
    // Twelve names still fit on one line of a terminal; metadata has more, and nobody needs the list.
    if known.len() <= 12 {
        let names: Vec<_> = known.keys().map(String::as_str).collect();
        return violation.with_remedy(format!("known here: {}", names.join(", ")));
    }
    violation
}

fn list_map_keys(schema: &Value) -> Vec<&str> {
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    keys.map(|keys| keys.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn repeated(path: &FieldPath, items: &[Value], keys: &[&str]) -> Vec<Violation> {
    let key_of = |item: &Value| keys.iter().map(|key| item.get(key).cloned()).collect::<Option<Vec<_>>>();
    let all: Vec<_> = items.iter().map(key_of).collect();
    let second = |(index, key): (usize, &Option<Vec<Value>>)| {
        let first = all[..index].iter().position(|before| key.is_some() && before == key)?;
        let shown = key.iter().flatten().map(Value::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("{} {shown} stands in {} already", keys.join(", "), path.index(first));
        let place = keys.first().map_or_else(|| path.index(index), |key| path.index(index).field(key));
        Some(Violation::new(place, message))
    };
    all.iter().enumerate().filter_map(second).collect()
}

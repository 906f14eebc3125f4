//! What an API server does to an object before it judges it: drop nulls that say nothing, fill in the defaults.

use kube::core::cel::apply_defaults;
use serde_json::Value;

/// The object as the API server would judge and store it. `status` goes away, because a manifest cannot set it.
#[must_use]
pub fn normalize(schema: &Value, mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    drop_nulls(schema, &mut object);
    let mut filled = object;
    // A default may itself hold fields with defaults; the API server fills those in when the CRD is created, here a
    // second round does. No default of ours is deeper than two levels; a test proves that a third changes nothing.
    for _ in 0..2 {
        filled = apply_defaults(schema, &filled);
    }
    filled
}

/// A null where null is not allowed counts as absent.
fn drop_nulls(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, child| !child.is_null() || is_nullable(field_schema(schema, name)));
            for (name, child) in fields {
                if let Some(schema) = field_schema(schema, name) {
                    drop_nulls(schema, child);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| drop_nulls(schema, item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn field_schema<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get("properties").and_then(|properties| properties.get(name))
}

fn is_nullable(schema: Option<&Value>) -> bool {
    schema.and_then(|schema| schema.get("nullable")) == Some(&Value::Bool(true))
}

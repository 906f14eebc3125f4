//! The rules in CEL that the CRDs carry, judged as the API server does.

use kube::core::cel::{ErrorKind, ValidationError, Validator};
use serde_json::Value;

use super::{
    path::FieldPath,
    schema::{KindSchema, value_at},
    violation::Violation,
};

/// Every broken rule. The API server judges no rule of an object that breaks its structural schema; here only those are
/// left out that look at one of the `broken` fields, so that one run shows everything and nothing that follows from it.
#[must_use]
pub fn broken_rules(
    kind: &KindSchema,
    validator: &Validator,
    object: &Value,
    broken: &[Violation],
) -> Vec<Violation> {
    let errors = match validator.validate_compiled(&kind.rules, object, None) {
        Ok(()) => return Vec::new(),
        Err(errors) => errors.into_vec(),
    };
    let judged = |error: &ValidationError| {
        let path = FieldPath::read(&error.field_path);
        !broken.iter().any(|field| field.path.starts_with(&path))
    };
    errors.into_iter().filter(judged).map(|error| explain(error, object)).collect()
}

fn explain(error: ValidationError, object: &Value) -> Violation {
    let path = FieldPath::read(&error.field_path);
    if error.kind != ErrorKind::ValidationFailure {
        let message = format!("cannot judge the rule {:?}: {}", error.rule, error.message);
        return Violation::new(path, message);
    }
    nearer(path, error.message, object)
}

/// A rule belongs to a mapping, its message speaks of one field: `timeout must be shorter than interval` is shown at
/// `timeout`, on the line that must be changed.
fn nearer(path: FieldPath, message: String, object: &Value) -> Violation {
    if let Some((field, rest)) = message.split_once(' ') {
        let speaks_of_field = ["must ", "cannot ", "is ", "needs "].iter().any(|verb| rest.starts_with(verb));
        let inner = path.join(&FieldPath::read(field));
        if speaks_of_field && value_at(object, &inner).is_some() {
            return Violation::new(inner, rest);
        }
    }
    Violation::new(path, message)
}

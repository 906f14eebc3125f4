//! Secrets of manifests: only what services refer to, never printed.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use crate::ports::ObjectRef;

use super::{
    path::FieldPath,
    violation::{Violation, closest},
};

const FIELDS: [&str; 7] = ["apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"];

/// A core/v1 Secret.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    values: BTreeMap<String, Vec<u8>>,
}

impl Secret {
    /// Reads a Secret from its manifest. `stringData` wins over `data`, as in the API server.
    ///
    /// # Errors
    /// Everything that is wrong with it. Values are never part of a message.
    pub fn read(namespace: &str, name: &str, object: &Value) -> Result<Self, Vec<Violation>> {
        let mut found = unknown(object);
        let mut values = BTreeMap::new();
        for (field, decode) in
            [("data", decoded as Decode), ("stringData", |text| Ok(text.as_bytes().to_vec()))]
        {
            read_values(object, field, decode, &mut values, &mut found);
        }
        match found.is_empty() {
            true => Ok(Self { namespace: namespace.to_owned(), name: name.to_owned(), values }),
            false => Err(found),
        }
    }

    /// One value.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// Kind, namespace and name.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef { kind: "Secret", namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.values.keys().collect();
        f.debug_struct("Secret")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("keys", &keys)
            .finish()
    }
}

type Decode = fn(&str) -> Result<Vec<u8>, String>;

fn unknown(object: &Value) -> Vec<Violation> {
    let names = object.as_object().into_iter().flat_map(Map::keys);
    let unknown = names.filter(|name| !FIELDS.contains(&name.as_str()));
    let violation = |name: &String| {
        let violation = Violation::new(FieldPath::root().field(name), "unknown field");
        match closest(name, FIELDS) {
            Some(meant) => violation.with_remedy(format!("did you mean {meant}?")),
            None => violation,
        }
    };
    unknown.map(violation).collect()
}

fn read_values(
    object: &Value,
    field: &str,
    decode: Decode,
    values: &mut BTreeMap<String, Vec<u8>>,
    found: &mut Vec<Violation>,
) {
    let path = FieldPath::root().field(field);
    let entries = match object.get(field) {
        None | Some(Value::Null) => return,
        Some(Value::Object(entries)) => entries,
        Some(_) => return found.push(Violation::new(path, "must be a mapping of keys to text")),
    };
    for (key, value) in entries {
        let text = value.as_str().ok_or_else(|| "must be text: put quotes around it".to_owned());
        match text.and_then(decode) {
            Ok(bytes) => drop(values.insert(key.clone(), bytes)),
            Err(message) => found.push(Violation::new(path.field(key), message)),
        }
    }
}

/// Line breaks inside the text are allowed, because `base64` wraps its output.
fn decoded(text: &str) -> Result<Vec<u8>, String> {
    let joined: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    STANDARD
        .decode(joined)
        .map_err(|_| "is not base64: encode it, or move it to stringData as it is".to_owned())
}

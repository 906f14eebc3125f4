//! Judges one object as an API server would at admission, and gives it back as the API server would store it.

use kube::core::cel::Validator;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    limits::broken_limits,
    metadata::broken_metadata,
    normalize::normalize,
    object::Object,
    path::FieldPath,
    rules::broken_rules,
    schema::{Kind, KindSchema, SchemaError},
    structure::{repeated_items, unknown_fields},
    violation::Violation,
};

/// Namespace of an object that names none, as `kubectl` has it.
pub const DEFAULT_NAMESPACE: &str = "default";

/// The schemas and rules of all kinds.
#[derive(Debug)]
pub struct Admission {
    schemas: Vec<(Kind, KindSchema)>,
    cel: Validator,
}

impl Admission {
    /// Compiles the schemas and rules of all kinds.
    ///
    /// # Errors
    /// A schema that is built into this program is broken; nothing that the user gave can cause it.
    pub fn new() -> Result<Self, SchemaError> {
        let schemas = Kind::ALL.into_iter().map(|kind| Ok((kind, KindSchema::new(kind)?)));
        Ok(Self { schemas: schemas.collect::<Result<_, _>>()?, cel: Validator::new() })
    }

    /// Judges an object.
    ///
    /// # Errors
    /// Everything that is wrong with it, not only the first thing.
    pub fn admit(&self, kind: Kind, object: Value) -> Result<Object, Vec<Violation>> {
        let known = self.schemas.iter().find(|(known, _)| *known == kind);
        let Some((_, schema)) = known else {
            return Err(vec![Violation::new(FieldPath::root(), format!("{kind} has no schema"))]);
        };
        let unknown = unknown_fields(&schema.schema, &object);
        let mut object = normalize(&schema.schema, object);
        let mut found = broken_metadata(kind, &object);
        let known = |path: &FieldPath| found.iter().chain(&unknown).any(|known| known.path == *path);
        let mut limits = broken_limits(schema, &object);
        limits.retain(|limit| !known(&limit.path));
        found.extend(limits);
        let rules = broken_rules(schema, &self.cel, &object, &found);
        set_namespace(kind, &mut object);
        found.extend(unknown);
        found.extend(repeated_items(&schema.schema, &object));
        // What breaks the schema cannot be held by the type either; that would say the same thing twice.
        let typed = found.is_empty().then(|| typed(kind, object));
        found.extend(rules);
        match typed {
            Some(Ok(object)) if found.is_empty() => return Ok(object),
            Some(Err(violation)) => found.push(violation),
            Some(Ok(_)) | None => {}
        }
        Err(found)
    }
}

fn set_namespace(kind: Kind, object: &mut Value) {
    if let (true, Some(metadata)) =
        (kind.is_namespaced(), object.get_mut("metadata").and_then(Value::as_object_mut))
    {
        metadata.entry("namespace").or_insert_with(|| Value::from(DEFAULT_NAMESPACE));
    }
}

fn typed(kind: Kind, object: Value) -> Result<Object, Violation> {
    Ok(match kind {
        Kind::Region => Object::Region(Box::new(read(object)?)),
        Kind::SharedService => Object::Service(Box::new(read(object)?)),
        Kind::GradePolicy => Object::Policy(Box::new(read(object)?)),
        Kind::Failover => Object::Failover(Box::new(read(object)?)),
        Kind::SwitchoverDrill => Object::Drill(Box::new(read(object)?)),
        Kind::DrillRun => Object::DrillRun(Box::new(read(object)?)),
        Kind::Calendar => Object::Calendar(Box::new(read(object)?)),
        Kind::Approval => Object::Approval(Box::new(read(object)?)),
    })
}

/// The last judge: what the schema lets through but a Rust type cannot hold, such as a number of hours beyond 64 bits.
fn read<T: DeserializeOwned>(object: Value) -> Result<T, Violation> {
    serde_path_to_error::deserialize(object).map_err(|error| {
        let path = FieldPath::read(&error.path().to_string());
        Violation::new(path, error.into_inner().to_string())
    })
}

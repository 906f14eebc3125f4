//! The structural schemas of our kinds, ready to judge objects as an API server does.

use std::fmt;

use jsonschema::Validator;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::cel::{CompiledSchema, compile_schema};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::api::all_crds;

use super::path::{FieldPath, Segment};

/// The kinds that are read from manifests.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A data center.
    Region,
    /// A switchable function.
    SharedService,
    /// Defaults and limits of one grade.
    GradePolicy,
    /// One change of who serves.
    Failover,
    /// A switchover exercise.
    SwitchoverDrill,
    /// One run of it.
    DrillRun,
    /// When nothing may be drilled.
    Calendar,
    /// One person's yes.
    Approval,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Region,
        Self::SharedService,
        Self::GradePolicy,
        Self::Failover,
        Self::SwitchoverDrill,
        Self::DrillRun,
        Self::Calendar,
        Self::Approval,
    ];

    /// The kind as it stands in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Region => "Region",
            Self::SharedService => "SharedService",
            Self::GradePolicy => "GradePolicy",
            Self::Failover => "Failover",
            Self::SwitchoverDrill => "SwitchoverDrill",
            Self::DrillRun => "DrillRun",
            Self::Calendar => "Calendar",
            Self::Approval => "Approval",
        }
    }

    /// Whether its objects live in a namespace.
    #[must_use]
    pub const fn is_namespaced(self) -> bool {
        match self {
            Self::Region | Self::GradePolicy | Self::Calendar => false,
            Self::SharedService | Self::Failover => true,
            Self::SwitchoverDrill | Self::DrillRun | Self::Approval => true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the schemas that are built into this program cannot be used. A test proves that they can.
#[derive(Debug, thiserror::Error)]
#[error("schema of {kind}: {cause}")]
pub struct SchemaError {
    kind: Kind,
    cause: String,
}

/// The schema of one kind.
pub struct KindSchema {
    /// The schema as the CRD has it, with the metadata's own schema put in.
    pub schema: Value,
    /// Judges types, limits, patterns and required fields.
    pub validator: Validator,
    /// The rules in CEL, compiled once.
    pub rules: CompiledSchema,
}

impl KindSchema {
    /// Builds the schema of a kind.
    ///
    /// # Errors
    /// The schema is not one that the validator understands.
    pub fn new(kind: Kind) -> Result<Self, SchemaError> {
        let failed = |cause: String| SchemaError { kind, cause };
        let mut schema = crd_schema(kind).ok_or_else(|| failed("not among the CRDs".to_owned()))?;
        let rules = compile_schema(&schema);
        add_common_fields(&mut schema);
        let mut strict = schema.clone();
        let nullable_status = strict.pointer_mut("/properties/status");
        if let Some(status) = nullable_status {
            *status = json!({});
        }
        allow_null(&mut strict);
        let validator = jsonschema::validator_for(&strict).map_err(|error| failed(error.to_string()))?;
        Ok(Self { schema, validator, rules })
    }
}

impl fmt::Debug for KindSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KindSchema").finish_non_exhaustive()
    }
}

/// The part of a schema that describes a field.
#[must_use]
pub fn schema_at<'a>(schema: &'a Value, path: &FieldPath) -> Option<&'a Value> {
    path.segments().iter().try_fold(schema, |schema, segment| match segment {
        Segment::Field(name) => {
            let property = schema.get("properties").and_then(|properties| properties.get(name));
            property.or_else(|| schema.get("additionalProperties"))
        }
        Segment::Index(_) => schema.get("items"),
    })
}

/// The value of a field.
#[must_use]
pub fn value_at<'a>(value: &'a Value, path: &FieldPath) -> Option<&'a Value> {
    path.segments().iter().try_fold(value, |value, segment| match segment {
        Segment::Field(name) => value.get(name),
        Segment::Index(index) => value.get(index),
    })
}

fn crd_schema(kind: Kind) -> Option<Value> {
    let crd = all_crds().into_iter().find(|crd| crd.spec.names.kind == kind.as_str())?;
    let version = crd.spec.versions.into_iter().next()?;
    serde_json::to_value(version.schema?.open_api_v3_schema?).ok()
}

/// A CRD does not repeat what is the same for all kinds; the API server knows it, and so must we.
fn add_common_fields(schema: &mut Value) {
    let generator = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let metadata = generator.into_generator().into_root_schema_for::<ObjectMeta>().to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
        properties.insert("kind".to_owned(), json!({"type": "string"}));
        properties.insert("metadata".to_owned(), without_null(metadata));
    }
}

/// `ObjectMeta` comes with `type: [string, null]`; the API server drops a null there, as [`super::normalize`] does.
fn without_null(mut schema: Value) -> Value {
    for_each_schema(&mut schema, &mut |node| {
        if let Some(types) = node.get("type").and_then(Value::as_array) {
            let first = types.iter().find(|name| name.as_str() != Some("null")).cloned();
            node.insert("type".to_owned(), first.unwrap_or(Value::Null));
        }
    });
    schema
}

/// `nullable` is a word of OpenAPI 3.0; JSON Schema says it with a second type.
fn allow_null(schema: &mut Value) {
    for_each_schema(schema, &mut |node| {
        if node.get("nullable") != Some(&Value::Bool(true)) {
            return;
        }
        if let Some(one) = node.get("type").filter(|kind| kind.is_string()).cloned() {
            node.insert("type".to_owned(), json!([one, "null"]));
        }
        if let Some(options) = node.get_mut("enum").and_then(Value::as_array_mut) {
            options.push(Value::Null);
        }
    });
}

fn for_each_schema(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    let Some(node) = schema.as_object_mut() else { return };
    change(node);
    if let Some(properties) = node.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(|child| for_each_schema(child, change));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = node.get_mut(key) {
            for_each_schema(child, change);
        }
    }
}

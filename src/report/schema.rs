//! The JSON schema of a sealed report, for those who read it with other programs.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::Sealed;

/// The JSON schema (2020-12) of a sealed report.
#[must_use]
pub fn schema() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Sealed>().to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$id".to_owned(), json!("https://bongsu.io/schemas/drill-report/v1"));
        fields.insert("title".to_owned(), json!("Drill report of Bongsu, sealed"));
    }
    schema
}

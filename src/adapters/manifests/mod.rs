//! Manifests: the same YAML that a cluster gets, from files.
//!
//! Reading never fails as a whole: every mistake becomes a [`Finding`] with file, line and field, and every object is
//! judged as an API server would judge it (unknown fields, schema, CEL rules), so that what passes here is admitted
//! there. What one object cannot know, such as a region that does not exist, is for `bongsu check`.

mod admission;
mod documents;
mod files;
mod finding;
mod holdings;
mod limits;
mod locate;
mod metadata;
mod normalize;
mod object;
mod parse;
mod path;
mod reader;
mod resources;
mod rules;
mod schema;
mod secret;
mod source;
mod structure;
mod violation;

pub use admission::{Admission, DEFAULT_NAMESPACE};
pub use files::Taken;
pub use finding::{Finding, Severity};
pub use holdings::Statuses;
pub use object::{Entry, Object, Origin, duplicate, label, service_key};
pub use parse::read_document;
pub use path::{FieldPath, Segment};
pub use reader::{Content, read};
pub use resources::{ManifestResources, OpenError};
pub use schema::{Kind, SchemaError};
pub use secret::Secret;
pub use source::{Source, SourceError, read_path, read_stdin};
pub use violation::{Violation, closest};

#[cfg(test)]
mod tests;

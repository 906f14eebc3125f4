//! Objects that cannot be read must not stop a watch.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::PartialObjectMeta};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// An object, or why it cannot be read.
// Like kube's `DeserializeGuard`, but the message names the field, and the bulky record of who wrote which field is
// dropped at once.
#[derive(Clone, Debug)]
pub(crate) enum Guarded<K> {
    /// It could be read.
    Valid(Box<K>),
    /// It could not.
    Invalid {
        /// What it says of itself.
        metadata: Box<ObjectMeta>,
        /// Path of the field, and what is wrong with it.
        message: String,
    },
}

impl<'de, K: DeserializeOwned + Resource> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let mut guarded = match serde_path_to_error::deserialize::<_, K>(&value) {
            Ok(object) => Self::Valid(Box::new(object)),
            Err(error) => {
                let PartialObjectMeta { metadata, .. } =
                    PartialObjectMeta::<K>::deserialize(&value).map_err(serde::de::Error::custom)?;
                Self::Invalid { metadata: Box::new(metadata), message: error.to_string() }
            }
        };
        guarded.meta_mut().managed_fields = None;
        Ok(guarded)
    }
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }

    fn group(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }

    fn version(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }

    fn plural(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Valid(object) => object.meta(),
            Self::Invalid { metadata, .. } => metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Valid(object) => object.meta_mut(),
            Self::Invalid { metadata, .. } => metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::GradePolicy;

    fn read(spec: serde_json::Value) -> Guarded<GradePolicy> {
        let object = json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "GradePolicy",
            "metadata": {"name": "one", "managedFields": [{"manager": "kubectl"}]}, "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_bad_field_is_named_and_the_object_too() {
        let guarded = read(json!({"grade": 1, "rto": "soon"}));
        assert_eq!(guarded.meta().name.as_deref(), Some("one"));
        let named = |message: &str| message.starts_with("spec.rto: \"soon\" is not a duration");
        assert!(matches!(&guarded, Guarded::Invalid { message, .. } if named(message)), "{guarded:?}");
    }

    #[test]
    fn a_good_object_is_kept_without_its_managed_fields() {
        let guarded = read(json!({"grade": 1}));
        assert_eq!(guarded.meta().managed_fields, None);
        assert!(matches!(guarded, Guarded::Valid(_)));
    }
}

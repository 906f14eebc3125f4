//! `LedgerEntry`: one record of the ledger when it is kept in a Kubernetes API server.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "LedgerEntry",
    namespaced,
    shortname = "bl",
    derive = "PartialEq",
    doc = "One record of Bongsu's ledger. Written only by Bongsu, by compare-and-set; editing one by hand can lose a fencing epoch.",
    printcolumn(name = "Key", type_ = "string", json_path = ".spec.key"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
// Unknown fields are let through here, unlike in what people write: a newer Bongsu may add one, and an older one that
// cannot read an entry would take the record for absent.
#[serde(rename_all = "camelCase")]
/// The record.
pub struct LedgerEntrySpec {
    /// Key of the record, such as `record/gpki/gpki-verify`.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,

    /// The record as JSON text.
    // Text and not an object: a newer Bongsu may write fields that this schema does not know, and pruning them would
    // lose acknowledged data.
    #[schemars(length(max = 1_048_576))]
    pub value: String,
}

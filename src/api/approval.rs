//! `Approval`: one person's yes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "Approval",
    namespaced,
    status = "ApprovalStatus",
    shortname = "ok",
    category = "bongsu",
    derive = "PartialEq",
    doc = "One person's yes to one DrillRun. Delete it before the start to take the yes back.",
    printcolumn(name = "For", type_ = "string", json_path = ".spec.drillRunName"),
    printcolumn(name = "Approver", type_ = "string", json_path = ".spec.approver"),
    printcolumn(
        name = "Counts",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Why-Not",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self == oldSelf", "an Approval cannot be changed: delete it and create another one"))]
/// Who says yes to what.
pub struct ApprovalSpec {
    /// Name of the DrillRun in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub drill_run_name: String,

    /// Your user name, as the API server knows you (`kubectl auth whoami`). The chart's admission policy refuses another one.
    #[schemars(length(min = 1, max = 253))]
    pub approver: String,

    /// For the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub comment: Option<String>,

    /// The yes counts until then (RFC 3339). Without it, until the run has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 40))]
    pub expires_at: Option<String>,
}

/// What Bongsu says about an approval.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalStatus {
    /// `Ready`: it counts.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

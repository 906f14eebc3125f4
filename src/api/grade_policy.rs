//! `GradePolicy`: defaults and limits per system grade.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{Duration, Mode};

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "GradePolicy",
    status = "GradePolicyStatus",
    shortname = "gp",
    category = "bongsu",
    derive = "PartialEq",
    doc = "Defaults and limits for all shared services of one system grade, written by the disaster recovery office.",
    printcolumn(name = "Grade", type_ = "integer", json_path = ".spec.grade"),
    printcolumn(name = "RTO", type_ = "string", json_path = ".spec.rto"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
/// Defaults and limits of one grade. At most one policy per grade; with two, the older one counts and both say so.
pub struct GradePolicySpec {
    /// System grade 1 (most important) to 4.
    #[schemars(range(min = 1, max = 4))]
    pub grade: i32,

    /// The longest recovery time objective that a service of this grade may state, and the default where it states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,

    /// The largest recovery point objective that a service of this grade may state, and the default where it states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Duration>,

    /// The longest `spec.health.interval` that a service of this grade may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<Duration>,

    /// The smallest `spec.health.vantages.quorum` that a service of this grade may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9))]
    pub min_vantage_quorum: Option<i32>,

    /// Default of `spec.failover.mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,

    /// Default of `spec.failover.approvals`, and the fewest that a service of this grade may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9))]
    pub approvals: Option<i32>,

    /// Default of `spec.failover.cooldown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Duration>,

    /// Default of `spec.failover.maxDrillAge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_drill_age: Option<Duration>,
}

/// What Bongsu says about a policy.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GradePolicyStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready`: the policy is in force.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

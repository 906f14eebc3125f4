//! `GradePolicy`: defaults and limits per system grade.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
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

    /// What drills of the services of this grade must keep to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drills: Option<DrillPolicy>,
}

/// What drills must keep to. A live drill that asks for less is not started.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillPolicy {
    /// The longest time that the schedule of a live drill may leave between two runs. One that leaves more says so in its
    /// condition `Ready`, and runs all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,

    /// Default of `spec.approvals` of a drill, and the fewest that a live drill may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9))]
    pub approvals: Option<i32>,

    /// The shortest `spec.hold` of a live drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_hold: Option<Duration>,

    /// Whether a service climbs to a live drill step by step, for each region that it leaves: `Detection`, `DryRun`, `Live`, and
    /// only then `Live` unannounced. Without it, nobody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Ladder>,
}

/// What becomes of a drill that leaves out a step of the ladder.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Ladder {
    /// It runs, and has a finding.
    Advise,
    /// It is not started.
    Require,
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

//! `Region`: one data center.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "Region",
    status = "RegionStatus",
    shortname = "rg",
    category = "bongsu",
    derive = "PartialEq",
    doc = "A data center with its own Kubernetes cluster and its own Bongsu. The same Regions are applied in every data center.",
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Agent", type_ = "string", json_path = ".status.conditions[?(@.type==\"AgentAlive\")].status"),
    printcolumn(name = "Lost", type_ = "string", json_path = ".status.conditions[?(@.type==\"Lost\")].status"),
    printcolumn(name = "Maintenance", type_ = "string", json_path = ".spec.maintenance.reason"),
    printcolumn(name = "Stop", type_ = "string", json_path = ".spec.globalStop.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = ("self.metadata.name.size() <= 63", "a Region's name is used as a label and must have at most 63 characters")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
/// What the platform team says about a data center.
pub struct RegionSpec {
    /// `Full` regions hold members and watch; a `Witness` only watches and votes. Defaults to `Full`.
    #[serde(default)]
    pub role: RegionRole,

    /// What this region shares its fate with: a site, a power feed, a building. Two regions with the same failure
    /// domain are reported, because both can be lost at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub failure_domain: Option<String>,

    /// Present while work is done in the region: its members are then never chosen as a target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,

    /// The red lever: while any Region carries it, Bongsu starts no automatic move anywhere. Moves by hand still work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_stop: Option<GlobalStop>,

    /// How many unplanned moves away from this region may start in a time span.
    #[serde(default)]
    pub budget: Budget,
}

/// Whether a region can serve.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RegionRole {
    /// Holds members, watches and votes.
    #[default]
    Full,
    /// Watches and votes only.
    Witness,
}

/// Work is being done in a region.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Maintenance {
    /// Why, for those who read it at night.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
}

/// Automatic moves are stopped everywhere.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GlobalStop {
    /// Why, for those who read it at night.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
}

/// Limits unplanned moves, so that one wrong check cannot move everything at once.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// Unplanned moves away from the region that may start within `per`. Defaults to 5.
    #[serde(default = "default_moves")]
    #[schemars(range(min = 1, max = 10_000))]
    pub moves: i32,

    /// Unplanned moves of one group (`spec.partOf`) away from the region that may start within `per`. Defaults to 3.
    #[serde(default = "default_moves_per_group")]
    #[schemars(range(min = 1, max = 10_000))]
    pub moves_per_group: i32,

    /// The time span that is looked back. Defaults to `10m`.
    #[serde(default = "default_per")]
    pub per: Duration,

    /// Used instead of the limits above once the loss of the whole region is confirmed.
    #[serde(default)]
    pub evacuation: EvacuationBudget,
}

/// Limits the evacuation of a lost region.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvacuationBudget {
    /// Moves that may run at the same time while a lost region is evacuated. Defaults to 50.
    #[serde(default = "default_concurrent")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrent: i32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            moves: default_moves(),
            moves_per_group: default_moves_per_group(),
            per: default_per(),
            evacuation: EvacuationBudget::default(),
        }
    }
}

impl Default for EvacuationBudget {
    fn default() -> Self {
        Self { concurrent: default_concurrent() }
    }
}

// 5 moves in 10 minutes: enough for the services of one rack, too few for a wrong check to empty a region before
// somebody has looked.
fn default_moves() -> i32 {
    5
}

fn default_moves_per_group() -> i32 {
    3
}

fn default_per() -> Duration {
    Duration::from_secs(600)
}

// 50 at once: one move is mostly one DNS update of some milliseconds, so a region of 1,000 services leaves in
// seconds, and a name server is never asked for more than 50 updates at a time.
fn default_concurrent() -> i32 {
    50
}

/// What Bongsu knows about a data center.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `AgentAlive`: the region's Bongsu renews its lease. `ProbesOnTime`: it takes every sample that is due. `Lost`: the region is confirmed lost.
    /// `NameUnique`: one installation alone calls itself by this name. `SpecInSync`: the reachable regions hold the same. `Ready`: usable.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

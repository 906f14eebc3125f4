//! `DrillRun`: one run of a drill, from its announcement to its verdict.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "DrillRun",
    namespaced,
    status = "DrillRunStatus",
    shortname = "dr",
    category = "bongsu",
    derive = "PartialEq",
    doc = "One run of a SwitchoverDrill. Bongsu creates one for each time of the schedule; creating one by hand runs the drill now.",
    printcolumn(name = "Drill", type_ = "string", json_path = ".spec.drillName"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict"),
    printcolumn(name = "Rule", type_ = "string", json_path = ".status.rule"),
    printcolumn(name = "RTO", type_ = "string", json_path = ".status.rto"),
    printcolumn(name = "Start", type_ = "string", json_path = ".status.startsAt"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = ("self.spec.abort == oldSelf.spec.abort || !has(self.status) || !has(self.status.verdict)", "this run is over, so there is nothing to stop")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self.drillName == oldSelf.drillName && has(self.startsAt) == has(oldSelf.startsAt) && (!has(self.startsAt) || self.startsAt == oldSelf.startsAt) && has(self.requestedBy) == has(oldSelf.requestedBy) && (!has(self.requestedBy) || self.requestedBy == oldSelf.requestedBy)", "a DrillRun cannot be changed after it was created, except abort: create another one"))]
#[x_kube(validation = ("!oldSelf.abort || self.abort", "an abort cannot be taken back"))]
/// What runs.
pub struct DrillRunSpec {
    /// Name of the SwitchoverDrill in the same namespace.
    #[schemars(length(min = 1, max = 44))]
    pub drill_name: String,

    /// When it starts (RFC 3339). Without it, at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 40))]
    pub starts_at: Option<String>,

    /// Why, for the record.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,

    /// Who asked for it, as the API server knows you. Such a person cannot approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub requested_by: Option<String>,

    /// `true`: return at once. Refused once the run is over. Defaults to `false`.
    #[serde(default)]
    pub abort: bool,
}

/// How it went.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillRunStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<DrillPhase>,

    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<DrillVerdict>,

    /// The rule that decided the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,

    /// When it starts, or started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,

    /// When it was over (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,

    /// The longest time that one of its services took to be served at the other place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,

    /// Every check before the start, with its outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_checks: Vec<PreCheck>,

    /// People who said yes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<String>,

    /// Each service, in the order in which it is moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub services: Vec<DrilledService>,

    /// What happened, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,

    /// What should be looked at although the verdict may be good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,

    /// SHA-256 of the report, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_digest: Option<String>,

    /// All of it in one sentence, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// `Complete` (over, and passed), `Failed` (over, and not), `Progressing`.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Where a DrillRun stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DrillPhase {
    /// Announced; waits for its time and for approvals.
    Announced,
    /// Services are being moved.
    Leaving,
    /// Services are served at the other place.
    Holding,
    /// Services are being moved back.
    Returning,
    /// Over: `verdict` says how it ended.
    Over,
}

/// How a DrillRun ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DrillVerdict {
    /// Moved, held and returned within all limits.
    Passed,
    /// The same, but something should be looked at.
    PassedWithFindings,
    /// A limit was missed.
    Failed,
    /// A person, a guardrail or a real incident ended it early.
    Aborted,
    /// A check before the start did not pass; nothing was touched.
    NotStarted,
}

/// One check before the start.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreCheck {
    /// Its name: that of a rule of the decision, or of the drill.
    pub name: String,

    /// The service that it is about; empty: the drill as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,

    /// `Pass`, `Block`, `Recommend` or `NotApplicable`.
    pub outcome: String,

    /// Why, with the numbers.
    pub message: String,
}

/// One service of a run.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrilledService {
    /// Name of the SharedService.
    pub name: String,

    /// Where it stands: `Waiting`, `Leaving`, `Away`, `Returning`, `Back`, `Stayed`.
    pub state: String,

    /// Regions that served before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,

    /// Regions that served during the drill.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,

    /// The Failover that moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<String>,

    /// The Failover that moved it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<String>,

    /// From the start of the move to verified service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,

    /// The same for the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_time: Option<Duration>,
}

/// One moment of a run.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// When (RFC 3339, with milliseconds).
    pub at: String,

    /// What happened.
    pub what: String,
}

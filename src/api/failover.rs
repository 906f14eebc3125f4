//! `Failover`: one execution of a plan, real or dry run.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "Failover",
    namespaced,
    status = "FailoverStatus",
    shortname = "fo",
    category = "bongsu",
    derive = "PartialEq",
    doc = "One change of who serves. Bongsu creates one for each automatic move; creating one by hand is the manual switchover.",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.serviceName"),
    printcolumn(name = "From", type_ = "string", json_path = ".status.from"),
    printcolumn(name = "To", type_ = "string", json_path = ".status.to"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Step", type_ = "string", json_path = ".status.progress"),
    printcolumn(name = "Epoch", type_ = "integer", json_path = ".status.epoch"),
    printcolumn(name = "RTO", type_ = "string", json_path = ".status.rto"),
    printcolumn(name = "Dry-Run", type_ = "boolean", json_path = ".spec.dryRun", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.from) || has(self.to)", "say where to: set to (the region that shall serve), or from (the region to drain)"))]
#[x_kube(validation = ("!has(self.from) || !has(self.to) || self.from != self.to", "from and to are the same region"))]
#[x_kube(validation = ("self.serviceName == oldSelf.serviceName && self.dryRun == oldSelf.dryRun && (has(self.writerStopped) && self.writerStopped) == (has(oldSelf.writerStopped) && oldSelf.writerStopped) && has(self.from) == has(oldSelf.from) && (!has(self.from) || self.from == oldSelf.from) && has(self.to) == has(oldSelf.to) && (!has(self.to) || self.to == oldSelf.to)", "a Failover cannot be changed after it was created, except intervention: create another one"))]
/// What shall happen.
pub struct FailoverSpec {
    /// Name of the SharedService in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub service_name: String,

    /// Region that shall stop serving. Needed to drain a member of an `ActiveActive` service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub from: Option<String>,

    /// Region that shall serve. Needed for an `ActiveStandby` service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub to: Option<String>,

    /// Why, for the record.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,

    /// `true`: show the plan and the predicted times, touch nothing. Defaults to `false`.
    #[serde(default)]
    pub dry_run: bool,

    /// `true`: whoever creates this has made sure that the service's workload (`fence.workload`) does not run in the region that is
    /// left, and nobody there is waited for. For a region that is lost. Defaults to `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writer_stopped: bool,

    /// A person's word on a paused run. Counts once, when it is set or changed after the run paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervention: Option<Intervention>,
}

/// A person's word on a paused run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Intervention {
    /// Try the step again.
    Resume,
    /// Treat the step as done and go on with the next.
    Skip,
    /// Stop here. Nothing more is changed; what was done stays.
    Abort,
}

/// How it went.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailoverStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<FailoverPhase>,

    /// Why it was started: `RegionLost`, `MemberDown`, `Manual`, `Failback` or `Establish`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,

    /// Regions that served before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,

    /// Regions that serve after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,

    /// Epoch that this run raises the service to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,

    /// Current step and count, such as `ShiftTraffic 3/5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,

    /// Every step of the plan with its state and times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepStatus>,

    /// When each phase was reached. Wall clocks of the hosts that reached it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<PhaseTimes>,

    /// Measured recovery time: verified minus fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,

    /// Recovery time that was predicted when the run was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_rto: Option<Duration>,

    /// Every rule that the decision evaluated, in a fixed order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["rule".into()]))]
    pub rules: Vec<RuleStatus>,

    /// All of it in one sentence, and what to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// `Complete`, `Failed`, `Paused`, `Progressing`.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Where a Failover stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum FailoverPhase {
    /// Not started yet.
    Pending,
    /// Dry run: the plan is in `steps`, nothing was touched.
    Planned,
    /// Steps are being executed.
    Running,
    /// A step did not work; waiting for `spec.intervention`.
    Paused,
    /// A step did not work before the point of no return; what was done is being undone.
    Compensating,
    /// Done and verified.
    Succeeded,
    /// Undone: the service is served as before.
    Compensated,
    /// Stopped by a person or by a failed compensation.
    Failed,
    /// Not started, because a rule blocks it; `message` says which.
    Refused,
}

/// One step of a plan.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// What is done.
    pub name: String,

    /// How far it is.
    pub state: StepState,

    /// What exactly: the regions, the epoch, the addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,

    /// How often it was tried.
    #[serde(default)]
    pub attempts: i32,

    /// When it was first tried (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,

    /// When it ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,

    /// What went wrong at the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum StepState {
    /// Not started.
    Pending,
    /// Its intent is in the ledger; its effect may have happened.
    Running,
    /// Its effect was seen.
    Done,
    /// It did not work.
    Failed,
    /// A person said to go on without it.
    Skipped,
}

/// One phase and when it was reached.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseTimes {
    /// First bad sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<PhaseTime>,
    /// A quorum of vantages called the member down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<PhaseTime>,
    /// The plan was in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<PhaseTime>,
    /// The new epoch was in the ledger: nothing is accepted any more under the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<PhaseTime>,
    /// The new writer was promoted. Only services with data have this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<PhaseTime>,
    /// Traffic was led to the new members and read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shifted: Option<PhaseTime>,
    /// The new members were seen to answer well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<PhaseTime>,
    /// Everything was recorded and the run was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<PhaseTime>,
}

/// When a phase was reached (RFC 3339, with milliseconds).
pub type PhaseTime = String;

/// One evaluated rule.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleStatus {
    /// Name of the rule; also an event reason and a metric label.
    pub rule: String,

    /// `Pass`, `Block`, `Recommend` or `NotApplicable`.
    pub outcome: String,

    /// Why, with the numbers.
    pub message: String,
}

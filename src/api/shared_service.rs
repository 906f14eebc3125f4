//! `SharedService`: one switchable function.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, Health, RuleStatus, SwitchReadiness, Traffic, TrafficStatus};

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "SharedService",
    namespaced,
    status = "SharedServiceStatus",
    shortname = "ss",
    category = "bongsu",
    derive = "PartialEq",
    doc = "One function, such as gpki-verify, that is deployed in two or more regions and can be switched by itself.",
    printcolumn(name = "Serving", type_ = "string", json_path = ".status.serving"),
    printcolumn(name = "Health", type_ = "string", json_path = ".status.health"),
    printcolumn(name = "Failover", type_ = "string", json_path = ".status.nextMove.outcome"),
    printcolumn(name = "To", type_ = "string", json_path = ".status.nextMove.to"),
    printcolumn(name = "Why-Not", type_ = "string", json_path = ".status.nextMove.blockedBy"),
    printcolumn(name = "Epoch", type_ = "integer", json_path = ".status.epoch"),
    printcolumn(name = "RTO", type_ = "string", json_path = ".status.predictedRto", priority = 1),
    printcolumn(name = "Run", type_ = "string", json_path = ".status.run", priority = 1),
    printcolumn(name = "Drilled", type_ = "date", json_path = ".status.lastPassedDrill[0].at", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self.topology != 'ActiveStandby' || self.members.size() >= 2", "ActiveStandby needs at least two members: one serves, one stands by"))]
#[x_kube(validation = ("self.topology == 'ActiveStandby' || !has(self.fence)", "fence is for ActiveStandby: of an ActiveActive service all members write"))]
#[x_kube(validation = ("self.topology != 'ActiveActive' || self.members.exists(m, m.weight > 0)", "at least one member must have a weight above 0, or nobody serves"))]
#[x_kube(validation = ("!has(self.objectives) || !has(self.objectives.rto) || self.traffic.all(t, duration(self.objectives.rto).getMilliseconds() >= duration(self.health.interval).getMilliseconds() * self.health.window.failures + duration(self.health.timeout).getMilliseconds() + duration(t.ttl).getMilliseconds())", "objectives.rto is below interval * window.failures + timeout + ttl: detecting the fault and waiting for resolvers takes longer than that"))]
#[x_kube(validation = ("self.traffic.size() == 0 || self.members.all(m, m.addresses.size() > 0)", "every member needs addresses, because traffic publishes them"))]
/// What the platform team wants.
pub struct SharedServiceSpec {
    /// Group of services that belong together, such as `gpki`. Used for views, budgets and drills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub part_of: Option<String>,

    /// System grade 1 (most important) to 4; picks the GradePolicy.
    #[schemars(range(min = 1, max = 4))]
    pub grade: i32,

    /// Who serves while all is well.
    pub topology: Topology,

    /// The copies, at most one a region. 1 to 9 entries.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["region".into()]))]
    #[schemars(length(min = 1, max = 9))]
    pub members: Vec<Member>,

    /// How the members are probed and judged.
    pub health: Health,

    /// How clients are led to the members that serve, applied in order. At most 4 entries.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 4))]
    pub traffic: Vec<Traffic>,

    /// What keeps the region that writes from writing on, once another one is to write. `ActiveStandby` only; unset: nothing
    /// does, and nothing is promised of writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<Fence>,

    /// What Bongsu may do by itself.
    #[serde(default)]
    pub failover: FailoverPolicy,

    /// What is promised to the users. Where unset, the GradePolicy's value counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<Objectives>,

    /// Requests a second at the busiest time. With it, load moves only onto members whose `capacity` carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub peak_load: Option<i32>,

    /// Services that this one cannot work without. While one of them is down, this service is not moved for it. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub depends_on: Vec<ServiceRef>,

    /// Services that citizens can use instead. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub substitutes: Vec<ServiceRef>,
}

/// Who serves while all is well.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Topology {
    /// All members with a weight above 0 serve at the same time.
    ActiveActive,
    /// One member serves, the others stand by.
    ActiveStandby,
}

/// A shared service's copy in one region.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// Name of the Region.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub region: String,

    /// `ActiveActive`: a member with weight 0 does not serve by itself. `ActiveStandby`: the member with the highest
    /// weight is preferred, then the order of the list. 0 to 1000, defaults to 100.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 0, max = 1000))]
    pub weight: i32,

    /// Where the checks connect to: `http://HOST:PORT`, `https://HOST:PORT` or `tcp://HOST:PORT`. Probes must reach
    /// this member and no other, so the name must not be the one that `traffic` moves.
    #[schemars(length(min = 1, max = 512), regex(pattern = "^(http|https|tcp)://"))]
    pub endpoint: String,

    /// IPv4 and IPv6 addresses that `traffic` publishes for this member. At most 8.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(min = 2, max = 45)))]
    pub addresses: Vec<String>,

    /// Requests a second that this member can carry alone. Unset: not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub capacity: Option<i32>,

    /// `true` while work is done on this member: it is then never chosen as a target.
    #[serde(default)]
    pub maintenance: bool,
}

/// What keeps a writer from writing on: one of the two.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.gate) != has(self.workload)", "give fence.gate or fence.workload, and not both"))]
pub struct Fence {
    /// `bongsu gate` runs before or around the writer of each member. Holds whatever is lost: strength `Enforced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,

    /// The writer is a workload, and runs only where the service is served. Holds while the region that is left still
    /// answers: strength `Confirmed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
}

/// A workload of this name, in the namespace of the SharedService, in the cluster of each member's region. Bongsu keeps it at
/// zero where the service is not served; the chart's `workloads` must name it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workload {
    /// `Deployment` or `StatefulSet`. Defaults to `Deployment`.
    #[serde(default)]
    pub kind: WorkloadKind,

    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Pods that it is started with, from zero; an autoscaler may change it afterwards. Leave `spec.replicas` out of its own
    /// manifest. Defaults to 1.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 10_000))]
    pub replicas: i32,

    /// Longest time until its last pod has ended: longer than `terminationGracePeriodSeconds`. Defaults to `1m`.
    #[serde(default = "default_stop_within")]
    pub stop_within: Duration,

    /// Longest time from zero until a pod is ready. Defaults to `2m`.
    #[serde(default = "default_start_within")]
    pub start_within: Duration,
}

/// What makes the pods of a workload.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum WorkloadKind {
    /// Pods that are alike.
    #[default]
    Deployment,
    /// Pods with names and volumes of their own.
    StatefulSet,
}

/// The gates of a service. Every member needs one.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("duration(self.leaseTtl).getMilliseconds() >= 6500", "fence.gate.leaseTtl is below 6.5s: a renewal each third of it, a call of the ledger of 3s and a fifth for what is under way must fit"))]
pub struct Gate {
    /// `--lease-ttl` of the gates: after an unclean loss another region may write when it is over. At least `6.5s`, defaults
    /// to `15s`.
    #[serde(default = "default_lease_ttl")]
    pub lease_ttl: Duration,
}

/// What Bongsu may do by itself.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverPolicy {
    /// How far Bongsu goes without a person. Defaults to the GradePolicy's value, else `Recommend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,

    /// Distinct people who must say yes in mode `Approve`. Defaults to the GradePolicy's value, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9))]
    pub approvals: Option<i32>,

    /// No second automatic move within this time after a completed one, except when a whole region is lost. Defaults
    /// to the GradePolicy's value, else `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Duration>,

    /// The way back.
    #[serde(default)]
    pub failback: Failback,

    /// The last passed drill must be younger, or `Automatic` acts as `Recommend`. Unset: not asked. A day is `24h`, so 100 days are `2400h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_drill_age: Option<Duration>,
}

/// How far Bongsu goes without a person.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Mode {
    /// Moves by itself.
    Automatic,
    /// Moves after the asked number of people said yes. Until approvals exist it acts as `Recommend`.
    Approve,
    /// Says what it would do, and why; a person creates the Failover.
    #[default]
    Recommend,
    /// Says nothing and does nothing by itself; a person creates the Failover.
    Manual,
}

/// The way back to a member that was moved away from.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self.mode != 'Automatic' || has(self.after)", "failback.mode Automatic needs after: how long the member must have been healthy"))]
pub struct Failback {
    /// Who starts it. Defaults to `Manual`.
    #[serde(default)]
    pub mode: FailbackMode,

    /// How long the member must have been healthy before it is used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
}

/// Who starts the failback.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum FailbackMode {
    /// Bongsu, after `after` of stability.
    Automatic,
    /// A person, by a Failover.
    #[default]
    Manual,
}

/// What is promised to the users.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Objectives {
    /// Recovery time objective: longest time from the fault to verified service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,

    /// Recovery point objective: largest loss of data, as time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Duration>,
}

/// Another shared service.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceRef {
    /// Name of the SharedService.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Namespace of the SharedService. Defaults to this object's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// What Bongsu sees, and what it would do.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedServiceStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Fencing epoch: grows by one at each change of who serves, never reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,

    /// Regions that serve now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serving: Vec<String>,

    /// Health of what serves now: `Healthy`, `Degraded`, `Recovering`, `Down` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,

    /// Every member: its health, and whether it could take over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["region".into()]))]
    pub members: Vec<MemberStatus>,

    /// What would happen now if the first serving region were lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_move: Option<NextMove>,

    /// Predicted recovery time, from the fault to verified service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_rto: Option<Duration>,

    /// Every rule that the last decision evaluated, in a fixed order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["rule".into()]))]
    pub rules: Vec<RuleStatus>,

    /// Whether it could be switched, in which direction, and what should be looked at before the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<SwitchReadiness>,

    /// What keeps the region that writes from writing on. `ActiveStandby` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceStatus>,

    /// What is published through each entry of `spec.traffic`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub traffic: Vec<TrafficStatus>,

    /// Name of the Failover that runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,

    /// The last live drill that passed away from each region, the newest first. `spec.failover.maxDrillAge` is about the
    /// newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["awayFrom".into()]))]
    pub last_passed_drill: Vec<PassedDrill>,

    /// `Ready`, `Reconciling`, `Stalled`, `Accepted`, `ObjectivesFeasible`, `FailoverReady`, `ReadyToSwitch`, `SpecInSync`,
    /// `TrafficInSync`, `WriterFenced`.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// How sure it is that two regions never write at the same time.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FenceStatus {
    /// `Enforced`: a gate holds the writer's lease. `Confirmed`: the writer's workload runs only where the service is served, and the
    /// region that serves answers. `None`: nothing is known that stops the writer.
    pub strength: String,

    /// The gate that holds the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,

    /// The gate does not reach the ledger, and its writer goes on by promises of the other regions, as this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promised: bool,

    /// What that means, and what to do about it.
    pub message: String,
}

/// A live drill that passed.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedDrill {
    /// Region that the service left, and came back to.
    pub away_from: String,

    /// When the drill was over (RFC 3339).
    pub at: String,

    /// Name of its DrillRun.
    pub run: String,
}

/// One member as all vantages together see it.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Name of the Region.
    pub region: String,

    /// Whether clients are led to it.
    pub serving: bool,

    /// `Healthy`, `Degraded`, `Recovering`, `Down` or `Unknown`, by the quorum of vantages.
    pub health: String,

    /// Whether it could take over now.
    pub target: bool,

    /// Why it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// Where it breaks, by all vantages together; unset while none sees a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<MemberDiagnosis>,

    /// What each vantage says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["vantage".into()]))]
    pub vantages: Vec<VantageStatus>,
}

/// What all vantages together see of a member's fault.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberDiagnosis {
    /// `OneVantage`, `LargeMessages`, `Slow`, `Stale`, `All` (every member of the service shows a fault) or `OneRegion` (this one alone).
    pub pattern: String,

    /// How far samples come: `Resolve`, `Connect`, `TLS`, `Answer`, `Body` or `Judgement`; where they are slow, what takes the most time.
    pub stage: String,

    /// In words, with how many vantages see it.
    pub message: String,
}

/// What one vantage says of one member.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VantageStatus {
    /// Region of the vantage.
    pub vantage: String,

    /// `Healthy`, `Degraded`, `Recovering`, `Failed` or `Unknown`.
    pub verdict: String,

    /// Why, with the check and its last bad outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What would happen now if a serving region were lost.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NextMove {
    /// Region whose loss is supposed, or that is lost.
    pub from: String,

    /// Regions that would serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,

    /// `Ready`: would move by itself. `Recommend`: would ask a person. `Blocked`: would do nothing.
    pub outcome: String,

    /// Rules that block it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,

    /// All of it in one sentence.
    pub message: String,
}

fn default_weight() -> i32 {
    100
}

const fn default_replicas() -> i32 {
    1
}

fn default_stop_within() -> Duration {
    Duration(std::time::Duration::from_secs(60))
}

fn default_start_within() -> Duration {
    Duration(std::time::Duration::from_secs(120))
}

fn default_lease_ttl() -> Duration {
    Duration(std::time::Duration::from_secs(15))
}

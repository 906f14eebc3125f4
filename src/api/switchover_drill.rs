//! `SwitchoverDrill`: which services are switched over in earnest, when, and within what limits.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, Guardrails, PrometheusServer, PromqlCondition, ResidualTraffic};

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "SwitchoverDrill",
    namespaced,
    status = "SwitchoverDrillStatus",
    shortname = "drill",
    category = "bongsu",
    derive = "PartialEq",
    doc = "A live switchover exercise that runs by schedule: real traffic is moved by the same steps as in a failover, held, and moved back.",
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule.cron"),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.schedule.timeZone", priority = 1),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.kind"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.next"),
    printcolumn(name = "Last", type_ = "string", json_path = ".status.lastVerdict"),
    printcolumn(name = "Active", type_ = "string", json_path = ".status.active"),
    printcolumn(name = "Suspend", type_ = "boolean", json_path = ".spec.suspend"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = ("self.metadata.name.size() <= 44", "a drill's name has at most 44 characters: its runs and their Failovers are named after it")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("duration(self.hold) < duration(self.guardrails.maxDuration)", "guardrails.maxDuration must be longer than hold: a drill also needs time to move there and back"))]
#[x_kube(validation = ("has(self.prometheus) || (!has(self.gates) && !has(self.guardrails.promql) && !has(self.residual))", "gates, guardrails.promql and residual need prometheus.url: where are their numbers asked for?"))]
#[x_kube(validation = ("!has(self.residual) || self.kind == 'Live'", "residual is looked at in Live drills only: the others lead no traffic away"))]
/// What is drilled, when, and within what limits.
pub struct SwitchoverDrillSpec {
    /// When it runs by itself. Without it, it runs only when somebody creates a DrillRun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<DrillSchedule>,

    /// Which services of this namespace are drilled. What one needs is moved before it, and back after it.
    pub services: ServiceSelector,

    /// Which way they are moved.
    pub direction: DrillDirection,

    /// What is done. Defaults to `Live`.
    #[serde(default)]
    pub kind: DrillKind,

    /// How long the services stay where they were moved to, and must stay green. Defaults to `30m`.
    #[serde(default = "default_hold")]
    pub hold: Duration,

    /// How many of the services leave at first, each step with a hold of its own. Without it they leave one after the
    /// other. A name server answers with whole members, so the load of a region is taken off it service by service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub ramp: Vec<RampStep>,

    /// What makes the drill return at once, by itself.
    #[serde(default)]
    pub guardrails: Guardrails,

    /// Numbers that must be good before it starts, such as what is left of an error budget. One that is not known keeps it
    /// from starting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub gates: Vec<PromqlCondition>,

    /// What may still arrive where the services were, at the end of `hold`. More than that is a finding, and so is a number
    /// that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual: Option<ResidualTraffic>,

    /// Where the numbers of `gates`, `guardrails.promql` and `residual` are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusServer>,

    /// Distinct people who must say yes to each run, none of them its requester. Defaults to what the GradePolicy of the
    /// services asks for, or 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9))]
    pub approvals: Option<i32>,

    /// How long before its start a run is made and announced, so that people can be told and can approve. Defaults to `24h`.
    #[serde(default = "default_notice")]
    pub notice: Duration,

    /// Two runs of this drill at the same time: `Forbid` gives the later one up, `Wait` starts it when the other is over,
    /// as long as `schedule.startingDeadline` allows. Defaults to `Forbid`.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,

    /// `true`: no run is made. One that is going on goes on. Defaults to `false`.
    #[serde(default)]
    pub suspend: bool,

    /// Runs that are kept after they are over, with their reports. Defaults to 10.
    #[serde(default = "default_history_limit")]
    #[schemars(range(min = 1, max = 100))]
    pub history_limit: i32,
}

/// When a drill runs.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("!has(self.unannouncedWithin) || !has(self.jitter)", "jitter and unannouncedWithin both draw the time: set one of them"))]
pub struct DrillSchedule {
    /// Five fields: minute, hour, day of month, month, day of week. `0 10 * * MON#1` is the first Monday of each month at
    /// ten. Where clocks are put forward, a time that does not exist is the first moment after the gap; where they are put
    /// back, one that comes twice is its first time.
    #[schemars(length(min = 9, max = 128))]
    pub cron: String,

    /// IANA time zone in which `cron` and `windows` are read, such as `Asia/Seoul`.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,

    /// Times of the day at which a run may start. Without any, any time that `cron` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub windows: Vec<DrillWindow>,

    /// Names of the Calendars that block runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub calendars: Vec<String>,

    /// How late a run may still start that was missed, for example because no Bongsu ran. Defaults to `15m`.
    #[serde(default = "default_starting_deadline")]
    pub starting_deadline: Duration,

    /// Up to this long is added to the start of each run, so that not all drills of a country start at ten. Drawn once a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Duration>,

    /// The run is not announced: it starts at some moment within this time after the one that `cron` names. The moment is
    /// drawn once and stands in no object until it has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unannounced_within: Option<Duration>,
}

/// Times of the day, on some days of the week.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self.from != self.to", "a window from a time to the same time never opens: use 00:00 to 24:00 for the whole day"))]
pub struct DrillWindow {
    /// Days of the week. None: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7))]
    pub days: Vec<Weekday>,

    /// First moment, such as `10:00`.
    #[schemars(length(max = 5), regex(pattern = r"^([01]\d|2[0-3]):[0-5]\d$"))]
    pub from: String,

    /// First moment after it; before `from`, it is that of the next day. `24:00` is midnight.
    #[schemars(length(max = 5), regex(pattern = r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"))]
    pub to: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Which services of the namespace. What is stated must all fit.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.names) || has(self.matchLabels) || has(self.partOf) || has(self.grade)", "say which services: names, matchLabels, partOf or grade"))]
pub struct ServiceSelector {
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub names: Vec<String>,

    /// By label.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,

    /// By group: `spec.partOf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub part_of: Option<String>,

    /// By grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4))]
    pub grade: Option<i32>,
}

/// Which way the services are moved.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("[has(self.awayFrom), has(self.to), self.alternate].filter(x, x).size() == 1", "say exactly one of awayFrom, to, or alternate: true"))]
pub struct DrillDirection {
    /// Away from this region, to where each service would be moved if it were lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub away_from: Option<String>,

    /// To this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub to: Option<String>,

    /// Away from the member whose drill is the longest ago.
    #[serde(default)]
    pub alternate: bool,
}

/// What a drill does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DrillKind {
    /// Supposes for as long as `hold` that what the services leave is lost, and asks whether every stage from the vantages
    /// to the decision would be passed in time. Touches nothing.
    Detection,
    /// Shows the plan of each service and every rule that would block it. Touches nothing.
    DryRun,
    /// Moves real traffic, and back.
    #[default]
    Live,
}

/// So many services leave, and the others wait.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RampStep {
    /// Percent of the selected services that have left at this step, rounded up; more than at the step before.
    #[schemars(range(min = 1, max = 99))]
    pub percent: i32,

    /// How long the others wait.
    pub hold: Duration,
}

/// What becomes of a run that comes while another one of the same drill is going on.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ConcurrencyPolicy {
    /// It is not started.
    #[default]
    Forbid,
    /// It waits.
    Wait,
}

/// What Bongsu says about a drill.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SwitchoverDrillStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The next start that nothing blocks (RFC 3339). Empty while it is suspended; the day only if it is unannounced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,

    /// The next five times that `cron` names, and what blocks them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_runs: Vec<NextRun>,

    /// The DrillRun that is going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,

    /// The DrillRun that was over last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<String>,

    /// Its verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verdict: Option<String>,

    /// Services that the selector finds, in the order in which they are moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,

    /// `Ready`: the schedule is understood, and the selector finds services.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// A time that `cron` names.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NextRun {
    /// When (RFC 3339); the day only if the drill is unannounced.
    pub at: String,

    /// Why no run starts then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,
}

// Half an hour: long enough for every resolver and every kept connection to have come over, and for a first look at the
// load; a grade's own policy may ask for more.
fn default_hold() -> Duration {
    Duration::from_secs(1_800)
}

// A day: the people of the next shift hear of it, too.
fn default_notice() -> Duration {
    Duration::from_secs(86_400)
}

fn default_history_limit() -> i32 {
    10
}

/// How late a run may start where its drill has no schedule.
pub const STARTING_DEADLINE: Duration = Duration::from_secs(900);

// A quarter of an hour: a Bongsu that restarts, or a leader that is replaced, still runs the drill; one that was gone for
// hours does not start it in the middle of a day for which nobody expected it.
const fn default_starting_deadline() -> Duration {
    STARTING_DEADLINE
}

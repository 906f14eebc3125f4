//! `Calendar`: when no drill and no planned move may run.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "bongsu.io",
    version = "v1alpha1",
    kind = "Calendar",
    status = "CalendarStatus",
    shortname = "cal",
    category = "bongsu",
    derive = "PartialEq",
    doc = "Dates and times at which no drill may run: election days, tax deadlines, the end of the year. Drills name the calendars that bind them.",
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.timeZone"),
    printcolumn(name = "Blocked-Now", type_ = "string", json_path = ".status.blockedBy"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.next"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
/// When nothing may be drilled.
pub struct CalendarSpec {
    /// IANA time zone in which the times below are read, such as `Asia/Seoul`.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,

    /// Spans of time at which nothing may be drilled.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub blocked: Vec<BlockedSpan>,
}

/// A span of time at which nothing may be drilled.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self.from < self.to", "from must be before to"))]
#[x_kube(validation = ("self.from.size() == self.to.size()", "write from and to alike: both as dates (2027-03-03), or both with times (2027-03-03T18:00)"))]
pub struct BlockedSpan {
    /// What it is for; stands in every message about a drill that it blocks.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,

    /// Its first moment, in the calendar's time zone: a date, which is its midnight, or a date and a time to the minute.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2})?$"))]
    pub from: String,

    /// The first moment after it.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2})?$"))]
    pub to: String,

    /// Whether it comes again. Without it, it is over when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
}

/// How often a span comes again, from its first time on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Repeats {
    /// At the same date of every year. 29 February comes in leap years only.
    Yearly,
    /// At the same day of every month. A day that a month does not have is left out.
    Monthly,
    /// At the same weekday of every week.
    Weekly,
    /// Every day.
    Daily,
}

/// What Bongsu says about a calendar.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarStatus {
    /// `metadata.generation` that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The span that blocks now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,

    /// The next span, with its first moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,

    /// `Ready`: every span was understood.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

//! How a member's health is judged.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Duration};

/// How the members are probed, and how many bad answers make a member bad.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("duration(self.timeout) < duration(self.interval)", "timeout must be shorter than interval, so that a hung check is over before the next one starts"))]
#[x_kube(validation = ("self.window.failures <= self.window.size", "window.failures cannot be larger than window.size: such a member would never be called down"))]
#[x_kube(validation = ("duration(self.interval) >= duration('100ms')", "interval must be at least 100ms"))]
#[x_kube(validation = ("self.checks.exists(check, !has(check.promql))", "a number is only a sign: at least one check must ask the member itself"))]
pub struct Health {
    /// Time from the start of one sample of a check to the start of the next.
    pub interval: Duration,

    /// A sample that takes longer counts as `unreachable`. Shorter than `interval`.
    pub timeout: Duration,

    /// When a vantage calls a member failed.
    #[serde(default)]
    pub window: Window,

    /// When a vantage calls a failed member healthy again.
    #[serde(default)]
    pub recovery: Recovery,

    /// How many vantages must agree.
    #[serde(default)]
    pub vantages: Vantages,

    /// The checks. A member is as good as its worst check. 1 to 16 entries.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 16))]
    pub checks: Vec<Check>,
}

/// `failures` bad samples among the last `size` make a failed verdict.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// How many of the last samples are looked at. Defaults to 5.
    #[serde(default = "default_window_size")]
    #[schemars(range(min = 1, max = 60))]
    pub size: i32,

    /// How many of them must be bad. Defaults to 3.
    #[serde(default = "default_window_failures")]
    #[schemars(range(min = 1, max = 60))]
    pub failures: i32,
}

/// `successes` good samples in a row, over at least the time `for`, make a failed or degraded member healthy again.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recovery {
    /// Good samples in a row. Defaults to 5.
    #[serde(default = "default_successes")]
    #[schemars(range(min = 1, max = 60))]
    pub successes: i32,

    /// How long the member must have been good without a break. Defaults to `60s`.
    #[serde(default = "default_recovery_for", rename = "for")]
    pub stable_for: Duration,
}

/// How many vantages must agree before a member is called anything but `Unknown`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vantages {
    /// Vantages that must say the same; at least one of them outside the member's region. Defaults to 2.
    #[serde(default = "default_quorum")]
    #[schemars(range(min = 1, max = 9))]
    pub quorum: i32,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: default_window_size(), failures: default_window_failures() }
    }
}

impl Default for Recovery {
    fn default() -> Self {
        Self { successes: default_successes(), stable_for: default_recovery_for() }
    }
}

impl Default for Vantages {
    fn default() -> Self {
        Self { quorum: default_quorum() }
    }
}

fn default_window_size() -> i32 {
    5
}

fn default_window_failures() -> i32 {
    3
}

fn default_successes() -> i32 {
    5
}

fn default_recovery_for() -> Duration {
    Duration::from_secs(60)
}

fn default_quorum() -> i32 {
    2
}

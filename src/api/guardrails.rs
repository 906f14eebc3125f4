//! What must hold before a drill starts and while it goes on.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, SecretKeyRef};

/// What makes a drill return at once, by itself. What serves failing always does.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guardrails {
    /// Whether an early sign (`Degraded`) in what serves makes it return, too. Defaults to `true`.
    #[serde(default = "yes")]
    pub degraded: bool,

    /// The drill returns when it has taken this long, wherever it stands. Defaults to `2h`.
    #[serde(default = "default_max_duration")]
    pub max_duration: Duration,

    /// It returns when, at any vantage, the slowest 5 % of the last samples of a check of a moved service take longer where
    /// it is served then. Without it, latency is judged by the checks alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_latency: Option<Duration>,

    /// It returns when, at any vantage, more than this percentage of the last samples of a check of a moved service are bad
    /// where it is served then. Without it, failures are judged by `health.window` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 99))]
    pub max_failed_percent: Option<i32>,

    /// How many of the last samples of each check `maxLatency` and `maxFailedPercent` look at. Before a vantage has so many
    /// it says nothing. Defaults to 20.
    #[serde(default = "default_samples")]
    #[schemars(range(min = 5, max = 60))]
    pub samples: i32,

    /// Numbers that must be good before the start, and as long as services are away. Asked every five seconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub promql: Vec<PromqlCondition>,

    /// The drill returns when one of the numbers of `promql` has not been known for so long: a guardrail that cannot be
    /// seen guards nothing. Defaults to `1m`.
    #[serde(default = "default_unknown_for")]
    pub unknown_for: Duration,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            degraded: yes(),
            max_duration: default_max_duration(),
            max_latency: None,
            max_failed_percent: None,
            samples: default_samples(),
            promql: Vec::new(),
            unknown_for: default_unknown_for(),
        }
    }
}

/// A number that a Prometheus knows, and where it must lie. A query that finds several series is good if all of their values
/// are; one that finds none, or `NaN`, says nothing.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.min) || has(self.max)", "say where the value must lie: min, max or both"))]
#[x_kube(validation = ("!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)", "min must not be above max"))]
pub struct PromqlCondition {
    /// Name, for messages and the report.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// What is asked, without a comparison: a comparison that does not hold finds nothing, and that is no number.
    #[schemars(length(min = 1, max = 4_096))]
    pub query: String,

    /// The smallest good value, as a decimal number such as `"0.2"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
    pub min: Option<String>,

    /// The largest good value, as a decimal number such as `"0.01"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
    pub max: Option<String>,

    /// How long the value must be out of its limits before the drill returns; of a gate it says nothing. Defaults to `0s`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Duration>,
}

/// What still arrives where the services were, by a number that a Prometheus knows.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResidualTraffic {
    /// What is asked, without a comparison, such as `sum(rate(requests_total{region="daejeon"}[1m]))`.
    #[schemars(length(min = 1, max = 4_096))]
    pub query: String,

    /// The largest good value, as a decimal number such as `"0.5"`.
    #[schemars(length(max = 32), regex(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
    pub max: String,
}

/// Where numbers are asked for. Each region's Bongsu asks there while it leads; so it must not depend on what is drilled.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusServer {
    /// Its base URL, such as `http://prometheus.monitoring.svc:9090`, without `/api/v1`.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^https?://[^@?#\s]+$"))]
    pub url: String,

    /// A bearer token that says who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeyRef>,

    /// PEM certificates of the authorities to trust, for `https`. Unset: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: Option<String>,
}

// Four times the default hold.
fn default_max_duration() -> Duration {
    Duration::from_secs(7_200)
}

// Of twenty samples one may be slow without being the 95th percentile, and at an interval of two seconds they are there
// before the TTL of most answers has run out.
fn default_samples() -> i32 {
    20
}

// Twelve questions: a Prometheus that is restarted answers again within it, and one that is gone is noticed soon.
fn default_unknown_for() -> Duration {
    Duration::from_secs(60)
}

const fn yes() -> bool {
    true
}

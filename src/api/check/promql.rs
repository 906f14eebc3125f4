//! A number about a member, from somebody who counts.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::super::PrometheusServer;

/// A number about the member that a Prometheus knows, such as the length of a queue, and where it must lie. An early sign and never
/// more: outside of its limits it makes the member degraded, so that it is no target and people are told, and it moves nothing. A
/// Prometheus that does not answer says nothing about the member.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.min) || has(self.max)", "say where the value must lie: min, max or both"))]
#[x_kube(validation = ("!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)", "min must not be above max"))]
pub struct PromqlCheck {
    /// Where the number is asked for, by every vantage.
    pub prometheus: PrometheusServer,

    /// What is asked, without a comparison: a comparison that does not hold finds nothing, and that is no number. `$region` stands for the
    /// member's region, as in `max(queue_length{region="$region"})`. Every series that is found must lie within the limits.
    #[schemars(length(min = 1, max = 4_096))]
    pub query: String,

    /// The smallest good value, as a decimal number such as `"0.2"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
    pub min: Option<String>,

    /// The largest good value, as a decimal number such as `"1000"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
    pub max: Option<String>,
}

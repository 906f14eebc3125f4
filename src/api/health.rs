//! How a member's health is judged.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

/// How the members are probed, and how many bad answers make a member bad.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("duration(self.timeout) < duration(self.interval)", "timeout must be shorter than interval, so that a hung check is over before the next one starts"))]
#[x_kube(validation = ("self.window.failures <= self.window.size", "window.failures cannot be larger than window.size: such a member would never be called down"))]
#[x_kube(validation = ("duration(self.interval) >= duration('100ms')", "interval must be at least 100ms"))]
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

/// One kind of probe that finishes a real transaction. Exactly one of `http` and `tcp` is set.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.http) != has(self.tcp)", "set exactly one of http and tcp"))]
pub struct Check {
    /// Name, unique in the service; used as a metric label.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// An HTTP or HTTPS request to the member's endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,

    /// A TCP connection to the member's endpoint. Finishes no transaction: use it only beside an `http` check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpCheck>,
}

/// An HTTP request whose body is the judge. Redirects are not followed.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("!(has(self.body) && has(self.generatedBody))", "set at most one of body and generatedBody"))]
pub struct HttpCheck {
    /// Method. Defaults to `GET`.
    #[serde(default)]
    pub method: HttpMethod,

    /// Path and query, appended to the member's endpoint. Defaults to `/`.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// Headers sent besides `Host`, `User-Agent` and `Content-Length`. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub headers: Vec<Header>,

    /// Body, sent as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65_536))]
    pub body: Option<String>,

    /// A body made by the probe, to send a message larger than one packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated_body: Option<GeneratedBody>,

    /// Status codes that are good. Defaults to `[200]`.
    #[serde(default = "default_expected_status")]
    #[schemars(length(min = 1, max = 16), inner(range(min = 100, max = 599)))]
    pub expected_status: Vec<i32>,

    /// A CEL expression over the answer that must be true, such as `body.result == "good"`. It sees `body` (the JSON
    /// body), `status` (number) and `headers` (map, lower-case names). Without it the body is read but not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub expect: Option<String>,

    /// A good answer that takes longer than this is `slow`, an early sign. Unset: any answer within the timeout is fast enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_latency: Option<Duration>,

    /// A body larger than this many bytes is `wrong`, and no more of it is read. Defaults to 65536.
    #[serde(default = "default_max_body_bytes")]
    #[schemars(range(min = 1, max = 8_388_608))]
    pub max_body_bytes: i32,

    /// Keep the connection open between samples. The default, a new connection for each sample, sees what a new client sees.
    #[serde(default)]
    pub keep_alive: bool,

    /// How the member's certificate is verified. Used with `https` endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

/// HTTP method of a check.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Read.
    #[default]
    Get,
    /// Read the headers only.
    Head,
    /// Send a body.
    Post,
    /// Send a body.
    Put,
}

/// One header.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Name.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,

    /// Value.
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// A body of a given size.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratedBody {
    /// Bytes. Use 4096 to be sure that the message needs several packets.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub size: i32,
}

/// How a member's certificate is verified.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsOptions {
    /// Name that the certificate must carry. Defaults to the endpoint's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,

    /// PEM certificates of the authorities to trust. Unset: those of the system. Must not depend on the service that is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: Option<String>,
}

/// A TCP connection.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpCheck {
    /// Port. Defaults to the endpoint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i32>,

    /// A connection that takes longer than this is `slow`, an early sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_latency: Option<Duration>,
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

fn default_path() -> String {
    "/".to_owned()
}

fn default_expected_status() -> Vec<i32> {
    vec![200]
}

fn default_max_body_bytes() -> i32 {
    65_536
}

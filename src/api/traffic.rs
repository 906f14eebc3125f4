//! How citizens are led to the members that serve.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

/// One way by which clients find the serving members. Exactly one of `dns` and `served` is set.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.dns) != has(self.served)", "set exactly one of dns and served"))]
#[x_kube(validation = ("duration(self.ttl) >= duration('1s') && duration(self.ttl) <= duration('24h')", "ttl must be between 1s and 24h"))]
pub struct Traffic {
    /// Name, unique in the service.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// How long resolvers may keep the answer; part of the recovery time. Whole seconds. Defaults to `5s`.
    #[serde(default = "default_ttl")]
    pub ttl: Duration,

    /// Dynamic update (RFC 2136) of an existing name server, signed with TSIG (RFC 8945).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsUpdate>,

    /// Bongsu itself answers for a delegated zone, in every region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<ServedZone>,
}

/// A name that Bongsu updates on other name servers.
///
/// The A and AAAA records of `name` are Bongsu's, and a TXT record `_bongsu.NAME` that holds the fencing epoch: the name
/// server itself refuses an update that was decided under an older epoch.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self.name == self.zone || self.name.endsWith('.' + self.zone)", "name must be inside zone"))]
pub struct DnsUpdate {
    /// Zone that is updated, without the final dot.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?$"))]
    pub zone: String,

    /// Name whose addresses are published, without the final dot.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?$"))]
    pub name: String,

    /// Primary servers of the zone. The first that takes the update counts; those behind are named in status and
    /// brought up to date later. 1 to 8 entries.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["address".into()]))]
    #[schemars(length(min = 1, max = 8))]
    pub servers: Vec<DnsServer>,

    /// Key that signs the updates.
    pub tsig: TsigKey,
}

/// One primary name server.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsServer {
    /// IP address and port, such as `192.0.2.53:53` or `[2001:db8::53]:53`.
    #[schemars(length(min = 3, max = 64))]
    pub address: String,
}

/// A TSIG key (RFC 8945).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TsigKey {
    /// Name of the key as the name server knows it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Algorithm. Defaults to `hmac-sha256`.
    #[serde(default)]
    pub algorithm: TsigAlgorithm,

    /// Where the secret is, in base64 as name servers print it.
    pub secret_ref: SecretKeyRef,
}

/// TSIG algorithm.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TsigAlgorithm {
    /// HMAC-SHA-256.
    #[default]
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// HMAC-SHA-384.
    #[serde(rename = "hmac-sha384")]
    HmacSha384,
    /// HMAC-SHA-512.
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
}

/// One key of a Secret in the namespace of the object that refers to it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Key in the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A name that Bongsu itself answers for.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self.name == self.zone || self.name.endsWith('.' + self.zone)", "name must be inside zone"))]
pub struct ServedZone {
    /// Zone that the parent delegates to Bongsu in two or more regions, without the final dot.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?$"))]
    pub zone: String,

    /// Name whose addresses are published, without the final dot.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?$"))]
    pub name: String,

    /// Host names of the name servers that the zone names as its own (NS records), without the final dot. 1 to 8 entries.
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 253)))]
    pub name_servers: Vec<String>,
}

/// What is published now through one entry of `spec.traffic`.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficStatus {
    /// Name of the entry of `spec.traffic`.
    pub name: String,

    /// Epoch that the last acknowledged update carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,

    /// Addresses that were read back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,

    /// Servers that did not take the last update yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,

    /// What a server answered that is not in step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

fn default_ttl() -> Duration {
    Duration::from_secs(5)
}

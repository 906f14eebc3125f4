//! Whether certificates are revoked, asked of a responder.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{super::Duration, TlsOptions, default_expires_within, default_path};

/// Questions to an OCSP responder (RFC 6960) about certificates whose status is known. Each is asked in each way within one sample, and each
/// answer's signature, signer, dates, nonce and status are verified.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("self.canaries.exists(canary, canary.expect != 'Good')", "one canary must not be good: a responder that calls everything good is not noticed otherwise"))]
pub struct OcspCheck {
    /// Path of the responder. Defaults to `/`.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// The CA of the canaries, in PEM. It signs the answers, or a certificate that it issued for that purpose does.
    #[schemars(length(min = 1, max = 65_536))]
    pub issuer: String,

    /// Certificates whose status is known. Take several serial numbers, so that some requests have a `/` or `+` in base64. 1 to 8 entries.
    #[schemars(length(min = 1, max = 8))]
    pub canaries: Vec<OcspCanary>,

    /// How the responder is asked. Defaults to both.
    #[serde(default = "default_methods")]
    #[schemars(length(min = 1, max = 2))]
    pub methods: Vec<OcspMethod>,

    /// Whether an answer must repeat the random number of the request. Responders that sign beforehand cannot. Defaults to `Required`.
    #[serde(default)]
    pub nonce: NonceRule,

    /// What an answer says must not be older than this. Unset: it is good for as long as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,

    /// How far the responder's clock may be ahead. Defaults to `1m`.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Duration,

    /// A responder's certificate that runs out within this time makes the sample `expiring`, an early sign. Defaults to `168h`.
    #[serde(default = "default_expires_within")]
    pub expires_within: Duration,

    /// How the member's certificate is verified. Used with `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

/// A certificate whose status is known.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OcspCanary {
    /// Serial number in hexadecimal, as `openssl x509 -serial` prints it.
    #[schemars(length(min = 2, max = 62), regex(pattern = "^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2})*$"))]
    pub serial: String,

    /// What the responder must say of it.
    pub expect: Revocation,
}

/// What a responder says of a certificate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Revocation {
    /// It is not revoked.
    Good,
    /// It is revoked.
    Revoked,
    /// The responder does not know it.
    Unknown,
}

/// How an OCSP responder is asked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OcspMethod {
    /// The request in the path: what caches can answer.
    Get,
    /// The request in the body.
    Post,
}

/// Whether an answer must repeat the random number of the request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum NonceRule {
    /// An answer without it is wrong.
    #[default]
    Required,
    /// An answer may leave it out; another number is wrong.
    Optional,
    /// None is sent.
    // Not `Off`, which kubectl and Helm read as false (YAML 1.1).
    None,
}

fn default_methods() -> Vec<OcspMethod> {
    vec![OcspMethod::Get, OcspMethod::Post]
}

fn default_clock_skew() -> Duration {
    Duration::from_secs(60)
}

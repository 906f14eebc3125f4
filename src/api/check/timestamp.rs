//! What time it is, signed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{super::Duration, TlsOptions, default_expires_within, default_path};

/// A request to a timestamp authority (RFC 3161) for a random hash: the answer's status, imprint, nonce, signature and time are verified.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimestampCheck {
    /// Path of the authority. Defaults to `/`.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// PEM certificates of the authorities that may have issued the certificate of who signs the time.
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: String,

    /// Object identifier of the policy that the time must be given under. Unset: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 128), regex(pattern = r"^[0-2](\.(0|[1-9][0-9]*))+$"))]
    pub policy: Option<String>,

    /// How far the signed time may be from this host's clock, beyond the accuracy that it states itself. Defaults to `1s`.
    #[serde(default = "default_max_difference")]
    pub max_difference: Duration,

    /// A certificate that runs out within this time makes the sample `expiring`, an early sign. Defaults to `168h`.
    #[serde(default = "default_expires_within")]
    pub expires_within: Duration,

    /// How the member's certificate is verified. Used with `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

fn default_max_difference() -> Duration {
    Duration::from_secs(1)
}

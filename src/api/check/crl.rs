//! A list of revoked certificates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{super::Duration, TlsOptions};

/// A list of revoked certificates (RFC 5280 §5), in DER or PEM: its signature, dates and number are verified, and that it names a certificate
/// that is known to be revoked. An unchanged list is not read again.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CrlCheck {
    /// Path of the list.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// The CA that signs the list, in PEM.
    #[schemars(length(min = 1, max = 65_536))]
    pub issuer: String,

    /// Serial number, in hexadecimal, of a certificate that the list must name. Unset: that the list is empty by mistake is not noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 62), regex(pattern = "^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2})*$"))]
    pub revoked: Option<String>,

    /// The list must not be older than this. Unset: it is good until its `nextUpdate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,

    /// Less than so much of its lifetime left makes the sample `expiring`, an early sign. Percent. Defaults to 25.
    #[serde(default = "default_lifetime_left")]
    #[schemars(range(min = 0, max = 99))]
    pub lifetime_left_percent: i32,

    /// A longer list is `wrong`, and no more of it is read. Defaults to 4194304.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub max_bytes: i32,

    /// How the member's certificate is verified. Used with `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

pub(super) fn default_lifetime_left() -> i32 {
    25
}

fn default_max_bytes() -> i32 {
    4_194_304
}

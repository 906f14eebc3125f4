//! The certificates of a TLS server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{super::Duration, default_expires_within};

/// A full TLS handshake with the member, also where its endpoint is not `https`. The handshake verifies the way to a trusted authority; of all
/// certificates that are shown, the one that runs out first is named. Finishes no transaction: use it beside another check.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsCheck {
    /// Name that the certificate must carry. Defaults to the endpoint's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,

    /// PEM certificates of the authorities to trust. Unset: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: Option<String>,

    /// A certificate that runs out within this time makes the sample `expiring`, an early sign. Defaults to `168h`.
    #[serde(default = "default_expires_within")]
    pub expires_within: Duration,
}

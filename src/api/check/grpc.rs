//! What a gRPC server says of itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TlsOptions;

/// A question by the gRPC health checking protocol, `grpc.health.v1.Health/Check`. Any answer but `SERVING` is `wrong`. HTTP/2 in the clear or
/// over TLS, as the endpoint or `scheme` says.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcCheck {
    /// Service that is asked about, such as `gpki.v1.Verifier`. Defaults to the empty name, which means the server as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub service: String,

    /// How the member's certificate is verified. Used over TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

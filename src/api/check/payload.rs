//! Messages of several sizes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TlsOptions, default_path, default_true};

/// Messages of several sizes, each posted on a connection of its own, all at the same time. A path that loses large packets lets every small
/// check pass; this one says from which size on messages are lost. A packet carries the request's head of about 200 bytes besides the body.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PayloadCheck {
    /// Path and query that messages are posted to. Defaults to `/`.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// Bytes of the body of each message, in any order. 2 to 8 entries. Defaults to `[64, 512, 1400, 1500, 4096, 8192]`.
    #[serde(default = "default_sizes")]
    #[schemars(length(min = 2, max = 8), inner(range(min = 1, max = 65_536)))]
    pub sizes: Vec<i32>,

    /// The member answers status 200 with the body that it got, so that large answers are tried as well. `false`: status 200 is enough.
    /// Defaults to `true`.
    #[serde(default = "default_true")]
    pub echo: bool,

    /// How the member's certificate is verified. Used with `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

fn default_sizes() -> Vec<i32> {
    vec![64, 512, 1400, 1500, 4096, 8192]
}

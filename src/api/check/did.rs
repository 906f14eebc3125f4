//! What a ledger of identities says, and whether it goes on.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{super::Duration, TlsOptions, default_path};

/// Questions to a ledger of decentralised identifiers: whether a DID resolves (W3C DID Core), what it says of credentials whose status is
/// known, and whether its newest block moves on. What is set is asked one after the other within one sample.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.resolve) || has(self.statuses) || has(self.head)", "set at least one of resolve, statuses and head"))]
#[x_kube(validation = ("!has(self.statuses) || self.statuses.exists(canary, canary.httpStatus != self.statuses[0].httpStatus || has(canary.expect) != has(self.statuses[0].expect) || (has(canary.expect) && canary.expect != self.statuses[0].expect))", "the statuses must not all be the same: a ledger that says the same of everything is not noticed otherwise"))]
pub struct DidCheck {
    /// A DID whose document must be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve: Option<DidResolve>,

    /// Credentials whose status is known. Take one that is active, one that is revoked and one that nobody issued. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub statuses: Vec<DidStatus>,

    /// The newest block, which must move on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<DidHead>,

    /// How the member's certificate is verified. Used with `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

/// A DID whose document must be found: about this DID, not deactivated, with at least one verification method (W3C DID Core §5).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DidResolve {
    /// The DID, such as `did:kr:mobileid:issuer`.
    #[schemars(
        length(min = 7, max = 256),
        regex(pattern = "^did:[a-z0-9]+:([A-Za-z0-9._%-]*:)*[A-Za-z0-9._%-]+$")
    )]
    pub did: String,

    /// Path and query of the document; `{did}` in it stands for the DID.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// JSON pointer (RFC 6901) to the document in the answer, such as `/data/didDoc`. What is there may also be a text: JSON, or JSON in base64 as
    /// OpenDID sends it (multibase `m` or `u`). Unset: the whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^(/([^~/]|~[01])*)*$"))]
    pub document: Option<String>,

    /// A verification method that the document must have: its `id`, whole (`did:kr:mobileid:issuer#key-1`) or the part after `#`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub key_id: Option<String>,

    /// The public key of that method, or without `keyId` of any: what one of its text fields whose names begin with `publicKey` must say, such
    /// as `publicKeyMultibase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub public_key: Option<String>,
}

/// A credential whose status is known.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.expect) || self.httpStatus != 200", "set expect, or httpStatus where it alone says that the credential is unknown"))]
pub struct DidStatus {
    /// Path and query that the status is asked by, such as `/api/v1/vc-meta?vcId=canary-revoked`.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// JSON pointer (RFC 6901) to the status in the answer. It also leads into a text that is JSON, or JSON in base64. Defaults to `/status`.
    #[serde(default = "default_status_pointer")]
    #[schemars(length(max = 256), regex(pattern = "^(/([^~/]|~[01])*)*$"))]
    pub pointer: String,

    /// What must be there, letter for letter, such as `REVOKED`. Unset: only the HTTP status counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub expect: Option<String>,

    /// HTTP status that the answer must have, such as 404 for a credential that nobody issued. Defaults to 200.
    #[serde(default = "default_http_status")]
    #[schemars(range(min = 100, max = 599))]
    pub http_status: i32,
}

/// The newest block of a chain. Its number never goes down and moves on in time.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.rpc) || has(self.number)", "set rpc, or number to say where in the answer to a GET the block's number is"))]
pub struct DidHead {
    /// Path that is asked. Defaults to `/`.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// The question in JSON-RPC. Unset: a plain GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc: Option<ChainRpc>,

    /// JSON pointer (RFC 6901) to the block's number, decimal or in hexadecimal behind `0x`. With `rpc` it has a default that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^(/([^~/]|~[01])*)*$"))]
    pub number: Option<String>,

    /// JSON pointer (RFC 6901) to the time when the block was made: RFC 3339, or seconds since 1970, decimal or in hexadecimal behind `0x`. With
    /// `EthGetBlockByNumber` it has a default that fits. Unset otherwise: its age is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^(/([^~/]|~[01])*)*$"))]
    pub time: Option<String>,

    /// A number that stays the same for longer than this is `wrong`: three times the time from one block to the next. Defaults to `15s`.
    #[serde(default = "default_max_stall")]
    pub max_stall: Duration,

    /// How many blocks below the highest one that was seen an answer may be, for a member behind which several nodes answer. Defaults to 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_000))]
    pub max_behind: i32,

    /// How far the block's time may be from this host's clock. Defaults to `1m`.
    #[serde(default = "default_max_age")]
    pub max_age: Duration,
}

/// A question to a node of an Ethereum chain, such as Besu.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ChainRpc {
    /// `eth_blockNumber`: the number of the newest block.
    EthBlockNumber,
    /// `eth_getBlockByNumber` of the newest block: its number and its time.
    EthGetBlockByNumber,
}

fn default_status_pointer() -> String {
    "/status".to_owned()
}

pub(super) fn default_http_status() -> i32 {
    200
}

fn default_max_stall() -> Duration {
    Duration::from_secs(15)
}

fn default_max_age() -> Duration {
    Duration::from_secs(60)
}

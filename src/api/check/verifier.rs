//! A presentation of an identity, message by message.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Header, TlsOptions, did::default_http_status};

/// The messages by which a wallet presents an identity to a verifier, such as M310 and M400 of mobile ID: sent one after the other in one
/// sample, each made from what the answers before it said. HTTP 200 says nothing here: each answer says itself whether it is right.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifierCheck {
    /// The messages, in order. 1 to 8 entries.
    #[schemars(length(min = 1, max = 8))]
    pub steps: Vec<VerifierStep>,

    /// How the member's certificate is verified. Used with `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

/// One message and what its answer must be. In `path`, `headers`, `body` and `data` a name in braces, such as `{trxcode}`, stands for a value
/// that a step before has captured; `{nonce}` (32 hexadecimal digits) and `{uuid}` are drawn anew for each sample, unless a step captures
/// them. What comes from an answer is escaped for the place where it is put.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("!(has(self.body) && has(self.data))", "set at most one of body and data"))]
#[x_kube(validation = ("self.result != '' || has(self.expect) || has(self.expectCode)", "without result nothing is judged: set expect or expectCode"))]
pub struct VerifierStep {
    /// Name, unique in the check; what is wrong is said with it.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// Method. Defaults to `POST`.
    #[serde(default)]
    pub method: StepMethod,

    /// Path and query.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,

    /// Headers sent besides `Host`, `User-Agent` and `Content-Length`. `Content-Type` defaults to JSON. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub headers: Vec<Header>,

    /// Body in JSON. A text that was captured is put between the quotes that stand there; anything else as the JSON that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16_384))]
    pub body: Option<String>,

    /// A message of mobile ID in JSON, written as `body` is: sent in base64 as `data` of the body `{"data": "…"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16_384))]
    pub data: Option<String>,

    /// Values of the answer that later steps need. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub captures: Vec<Capture>,

    /// HTTP status that the answer must have. Defaults to 200.
    #[serde(default = "default_http_status")]
    #[schemars(range(min = 100, max = 599))]
    pub http_status: i32,

    /// JSON pointer (RFC 6901) to what must be `true` in the answer, or `false` with `expectCode`. Empty for answers that have no such thing;
    /// then `expect` or `expectCode` judges. Defaults to `/result`.
    #[serde(default = "default_result")]
    #[schemars(length(max = 256), regex(pattern = "^(/([^~/]|~[01])*)*$"))]
    pub result: String,

    /// The message must be refused with this code, such as `20401`: for a forged presentation or a nonce that is not the right one. A verifier
    /// that takes it is `wrong`. The code is looked for in `errcode` and `code`, also inside of `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub expect_code: Option<String>,

    /// A CEL expression over the answer that must be true. It sees `body`, `status` and `headers`; a text right
    /// in the body that holds JSON, or JSON in base64, is seen as that JSON, such as `body.data.profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub expect: Option<String>,
}

/// A value of an answer.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Name by which later steps use it.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[A-Za-z][A-Za-z0-9]*$"))]
    pub name: String,

    /// JSON pointer (RFC 6901) to the value. It also leads into a text that is JSON, or JSON in base64.
    #[schemars(length(max = 256), regex(pattern = "^(/([^~/]|~[01])*)*$"))]
    pub pointer: String,
}

/// Method of a step.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StepMethod {
    /// Read.
    Get,
    /// Send a body.
    #[default]
    Post,
    /// Send a body.
    Put,
}

fn default_result() -> String {
    "/result".to_owned()
}

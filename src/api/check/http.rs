//! A transaction over HTTP.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{super::SecretKeyRef, TlsOptions, default_path};

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

    /// A CEL expression over the answer that must be true, such as `body.result == "good"`. It sees `body` (by `format`),
    /// `status` (number) and `headers` (map, lower-case names). Without it the body is read but not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub expect: Option<String>,

    /// What the body is, for `expect`. `Text`: `body` is a text. `Xml`: elements by their names without namespaces, attributes as `@name`,
    /// text beside other things as `#text`, several elements of one name as a list. `Cbor`: as JSON, bytes in base64. Defaults to `Json`.
    #[serde(default, skip_serializing_if = "BodyFormat::is_json")]
    pub format: BodyFormat,

    /// A body larger than this many bytes is `wrong`, and no more of it is read. Defaults to 65536.
    #[serde(default = "default_max_body_bytes")]
    #[schemars(range(min = 1, max = 8_388_608))]
    pub max_body_bytes: i32,

    /// Keep the connection open between samples; over TLS until the next full handshake (`tls.fullHandshakeEvery`). The default, a new
    /// connection for each sample, sees what a new client sees.
    #[serde(default)]
    pub keep_alive: bool,

    /// Ask by HTTP/2 (RFC 9113) instead of HTTP/1.1, in the clear with prior knowledge.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub http2: bool,

    /// How the member's certificate is verified. Used with `https` endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

/// What the body of an answer is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum BodyFormat {
    /// JSON (RFC 8259).
    #[default]
    Json,
    /// Text in UTF-8.
    Text,
    /// XML without a document type.
    Xml,
    /// CBOR (RFC 8949).
    Cbor,
}

impl BodyFormat {
    fn is_json(&self) -> bool {
        *self == Self::Json
    }
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
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("has(self.value) != has(self.secretKeyRef)", "set one of value and secretKeyRef"))]
pub struct Header {
    /// Name.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,

    /// Value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,

    /// Where a value is that is secret, such as a token. A line break at its end is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
}

/// A body of a given size.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratedBody {
    /// Bytes. Use 4096 to be sure that the message needs several packets.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub size: i32,
}

fn default_expected_status() -> Vec<i32> {
    vec![200]
}

fn default_max_body_bytes() -> i32 {
    65_536
}

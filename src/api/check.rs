//! What a probe does, and how its answer is judged: one file for each kind.

mod crl;
mod did;
mod dns;
mod grpc;
mod http;
mod ldap;
mod ocsp;
mod payload;
mod promql;
mod timestamp;
mod tls;
mod verifier;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;
pub use crl::CrlCheck;
pub use did::{ChainRpc, DidCheck, DidHead, DidResolve, DidStatus};
pub use dns::{DnsCheck, DnsRecordType, DnsTransport};
pub use grpc::GrpcCheck;
pub use http::{BodyFormat, GeneratedBody, Header, HttpCheck, HttpMethod};
pub use ldap::{LdapBind, LdapCertificate, LdapCheck, LdapCrl, LdapEncryption, LdapScope, LdapSearch};
pub use ocsp::{NonceRule, OcspCanary, OcspCheck, OcspMethod, Revocation};
pub use payload::PayloadCheck;
pub use promql::PromqlCheck;
pub use timestamp::TimestampCheck;
pub use tls::TlsCheck;
pub use verifier::{Capture, StepMethod, VerifierCheck, VerifierStep};

/// One probe. Exactly one kind of it is set. At least one check of a service should finish a real transaction.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("[has(self.http), has(self.tcp), has(self.tls), has(self.ocsp), has(self.crl), has(self.timestamp), has(self.ldap), has(self.payload), has(self.grpc), has(self.dns), has(self.did), has(self.verifier), has(self.promql)].filter(set, set).size() == 1", "set exactly one kind of check, such as http or ocsp"))]
#[x_kube(validation = ("!has(self.scheme) || has(self.http) || has(self.ocsp) || has(self.crl) || has(self.timestamp) || has(self.payload) || has(self.grpc) || has(self.did) || has(self.verifier)", "scheme is for checks over HTTP, such as http and ocsp"))]
#[x_kube(validation = ("!has(self.promql) || (!has(self.port) && !has(self.maxLatency))", "promql does not reach the member: it has no port and no maxLatency"))]
pub struct Check {
    /// Name, unique in the service; used as a metric label.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// Port of the member. Defaults to that of its endpoint; for `dns` to 53.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i32>,

    /// Whether a check over HTTP is made in the clear or over TLS. Defaults to what the member's endpoint says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<CheckScheme>,

    /// A good answer that takes longer than this is `slow`, an early sign. Unset: any answer within the timeout is fast enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_latency: Option<Duration>,

    /// An HTTP or HTTPS request to the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,

    /// A TCP connection to the member. Finishes no transaction: use it only beside another check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpCheck>,

    /// The certificates that the member shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsCheck>,

    /// Questions to an OCSP responder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<OcspCheck>,

    /// A list of revoked certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<CrlCheck>,

    /// A request to a timestamp authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampCheck>,

    /// A search in a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapCheck>,

    /// Messages of several sizes, to find a path that loses large packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadCheck>,

    /// The health of a gRPC server as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcCheck>,

    /// A question to the member as a name server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsCheck>,

    /// Questions to a ledger of decentralised identifiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<DidCheck>,

    /// A presentation of an identity to a verifier, message by message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<VerifierCheck>,

    /// A number about the member that a Prometheus knows: an early sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promql: Option<PromqlCheck>,
}

/// How a check over HTTP is made.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckScheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// How a member's certificate is verified.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsOptions {
    /// Name that the certificate must carry. Defaults to the endpoint's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,

    /// PEM certificates of the authorities to trust. Unset: those of the system. Must not depend on the service that is probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: Option<String>,

    /// A Secret of type `kubernetes.io/tls` in the namespace of the service, with the certificate by which the probe says who it is
    /// (`tls.crt`, `tls.key`), for members that ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretRef>,

    /// Keys of which one must be that of a certificate which the member shows (RFC 7469 §2.4): `sha256/` and the base64 of the SHA-256 of
    /// its SubjectPublicKeyInfo. Comes on top of the chain, the name and the dates. Name the next key before it is used. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 51), regex(pattern = "^sha256/[A-Za-z0-9+/]{43}=$")))]
    pub pins: Vec<String>,

    /// A full handshake, in which the member shows its certificates, on the first of so many connections; with the others the session is
    /// resumed (RFC 8446 §2.2), which costs the member less. A sample is one connection, and of a check that asks several things several. With
    /// `keepAlive`: so many samples on one connection. Defaults to 1, with `keepAlive` to 60. A certificate that ran out is seen so much later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub full_handshake_every: Option<i32>,
}

/// A Secret in the namespace of the object that refers to it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A TCP connection, opened and closed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TcpCheck {}

const fn default_true() -> bool {
    true
}

fn default_path() -> String {
    "/".to_owned()
}

fn default_expires_within() -> Duration {
    Duration::from_secs(7 * 86_400)
}

//! What each kind of check asks and expects, with every default filled in.

mod did;
mod verifier;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

pub use did::{ChainRpc, DidHead, DidResolve, DidSpec, DidStatus};
pub use verifier::{StepBody, StepSpec, VerifierSpec, VerifierStep};

use crate::domain::Limits;

/// An HTTP request and what a good answer is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpSpec {
    /// Method, upper case.
    pub method: &'static str,
    /// Path and query.
    pub path: Arc<str>,
    /// Headers besides `Host`, `User-Agent` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// Headers whose values are in Secrets.
    pub secret_headers: Vec<(String, SecretRef)>,
    /// Body; empty for none.
    pub body: bytes::Bytes,
    /// Good status codes.
    pub expected_status: Vec<u16>,
    /// CEL expression over `body`, `status` and `headers` that must be true.
    pub expect: Option<Arc<str>>,
    /// A body with more bytes is wrong.
    pub max_body_bytes: usize,
    /// What the body is.
    pub format: BodyFormat,
    /// Keep the connection between samples.
    pub keep_alive: bool,
    /// Ask by HTTP/2, in the clear too.
    pub http2: bool,
    /// How the certificate is verified.
    pub tls: TlsSpec,
}

/// What the body of an answer is, for the expression that judges it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyFormat {
    /// JSON.
    Json,
    /// Text.
    Text,
    /// XML.
    Xml,
    /// CBOR (RFC 8949).
    Cbor,
}

/// A number about a member that a Prometheus knows.
#[derive(Clone, Debug, PartialEq)]
pub struct PromqlSpec {
    /// The base URL of the Prometheus.
    pub url: Arc<str>,
    /// A bearer token that says who asks.
    pub token: Option<SecretRef>,
    /// PEM certificates of its authorities; `None`: the system's.
    pub ca_bundle: Option<Arc<str>>,
    /// What is asked.
    pub query: Arc<str>,
    /// Where the number must lie.
    pub limits: Limits,
}

/// How a certificate is verified.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TlsSpec {
    /// Name that the certificate must carry; `None`: the endpoint's host.
    pub server_name: Option<Arc<str>>,
    /// PEM certificates of the authorities; `None`: the system's.
    pub ca_bundle: Option<Arc<str>>,
    /// Who the probe says it is; `None`: nobody.
    pub client: Option<ClientCertificate>,
    /// One certificate that the member shows must be for one of these keys; empty: any.
    pub pins: Vec<Pin>,
    /// A full handshake on the first of so many connections, or one connection for so many samples; `None`: as the check has it.
    pub full_handshake_every: Option<NonZeroU32>,
}

/// SHA-256 of a public key as it stands in a certificate (RFC 7469 §2.4).
pub type Pin = [u8; 32];

/// Where a client's certificate is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientCertificate {
    /// Its certificates in PEM, its own first.
    pub certificates: SecretRef,
    /// Its private key in PEM.
    pub key: SecretRef,
}

/// One key of a Secret.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SecretRef {
    /// Namespace of the Secret.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The key in it.
    pub key: Arc<str>,
}

/// What is expected of the certificates of a TLS server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsCheckSpec {
    /// How they are verified.
    pub tls: TlsSpec,
    /// One that runs out within this time is an early sign.
    pub expires_within: Duration,
}

/// A certificate's serial number: the bytes of an unsigned number, without leading zeros (RFC 5280 §4.1.2.2).
pub type Serial = Arc<[u8]>;

/// What is asked of an OCSP responder (RFC 6960), and what is expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OcspSpec {
    /// Path of the responder.
    pub path: Arc<str>,
    /// How it is asked: each canary in each of these ways.
    pub methods: Vec<OcspMethod>,
    /// The CA of the canaries, in PEM: the first certificate. It signs the answers, or who does for it.
    pub issuer: Arc<str>,
    /// Certificates whose status is known.
    pub canaries: Vec<OcspCanary>,
    /// Whether the answer must repeat a number that was never used before.
    pub nonce: NonceRule,
    /// Largest age of what the answer says; `None`: as long as it says itself.
    pub max_age: Option<Duration>,
    /// How far the responder's clock may be ahead of this one's.
    pub clock_skew: Duration,
    /// A responder's certificate that runs out within this time is an early sign.
    pub expires_within: Duration,
    /// How its certificate is verified, over TLS.
    pub tls: TlsSpec,
}

/// How an OCSP responder is asked (RFC 6960 appendix A).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OcspMethod {
    /// The request in base64 behind the path.
    Get,
    /// The request as the body.
    Post,
}

/// A certificate whose status is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OcspCanary {
    /// Its serial number.
    pub serial: Serial,
    /// What the responder must say of it.
    pub expected: Revocation,
}

/// What a responder says of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revocation {
    /// It is not revoked.
    Good,
    /// It is revoked.
    Revoked,
    /// The responder does not know it.
    Unknown,
}

impl Revocation {
    /// The word in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether an answer must repeat the number of the request (RFC 8954).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NonceRule {
    /// It must.
    Required,
    /// It may leave it out; another one is wrong.
    Optional,
    /// None is sent.
    None,
}

/// Where a list of revoked certificates is (RFC 5280 §5), and what is expected of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CrlSpec {
    /// Path of the list.
    pub path: Arc<str>,
    /// What makes it good.
    pub rules: CrlRules,
    /// A longer one is wrong.
    pub max_bytes: usize,
    /// How the server's certificate is verified, over TLS.
    pub tls: TlsSpec,
}

/// What is expected of a list of revoked certificates, wherever it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CrlRules {
    /// The CA that signs it, in PEM.
    pub issuer: Arc<str>,
    /// A certificate that it must list.
    pub revoked: Option<Serial>,
    /// Largest age; `None`: as long as it says itself.
    pub max_age: Option<Duration>,
    /// Early sign: less than so much of its lifetime is left, in percent.
    pub lifetime_left_percent: u8,
}

/// What is asked of a directory (LDAP, RFC 4511), and what is expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LdapSpec {
    /// How the connection is kept from others.
    pub encryption: LdapEncryption,
    /// How the server's certificate is verified, over TLS.
    pub tls: TlsSpec,
    /// Who binds; `None`: nobody, an anonymous bind.
    pub bind: Option<LdapBind>,
    /// Name of the entry where the search begins.
    pub base: Arc<str>,
    /// How far it goes.
    pub scope: LdapScope,
    /// Which entries it finds, as text (RFC 4515).
    pub filter: Arc<str>,
    /// The attribute that is fetched; `None`: only entries count.
    pub attribute: Option<Arc<str>>,
    /// Fewer entries are wrong.
    pub min_entries: usize,
    /// What the attribute's values must be; used with an attribute.
    pub value: LdapValue,
    /// A server that sends more in one sample is wrong.
    pub max_bytes: usize,
}

/// Who binds to a directory, by a password (RFC 4513 §5.1.3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LdapBind {
    /// Distinguished name.
    pub name: Arc<str>,
    /// The password.
    pub password: SecretRef,
}

/// How a connection to a directory is kept from others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LdapEncryption {
    /// Not at all.
    None,
    /// By TLS that is asked for on a connection in the clear (RFC 4511 §4.14).
    StartTls,
    /// By TLS from the first byte.
    Ldaps,
}

/// How far a search goes (RFC 4511 §4.5.1.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LdapScope {
    /// The entry where it begins.
    Base,
    /// Those right below it.
    One,
    /// It and all below it.
    Sub,
}

/// What the values of an attribute must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LdapValue {
    /// Anything that is not empty.
    Any,
    /// One of them this text.
    Equals(Arc<str>),
    /// One of them a list of revoked certificates.
    Crl(CrlRules),
    /// One of them a certificate.
    Certificate {
        /// The CA that signed it, in PEM.
        issuer: Arc<str>,
        /// Early sign: it runs out within this time.
        expires_within: Duration,
    },
}

/// What is asked of a timestamp authority (RFC 3161), and what is expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TimestampSpec {
    /// Path of the authority.
    pub path: Arc<str>,
    /// Who may have issued the certificate of who signs, in PEM.
    pub ca_bundle: Arc<str>,
    /// Object identifier of the policy; `None`: any.
    pub policy: Option<Arc<str>>,
    /// How far the time may be from this host's clock, beyond its stated accuracy.
    pub max_difference: Duration,
    /// A certificate that runs out within this time is an early sign.
    pub expires_within: Duration,
    /// How the server's certificate is verified, over TLS.
    pub tls: TlsSpec,
}

/// Messages of several sizes, and what must come back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayloadSpec {
    /// Path and query.
    pub path: Arc<str>,
    /// The bodies, from the smallest to the largest, each size once.
    pub messages: Vec<bytes::Bytes>,
    /// A good answer has the same body.
    pub echo: bool,
    /// How the server's certificate is verified, over TLS.
    pub tls: TlsSpec,
}

/// Whether a gRPC server says that it serves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GrpcSpec {
    /// The service that is asked about; empty: the server as a whole.
    pub service: Arc<str>,
    /// How the server's certificate is verified, over TLS.
    pub tls: TlsSpec,
}

/// A question to a name server, and what it must answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsSpec {
    /// Name.
    pub name: Arc<str>,
    /// Type.
    pub record: DnsRecord,
    /// How the question is sent.
    pub transport: DnsTransport,
    /// Values that must be among the answers; empty: any one is enough.
    pub expect: Vec<Arc<str>>,
    /// The answer must be authoritative.
    pub authoritative: bool,
}

/// Type of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names are those of RFC 1035, 2782 and 3596")]
pub enum DnsRecord {
    A,
    Aaaa,
    Txt,
    Soa,
    Ns,
    Cname,
    Ptr,
    Mx,
    Srv,
}

/// How a question is sent to a name server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DnsTransport {
    /// In a datagram; by TCP when the answer does not fit into one.
    Udp,
    /// By TCP.
    Tcp,
}

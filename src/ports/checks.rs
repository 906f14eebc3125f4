//! What each kind of check asks and expects, with every default filled in.

use std::{sync::Arc, time::Duration};

/// An HTTP request and what a good answer is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpSpec {
    /// Method, upper case.
    pub method: &'static str,
    /// Path and query.
    pub path: Arc<str>,
    /// Headers besides `Host`, `User-Agent` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// Body; empty for none.
    pub body: bytes::Bytes,
    /// Good status codes.
    pub expected_status: Vec<u16>,
    /// CEL expression over `body`, `status` and `headers` that must be true.
    pub expect: Option<Arc<str>>,
    /// A body with more bytes is wrong.
    pub max_body_bytes: usize,
    /// Keep the connection between samples.
    pub keep_alive: bool,
    /// How the certificate is verified.
    pub tls: TlsSpec,
}

/// How a certificate is verified.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TlsSpec {
    /// Name that the certificate must carry; `None`: the endpoint's host.
    pub server_name: Option<Arc<str>>,
    /// PEM certificates of the authorities; `None`: the system's.
    pub ca_bundle: Option<Arc<str>>,
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
    Off,
}

/// Where a list of revoked certificates is (RFC 5280 §5), and what is expected of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CrlSpec {
    /// Path of the list.
    pub path: Arc<str>,
    /// The CA that signs it, in PEM.
    pub issuer: Arc<str>,
    /// A certificate that it must list.
    pub revoked: Option<Serial>,
    /// Largest age; `None`: as long as it says itself.
    pub max_age: Option<Duration>,
    /// Early sign: less than so much of its lifetime is left, in percent.
    pub lifetime_left_percent: u8,
    /// A longer one is wrong.
    pub max_bytes: usize,
    /// How the server's certificate is verified, over TLS.
    pub tls: TlsSpec,
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

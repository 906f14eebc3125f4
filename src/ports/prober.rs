//! Probes: one sample of one check of one member.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::checks::{
    CrlSpec, DidSpec, DnsSpec, GrpcSpec, HttpSpec, LdapSpec, OcspSpec, PayloadSpec, PromqlSpec, SecretRef,
    TimestampSpec, TlsCheckSpec, TlsSpec, VerifierSpec,
};
use crate::domain::{Outcome, RegionName, Stage, Symptom};

/// Where a member is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// How.
    pub scheme: Scheme,
    /// Host name or address, IPv6 without brackets.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
}

/// How a member is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
    /// TCP only.
    Tcp,
}

/// What stands for the member's region in a query.
const REGION: &str = "$region";

/// One check, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckSpec {
    /// Name, unique in the service.
    pub name: Arc<str>,
    /// Longest time of one sample, all of it: name look-up, connection, TLS, request, body.
    pub timeout: Duration,
    /// A good answer that takes longer is slow.
    pub max_latency: Option<Duration>,
    /// Port; `None`: that of its kind, else the endpoint's.
    pub port: Option<u16>,
    /// How the member is reached; `None`: as the endpoint says.
    pub scheme: Option<Scheme>,
    /// What is done.
    pub kind: CheckKind,
}

impl CheckSpec {
    /// Where this check reaches a member.
    #[must_use]
    pub fn at(&self, endpoint: &Endpoint) -> Endpoint {
        Endpoint {
            scheme: self.scheme.unwrap_or(endpoint.scheme),
            host: endpoint.host.clone(),
            port: self.port.or(self.kind.default_port()).unwrap_or(endpoint.port),
        }
    }

    /// The check as it is made of the member in this region.
    #[must_use]
    pub fn of(&self, region: &RegionName) -> Cow<'_, Self> {
        match &self.kind {
            CheckKind::Promql(spec) if spec.query.contains(REGION) => {
                let query = spec.query.replace(REGION, region.as_str()).into();
                Cow::Owned(Self {
                    kind: CheckKind::Promql(PromqlSpec { query, ..spec.clone() }),
                    ..self.clone()
                })
            }
            _ => Cow::Borrowed(self),
        }
    }
}

/// What a check does.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckKind {
    /// An HTTP request.
    Http(HttpSpec),
    /// A TCP connection.
    Tcp,
    /// The certificates of a TLS server.
    Tls(TlsCheckSpec),
    /// The answers of a responder that says whether certificates are revoked.
    Ocsp(OcspSpec),
    /// A list of revoked certificates.
    Crl(CrlSpec),
    /// A signed time.
    Timestamp(TimestampSpec),
    /// A search in a directory.
    Ldap(LdapSpec),
    /// Messages of several sizes.
    Payload(PayloadSpec),
    /// What a gRPC server says of its health.
    Grpc(GrpcSpec),
    /// A question to a name server.
    Dns(DnsSpec),
    /// Questions to a ledger of identities.
    Did(DidSpec),
    /// A presentation of an identity, message by message.
    Verifier(VerifierSpec),
    /// A number that a Prometheus knows.
    Promql(PromqlSpec),
}

impl CheckKind {
    /// The port of this kind of service, where it is always the same.
    #[must_use]
    pub const fn default_port(&self) -> Option<u16> {
        match self {
            Self::Dns(_) => Some(53),
            _ => None,
        }
    }

    /// What it needs of Secrets.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        let client = self.tls().and_then(|tls| tls.client.as_ref());
        let client = client.into_iter().flat_map(|client| [&client.certificates, &client.key]);
        let own: Vec<&SecretRef> = match self {
            Self::Http(http) => http.secret_headers.iter().map(|(_, secret)| secret).collect(),
            Self::Verifier(verifier) => {
                let steps = verifier.steps.iter();
                steps.flat_map(|step| &step.request.secret_headers).map(|(_, secret)| secret).collect()
            }
            Self::Ldap(ldap) => ldap.bind.iter().map(|bind| &bind.password).collect(),
            Self::Promql(promql) => promql.token.iter().collect(),
            _ => Vec::new(),
        };
        client.chain(own).collect()
    }

    /// How it verifies a certificate, if it can meet one.
    #[must_use]
    pub const fn tls(&self) -> Option<&TlsSpec> {
        Some(match self {
            Self::Http(spec) => &spec.tls,
            Self::Tls(spec) => &spec.tls,
            Self::Ocsp(spec) => &spec.tls,
            Self::Crl(spec) => &spec.tls,
            Self::Timestamp(spec) => &spec.tls,
            Self::Ldap(spec) => &spec.tls,
            Self::Payload(spec) => &spec.tls,
            Self::Grpc(spec) => &spec.tls,
            Self::Did(spec) => &spec.tls,
            Self::Verifier(spec) => &spec.tls,
            Self::Tcp | Self::Dns(_) | Self::Promql(_) => return None,
        })
    }

    /// Bytes of the largest request's body, as far as they are known beforehand.
    #[must_use]
    pub fn request_bytes(&self) -> usize {
        match self {
            Self::Http(http) => http.body.len(),
            Self::Payload(payload) => payload.messages.last().map_or(0, |message| message.len()),
            Self::Tcp
            | Self::Tls(_)
            | Self::Ocsp(_)
            | Self::Crl(_)
            | Self::Timestamp(_)
            | Self::Ldap(_)
            | Self::Grpc(_)
            | Self::Dns(_)
            | Self::Did(_)
            | Self::Promql(_) => 0,
            Self::Verifier(verifier) => verifier.largest_body(),
        }
    }

    /// Its name in a manifest.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp => "tcp",
            Self::Tls(_) => "tls",
            Self::Ocsp(_) => "ocsp",
            Self::Crl(_) => "crl",
            Self::Timestamp(_) => "timestamp",
            Self::Ldap(_) => "ldap",
            Self::Payload(_) => "payload",
            Self::Grpc(_) => "grpc",
            Self::Dns(_) => "dns",
            Self::Did(_) => "did",
            Self::Verifier(_) => "verifier",
            Self::Promql(_) => "promql",
        }
    }

    /// Whether it finishes a transaction whose answer is judged; a connection alone is none.
    #[must_use]
    pub const fn is_transaction(&self) -> bool {
        !matches!(self, Self::Tcp | Self::Tls(_) | Self::Promql(_))
    }

    /// Whether it asks somebody else about the member: see [`together`](crate::domain::together).
    #[must_use]
    pub const fn is_sign(&self) -> bool {
        matches!(self, Self::Promql(_))
    }
}

/// What one sample saw.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// The judgement.
    pub outcome: Outcome,
    /// From the first packet to the judgement.
    pub latency: Duration,
    /// Why, in one short line; empty when all is well. At most 256 bytes, whatever the member sent.
    pub detail: String,
    /// How long each stage took.
    pub stages: StageTimes,
    /// Where it broke, and how; `None` if all is well.
    pub symptom: Option<Symptom>,
}

/// How long each stage of a sample took; zero for one that was not reached, or that a kept connection did not need.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StageTimes([Duration; Stage::ALL.len()]);

impl StageTimes {
    /// Adds time that a stage took.
    pub fn add(&mut self, stage: Stage, time: Duration) {
        let both = Stage::ALL.into_iter().zip(&mut self.0);
        both.filter(|(each, _)| *each == stage).for_each(|(_, took)| *took += time);
    }

    /// The stages that took time, in the order of the way.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, Duration)> + '_ {
        Stage::ALL.into_iter().zip(self.0).filter(|(_, took)| !took.is_zero())
    }

    /// The stage that took the most time.
    #[must_use]
    pub fn longest(&self) -> Stage {
        self.iter().max_by_key(|(_, took)| *took).map(|(stage, _)| stage).unwrap_or_default()
    }
}

impl fmt::Display for StageTimes {
    /// As `Connect 2 ms, Answer 790 ms`, without what took less than a millisecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noted = self.iter().filter(|(_, took)| took.as_millis() > 0);
        for (index, (stage, took)) in noted.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {} ms", stage.as_str(), took.as_millis())?;
        }
        Ok(())
    }
}

/// Why a check cannot be run at all. It then counts as unknown.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProbeError {
    /// The CEL expression does not compile.
    #[error("check {check}: expect does not compile: {cause}")]
    Expect {
        /// The check.
        check: String,
        /// The compiler's words, with the place.
        cause: String,
    },
    /// A header, path, certificate bundle or server name cannot be used.
    #[error("check {check}: {field}: {cause}")]
    Field {
        /// The check.
        check: String,
        /// The field of the check.
        field: &'static str,
        /// What is wrong.
        cause: String,
    },
}

/// Makes probes.
pub trait Prober: Send + Sync {
    /// Prepares a check of one member: compiles its expression and its TLS configuration once.
    ///
    /// # Errors
    /// The check cannot be run; the message names the field and what is wrong with it.
    fn prepare(&self, endpoint: &Endpoint, check: &CheckSpec) -> Result<Arc<dyn Probe>, ProbeError>;
}

/// A check of one member, ready to run.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Takes one sample. Ends within the check's timeout and with bounded memory, whatever the member does.
    async fn run(&self) -> Reading;
}

//! Probes over the network: takes one sample of one member and judges it. What comes from the member is hostile until
//! judged: every read has a limit, every sample a deadline, every text that goes on is cut and cleaned.
//!
//! Absent: schedules, windows and verdicts (`reconcile::vantage`), and any process-wide TLS default.

mod chain;
mod connect;
mod crl;
mod denied;
mod did;
mod dns;
mod expect;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod grpc;
#[cfg(test)]
mod hostile;
mod http;
mod json;
mod ldap;
mod line;
mod ocsp;
mod payload;
mod phase;
mod pki;
mod promql;
mod random;
mod secrets;
mod shared;
mod tcp;
mod timestamp;
mod tls;
mod transaction;
mod verifier;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use crate::{
    domain::{Outcome, Sign, Stage, Symptom},
    ports::{CheckKind, CheckSpec, Clock, Endpoint, Probe, ProbeError, Prober, Reading, Resources},
};
pub use denied::DeniedRanges;
use expect::Expressions;
use line::line;
use phase::Phase;
use secrets::{SecretProbe, SecretValues};
use tls::TlsConfigs;

/// Makes probes that use this host's network. Keep one for the whole process: probes share what is equal among them.
pub struct NetworkProber {
    means: Means,
    resources: Option<Arc<dyn Resources>>,
}

/// What probes are made with.
#[derive(Clone)]
struct Means {
    clock: Arc<dyn Clock>,
    tls: Arc<TlsConfigs>,
    expressions: Arc<Expressions>,
    secrets: SecretValues,
    denied: Arc<DeniedRanges>,
}

impl NetworkProber {
    /// A prober that judges dates by this clock. It has no Secrets: a check that needs one runs without it. It probes nothing in the
    /// usual [`DeniedRanges`].
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let secrets = SecretValues::default();
        let (tls, expressions, denied) = (Arc::default(), Arc::default(), Arc::default());
        let means = Means { clock, tls, expressions, secrets, denied };
        Self { means, resources: None }
    }

    /// Probes nothing in these ranges.
    #[must_use]
    pub fn without(self, denied: DeniedRanges) -> Self {
        Self { means: Means { denied: Arc::new(denied), ..self.means }, ..self }
    }

    /// Reads Secrets here.
    #[must_use]
    pub fn with_secrets_of(self, resources: Arc<dyn Resources>) -> Self {
        Self { resources: Some(resources), ..self }
    }
}

impl Prober for NetworkProber {
    fn prepare(&self, endpoint: &Endpoint, check: &CheckSpec) -> Result<Arc<dyn Probe>, ProbeError> {
        let endpoint = &check.at(endpoint);
        match &self.resources {
            Some(resources) if !check.kind.secrets().is_empty() => {
                Ok(Arc::new(SecretProbe::new(&self.means, resources.clone(), endpoint, check)?))
            }
            _ => prepare(&self.means, endpoint, check),
        }
    }
}

fn prepare(means: &Means, endpoint: &Endpoint, check: &CheckSpec) -> Result<Arc<dyn Probe>, ProbeError> {
    Ok(match &check.kind {
        CheckKind::Http(spec) => Arc::new(http::HttpProbe::new(means, endpoint, check, spec)?),
        CheckKind::Tcp => Arc::new(tcp::TcpProbe::new(means, endpoint, check)),
        CheckKind::Tls(spec) => Arc::new(chain::TlsProbe::new(means, endpoint, check, spec)?),
        CheckKind::Ocsp(spec) => Arc::new(ocsp::OcspProbe::new(means, endpoint, check, spec)?),
        CheckKind::Crl(spec) => Arc::new(crl::CrlProbe::new(means, endpoint, check, spec)?),
        CheckKind::Timestamp(spec) => Arc::new(timestamp::TimestampProbe::new(means, endpoint, check, spec)?),
        CheckKind::Ldap(spec) => Arc::new(ldap::LdapProbe::new(means, endpoint, check, spec)?),
        CheckKind::Payload(spec) => Arc::new(payload::PayloadProbe::new(means, endpoint, check, spec)?),
        CheckKind::Grpc(spec) => Arc::new(grpc::GrpcProbe::new(means, endpoint, check, spec)?),
        CheckKind::Dns(spec) => Arc::new(dns::DnsProbe::new(means, endpoint, check, spec)?),
        CheckKind::Did(spec) => Arc::new(did::DidProbe::new(means, endpoint, check, spec)?),
        CheckKind::Verifier(spec) => Arc::new(verifier::VerifierProbe::new(means, endpoint, check, spec)?),
        CheckKind::Promql(spec) => Arc::new(promql::PromqlProbe::new(means, check, spec)?),
    })
}

/// A sample that is not good.
#[derive(Debug)]
struct Bad {
    outcome: Outcome,
    detail: String,
    /// The connection failed, not the answer: on a connection that was kept, this says nothing about the member.
    transport: bool,
    /// What kind of fault it is.
    sign: Sign,
    /// Bytes of the smallest message that is lost.
    from_bytes: Option<u32>,
}

impl Bad {
    const fn new(outcome: Outcome, detail: String) -> Self {
        let transport = matches!(outcome, Outcome::Refused | Outcome::Unreachable);
        let sign = match outcome {
            Outcome::Slow => Sign::Slow,
            Outcome::Expiring => Sign::Expiring,
            _ => Sign::Plain,
        };
        Self { outcome, detail, transport, sign, from_bytes: None }
    }

    const fn wrong(detail: String) -> Self {
        Self::new(Outcome::Wrong, detail)
    }

    /// Right in itself, and old.
    fn stale(detail: String) -> Self {
        Self { sign: Sign::Stale, ..Self::new(Outcome::Wrong, detail) }
    }

    const fn expiring(detail: String) -> Self {
        Self::new(Outcome::Expiring, detail)
    }

    const fn unjudged(detail: String) -> Self {
        Self::new(Outcome::Unjudged, detail)
    }

    const fn refused(detail: String) -> Self {
        Self::new(Outcome::Refused, detail)
    }

    const fn unreachable(detail: String) -> Self {
        Self::new(Outcome::Unreachable, detail)
    }

    /// The same, said of a step of several.
    fn in_step(self, step: &str) -> Self {
        Self { detail: line(format_args!("step {step}: {}", self.detail)), ..self }
    }
}

/// Runs one sample within its limits and turns its end into a reading.
async fn sample<W>(
    limit: Duration,
    max_latency: Option<Duration>,
    work: impl FnOnce(Arc<Phase>) -> W,
) -> Reading
where
    W: Future<Output = Result<(), Bad>>,
{
    let phase = Arc::new(Phase::default());
    let start = Instant::now();
    let ended = timeout(limit, work(Arc::clone(&phase))).await;
    let latency = start.elapsed();
    let stages = phase.ends();
    let bad = match ended {
        Err(_) => {
            Some(Bad::unreachable(line(format_args!("no answer within {limit:?} ({})", phase.doing()))))
        }
        Ok(Err(bad)) => Some(bad),
        Ok(Ok(())) => max_latency.filter(|max| latency > *max).map(|max| {
            let took = latency.as_millis();
            Bad::new(Outcome::Slow, line(format_args!("took {took} ms, limit {max:?} ({stages})")))
        }),
    };
    let symptom = bad.as_ref().map(|bad| Symptom {
        stage: match bad.outcome {
            Outcome::Slow => stages.longest(),
            Outcome::Refused | Outcome::Unreachable => phase.stage(),
            _ => Stage::Judgement,
        },
        sign: bad.sign,
        from_bytes: bad.from_bytes,
    });
    let (outcome, detail) = bad.map_or_else(Default::default, |bad| (bad.outcome, bad.detail));
    Reading { outcome, latency, detail, stages, symptom }
}

//! Probes over the network: takes one sample of one member and judges it. What comes from the member is hostile until
//! judged: every read has a limit, every sample a deadline, every text that goes on is cut and cleaned.
//!
//! Absent: schedules, windows and verdicts (`reconcile::vantage`), and any process-wide TLS default.

mod chain;
mod connect;
mod crl;
mod did;
mod dns;
mod expect;
mod grpc;
#[cfg(test)]
mod hostile;
mod http;
mod json;
mod ldap;
mod line;
mod ocsp;
mod payload;
mod pki;
mod promql;
mod random;
mod shared;
mod tcp;
mod timestamp;
mod tls;
mod transaction;
mod verifier;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use crate::{
    domain::Outcome,
    ports::{CheckKind, CheckSpec, Clock, Endpoint, Probe, ProbeError, Prober, Reading},
};
use expect::Expressions;
use line::line;
use tls::TlsConfigs;

/// Makes probes that use this host's network. Keep one for the whole process: probes share what is equal among them.
pub struct NetworkProber {
    clock: Arc<dyn Clock>,
    tls: TlsConfigs,
    expressions: Expressions,
}

impl NetworkProber {
    /// A prober that judges dates by this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tls: TlsConfigs::default(), expressions: Expressions::default() }
    }
}

impl Prober for NetworkProber {
    fn prepare(&self, endpoint: &Endpoint, check: &CheckSpec) -> Result<Arc<dyn Probe>, ProbeError> {
        let endpoint = &check.at(endpoint);
        Ok(match &check.kind {
            CheckKind::Http(spec) => Arc::new(http::HttpProbe::new(self, endpoint, check, spec)?),
            CheckKind::Tcp => Arc::new(tcp::TcpProbe::new(endpoint, check)),
            CheckKind::Tls(spec) => Arc::new(chain::TlsProbe::new(self, endpoint, check, spec)?),
            CheckKind::Ocsp(spec) => Arc::new(ocsp::OcspProbe::new(self, endpoint, check, spec)?),
            CheckKind::Crl(spec) => Arc::new(crl::CrlProbe::new(self, endpoint, check, spec)?),
            CheckKind::Timestamp(spec) => {
                Arc::new(timestamp::TimestampProbe::new(self, endpoint, check, spec)?)
            }
            CheckKind::Ldap(spec) => Arc::new(ldap::LdapProbe::new(self, endpoint, check, spec)?),
            CheckKind::Payload(spec) => Arc::new(payload::PayloadProbe::new(self, endpoint, check, spec)?),
            CheckKind::Grpc(spec) => Arc::new(grpc::GrpcProbe::new(self, endpoint, check, spec)?),
            CheckKind::Dns(spec) => Arc::new(dns::DnsProbe::new(endpoint, check, spec)?),
            CheckKind::Did(spec) => Arc::new(did::DidProbe::new(self, endpoint, check, spec)?),
            CheckKind::Verifier(spec) => Arc::new(verifier::VerifierProbe::new(self, endpoint, check, spec)?),
        })
    }
}

/// A sample that is not good.
#[derive(Debug)]
struct Bad {
    outcome: Outcome,
    detail: String,
    /// The connection failed, not the answer: on a connection that was kept, this says nothing about the member.
    transport: bool,
}

impl Bad {
    fn wrong(detail: String) -> Self {
        Self { outcome: Outcome::Wrong, detail, transport: false }
    }

    fn expiring(detail: String) -> Self {
        Self { outcome: Outcome::Expiring, detail, transport: false }
    }

    fn unjudged(detail: String) -> Self {
        Self { outcome: Outcome::Unjudged, detail, transport: false }
    }

    fn refused(detail: String) -> Self {
        Self { outcome: Outcome::Refused, detail, transport: true }
    }

    fn unreachable(detail: String) -> Self {
        Self { outcome: Outcome::Unreachable, detail, transport: true }
    }

    /// The same, said of a step of several.
    fn in_step(self, step: &str) -> Self {
        Self { detail: line(format_args!("step {step}: {}", self.detail)), ..self }
    }
}

/// How far a sample has come: what a timeout is blamed on.
struct Phase(Mutex<Place>);

/// The step, of a sample that has several, and what is done in it.
struct Place {
    step: Option<Arc<str>>,
    doing: &'static str,
}

impl Default for Phase {
    fn default() -> Self {
        Self(Mutex::new(Place { step: None, doing: "start" }))
    }
}

impl Phase {
    /// A step of several begins.
    fn begin(&self, step: &Arc<str>) {
        let place = Place { step: Some(step.clone()), doing: "start" };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    fn enter(&self, phase: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).doing = phase;
    }

    fn name(&self) -> String {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &place.step {
            Some(step) => format!("step {step}: {}", place.doing),
            None => place.doing.to_owned(),
        }
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
    let (outcome, detail) = match ended {
        Err(_) => (Outcome::Unreachable, line(format_args!("no answer within {limit:?} ({})", phase.name()))),
        Ok(Err(bad)) => (bad.outcome, bad.detail),
        Ok(Ok(())) => match max_latency.filter(|max| latency > *max) {
            Some(max) => {
                (Outcome::Slow, line(format_args!("took {} ms, limit {max:?}", latency.as_millis())))
            }
            None => (Outcome::Ok, String::new()),
        },
    };
    Reading { outcome, latency, detail }
}

//! The `tls` check: a full handshake, then the certificates that the server showed and the authority above them, each until when it
//! lasts. The handshake itself verifies chain, name, dates and the purpose of the server's certificate.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use der::Decode;
use rustls::pki_types::CertificateDer;
use x509_cert::{Certificate, ext::pkix::KeyUsage};

use super::{
    Bad, NetworkProber, Phase,
    connect::Target,
    line::line,
    pki::{Authorities, common_name, ends, lasts},
    sample,
    tls::{Protocol, Tls},
};
use crate::{
    domain::Timestamp,
    ports::{CheckSpec, Clock, Endpoint, Probe, ProbeError, Reading, TlsCheckSpec},
};

/// The `tls` check of one member.
pub(super) struct TlsProbe {
    target: Target,
    tls: Tls,
    /// Those of the check's own bundle; the system's are looked after by whoever updates the system.
    authorities: Option<Authorities>,
    expires_within: Duration,
    max_latency: Option<Duration>,
    clock: Arc<dyn Clock>,
}

impl TlsProbe {
    pub(super) fn new(
        prober: &NetworkProber,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &TlsCheckSpec,
    ) -> Result<Self, ProbeError> {
        let field = |cause| ProbeError::Field { check: check.name.to_string(), field: "caBundle", cause };
        let authorities = spec.tls.ca_bundle.as_deref().map(Authorities::from_pem).transpose();
        Ok(Self {
            target: Target::new(endpoint, check),
            tls: prober.tls.prepare(&check.name, &endpoint.host, &spec.tls, Protocol::Other)?,
            authorities: authorities.map_err(field)?,
            expires_within: spec.expires_within,
            max_latency: check.max_latency,
            clock: prober.clock.clone(),
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let stream = self.target.connect(phase).await?;
        let stream = self.tls.handshake(stream, phase).await?;
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        judge(shown, self.authorities.as_ref(), self.expires_within, self.clock.wall())
    }
}

#[async_trait]
impl Probe for TlsProbe {
    async fn run(&self) -> Reading {
        sample(self.target.limit, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

/// Judges the certificates of a handshake that succeeded, the server's own first.
fn judge(
    shown: &[CertificateDer<'_>],
    authorities: Option<&Authorities>,
    early: Duration,
    now: Timestamp,
) -> Result<(), Bad> {
    let mut chain = Vec::new();
    for der in shown {
        let parsed = Certificate::from_der(der)
            .map_err(|error| Bad::wrong(line(format_args!("certificate {}: {error}", chain.len() + 1))))?;
        chain.push(parsed);
    }
    let own = chain.first().ok_or_else(|| Bad::wrong("the server showed no certificate".to_owned()))?;
    may_sign(own)?;
    let top = chain.last().map(|last| &last.tbs_certificate.issuer);
    let above = top.zip(authorities).into_iter().flat_map(|(issuer, authorities)| authorities.named(issuer));
    // What ends first is what a person has to renew first.
    let mut all: Vec<&Certificate> = chain.iter().chain(above).collect();
    all.sort_by_key(|certificate| ends(certificate));
    all.into_iter().try_for_each(|certificate| {
        let name = common_name(&certificate.tbs_certificate.subject);
        lasts(&format!("certificate {name}"), ends(certificate), now, early)
    })
}

/// A server's key must be allowed to sign, as TLS 1.3 and every cipher suite with forward secrecy of TLS 1.2 need (RFC 8446 §4.4.2.2).
fn may_sign(own: &Certificate) -> Result<(), Bad> {
    match own.tbs_certificate.get::<KeyUsage>() {
        Ok(Some((_, usage))) if !usage.digital_signature() => {
            Err(Bad::wrong("the server's certificate is not for signatures (key usage)".to_owned()))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Bad::wrong(line(format_args!("key usage of the server's certificate: {error}")))),
    }
}

//! The `tls` check: a full handshake, then the certificates that the server showed and the authority above them, each until when it
//! lasts. The handshake itself verifies chain, name, dates and the purpose of the server's certificate.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use der::Decode;
use rustls::pki_types::CertificateDer;
use x509_cert::{Certificate, ext::pkix::KeyUsage};

use super::{
    Bad, Means, Phase,
    connect::Target,
    line::line,
    pki::{Authorities, common_name, ends, lasts},
    sample,
    tls::{Protocol, Tls},
};
use crate::{
    domain::{Outcome, Timestamp},
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
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &TlsCheckSpec,
    ) -> Result<Self, ProbeError> {
        let field = |cause| ProbeError::Field { check: check.name.to_string(), field: "caBundle", cause };
        let authorities = spec.tls.ca_bundle.as_deref().map(Authorities::from_pem).transpose();
        Ok(Self {
            target: Target::new(means, endpoint, check),
            tls: means.tls.prepare(
                &check.name,
                &endpoint.host,
                &spec.tls,
                Protocol::Other,
                &means.secrets,
            )?,
            authorities: authorities.map_err(field)?,
            expires_within: spec.expires_within,
            max_latency: check.max_latency,
            clock: means.clock.clone(),
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
pub(super) fn judge(
    shown: &[CertificateDer<'_>],
    authorities: Option<&Authorities>,
    early: Duration,
    now: Timestamp,
) -> Result<(), Bad> {
    let own = shown.first().ok_or_else(|| Bad::wrong("the server showed no certificate".to_owned()))?;
    let own = Certificate::from_der(own)
        .map_err(|error| Bad::unjudged(line(format_args!("the server's certificate: {error}"))))?;
    may_sign(&own)?;
    // The handshake found a way to a trusted authority, maybe not by way of all that was shown.
    let others = shown.iter().skip(1).filter_map(|der| Certificate::from_der(der).ok());
    let mut others: Vec<Certificate> = others.collect();
    let top = &others.last().unwrap_or(&own).tbs_certificate.issuer;
    // Of an authority that was renewed, the newest is what counts.
    let above = authorities.and_then(|all| all.named(top).max_by_key(|authority| ends(authority)));
    others.extend(above.cloned());
    let lasts_long = |certificate: &Certificate| {
        let name = common_name(&certificate.tbs_certificate.subject);
        lasts(&format!("certificate {name}"), ends(certificate), now, early)
    };
    // What ends first is what a person has to renew first.
    others.sort_by_key(ends);
    let judged = others.iter().try_for_each(lasts_long);
    lasts_long(&own).and(judged.map_err(|bad| Bad { outcome: Outcome::Expiring, ..bad }))
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

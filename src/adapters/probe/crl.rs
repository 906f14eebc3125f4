//! The `crl` check: a list of revoked certificates (RFC 5280 §5) is fetched, its signature and dates are verified, its number
//! never goes down, and it names a certificate that is known to be revoked.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use der::{Decode, oid::AssociatedOid, pem};
use ring::digest::{SHA256, digest};
use x509_cert::{crl::CertificateList, ext::pkix::CrlNumber};

use super::{
    Bad, NetworkProber, Phase,
    http::Carrier,
    line::line,
    pki::{Authorities, common_name, date, lasts, signed_part, timestamp, verify},
    sample,
};
use crate::{
    domain::Timestamp,
    ports::{CheckSpec, Clock, CrlRules, CrlSpec, Endpoint, Probe, ProbeError, Reading},
};

/// How far an authority's clock may be ahead of this one's before its list comes from the future. 5 min: what time
/// services without a common source are apart at worst.
const SKEW: Duration = Duration::from_secs(300);

/// The `crl` check of one member.
pub(super) struct CrlProbe {
    carrier: Carrier,
    timeout: Duration,
    max_latency: Option<Duration>,
    path: Arc<str>,
    judge: ListJudge,
    clock: Arc<dyn Clock>,
}

/// What makes a list of revoked certificates good, however it was fetched, and the last one that was read.
pub(super) struct ListJudge {
    issuer: Authorities,
    rules: CrlRules,
    /// So that the same list is not read again: one of a megabyte takes milliseconds.
    kept: Mutex<Option<Kept>>,
}

/// What is known of a list that was read.
#[derive(Clone)]
struct Kept {
    hash: [u8; 32],
    list: Seen,
}

/// What counts of a list whose signature is good.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    /// Big-endian, without leading zeros, so that a longer one is larger.
    number: Option<Vec<u8>>,
}

impl CrlProbe {
    pub(super) fn new(
        prober: &NetworkProber,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &CrlSpec,
    ) -> Result<Self, ProbeError> {
        let judge = ListJudge::new(&spec.rules).map_err(|cause| ProbeError::Field {
            check: check.name.to_string(),
            field: "issuer",
            cause,
        })?;
        Ok(Self {
            carrier: Carrier::new(prober, endpoint, check, &spec.tls, spec.max_bytes)?,
            timeout: check.timeout,
            max_latency: check.max_latency,
            path: spec.path.clone(),
            judge,
            clock: prober.clock.clone(),
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let body = self.carrier.get(&self.path, phase).await?;
        phase.enter("judgement");
        self.judge.judge(&body, self.clock.wall())
    }
}

#[async_trait]
impl Probe for CrlProbe {
    async fn run(&self) -> Reading {
        sample(self.timeout, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

impl ListJudge {
    /// # Errors
    /// The issuer is not in PEM.
    pub(super) fn new(rules: &CrlRules) -> Result<Self, String> {
        let issuer = Authorities::from_pem(&rules.issuer)?;
        Ok(Self { issuer, rules: rules.clone(), kept: Mutex::default() })
    }

    /// Judges a list in DER or PEM, also by the one before it.
    ///
    /// # Errors
    /// It is not good, or an early sign says that it will not be.
    pub(super) fn judge(&self, body: &[u8], now: Timestamp) -> Result<(), Bad> {
        let hash: [u8; 32] = digest(&SHA256, body).as_ref().try_into().unwrap_or_default();
        let before = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let list = match &before {
            Some(kept) if kept.hash == hash => kept.list.clone(),
            _ => self.read(body)?,
        };
        if let Some(kept) = &before {
            list.follows(&kept.list)?;
        }
        let judged = self.dates(&list, now);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept { hash, list });
        judged
    }

    /// Reads a list and verifies who signed it and what it names.
    fn read(&self, body: &[u8]) -> Result<Seen, Bad> {
        let der = match body.starts_with(b"-----BEGIN") {
            true => pem::decode_vec(body).map_err(|error| Bad::wrong(line(format_args!("PEM: {error}"))))?.1,
            false => body.to_vec(),
        };
        let list = CertificateList::from_der(&der)
            .map_err(|error| Bad::wrong(line(format_args!("not a list of revoked certificates: {error}"))))?;
        let inside = &list.tbs_cert_list;
        if list.signature_algorithm != inside.signature {
            return Err(Bad::wrong("two different algorithms in one list".to_owned()));
        }
        self.is_signed(&list, signed_part(&der)?)?;
        self.names_the_canary(&list)?;
        Ok(Seen {
            this_update: timestamp(inside.this_update.to_unix_duration()),
            next_update: inside.next_update.map(|at| timestamp(at.to_unix_duration())),
            number: number(&list)?,
        })
    }

    /// Whether one of the issuer's keys signed it.
    fn is_signed(&self, list: &CertificateList, signed: &[u8]) -> Result<(), Bad> {
        let name = &list.tbs_cert_list.issuer;
        let other = || format!("issued by {}, which is not the issuer of the check", common_name(name));
        let mut judged = Err(Bad::wrong(other()));
        for issuer in self.issuer.named(name) {
            let key = &issuer.tbs_certificate.subject_public_key_info;
            judged = verify(key, &list.signature_algorithm, signed, list.signature.raw_bytes());
            if judged.is_ok() {
                break;
            }
        }
        judged
    }

    fn names_the_canary(&self, list: &CertificateList) -> Result<(), Bad> {
        let Some(serial) = &self.rules.revoked else { return Ok(()) };
        let mut revoked = list.tbs_cert_list.revoked_certificates.iter().flatten();
        match revoked.any(|entry| unsigned(entry.serial_number.as_bytes()) == &**serial) {
            true => Ok(()),
            false => Err(Bad::wrong("does not list the certificate that is known to be revoked".to_owned())),
        }
    }

    fn dates(&self, list: &Seen, now: Timestamp) -> Result<(), Bad> {
        if list.this_update.since(now) > SKEW {
            return Err(Bad::wrong(format!("is from the future: {}", date(list.this_update))));
        }
        let age = now.since(list.this_update);
        if let Some(max) = self.rules.max_age.filter(|max| age > *max) {
            let made = date(list.this_update);
            return Err(Bad::wrong(line(format_args!("is stale: from {made}, older than {max:?}"))));
        }
        match list.next_update {
            Some(until) => {
                let lifetime = until.since(list.this_update);
                let early = lifetime * u32::from(self.rules.lifetime_left_percent) / 100;
                lasts("the list of revoked certificates", until, now, early)
            }
            None if self.rules.max_age.is_some() => Ok(()),
            // RFC 5280 §5.1.2.5 requires it; without it nobody can say that the list is fresh.
            None => Err(Bad::wrong("does not say until when it is good (nextUpdate)".to_owned())),
        }
    }
}

impl Seen {
    /// A number that goes down is an older list: what was revoked in between is good again for whoever reads it.
    fn follows(&self, before: &Self) -> Result<(), Bad> {
        let order = |number: &Option<Vec<u8>>| number.as_ref().map(|bytes| (bytes.len(), bytes.clone()));
        match (order(&self.number), order(&before.number)) {
            (Some(now), Some(earlier)) if now < earlier => {
                Err(Bad::wrong("its number went down: an older list".to_owned()))
            }
            _ if self.this_update < before.this_update => {
                Err(Bad::wrong("it is older than the one before".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// The number of a list (RFC 5280 §5.2.3).
fn number(list: &CertificateList) -> Result<Option<Vec<u8>>, Bad> {
    let mut extensions = list.tbs_cert_list.crl_extensions.iter().flatten();
    let Some(found) = extensions.find(|extension| extension.extn_id == CrlNumber::OID) else {
        return Ok(None);
    };
    let value = CrlNumber::from_der(found.extn_value.as_bytes())
        .map_err(|error| Bad::wrong(line(format_args!("its number: {error}"))))?;
    Ok(Some(unsigned(value.0.as_bytes()).to_vec()))
}

/// A number without leading zeros.
pub(super) fn unsigned(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

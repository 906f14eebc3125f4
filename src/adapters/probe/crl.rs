//! The `crl` check: a list of revoked certificates (RFC 5280 §5) is fetched, its signature and dates are verified, its number
//! never goes down, and it names a certificate that is known to be revoked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use der::{
    Decode, ErrorKind, Tag,
    asn1::{BitStringRef, ObjectIdentifier},
    oid::AssociatedOid,
    pem,
};
use ring::digest::{SHA256, digest};
use x509_cert::{
    Certificate,
    crl::CertificateList,
    ext::{Extension, pkix::CrlNumber},
    name::Name,
    spki::AlgorithmIdentifierOwned,
};

use super::{
    Bad, Means, Phase,
    http::Carrier,
    line::line,
    pki::{Authorities, common_name, date, elements, ends, inside, lasts, timestamp, verify},
    sample,
};
use crate::{
    domain::{Outcome, Stage, Timestamp},
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

/// What makes a list of revoked certificates good, however it was fetched, and those that came before.
pub(super) struct ListJudge {
    issuer: Authorities,
    rules: CrlRules,
    /// The last one of each key that was not wrong: an authority that changed its key goes on with both, and numbers each apart. The same
    /// list is not read again: one of a megabyte takes milliseconds. As many as the check names issuers.
    kept: Mutex<BTreeMap<[u8; 32], Kept>>,
}

/// What is known of a list that was read.
#[derive(Clone)]
struct Kept {
    hash: [u8; 32],
    list: Seen,
}

/// What has to be known of a list to verify its signature (RFC 5280 §5.1).
struct Frame<'a> {
    signed: &'a [u8],
    issuer: Name,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

/// What counts of a list whose signature is good.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    /// Hash of the key that signed it.
    signer: [u8; 32],
    /// When the certificate of that key ends: a client takes no list after it.
    signer_ends: Timestamp,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    /// Big-endian, without leading zeros, so that a longer one is larger.
    number: Option<Vec<u8>>,
}

impl CrlProbe {
    pub(super) fn new(
        means: &Means,
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
            carrier: Carrier::new(means, endpoint, check, &spec.tls, spec.max_bytes)?,
            timeout: check.timeout,
            max_latency: check.max_latency,
            path: spec.path.clone(),
            judge,
            clock: means.clock.clone(),
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let body = self.carrier.get(&self.path, phase).await?;
        phase.enter(Stage::Judgement, "judgement");
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
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let list = match known.values().find(|kept| kept.hash == hash) {
            Some(kept) => kept.list.clone(),
            None => self.read(body)?,
        };
        if let Some(before) = known.get(&list.signer) {
            list.follows(&before.list)?;
        }
        let judged = self.dates(&list, now);
        // One that is wrong, such as one from the future, must not make the right one that comes after it look old.
        if judged.as_ref().err().is_none_or(|bad| !bad.outcome.is_bad()) {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(list.signer, Kept { hash, list });
        }
        judged
    }

    /// Reads a list and verifies who signed it and what it names.
    fn read(&self, body: &[u8]) -> Result<Seen, Bad> {
        let der = match body.starts_with(b"-----BEGIN") {
            true => pem::decode_vec(body).map_err(|error| Bad::wrong(line(format_args!("PEM: {error}"))))?.1,
            false => body.to_vec(),
        };
        // Before all of it is read: of somebody else's list not more than its frame is looked at.
        let signer = self.signer(&der)?;
        let list = CertificateList::from_der(&der).map_err(|error| not_a_list(&error))?;
        let inside = &list.tbs_cert_list;
        if list.signature_algorithm != inside.signature {
            return Err(Bad::wrong("two different algorithms in one list".to_owned()));
        }
        is_understood(inside.crl_extensions.iter().flatten())?;
        self.names_the_canary(&list)?;
        Ok(Seen {
            signer: key_hash(signer),
            signer_ends: ends(signer),
            this_update: timestamp(inside.this_update.to_unix_duration()),
            next_update: inside.next_update.map(|at| timestamp(at.to_unix_duration())),
            number: number(&list)?,
        })
    }

    /// The issuer whose key signed it.
    fn signer(&self, der: &[u8]) -> Result<&Certificate, Bad> {
        let frame = Frame::of(der).map_err(|error| not_a_list(&error))?;
        let other = format!("issued by {}, which is not the issuer of the check", common_name(&frame.issuer));
        let mut judged = Err(Bad::wrong(other));
        for issuer in self.issuer.named(&frame.issuer) {
            let key = &issuer.tbs_certificate.subject_public_key_info;
            match verify(key, &frame.algorithm, frame.signed, frame.signature.raw_bytes()) {
                Ok(()) => return Ok(issuer),
                Err(bad) => judged = Err(bad),
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
        lasts("the certificate of who signed it", list.signer_ends, now, Duration::ZERO)?;
        let age = now.since(list.this_update);
        if let Some(max) = self.rules.max_age.filter(|max| age > *max) {
            let made = date(list.this_update);
            return Err(Bad::stale(line(format_args!("is stale: from {made}, older than {max:?}"))));
        }
        match list.next_update {
            Some(until) => {
                let lifetime = until.since(list.this_update);
                let early = lifetime * u32::from(self.rules.lifetime_left_percent) / 100;
                lasts("the list of revoked certificates", until, now, early).map_err(|bad| {
                    match bad.outcome {
                        Outcome::Wrong => Bad::stale(bad.detail),
                        _ => bad,
                    }
                })
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
                Err(Bad::stale("its number went down: an older list".to_owned()))
            }
            (Some(_), Some(_)) => Ok(()),
            _ if self.this_update < before.this_update => {
                Err(Bad::stale("it is older than the one before".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl<'a> Frame<'a> {
    fn of(der: &'a [u8]) -> der::Result<Self> {
        let [signed, algorithm, signature] = *elements(inside(der)?)? else {
            return Err(ErrorKind::Failed.into());
        };
        // The version comes first, where it is said.
        let parts = elements(signed.content)?;
        let mut parts = parts.iter().skip_while(|part| part.tag == Tag::Integer);
        let (_algorithm, issuer) = (parts.next(), parts.next().ok_or(ErrorKind::Failed)?);
        Ok(Self {
            signed: signed.whole,
            issuer: Name::from_der(issuer.whole)?,
            algorithm: AlgorithmIdentifierOwned::from_der(algorithm.whole)?,
            signature: BitStringRef::from_der(signature.whole)?,
        })
    }
}

/// A list with a critical extension that is not known must not be used (RFC 5280 §5.2).
fn is_understood<'e>(extensions: impl Iterator<Item = &'e Extension>) -> Result<(), Bad> {
    /// The list holds only what changed since another one.
    const DELTA: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");
    /// The list is one of several parts, which a canary of this part does not mind.
    const ISSUING_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
    for extension in extensions.filter(|extension| extension.critical) {
        match extension.extn_id {
            DELTA => return Err(Bad::wrong("a list of changes only (delta), and not the whole".to_owned())),
            ISSUING_POINT => {}
            other => {
                return Err(Bad::unjudged(line(format_args!(
                    "has the critical extension {other}, not known here"
                ))));
            }
        }
    }
    Ok(())
}

fn key_hash(signer: &Certificate) -> [u8; 32] {
    let key = signer.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes();
    digest(&SHA256, key).as_ref().try_into().unwrap_or_default()
}

fn not_a_list(error: &der::Error) -> Bad {
    Bad::wrong(line(format_args!("not a list of revoked certificates: {error}")))
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

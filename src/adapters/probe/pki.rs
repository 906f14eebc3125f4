//! Certificates and signatures: who signed what, by which algorithm, and until when.
//!
//! What comes in is hostile: it is parsed as DER, which has one encoding for each value, and only as long as the caller's limit
//! on what was read. Nothing here asks the network or the clock.

use std::time::Duration;

use der::{Decode, Encode, ErrorKind, asn1::ObjectIdentifier};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime, pem::PemObject},
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::{
    Certificate,
    ext::pkix::ExtendedKeyUsage,
    name::Name,
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};

use super::{Bad, line::line};
use crate::domain::Timestamp;

mod algorithms;
mod elements;
#[cfg(test)]
mod tests;

pub(super) use algorithms::name as algorithm_name;
pub(super) use elements::{Element, elements, inside};

/// What a certificate must be for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// To answer for a CA (RFC 6960 §4.2.2.2).
    OcspSigning,
    /// To say what time it is. Nothing else may be its purpose, and nobody may overlook that (RFC 3161 §2.3).
    TimeStamping,
}

impl Purpose {
    /// The value of its object identifier.
    const fn oid(self) -> &'static [u8] {
        match self {
            Self::OcspSigning => &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09],
            Self::TimeStamping => &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08],
        }
    }

    /// Whether the certificate itself says so; those above it need not.
    fn is_of(self, certificate: &Certificate) -> bool {
        let Ok(Some((critical, usage))) = certificate.tbs_certificate.get::<ExtendedKeyUsage>() else {
            return false;
        };
        let named = usage.0.iter().any(|purpose| purpose.as_bytes() == self.oid());
        named && (self == Self::OcspSigning || critical && usage.0.len() == 1)
    }
}

/// A certificate as it was sent, whose signature is over these bytes, and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// What is in it.
    pub certificate: Certificate,
    der: CertificateDer<'static>,
}

impl Shown {
    /// `None`: it cannot be read.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        Some(Self { certificate, der: CertificateDer::from(der.to_vec()) })
    }
}

/// Certificates of authorities that a check trusts, each in both forms.
#[derive(Clone, Debug)]
pub(super) struct Authorities {
    parsed: Vec<Certificate>,
    der: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Reads PEM.
    ///
    /// # Errors
    /// It holds no certificate, or one that cannot be read.
    pub(super) fn from_pem(pem: &str) -> Result<Self, String> {
        let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let der = found.map_err(|error| line(format_args!("not certificates in PEM: {error}")))?;
        if der.is_empty() {
            return Err("holds no certificate in PEM".to_owned());
        }
        let parsed = der.iter().enumerate().map(|(index, der)| {
            Certificate::from_der(der)
                .map_err(|error| line(format_args!("certificate {}: {error}", index + 1)))
        });
        let parsed = parsed.collect::<Result<_, _>>()?;
        Ok(Self { parsed, der })
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Certificate] {
        &self.parsed
    }

    /// Those with this name: an authority that changed its key has several.
    pub(super) fn named(&self, name: &Name) -> impl Iterator<Item = &Certificate> {
        self.parsed.iter().filter(move |certificate| certificate.tbs_certificate.subject == *name)
    }

    /// The first alone.
    pub(super) fn first(mut self) -> Self {
        self.parsed.truncate(1);
        self.der.truncate(1);
        self
    }

    /// Whether a certificate was issued below one of these for a purpose, and it and those between are valid now.
    ///
    /// # Errors
    /// It was not, or it cannot be judged.
    pub(super) fn vouch_for(
        &self,
        shown: &Shown,
        others: &[Shown],
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), Bad> {
        let who = common_name(&shown.certificate.tbs_certificate.subject);
        let about = |cause: &str| line(format_args!("certificate {who}{cause}"));
        if !purpose.is_of(&shown.certificate) {
            return Err(Bad::wrong(about(" is not for this purpose (extended key usage)")));
        }
        let others: Vec<_> = others.iter().map(|other| other.der.clone()).collect();
        let anchors: Vec<TrustAnchor<'_>> =
            self.der.iter().filter_map(|der| anchor_from_trusted_cert(der).ok()).collect();
        let seconds = u64::try_from(now.0 / 1_000).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        // Of the authorities between, only those that name purposes must name this one.
        let usage = KeyUsage::required_if_present(purpose.oid());
        let provider = ring::default_provider().signature_verification_algorithms;
        let verified = EndEntityCert::try_from(&shown.der).and_then(|end| {
            end.verify_for_usage(provider.all, &anchors, &others, time, usage, None, None).map(drop)
        });
        match verified {
            Ok(()) => Ok(()),
            Err(error) if is_unsupported(&error) => Err(unsupported(&shown.certificate.signature_algorithm)),
            Err(error) => match complaint(&error) {
                Some(cause) => Err(Bad::wrong(about(cause))),
                None => Err(Bad::unjudged(about(&format!(": its path cannot be judged here: {error}")))),
            },
        }
    }
}

/// What is wrong with a certificate, to be read behind its name; `None`: the library cannot judge its path, for it meets something
/// that it does not know, such as a critical extension for policies.
const fn complaint(error: &webpki::Error) -> Option<&'static str> {
    use webpki::Error::{
        CaUsedAsEndEntity, CertExpired, CertNotValidYet, EndEntityUsedAsCa, InvalidSignatureForPublicKey,
        NameConstraintViolation, PathLenConstraintViolated, RequiredEkuNotFoundContext, UnknownIssuer,
    };
    match error {
        CertExpired { .. } => Some(" or one above it has run out"),
        CertNotValidYet { .. } => Some(" or one above it is not valid yet"),
        UnknownIssuer => Some(" was issued by somebody else"),
        InvalidSignatureForPublicKey => Some(": the signature is not by the key of its issuer"),
        RequiredEkuNotFoundContext(_) => Some(": one above it is not for this purpose (extended key usage)"),
        CaUsedAsEndEntity => Some(" is that of an authority"),
        EndEntityUsedAsCa => Some(": one above it is not that of an authority"),
        PathLenConstraintViolated | NameConstraintViolation => Some(": one above it may not have issued it"),
        _ => None,
    }
}

const fn is_unsupported(error: &webpki::Error) -> bool {
    matches!(
        error,
        webpki::Error::UnsupportedSignatureAlgorithmContext(_)
            | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
    )
}

/// Whether a key made a signature over a message.
///
/// # Errors
/// It did not, or the algorithm is none that this build has.
pub(super) fn verify(
    key: &SubjectPublicKeyInfoOwned,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Bad> {
    let (of_key, of_signature) = (content(&key.algorithm)?, content(algorithm)?);
    let provider = ring::default_provider().signature_verification_algorithms;
    let mut known =
        provider.all.iter().filter(|known| known.signature_alg_id().as_ref() == of_signature).peekable();
    if known.peek().is_none() || is_short_rsa(key) {
        return Err(unsupported(algorithm));
    }
    let fitting: Option<&&dyn SignatureVerificationAlgorithm> =
        known.find(|known| known.public_key_alg_id().as_ref() == of_key);
    let fitting =
        fitting.ok_or_else(|| Bad::wrong("signed by another kind of key than who signed has".to_owned()))?;
    fitting
        .verify_signature(key.subject_public_key.raw_bytes(), message, signature)
        .map_err(|_| Bad::wrong("the signature is not by the key of who signed".to_owned()))
}

/// An RSA key of less than 2,048 bits or more than 8,192, for which the library says the same as for a wrong signature.
fn is_short_rsa(key: &SubjectPublicKeyInfoOwned) -> bool {
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    let numbers = inside(key.subject_public_key.raw_bytes()).and_then(elements).ok();
    let modulus = numbers.and_then(|numbers| numbers.first().map(|modulus| modulus.content.len()));
    // One more byte where the first would make it negative.
    key.algorithm.oid == RSA && modulus.is_some_and(|bytes| !(256..=1025).contains(&bytes))
}

/// An answer that is signed in a way that this build cannot verify.
fn unsupported(algorithm: &AlgorithmIdentifierOwned) -> Bad {
    let name = algorithm_name(&algorithm.oid);
    Bad::unjudged(line(format_args!("signed by {name}, which cannot be verified here")))
}

/// What is inside of an algorithm's SEQUENCE: the form in which libraries name it.
fn content(algorithm: &AlgorithmIdentifierOwned) -> Result<Vec<u8>, Bad> {
    let encode = || -> der::Result<Vec<u8>> { Ok(inside(&algorithm.to_der()?)?.to_vec()) };
    encode().map_err(|error| Bad::wrong(line(format_args!("algorithm: {error}"))))
}

/// What the signature of a signed structure (certificate, CRL, OCSP answer) is over: its first element, as it was sent.
///
/// # Errors
/// It is not a SEQUENCE that begins with an element.
pub(super) fn signed_part(der: &[u8]) -> Result<&[u8], Bad> {
    let cut = || -> der::Result<&[u8]> {
        elements(inside(der)?)?.first().map(|first| first.whole).ok_or_else(|| ErrorKind::Failed.into())
    };
    cut().map_err(|error| Bad::wrong(line(format_args!("not DER: {error}"))))
}

/// When a certificate ends.
pub(super) fn ends(certificate: &Certificate) -> Timestamp {
    timestamp(certificate.tbs_certificate.validity.not_after.to_unix_duration())
}

/// A time since the epoch, as everything else here has it.
pub(super) fn timestamp(since_epoch: Duration) -> Timestamp {
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// The common name in a name, or all of it.
pub(super) fn common_name(name: &Name) -> String {
    const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
    let parts = name.0.iter().flat_map(|part| part.0.iter());
    let found = parts.filter(|part| part.oid == COMMON_NAME).find_map(|part| {
        // Every kind of text that is used for it is UTF-8 or a part of it, but for a few old ones.
        std::str::from_utf8(part.value.value()).ok().map(|text| line(format_args!("{text}")))
    });
    found.unwrap_or_else(|| line(format_args!("{name}")))
}

/// Something that runs out: an early sign when that is near.
///
/// # Errors
/// It has run out, or does so within the time.
pub(super) fn lasts(what: &str, until: Timestamp, now: Timestamp, early: Duration) -> Result<(), Bad> {
    if until <= now {
        return Err(Bad::wrong(line(format_args!("{what} ran out at {}", date(until)))));
    }
    match until.since(now) < early {
        true => Err(Bad::expiring(line(format_args!("{what} runs out at {}", date(until))))),
        false => Ok(()),
    }
}

/// A moment as people write it, to the second.
pub(super) fn date(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0 / 1_000).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

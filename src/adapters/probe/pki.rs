//! Certificates and signatures: who signed what, by which algorithm, and until when.
//!
//! What comes in is hostile: it is parsed as DER, which has one encoding for each value, and only as long as the caller's limit
//! on what was read. Nothing here asks the network or the clock.

use std::time::Duration;

use der::{Decode, Encode, Header, Reader, SliceReader, asn1::ObjectIdentifier};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime},
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::{Certificate, name::Name, spki::AlgorithmIdentifierOwned, spki::SubjectPublicKeyInfoOwned};

use super::{Bad, line::line};
use crate::domain::Timestamp;

mod algorithms;
mod elements;

pub(super) use algorithms::name as algorithm_name;
pub(super) use elements::{Element, elements};

/// Extended key usage of who answers for a CA (RFC 6960 §4.2.2.2), as the value of its object identifier.
pub(super) const OCSP_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09];

/// Extended key usage of a timestamp authority (RFC 3161 §2.3).
pub(super) const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

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
        let parsed = Certificate::load_pem_chain(pem.as_bytes())
            .map_err(|error| line(format_args!("not certificates in PEM: {error}")))?;
        if parsed.is_empty() {
            return Err("holds no certificate".to_owned());
        }
        let der = parsed.iter().map(encoded).collect::<Result<_, _>>()?;
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

    /// Whether a certificate was issued below one of these for a purpose, and all on the way are valid now.
    ///
    /// # Errors
    /// It was not, or it cannot be judged.
    pub(super) fn vouch_for(
        &self,
        certificate: &Certificate,
        others: &[Certificate],
        purpose: &'static [u8],
        now: Timestamp,
    ) -> Result<(), Bad> {
        let who = common_name(&certificate.tbs_certificate.subject);
        let wrong = |cause: String| Bad::wrong(line(format_args!("certificate {who}{cause}")));
        let der = encoded(certificate).map_err(|cause| wrong(format!(": {cause}")))?;
        let others: Vec<_> = others.iter().filter_map(|other| encoded(other).ok()).collect();
        let anchors: Vec<TrustAnchor<'_>> =
            self.der.iter().filter_map(|der| anchor_from_trusted_cert(der).ok()).collect();
        let end = EndEntityCert::try_from(&der).map_err(|error| wrong(complaint(&error)))?;
        let seconds = u64::try_from(now.0 / 1_000).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = KeyUsage::required(purpose);
        let provider = ring::default_provider().signature_verification_algorithms;
        match end.verify_for_usage(provider.all, &anchors, &others, time, usage, None, None) {
            Ok(_) => Ok(()),
            Err(error) if is_unsupported(&error) => Err(unsupported(&certificate.signature_algorithm)),
            Err(error) => Err(wrong(complaint(&error))),
        }
    }
}

/// What is wrong with a certificate, to be read behind its name.
fn complaint(error: &webpki::Error) -> String {
    use webpki::Error::{
        CertExpired, CertNotValidYet, InvalidSignatureForPublicKey, RequiredEkuNotFoundContext, UnknownIssuer,
    };
    match error {
        CertExpired { .. } => " has run out".to_owned(),
        CertNotValidYet { .. } => " is not valid yet".to_owned(),
        UnknownIssuer => " was issued by somebody else".to_owned(),
        InvalidSignatureForPublicKey => ": the signature is not by the key of its issuer".to_owned(),
        RequiredEkuNotFoundContext(_) => " is not for this purpose (extended key usage)".to_owned(),
        other => format!(": {other}"),
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
    let fits = |known: &&&dyn SignatureVerificationAlgorithm| {
        known.public_key_alg_id().as_ref() == of_key && known.signature_alg_id().as_ref() == of_signature
    };
    let known = provider.all.iter().find(fits).ok_or_else(|| unsupported(algorithm))?;
    known
        .verify_signature(key.subject_public_key.raw_bytes(), message, signature)
        .map_err(|_| Bad::wrong("the signature is not by the key of who signed".to_owned()))
}

/// An answer that is signed in a way that this build cannot verify.
fn unsupported(algorithm: &AlgorithmIdentifierOwned) -> Bad {
    let name = algorithm_name(&algorithm.oid);
    Bad::unjudged(line(format_args!("signed by {name}, which cannot be verified here")))
}

/// What is inside of an algorithm's SEQUENCE: the form in which libraries name it.
fn content(algorithm: &AlgorithmIdentifierOwned) -> Result<Vec<u8>, Bad> {
    let encode = || -> der::Result<Vec<u8>> {
        let der = algorithm.to_der()?;
        let mut reader = SliceReader::new(&der)?;
        Header::decode(&mut reader)?;
        let rest = reader.remaining_len();
        Ok(reader.read_slice(rest)?.to_vec())
    };
    encode().map_err(|error| Bad::wrong(line(format_args!("algorithm: {error}"))))
}

/// What the signature of a signed structure (certificate, CRL, OCSP answer) is over: its first element, as it was sent.
///
/// # Errors
/// It is not a SEQUENCE that begins with an element.
pub(super) fn signed_part(der: &[u8]) -> Result<&[u8], Bad> {
    let cut = || -> der::Result<&[u8]> {
        let mut reader = SliceReader::new(der)?;
        Header::decode(&mut reader)?;
        reader.tlv_bytes()
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

fn encoded(certificate: &Certificate) -> Result<CertificateDer<'static>, String> {
    certificate.to_der().map(CertificateDer::from).map_err(|error| line(format_args!("{error}")))
}

//! What an authority answered, verified: its status, what was signed, who signed it and what time it says.

use std::time::Duration;

use der::{
    AnyRef, Decode, Encode, ErrorKind, Tag, TagNumber,
    asn1::{Null, ObjectIdentifier, OctetStringRef},
};
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use x509_cert::{Certificate, ext::pkix::SubjectKeyIdentifier, spki::AlgorithmIdentifierOwned};

use super::{
    super::{
        Bad,
        line::line,
        pki::{Authorities, Element, Purpose, Shown, common_name, date, elements, ends, lasts, verify},
    },
    syntax::{self, Answer, Info},
};
use crate::domain::Timestamp;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Hashes, and RSA with each of them: CMS may name key and hash apart (RFC 8017 appendix A.2.4, RFC 5754 §3.2).
const HASHES: [(&str, &Algorithm, &str); 3] = [
    ("2.16.840.1.101.3.4.2.1", &SHA256, "1.2.840.113549.1.1.11"),
    ("2.16.840.1.101.3.4.2.2", &SHA384, "1.2.840.113549.1.1.12"),
    ("2.16.840.1.101.3.4.2.3", &SHA512, "1.2.840.113549.1.1.13"),
];

/// Words of `PKIStatus` (RFC 3161 §2.4.2).
const STATUS: [&str; 6] = [
    "granted",
    "granted with changes",
    "rejection",
    "waiting",
    "revocation warning",
    "revocation notification",
];

/// Largest accuracy that is believed. 1 min: who states more says nothing that could be judged.
const ACCURACY_MAX: Duration = Duration::from_secs(60);

/// Two moments by this host's clock.
#[derive(Clone, Copy, Debug)]
pub(in crate::adapters::probe) struct Times {
    /// Before the question was sent.
    pub asked: Timestamp,
    /// When the answer was there.
    pub answered: Timestamp,
}

/// What makes an answer good.
pub(in crate::adapters::probe) struct Judge {
    pub authorities: Authorities,
    pub policy: Option<ObjectIdentifier>,
    pub max_difference: Duration,
    pub expires_within: Duration,
}

impl Judge {
    /// Judges the body of an answer.
    pub(in crate::adapters::probe) fn answer(
        &self,
        body: &[u8],
        imprint: &[u8],
        nonce: &[u8],
        times: Times,
    ) -> Result<(), Bad> {
        let answer = Answer::from_der(body).map_err(|error| not_a_token(&error))?;
        let signed = Signed::of(granted(&answer)?)?;
        let info = Info::from_der(signed.content).map_err(|error| not_a_token(&error))?;
        asked_for(&info, imprint, nonce)?;
        if self.policy.is_some_and(|policy| policy != info.policy) {
            return Err(Bad::wrong(line(format_args!("given under another policy: {}", info.policy))));
        }
        let now = times.answered;
        let signer = self.signer(&signed, now)?;
        self.time(&info, times)?;
        let name = common_name(&signer.tbs_certificate.subject);
        lasts(&format!("the authority's certificate {name}"), ends(&signer), now, self.expires_within)
    }

    /// Who signed, if the signature is good and they may.
    fn signer(&self, signed: &Signed<'_>, now: Timestamp) -> Result<Certificate, Bad> {
        let is_meant = |shown: &&Shown| is_named(&shown.certificate, &signed.by.id);
        let signer = signed.certificates.iter().find(is_meant).ok_or_else(|| {
            Bad::wrong("the certificate of who signed is not in the answer, or cannot be read".to_owned())
        })?;
        self.authorities.vouch_for(signer, &signed.certificates, Purpose::TimeStamping, now)?;
        let signer = signer.certificate.clone();
        let message = signed.by.message(signed.content)?;
        let key = &signer.tbs_certificate.subject_public_key_info;
        verify(key, &signed.by.algorithm(), &message, signed.by.signature)?;
        Ok(signer)
    }

    /// The authority read its clock at some moment between question and answer, and what it says lies anywhere in the unit that it
    /// says it in.
    fn time(&self, info: &Info<'_>, times: Times) -> Result<(), Bad> {
        let (time, unit) = syntax::time(info.time.value())
            .ok_or_else(|| Bad::wrong("the time in it cannot be read".to_owned()))?;
        let accuracy = info.accuracy.map(syntax::Accuracy::span).unwrap_or_default().min(ACCURACY_MAX);
        let allowed = self.max_difference + accuracy;
        let ahead = time.since(times.answered);
        let behind = times.asked.since(time).saturating_sub(unit);
        match ahead.max(behind) > allowed {
            true => Err(Bad::wrong(line(format_args!(
                "says that it is {}, {} ms from this clock, allowed are {allowed:?}",
                date(time),
                ahead.max(behind).as_millis()
            )))),
            false => Ok(()),
        }
    }
}

/// The token in an answer that was granted.
fn granted<'a>(answer: &Answer<'a>) -> Result<AnyRef<'a>, Bad> {
    // 1: the time was given, though not all as it was asked for.
    if answer.status.status > 1 {
        let number = answer.status.status;
        let word = STATUS.get(usize::from(number)).copied().unwrap_or("unknown status");
        let text = answer.status.text.iter().flatten().next().map(|text| text.value()).unwrap_or_default();
        return Err(Bad::wrong(line(format_args!(
            "the authority refused: status {number} ({word}) {}",
            String::from_utf8_lossy(text)
        ))));
    }
    answer.token.ok_or_else(|| Bad::wrong("granted, and no token".to_owned()))
}

fn asked_for(info: &Info<'_>, imprint: &[u8], nonce: &[u8]) -> Result<(), Bad> {
    let wrong = |text: &str| Err(Bad::wrong(text.to_owned()));
    if info.version != 1 {
        return Err(Bad::unjudged(format!("a token of the unknown version {}", info.version)));
    }
    if info.imprint.hash_algorithm.oid != syntax::SHA256 || info.imprint.hashed_message.as_bytes() != imprint
    {
        return wrong("the time of another hash than was asked for");
    }
    match &info.nonce {
        Some(echoed) if echoed.as_bytes() == nonce => Ok(()),
        Some(_) => wrong("another nonce than was sent: an answer to somebody else"),
        None => wrong("no nonce: it may be an old answer"),
    }
}

/// `SignedData` (RFC 5652 §5.1), as far as a timestamp uses it.
struct Signed<'a> {
    content: &'a [u8],
    certificates: Vec<Shown>,
    by: Signer<'a>,
}

/// `SignerInfo` (RFC 5652 §5.3).
struct Signer<'a> {
    id: Element<'a>,
    digest: ObjectIdentifier,
    /// As sent: a set under another tag.
    attributes: &'a [u8],
    named_algorithm: AlgorithmIdentifierOwned,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes a `ContentInfo` apart.
    fn of(token: AnyRef<'a>) -> Result<Self, Bad> {
        let wrong = |text: &str| Bad::wrong(text.to_owned());
        let parts = split(token.value())?;
        let [kind, signed] = parts.as_slice() else { return Err(wrong("not a timestamp: no signed data")) };
        if oid(kind)? != SIGNED_DATA {
            return Err(wrong("the token is not signed"));
        }
        let signed = only(signed.content)?;
        let parts = split(signed.content)?;
        let [_version, _digests, inside, more @ .., signers] = parts.as_slice() else {
            return Err(wrong("not a timestamp: the signed data is cut"));
        };
        let certificates = more.iter().find(|part| is_context(part, TagNumber::N0));
        let certificates = certificates.map(|set| split(set.content)).transpose()?.unwrap_or_default();
        let parsed = certificates.iter().filter_map(|one| Shown::from_der(one.whole));
        // RFC 3161 §2.4.2: no signature but that of the authority.
        let signers = split(signers.content)?;
        let [signer] = signers.as_slice() else { return Err(wrong("not signed by exactly one")) };
        Ok(Self { content: content(inside)?, certificates: parsed.collect(), by: Signer::of(signer)? })
    }
}

/// What was signed: `EncapsulatedContentInfo` (RFC 5652 §5.2).
fn content<'a>(inside: &Element<'a>) -> Result<&'a [u8], Bad> {
    let parts = split(inside.content)?;
    let [kind, content] = parts.as_slice() else { return Err(Bad::wrong("the token is empty".to_owned())) };
    if oid(kind)? != TST_INFO {
        return Err(Bad::wrong("the token is about something else than time".to_owned()));
    }
    // [0], which holds one more element.
    if content.whole.first() != Some(&0xa0) {
        return Err(Bad::wrong("not a timestamp: no content".to_owned()));
    }
    let content = OctetStringRef::from_der(content.content).map_err(|error| not_a_token(&error))?;
    Ok(content.as_bytes())
}

impl<'a> Signer<'a> {
    fn of(info: &Element<'a>) -> Result<Self, Bad> {
        let parts = split(info.content)?;
        let [_version, id, digest, attributes, algorithm, signature, ..] = parts.as_slice() else {
            return Err(Bad::wrong("no signed attributes".to_owned()));
        };
        if !is_context(attributes, TagNumber::N0) || signature.tag != Tag::OctetString {
            return Err(Bad::wrong("no signed attributes".to_owned()));
        }
        let algorithm_of = |part: &Element<'_>| {
            AlgorithmIdentifierOwned::from_der(part.whole).map_err(|error| not_a_token(&error))
        };
        Ok(Self {
            id: *id,
            digest: algorithm_of(digest)?.oid,
            attributes: attributes.whole,
            named_algorithm: algorithm_of(algorithm)?,
            signature: signature.content,
        })
    }

    /// What the signature is over: the attributes as the set that they are, which must name the content (RFC 5652 §5.4, §11.1, §11.2).
    fn message(&self, content: &[u8]) -> Result<Vec<u8>, Bad> {
        let wrong = |text: &str| Bad::wrong(text.to_owned());
        if self.value(CONTENT_TYPE)?.map(|value| oid(&value)).transpose()? != Some(TST_INFO) {
            return Err(wrong("the signed attributes are about something else"));
        }
        let Some((_, hash, _)) = HASHES.iter().find(|(oid, ..)| self.digest.to_string() == *oid) else {
            return Err(Bad::unjudged(line(format_args!(
                "hashed by {}, which is not known here",
                self.digest
            ))));
        };
        // Which certificate signed is signed as well (RFC 3161 §2.4.2, RFC 5816 §2.2).
        if self.value(SIGNING_CERTIFICATE)?.is_none() && self.value(SIGNING_CERTIFICATE_V2)?.is_none() {
            return Err(wrong("the signed attributes do not name the certificate of who signed"));
        }
        let said = self.value(MESSAGE_DIGEST)?.map(|value| value.content);
        if said != Some(digest(hash, content).as_ref()) {
            return Err(wrong("the hash that was signed is not that of the content"));
        }
        let mut message = self.attributes.to_vec();
        if let Some(tag) = message.first_mut() {
            *tag = Tag::Set.octet();
        }
        Ok(message)
    }

    /// The only value of an attribute that is there once.
    fn value(&self, wanted: ObjectIdentifier) -> Result<Option<Element<'a>>, Bad> {
        let mut found = None;
        for attribute in split(only(self.attributes)?.content)? {
            let parts = split(attribute.content)?;
            let [kind, values] = parts.as_slice() else { continue };
            if oid(kind)? == wanted && found.replace(only(values.content)?).is_some() {
                return Err(Bad::wrong("a signed attribute is there twice".to_owned()));
            }
        }
        Ok(found)
    }

    /// The key and the hash may be named apart.
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        let hash = self.digest.to_string();
        let both = HASHES.iter().find(|(oid, ..)| self.named_algorithm.oid == RSA && hash == *oid);
        match both.and_then(|(.., oid)| ObjectIdentifier::new(oid).ok()) {
            Some(oid) => AlgorithmIdentifierOwned { oid, parameters: Some(Null.into()) },
            None => self.named_algorithm.clone(),
        }
    }
}

/// Whether a signer is this one, by issuer and serial number or by the identifier of the key.
fn is_named(certificate: &Certificate, id: &Element<'_>) -> bool {
    let inside = &certificate.tbs_certificate;
    if is_context(id, TagNumber::N0) {
        let own = inside.get::<SubjectKeyIdentifier>().ok().flatten();
        return own.is_some_and(|(_, own)| own.0.as_bytes() == id.content);
    }
    let parts = split(id.content).unwrap_or_default();
    let [issuer, serial] = parts.as_slice() else { return false };
    let own_issuer = inside.issuer.to_der();
    own_issuer.is_ok_and(|own| own == issuer.whole) && inside.serial_number.as_bytes() == serial.content
}

fn split(bytes: &[u8]) -> Result<Vec<Element<'_>>, Bad> {
    elements(bytes).map_err(|error| not_a_token(&error))
}

/// The one element in these bytes.
fn only(bytes: &[u8]) -> Result<Element<'_>, Bad> {
    match split(bytes)?.as_slice() {
        [only] => Ok(*only),
        _ => Err(Bad::wrong("not a timestamp: more than one value where one belongs".to_owned())),
    }
}

fn oid(element: &Element<'_>) -> Result<ObjectIdentifier, Bad> {
    ObjectIdentifier::from_der(element.whole).map_err(|error| not_a_token(&error))
}

fn is_context(element: &Element<'_>, number: TagNumber) -> bool {
    matches!(element.tag, Tag::ContextSpecific { number: found, .. } if found == number)
}

fn not_a_token(error: &der::Error) -> Bad {
    match error.kind() {
        // Allowed in CMS (RFC 5652 §5.1), and not read here.
        ErrorKind::IndefiniteLength | ErrorKind::Overlength => {
            Bad::unjudged(line(format_args!("a timestamp in BER, which is not read here: {error}")))
        }
        _ => Bad::wrong(line(format_args!("not a timestamp: {error}"))),
    }
}

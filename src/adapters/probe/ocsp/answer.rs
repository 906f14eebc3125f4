//! What a responder answered, verified in the order of RFC 6960 §3.2.

use der::{Decode, asn1::ObjectIdentifier};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_cert::Certificate;
use x509_ocsp::{
    BasicOcspResponse, CertStatus, OcspGeneralizedTime, OcspResponse, OcspResponseStatus, ResponderId,
    SingleResponse,
};

use super::{
    super::{
        Bad,
        line::line,
        pki::{
            Authorities, Purpose, Shown, common_name, date, elements, ends, inside, lasts, signed_part,
            timestamp, verify,
        },
    },
    question::{NONCE, Question},
};
use crate::{
    domain::Timestamp,
    ports::{NonceRule, OcspSpec, Revocation},
};

/// The only kind of answer there is (RFC 6960 §4.2.1).
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");

/// What makes an answer good.
pub(in crate::adapters::probe) struct Judge<'a> {
    pub spec: &'a OcspSpec,
    pub issuer: &'a Authorities,
    pub now: Timestamp,
}

impl Judge<'_> {
    /// Judges the body of an answer.
    pub(in crate::adapters::probe) fn answer(
        &self,
        body: &[u8],
        question: &Question,
        expected: Revocation,
    ) -> Result<(), Bad> {
        let basic_der = basic(body)?;
        let basic = BasicOcspResponse::from_der(&basic_der).map_err(|error| not_ocsp(&error))?;
        let single = basic.tbs_response_data.responses.iter().find(|single| is_about(single, question));
        let single = single.ok_or_else(|| {
            Bad::wrong("the answer is about another certificate than was asked for".to_owned())
        })?;
        let signer = self.signer(&basic, &basic_der)?;
        let key = &signer.tbs_certificate.subject_public_key_info;
        verify(key, &basic.signature_algorithm, signed_part(&basic_der)?, basic.signature.raw_bytes())?;
        let echoed = self.nonce(&basic, question)?;
        self.dates(&basic, single, echoed)?;
        is_expected(&single.cert_status, expected)?;
        let (now, early) = (self.now, self.spec.expires_within);
        let name = common_name(&signer.tbs_certificate.subject);
        lasts(&format!("the responder's certificate {name}"), ends(&signer), now, early)?;
        self.issuer.all().iter().try_for_each(|ca| lasts("the certificate of the CA", ends(ca), now, early))
    }

    /// The CA itself, or whom it has allowed to sign for it.
    fn signer(&self, basic: &BasicOcspResponse, der: &[u8]) -> Result<Certificate, Bad> {
        let id = &basic.tbs_response_data.responder_id;
        let sent = shown(der)?;
        let ca = self.issuer.all().first().filter(|ca| is_named(ca, id));
        let delegate =
            sent.iter().find(|sent| is_named(&sent.certificate, id) && ca != Some(&sent.certificate));
        let Some(delegate) = delegate else {
            let none = || Bad::wrong("signed by somebody whose certificate is not in the answer".to_owned());
            return ca.cloned().ok_or_else(none);
        };
        match (self.issuer.vouch_for(delegate, &[], Purpose::OcspSigning, self.now), ca) {
            (Ok(()), _) => Ok(delegate.certificate.clone()),
            // Another certificate of the CA's name was sent along.
            (Err(_), Some(ca)) => Ok(ca.clone()),
            (Err(bad), None) => Err(bad),
        }
    }

    /// Whether the nonce came back.
    fn nonce(&self, basic: &BasicOcspResponse, question: &Question) -> Result<bool, Bad> {
        let mut extensions = basic.tbs_response_data.response_extensions.iter().flatten();
        let echoed = extensions.find(|extension| extension.extn_id == NONCE).map(|found| &found.extn_value);
        match (&question.nonce, echoed) {
            (Some(sent), Some(echoed)) if sent == echoed => Ok(true),
            (Some(_), Some(_)) => {
                Err(Bad::wrong("another nonce than was sent: an answer to somebody else".to_owned()))
            }
            (Some(_), None) if self.spec.nonce == NonceRule::Required => {
                Err(Bad::wrong("no nonce: it may be an old answer".to_owned()))
            }
            _ => Ok(false),
        }
    }

    fn dates(&self, basic: &BasicOcspResponse, single: &SingleResponse, echoed: bool) -> Result<(), Bad> {
        let this_update = moment(&single.this_update);
        for (what, at) in
            [("thisUpdate", this_update), ("producedAt", moment(&basic.tbs_response_data.produced_at))]
        {
            if at.since(self.now) > self.spec.clock_skew {
                return Err(Bad::wrong(format!("{what} is in the future: {}", date(at))));
            }
        }
        if let Some(until) = single.next_update.as_ref().map(moment)
            && until <= self.now
        {
            return Err(Bad::stale(format!("stale: was good until {}", date(until))));
        }
        // Without an end, only a number that was never used before shows that it is not old (RFC 6960 §3.2, §4.4.1).
        if single.next_update.is_none() && !echoed && self.spec.max_age.is_none() {
            return Err(Bad::wrong("does not say until when it is good: set maxAge".to_owned()));
        }
        match self.spec.max_age.filter(|max| self.now.since(this_update) > *max) {
            Some(max) => {
                let since = date(this_update);
                Err(Bad::stale(line(format_args!("stale: what it says is from {since}, older than {max:?}"))))
            }
            None => Ok(()),
        }
    }
}

/// The certificates that were sent along, as they were sent.
fn shown(basic: &[u8]) -> Result<Vec<Shown>, Bad> {
    let split = || -> der::Result<Vec<Shown>> {
        let parts = elements(inside(basic)?)?;
        // Behind what is signed, the algorithm and the signature: [0] with a SEQUENCE in it.
        let Some(certificates) = parts.get(3) else { return Ok(Vec::new()) };
        let all = elements(inside(certificates.content)?)?;
        Ok(all.iter().filter_map(|one| Shown::from_der(one.whole)).collect())
    };
    split().map_err(|error| not_ocsp(&error))
}

/// The signed answer in the outer one.
fn basic(body: &[u8]) -> Result<Vec<u8>, Bad> {
    let outer = OcspResponse::from_der(body).map_err(|error| not_ocsp(&error))?;
    if outer.response_status != OcspResponseStatus::Successful {
        return Err(Bad::wrong(line(format_args!("the responder says {:?}", outer.response_status))));
    }
    let inner = outer.response_bytes.ok_or_else(|| Bad::wrong("an empty answer".to_owned()))?;
    if inner.response_type != BASIC {
        return Err(Bad::unjudged(line(format_args!(
            "an answer of the unknown kind {}",
            inner.response_type
        ))));
    }
    Ok(inner.response.into_bytes())
}

fn not_ocsp(error: &der::Error) -> Bad {
    Bad::wrong(line(format_args!("not an OCSP answer: {error}")))
}

fn is_expected(said: &CertStatus, expected: Revocation) -> Result<(), Bad> {
    let said = match said {
        CertStatus::Good(_) => Revocation::Good,
        CertStatus::Revoked(_) => Revocation::Revoked,
        CertStatus::Unknown(_) => Revocation::Unknown,
    };
    match said == expected {
        true => Ok(()),
        false => Err(Bad::wrong(format!("says {}, expected {}", said.as_str(), expected.as_str()))),
    }
}

/// Compared by what is in it: some responders leave the hash's parameters out.
fn is_about(single: &SingleResponse, question: &Question) -> bool {
    let (said, asked) = (&single.cert_id, &question.id);
    said.hash_algorithm.oid == asked.hash_algorithm.oid
        && said.issuer_name_hash == asked.issuer_name_hash
        && said.issuer_key_hash == asked.issuer_key_hash
        && said.serial_number == asked.serial_number
}

/// Whether the responder means this certificate.
fn is_named(certificate: &Certificate, id: &ResponderId) -> bool {
    let inside = &certificate.tbs_certificate;
    match id {
        ResponderId::ByName(name) => inside.subject == *name,
        ResponderId::ByKey(hash) => {
            let key = inside.subject_public_key_info.subject_public_key.raw_bytes();
            digest(&SHA1_FOR_LEGACY_USE_ONLY, key).as_ref() == hash.as_bytes()
        }
    }
}

fn moment(at: &OcspGeneralizedTime) -> Timestamp {
    timestamp(at.0.to_unix_duration())
}

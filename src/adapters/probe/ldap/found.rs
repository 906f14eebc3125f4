//! What a search found, and whether it is good. No I/O and no clock.

use std::{sync::Arc, time::Duration};

use der::Decode;
use x509_cert::Certificate;

use super::{
    super::{
        Bad,
        crl::ListJudge,
        line::line,
        pki::{Authorities, common_name, date, ends, lasts, signed_part, timestamp, verify},
    },
    ber::{Malformed, OCTET_STRING, Reader, SEQUENCE, SET},
    messages::{first_reference, malformed},
};
use crate::{
    domain::{Outcome, Timestamp},
    ports::{LdapSpec, LdapValue},
};

/// Entries that a search asks for at most.
pub(super) const ENTRIES_MAX: u32 = 1000;

/// Values that are lists or certificates, of which one must be good. 16: a CA that changes its key has two; each costs a
/// verification of a signature.
const VALUES_MAX: usize = 16;

/// What makes what was found good.
pub(super) struct Judge {
    attribute: Option<Attribute>,
    entries_min: usize,
    value: Value,
}

enum Value {
    Any,
    Equals(Arc<str>),
    List(Box<ListJudge>),
    Certificate { issuer: Authorities, early: Duration },
}

/// An attribute with its options, such as `cACertificate;binary`.
struct Attribute {
    text: Arc<str>,
    name: String,
    options: Vec<String>,
}

/// What a search has found so far.
#[derive(Default)]
pub(super) struct Found {
    entries: usize,
    /// Where the first referral leads.
    referral: Option<String>,
    /// There was a value that is not empty.
    any: bool,
    /// There was a value that is the expected text.
    equal: bool,
    /// Those that have to be read.
    values: Vec<Vec<u8>>,
    /// There were more values than are kept.
    more: bool,
}

impl Judge {
    /// # Errors
    /// An issuer is not in PEM: the field and the cause.
    pub(super) fn new(spec: &LdapSpec) -> Result<Self, (&'static str, String)> {
        let value = match &spec.value {
            LdapValue::Any => Value::Any,
            LdapValue::Equals(text) => Value::Equals(text.clone()),
            LdapValue::Crl(rules) => {
                let judge = ListJudge::new(rules).map_err(|cause| ("search.crl.issuer", cause))?;
                Value::List(Box::new(judge))
            }
            LdapValue::Certificate { issuer, expires_within } => Value::Certificate {
                issuer: Authorities::from_pem(issuer)
                    .map_err(|cause| ("search.certificate.issuer", cause))?,
                early: *expires_within,
            },
        };
        let attribute = spec.attribute.as_ref().map(Attribute::new);
        Ok(Self { attribute, entries_min: spec.min_entries, value })
    }

    /// Takes an entry (RFC 4511 §4.5.2) into what was found.
    pub(super) fn entry(&self, content: &[u8], found: &mut Found) -> Result<(), Bad> {
        found.entries += 1;
        if found.entries > usize::try_from(ENTRIES_MAX).unwrap_or(usize::MAX) {
            return Err(Bad::wrong(format!("more than {ENTRIES_MAX} entries, which is what was asked for")));
        }
        self.read_entry(content, found).map_err(malformed)
    }

    fn read_entry(&self, content: &[u8], found: &mut Found) -> Result<(), Malformed> {
        let mut entry = Reader::new(content);
        let _name = entry.expect(OCTET_STRING)?;
        let mut attributes = Reader::new(entry.expect(SEQUENCE)?);
        while let Some((tag, content)) = attributes.any()? {
            if tag != SEQUENCE {
                return Err(Malformed("an element of another kind"));
            }
            let mut attribute = Reader::new(content);
            let description = attribute.expect(OCTET_STRING)?;
            let mut values = Reader::new(attribute.expect(SET)?);
            let wanted = self.attribute.as_ref().is_some_and(|wanted| wanted.is(description));
            while let Some((tag, value)) = values.any()? {
                if tag != OCTET_STRING {
                    return Err(Malformed("an element of another kind"));
                }
                if wanted && !value.is_empty() {
                    self.value(value, found);
                }
            }
        }
        Ok(())
    }

    /// Only what the judgement needs is kept: a million small values would need more memory than they have bytes.
    fn value(&self, value: &[u8], found: &mut Found) {
        found.any = true;
        match &self.value {
            Value::Any => {}
            Value::Equals(text) => found.equal |= value == text.as_bytes(),
            Value::List(_) | Value::Certificate { .. } if found.values.len() == VALUES_MAX => {
                found.more = true
            }
            Value::List(_) | Value::Certificate { .. } => found.values.push(value.to_vec()),
        }
    }

    /// Judges what a search that succeeded has found.
    pub(super) fn judge(&self, found: &Found, now: Timestamp) -> Result<(), Bad> {
        if let (0, Some(place)) = (found.entries, &found.referral) {
            return Err(Bad::wrong(line(format_args!(
                "search: only a referral, to {place}, which is not followed"
            ))));
        }
        if found.entries < self.entries_min {
            let (entries, least) = (found.entries, self.entries_min);
            return Err(Bad::wrong(format!("entries found: {entries}, expected at least {least}")));
        }
        let Some(attribute) = &self.attribute else { return Ok(()) };
        let text = &attribute.text;
        if !found.any {
            return Err(Bad::wrong(line(format_args!("no entry has a value of {text}"))));
        }
        match &self.value {
            Value::Any => Ok(()),
            Value::Equals(_) if found.equal => Ok(()),
            // The value may be one that not everybody should read: the detail does not repeat it.
            Value::Equals(_) => {
                Err(Bad::wrong(line(format_args!("no value of {text} is the text that is expected"))))
            }
            Value::List(judge) => best(found, |value| judge.judge(value, now)),
            Value::Certificate { issuer, early } => {
                best(found, |value| certificate(value, issuer, *early, now))
            }
        }
    }
}

impl Found {
    /// Takes a reference to another directory (RFC 4511 §4.5.3), which is not followed.
    pub(super) fn reference(&mut self, content: &[u8]) -> Result<(), Bad> {
        let place = first_reference(content).map_err(malformed)?;
        self.referral.get_or_insert(place);
        Ok(())
    }
}

/// The judgement of the best value: a good one, else an early sign, else one that cannot be judged, else what is wrong with the first.
fn best(found: &Found, judge: impl Fn(&[u8]) -> Result<(), Bad>) -> Result<(), Bad> {
    let mut worse: Option<Bad> = None;
    for value in &found.values {
        match judge(value) {
            Ok(()) => return Ok(()),
            Err(bad) => match &worse {
                Some(first) if rank(first) <= rank(&bad) => {}
                _ => worse = Some(bad),
            },
        }
    }
    match worse {
        Some(bad) if bad.outcome.is_bad() && found.more => {
            let detail = line(format_args!("none of the first {VALUES_MAX} values is good: {}", bad.detail));
            Err(Bad { detail, ..bad })
        }
        Some(bad) => Err(bad),
        None => Ok(()),
    }
}

/// How far from good: an early sign, what cannot be judged, what is wrong.
const fn rank(bad: &Bad) -> u8 {
    match bad.outcome {
        outcome if outcome.is_bad() => 2,
        Outcome::Unjudged => 1,
        _ => 0,
    }
}

/// Whether a certificate was signed by one of these and is valid.
fn certificate(der: &[u8], issuers: &Authorities, early: Duration, now: Timestamp) -> Result<(), Bad> {
    let certificate = Certificate::from_der(der)
        .map_err(|error| Bad::wrong(line(format_args!("not a certificate: {error}"))))?;
    let inside = &certificate.tbs_certificate;
    let name = format!("certificate {}", common_name(&inside.subject));
    if certificate.signature_algorithm != inside.signature {
        return Err(Bad::wrong(line(format_args!("{name}: two different algorithms"))));
    }
    let mut judged = Err(Bad::wrong(line(format_args!(
        "{name}: issued by {}, which is not the issuer of the check",
        common_name(&inside.issuer)
    ))));
    // A CA that changes its key has two certificates of one name.
    for issuer in issuers.all().iter().filter(|issuer| issuer.tbs_certificate.subject == inside.issuer) {
        let key = &issuer.tbs_certificate.subject_public_key_info;
        let signature = certificate.signature.raw_bytes();
        judged = verify(key, &certificate.signature_algorithm, signed_part(der)?, signature)
            .and_then(|()| lasts("the issuer's certificate", ends(issuer), now, Duration::ZERO));
        if judged.is_ok() {
            break;
        }
    }
    judged.map_err(|bad| match bad.detail.starts_with(&name) {
        true => bad,
        false => Bad { detail: line(format_args!("{name}: {}", bad.detail)), ..bad },
    })?;
    let begins = timestamp(inside.validity.not_before.to_unix_duration());
    if begins > now {
        return Err(Bad::wrong(line(format_args!("{name} is not valid before {}", date(begins)))));
    }
    lasts(&name, ends(&certificate), now, early)
}

impl Attribute {
    fn new(text: &Arc<str>) -> Self {
        let lower = text.to_ascii_lowercase();
        let mut parts = lower.split(';').map(str::to_owned);
        let name = parts.next().unwrap_or_default();
        Self { text: text.clone(), name, options: parts.collect() }
    }

    /// Whether a directory's description of an attribute is of this one: it may have more options (RFC 4512 §2.5.2).
    fn is(&self, description: &[u8]) -> bool {
        let Ok(description) = std::str::from_utf8(description) else { return false };
        let mut parts = description.split(';');
        if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case(&self.name)) {
            return false;
        }
        let has = |option: &String| parts.clone().any(|part| part.eq_ignore_ascii_case(option));
        self.options.iter().all(has)
    }
}

#[cfg(test)]
mod tests;

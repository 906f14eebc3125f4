//! What a responder is asked (RFC 6960 §4.1).

use base64::{Engine, prelude::BASE64_STANDARD};
use der::{
    Encode,
    asn1::{Null, ObjectIdentifier, OctetString},
};
use ring::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
    rand::{SecureRandom, SystemRandom},
};
use x509_cert::{ext::Extension, serial_number::SerialNumber, spki::AlgorithmIdentifierOwned};
use x509_ocsp::{CertId, OcspRequest, Request, TbsRequest, Version};

use super::super::{Bad, line::line, pki::Authorities};
use crate::ports::NonceRule;

/// The hash in a [`CertId`]: it names a certificate and protects nothing. Every responder knows this one, and only this one is
/// required (RFC 5019 §2.1.1).
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");

/// The nonce's extension (RFC 6960 §4.4.1).
pub(super) const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");

/// Bytes of a nonce: what RFC 9654 §2.1 says that clients should use.
const NONCE_BYTES: usize = 32;

/// One request.
pub(in crate::adapters::probe) struct Question {
    /// The certificate that is asked for.
    pub id: CertId,
    /// The value of the nonce's extension, if one is sent.
    pub nonce: Option<OctetString>,
    der: Vec<u8>,
}

impl Question {
    /// Asks for the status of one certificate of the first of these authorities.
    pub(in crate::adapters::probe) fn new(
        issuer: &Authorities,
        serial: &[u8],
        nonce: NonceRule,
    ) -> Result<Self, Bad> {
        let build = || -> der::Result<Self> {
            let id = id(issuer, serial)?;
            let nonce = if nonce == NonceRule::None { None } else { Some(fresh_nonce()?) };
            let extension = |value: &OctetString| Extension {
                extn_id: NONCE,
                critical: false,
                extn_value: value.clone(),
            };
            let request = OcspRequest {
                tbs_request: TbsRequest {
                    version: Version::V1,
                    requestor_name: None,
                    request_list: vec![Request { req_cert: id.clone(), single_request_extensions: None }],
                    request_extensions: nonce.as_ref().map(|value| vec![extension(value)]),
                },
                optional_signature: None,
            };
            Ok(Self { id, nonce, der: request.to_der()? })
        };
        build().map_err(|error| Bad::unjudged(line(format_args!("the request cannot be made: {error}"))))
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The path for GET: the request in base64, in which `/`, `+` and `=` are escaped (RFC 6960 appendix A.1).
    pub(super) fn path(&self, of_responder: &str) -> String {
        let encoded = BASE64_STANDARD.encode(&self.der);
        let escaped = encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("{}/{escaped}", of_responder.trim_end_matches('/'))
    }
}

fn id(issuer: &Authorities, serial: &[u8]) -> der::Result<CertId> {
    let authority = issuer.all().first().ok_or(der::ErrorKind::Failed)?;
    let authority = &authority.tbs_certificate;
    let hash = |bytes: &[u8]| OctetString::new(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    Ok(CertId {
        hash_algorithm: AlgorithmIdentifierOwned { oid: SHA1, parameters: Some(Null.into()) },
        issuer_name_hash: hash(&authority.subject.to_der()?)?,
        issuer_key_hash: hash(authority.subject_public_key_info.subject_public_key.raw_bytes())?,
        serial_number: SerialNumber::new(serial)?,
    })
}

/// The extension's value is an OCTET STRING within the OCTET STRING that every extension's value is.
fn fresh_nonce() -> der::Result<OctetString> {
    let mut bytes = [0; NONCE_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| der::ErrorKind::Failed)?;
    OctetString::new(OctetString::new(bytes.as_slice())?.to_der()?)
}

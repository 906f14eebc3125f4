//! What each kind of check asks and expects.

mod did;
mod verifier;

use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;

use super::{super::unsigned, port};
use crate::{
    api::{self, HttpMethod},
    domain::Limits,
    ports::{
        BodyFormat, CheckKind, ClientCertificate, CrlRules, CrlSpec, DnsRecord, DnsSpec, DnsTransport,
        GrpcSpec, HttpSpec, LdapBind, LdapEncryption, LdapScope, LdapSpec, LdapValue, NonceRule, OcspCanary,
        OcspMethod, OcspSpec, PayloadSpec, Pin, PromqlSpec, Revocation, SecretRef, Serial, TimestampSpec,
        TlsCheckSpec, TlsSpec,
    },
};

/// A field below a check, and what is wrong with it.
type Wrong = (String, String);

/// The one kind that is set.
pub(super) fn kind(namespace: &str, check: &api::Check) -> Result<CheckKind, Wrong> {
    let set = [
        check.http.as_ref().map(|http| http_spec(namespace, http).map(CheckKind::Http)),
        check.tcp.map(|_| Ok(CheckKind::Tcp)),
        check.tls.as_ref().map(|tls| Ok(CheckKind::Tls(tls_check_spec(tls)))),
        check.ocsp.as_ref().map(|ocsp| ocsp_spec(namespace, ocsp).map(CheckKind::Ocsp)),
        check.crl.as_ref().map(|crl| crl_spec(namespace, crl).map(CheckKind::Crl)),
        check
            .timestamp
            .as_ref()
            .map(|timestamp| timestamp_spec(namespace, timestamp).map(CheckKind::Timestamp)),
        check.ldap.as_ref().map(|ldap| ldap_spec(namespace, ldap).map(CheckKind::Ldap)),
        check.payload.as_ref().map(|payload| payload_spec(namespace, payload).map(CheckKind::Payload)),
        check.grpc.as_ref().map(|grpc| grpc_spec(namespace, grpc).map(CheckKind::Grpc)),
        check.dns.as_ref().map(|dns| Ok(CheckKind::Dns(dns_spec(dns)))),
        check.did.as_ref().map(|did| did::did_spec(namespace, did).map(CheckKind::Did)),
        check
            .verifier
            .as_ref()
            .map(|verifier| verifier::verifier_spec(namespace, verifier).map(CheckKind::Verifier)),
        check.promql.as_ref().map(|promql| promql_spec(namespace, promql).map(CheckKind::Promql)),
    ];
    let mut set = set.into_iter().flatten();
    match (set.next(), set.next()) {
        (Some(kind), None) => kind,
        _ => Err((String::new(), "set exactly one kind of check, such as http or ocsp".to_owned())),
    }
}

fn http_spec(namespace: &str, http: &api::HttpCheck) -> Result<HttpSpec, Wrong> {
    Ok(HttpSpec {
        method: match http.method {
            HttpMethod::Get => "GET",
            HttpMethod::Head => "HEAD",
            HttpMethod::Post => "POST",
            HttpMethod::Put => "PUT",
        },
        path: Arc::from(http.path.as_str()),
        headers: http.headers.iter().filter_map(plain).collect(),
        secret_headers: http.headers.iter().filter_map(|header| secret(namespace, header)).collect(),
        body: body(http),
        expected_status: http.expected_status.iter().map(|status| port(*status)).collect(),
        expect: http.expect.as_deref().map(Arc::from),
        max_body_bytes: usize::try_from(http.max_body_bytes).unwrap_or(0),
        format: match http.format {
            api::BodyFormat::Json => BodyFormat::Json,
            api::BodyFormat::Text => BodyFormat::Text,
            api::BodyFormat::Xml => BodyFormat::Xml,
            api::BodyFormat::Cbor => BodyFormat::Cbor,
        },
        keep_alive: http.keep_alive,
        http2: http.http2,
        tls: tls_spec(namespace, ".http.tls", http.tls.as_ref())?,
    })
}

fn plain(header: &api::Header) -> Option<(String, String)> {
    Some((header.name.clone(), header.value.clone()?))
}

fn secret(namespace: &str, header: &api::Header) -> Option<(String, SecretRef)> {
    let secret = header.secret_key_ref.as_ref()?;
    Some((header.name.clone(), secret_ref(namespace, &secret.name, &secret.key)))
}

fn body(http: &api::HttpCheck) -> Bytes {
    match (&http.body, &http.generated_body) {
        (Some(body), _) => Bytes::from(body.clone().into_bytes()),
        (None, Some(generated)) => generated_body(unsigned(generated.size)),
        (None, None) => Bytes::new(),
    }
}

/// Text that no compression on the path makes small: the alphabet in steps that do not repeat soon.
fn generated_body(size: u32) -> Bytes {
    let mut state = 1_u32;
    let letters = (0..size).map(|_| {
        // A linear congruential generator (Numerical Recipes): the same bytes at each start.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + u8::try_from((state >> 24) % 26).unwrap_or(0)
    });
    letters.collect()
}

fn payload_spec(namespace: &str, payload: &api::PayloadCheck) -> Result<PayloadSpec, Wrong> {
    let sizes: BTreeSet<u32> = payload.sizes.iter().map(|size| unsigned(*size)).collect();
    // Each is the beginning of the largest, whose bytes they share.
    let largest = generated_body(sizes.last().copied().unwrap_or(0));
    let message = |size: &u32| largest.slice(..usize::try_from(*size).unwrap_or(0).min(largest.len()));
    Ok(PayloadSpec {
        path: Arc::from(payload.path.as_str()),
        messages: sizes.iter().map(message).collect(),
        echo: payload.echo,
        tls: tls_spec(namespace, ".payload.tls", payload.tls.as_ref())?,
    })
}

fn promql_spec(namespace: &str, promql: &api::PromqlCheck) -> Result<PromqlSpec, Wrong> {
    let number = |field: &str, text: Option<&String>| {
        let parsed = text.map(|text| text.parse().map_err(|_| format!("{text:?} is no decimal number")));
        parsed.transpose().map_err(|message| (format!(".promql.{field}"), message))
    };
    let server = &promql.prometheus;
    let token = server.token_secret_ref.as_ref();
    Ok(PromqlSpec {
        url: Arc::from(server.url.as_str()),
        token: token.map(|secret| secret_ref(namespace, &secret.name, &secret.key)),
        ca_bundle: server.ca_bundle.as_deref().map(Arc::from),
        query: Arc::from(promql.query.as_str()),
        limits: Limits { min: number("min", promql.min.as_ref())?, max: number("max", promql.max.as_ref())? },
    })
}

fn grpc_spec(namespace: &str, grpc: &api::GrpcCheck) -> Result<GrpcSpec, Wrong> {
    Ok(GrpcSpec {
        service: Arc::from(grpc.service.as_str()),
        tls: tls_spec(namespace, ".grpc.tls", grpc.tls.as_ref())?,
    })
}

fn dns_spec(dns: &api::DnsCheck) -> DnsSpec {
    DnsSpec {
        name: Arc::from(dns.name.as_str()),
        record: match dns.kind {
            api::DnsRecordType::A => DnsRecord::A,
            api::DnsRecordType::Aaaa => DnsRecord::Aaaa,
            api::DnsRecordType::Txt => DnsRecord::Txt,
            api::DnsRecordType::Soa => DnsRecord::Soa,
            api::DnsRecordType::Ns => DnsRecord::Ns,
            api::DnsRecordType::Cname => DnsRecord::Cname,
            api::DnsRecordType::Ptr => DnsRecord::Ptr,
            api::DnsRecordType::Mx => DnsRecord::Mx,
            api::DnsRecordType::Srv => DnsRecord::Srv,
        },
        transport: match dns.transport {
            api::DnsTransport::Udp => DnsTransport::Udp,
            api::DnsTransport::Tcp => DnsTransport::Tcp,
        },
        expect: dns.expect.iter().map(|value| Arc::from(value.as_str())).collect(),
        authoritative: dns.authoritative,
    }
}

fn tls_spec(namespace: &str, path: &str, tls: Option<&api::TlsOptions>) -> Result<TlsSpec, Wrong> {
    let Some(tls) = tls else { return Ok(TlsSpec::default()) };
    let client = tls.client_secret_ref.as_ref().map(|secret| {
        let key = |key: &str| secret_ref(namespace, &secret.name, key);
        ClientCertificate { certificates: key("tls.crt"), key: key("tls.key") }
    });
    Ok(TlsSpec {
        server_name: tls.server_name.as_deref().map(Arc::from),
        ca_bundle: tls.ca_bundle.as_deref().map(Arc::from),
        client,
        pins: pins(path, &tls.pins)?,
        full_handshake_every: tls.full_handshake_every.and_then(|every| NonZeroU32::new(unsigned(every))),
    })
}

fn secret_ref(namespace: &str, name: &str, key: &str) -> SecretRef {
    SecretRef { namespace: Arc::from(namespace), name: Arc::from(name), key: Arc::from(key) }
}

fn pins(path: &str, pins: &[String]) -> Result<Vec<Pin>, Wrong> {
    let pin = |(index, text): (usize, &String)| {
        let decoded = text.strip_prefix("sha256/").and_then(|text| BASE64_STANDARD.decode(text).ok());
        let pin = decoded.and_then(|bytes| Pin::try_from(bytes).ok());
        let message = || format!("{text:?} is no pin: write sha256/ and the base64 of 32 bytes");
        pin.ok_or_else(|| (format!("{path}.pins[{index}]"), message()))
    };
    pins.iter().enumerate().map(pin).collect()
}

fn tls_check_spec(tls: &api::TlsCheck) -> TlsCheckSpec {
    TlsCheckSpec {
        tls: TlsSpec {
            server_name: tls.server_name.as_deref().map(Arc::from),
            ca_bundle: tls.ca_bundle.as_deref().map(Arc::from),
            ..TlsSpec::default()
        },
        expires_within: tls.expires_within.into(),
    }
}

fn ocsp_spec(namespace: &str, ocsp: &api::OcspCheck) -> Result<OcspSpec, Wrong> {
    let canary = |(index, canary): (usize, &api::OcspCanary)| {
        let serial = serial(&canary.serial);
        let serial = serial.map_err(|message| (format!(".ocsp.canaries[{index}].serial"), message))?;
        let expected = match canary.expect {
            api::Revocation::Good => Revocation::Good,
            api::Revocation::Revoked => Revocation::Revoked,
            api::Revocation::Unknown => Revocation::Unknown,
        };
        Ok::<_, Wrong>(OcspCanary { serial, expected })
    };
    let method = |method: &api::OcspMethod| match method {
        api::OcspMethod::Get => OcspMethod::Get,
        api::OcspMethod::Post => OcspMethod::Post,
    };
    Ok(OcspSpec {
        path: Arc::from(ocsp.path.as_str()),
        methods: ocsp.methods.iter().map(method).collect(),
        issuer: Arc::from(ocsp.issuer.as_str()),
        canaries: ocsp.canaries.iter().enumerate().map(canary).collect::<Result<_, _>>()?,
        nonce: match ocsp.nonce {
            api::NonceRule::Required => NonceRule::Required,
            api::NonceRule::Optional => NonceRule::Optional,
            api::NonceRule::None => NonceRule::None,
        },
        max_age: ocsp.max_age.map(Duration::from),
        clock_skew: ocsp.clock_skew.into(),
        expires_within: ocsp.expires_within.into(),
        tls: tls_spec(namespace, ".ocsp.tls", ocsp.tls.as_ref())?,
    })
}

fn crl_spec(namespace: &str, crl: &api::CrlCheck) -> Result<CrlSpec, Wrong> {
    let revoked = crl.revoked.as_deref().map(serial).transpose();
    Ok(CrlSpec {
        path: Arc::from(crl.path.as_str()),
        rules: CrlRules {
            issuer: Arc::from(crl.issuer.as_str()),
            revoked: revoked.map_err(|message| (".crl.revoked".to_owned(), message))?,
            max_age: crl.max_age.map(Duration::from),
            lifetime_left_percent: u8::try_from(crl.lifetime_left_percent).unwrap_or(0),
        },
        max_bytes: usize::try_from(crl.max_bytes).unwrap_or(0),
        tls: tls_spec(namespace, ".crl.tls", crl.tls.as_ref())?,
    })
}

fn timestamp_spec(namespace: &str, timestamp: &api::TimestampCheck) -> Result<TimestampSpec, Wrong> {
    Ok(TimestampSpec {
        path: Arc::from(timestamp.path.as_str()),
        ca_bundle: Arc::from(timestamp.ca_bundle.as_str()),
        policy: timestamp.policy.as_deref().map(Arc::from),
        max_difference: timestamp.max_difference.into(),
        expires_within: timestamp.expires_within.into(),
        tls: tls_spec(namespace, ".timestamp.tls", timestamp.tls.as_ref())?,
    })
}

fn ldap_spec(namespace: &str, ldap: &api::LdapCheck) -> Result<LdapSpec, Wrong> {
    let search = &ldap.search;
    let value = ldap_value(search)?;
    if search.attribute.is_none() && value != LdapValue::Any {
        let message = "equals, crl and certificate judge values: set attribute".to_owned();
        return Err((".ldap.search".to_owned(), message));
    }
    Ok(LdapSpec {
        encryption: match ldap.encryption {
            api::LdapEncryption::None => LdapEncryption::None,
            api::LdapEncryption::StartTls => LdapEncryption::StartTls,
            api::LdapEncryption::Ldaps => LdapEncryption::Ldaps,
        },
        tls: tls_spec(namespace, ".ldap.tls", ldap.tls.as_ref())?,
        bind: ldap.bind.as_ref().map(|bind| LdapBind {
            name: Arc::from(bind.name.as_str()),
            password: secret_ref(namespace, &bind.password_secret_ref.name, &bind.password_secret_ref.key),
        }),
        base: Arc::from(search.base.as_str()),
        scope: match search.scope {
            api::LdapScope::Base => LdapScope::Base,
            api::LdapScope::One => LdapScope::One,
            api::LdapScope::Sub => LdapScope::Sub,
        },
        filter: Arc::from(search.filter.as_str()),
        attribute: search.attribute.as_deref().map(Arc::from),
        min_entries: usize::try_from(search.min_entries).unwrap_or(1),
        value,
        max_bytes: usize::try_from(ldap.max_bytes).unwrap_or(0),
    })
}

fn ldap_value(search: &api::LdapSearch) -> Result<LdapValue, Wrong> {
    match (&search.equals, &search.crl, &search.certificate) {
        (None, None, None) => Ok(LdapValue::Any),
        (Some(text), None, None) => Ok(LdapValue::Equals(Arc::from(text.as_str()))),
        (None, Some(crl), None) => {
            let revoked = crl.revoked.as_deref().map(serial).transpose();
            Ok(LdapValue::Crl(CrlRules {
                issuer: Arc::from(crl.issuer.as_str()),
                revoked: revoked.map_err(|message| (".ldap.search.crl.revoked".to_owned(), message))?,
                max_age: crl.max_age.map(Duration::from),
                lifetime_left_percent: u8::try_from(crl.lifetime_left_percent).unwrap_or(0),
            }))
        }
        (None, None, Some(certificate)) => Ok(LdapValue::Certificate {
            issuer: Arc::from(certificate.issuer.as_str()),
            expires_within: certificate.expires_within.into(),
        }),
        _ => {
            let message = "set at most one of equals, crl and certificate".to_owned();
            Err((".ldap.search".to_owned(), message))
        }
    }
}

/// A serial number in hexadecimal, with or without colons.
fn serial(text: &str) -> Result<Serial, String> {
    let wrong = || format!("{text:?} is not a serial number: write hexadecimal, such as 01:A0 or 01A0");
    let digits: Vec<u32> = text
        .chars()
        .filter(|letter| *letter != ':')
        .map(|letter| letter.to_digit(16).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let byte = |pair: &[u32]| u8::try_from(pair.iter().fold(0, |sum, digit| sum * 16 + digit)).unwrap_or(0);
    let bytes = digits.chunks(2).map(byte).skip_while(|byte| *byte == 0);
    let bytes: Vec<u8> = bytes.collect();
    if bytes.len() > 20 {
        return Err("a serial number has at most 20 bytes (RFC 5280 §4.1.2.2)".to_owned());
    }
    if bytes.is_empty() {
        Err("a serial number is not zero (RFC 5280 §4.1.2.2)".to_owned())
    } else {
        Ok(bytes.into())
    }
}

//! One function for each parser of what a member answers: takes the answer, and says what is wrong with it.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;

use super::{
    Bad, Means, NetworkProber, chain,
    crl::ListJudge,
    expect::{Expect, Expressions},
    grpc::{serves, succeeded},
    http::body,
    json,
    ocsp::{Judge as OcspJudge, Question},
    pki::Authorities,
    promql::values,
    timestamp::{Judge as TimestampJudge, Times},
};
use crate::{
    adapters::clock::SystemClock,
    domain::Timestamp,
    ports::{BodyFormat, CrlRules, NonceRule, OcspSpec, Revocation, TlsSpec},
};

/// What is wrong with an answer.
type Judged = Result<(), String>;

/// The good answers of the corpus were made by openssl at this moment, all by one authority, and are good for ten years.
pub(super) const MADE: Timestamp = Timestamp(1_795_450_645_000);
pub(super) const AUTHORITY: &str = include_str!("../../../tests/data/probe/ca.pem");

/// The random number that the timestamp of the corpus answers.
const STAMP_NONCE: [u8; 8] = 0x175D_2CFA_E040_A129_u64.to_be_bytes();

/// Expressions that together use every kind of value and the costly functions.
const EXPRESSIONS: [&str; 5] = [
    "body.result == 'good' && status == 200",
    "body.height + 1 == 8 && body.height * 3 % 2 == 1 && body.share < 0.5 && -body.height < 0",
    "body.items.all(x, x.n > 0) && body.items.exists(x, body.items.exists(y, x.n == y.n))",
    "body.result.matches('^go+d$') && body.result.startsWith('g') && size(body.items) == 2",
    "'result' in body && int(body.count) / 3 == 4 && body.items.map(x, x.n)[0] == 1",
];

fn said(judged: Result<(), Bad>) -> Judged {
    judged.map_err(|bad| bad.detail)
}

/// What a probe is made with.
pub(super) fn means() -> Means {
    NetworkProber::new(Arc::new(SystemClock::new())).means
}

/// The rules by which lists are judged.
pub(super) fn rules() -> CrlRules {
    let revoked: Option<Arc<[u8]>> = Some(Arc::from([0x20, 0x02]));
    CrlRules { issuer: AUTHORITY.into(), revoked, max_age: None, lifetime_left_percent: 25 }
}

/// A certificate of a server, shown twice (X.509).
///
/// # Errors
/// What is wrong with it.
pub fn certificate(answer: &[u8]) -> Judged {
    let authorities = Authorities::from_pem(AUTHORITY)?;
    let shown = [CertificateDer::from(answer), CertificateDer::from(answer)];
    said(chain::judge(&shown, Some(&authorities), Duration::ZERO, MADE))
}

/// A list of revoked certificates (RFC 5280 §5), in DER or PEM.
///
/// # Errors
/// What is wrong with it.
pub fn crl(answer: &[u8]) -> Judged {
    said(ListJudge::new(&rules())?.judge(answer, MADE))
}

/// A document of a DID, the status of a credential and the head of a chain (JSON).
///
/// # Errors
/// What is wrong with it.
pub fn did(answer: &[u8]) -> Judged {
    said(super::did::fuzzed::judge(answer))
}

/// A reply of a name server that is checked (RFC 1035).
///
/// # Errors
/// What is wrong with it.
pub fn dns(answer: &[u8]) -> Judged {
    said(super::dns::fuzzed::judge(answer))
}

/// A body that an expression judges (JSON, CEL), also as a header.
///
/// # Errors
/// What is wrong with it.
pub fn expect(answer: &[u8]) -> Judged {
    static COMPILED: LazyLock<Result<Vec<Arc<Expect>>, String>> = LazyLock::new(|| {
        let expressions = Expressions::default();
        EXPRESSIONS.iter().map(|source| expressions.compile(&Arc::from(*source))).collect()
    });
    let mut headers = HeaderMap::new();
    headers.extend(header("x-answer", answer));
    let body = json::parse(answer).map_err(|bad| bad.detail)?;
    let judged = COMPILED.as_ref()?.iter().map(|expect| expect.judge(200, &headers, body.clone()));
    // All of them, also behind the first that is not true.
    judged.collect::<Vec<_>>().into_iter().collect()
}

/// A body in XML.
///
/// # Errors
/// What is wrong with it.
pub fn xml(answer: &[u8]) -> Judged {
    said(body::read(answer, BodyFormat::Xml).map(drop))
}

/// A body in CBOR (RFC 8949).
///
/// # Errors
/// What is wrong with it.
pub fn cbor(answer: &[u8]) -> Judged {
    said(body::read(answer, BodyFormat::Cbor).map(drop))
}

/// An answer about health (`grpc.health.v1`), also as the code and as the text of a status.
///
/// # Errors
/// What is wrong with it.
pub fn grpc(answer: &[u8]) -> Judged {
    for name in ["grpc-status", "grpc-message"] {
        let mut headers = HeaderMap::new();
        headers.extend(header(name, answer));
        let _judged = succeeded(&headers);
    }
    said(serves(answer))
}

/// All that a directory sends: the answers to a bind and to a search (RFC 4511).
///
/// # Errors
/// What is wrong with it.
pub fn ldap(answer: &[u8]) -> Judged {
    said(super::ldap::fuzzed::judge(answer))
}

/// An answer of an OCSP responder (RFC 6960).
///
/// # Errors
/// What is wrong with it.
pub fn ocsp(answer: &[u8]) -> Judged {
    let issuer = Authorities::from_pem(AUTHORITY)?;
    let spec = OcspSpec {
        path: "/".into(),
        methods: Vec::new(),
        issuer: AUTHORITY.into(),
        canaries: Vec::new(),
        nonce: NonceRule::None,
        max_age: None,
        clock_skew: Duration::from_secs(60),
        expires_within: Duration::ZERO,
        tls: TlsSpec::default(),
    };
    let question = Question::new(&issuer, &[0x10, 0x01], NonceRule::None).map_err(|bad| bad.detail)?;
    said(OcspJudge { spec: &spec, issuer: &issuer, now: MADE }.answer(answer, &question, Revocation::Good))
}

/// An answer of a Prometheus, to a query that it took and to one that it refused (JSON).
///
/// # Errors
/// What is wrong with it.
pub fn promql(answer: &[u8]) -> Judged {
    let _refused = values(400, answer);
    values(200, answer).map(drop)
}

/// An answer of a timestamp authority (RFC 3161).
///
/// # Errors
/// What is wrong with it.
pub fn timestamp(answer: &[u8]) -> Judged {
    let judge = TimestampJudge {
        authorities: Authorities::from_pem(AUTHORITY)?,
        policy: None,
        max_difference: Duration::from_secs(60),
        expires_within: Duration::ZERO,
    };
    said(judge.answer(answer, &[0x5a; 32], &STAMP_NONCE, Times { asked: MADE, answered: MADE }))
}

/// An answer of a verifier, and the message that is made of what it says (JSON).
///
/// # Errors
/// What is wrong with it.
pub fn verifier(answer: &[u8]) -> Judged {
    said(super::verifier::fuzzed::judge(answer))
}

/// A header with this value, if a header can have it.
fn header(name: &'static str, value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?))
}

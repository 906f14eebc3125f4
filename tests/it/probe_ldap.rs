//! The `ldap` check against a real directory (OpenLDAP), and against servers that mean harm.

use std::{
    net::SocketAddr,
    ops::Deref,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bongsu::{
    domain::Outcome::{self, Ok as Good, Refused, Unreachable, Wrong},
    ports::{
        CheckKind, CrlRules, LdapEncryption, LdapScope, LdapSpec, LdapValue, Probe, Prober, Reading, Scheme,
        TlsSpec,
    },
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    http_server::{Server, closed_port},
    probes::{PATIENT, SHORT, check, endpoint, expect_reading, network_prober},
    slapd::{BASE, Settings, Slapd},
};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Bytes that the checks of hostile servers let them send.
const BYTES_MAX: usize = 1_048_576;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A list that names certificate 7, from 2020 until a year.
fn list(authority: &Authority, until: i32) -> Vec<u8> {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(7),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(authority.deref()).unwrap().der().to_vec()
}

/// Certificate and key for `member.example`.
fn identity(authority: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["member.example".to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// An entry in LDIF with one value that is bytes.
fn entry(name: &str, attribute: &str, value: &[u8]) -> String {
    let value = BASE64_STANDARD.encode(value);
    format!(
        "dn: cn={name},{BASE}\nobjectClass: applicationProcess\nobjectClass: pkiCA\ncn: {name}\n{attribute}:: {value}\n\n"
    )
}

/// A search for the entry where the tree begins.
fn spec() -> LdapSpec {
    LdapSpec {
        encryption: LdapEncryption::None,
        tls: TlsSpec::default(),
        bind: None,
        base: BASE.into(),
        scope: LdapScope::Base,
        filter: "(objectClass=*)".into(),
        attribute: None,
        min_entries: 1,
        value: LdapValue::Any,
        max_bytes: BYTES_MAX,
    }
}

/// A search for a list of revoked certificates by this CA.
fn list_spec(name: &str, authority: &Authority, revoked: u8) -> LdapSpec {
    let issuer = authority.pem().into();
    let revoked: Option<Arc<[u8]>> = Some([revoked].into());
    LdapSpec {
        base: format!("cn={name},{BASE}").into(),
        attribute: Some("certificateRevocationList;binary".into()),
        value: LdapValue::Crl(CrlRules { issuer, revoked, max_age: None, lifetime_left_percent: 25 }),
        ..spec()
    }
}

fn secured(encryption: LdapEncryption, authority: &Authority, name: &str) -> LdapSpec {
    let tls = TlsSpec {
        server_name: Some(name.into()),
        ca_bundle: Some(authority.pem().into()),
        ..TlsSpec::default()
    };
    LdapSpec { encryption, tls, ..spec() }
}

fn prepare(address: SocketAddr, timeout: Duration, spec: LdapSpec) -> Arc<dyn Probe> {
    let check = check(timeout, CheckKind::Ldap(spec));
    network_prober().prepare(&endpoint(Scheme::Tcp, address), &check).unwrap()
}

async fn sample(address: SocketAddr, timeout: Duration, spec: LdapSpec) -> Reading {
    prepare(address, timeout, spec).run().await
}

async fn expect(address: SocketAddr, spec: LdapSpec, outcome: Outcome, detail: &str) {
    expect_reading(&sample(address, PATIENT, spec).await, outcome, detail);
}

/// A directory with a list of each kind, two people and an entry that is elsewhere.
async fn directory(root: &Authority) -> Slapd {
    let attribute = "certificateRevocationList;binary";
    let mut entries = [
        entry("ca", attribute, &list(root, 4000)),
        entry("stale", attribute, &list(root, 2021)),
        entry("root", "cACertificate;binary", root.der()),
    ]
    .concat();
    entries += &format!("dn: cn=empty,{BASE}\nobjectClass: applicationProcess\ncn: empty\n\n");
    entries += &format!("dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\n");
    for (name, description) in [("Kim", "serial 7"), ("Lee", "serial 8")] {
        entries += &format!(
            "dn: cn={name},ou=people,{BASE}\nobjectClass: person\ncn: {name}\nsn: {name}\ndescription: {description}\n\n"
        );
    }
    let elsewhere = format!("cn=away,{BASE}");
    entries += &format!(
        "dn: {elsewhere}\nobjectClass: referral\nobjectClass: extensibleObject\ncn: away\nref: ldap://other.example/{elsewhere}\n\n"
    );
    Slapd::start(Settings { entries, more: "sizelimit 4", ..Settings::default() }).await
}

fn people() -> LdapSpec {
    LdapSpec {
        base: format!("ou=people,{BASE}").into(),
        scope: LdapScope::One,
        filter: "(objectClass=person)".into(),
        ..spec()
    }
}

#[tokio::test]
async fn what_a_good_directory_holds_is_good() {
    let root = authority("root");
    let directory = directory(&root).await;
    let certificate = LdapValue::Certificate { issuer: root.pem().into(), expires_within: Duration::ZERO };
    for spec in [
        spec(),
        LdapSpec {
            base: "".into(),
            attribute: Some("supportedLDAPVersion".into()),
            value: LdapValue::Equals("3".into()),
            ..spec()
        },
        LdapSpec { min_entries: 2, ..people() },
        LdapSpec { scope: LdapScope::Sub, min_entries: 3, filter: "(&)".into(), ..people() },
        LdapSpec { filter: "(&(sn~=Kim)(cn=k*m)(!(cn=lee))(|(sn=x)(sn=k*)))".into(), ..people() },
        LdapSpec {
            filter: "(&(createTimestamp>=20000101000000Z)(createTimestamp<=99991231000000Z))".into(),
            ..people()
        },
        LdapSpec { filter: "(cn:caseExactMatch:=Kim)".into(), ..people() },
        LdapSpec { filter: "(ou:dn:=people)".into(), min_entries: 2, ..people() },
        LdapSpec { filter: r"(cn=\4bim)".into(), ..people() },
        LdapSpec {
            attribute: Some("description".into()),
            value: LdapValue::Equals("serial 8".into()),
            ..people()
        },
        LdapSpec {
            base: format!("cn=root,{BASE}").into(),
            attribute: Some("cacertificate;BINARY".into()),
            value: certificate,
            ..spec()
        },
        list_spec("ca", &root, 7),
    ] {
        let shown = format!("{} {}", spec.base, spec.filter);
        let reading = sample(directory.plain, PATIENT, spec).await;
        assert_eq!(reading.outcome, Good, "{shown}: {reading:?}");
    }
}

#[tokio::test]
async fn every_wrong_answer_is_wrong_and_says_why() {
    let (root, impostor, other) = (authority("root"), authority("root"), authority("other"));
    let directory = directory(&root).await;
    let at = |name: &str| -> LdapSpec { LdapSpec { base: format!("cn={name},{BASE}").into(), ..spec() } };
    let text = |text: &str| LdapValue::Equals(text.into());
    for (spec, detail) in [
        (list_spec("stale", &root, 7), "the list of revoked certificates ran out at 2021-01-01T00:00:00Z"),
        (list_spec("ca", &other, 7), "issued by root, which is not the issuer of the check"),
        (list_spec("ca", &impostor, 7), "the signature is not by the key of who signed"),
        (list_spec("ca", &root, 8), "does not list the certificate that is known to be revoked"),
        (list_spec("empty", &root, 7), "no entry has a value of certificateRevocationList;binary"),
        (list_spec("missing", &root, 7), "search: noSuchObject (32)"),
        (LdapSpec { attribute: Some("sn".into()), ..at("empty") }, "no entry has a value of sn"),
        (LdapSpec { filter: "(cn=Park)".into(), ..people() }, "entries found: 0, expected at least 1"),
        (LdapSpec { min_entries: 3, ..people() }, "entries found: 2, expected at least 3"),
        (
            LdapSpec { attribute: Some("sn".into()), value: text("kim"), ..people() },
            "no value of sn is the text",
        ),
        (at("away"), "search: only a referral, to ldap://other.example/cn=away,o=gpki.example"),
        (
            LdapSpec { scope: LdapScope::One, filter: "(cn=away)".into(), ..spec() },
            "search: only a referral, to ldap://other.example/",
        ),
        (
            LdapSpec { scope: LdapScope::Sub, filter: "(!(cn=away))".into(), ..spec() },
            "search: sizeLimitExceeded (4)",
        ),
        (LdapSpec { base: "no name".into(), ..spec() }, "search: invalidDNSyntax (34)"),
        (LdapSpec { base: "o=elsewhere".into(), ..spec() }, "search: noSuchObject (32)"),
        (LdapSpec { max_bytes: 100, ..list_spec("ca", &root, 7) }, "more than 100 bytes in one sample"),
    ] {
        expect(directory.plain, spec, Wrong, detail).await;
    }
}

#[tokio::test]
async fn a_directory_that_refuses_anonymous_binds_is_wrong() {
    let directory = Slapd::start(Settings { more: "disallow bind_anon", ..Settings::default() }).await;
    expect(directory.plain, spec(), Wrong, "bind: inappropriateAuthentication (48)").await;
    let directory = Slapd::start(Settings { more: "require authc", ..Settings::default() }).await;
    expect(directory.plain, spec(), Wrong, "search: unwillingToPerform (53): authentication required").await;
}

#[tokio::test]
async fn over_tls_the_certificate_is_verified_both_ways() {
    let (root, other) = (authority("root"), authority("other"));
    let settings =
        Settings { identity: Some(identity(&root)), more: "security ssf=64", ..Settings::default() };
    let directory = Slapd::start(settings).await;
    let (plain, secure) = (directory.plain, directory.secure);
    for (address, encryption) in [(secure, LdapEncryption::Ldaps), (plain, LdapEncryption::StartTls)] {
        expect(address, secured(encryption, &root, "member.example"), Good, "").await;
        expect(address, secured(encryption, &root, "other.example"), Refused, "tls: name mismatch").await;
        expect(address, secured(encryption, &other, "member.example"), Refused, "tls: unknown issuer").await;
    }
    // This directory takes nothing in the clear.
    expect(plain, spec(), Wrong, "search: confidentialityRequired (13)").await;
}

#[tokio::test]
async fn tls_where_there_is_none_is_said() {
    let root = authority("root");
    let directory = Slapd::start(Settings::default()).await;
    let at = directory.plain;
    let starttls = secured(LdapEncryption::StartTls, &root, "member.example");
    expect(at, starttls, Wrong, "StartTLS: protocolError (2): unsupported extended operation").await;
    expect(at, secured(LdapEncryption::Ldaps, &root, "member.example"), Refused, "tls").await;
}

#[tokio::test]
async fn a_directory_that_is_down_is_refused_and_one_that_hangs_is_unreachable() {
    expect(closed_port().await, spec(), Refused, "connection refused").await;
    let root = authority("root");
    let settings = Settings { identity: Some(identity(&root)), ..Settings::default() };
    let directory = Slapd::start(settings).await;
    directory.process.freeze();
    expect_reading(&sample(directory.plain, SHORT, spec()).await, Unreachable, "(bind)");
    for (address, encryption, phase) in [
        (directory.secure, LdapEncryption::Ldaps, "(tls handshake)"),
        (directory.plain, LdapEncryption::StartTls, "(StartTLS)"),
    ] {
        let spec = secured(encryption, &root, "member.example");
        expect_reading(&sample(address, SHORT, spec).await, Unreachable, phase);
    }
}

#[tokio::test]
async fn one_probe_is_used_again_and_sees_what_changed() {
    let root = authority("root");
    let directory = directory(&root).await;
    let probe = prepare(directory.plain, PATIENT, list_spec("ca", &root, 7));
    for _ in 0..3 {
        expect_reading(&probe.run().await, Good, "");
    }
    drop(directory);
    expect_reading(&probe.run().await, Refused, "connection refused");
}

#[tokio::test]
async fn a_filter_or_an_issuer_that_cannot_be_used_is_said_before_any_sample() {
    let root = authority("root");
    let mut no_issuer = list_spec("ca", &root, 7);
    no_issuer.value = LdapValue::Certificate { issuer: "x".into(), expires_within: Duration::ZERO };
    for (spec, expected) in [
        (LdapSpec { filter: "(cn=a".into(), ..spec() }, "search.filter: ) expected after \"(cn=a\""),
        (no_issuer, "search.certificate.issuer: "),
        (secured(LdapEncryption::Ldaps, &root, "not a name"), "tls.serverName: not a name"),
    ] {
        let check = check(PATIENT, CheckKind::Ldap(spec));
        let at = endpoint(Scheme::Tcp, SocketAddr::from(([127, 0, 0, 1], 389)));
        let error = network_prober().prepare(&at, &check).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// `success` to an anonymous bind, which is request 1.
const BOUND: &[u8] = b"0\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";
/// An entry without attributes, in answer to request 2.
const ENTRY: &[u8] = b"0\x0c\x02\x01\x02\x64\x07\x04\x03o=x0\x00";
/// `success` to a search, which is request 2.
const DONE: &[u8] = b"0\x0c\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00";

/// Reads one request: the messages of a probe are shorter than 128 bytes or have a length of one byte more.
async fn read_request(stream: &mut TcpStream) {
    let mut head = [0_u8; 2];
    let _gone = stream.read_exact(&mut head).await;
    let length = match head[1] {
        0x81 => stream.read_u8().await.unwrap_or(0),
        short => short,
    };
    let _gone = stream.read_exact(&mut vec![0; usize::from(length)]).await;
}

/// Answers a bind, and after the next request writes this and closes.
async fn answering(answer: Vec<u8>) -> Server {
    let answer: Arc<[u8]> = answer.into();
    Server::by_hand(move |mut stream, _| {
        let answer = answer.clone();
        async move {
            read_request(&mut stream).await;
            let _gone = stream.write_all(BOUND).await;
            read_request(&mut stream).await;
            let _gone = stream.write_all(&answer).await;
            let _gone = stream.shutdown().await;
            let _gone = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    })
    .await
}

/// Writes this for ever after the first request.
async fn flooding(first: &'static [u8], chunk: Vec<u8>) -> Server {
    let chunk: Arc<[u8]> = chunk.into();
    Server::by_hand(move |mut stream, written| {
        let chunk = chunk.clone();
        async move {
            read_request(&mut stream).await;
            let _gone = stream.write_all(first).await;
            while stream.write_all(&chunk).await.is_ok() {
                written.fetch_add(chunk.len() as u64, Ordering::SeqCst);
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_server_made_by_hand_that_answers_well_is_good() {
    let server = answering([ENTRY, DONE].concat()).await;
    expect(server.address, spec(), Good, "").await;
}

#[tokio::test]
async fn a_malformed_answer_is_wrong() {
    // A million levels of sequences within an entry: what reads them with a call for each ends the process.
    let levels = b"0\x84\x00\x0f\x00\x00".repeat(100_000);
    let nested = [b"0\x84\x00\x09\x27\xc9\x02\x01\x02\x64\x84\x00\x09\x27\xc0".as_slice(), &levels].concat();
    for (answer, detail) in [
        (nested, "not an LDAP answer"),
        (b"0\x84\x7f\xff\xff\xff\x02\x01\x02".to_vec(), "more than 1048576 bytes in one sample"),
        (b"0\x84\xff\xff\xff\xff".to_vec(), "more than 1048576 bytes in one sample"),
        (b"0\x88\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec(), "a length that LDAP does not allow"),
        (b"0\x80\x02\x01\x02".to_vec(), "a length that LDAP does not allow"),
        (b"\x1b[31mSSH-2.0 hello\r\n".to_vec(), "not an LDAP answer: an element of another kind"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "not an LDAP answer: an element of another kind"),
        (b"\xff\xff\xff\xff\xff\xff".to_vec(), "a tag of several bytes"),
        (b"0\x00".to_vec(), "an element is missing"),
        (b"0\x05\x02\x01\x02\x65\x7f".to_vec(), "an element that is cut off"),
        (b"0\x05\x02\x01\x02\x65\x00".to_vec(), "an element is missing"),
        (b"0\x09\x02\x01\x02\x64\x04\x04\x01xx".to_vec(), "not an LDAP answer"),
        (DONE.to_vec(), "entries found: 0"),
        (ENTRY.to_vec(), "closed early"),
        (Vec::new(), "closed early"),
        (b"0\x0c\x02\x01\x03\x65\x07\x0a\x01\x00\x04\x00\x04\x00".to_vec(), "it answers what was not asked"),
        (BOUND.to_vec(), "it answers what was not asked"),
        (b"0\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00".to_vec(), "an answer of another kind"),
        (
            b"0\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00".to_vec(),
            "disconnected by the directory: unavailable (52)",
        ),
        (b"0\x0c\x02\x01\x02\x65\x07\x0a\x01\x33\x04\x00\x04\x00".to_vec(), "search: busy (51)"),
    ] {
        let shown = answer[..answer.len().min(40)].escape_ascii().to_string();
        let server = answering(answer).await;
        let reading = sample(server.address, PATIENT, spec()).await;
        let outcome = if detail == "closed early" { Refused } else { Wrong };
        assert_eq!(reading.outcome, outcome, "{shown}: {reading:?}");
        expect_reading(&reading, outcome, detail);
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_limit() {
    // One entry of no end, entries without end, and references without end.
    let reference = b"0\x10\x02\x01\x02\x73\x0b\x04\x09ldap://x/".to_vec();
    let extended = b"0\x07\x02\x01\x02\x79\x02\x80\x00".to_vec();
    for (first, chunk, detail) in [
        (b"0\x84\x00\x0f\xff\x00\x02\x01\x02\x64\x84".as_slice(), vec![0; 65_536], "not an LDAP answer"),
        (b"", ENTRY.repeat(4096), "more than 1000 entries"),
        (b"", reference.repeat(4096), "more than 1048576 bytes in one sample"),
        (b"", extended.repeat(4096), "more than 1048576 bytes in one sample"),
    ] {
        let first: &'static [u8] = [BOUND, first].concat().leak();
        let server = flooding(first, chunk).await;
        expect(server.address, spec(), Wrong, detail).await;
        // Beyond the limit it could only fill the buffers of the two sockets.
        assert!(server.written.load(Ordering::SeqCst) < 24 * BYTES_MAX as u64, "{detail}");
    }
}

#[tokio::test]
async fn one_who_drips_ends_with_the_timeout() {
    let server = Server::by_hand(|mut stream, _| async move {
        read_request(&mut stream).await;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for byte in BOUND.iter().chain(b"0\x84\x00\x0f\x00\x00").chain(&[0; 100_000]) {
            ticks.tick().await;
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    })
    .await;
    let reading = sample(server.address, Duration::from_secs(1), spec()).await;
    expect_reading(&reading, Unreachable, "no answer within 1s (search)");
    assert!(reading.latency < PATIENT, "{reading:?}");
}

#[tokio::test]
async fn one_who_takes_nothing_or_resets_is_told_apart() {
    let silent = Server::by_hand(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    expect_reading(&sample(silent.address, SHORT, spec()).await, Unreachable, "(bind)");
    let reset = Server::by_hand(|mut stream: TcpStream, _| async move {
        read_request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    expect(reset.address, spec(), Refused, "connection reset").await;
}

#[tokio::test]
async fn what_comes_in_the_clear_behind_the_answer_to_starttls_is_not_taken_for_tls() {
    let root = authority("root");
    let agreed = b"0\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
    for (behind, outcome, detail) in [
        (BOUND, Wrong, "StartTLS: bytes in the clear behind the answer"),
        (b"", Refused, "tls handshake: closed early"),
    ] {
        let answer: &'static [u8] = [agreed, behind].concat().leak();
        let server = Server::by_hand(move |mut stream, _| async move {
            read_request(&mut stream).await;
            let _gone = stream.write_all(answer).await;
            let _gone = stream.shutdown().await;
            let _gone = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
        .await;
        let spec = secured(LdapEncryption::StartTls, &root, "member.example");
        expect(server.address, spec, outcome, detail).await;
    }
}

//! HTTPS checks against real TLS servers with certificates made for each test.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, routing::get as on_get};
use bongsu::{
    adapters::{clock::SystemClock, probe::NetworkProber},
    domain::Outcome::{self, Expiring, Ok as Good, Refused, Wrong},
    ports::{CheckKind, Clock, HttpSpec, Prober, Reading, Scheme, TlsCheckSpec, TlsSpec},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::{
    HandshakeKind, ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::support::{
    http_server::{Server, read_head},
    manual_clock::ShiftedClock,
    probes::{PATIENT, check, endpoint, expect_reading, get, network_prober, prepare},
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"result\":\"good\"}";

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    named_authority("root of the ministry")
}

fn named_authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn good_certificate() -> CertificateParams {
    CertificateParams::new(vec!["member.example".to_owned()]).unwrap()
}

/// Serves a good answer with a certificate of this authority.
async fn server(authority: &CertifiedIssuer<'static, KeyPair>, params: CertificateParams) -> Server {
    let router = Router::new().route("/", on_get(|| async { r#"{"result":"good"}"# }));
    Server::axum(router, Some(acceptor(authority, params))).await
}

fn acceptor(authority: &CertifiedIssuer<'static, KeyPair>, params: CertificateParams) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn spec(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> HttpSpec {
    let tls = TlsSpec {
        server_name: Some(name.into()),
        ca_bundle: Some(authority.pem().into()),
        ..TlsSpec::default()
    };
    HttpSpec { tls, ..get() }
}

async fn expect(server: &Server, spec: HttpSpec, outcome: Outcome, detail: &str) {
    let probe = prepare(&endpoint(Scheme::Https, server.address), PATIENT, spec).unwrap();
    expect_reading(&probe.run().await, outcome, detail);
}

#[tokio::test]
async fn a_certificate_of_the_bundle_with_the_right_name_is_good() {
    let authority = authority();
    let server = server(&authority, good_certificate()).await;
    expect(&server, spec(&authority, "member.example"), Good, "").await;
}

#[tokio::test]
async fn a_kept_tls_connection_is_used_again() {
    let authority = authority();
    let server = server(&authority, good_certificate()).await;
    let spec = HttpSpec { keep_alive: true, ..spec(&authority, "member.example") };
    let probe = prepare(&endpoint(Scheme::Https, server.address), PATIENT, spec).unwrap();
    for _ in 0..3 {
        expect_reading(&probe.run().await, Good, "");
    }
    assert_eq!(server.connections(), 1);
}

/// The handshakes that a server saw while seven samples were taken.
async fn handshakes(change: impl FnOnce(HttpSpec) -> HttpSpec) -> String {
    let authority = authority();
    let acceptor = acceptor(&authority, good_certificate());
    let kinds: Arc<Mutex<String>> = Arc::default();
    let seen = kinds.clone();
    let server = Server::by_hand(move |stream, _| {
        let (acceptor, seen) = (acceptor.clone(), seen.clone());
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let kind = stream.get_ref().1.handshake_kind().unwrap();
            seen.lock().unwrap().push(if kind == HandshakeKind::Resumed { 'r' } else { 'F' });
            loop {
                read_head(&mut stream).await;
                if stream.write_all(ANSWER).await.is_err() {
                    break;
                }
            }
        }
    })
    .await;
    let spec = change(spec(&authority, "member.example"));
    let probe = prepare(&endpoint(Scheme::Https, server.address), PATIENT, spec).unwrap();
    for _ in 0..7 {
        expect_reading(&probe.run().await, Good, "");
    }
    kinds.lock().unwrap().clone()
}

#[tokio::test]
async fn a_full_handshake_is_done_as_often_as_the_check_says() {
    let every = |spec: HttpSpec, count| HttpSpec {
        tls: TlsSpec { full_handshake_every: NonZeroU32::new(count), ..spec.tls.clone() },
        ..spec
    };
    let kept = |spec| HttpSpec { keep_alive: true, ..spec };
    assert_eq!(handshakes(|spec| spec).await, "FFFFFFF");
    assert_eq!(handshakes(|spec| every(spec, 3)).await, "FrrFrrF");
    assert_eq!(handshakes(kept).await, "F");
    assert_eq!(handshakes(|spec| kept(every(spec, 3))).await, "FFF");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = authority();
    let server = server(&authority, good_certificate()).await;
    expect(&server, spec(&authority, "other.example"), Refused, "tls: name mismatch").await;
    // Without a name in the check, the endpoint's address is what the certificate must carry.
    let tls = TlsSpec { ca_bundle: Some(authority.pem().into()), ..TlsSpec::default() };
    expect(&server, HttpSpec { tls, ..get() }, Refused, "tls: name mismatch").await;
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let authority = authority();
    let server = server(&authority, good_certificate()).await;
    let other = named_authority("another root");
    expect(&server, spec(&other, "member.example"), Refused, "tls: unknown issuer").await;
    // The same name with another key: an authority that was made anew.
    let impostor = self::authority();
    expect(
        &server,
        spec(&impostor, "member.example"),
        Refused,
        "tls: bad certificate: invalid peer certificate: BadSignature",
    )
    .await;
}

#[tokio::test]
async fn an_expired_certificate_and_an_early_one_are_refused() {
    let authority = authority();
    let mut expired = good_certificate();
    (expired.not_before, expired.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let server = self::server(&authority, expired).await;
    expect(&server, spec(&authority, "member.example"), Refused, "tls: certificate expired").await;
    let mut early = good_certificate();
    (early.not_before, early.not_after) = (date_time_ymd(4000, 1, 1), date_time_ymd(4001, 1, 1));
    let server = self::server(&authority, early).await;
    expect(&server, spec(&authority, "member.example"), Refused, "tls: certificate not valid yet").await;
}

#[tokio::test]
async fn plaintext_on_the_tls_port_is_refused_and_said() {
    let server = Server::by_hand(|mut stream, _| async move {
        use tokio::io::AsyncWriteExt;
        let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        let _gone = stream.shutdown().await;
        let _gone = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    expect(&server, spec(&authority(), "member.example"), Refused, "the peer does not speak TLS").await;
}

#[tokio::test]
async fn one_who_closes_during_the_handshake_is_refused() {
    let server = Server::by_hand(|_, _| async {}).await;
    expect(&server, spec(&authority(), "member.example"), Refused, "tls handshake: c").await;
}

#[tokio::test]
async fn a_bundle_that_holds_no_certificate_is_said_before_any_sample() {
    let authority = authority();
    let server = server(&authority, good_certificate()).await;
    let prober = network_prober();
    for (bundle, name, expected) in [
        ("", "member.example", "tls.caBundle: holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "member.example", "tls.caBundle"),
        ("x", "not a name", "tls.serverName: not a name"),
    ] {
        let tls =
            TlsSpec { server_name: Some(name.into()), ca_bundle: Some(bundle.into()), ..TlsSpec::default() };
        let spec = check(PATIENT, CheckKind::Http(HttpSpec { tls, ..get() }));
        let error = prober.prepare(&endpoint(Scheme::Https, server.address), &spec).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// One sample of a `tls` check on a day of January 2040.
async fn certificates_on(
    server: &Server,
    authority: &CertifiedIssuer<'static, KeyPair>,
    day: i64,
) -> Reading {
    certificates_by(server, &authority.pem(), day).await
}

/// The same with these authorities.
async fn certificates_by(server: &Server, authorities: &str, day: i64) -> Reading {
    let tls = TlsSpec {
        server_name: Some("member.example".into()),
        ca_bundle: Some(authorities.into()),
        ..TlsSpec::default()
    };
    let spec = TlsCheckSpec { tls, expires_within: Duration::from_secs(7 * 86_400) };
    // The endpoint may be of any kind: a directory over TLS is one of TCP.
    let endpoint = endpoint(Scheme::Tcp, server.address);
    let clock = Arc::new(ShiftedClock::by((25_566 + day) * 86_400_000 - SystemClock::new().wall().0));
    let probe = NetworkProber::new(clock).prepare(&endpoint, &check(PATIENT, CheckKind::Tls(spec))).unwrap();
    probe.run().await
}

#[tokio::test]
async fn a_certificate_that_runs_out_is_named_before_it_does() {
    let authority = authority();
    let mut params = good_certificate();
    params.distinguished_name.push(DnType::CommonName, "ivs of daejeon");
    params.not_after = date_time_ymd(2040, 1, 20);
    let server = server(&authority, params).await;
    expect_reading(&certificates_on(&server, &authority, 1).await, Good, "");
    let soon = certificates_on(&server, &authority, 14).await;
    expect_reading(&soon, Expiring, "certificate ivs of daejeon runs out at");
    let over = certificates_on(&server, &authority, 21).await;
    expect_reading(&over, Wrong, "certificate ivs of daejeon ran out at");
}

#[tokio::test]
async fn an_authority_that_runs_out_is_named_too() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "root of the ministry");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(2040, 1, 20);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let server = server(&authority, good_certificate()).await;
    let soon = certificates_on(&server, &authority, 14).await;
    expect_reading(&soon, Expiring, "certificate root of the ministry runs out at");
}

#[tokio::test]
async fn of_an_authority_that_was_renewed_the_newest_counts() {
    let key = KeyPair::generate().unwrap();
    let authority = |until: i32| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "root of the ministry");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(until, 1, 20);
        CertifiedIssuer::self_signed(params, KeyPair::try_from(key.serialize_der()).unwrap()).unwrap()
    };
    let (old, renewed) = (authority(2040), authority(2060));
    let server = server(&renewed, good_certificate()).await;
    let both = [old.pem(), renewed.pem()].concat();
    expect_reading(&certificates_by(&server, &both, 25).await, Good, "");
    expect_reading(
        &certificates_by(&server, &old.pem(), 25).await,
        Expiring,
        "root of the ministry ran out at",
    );
}

#[tokio::test]
async fn a_certificate_that_may_not_sign_is_wrong() {
    let authority = authority();
    let mut params = good_certificate();
    params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    let server = server(&authority, params).await;
    expect_reading(&certificates_on(&server, &authority, 1).await, Wrong, "not for signatures");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_by_a_tls_check() {
    let server = server(&named_authority("somebody else"), good_certificate()).await;
    expect_reading(&certificates_on(&server, &authority(), 1).await, Refused, "unknown issuer");
}

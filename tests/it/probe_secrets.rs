//! Checks that need what is in Secrets.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::{get as on_get, post},
};
use bongsu::{
    adapters::{clock::SystemClock, manifests::ManifestResources, probe::NetworkProber},
    domain::{
        Limits,
        Outcome::{Ok as Good, Refused, Strained, Unjudged, Wrong},
    },
    ports::{
        CheckKind, ClientCertificate, Clock, HttpSpec, LdapBind, LdapEncryption, LdapScope, LdapSpec,
        LdapValue, Pin, Prober, PromqlSpec, Resources, Scheme, SecretRef, TlsSpec,
    },
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData};
use ring::digest::{SHA256, digest};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring as provider,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use serde_json::json;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::support::{
    http_server::Server,
    probes::{PATIENT, check, endpoint, expect_reading, get},
    slapd::{BASE, Settings, Slapd},
    wait::until,
};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Secrets in a directory of manifests.
struct Shelf {
    dir: TempDir,
}

impl Shelf {
    /// With one Secret named `canary`.
    fn with(values: &serde_json::Value) -> Self {
        let shelf = Self { dir: tempfile::tempdir().unwrap() };
        shelf.put(values);
        shelf
    }

    fn put(&self, values: &serde_json::Value) {
        let metadata = json!({"name": "canary", "namespace": "gpki"});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values});
        std::fs::write(self.dir.path().join("canary.yaml"), secret.to_string()).unwrap();
    }

    async fn prober(&self) -> NetworkProber {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let path: &Path = self.dir.path();
        let resources = ManifestResources::open(path, clock.clone()).await.unwrap();
        NetworkProber::new(clock).with_secrets_of(Arc::new(resources))
    }
}

fn secret(key: &str) -> SecretRef {
    SecretRef { namespace: "gpki".into(), name: "canary".into(), key: key.into() }
}

fn with_token() -> CheckKind {
    let secret_headers = vec![("Authorization".to_owned(), secret("token"))];
    CheckKind::Http(HttpSpec { secret_headers, ..get() })
}

/// Lets in who has this token.
async fn guarded(token: &'static str) -> Server {
    let answer = move |headers: HeaderMap| async move {
        match headers.get("authorization").is_some_and(|sent| sent == token) {
            true => (StatusCode::OK, r#"{"result":"good"}"#),
            false => (StatusCode::FORBIDDEN, "{}"),
        }
    };
    Server::axum(Router::new().route("/", on_get(answer)), None).await
}

#[tokio::test]
async fn a_header_comes_from_a_secret_without_the_line_break_at_its_end() {
    let shelf = Shelf::with(&json!({"token": "Bearer canary\n", "other": "Bearer stranger"}));
    let server = guarded("Bearer canary").await;
    let prober = shelf.prober().await;
    let at = endpoint(Scheme::Http, server.address);
    let probe = prober.prepare(&at, &check(PATIENT, with_token())).unwrap();
    expect_reading(&probe.run().await, Good, "");
    let secret_headers = vec![("Authorization".to_owned(), secret("other"))];
    let other = CheckKind::Http(HttpSpec { secret_headers, ..get() });
    let probe = prober.prepare(&at, &check(PATIENT, other)).unwrap();
    expect_reading(&probe.run().await, Wrong, "status 403, expected [200]");
}

#[tokio::test]
async fn a_prometheus_is_asked_with_the_token_of_a_secret() {
    let answer = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#;
    let guarded = move |headers: HeaderMap| async move {
        match headers.get("authorization").is_some_and(|sent| sent == "Bearer right") {
            true => (StatusCode::OK, answer),
            false => (StatusCode::FORBIDDEN, ""),
        }
    };
    let server = Server::axum(Router::new().route("/api/v1/query", post(guarded)), None).await;
    let shelf = Shelf::with(&json!({"token": "right\n", "other": "stranger"}));
    let prober = shelf.prober().await;
    let read = async |key| {
        let kind = CheckKind::Promql(PromqlSpec {
            url: format!("http://{}", server.address).into(),
            token: Some(secret(key)),
            ca_bundle: None,
            query: "queue".into(),
            limits: Limits { min: None, max: Some(5.0) },
        });
        let at = endpoint(Scheme::Http, server.address);
        prober.prepare(&at, &check(PATIENT, kind)).unwrap().run().await
    };
    expect_reading(&read("token").await, Strained, "it is 7, and must be at most 5");
    let refused = read("other").await;
    assert_eq!(refused.outcome, Unjudged, "{refused:?}");
    assert!(refused.detail.contains("refused the token: status 403"), "{refused:?}");
    assert_eq!(read("absent").await.outcome, Unjudged);
}

#[tokio::test]
async fn a_member_is_not_judged_without_the_secret_and_the_message_names_it_and_not_what_is_in_it() {
    let shelf = Shelf::with(&json!({"token": "hidden\u{7}bell"}));
    let server = guarded("Bearer canary").await;
    let at = endpoint(Scheme::Http, server.address);
    let prober = shelf.prober().await;
    let probe = prober.prepare(&at, &check(PATIENT, with_token())).unwrap();
    let reading = probe.run().await;
    expect_reading(&reading, Unjudged, "headers: authorization: not a header value");
    assert!(!reading.detail.contains("hidden"), "{reading:?}");
    let secret_headers = vec![("Authorization".to_owned(), secret("absent"))];
    let absent = CheckKind::Http(HttpSpec { secret_headers, ..get() });
    let probe = prober.prepare(&at, &check(PATIENT, absent)).unwrap();
    expect_reading(&probe.run().await, Unjudged, "key absent of Secret gpki/canary");
    assert_eq!(server.connections(), 0, "nobody was asked");
    let wrong = CheckKind::Http(HttpSpec { path: "no slash".into(), ..http(with_token()) });
    assert!(prober.prepare(&at, &check(PATIENT, wrong)).is_err(), "known before a Secret is read");
}

fn http(kind: CheckKind) -> HttpSpec {
    match kind {
        CheckKind::Http(spec) => spec,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_in_a_secret_counts_from_the_next_reading_on() {
    let shelf = Shelf::with(&json!({"token": "Bearer old"}));
    let server = guarded("Bearer new").await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let resources = Arc::new(ManifestResources::open(shelf.dir.path(), clock.clone()).await.unwrap());
    let prober = NetworkProber::new(clock).with_secrets_of(resources.clone());
    let probe =
        prober.prepare(&endpoint(Scheme::Http, server.address), &check(PATIENT, with_token())).unwrap();
    expect_reading(&probe.run().await, Wrong, "status 403");
    let following = resources.clone();
    let follower = tokio::spawn(async move { following.follow().await });
    shelf.put(&json!({"token": "Bearer new"}));
    until("the new token is read", PATIENT, async || {
        let token = resources.secret("gpki", "canary", "token").await.unwrap();
        (token == b"Bearer new").then_some(())
    })
    .await;
    expect_reading(&probe.run().await, Good, "");
    follower.abort();
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Serves whoever shows a certificate of this authority. With the pin of its key.
async fn mutual(server: &Authority, clients: &Authority) -> (Server, Pin) {
    let mut roots = RootCertStore::empty();
    roots.add(clients.der().clone()).unwrap();
    let algorithms = Arc::new(provider::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), algorithms.clone());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["member.example".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, server).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(algorithms)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let router = Router::new().route("/", on_get(|| async { r#"{"result":"good"}"# }));
    let pin = digest(&SHA256, &PublicKeyData::subject_public_key_info(&key)).as_ref().try_into().unwrap();
    (Server::axum(router, Some(TlsAcceptor::from(Arc::new(config)))).await, pin)
}

/// Certificate and key of a client.
fn client(authority: &Authority) -> serde_json::Value {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["canary.example".to_owned()]).unwrap();
    json!({"tls.crt": params.signed_by(&key, authority).unwrap().pem(), "tls.key": key.serialize_pem()})
}

#[tokio::test]
async fn a_member_that_asks_for_a_certificate_gets_the_one_in_the_secret_and_must_have_a_pinned_key() {
    let (root, clients, strangers) = (authority("root"), authority("clients"), authority("strangers"));
    let (server, pin) = mutual(&root, &clients).await;
    let client_of = ClientCertificate { certificates: secret("tls.crt"), key: secret("tls.key") };
    let spec = |client: Option<ClientCertificate>, pins: Vec<Pin>| {
        let (server_name, ca_bundle) = (Some("member.example".into()), Some(root.pem().into()));
        HttpSpec { tls: TlsSpec { server_name, ca_bundle, client, pins, ..TlsSpec::default() }, ..get() }
    };
    let at = endpoint(Scheme::Https, server.address);
    let unreadable = json!({"tls.crt": client(&clients)["tls.crt"], "tls.key": "hidden"});
    for (values, tls, outcome, detail) in [
        (client(&clients), spec(Some(client_of.clone()), vec![]), Good, ""),
        (client(&clients), spec(Some(client_of.clone()), vec![[0; 32], pin]), Good, ""),
        (client(&clients), spec(Some(client_of.clone()), vec![[0; 32]]), Refused, "has a pinned key"),
        (client(&clients), spec(None, vec![]), Refused, "tls: the peer refused the handshake"),
        (
            client(&strangers),
            spec(Some(client_of.clone()), vec![]),
            Refused,
            "tls: the peer refused the handshake",
        ),
        (
            unreadable,
            spec(Some(client_of.clone()), vec![]),
            Unjudged,
            "tls.clientSecretRef: tls.key holds no private key in PEM",
        ),
        (
            json!({"tls.crt": ""}),
            spec(Some(client_of), vec![]),
            Unjudged,
            "key tls.key of Secret gpki/canary",
        ),
    ] {
        let prober = Shelf::with(&values).prober().await;
        let probe = prober.prepare(&at, &check(PATIENT, CheckKind::Http(tls))).unwrap();
        expect_reading(&probe.run().await, outcome, detail);
    }
}

#[tokio::test]
async fn a_directory_that_answers_only_those_it_knows_is_asked_with_the_password_in_the_secret() {
    let entries = format!(
        "dn: cn=probe,{BASE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: probe\n\
         userPassword: correct horse\n\n"
    );
    let more = "disallow bind_anon\nrequire authc";
    let directory = Slapd::start(Settings { more, entries, ..Settings::default() }).await;
    let spec = |bind: Option<LdapBind>| LdapSpec {
        encryption: LdapEncryption::None,
        tls: TlsSpec::default(),
        bind,
        base: BASE.into(),
        scope: LdapScope::Base,
        filter: "(objectClass=*)".into(),
        attribute: None,
        min_entries: 1,
        value: LdapValue::Any,
        max_bytes: 65_536,
    };
    let prober = Shelf::with(&json!({"right": "correct horse", "wrong": "hidden"})).prober().await;
    let at = endpoint(Scheme::Tcp, directory.plain);
    let by = |key: &str| Some(LdapBind { name: format!("cn=probe,{BASE}").into(), password: secret(key) });
    for (bind, outcome, detail) in [
        (by("right"), Good, ""),
        (by("wrong"), Unjudged, "bind: invalidCredentials (49): correct the Secret, or the directory"),
        (None, Wrong, "bind: "),
    ] {
        let probe = prober.prepare(&at, &check(PATIENT, CheckKind::Ldap(spec(bind)))).unwrap();
        let reading = probe.run().await;
        expect_reading(&reading, outcome, detail);
        assert!(!reading.detail.contains("hidden"), "{reading:?}");
    }
}

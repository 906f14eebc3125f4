//! TLS as a new client does it: full handshake, chain, name and dates verified each time, unless a check wants it less often.

use std::{
    io,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use ::ring::digest::{SHA256, digest};
use der::{Decode, Encode};
use rustls::{
    CertificateError, ClientConfig, Error, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use x509_cert::Certificate;

use super::{Bad, Phase, connect::io_bad, line::line, secrets::SecretValues, shared::Shared};
use crate::domain::Stage;
use crate::ports::{Pin, ProbeError, TlsSpec};

/// The TLS configurations in use, one for each set of trusted authorities and each protocol.
#[derive(Default)]
pub(super) struct TlsConfigs(Shared<Kind, ClientConfig>);

/// What makes a configuration another one.
type Kind = (Protocol, Option<Arc<str>>, Option<ClientIdentity>);

/// Who the probe says it is, in PEM. Has no `Debug`, so that it gets into no log.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
struct ClientIdentity {
    certificates: Arc<[u8]>,
    key: Arc<[u8]>,
}

/// What is spoken over TLS; the handshake says so (RFC 7301).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    H2,
    /// What has no name in ALPN, such as LDAP. A server that knows ALPN refuses who offers only what it does not speak (§3.2).
    Other,
}

impl Protocol {
    fn offered(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http1 => vec![b"http/1.1".to_vec()],
            Self::H2 => vec![b"h2".to_vec()],
            Self::Other => Vec::new(),
        }
    }
}

/// How one member's certificate is verified.
pub(super) struct Tls {
    handshakes: Handshakes,
    name: ServerName<'static>,
    pins: Vec<Pin>,
}

/// How often the member shows its certificates.
enum Handshakes {
    Full(TlsConnector),
    /// With the first of so many; with the others its session is resumed.
    FullEvery {
        count: u32,
        config: Arc<ClientConfig>,
        resuming: Mutex<Resuming>,
    },
}

/// A session, and how often it may still be resumed.
struct Resuming {
    left: u32,
    connector: TlsConnector,
}

impl Handshakes {
    fn new(config: Arc<ClientConfig>, spec: &TlsSpec) -> Self {
        let connector = TlsConnector::from(config.clone());
        match spec.full_handshake_every.map_or(1, NonZeroU32::get) {
            1 => Self::Full(connector),
            count => Self::FullEvery { count, config, resuming: Mutex::new(Resuming { left: 0, connector }) },
        }
    }

    fn next(&self) -> TlsConnector {
        let (count, config, resuming) = match self {
            Self::Full(connector) => return connector.clone(),
            Self::FullEvery { count, config, resuming } => (count, config, resuming),
        };
        // Changed by whole assignments only, so it is good even if a holder of the lock panicked.
        let mut resuming = resuming.lock().unwrap_or_else(PoisonError::into_inner);
        *resuming = match resuming.left {
            0 => {
                // Of its own: a session of one member says nothing of another that has the same name.
                let mut config = ClientConfig::clone(config);
                config.resumption = Resumption::in_memory_sessions(1);
                Resuming { left: count - 1, connector: TlsConnector::from(Arc::new(config)) }
            }
            left => Resuming { left: left - 1, connector: resuming.connector.clone() },
        };
        resuming.connector.clone()
    }
}

impl TlsConfigs {
    /// Prepares the verification of one member.
    pub(super) fn prepare(
        &self,
        check: &str,
        host: &str,
        spec: &TlsSpec,
        protocol: Protocol,
        secrets: &SecretValues,
    ) -> Result<Tls, ProbeError> {
        let wrong = |field, cause| ProbeError::Field { check: check.to_owned(), field, cause };
        let name = spec.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| wrong("tls.serverName", line(format_args!("{name}: {error}"))))?;
        let identity = spec.client.as_ref().and_then(|client| {
            let (certificates, key) = (secrets.get(&client.certificates)?, secrets.get(&client.key)?);
            Some(ClientIdentity { certificates: certificates.clone(), key: key.clone() })
        });
        let kind = (protocol, spec.ca_bundle.clone(), identity);
        let config = self.0.get_or_make(&kind, || config(&kind));
        let config = config.map_err(|(field, cause)| wrong(field, cause))?;
        Ok(Tls { handshakes: Handshakes::new(config, spec), name, pins: spec.pins.clone() })
    }
}

impl Tls {
    /// Does the handshake.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        phase: &Phase,
    ) -> Result<TlsStream<TcpStream>, Bad> {
        phase.enter(Stage::Tls, "tls handshake");
        let stream = self.handshakes.next().connect(self.name.clone(), stream).await;
        let stream = stream.map_err(|error| io_bad("tls handshake", &error))?;
        self.pinned(stream.get_ref().1.peer_certificates().unwrap_or_default())?;
        Ok(stream)
    }

    /// Whether one of the keys is expected, if any is.
    fn pinned(&self, shown: &[CertificateDer<'_>]) -> Result<(), Bad> {
        let known = |certificate| pin_of(certificate).is_some_and(|pin| self.pins.contains(&pin));
        match self.pins.is_empty() || shown.iter().any(known) {
            true => Ok(()),
            false => {
                Err(Bad::refused("tls: no certificate that the member shows has a pinned key".to_owned()))
            }
        }
    }
}

/// SHA-256 of the key that a certificate is for (RFC 7469 §2.4).
fn pin_of(certificate: &CertificateDer<'_>) -> Option<Pin> {
    let read = Certificate::from_der(certificate).ok()?;
    let key = read.tbs_certificate.subject_public_key_info.to_der().ok()?;
    digest(&SHA256, &key).as_ref().try_into().ok()
}

fn config((protocol, bundle, identity): &Kind) -> Result<ClientConfig, (&'static str, String)> {
    let roots = match bundle {
        Some(pem) => bundle_roots(pem),
        None => system_roots(),
    };
    let roots = roots.map_err(|cause| ("tls.caBundle", cause))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ("tls", line(format_args!("{error}"))))?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = client(identity).map_err(|cause| ("tls.clientSecretRef", cause))?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| ("tls.clientSecretRef", line(format_args!("{error}"))))?
        }
    };
    config.alpn_protocols = protocol.offered();
    // A resumed session shows no certificate: one that expired in between would stay green. A check says if it may.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Certificates and key of a client. The errors repeat nothing of what the Secret holds.
fn client(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&identity.certificates).collect();
    let chain = chain.map_err(|_| "tls.crt is not PEM".to_owned())?;
    if chain.is_empty() {
        return Err("tls.crt holds no certificate".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(&identity.key);
    Ok((chain, key.map_err(|_| "tls.key holds no private key in PEM".to_owned())?))
}

fn bundle_roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| line(format_args!("not PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| line(format_args!("certificate {}: {error}", roots.len() + 1)))?;
    }
    if roots.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(roots) }
}

fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // Systems carry a few certificates that no library reads; the others are still good.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("is unset, and the system has no trusted authorities".to_owned());
    }
    Ok(roots)
}

/// The TLS failure that a call on the connection ended with, if it was one.
pub(super) fn tls_bad(error: &io::Error) -> Option<Bad> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(Bad::refused(describe(error)))
}

/// Which of the failures a person has to repair, first; then the library's words.
fn describe(error: &Error) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    let kind = match error {
        Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => "name mismatch",
        Error::InvalidCertificate(UnknownIssuer) => "unknown issuer",
        Error::InvalidCertificate(Expired | ExpiredContext { .. }) => "certificate expired",
        Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => "certificate not valid yet",
        Error::InvalidCertificate(_) => "bad certificate",
        Error::InvalidMessage(_) => "the peer does not speak TLS",
        Error::AlertReceived(_) => "the peer refused the handshake",
        _ => "handshake failed",
    };
    line(format_args!("tls: {kind}: {error}"))
}

//! TLS as a new client does it: full handshake, chain, name and dates verified each time.

use std::{io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, Error, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Bad, Phase, connect::io_bad, line::line, shared::Shared};
use crate::ports::{ProbeError, TlsSpec};

/// The TLS configurations in use, one for each set of trusted authorities and each protocol.
#[derive(Default)]
pub(super) struct TlsConfigs(Shared<(Protocol, Option<Arc<str>>), ClientConfig>);

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
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsConfigs {
    /// Prepares the verification of one member.
    pub(super) fn prepare(
        &self,
        check: &str,
        host: &str,
        spec: &TlsSpec,
        protocol: Protocol,
    ) -> Result<Tls, ProbeError> {
        let wrong = |field, cause| ProbeError::Field { check: check.to_owned(), field, cause };
        let name = spec.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| wrong("tls.serverName", line(format_args!("{name}: {error}"))))?;
        let key = (protocol, spec.ca_bundle.clone());
        let config = self.0.get_or_make(&key, || config(spec.ca_bundle.as_deref(), protocol));
        let config = config.map_err(|cause| wrong("tls.caBundle", cause))?;
        Ok(Tls { connector: TlsConnector::from(config), name })
    }
}

impl Tls {
    /// Does the handshake.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        phase: &Phase,
    ) -> Result<TlsStream<TcpStream>, Bad> {
        phase.enter("tls handshake");
        self.connector
            .connect(self.name.clone(), stream)
            .await
            .map_err(|error| io_bad("tls handshake", &error))
    }
}

fn config(bundle: Option<&str>, protocol: Protocol) -> Result<ClientConfig, String> {
    let roots = match bundle {
        Some(pem) => bundle_roots(pem)?,
        None => system_roots()?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| line(format_args!("{error}")))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocol.offered();
    // A resumed session shows no certificate: one that expired in between would stay green.
    config.resumption = Resumption::disabled();
    Ok(config)
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

//! The certificates by which processes of different regions know each other, read again when they change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tracing::{info, warn};

use crate::{domain::Tick, ports::Clock};

/// Time between two looks at the files.
const FILES_INTERVAL: Duration = Duration::from_secs(10);

/// Our certificate, its key, and the authority that signs those of all.
pub struct Credentials {
    paths: [PathBuf; 3],
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The keys stay out of logs.
        f.debug_struct("Credentials").field("paths", &self.paths).finish_non_exhaustive()
    }
}

struct State {
    files: [Vec<u8>; 3],
    looked: Tick,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// Why they cannot be used. Names the argument.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{argument} {path}: {cause}")]
pub struct CredentialsError {
    argument: &'static str,
    path: String,
    cause: String,
}

/// The arguments, in the order of the files.
const ARGUMENTS: [&str; 3] = ["--agent-ca", "--agent-cert", "--agent-key"];

impl Credentials {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// A file cannot be read, is no PEM, or does not fit the others.
    pub fn read(
        ca: PathBuf,
        certificate: PathBuf,
        key: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CredentialsError> {
        let paths = [ca, certificate, key];
        let files = read(&paths)?;
        let (server, client) = configs(&paths, &files)?;
        let state = Mutex::new(State { files, looked: clock.tick(), server, client });
        Ok(Self { paths, clock, state })
    }

    /// For answering.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        self.with_current(|state| state.server.clone())
    }

    /// For asking.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        self.with_current(|state| state.client.clone())
    }

    /// A few small files, so they are looked at in place.
    fn with_current<R>(&self, take: impl FnOnce(&State) -> R) -> R {
        // Changed by whole assignments only, so it is good even if a holder of the lock panicked.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.tick();
        if now.since(state.looked) >= FILES_INTERVAL {
            state.looked = now;
            let renewed = read(&self.paths).and_then(|files| {
                let changed = (files != state.files).then(|| configs(&self.paths, &files)).transpose()?;
                Ok(changed.map(|configs| (files, configs)))
            });
            match renewed {
                Ok(None) => {}
                Ok(Some((files, (server, client)))) => {
                    info!("certificates for other regions changed");
                    *state = State { files, looked: now, server, client };
                }
                Err(error) => {
                    warn!(%error, "certificates for other regions cannot be used, going on with what was read before");
                }
            }
        }
        take(&state)
    }
}

fn read(paths: &[PathBuf; 3]) -> Result<[Vec<u8>; 3], CredentialsError> {
    let mut files = [Vec::new(), Vec::new(), Vec::new()];
    for (which, file) in files.iter_mut().enumerate() {
        *file = std::fs::read(&paths[which]).map_err(|error| wrong(which, &paths[which], error))?;
    }
    Ok(files)
}

fn wrong(which: usize, path: &Path, cause: impl std::fmt::Display) -> CredentialsError {
    CredentialsError {
        argument: ARGUMENTS[which],
        path: path.display().to_string(),
        cause: cause.to_string(),
    }
}

fn configs(
    paths: &[PathBuf; 3],
    [ca, certificate, key]: &[Vec<u8>; 3],
) -> Result<(Arc<ServerConfig>, Arc<ClientConfig>), CredentialsError> {
    let [ca_path, certificate_path, key_path] = paths;
    let mut roots = RootCertStore::empty();
    for authority in certificates(ca).map_err(|cause| wrong(0, ca_path, cause))? {
        roots.add(authority).map_err(|error| wrong(0, ca_path, error))?;
    }
    let roots = Arc::new(roots);
    let chain = certificates(certificate).map_err(|cause| wrong(1, certificate_path, cause))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| wrong(2, key_path, format!("not the PEM of a private key: {error}")))?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|error| wrong(0, ca_path, error))?;
    let unfit =
        |error: rustls::Error| wrong(2, key_path, format!("{error}; is it the key of the certificate?"));
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(unfit)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(unfit)?;
    Ok((Arc::new(server), Arc::new(client)))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| format!("not PEM: {error}"))?;
    if read.is_empty() { Err("holds no certificate (PEM)".to_owned()) } else { Ok(read) }
}

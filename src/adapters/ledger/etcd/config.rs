//! Where etcd is and how it is spoken to, and the files that say so.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::adapters::kube::error_chain;

/// Connections that are not there after this are tried at the next member.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a connection with an open watch is asked whether it is still there. etcd closes one that asks more often
/// than each 5 s (`--grpc-keepalive-min-time`).
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(6);

/// How long the answer to that may take.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the ledger is, as it was told.
#[derive(Clone, Debug)]
pub struct EtcdConfig {
    /// `http://HOST:PORT` or `https://HOST:PORT` of each member.
    pub endpoints: Vec<String>,
    /// What every key begins with, such as `/bongsu`: one for each installation.
    pub prefix: String,
    /// Authorities that sign the members' certificates; `None`: those of this host.
    pub ca: Option<PathBuf>,
    /// Our own certificate with its chain, and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// A user, and the file with the password.
    pub login: Option<(String, PathBuf)>,
}

/// Why the ledger cannot be used as it was told. Names the argument of `bongsu run`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{argument} {value}: {cause}")]
pub struct EtcdConfigError {
    argument: &'static str,
    value: String,
    cause: String,
}

/// What the files said when they were read.
#[derive(Clone, Default, Eq, PartialEq)]
pub(super) struct Files {
    ca: Option<Vec<u8>>,
    client: Option<(Vec<u8>, Vec<u8>)>,
    pub password: Option<String>,
}

impl EtcdConfig {
    /// What is wrong with it before anything is asked.
    pub(super) fn check(&self) -> Result<(), EtcdConfigError> {
        let wrong = |argument, value: &str, cause: &str| {
            Err(EtcdConfigError { argument, value: value.to_owned(), cause: cause.to_owned() })
        };
        if self.endpoints.is_empty() {
            return wrong(
                "--ledger-etcd-endpoints",
                "",
                "give at least one, such as https://etcd-0.example:2379",
            );
        }
        let plain = |prefix: &str| prefix.len() > 1 && prefix.starts_with('/') && !prefix.ends_with('/');
        if !plain(&self.prefix) {
            let cause = "give a path that starts with / and does not end with it, such as /bongsu";
            return wrong("--ledger-etcd-prefix", &self.prefix, cause);
        }
        for endpoint in &self.endpoints {
            let url = url::Url::parse(endpoint).ok().filter(|url| url.host().is_some() && url.path() == "/");
            match url.as_ref().map(url::Url::scheme) {
                Some("https") => {}
                Some("http") if self.ca.is_none() && self.client.is_none() => {}
                Some("http") => {
                    let cause = "no certificates are used on http: write https, or give no certificates";
                    return wrong("--ledger-etcd-endpoints", endpoint, cause);
                }
                _ => {
                    let cause = "write https://HOST:PORT, or http://HOST:PORT where nobody else can listen";
                    return wrong("--ledger-etcd-endpoints", endpoint, cause);
                }
            }
        }
        Ok(())
    }

    /// Reads the files.
    pub(super) fn read(&self) -> Result<Files, EtcdConfigError> {
        let read = |argument, path: &Path| {
            let failed = |error: std::io::Error| file_error(argument, path, &error.to_string());
            std::fs::read(path).map_err(failed)
        };
        let text = |path: &Path| {
            let argument = "--ledger-etcd-password-file";
            let text = String::from_utf8(read(argument, path)?);
            // Editors and `kubectl create secret --from-file` leave a line end that is no part of the password.
            let text = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
            text.map_err(|_| file_error(argument, path, "it is no text"))
        };
        let client = self.client.as_ref().map(|(certificate, key)| {
            Ok((read("--ledger-etcd-cert", certificate)?, read("--ledger-etcd-key", key)?))
        });
        Ok(Files {
            ca: self.ca.as_deref().map(|path| read("--ledger-etcd-ca", path)).transpose()?,
            client: client.transpose()?,
            password: self.login.as_ref().map(|(_, path)| text(path)).transpose()?,
        })
    }

    /// The members, with what the files said.
    pub(super) fn members(&self, files: &Files) -> Result<Vec<Endpoint>, EtcdConfigError> {
        self.endpoints.iter().map(|endpoint| self.member(endpoint, files)).collect()
    }

    fn member(&self, endpoint: &str, files: &Files) -> Result<Endpoint, EtcdConfigError> {
        let refused = |error: tonic::transport::Error| EtcdConfigError {
            argument: "--ledger-etcd-endpoints",
            value: endpoint.to_owned(),
            cause: error_chain(&error),
        };
        let member = Endpoint::from_shared(endpoint.to_owned())
            .map_err(refused)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .tcp_nodelay(true);
        if !endpoint.starts_with("https:") {
            return Ok(member);
        }
        let tls = ClientTlsConfig::new();
        let tls = match &files.ca {
            Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
            None => tls.with_native_roots(),
        };
        let tls = match &files.client {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        };
        member.tls_config(tls).map_err(|error| self.unfit(&error_chain(&error)))
    }

    /// TLS says what is wrong, but not with which file.
    fn unfit(&self, cause: &str) -> EtcdConfigError {
        let paths =
            self.ca.iter().chain(self.client.iter().flat_map(|(certificate, key)| [certificate, key]));
        let paths: Vec<String> = paths.map(|path| path.display().to_string()).collect();
        EtcdConfigError {
            argument: "--ledger-etcd-ca, --ledger-etcd-cert, --ledger-etcd-key",
            value: paths.join(", "),
            cause: format!("{cause}; each must be PEM, and the key that of the certificate"),
        }
    }
}

fn file_error(argument: &'static str, path: &Path, cause: &str) -> EtcdConfigError {
    EtcdConfigError { argument, value: path.display().to_string(), cause: cause.to_owned() }
}

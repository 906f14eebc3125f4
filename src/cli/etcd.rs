//! Arguments of a ledger in etcd.

use std::path::PathBuf;

use anyhow::bail;

use crate::adapters::ledger::EtcdConfig;

/// What a ledger in etcd needs to be told.
#[derive(Debug, clap::Args)]
pub(super) struct EtcdArgs {
    /// URL of each member of the etcd with the ledger, such as https://etcd-0.example:2379, with commas between them. The first is
    /// asked until it does not answer, then the next, so name the member of the own site first
    #[arg(long, value_name = "URLS", value_delimiter = ',')]
    ledger_etcd_endpoints: Vec<String>,

    /// What every key begins with: one for each installation
    #[arg(long, value_name = "PREFIX", default_value = "/bongsu")]
    ledger_etcd_prefix: String,

    /// Authorities that sign etcd's certificates (PEM), read again when they change [default: those of this host]
    #[arg(long, value_name = "FILE")]
    ledger_etcd_ca: Option<PathBuf>,

    /// Certificate to show to etcd, with its chain (PEM), read again when it changes
    #[arg(long, value_name = "FILE")]
    ledger_etcd_cert: Option<PathBuf>,

    /// Key of that certificate (PEM)
    #[arg(long, value_name = "FILE")]
    ledger_etcd_key: Option<PathBuf>,

    /// User to log in as [default: nobody, or who the certificate names]
    #[arg(long, value_name = "NAME")]
    ledger_etcd_user: Option<String>,

    /// File with that user's password, read again when it changes
    #[arg(long, value_name = "FILE")]
    ledger_etcd_password_file: Option<PathBuf>,
}

impl EtcdArgs {
    /// An argument that only makes sense with etcd.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--ledger-etcd-endpoints", !self.ledger_etcd_endpoints.is_empty()),
            ("--ledger-etcd-ca", self.ledger_etcd_ca.is_some()),
            ("--ledger-etcd-cert", self.ledger_etcd_cert.is_some()),
            ("--ledger-etcd-key", self.ledger_etcd_key.is_some()),
            ("--ledger-etcd-user", self.ledger_etcd_user.is_some()),
            ("--ledger-etcd-password-file", self.ledger_etcd_password_file.is_some()),
        ];
        given.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    /// The same, complete.
    pub(super) fn config(self) -> anyhow::Result<EtcdConfig> {
        if self.ledger_etcd_endpoints.is_empty() {
            bail!(
                "--ledger-etcd-endpoints is missing: give the URL of each member of the ledger's etcd, such as https://etcd-0.example:2379"
            );
        }
        let client = match (self.ledger_etcd_cert, self.ledger_etcd_key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                bail!("--ledger-etcd-cert needs --ledger-etcd-key: give the certificate's key too")
            }
            (None, Some(_)) => {
                bail!("--ledger-etcd-key needs --ledger-etcd-cert: give the key's certificate too")
            }
        };
        let login = match (self.ledger_etcd_user, self.ledger_etcd_password_file) {
            (Some(user), Some(file)) => Some((user, file)),
            (None, None) => None,
            (Some(_), None) => bail!(
                "--ledger-etcd-user needs --ledger-etcd-password-file; a user that a certificate names needs neither"
            ),
            (None, Some(_)) => {
                bail!("--ledger-etcd-password-file needs --ledger-etcd-user: whose password is it?")
            }
        };
        Ok(EtcdConfig {
            endpoints: self.ledger_etcd_endpoints,
            prefix: self.ledger_etcd_prefix,
            ca: self.ledger_etcd_ca,
            client,
            login,
        })
    }
}

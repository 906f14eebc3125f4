//! Arguments by which processes of different regions ask each other without the ledger.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use url::Url;

use crate::{
    adapters::agents::{Credentials, DirectorySeat, HttpAgents},
    domain::Identity,
    ports::{Agents, Clock, Seat},
};

/// The certificates.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CredentialArgs {
    /// Authority that signs the certificates of all regions' Bongsu and gates, and nothing else (PEM), read again when it changes
    #[arg(long, value_name = "FILE", requires = "agent_cert", requires = "agent_key")]
    agent_ca: Option<PathBuf>,

    /// Certificate to show to the Bongsu of other regions, with its chain (PEM), read again when it changes
    #[arg(long, value_name = "FILE", requires = "agent_ca")]
    agent_cert: Option<PathBuf>,

    /// Key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "agent_ca")]
    agent_key: Option<PathBuf>,
}

/// Where this process is asked.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AgentArgs {
    /// Where gates and the Bongsu of other regions ask this process for promises while the ledger is lost, such as
    /// https://bongsu.daejeon.example:8443; the certificate must be of that name. It may lead to any replica of this
    /// region: who is answered by another one than it means tries again [default: nobody can ask]
    #[arg(long, value_name = "URL", requires = "agent_address", requires = "agent_ca")]
    agent_url: Option<Url>,

    /// Address on which this process is asked
    #[arg(long, value_name = "ADDRESS", requires = "agent_url")]
    agent_address: Option<SocketAddr>,

    /// Directory on a disk of this host, of this process alone, in which it keeps its name over a restart: without it nobody knows
    /// after a restart whether what it promised before is over, and a move may have to wait for a person
    #[arg(long, value_name = "DIR", requires = "agent_url")]
    agent_state: Option<PathBuf>,

    #[command(flatten)]
    credentials: CredentialArgs,
}

/// By which others are asked, and where this process is.
#[derive(Clone)]
pub(super) struct AgentPlace {
    pub credentials: Arc<Credentials>,
    /// Where it is asked; `None`: it only asks.
    pub asked: Option<(SocketAddr, Arc<str>)>,
    /// From where it promises.
    pub seat: Option<Arc<dyn Seat>>,
}

impl CredentialArgs {
    /// The certificates, if they are given.
    pub(super) fn read(self, clock: Arc<dyn Clock>) -> anyhow::Result<Option<Arc<Credentials>>> {
        let (Some(ca), Some(certificate), Some(key)) = (self.agent_ca, self.agent_cert, self.agent_key)
        else {
            return Ok(None);
        };
        Ok(Some(Arc::new(Credentials::read(ca, certificate, key, clock)?)))
    }
}

impl AgentArgs {
    /// The same, complete; `None`: nobody is asked.
    pub(super) fn place(self, name: &Identity, clock: Arc<dyn Clock>) -> anyhow::Result<Option<AgentPlace>> {
        let Some(credentials) = self.credentials.read(clock).context("certificates for other regions")?
        else {
            return Ok(None);
        };
        let asked = match (self.agent_address, self.agent_url) {
            (Some(address), Some(url)) => {
                if url.scheme() != "https" || url.path() != "/" || url.host().is_none() {
                    bail!("--agent-url {url}: write https://HOST:PORT");
                }
                Some((address, Arc::from(url.as_str().trim_end_matches('/'))))
            }
            _ => None,
        };
        let seat = self.agent_state.map(|place| -> anyhow::Result<Arc<dyn Seat>> {
            let seat = DirectorySeat::take(&place, name.clone());
            Ok(Arc::new(seat.with_context(|| format!("--agent-state {}", place.display()))?))
        });
        Ok(Some(AgentPlace { credentials, asked, seat: seat.transpose()? }))
    }
}

/// What asks with these certificates.
pub(super) fn agents(credentials: &Arc<Credentials>) -> Arc<dyn Agents> {
    Arc::new(HttpAgents::new(credentials.clone()))
}

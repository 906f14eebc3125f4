//! One data center: the service, a name server and a Bongsu, each stopped the way a power cut stops it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::{TcpListener, UdpSocket},
    task::JoinSet,
};

use super::service;
use crate::{
    adapters::traffic::served::NameServer,
    domain::RegionName,
    ports::{Clock, Ledger},
    reconcile::Agent,
};

/// Looks for the port that the dead name server leaves behind. It is free once its tasks are dropped, at the next turn
/// of the scheduler.
const REBIND_ATTEMPTS: u32 = 50;
const REBIND_EVERY: Duration = Duration::from_millis(5);

/// A running data center.
pub(super) struct Center {
    pub(super) region: RegionName,
    /// Where the service answers; `None` in the witness region.
    pub(super) service: Option<SocketAddr>,
    /// Where the name server answers.
    pub(super) names: Option<SocketAddr>,
    listener: Option<Arc<TcpListener>>,
    agent: Option<Arc<Agent>>,
    tasks: JoinSet<()>,
}

impl Center {
    /// A data center without machines.
    pub(super) fn new(region: &str) -> Self {
        Self {
            region: RegionName::new(region),
            service: None,
            names: None,
            listener: None,
            agent: None,
            tasks: JoinSet::new(),
        }
    }

    /// Starts the service and the name server.
    pub(super) async fn open(
        &mut self,
        listener: TcpListener,
        ledger: Arc<dyn Ledger>,
    ) -> anyhow::Result<()> {
        let address = listener.local_addr()?;
        self.listener = Some(Arc::new(listener));
        self.service = Some(address);
        self.names = Some(SocketAddr::new(address.ip(), 0));
        self.power_up(ledger).await
    }

    /// Service and name server run, at the addresses that they had.
    async fn power_up(&mut self, ledger: Arc<dyn Ledger>) -> anyhow::Result<()> {
        let (Some(listener), Some(names)) = (&self.listener, self.names) else { return Ok(()) };
        self.tasks.spawn(service::serve(listener.clone(), self.region.clone()));
        let (server, names) = NameServer::bind(names, ledger).await?;
        self.names = Some(names);
        self.tasks.spawn(async move {
            let _ended = server.run(std::future::pending()).await;
        });
        Ok(())
    }

    /// The power is back: nothing of what was held is held any more.
    pub(super) async fn restore(&mut self, ledger: Arc<dyn Ledger>) -> anyhow::Result<()> {
        self.tasks.shutdown().await;
        self.power_up(ledger).await
    }

    /// Starts Bongsu.
    pub(super) fn start(&mut self, agent: Arc<Agent>) {
        let running = agent.clone();
        self.tasks.spawn(async move { running.run(std::future::pending()).await });
        self.agent = Some(agent);
    }

    /// Its Bongsu, while it lives.
    pub(super) const fn agent(&self) -> Option<&Arc<Agent>> {
        self.agent.as_ref()
    }

    /// The power is out. Nothing is given back and nobody says no: the sockets stay and nobody reads them, because a
    /// lost host answers nothing at all.
    pub(super) async fn lose(&mut self, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
        self.tasks.shutdown().await;
        // The vantage ends with its agent.
        self.agent = None;
        if let Some(address) = self.names {
            let silent = silence(address, clock.as_ref()).await;
            let silent = silent.with_context(|| format!("take the name server {address} off the net"))?;
            self.tasks.spawn(async move {
                let _held = silent;
                std::future::pending::<()>().await;
            });
        }
        Ok(())
    }
}

/// A socket that takes every question and answers none.
async fn silence(address: SocketAddr, clock: &dyn Clock) -> std::io::Result<UdpSocket> {
    let mut last = Err(std::io::ErrorKind::AddrInUse.into());
    for _ in 0..REBIND_ATTEMPTS {
        last = UdpSocket::bind(address).await;
        if last.is_ok() {
            break;
        }
        clock.sleep(REBIND_EVERY).await;
    }
    last
}

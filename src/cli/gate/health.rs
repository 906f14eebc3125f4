//! The health pages of a gate: whether it could let its writer write, and whether it does.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    domain::{RegionName, ServiceKey},
    gate::{Door, Standing},
    observability::{GateMetrics, Pages, Part, Readiness, serve},
    ports::Clock,
};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Time for the writer to take a connection. The kubelet gives up after 1 s as well.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// What is shown.
pub(super) struct Health {
    pub service: ServiceKey,
    pub region: RegionName,
    pub lease_ttl: Duration,
    /// Where the writer behind the proxy listens.
    pub target: Option<String>,
    pub door: Arc<Door>,
    pub standing: Arc<Standing>,
    pub clock: Arc<dyn Clock>,
}

impl Health {
    /// Serves the pages from now on.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(super) async fn start(self, address: SocketAddr) -> anyhow::Result<()> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("--http-address: listen on {address}"))?;
        tracing::info!(address = %listener.local_addr()?, "health pages listen");
        let (metrics, readiness) = (Arc::new(GateMetrics::new()?), Readiness::default());
        let (door, standing, region) = (self.door.clone(), self.standing.clone(), self.region.clone());
        let service = self.service.to_string();
        let status = Arc::new(move || {
            let (opening, said) = (door.opening(), standing.said());
            json!({
                "service": service, "region": region.as_str(), "open": opening.is_some(),
                "epoch": opening.map(|opening| opening.epoch.0), "message": said.text,
                "promised": opening.is_some_and(|opening| opening.promised), "promises": said.of_promises,
            })
        });
        let pages = Pages { metrics: metrics.clone(), readiness: readiness.clone(), status };
        tokio::spawn(serve(listener, pages, std::future::pending()));
        tokio::spawn(async move {
            let ledger = readiness.part("ledger");
            let writer = self.target.as_ref().map(|_| readiness.part("writer"));
            loop {
                self.look(&metrics, &ledger, writer.as_ref()).await;
                self.clock.sleep(LOOK).await;
            }
        });
        Ok(())
    }

    async fn look(&self, metrics: &GateMetrics, ledger: &Part, writer: Option<&Part>) {
        let (said, opening) = (self.standing.said(), self.door.opening());
        metrics.set_open(&self.service, &self.region, opening.map(|opening| opening.epoch));
        metrics.set_promised(&self.service, &self.region, opening.is_some_and(|opening| opening.promised));
        for (result, so_far) in [("promised", said.rounds.promised), ("refused", said.rounds.refused)] {
            metrics.set_rounds(&self.service, &self.region, result, so_far);
        }
        let renewals = said.renewals;
        for (result, so_far) in [
            ("granted", renewals.granted),
            ("refused", renewals.refused),
            ("unanswered", renewals.unanswered),
        ] {
            metrics.set_renewals(&self.service, &self.region, result, so_far);
        }
        match said.answered {
            Some(at) if self.clock.tick().since(at) < self.lease_ttl => ledger.ready(),
            _ if opening.is_some_and(|opening| opening.promised) => ledger.ready(),
            _ if said.text.is_empty() => ledger.not_ready("has not answered yet"),
            _ => ledger.not_ready(said.text),
        }
        if let (Some(part), Some(target)) = (writer, &self.target) {
            match self.connects(target).await {
                Ok(()) => part.ready(),
                Err(cause) => part.not_ready(format!("{target}: {cause}")),
            }
        }
    }

    /// Whether the writer takes a connection; it is closed at once.
    async fn connects(&self, target: &str) -> Result<(), String> {
        tokio::select! {
            biased;
            connected = TcpStream::connect(target) => connected.map(drop).map_err(|error| error.to_string()),
            () = self.clock.sleep(CONNECT_LIMIT) => Err(format!("no connection within {CONNECT_LIMIT:?}")),
        }
    }
}

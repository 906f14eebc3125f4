//! How clients are led to the members that serve: one adapter for each kind of route, and the router between them.

pub mod dns;
mod marker;
pub mod served;

use async_trait::async_trait;

use crate::ports::{Answer, Over, Route, RouteKind, ServerState, Traffic, TrafficError};
use dns::DnsTraffic;
use served::ServedTraffic;

/// The port `Traffic`: hands each route to the adapter of its kind.
pub struct TrafficRouter {
    dns: DnsTraffic,
    served: ServedTraffic,
}

impl TrafficRouter {
    /// A router over the two adapters.
    #[must_use]
    pub const fn new(dns: DnsTraffic, served: ServedTraffic) -> Self {
        Self { dns, served }
    }
}

#[async_trait]
impl Traffic for TrafficRouter {
    async fn publish(
        &self,
        route: &Route,
        answer: &Answer,
        over: Over,
    ) -> Vec<Result<ServerState, TrafficError>> {
        match &route.kind {
            RouteKind::Dns(dns) => self.dns.publish(route, dns, answer, over).await,
            RouteKind::Served(served) => vec![self.served.publish(route, served, answer, over).await],
        }
    }

    async fn read(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        match &route.kind {
            RouteKind::Dns(dns) => self.dns.read(route, dns).await,
            RouteKind::Served(served) => vec![self.served.read(route, served).await],
        }
    }

    async fn rehearse(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>> {
        match &route.kind {
            RouteKind::Dns(dns) => self.dns.rehearse(route, dns).await,
            RouteKind::Served(_) => vec![self.served.rehearse(route).await],
        }
    }
}

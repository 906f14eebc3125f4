//! Leading clients to the members that serve.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;

use crate::domain::{Epoch, RouteName, ServiceKey};

/// One way by which clients find a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The service.
    pub service: ServiceKey,
    /// Name, unique in the service.
    pub name: RouteName,
    /// Seconds that resolvers may keep the answer.
    pub ttl: u32,
    /// How.
    pub kind: RouteKind,
}

/// How clients are led.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteKind {
    /// By dynamic update of name servers.
    Dns(DnsRoute),
    /// By Bongsu's own name server.
    Served(ServedRoute),
}

/// A name on other name servers.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsRoute {
    /// Zone, without the final dot, lower case.
    pub zone: String,
    /// Name, without the final dot, lower case.
    pub name: String,
    /// Primaries of the zone.
    pub servers: Vec<SocketAddr>,
    /// Key that signs.
    pub key: TsigSecret,
}

/// A TSIG key.
#[derive(Clone, PartialEq)]
pub struct TsigSecret {
    /// Name of the key.
    pub name: String,
    /// Algorithm.
    pub algorithm: TsigAlgorithm,
    /// The shared secret.
    pub secret: Arc<[u8]>,
}

impl fmt::Debug for TsigSecret {
    // By hand, so that the secret never gets into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsigSecret")
            .field("name", &self.name)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// TSIG algorithm (RFC 8945 §6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TsigAlgorithm {
    /// HMAC-SHA-256.
    HmacSha256,
    /// HMAC-SHA-384.
    HmacSha384,
    /// HMAC-SHA-512.
    HmacSha512,
}

/// A name that Bongsu answers for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServedRoute {
    /// Zone, without the final dot, lower case.
    pub zone: String,
    /// Name, without the final dot, lower case.
    pub name: String,
    /// Names of the zone's name servers, without the final dot.
    pub name_servers: Vec<String>,
}

/// What is published: never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    epoch: Epoch,
    addresses: BTreeSet<IpAddr>,
}

/// An answer without addresses was about to be published (I3).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an answer without addresses is never published")]
pub struct EmptyAnswer;

impl Answer {
    /// An answer under an epoch.
    ///
    /// # Errors
    /// `EmptyAnswer`, so that an empty answer cannot even be expressed (I3).
    pub fn new(epoch: Epoch, addresses: BTreeSet<IpAddr>) -> Result<Self, EmptyAnswer> {
        if addresses.is_empty() { Err(EmptyAnswer) } else { Ok(Self { epoch, addresses }) }
    }

    /// Epoch that it carries.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Its addresses.
    #[must_use]
    pub const fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.addresses
    }
}

/// What on a server an answer may take the place of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// Of what stands under the same epoch, and of what is older. Only the leader's: of two lists of addresses under one
    /// epoch it knows which is the newer.
    Same,
    /// Only of what stands under an older epoch, or under none. What stands under the same one is left as it is.
    Older,
}

impl Over {
    /// Whether what a server holds under this epoch is left as it is.
    #[must_use]
    pub fn spares(self, held: Option<Epoch>, answer: &Answer) -> bool {
        self == Self::Older && held >= Some(answer.epoch)
    }
}

/// What one server of a route publishes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerState {
    /// Its address, or `served`.
    pub server: String,
    /// Epoch that it holds for this service; `None`: it was never written.
    pub epoch: Option<Epoch>,
    /// Addresses that it answers with; may be empty when somebody else made it so.
    pub addresses: BTreeSet<IpAddr>,
}

impl ServerState {
    /// Whether it publishes exactly this.
    #[must_use]
    pub fn shows(&self, answer: &Answer) -> bool {
        self.epoch == Some(answer.epoch) && self.addresses == answer.addresses
    }
}

/// Why one server did not do it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TrafficError {
    /// It did not answer.
    #[error("{server} did not answer: {cause}")]
    Unreachable {
        /// The server.
        server: String,
        /// What happened.
        cause: String,
    },
    /// It answered no.
    #[error("{server} answered {answer}: {remedy}")]
    Refused {
        /// The server.
        server: String,
        /// Its answer, such as `REFUSED`.
        answer: String,
        /// What to do about it.
        remedy: String,
    },
    /// It does not take the key.
    #[error("{server} answered {answer}: {remedy}")]
    KeyRefused {
        /// The server.
        server: String,
        /// Its answer, such as `NOTAUTH (BADSIG)`.
        answer: String,
        /// What to do about it.
        remedy: String,
    },
    /// It holds a newer epoch: whoever asked is stale and must do nothing more.
    #[error("{server} holds epoch {held}, newer than {tried}: this writer is stale")]
    Stale {
        /// The server.
        server: String,
        /// Epoch that it holds.
        held: Epoch,
        /// Epoch that was tried.
        tried: Epoch,
    },
    /// The name belongs to another service.
    #[error("{server} holds this name for {owner}: two services claim it")]
    Claimed {
        /// The server.
        server: String,
        /// The service that it is held for.
        owner: String,
    },
    /// The update was taken, but reading back shows something else.
    #[error("{server} took the update but answers with something else: {found}")]
    ReadBack {
        /// The server.
        server: String,
        /// What it answers with.
        found: String,
    },
}

/// Publishes answers. Each call ends within the adapter's call limit.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// Publishes an answer on every server of the route, by compare-and-set on the epoch, and reads it back. Publishing
    /// what is published already, or what it may not take the place of, changes nothing, and the result says what stands
    /// there. One result for each server, in the order of the route.
    async fn publish(
        &self,
        route: &Route,
        answer: &Answer,
        over: Over,
    ) -> Vec<Result<ServerState, TrafficError>>;

    /// Reads what every server of the route publishes. One result for each server, in the order of the route.
    async fn read(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>>;

    /// Writes to every server of the route what it publishes already, by the same compare-and-set as
    /// [`Traffic::publish`]: shows that it could, and changes nothing. One result for each server, in the order of the
    /// route.
    async fn rehearse(&self, route: &Route) -> Vec<Result<ServerState, TrafficError>>;
}

//! Addresses and the ways by which clients are led.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::Violation;
use crate::{
    api::{self, SecretKeyRef},
    domain::{RegionName, RouteName, ServiceKey},
    ports::{DnsRoute, Resources, ResourcesError, Route, RouteKind, ServedRoute, TsigAlgorithm, TsigSecret},
};

/// A route without its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteSpec {
    service: ServiceKey,
    name: RouteName,
    ttl: u32,
    kind: Kind,
}

/// Why there is no key that signs a route's updates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NoKey {
    /// In words.
    pub message: String,
    /// Nobody said that there is none: the API server did not answer, and the key that was read last may still be right.
    pub unknown: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Dns { zone: String, name: String, servers: Vec<SocketAddr>, key: api::TsigKey },
    Served(ServedRoute),
}

impl RouteSpec {
    /// The name that clients look up, in lower case and without the final dot.
    #[must_use]
    pub fn domain_name(&self) -> &str {
        match &self.kind {
            Kind::Dns { name, .. } => name,
            Kind::Served(served) => &served.name,
        }
    }

    /// Seconds that resolvers may keep the answer.
    #[must_use]
    pub const fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Name servers that are updated; none for a name that Bongsu serves itself.
    #[must_use]
    pub fn servers(&self) -> &[SocketAddr] {
        match &self.kind {
            Kind::Dns { servers, .. } => servers,
            Kind::Served(_) => &[],
        }
    }

    /// The route with its secret.
    ///
    /// # Errors
    /// The Secret or its key is missing or no base64, or cannot be read; the message says which.
    pub async fn with_secret(&self, resources: &dyn Resources) -> Result<Route, NoKey> {
        let kind = match &self.kind {
            Kind::Served(served) => RouteKind::Served(served.clone()),
            Kind::Dns { zone, name, servers, key } => RouteKind::Dns(DnsRoute {
                zone: zone.clone(),
                name: name.clone(),
                servers: servers.clone(),
                key: TsigSecret {
                    name: key.name.clone(),
                    algorithm: algorithm(key.algorithm),
                    secret: self.secret(&key.secret_ref, resources).await?,
                },
            }),
        };
        Ok(Route { service: self.service.clone(), name: self.name.clone(), ttl: self.ttl, kind })
    }

    /// The key was refused: the Secret is read anew before the next try.
    pub fn doubt_secret(&self, resources: &dyn Resources) {
        if let Kind::Dns { key, .. } = &self.kind {
            resources.doubt_secret(&self.service.namespace, &key.secret_ref.name);
        }
    }

    async fn secret(&self, at: &SecretKeyRef, resources: &dyn Resources) -> Result<Arc<[u8]>, NoKey> {
        let namespace = &self.service.namespace;
        let read = resources.secret(namespace, &at.name, &at.key).await;
        let text = read.map_err(|error| NoKey {
            message: format!("the TSIG key cannot be read: {error}"),
            unknown: matches!(error, ResourcesError::Unavailable { .. }),
        })?;
        let decoded = decode_base64(&text);
        let decoded = decoded.filter(|secret| !secret.is_empty()).ok_or_else(|| NoKey {
            message: format!(
                "key {} of Secret {namespace}/{} is not base64, as name servers print it",
                at.key, at.name
            ),
            unknown: false,
        })?;
        Ok(decoded.into())
    }
}

/// Standard base64 (RFC 4648 §4); white space around it is allowed, because files end with a line feed.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let text = std::str::from_utf8(text).ok()?.trim();
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

const fn algorithm(algorithm: api::TsigAlgorithm) -> TsigAlgorithm {
    match algorithm {
        api::TsigAlgorithm::HmacSha256 => TsigAlgorithm::HmacSha256,
        api::TsigAlgorithm::HmacSha384 => TsigAlgorithm::HmacSha384,
        api::TsigAlgorithm::HmacSha512 => TsigAlgorithm::HmacSha512,
    }
}

/// What is published for each member.
pub(super) fn addresses(
    members: &[api::Member],
    wrong: &mut Vec<Violation>,
) -> BTreeMap<RegionName, BTreeSet<IpAddr>> {
    let mut owner: BTreeMap<IpAddr, &str> = BTreeMap::new();
    let mut all: BTreeMap<RegionName, BTreeSet<IpAddr>> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        let of_member = all.entry(RegionName::new(&member.region)).or_default();
        for (position, text) in member.addresses.iter().enumerate() {
            let path = format!("spec.members[{index}].addresses[{position}]");
            let Ok(address) = text.parse::<IpAddr>() else {
                wrong.push(Violation::new(
                    path,
                    format!("{text:?} is not an IP address, such as 192.0.2.10 or 2001:db8::10"),
                ));
                continue;
            };
            of_member.insert(address);
            match owner.insert(address, &member.region) {
                Some(other) if other != member.region => {
                    let message =
                        format!("{address} is the address of {other} as well: a move would lead nowhere");
                    wrong.push(Violation::new(path, message));
                }
                _ => {}
            }
        }
    }
    all
}

/// The ways by which clients are led.
pub(super) fn routes(
    traffic: &[api::Traffic],
    service: &ServiceKey,
    wrong: &mut Vec<Violation>,
) -> BTreeMap<RouteName, RouteSpec> {
    let mut routes = BTreeMap::new();
    for (index, entry) in traffic.iter().enumerate() {
        let path = format!("spec.traffic[{index}]");
        if entry.ttl.0.subsec_nanos() != 0 {
            let message = format!("{} is not in whole seconds, and DNS knows no other", entry.ttl);
            wrong.push(Violation::new(format!("{path}.ttl"), message));
        }
        let Some(kind) = kind(entry, &path, wrong) else { continue };
        let name = RouteName::new(&entry.name);
        let ttl = u32::try_from(entry.ttl.0.as_secs()).unwrap_or(u32::MAX);
        let route = RouteSpec { service: service.clone(), name: name.clone(), ttl, kind };
        if routes.insert(name, route).is_some() {
            wrong.push(Violation::new(
                format!("{path}.name"),
                format!("a second entry named {:?}", entry.name),
            ));
        }
    }
    routes
}

fn kind(entry: &api::Traffic, path: &str, wrong: &mut Vec<Violation>) -> Option<Kind> {
    match (&entry.dns, &entry.served) {
        (Some(dns), None) => {
            let mut servers = Vec::new();
            for (position, server) in dns.servers.iter().enumerate() {
                match server.address.parse::<SocketAddr>() {
                    Ok(address) => servers.push(address),
                    Err(_) => wrong.push(Violation::new(
                        format!("{path}.dns.servers[{position}].address"),
                        format!(
                            "{:?} is not an IP address and a port, such as 192.0.2.53:53 or [2001:db8::53]:53",
                            server.address
                        ),
                    )),
                }
            }
            Some(Kind::Dns { zone: lower(&dns.zone), name: lower(&dns.name), servers, key: dns.tsig.clone() })
        }
        (None, Some(served)) => Some(Kind::Served(ServedRoute {
            zone: lower(&served.zone),
            name: lower(&served.name),
            name_servers: served.name_servers.iter().map(|name| lower(name)).collect(),
        })),
        _ => {
            wrong.push(Violation::new(path, "set exactly one of dns and served"));
            None
        }
    }
}

/// Names are compared without regard to case (RFC 4343).
fn lower(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

//! Endpoints and checks.

use std::{collections::BTreeMap, sync::Arc};

use url::{Host, Url};

mod kinds;

use super::Violation;
use crate::{
    api::{self, CheckScheme},
    domain::RegionName,
    ports::{CheckSpec, Endpoint, Scheme},
};

/// Where each member is reached.
pub(super) fn endpoints(
    members: &[api::Member],
    wrong: &mut Vec<Violation>,
) -> BTreeMap<RegionName, Endpoint> {
    let mut endpoints = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        let path = format!("spec.members[{index}]");
        match endpoint(&member.endpoint) {
            Ok(endpoint) => {
                if endpoints.insert(RegionName::new(&member.region), endpoint).is_some() {
                    let message = format!("a second member in region {}", member.region);
                    wrong.push(Violation::new(format!("{path}.region"), message));
                }
            }
            Err(message) => wrong.push(Violation::new(format!("{path}.endpoint"), message)),
        }
    }
    endpoints
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
    let (scheme, default_port) = match url.scheme() {
        "http" => (Scheme::Http, Some(80)),
        "https" => (Scheme::Https, Some(443)),
        "tcp" => (Scheme::Tcp, None),
        other => return Err(format!("scheme {other:?} is not known: write http, https or tcp")),
    };
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "{text:?} holds more than {}://HOST:PORT: a path belongs into the check",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an endpoint carries no user name or password: use a header from a check".to_owned());
    }
    let host: Arc<str> = match url.host() {
        Some(Host::Ipv6(address)) => address.to_string().into(),
        // The parser of special schemes knows IPv4; for tcp:// an IPv4 address comes as a name, which is as good.
        Some(host) => host.to_string().into(),
        None => return Err(format!("{text:?} names no host")),
    };
    let port = url
        .port()
        .or(default_port)
        .ok_or_else(|| format!("{text:?} names no port: write {}://{host}:PORT", url.scheme()))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').into();
    Ok(Endpoint { scheme, host, port })
}

/// A probe by the name that traffic moves would judge whoever serves, for every member.
pub(super) fn moved_names(members: &[api::Member], moved: &[&str], wrong: &mut Vec<Violation>) {
    for (index, member) in members.iter().enumerate() {
        let host = endpoint(&member.endpoint).map(|endpoint| endpoint.host.to_ascii_lowercase());
        if host.is_ok_and(|host| moved.contains(&host.as_str())) {
            let path = format!("spec.members[{index}].endpoint");
            let message = "its host is the name that traffic moves: probe this member by a name of its own";
            wrong.push(Violation::new(path, message));
        }
    }
}

/// The checks. Whether an expression compiles is asked later, when the probe is prepared: such a check counts as
/// unknown, and the service is still operated.
pub(super) fn checks(namespace: &str, health: &api::Health, wrong: &mut Vec<Violation>) -> Vec<CheckSpec> {
    let mut names = std::collections::BTreeSet::new();
    for (index, check) in health.checks.iter().enumerate() {
        if !names.insert(&check.name) {
            let path = format!("spec.health.checks[{index}].name");
            wrong.push(Violation::new(path, format!("a second check named {:?}", check.name)));
        }
    }
    if health.checks.iter().all(|check| check.promql.is_some()) {
        let message = "a number is only a sign: at least one check must ask the member itself";
        wrong.push(Violation::new("spec.health.checks", message));
    }
    let each = health.checks.iter().enumerate();
    each.filter_map(|(index, check)| {
        let path = format!("spec.health.checks[{index}]");
        let kind = match kinds::kind(namespace, check) {
            Ok(kind) => kind,
            Err((field, message)) => {
                wrong.push(Violation::new(format!("{path}{field}"), message));
                return None;
            }
        };
        Some(CheckSpec {
            name: Arc::from(check.name.as_str()),
            timeout: health.timeout.0,
            max_latency: check.max_latency.map(Into::into),
            port: check.port.map(port),
            scheme: check.scheme.map(scheme),
            kind,
        })
    })
    .collect()
}

const fn scheme(scheme: CheckScheme) -> Scheme {
    match scheme {
        CheckScheme::Http => Scheme::Http,
        CheckScheme::Https => Scheme::Https,
    }
}

pub(super) fn port(port: i32) -> u16 {
    u16::try_from(port).unwrap_or(u16::MAX)
}

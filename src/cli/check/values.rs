//! Values whose syntax a schema cannot describe: URLs, addresses, expressions.

use std::net::{IpAddr, SocketAddr};

use url::Url;

use crate::{
    adapters::manifests::{Entry, Finding},
    api::{Check, SharedService, Traffic},
};

use super::set::{Set, at};

/// What an `expect` expression sees.
const VARIABLES: [&str; 3] = ["body", "status", "headers"];

pub(super) fn check(set: &Set<'_>) -> Vec<Finding> {
    set.services.values().flat_map(|(entry, service)| of_service(entry, service)).collect()
}

fn of_service(entry: &Entry, service: &SharedService) -> Vec<Finding> {
    let spec = &service.spec;
    let mut found = Vec::new();
    for (index, member) in spec.members.iter().enumerate() {
        let path = format!("spec.members[{index}]");
        let moved = spec.traffic.iter().flat_map(names).collect::<Vec<_>>();
        let endpoint = endpoint(&member.endpoint, &moved).err();
        found.extend(endpoint.map(|message| at(entry, &format!("{path}.endpoint"), message)));
        for (index, address) in member.addresses.iter().enumerate() {
            if address.parse::<IpAddr>().is_err() {
                let message = format!("{address:?} is not an IP address, such as 192.0.2.10 or 2001:db8::10");
                found.push(at(entry, &format!("{path}.addresses[{index}]"), message));
            }
        }
    }
    for (index, check) in spec.health.checks.iter().enumerate() {
        found.extend(expression(entry, index, check));
    }
    for (index, traffic) in spec.traffic.iter().enumerate() {
        found.extend(of_traffic(entry, index, traffic));
    }
    found
}

/// The names that an entry of `spec.traffic` moves.
pub(super) fn names(traffic: &Traffic) -> Vec<&str> {
    let dns = traffic.dns.as_ref().map(|dns| dns.name.as_str());
    dns.into_iter().chain(traffic.served.as_ref().map(|served| served.name.as_str())).collect()
}

fn endpoint(text: &str, moved: &[&str]) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| format!("{text:?} names no host: write {}://HOST:PORT", url.scheme()))?;
    if url.port_or_known_default().is_none() {
        return Err(format!("{text:?} names no port: write {}://{host}:PORT", url.scheme()));
    }
    let more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
    if more || !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "{text:?} holds more than {}://HOST:PORT: a path belongs into the check",
            url.scheme()
        ));
    }
    match moved.iter().find(|name| name.eq_ignore_ascii_case(host)) {
        Some(name) => {
            Err(format!("{name} is the name that traffic moves: probe this member by a name of its own"))
        }
        None => Ok(()),
    }
}

fn expression(entry: &Entry, index: usize, check: &Check) -> Option<Finding> {
    let expect = check.http.as_ref()?.expect.as_deref()?;
    let message = match cel::Program::compile(expect) {
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            format!("is not a CEL expression: {first}")
        }
        Ok(program) => {
            let used = program.references();
            if VARIABLES.iter().any(|name| used.has_variable(name)) {
                return None;
            }
            format!("judges nothing of the answer: it uses none of {}", VARIABLES.join(", "))
        }
    };
    Some(at(entry, &format!("spec.health.checks[{index}].http.expect"), message))
}

fn of_traffic(entry: &Entry, index: usize, traffic: &Traffic) -> Vec<Finding> {
    let path = format!("spec.traffic[{index}]");
    let servers = traffic.dns.iter().flat_map(|dns| &dns.servers).enumerate();
    let wrong = servers.filter(|(_, server)| server.address.parse::<SocketAddr>().is_err());
    let mut found: Vec<_> = wrong
        .map(|(number, server)| {
            let message = format!(
                "{:?} is not an IP address and a port, such as 192.0.2.53:53 or [2001:db8::53]:53",
                server.address
            );
            at(entry, &format!("{path}.dns.servers[{number}].address"), message)
        })
        .collect();
    let ttl = traffic.ttl.0;
    if ttl.subsec_millis() != 0 {
        let message = format!("{} is not in whole seconds, and DNS knows no other", traffic.ttl);
        found.push(at(entry, &format!("{path}.ttl"), message));
    }
    found
}

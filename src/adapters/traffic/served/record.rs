//! An answer as it stands in the ledger.

use std::{collections::BTreeSet, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Epoch, ServiceKey},
    ports::{Answer, Key, Route, ServedRoute},
};

/// Where the records of all routes are.
pub(super) const PREFIX: &str = "answer/";

/// The record of one route. Regions one minor version apart read each other's, so fields may be added but not renamed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) service: ServiceKey,
    pub(super) zone: String,
    pub(super) name: String,
    pub(super) name_servers: Vec<String>,
    pub(super) ttl: u32,
    pub(super) epoch: Epoch,
    pub(super) addresses: BTreeSet<IpAddr>,
}

impl Record {
    pub(super) fn new(route: &Route, served: &ServedRoute, answer: &Answer) -> Self {
        Self {
            service: route.service.clone(),
            zone: served.zone.clone(),
            name: served.name.clone(),
            name_servers: served.name_servers.clone(),
            ttl: route.ttl,
            epoch: answer.epoch(),
            addresses: answer.addresses().clone(),
        }
    }

    /// Reads a record. One without addresses is refused like one that is broken (I3).
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let record: Self = serde_json::from_str(text).map_err(|cause| cause.to_string())?;
        if record.addresses.is_empty() { Err("it has no addresses".to_owned()) } else { Ok(record) }
    }

    pub(super) fn json(&self) -> String {
        // Serializing a struct of strings and numbers cannot fail; the empty text would be refused by every reader.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Where the record of a route is.
pub(super) fn key(route: &Route) -> Key {
    Key::new(format!("{PREFIX}{}/{}", route.service, route.name))
}

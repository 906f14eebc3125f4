//! DNS names that two services claim: each would overwrite the other's answer at every pass.

use std::collections::BTreeMap;

use crate::{adapters::manifests::Finding, domain::ServiceKey};

use super::{
    set::{Set, at},
    values::names,
};

pub(super) fn check(set: &Set<'_>) -> Vec<Finding> {
    let mut first: BTreeMap<String, &ServiceKey> = BTreeMap::new();
    let mut found = Vec::new();
    for (key, (entry, service)) in &set.services {
        for (index, traffic) in service.spec.traffic.iter().enumerate() {
            let part = if traffic.dns.is_some() { "dns" } else { "served" };
            for name in names(traffic) {
                let owner = *first.entry(name.to_ascii_lowercase()).or_insert(key);
                if owner != key {
                    let message = format!("{name} is claimed by SharedService {owner}, too");
                    let path = format!("spec.traffic[{index}].{part}.name");
                    found.push(at(entry, &path, message).with_remedy("give each service a name of its own"));
                }
            }
        }
    }
    found
}

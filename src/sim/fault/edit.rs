//! What people edit.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use super::Edit;
use crate::{
    api::{self, GlobalStop, Maintenance},
    domain::ServiceKey,
    ports::Snapshot,
    reconcile::key_of,
    sim::Setup,
};

impl Edit {
    /// The service whose spec it changes.
    pub(in crate::sim) const fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::Maintenance(service, _)
            | Self::Weights(service)
            | Self::Capacity(service, ..)
            | Self::Address(service, ..)
            | Self::Delete(service) => Some(service),
            Self::RegionMaintenance(_) | Self::GlobalStop(_) => None,
        }
    }

    /// The address that it gives to a member, and those in whose place it is.
    pub(super) fn given(&self, setup: &Setup) -> Option<(IpAddr, BTreeSet<IpAddr>)> {
        let Self::Address(service, region, address) = self else { return None };
        let before = setup.services.get(service)?.addresses.get(region)?;
        Some((*address, before.iter().copied().collect()))
    }

    pub(super) fn apply(&self, snapshot: &mut Snapshot, original: &Snapshot, undo: bool) {
        match self {
            Self::RegionMaintenance(region) | Self::GlobalStop(region) => {
                let Some(found) = snapshot.regions.get_mut(region.as_str()) else { return };
                let found = Arc::make_mut(found);
                let before = original.regions.get(region.as_str()).map(|region| &region.spec);
                match self {
                    Self::RegionMaintenance(_) if undo => {
                        found.spec.maintenance = before.and_then(|spec| spec.maintenance.clone());
                    }
                    Self::RegionMaintenance(_) => {
                        found.spec.maintenance = Some(Maintenance { reason: "simulated work".to_owned() })
                    }
                    _ if undo => found.spec.global_stop = before.and_then(|spec| spec.global_stop.clone()),
                    _ => found.spec.global_stop = Some(GlobalStop { reason: "simulated stop".to_owned() }),
                }
                found.metadata.generation = found.metadata.generation.map(|generation| generation + 1);
            }
            Self::Delete(service) if undo => {
                if let Some(service) = original.services.get(service) {
                    snapshot.services.insert(key_of(service), service.clone());
                }
            }
            Self::Delete(service) => {
                snapshot.services.remove(service);
            }
            Self::Maintenance(service, _)
            | Self::Weights(service)
            | Self::Capacity(service, ..)
            | Self::Address(service, ..) => {
                let (Some(found), Some(before)) =
                    (snapshot.services.get_mut(service), original.services.get(service))
                else {
                    return;
                };
                let found = Arc::make_mut(found);
                if undo {
                    found.spec = before.spec.clone();
                } else {
                    self.edit_members(&mut found.spec.members);
                }
                found.metadata.generation = found.metadata.generation.map(|generation| generation + 1);
            }
        }
    }

    /// The edit in words.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Maintenance(service, region) => format!("{service} in {region} is in maintenance"),
            Self::RegionMaintenance(region) => format!("{region} is in maintenance"),
            Self::Weights(service) => format!("the weights of {service} are turned around"),
            Self::Address(service, region, address) => {
                format!("{service} in {region} has the address {address}")
            }
            Self::Capacity(service, region, capacity) => {
                format!("{service} in {region} carries {capacity}")
            }
            Self::GlobalStop(region) => format!("the global stop in {region}"),
            Self::Delete(service) => format!("{service} is deleted"),
        }
    }

    fn edit_members(&self, members: &mut [api::Member]) {
        match self {
            Self::Weights(_) => {
                let weights: Vec<i32> = members.iter().rev().map(|member| member.weight).collect();
                members.iter_mut().zip(weights).for_each(|(member, weight)| member.weight = weight);
            }
            Self::Maintenance(_, region) => {
                let of_region = members.iter_mut().filter(|member| member.region == region.as_str());
                of_region.for_each(|member| member.maintenance = true);
            }
            Self::Address(_, region, address) => {
                let of_region = members.iter_mut().filter(|member| member.region == region.as_str());
                of_region.for_each(|member| member.addresses = vec![address.to_string()]);
            }
            Self::Capacity(_, region, capacity) => {
                let of_region = members.iter_mut().filter(|member| member.region == region.as_str());
                of_region.for_each(|member| member.capacity = Some(*capacity));
            }
            Self::RegionMaintenance(_) | Self::GlobalStop(_) | Self::Delete(_) => {}
        }
    }
}

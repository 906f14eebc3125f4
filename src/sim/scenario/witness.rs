//! What is written down of a run while it goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Deserialize;

use super::citizen::Citizens;
use crate::{
    domain::{Epoch, Record, RegionName, Run, RunId, ServiceKey},
    ports::Key,
    reconcile::Entry,
    sim::{
        Moment, Site,
        world::{State, World},
    },
};

/// What was seen of a run.
pub(in crate::sim) struct Witness {
    pub(super) citizens: Citizens,
    /// Who serves by the ledger, each time that it changed.
    pub(super) moves: BTreeMap<ServiceKey, Vec<Moved>>,
    /// The runs as they stand, and when each came into the ledger.
    pub(super) runs: BTreeMap<(Arc<str>, RunId), (Moment, Run)>,
    /// What name servers of Bongsu answer that follow the ledger.
    pub(super) served: BTreeMap<Key, BTreeSet<IpAddr>>,
    /// The world at the moments of expectations.
    pub(super) glimpses: BTreeMap<u64, Glimpse>,
}

/// A change of who serves.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub at: Moment,
    pub epoch: Epoch,
    pub serving: BTreeSet<RegionName>,
}

/// The world at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Glimpse {
    pub serving: BTreeMap<ServiceKey, BTreeSet<RegionName>>,
    /// Of services with gates, the regions whose gates let their writers write.
    pub writing: BTreeMap<ServiceKey, BTreeSet<RegionName>>,
    /// The region whose Bongsu leads.
    pub leads: Option<RegionName>,
    /// By service, what each name server answers that can be reached.
    pub answers: BTreeMap<ServiceKey, Vec<(String, BTreeSet<IpAddr>)>>,
    /// By region, health and conditions as its API server has them; none while it does not answer.
    pub statuses: BTreeMap<RegionName, BTreeMap<ServiceKey, Shown>>,
}

/// The part of a service's status that is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub health: Option<String>,
    pub conditions: Vec<Condition>,
}

/// The part of a served answer that is looked at.
#[derive(Deserialize)]
struct Served {
    addresses: BTreeSet<IpAddr>,
}

impl World {
    /// The ledger took a write.
    pub(in crate::sim) fn witness(&self, key: &Key, text: &str) {
        let now = self.now();
        if let Some(witness) = &mut self.state().witness {
            witness.note(now, key, text);
        }
    }
}

impl Witness {
    pub(super) fn new(citizens: Citizens) -> Self {
        Self {
            citizens,
            moves: BTreeMap::new(),
            runs: BTreeMap::new(),
            served: BTreeMap::new(),
            glimpses: BTreeMap::new(),
        }
    }

    /// Notes a write.
    fn note(&mut self, now: Moment, key: &Key, text: &str) {
        match Entry::of(key) {
            Some(Entry::Record(service)) => {
                if let Ok(record) = serde_json::from_str(text) {
                    self.record(now, service, record);
                }
            }
            Some(Entry::Run(namespace, id)) => {
                if let Ok(run) = serde_json::from_str::<Run>(text) {
                    let begun = self.runs.get(&(namespace.clone(), id.clone())).map_or(now, |known| known.0);
                    self.runs.insert((namespace, id), (begun, run));
                }
            }
            None => {
                if let Ok(Served { addresses }) = serde_json::from_str(text) {
                    self.served.insert(key.clone(), addresses);
                }
            }
            _ => {}
        }
    }

    fn record(&mut self, now: Moment, service: ServiceKey, record: Record) {
        let moves = self.moves.entry(service).or_default();
        if moves.last().is_none_or(|last| last.epoch != record.epoch) {
            moves.push(Moved { at: now, epoch: record.epoch, serving: record.serving });
        }
    }
}

impl State {
    /// Looks at the world for the expectations of one moment.
    pub(super) fn glimpse(&mut self, now: Moment) {
        let Some(mut witness) = self.witness.take() else { return };
        let serving = witness.moves.iter().filter_map(|(service, moves)| {
            moves.last().map(|moved| (service.clone(), moved.serving.clone()))
        });
        let gated = self.checker.setup.services.iter().filter(|(_, parsed)| parsed.service.fence.is_some());
        let writing =
            gated.map(|(service, _)| (service.clone(), self.writers(service, now).into_iter().collect()));
        let glimpse = Glimpse {
            serving: serving.collect(),
            writing: writing.collect(),
            leads: self.leads(),
            answers: witness.citizens.answers(self, now),
            statuses: self.shown(),
        };
        witness.glimpses.insert(now.0, glimpse);
        self.witness = Some(witness);
    }

    fn leads(&self) -> Option<RegionName> {
        let leader = self.processes.leader()?;
        self.checker.setup.region(leader.site).cloned()
    }

    fn shown(&self) -> BTreeMap<RegionName, BTreeMap<ServiceKey, Shown>> {
        let setup = &self.checker.setup;
        let sites = (0..=u8::MAX).map(Site).zip(&setup.regions);
        let answering = sites.filter_map(|(site, region)| {
            let cluster = self.clusters.at(site).filter(|cluster| cluster.answers())?;
            let statuses = setup.services.keys().filter_map(|service| {
                let status = cluster.status(service)?;
                let shown = Shown { health: status.health.clone(), conditions: status.conditions.clone() };
                Some((service.clone(), shown))
            });
            Some((region.clone(), statuses.collect()))
        });
        answering.collect()
    }
}

//! What a run starts from: the resources of the users, read once and parsed as the product parses them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff};

use super::{clock::WALL_AT_START, network::Site};
use crate::{
    adapters::manifests::{Admission, Finding, Object, Source, read, service_key},
    domain::{RegionName, Service, ServiceKey},
    ports::Snapshot,
    reconcile::{Catalog, parse::Parsed},
};

/// Length of the leases of simulated processes: short, so that a run of some minutes sees many of them end.
const LEASE_TTL: Duration = Duration::from_secs(6);

/// Everything that does not change between two runs.
#[derive(Debug)]
pub struct Setup {
    /// The regions by name; the site of a region is its index.
    pub regions: Vec<RegionName>,
    /// The services, parsed.
    pub services: BTreeMap<ServiceKey, Arc<Parsed>>,
    /// Length of the leases.
    pub lease_ttl: Duration,
    pub(super) members: Vec<MemberPlace>,
    pub(super) name_servers: Vec<(SocketAddr, Site)>,
    pub(super) snapshot: Arc<Snapshot>,
}

/// Where a member is.
#[derive(Clone, Debug)]
pub(super) struct MemberPlace {
    pub service: ServiceKey,
    pub site: Site,
    pub host: Arc<str>,
    pub port: u16,
}

impl Setup {
    /// Reads manifests.
    ///
    /// # Errors
    /// Everything that is wrong in them, each with its place; a service that cannot be operated; no region.
    pub fn read(admission: &Admission, sources: &[Source]) -> Result<Self, Vec<Finding>> {
        let contents: Vec<_> = sources.iter().map(|source| read(admission, source)).collect();
        let findings = contents.iter().flat_map(|content| &content.findings);
        let errors: Vec<Finding> = findings.filter(|finding| finding.is_error()).cloned().collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut snapshot = Snapshot::default();
        let objects = contents.into_iter().flat_map(|content| content.entries).map(|entry| entry.object);
        objects.for_each(|object| add(&mut snapshot, object));
        Self::new(snapshot, Vec::new()).map_err(|message| vec![Finding::error("manifests", message)])
    }

    /// Of a snapshot. `places` says in which region a name server is; the others are spread over the regions.
    fn new(snapshot: Snapshot, places: Vec<(SocketAddr, Site)>) -> Result<Self, String> {
        let snapshot = Arc::new(snapshot);
        let catalog = Catalog::new(snapshot.clone(), &Catalog::default());
        let regions: Vec<RegionName> = catalog.regions.keys().cloned().collect();
        if regions.is_empty() || regions.len() >= usize::from(u8::MAX) {
            return Err(format!("{} regions: at least one Region is needed, at most 254", regions.len()));
        }
        let mut services = BTreeMap::new();
        for (key, entry) in &catalog.services {
            match &entry.parsed {
                Ok(parsed) => services.insert(key.clone(), parsed.clone()),
                Err(wrong) => return Err(format!("SharedService {key}: {}", texts(wrong))),
            };
        }
        let mut setup = Self {
            members: members(&services, &regions)?,
            name_servers: places,
            regions,
            services,
            lease_ttl: LEASE_TTL,
            snapshot,
        };
        setup.place_name_servers();
        Ok(setup)
    }

    /// Name servers that nobody placed: in the regions, one after the other.
    fn place_name_servers(&mut self) {
        let routes = self.services.values().flat_map(|parsed| parsed.routes.values());
        let addresses: BTreeSet<SocketAddr> =
            routes.flat_map(|route| route.servers().iter().copied()).collect();
        let known: BTreeSet<SocketAddr> = self.name_servers.iter().map(|(address, _)| *address).collect();
        let count = self.regions.len().max(1);
        for (index, address) in addresses.difference(&known).enumerate() {
            let site = Site(u8::try_from(index % count).unwrap_or(0));
            self.name_servers.push((*address, site));
        }
    }

    /// The site of a region.
    #[must_use]
    pub fn site(&self, region: &RegionName) -> Option<Site> {
        let index = self.regions.iter().position(|known| known == region)?;
        u8::try_from(index).ok().map(Site)
    }

    /// Members that have gates, in the order of the gates.
    pub(super) fn gates(&self) -> impl Iterator<Item = &MemberPlace> {
        let gated = |place: &&MemberPlace| self.service(&place.service).is_some_and(|s| s.gate().is_some());
        self.members.iter().filter(gated)
    }

    /// What a gate is called in stories.
    pub(super) fn gate_title(&self, index: usize) -> String {
        let place = self.gates().nth(index);
        let region = place.and_then(|place| self.region(place.site));
        let both = place.zip(region);
        both.map_or_else(String::new, |(place, region)| format!("the gate of {} in {region}", place.service))
    }

    pub(super) fn region(&self, site: Site) -> Option<&RegionName> {
        self.regions.get(usize::from(site.0))
    }

    pub(super) fn service(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        self.services.get(key).map(|parsed| &parsed.service)
    }
}

fn texts(all: &[crate::reconcile::parse::Violation]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn members(
    services: &BTreeMap<ServiceKey, Arc<Parsed>>,
    regions: &[RegionName],
) -> Result<Vec<MemberPlace>, String> {
    let mut places = Vec::new();
    for (key, parsed) in services {
        for (region, endpoint) in &parsed.endpoints {
            let index = regions.iter().position(|known| known == region);
            let index = index.and_then(|index| u8::try_from(index).ok());
            let site = index.ok_or_else(|| format!("SharedService {key}: there is no Region {region}"))?;
            let (host, port) = (endpoint.host.clone(), endpoint.port);
            places.push(MemberPlace { service: key.clone(), site: Site(site), host, port });
        }
    }
    Ok(places)
}

/// Puts an object into the snapshot as an API server would have stored it at the start of the run.
fn add(snapshot: &mut Snapshot, object: Object) {
    let created = jiff::Timestamp::from_millisecond(WALL_AT_START).ok().map(Time);
    let reference = object.reference();
    match object {
        Object::Region(mut region) => {
            region.metadata.generation = Some(1);
            region.metadata.creation_timestamp = created;
            snapshot.regions.insert(reference.name, Arc::new(*region));
        }
        Object::Service(mut service) => {
            service.metadata.generation = Some(1);
            service.metadata.creation_timestamp = created;
            snapshot.services.insert(service_key(&service), Arc::new(*service));
        }
        Object::Policy(mut policy) => {
            policy.metadata.generation = Some(1);
            snapshot.policies.insert(reference.name, Arc::new(*policy));
        }
        Object::Failover(mut failover) => {
            failover.metadata.generation = Some(1);
            failover.metadata.creation_timestamp = created;
            snapshot.failovers.insert((reference.namespace, reference.name), Arc::new(*failover));
        }
        Object::Drill(mut drill) => {
            drill.metadata.generation = Some(1);
            drill.metadata.creation_timestamp = created;
            snapshot.drills.insert((reference.namespace, reference.name), Arc::new(*drill));
        }
        Object::DrillRun(mut run) => {
            run.metadata.generation = Some(1);
            run.metadata.creation_timestamp = created;
            snapshot.drill_runs.insert((reference.namespace, reference.name), Arc::new(*run));
        }
        Object::Calendar(mut calendar) => {
            calendar.metadata.generation = Some(1);
            snapshot.calendars.insert(reference.name, Arc::new(*calendar));
        }
        Object::Approval(mut approval) => {
            approval.metadata.generation = Some(1);
            snapshot.approvals.insert((reference.namespace, reference.name), Arc::new(*approval));
        }
        Object::Secret(_) => {}
    }
}

//! The resources, parsed: what this process knows of the wishes of the users.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    book::{Hash, StandingObjects},
    parse::{Parsed, Policies, Violation, parse},
    specs::standing_objects,
};
use crate::{
    api::{Calendar, Region, RegionRole, SharedService},
    domain::{BudgetLimits, RegionName, ServiceKey},
    ports::Snapshot,
    report::fingerprint,
    timetable::{self, Timetable},
};

/// All resources of one moment, parsed.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Services by key.
    pub services: BTreeMap<ServiceKey, ServiceEntry>,
    /// Regions by name.
    pub regions: BTreeMap<RegionName, RegionEntry>,
    /// The region that carries the global stop, and why.
    pub global_stop: Option<(RegionName, Arc<str>)>,
    /// Services that publish a name of an older service, and that service.
    pub claimed: BTreeMap<ServiceKey, ServiceKey>,
    /// The policies in force.
    pub policies: Policies,
    /// Timetables of the drills that have a schedule, by namespace and name.
    pub timetables: BTreeMap<(String, String), Parsing>,
    /// Hash of the policy in force, by grade.
    pub grades: BTreeMap<i32, Hash>,
    /// The Regions, as they are said to the other regions.
    pub standing_regions: StandingObjects,
    /// The grade policies, as they are said to the other regions.
    pub standing_policies: StandingObjects,
    /// What it was made from.
    pub snapshot: Arc<Snapshot>,
    /// By service, those that need it.
    dependents: BTreeMap<ServiceKey, Vec<ServiceKey>>,
}

/// A timetable, or what is wrong with its schedule.
pub type Parsing = Arc<Result<Timetable, Vec<timetable::Violation>>>;

/// A service as it was written, and what became of it.
#[derive(Clone, Debug)]
pub struct ServiceEntry {
    /// As it was written.
    pub object: Arc<SharedService>,
    /// Of its spec.
    pub hash: Hash,
    /// Parsed, or what is wrong with it.
    pub parsed: Result<Arc<Parsed>, Vec<Violation>>,
}

/// A region.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionEntry {
    /// It can hold members.
    pub full: bool,
    /// Work is being done in it.
    pub maintenance: bool,
    /// Limits of unplanned moves away from it.
    pub budget: BudgetLimits,
}

impl Catalog {
    /// Parses a snapshot. What did not change since `before` is not parsed again.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, before: &Self) -> Self {
        let policies = Policies::new(snapshot.policies.values().map(AsRef::as_ref));
        let same_policies = policies == before.policies;
        let services: BTreeMap<ServiceKey, ServiceEntry> = snapshot
            .services
            .iter()
            .map(|(key, object)| {
                let known =
                    before.services.get(key).filter(|entry| same_policies && same_wish(entry, object));
                let parsed = match known {
                    Some(entry) => entry.parsed.clone(),
                    None => parse(object, &policies).map(Arc::new),
                };
                let same = before.services.get(key).filter(|entry| same_wish(entry, object));
                let hash = same.map_or_else(|| hash_of(&object.spec), |entry| entry.hash.clone());
                (key.clone(), ServiceEntry { object: object.clone(), hash, parsed })
            })
            .collect();
        Self {
            claimed: claimed(&services),
            dependents: dependents(&services),
            regions: snapshot.regions.iter().map(|(name, r)| (RegionName::new(name), region(r))).collect(),
            global_stop: global_stop(&snapshot),
            timetables: timetables(&snapshot, before),
            grades: match same_policies {
                true => before.grades.clone(),
                false => policies.in_force().map(|(grade, spec)| (grade, hash_of(spec))).collect(),
            },
            standing_regions: standing_objects(
                &snapshot.regions,
                &before.snapshot.regions,
                &before.standing_regions,
                |region| (&region.spec, &region.metadata),
            ),
            standing_policies: standing_objects(
                &snapshot.policies,
                &before.snapshot.policies,
                &before.standing_policies,
                |policy| (&policy.spec, &policy.metadata),
            ),
            services,
            policies,
            snapshot,
        }
    }

    /// Services whose decision may be another one than before. A change of what concerns all, such as a Region, touches
    /// all; a status or a Failover touches none.
    #[must_use]
    pub fn touched_since(&self, before: &Self) -> Vec<&ServiceKey> {
        let same_for_all = self.regions == before.regions
            && self.policies == before.policies
            && self.global_stop == before.global_stop
            && self.claimed == before.claimed;
        let changed = |(key, entry): &(&ServiceKey, &ServiceEntry)| {
            !same_for_all || before.services.get(key).is_none_or(|known| !same_wish(known, &entry.object))
        };
        self.services.iter().filter(changed).map(|(key, _)| key).collect()
    }

    /// Whether what is said to the other regions of Regions and policies is what was said before.
    #[must_use]
    pub fn stands_as(&self, before: &Self) -> bool {
        self.grades == before.grades
            && self.standing_regions == before.standing_regions
            && self.standing_policies == before.standing_policies
    }

    /// A service that can be operated.
    #[must_use]
    pub fn parsed(&self, service: &ServiceKey) -> Option<&Arc<Parsed>> {
        self.services.get(service).and_then(|entry| entry.parsed.as_ref().ok())
    }

    /// Members whose region is not known, or is a witness.
    pub fn unknown_regions<'a>(&'a self, parsed: &'a Parsed) -> impl Iterator<Item = &'a RegionName> {
        let known = |region: &RegionName| self.regions.get(region).is_some_and(|entry| entry.full);
        parsed.service.members.keys().filter(move |region| !known(region))
    }

    /// A service with all that it needs and all that need it, directly or through others.
    #[must_use]
    pub fn chain(&self, service: &ServiceKey) -> BTreeSet<ServiceKey> {
        let needed = |key: &ServiceKey| {
            self.parsed(key).map(|parsed| parsed.service.depends_on.to_vec()).unwrap_or_default()
        };
        let mut chain = closure(service, needed);
        chain.extend(closure(service, |key| self.dependents(key).cloned().collect()));
        chain
    }

    /// Services whose decision may change when this one does: those that need it.
    pub fn dependents(&self, service: &ServiceKey) -> impl Iterator<Item = &ServiceKey> {
        self.dependents.get(service).into_iter().flatten()
    }
}

/// Of a spec, by which regions compare what they hold. What has no canonical form, a fraction, no schema of ours allows.
pub(super) fn hash_of(spec: &impl serde::Serialize) -> Hash {
    Arc::from(fingerprint(spec).unwrap_or_else(|error| error.to_string()))
}

/// All that is reached from a service, and itself.
fn closure(service: &ServiceKey, next: impl Fn(&ServiceKey) -> Vec<ServiceKey>) -> BTreeSet<ServiceKey> {
    let mut found = BTreeSet::from([service.clone()]);
    let mut left = vec![service.clone()];
    while let Some(key) = left.pop() {
        left.extend(next(&key).into_iter().filter(|other| found.insert(other.clone())));
    }
    found
}

/// The same spec under the same generation; status and labels may differ.
fn same_wish(entry: &ServiceEntry, object: &SharedService) -> bool {
    let same_object = std::ptr::eq(&*entry.object, object);
    let same_generation = entry.object.metadata.generation == object.metadata.generation;
    same_object || (same_generation && entry.object.spec == object.spec)
}

fn region(region: &Region) -> RegionEntry {
    let budget = &region.spec.budget;
    let limit = |number: i32| u32::try_from(number).unwrap_or(0);
    RegionEntry {
        full: region.spec.role == RegionRole::Full,
        maintenance: region.spec.maintenance.is_some(),
        budget: BudgetLimits {
            moves: limit(budget.moves),
            moves_per_group: limit(budget.moves_per_group),
            per: budget.per.0,
            evacuating: limit(budget.evacuation.concurrent),
        },
    }
}

fn global_stop(snapshot: &Snapshot) -> Option<(RegionName, Arc<str>)> {
    snapshot.regions.iter().find_map(|(name, region)| {
        let stop = region.spec.global_stop.as_ref()?;
        Some((RegionName::new(name), Arc::from(stop.reason.as_str())))
    })
}

/// What did not change since `before` is not parsed again: it is asked every second.
fn timetables(snapshot: &Snapshot, before: &Catalog) -> BTreeMap<(String, String), Parsing> {
    let specs =
        |of: &Snapshot| of.calendars.values().map(|calendar| calendar.spec.clone()).collect::<Vec<_>>();
    let same_calendars = specs(snapshot) == specs(&before.snapshot);
    let calendars: Vec<&Calendar> = snapshot.calendars.values().map(AsRef::as_ref).collect();
    let scheduled =
        snapshot.drills.iter().filter_map(|(key, drill)| Some((key, drill.spec.schedule.as_ref()?)));
    let parsed = scheduled.map(|(key, schedule)| {
        let was = before.snapshot.drills.get(key).and_then(|drill| drill.spec.schedule.as_ref());
        let known = before.timetables.get(key).filter(|_| same_calendars && was == Some(schedule));
        let parse = || Arc::new(Timetable::parse(schedule, &calendars));
        (key.clone(), known.cloned().unwrap_or_else(parse))
    });
    parsed.collect()
}

/// Kept by service, because it is asked at each change of the ledger.
fn dependents(services: &BTreeMap<ServiceKey, ServiceEntry>) -> BTreeMap<ServiceKey, Vec<ServiceKey>> {
    let mut dependents: BTreeMap<ServiceKey, Vec<ServiceKey>> = BTreeMap::new();
    for (key, entry) in services {
        for needed in entry.parsed.iter().flat_map(|parsed| &parsed.service.depends_on) {
            dependents.entry(needed.clone()).or_default().push(key.clone());
        }
    }
    dependents
}

/// Of the services that publish one name the oldest keeps it; between equally old ones, the first by key.
fn claimed(services: &BTreeMap<ServiceKey, ServiceEntry>) -> BTreeMap<ServiceKey, ServiceKey> {
    // A stable sort, so those of one age stay in the order of their keys.
    let mut by_age: Vec<(&ServiceKey, &ServiceEntry)> = services.iter().collect();
    by_age.sort_by_key(|(_, entry)| entry.object.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let mut owners: BTreeMap<&str, &ServiceKey> = BTreeMap::new();
    let mut claimed = BTreeMap::new();
    for (key, entry) in by_age {
        let Ok(parsed) = &entry.parsed else { continue };
        for name in parsed.routes.values().map(super::parse::RouteSpec::domain_name) {
            match owners.get(name) {
                Some(owner) if *owner != key => {
                    claimed.insert(key.clone(), (*owner).clone());
                }
                _ => {
                    owners.insert(name, key);
                }
            }
        }
    }
    claimed
}

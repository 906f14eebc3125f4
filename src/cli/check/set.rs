//! All objects of all files, to be judged together.

use std::collections::BTreeMap;

use crate::{
    adapters::manifests::{
        Content, Entry, FieldPath, Finding, Object, Secret, Violation, duplicate, service_key,
    },
    api::{Failover, GradePolicy, Region, SharedService},
    domain::ServiceKey,
    ports::ObjectRef,
};

/// An object and where it stands.
pub(super) type At<'a, T> = (&'a Entry, &'a T);

/// All objects of all files. Of two with the same name the first one counts.
#[derive(Debug, Default)]
pub(super) struct Set<'a> {
    /// Regions by name.
    pub regions: BTreeMap<&'a str, At<'a, Region>>,
    /// Services.
    pub services: BTreeMap<ServiceKey, At<'a, SharedService>>,
    /// Policies, in the order of the files.
    pub policies: Vec<At<'a, GradePolicy>>,
    /// Failovers, in the order of the files.
    pub failovers: Vec<At<'a, Failover>>,
    /// Secrets by namespace and name.
    pub secrets: BTreeMap<(&'a str, &'a str), &'a Secret>,
    /// Objects that are there, but refused: a reference to one of these is not missing.
    pub refused: Vec<&'a ObjectRef>,
}

impl<'a> Set<'a> {
    /// The set, and a finding for every object that stands twice.
    pub fn new(contents: &'a [Content]) -> (Self, Vec<Finding>) {
        let mut set = Self::default();
        let mut findings = Vec::new();
        let mut first: BTreeMap<ObjectRef, &Entry> = BTreeMap::new();
        for entry in contents.iter().flat_map(|content| &content.entries) {
            match first.get(&entry.object.reference()) {
                Some(before) => findings.push(duplicate(entry, before)),
                None => {
                    first.insert(entry.object.reference(), entry);
                    set.add(entry);
                }
            }
        }
        set.refused =
            contents.iter().flat_map(|content| &content.invalid).map(|(object, _)| object).collect();
        (set, findings)
    }

    /// Whether a service stands in the files, be it refused.
    pub fn has_service(&self, key: &ServiceKey) -> bool {
        let same = |object: &ObjectRef| {
            object.kind == "SharedService" && *object.namespace == *key.namespace && *object.name == *key.name
        };
        self.services.contains_key(key) || self.refused.iter().any(|object| same(object))
    }

    /// Whether a region stands in the files, be it refused.
    pub fn has_region(&self, name: &str) -> bool {
        let same = |object: &ObjectRef| object.kind == "Region" && object.name == name;
        self.regions.contains_key(name) || self.refused.iter().any(|object| same(object))
    }

    /// Whether any region stands in the files: without one, nothing can be said about references to regions.
    pub fn names_regions(&self) -> bool {
        !self.regions.is_empty() || self.refused.iter().any(|object| object.kind == "Region")
    }

    fn add(&mut self, entry: &'a Entry) {
        match &entry.object {
            Object::Region(region) => {
                self.regions.insert(region.metadata.name.as_deref().unwrap_or_default(), (entry, region));
            }
            Object::Service(service) => {
                self.services.insert(service_key(service), (entry, service));
            }
            Object::Policy(policy) => self.policies.push((entry, policy)),
            Object::Failover(failover) => self.failovers.push((entry, failover)),
            Object::Drill(_) | Object::DrillRun(_) | Object::Calendar(_) | Object::Approval(_) => {}
            Object::Secret(secret) => {
                self.secrets.insert((&secret.namespace, &secret.name), secret);
            }
        }
    }
}

/// A finding at a field of an object.
pub(super) fn at(entry: &Entry, path: &str, message: impl Into<String>) -> Finding {
    entry.finding(Violation::new(FieldPath::read(path), message))
}

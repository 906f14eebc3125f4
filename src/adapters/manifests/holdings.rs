//! What a directory of manifests amounts to, with what Bongsu wrote beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff};
use kube::{
    Resource,
    core::object::{HasSpec, HasStatus},
};

use crate::{
    api::{DrillRunStatus, FailoverStatus, GradePolicyStatus, RegionStatus, SharedServiceStatus},
    domain::{ServiceKey, Timestamp},
    ports::{InvalidObject, NewObject, ResourcesError, Snapshot, StatusUpdate},
};

use super::{
    files::Files,
    finding::Finding,
    object::{Object, service_key},
    secret::Secret,
};

/// Every status that was written, by name.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    /// Of Regions.
    pub regions: BTreeMap<String, RegionStatus>,
    /// Of SharedServices.
    pub services: BTreeMap<ServiceKey, SharedServiceStatus>,
    /// Of GradePolicies.
    pub policies: BTreeMap<String, GradePolicyStatus>,
    /// Of Failovers, by namespace and name.
    pub failovers: BTreeMap<(String, String), FailoverStatus>,
    /// Of DrillRuns, by namespace and name.
    pub drill_runs: BTreeMap<(String, String), DrillRunStatus>,
}

/// Objects, Secrets and findings of a directory.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    snapshot: Arc<Snapshot>,
    secrets: BTreeMap<(String, String), Secret>,
    findings: Vec<Finding>,
    /// Failovers and DrillRuns that no file holds.
    created: BTreeSet<(String, String)>,
    created_runs: BTreeSet<(String, String)>,
}

impl Holdings {
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.clone()
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub fn statuses(&self) -> Statuses {
        let Snapshot { regions, services, policies, failovers, drill_runs, .. } = &*self.snapshot;
        Statuses {
            regions: statuses(regions),
            services: statuses(services),
            policies: statuses(policies),
            failovers: statuses(failovers),
            drill_runs: statuses(drill_runs),
        }
    }

    /// Takes over what the files hold; statuses, and Failovers that Bongsu made, stay. Gives the findings that are new.
    pub fn replace(&mut self, files: &Files, now: Timestamp) -> Vec<Finding> {
        let old = self.snapshot.clone();
        let (entries, findings) = files.all();
        let mut new = Snapshot::default();
        self.secrets.clear();
        for entry in entries {
            self.add(entry.object.clone(), &mut new, &old, now);
        }
        for key in &self.created {
            if let Some(failover) = old.failovers.get(key) {
                new.failovers.entry(key.clone()).or_insert_with(|| failover.clone());
            }
        }
        for key in &self.created_runs {
            if let Some(run) = old.drill_runs.get(key) {
                new.drill_runs.entry(key.clone()).or_insert_with(|| run.clone());
            }
        }
        let invalid = files.invalid().cloned();
        new.invalid = invalid.map(|(object, message)| InvalidObject { object, message }).collect();
        self.snapshot = Arc::new(new);
        let before = std::mem::replace(&mut self.findings, findings);
        self.findings.iter().filter(|finding| !before.contains(finding)).cloned().collect()
    }

    fn add(&mut self, object: Object, new: &mut Snapshot, old: &Snapshot, now: Timestamp) {
        let reference = object.reference();
        let (namespace, name) = (reference.namespace, reference.name);
        match object {
            Object::Region(region) => {
                let region = carry(*region, old.regions.get(&name), now);
                new.regions.insert(name, region);
            }
            Object::Service(service) => {
                let key = service_key(&service);
                let service = carry(*service, old.services.get(&key), now);
                new.services.insert(key, service);
            }
            Object::Policy(policy) => {
                let policy = carry(*policy, old.policies.get(&name), now);
                new.policies.insert(name, policy);
            }
            Object::Failover(failover) => {
                let key = (namespace, name);
                let failover = carry(*failover, old.failovers.get(&key), now);
                new.failovers.insert(key, failover);
            }
            Object::Drill(drill) => {
                let key = (namespace, name);
                let drill = carry(*drill, old.drills.get(&key), now);
                new.drills.insert(key, drill);
            }
            Object::DrillRun(run) => {
                let key = (namespace, name);
                let run = carry(*run, old.drill_runs.get(&key), now);
                new.drill_runs.insert(key, run);
            }
            Object::Calendar(calendar) => {
                let calendar = carry(*calendar, old.calendars.get(&name), now);
                new.calendars.insert(name, calendar);
            }
            Object::Approval(approval) => {
                let key = (namespace, name);
                let approval = carry(*approval, old.approvals.get(&key), now);
                new.approvals.insert(key, approval);
            }
            Object::Secret(secret) => {
                self.secrets.insert((namespace, name), secret);
            }
        }
    }

    pub fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, ResourcesError> {
        let secret = self.secrets.get(&(namespace.to_owned(), name.to_owned()));
        let missing = |what: String| ResourcesError::NotFound { what };
        let secret = secret.ok_or_else(|| missing(format!("Secret {namespace}/{name}")))?;
        let value = secret.value(key).map(<[u8]>::to_vec);
        value.ok_or_else(|| missing(format!("key {key} of Secret {namespace}/{name}")))
    }

    /// Whether it differs from what was there.
    pub fn write_status(&mut self, update: StatusUpdate) -> Result<bool, ResourcesError> {
        let snapshot = Arc::make_mut(&mut self.snapshot);
        match update {
            StatusUpdate::Region(name, status) => {
                set(snapshot.regions.get_mut(&name), status, || format!("Region {name}"))
            }
            StatusUpdate::Service(key, status) => {
                set(snapshot.services.get_mut(&key), *status, || format!("SharedService {key}"))
            }
            StatusUpdate::Policy(name, status) => {
                set(snapshot.policies.get_mut(&name), status, || format!("GradePolicy {name}"))
            }
            StatusUpdate::Failover(namespace, name, status) => {
                let what = format!("Failover {namespace}/{name}");
                set(snapshot.failovers.get_mut(&(namespace, name)), *status, || what)
            }
            StatusUpdate::Drill(namespace, name, status) => {
                let what = format!("SwitchoverDrill {namespace}/{name}");
                set(snapshot.drills.get_mut(&(namespace, name)), *status, || what)
            }
            StatusUpdate::DrillRun(namespace, name, status) => {
                let what = format!("DrillRun {namespace}/{name}");
                set(snapshot.drill_runs.get_mut(&(namespace, name)), *status, || what)
            }
            StatusUpdate::Calendar(name, status) => {
                set(snapshot.calendars.get_mut(&name), status, || format!("Calendar {name}"))
            }
            StatusUpdate::Approval(namespace, name, status) => {
                let what = format!("Approval {namespace}/{name}");
                set(snapshot.approvals.get_mut(&(namespace, name)), status, || what)
            }
        }
    }

    /// Whether it is new.
    pub fn create(&mut self, object: NewObject, now: Timestamp) -> bool {
        let Snapshot { failovers, drill_runs, .. } = Arc::make_mut(&mut self.snapshot);
        match object {
            NewObject::Failover(failover) => insert(failovers, &mut self.created, *failover, now),
            NewObject::DrillRun(run) => insert(drill_runs, &mut self.created_runs, *run, now),
        }
    }
}

fn insert<K>(
    objects: &mut BTreeMap<(String, String), Arc<K>>,
    created: &mut BTreeSet<(String, String)>,
    object: K,
    now: Timestamp,
) -> bool
where
    K: Resource + HasSpec + HasStatus,
    K::Spec: PartialEq,
    K::Status: Clone,
{
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let key = (part(&object.meta().namespace), part(&object.meta().name));
    if objects.contains_key(&key) {
        return false;
    }
    objects.insert(key.clone(), carry(object, None, now));
    created.insert(key)
}

/// Gives an object what an API server would: a generation that grows when the spec changes, and the time when it was
/// first seen. The status stays.
fn carry<K>(mut new: K, old: Option<&Arc<K>>, now: Timestamp) -> Arc<K>
where
    K: Resource + HasSpec + HasStatus,
    K::Spec: PartialEq,
    K::Status: Clone,
{
    let generation = old.and_then(|old| old.meta().generation).unwrap_or(0);
    let same = old.is_some_and(|old| old.spec() == new.spec());
    let created = old.and_then(|old| old.meta().creation_timestamp.clone());
    let created = created.or_else(|| jiff::Timestamp::from_millisecond(now.0).ok().map(Time));
    let metadata = new.meta_mut();
    metadata.generation = Some(if same { generation } else { generation + 1 });
    metadata.creation_timestamp = created;
    *new.status_mut() = old.and_then(|old| old.status().cloned());
    Arc::new(new)
}

fn set<K>(
    object: Option<&mut Arc<K>>,
    status: K::Status,
    what: impl FnOnce() -> String,
) -> Result<bool, ResourcesError>
where
    K: HasStatus + Clone,
    K::Status: PartialEq,
{
    let object = object.ok_or_else(|| ResourcesError::NotFound { what: what() })?;
    if object.status() == Some(&status) {
        return Ok(false);
    }
    *Arc::make_mut(object).status_mut() = Some(status);
    Ok(true)
}

fn statuses<N: Clone + Ord, K: HasStatus>(objects: &BTreeMap<N, Arc<K>>) -> BTreeMap<N, K::Status>
where
    K::Status: Clone,
{
    objects.iter().filter_map(|(name, object)| Some((name.clone(), object.status()?.clone()))).collect()
}

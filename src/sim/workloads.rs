//! The pods of workloads that write: in each member's cluster, started and ended some time after they were asked for.

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    call::Errand,
    check::Invariant,
    moment::Moment,
    network::Site,
    process::Life,
    setup::Setup,
    world::{State, World},
};
use crate::{
    domain::{RegionName, ServiceKey, Workload},
    ports::{ResourcesError, WorkloadState, Workloads},
};

/// Milliseconds from the write until a pod is ready, or until the last one has ended.
const TAKES: Range<u64> = 500..8_000;

/// Time after which a call on an API server that does not answer is given up, as in the adapter.
const API_LIMIT: Duration = Duration::from_secs(3);

/// One workload in one cluster.
pub(super) struct Pods {
    service: ServiceKey,
    site: Site,
    region: RegionName,
    version: u64,
    wanted: u32,
    mark: Option<String>,
    /// When its pods are ready, or have ended.
    done: Moment,
}

impl Pods {
    /// One for each member of each service that has a workload, at zero.
    pub(super) fn of(setup: &Setup) -> Vec<Self> {
        let pods = |service: &ServiceKey, site| {
            setup.service(service)?.workload()?;
            let (service, region) = (service.clone(), setup.region(site)?.clone());
            Some(Self { service, site, region, version: 0, wanted: 0, mark: None, done: Moment::START })
        };
        setup.members.iter().filter_map(|place| pods(&place.service, place.site)).collect()
    }

    /// Whether a pod writes, as long as there is power.
    fn write(&self, now: Moment) -> bool {
        if self.wanted > 0 { self.done <= now } else { now < self.done }
    }

    fn state(&self, now: Moment) -> WorkloadState {
        let left = (self.wanted > 0 || now < self.done).then(|| "a pod has not ended".to_owned());
        let ready = if self.wanted > 0 && self.done <= now { self.wanted } else { 0 };
        let (version, mark) = (self.version.to_string(), self.mark.clone());
        WorkloadState { version, wanted: self.wanted, ready, mark, left }
    }
}

impl State {
    /// The regions in which somebody may write for a service now, behind a gate or as a workload.
    pub(super) fn writers(&self, service: &ServiceKey, now: Moment) -> Vec<RegionName> {
        let of_it = self.pods.iter().filter(|pods| pods.service == *service && pods.write(now));
        let lit = of_it.filter(|pods| self.clusters.at(pods.site).is_some_and(|cluster| !cluster.dark));
        let pods = lit.map(|pods| pods.region.clone());
        self.processes.writers(service, now).into_iter().chain(pods).collect()
    }

    /// Whether clients of a service can write in a site.
    pub(super) fn takes_writes(&self, service: &ServiceKey, site: Site, now: Moment) -> bool {
        let mut pods = self.pods.iter().filter(|pods| pods.service == *service && pods.site == site);
        match pods.next() {
            Some(pods) => pods.write(now),
            None => self.processes.takes_writes(service, site, now),
        }
    }

    fn pods_of(&mut self, service: &ServiceKey, site: Site) -> Option<&mut Pods> {
        self.pods.iter_mut().find(|pods| pods.service == *service && pods.site == site)
    }

    /// Writes a workload as it was read, and says when its pods are ready or have ended; the outer `None`: nobody answers, the
    /// inner: somebody has written it since.
    fn set_pods(
        &mut self,
        now: Moment,
        (service, site): (&ServiceKey, Site),
        version: &str,
        replicas: u32,
        mark: &str,
    ) -> Option<Option<Moment>> {
        self.clusters.at(site).filter(|cluster| cluster.answers())?;
        let time = Duration::from_millis(self.rng.u64(TAKES));
        let pods = self.pods_of(service, site)?;
        if pods.version.to_string() != version {
            return Some(None);
        }
        pods.version += 1;
        pods.mark = Some(mark.to_owned());
        if (pods.wanted > 0) != (replicas > 0) {
            pods.done = now.plus(time);
        }
        pods.wanted = replicas;
        let (region, done) = (pods.region.clone(), pods.done);
        self.story
            .tell(now, || format!("the workload of {service} in {region} is set to {replicas}: {mark}"));
        Some(Some(done))
    }

    /// Pods are ready: one region writes (I1).
    fn pods_are_ready(&mut self, now: Moment, service: &ServiceKey, site: Site) {
        let Some(pods) = self.pods_of(service, site) else { return };
        if pods.wanted == 0 || pods.done != now {
            return;
        }
        let region = pods.region.clone();
        self.story.tell(now, || format!("{region} writes for {service}"));
        let writers = self.writers(service, now);
        if writers.iter().any(|other| *other != region) {
            let all: Vec<&str> = writers.iter().map(RegionName::as_str).collect();
            let what = format!("{} write for {service} at the same time", all.join(" and "));
            self.checker.breaks(Invariant::OneWriter, now, what);
        }
    }
}

/// The workloads of one site as its Bongsu reaches them.
pub(super) struct SimWorkloads {
    pub world: Arc<World>,
    pub life: Life,
    pub site: Site,
    pub setup: Arc<Setup>,
}

impl SimWorkloads {
    fn key(&self, namespace: &str, workload: &Workload) -> Option<ServiceKey> {
        let services = self.setup.services.values().map(|parsed| &parsed.service);
        let mut own = services.filter(|service| &*service.key.namespace == namespace);
        own.find(|service| service.workload().is_some_and(|own| own.name == workload.name))
            .map(|service| service.key.clone())
    }

    fn errand(&self, effect: bool) -> Errand {
        let (life, from, to) = (self.life, self.site, self.site);
        Errand { life, from, to, bytes: 0, limit: API_LIMIT, late: Duration::ZERO, effect }
    }
}

fn unanswered(what: &str) -> ResourcesError {
    ResourcesError::Unavailable { what: what.to_owned(), cause: "no answer".to_owned() }
}

#[async_trait]
impl Workloads for SimWorkloads {
    async fn look(&self, namespace: &str, workload: &Workload) -> Result<WorkloadState, ResourcesError> {
        let (key, site) = (self.key(namespace, workload), self.site);
        let asked = self.world.ask(self.errand(false), move |world| {
            let state = &mut *world.state();
            state.clusters.at(site).filter(|cluster| cluster.answers())?;
            Some(state.pods_of(key.as_ref()?, site)?.state(world.now()))
        });
        asked.await.ok_or_else(|| unanswered("read a workload"))
    }

    async fn set(
        &self,
        namespace: &str,
        workload: &Workload,
        version: &str,
        replicas: u32,
        mark: &str,
    ) -> Result<(), ResourcesError> {
        let (key, site) = (self.key(namespace, workload), self.site);
        let (version, mark) = (version.to_owned(), mark.to_owned());
        let asked = self.world.ask(self.errand(true), move |world| {
            let (now, key) = (world.now(), key.clone()?);
            let set = world.state().set_pods(now, (&key, site), &version, replicas, &mark)?;
            if let Some(done) = set {
                world.at(done, move |world| world.state().pods_are_ready(world.now(), &key, site));
            }
            Some(set.is_some())
        });
        match asked.await {
            None => Err(unanswered("set a workload")),
            Some(true) => Ok(()),
            Some(false) => Err(ResourcesError::Unavailable {
                what: "set a workload".to_owned(),
                cause: "somebody has changed it".to_owned(),
            }),
        }
    }
}

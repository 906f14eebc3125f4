//! The API server of each site: the objects that the users wrote, and what the product sees of them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff};
use tokio::sync::watch;

use super::{
    clock::{Sleep, WALL_AT_START},
    moment::Moment,
    network::Site,
    process::Life,
    setup::Setup,
    world::World,
};
use crate::{
    api::{DrillRun, Failover, SharedService, SharedServiceStatus},
    domain::ServiceKey,
    ports::{Event, NewObject, Resources, ResourcesError, Snapshot, StatusUpdate},
};

/// Time after which a call on an API server that does not answer is given up, as in the adapter.
const API_LIMIT: Duration = Duration::from_secs(3);

/// One API server.
pub(super) struct Cluster {
    /// Answers nothing.
    pub down: bool,
    /// Its watches show nothing new.
    pub stale: bool,
    pub dark: bool,
    snapshot: Arc<Snapshot>,
    /// Counts what watches show: every change but a process's own writes, of which it knows.
    version: u64,
    views: Vec<Arc<View>>,
}

/// What one process sees of its cluster.
struct View {
    seen: Mutex<Seen>,
    changes: watch::Sender<u64>,
}

/// As the adapter's index: what the watches have shown, and the answers to the process's own writes.
#[derive(Default)]
struct Seen {
    snapshot: Option<Arc<Snapshot>>,
    version: u64,
    /// Put into the snapshot when somebody asks for it: a service is shown more often than it is looked at.
    written: Vec<Written>,
}

/// An object as it stands after its status was written.
enum Written {
    Service(ServiceKey, Arc<SharedService>),
    Failover((String, String), Arc<Failover>),
    DrillRun((String, String), Arc<DrillRun>),
}

/// All API servers, by site.
pub(super) struct Clusters {
    pub list: Vec<Cluster>,
    /// Every event, if anybody wants to know.
    pub events: Option<Vec<(Moment, Site, Event)>>,
}

impl Clusters {
    pub(super) fn new(setup: &Setup, keep_events: bool) -> Self {
        let cluster = |_: &crate::domain::RegionName| Cluster {
            down: false,
            stale: false,
            dark: false,
            snapshot: setup.snapshot.clone(),
            version: 0,
            views: Vec::new(),
        };
        Self { list: setup.regions.iter().map(cluster).collect(), events: keep_events.then(Vec::new) }
    }

    pub(super) fn at(&self, site: Site) -> Option<&Cluster> {
        self.list.get(usize::from(site.0))
    }

    pub(super) fn at_mut(&mut self, site: Site) -> Option<&mut Cluster> {
        self.list.get_mut(usize::from(site.0))
    }
}

impl Cluster {
    pub(super) const fn answers(&self) -> bool {
        !self.down && !self.dark
    }

    /// A service as it was written last; `None`: there is none.
    pub(super) fn service(&self, service: &ServiceKey) -> Option<Arc<SharedService>> {
        self.snapshot.services.get(service).cloned()
    }

    /// The status of a service as it was written last.
    pub(super) fn status(&self, service: &ServiceKey) -> Option<&SharedServiceStatus> {
        self.snapshot.services.get(service).and_then(|found| found.status.as_ref())
    }

    /// Every Approval.
    pub(super) fn approvals(&self) -> impl Iterator<Item = &crate::api::Approval> {
        self.snapshot.approvals.values().map(AsRef::as_ref)
    }

    /// Changes objects, as a person with `kubectl` would.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Snapshot)) {
        change(Arc::make_mut(&mut self.snapshot));
        self.version += 1;
        self.show();
    }

    /// Lets every process see what there is.
    pub(super) fn show(&mut self) {
        if self.stale || !self.answers() {
            return;
        }
        for view in &self.views {
            let mut seen = view.seen();
            if seen.snapshot.is_none() || seen.version != self.version {
                *seen = Seen::of(self);
                view.changes.send_modify(|count| *count += 1);
            }
        }
    }

    /// Takes a status that a process writes; the object with it, if that changed anything.
    fn write(&mut self, update: StatusUpdate) -> Option<Written> {
        match update {
            StatusUpdate::Service(key, status) => {
                let known = self.snapshot.services.get(&key)?;
                if known.status.as_ref() == Some(&*status) {
                    return None;
                }
                let service = Arc::make_mut(&mut self.snapshot).services.get_mut(&key)?;
                Arc::make_mut(service).status = Some(*status);
                Some(Written::Service(key, service.clone()))
            }
            StatusUpdate::Failover(namespace, name, status) => {
                let key = (namespace, name);
                let known = self.snapshot.failovers.get(&key)?;
                if known.status.as_ref() == Some(&*status) {
                    return None;
                }
                let failover = Arc::make_mut(&mut self.snapshot).failovers.get_mut(&key)?;
                Arc::make_mut(failover).status = Some(*status);
                Some(Written::Failover(key, failover.clone()))
            }
            StatusUpdate::DrillRun(namespace, name, status) => {
                let key = (namespace, name);
                let known = self.snapshot.drill_runs.get(&key)?;
                if known.status.as_ref() == Some(&*status) {
                    return None;
                }
                let run = Arc::make_mut(&mut self.snapshot).drill_runs.get_mut(&key)?;
                Arc::make_mut(run).status = Some(*status);
                Some(Written::DrillRun(key, run.clone()))
            }
            // Nothing that Bongsu does depends on them.
            StatusUpdate::Region(..)
            | StatusUpdate::Policy(..)
            | StatusUpdate::Drill(..)
            | StatusUpdate::Calendar(..)
            | StatusUpdate::Approval(..) => None,
        }
    }
}

impl View {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn of(cluster: &Cluster) -> Self {
        Self { snapshot: Some(cluster.snapshot.clone()), version: cluster.version, written: Vec::new() }
    }

    fn snapshot(&mut self) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot.as_mut()?;
        if !self.written.is_empty() {
            let Snapshot { services, failovers, drill_runs, .. } = Arc::make_mut(snapshot);
            for written in self.written.drain(..) {
                match written {
                    Written::Service(key, service) => {
                        services.entry(key).and_modify(|known| *known = service);
                    }
                    Written::Failover(key, failover) => {
                        failovers.entry(key).and_modify(|known| *known = failover);
                    }
                    Written::DrillRun(key, run) => {
                        drill_runs.entry(key).and_modify(|known| *known = run);
                    }
                }
            }
        }
        Some(snapshot.clone())
    }
}

/// The resources as one process sees them.
pub(super) struct SimResources {
    world: Arc<World>,
    life: Life,
    site: Site,
    view: Arc<View>,
}

impl SimResources {
    pub(super) fn open(world: Arc<World>, life: Life, site: Site) -> Self {
        let view = Arc::new(View { seen: Mutex::default(), changes: watch::channel(0).0 });
        if let Some(cluster) = world.state().clusters.at_mut(site) {
            if cluster.answers() {
                *view.seen() = Seen::of(cluster);
            }
            // One process runs in a site at a time: the view of the one before is gone with it.
            cluster.views = vec![view.clone()];
        }
        Self { world, life, site, view }
    }

    async fn reach(&self, what: &str) -> Result<(), ResourcesError> {
        let answers = self.world.state().clusters.at(self.site).is_some_and(Cluster::answers);
        if answers {
            return Ok(());
        }
        let until = self.world.now().plus(API_LIMIT);
        Sleep { world: &self.world, life: self.life, until, registered: false }.await;
        Err(ResourcesError::Unavailable { what: what.to_owned(), cause: "no answer".to_owned() })
    }
}

#[async_trait]
impl Resources for SimResources {
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.view.seen().snapshot()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.view.changes.subscribe()
    }

    async fn installation(&self) -> Result<Option<Arc<str>>, ResourcesError> {
        self.reach("read the name of the installation").await?;
        Ok(Some(Arc::from(format!("site-{}", self.site.0))))
    }

    async fn secret(&self, _: &str, _: &str, _: &str) -> Result<Vec<u8>, ResourcesError> {
        self.reach("read a Secret").await?;
        // Simulated name servers ask for no signature; this is base64 as in a real Secret.
        Ok(b"c2ltdWxhdGVk".to_vec())
    }

    async fn write_status(&self, update: StatusUpdate) -> Result<(), ResourcesError> {
        self.reach("write a status").await?;
        let written = self.world.state().clusters.at_mut(self.site).and_then(|cluster| cluster.write(update));
        // Wakes nobody: whoever wrote knows.
        self.view.seen().written.extend(written);
        Ok(())
    }

    async fn create(&self, object: NewObject) -> Result<(), ResourcesError> {
        self.reach("create an object").await?;
        let now = self.world.now();
        if let Some(cluster) = self.world.state().clusters.at_mut(self.site) {
            match object {
                NewObject::Failover(failover) => cluster.create(*failover, now),
                NewObject::DrillRun(run) => cluster.create_drill_run(*run, now),
            }
        }
        Ok(())
    }

    async fn emit(&self, event: Event) {
        let now = self.world.now();
        let state = &mut *self.world.state();
        let name = state.processes.get(self.life.process).map_or("", |process| process.name.as_str());
        state.story.tell(now, || {
            let object = format!("{} {}/{}", event.object.kind, event.object.namespace, event.object.name);
            format!("event in {name}: {object}: {}: {}", event.reason, event.note)
        });
        if let Some(events) = &mut state.clusters.events {
            events.push((now, self.site, event));
        }
    }
}

impl Cluster {
    /// Stores a Failover that is new.
    pub(super) fn create(&mut self, mut failover: Failover, now: Moment) {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let key = (part(&failover.metadata.namespace), part(&failover.metadata.name));
        if self.snapshot.failovers.contains_key(&key) {
            return;
        }
        failover.metadata.generation = Some(1);
        failover.metadata.creation_timestamp = created_at(now);
        self.change(|snapshot| {
            snapshot.failovers.insert(key, Arc::new(failover));
        });
    }

    /// Stores a DrillRun that is new.
    pub(super) fn create_drill_run(&mut self, mut run: DrillRun, now: Moment) {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let key = (part(&run.metadata.namespace), part(&run.metadata.name));
        if self.snapshot.drill_runs.contains_key(&key) {
            return;
        }
        run.metadata.generation = Some(1);
        run.metadata.creation_timestamp = created_at(now);
        self.change(|snapshot| {
            snapshot.drill_runs.insert(key, Arc::new(run));
        });
    }
}

fn created_at(now: Moment) -> Option<Time> {
    let millis = WALL_AT_START + i64::try_from(now.0 / 1_000).unwrap_or(0);
    jiff::Timestamp::from_millisecond(millis).ok().map(Time)
}

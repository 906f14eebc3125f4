//! What this place sees of every member: runs all checks on a fixed schedule and keeps what their samples say.
//!
//! The vantage watches itself. A sample that it took late, or that found too much in flight, is no sample: a missing
//! sample can only make a verdict Unknown, while a wrong one could move a service that is well. Absent: the ledger and
//! the quorum; a vantage knows no other vantage.

mod changes;
mod load;
mod member;
mod stall;
mod task;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    domain::{HealthPolicy, RegionName, SampleLimits, ServiceKey, Stretch, Symptom, Timestamp, Verdict},
    ports::{CheckSpec, Clock, Endpoint, ProbeError, Prober, Reading},
};
use changes::ChangeSet;
use load::Load;
use member::{Member, REASON_BYTES_MAX};
use stall::StallWatch;
use task::Task;

pub use changes::Changes;

/// Samples in flight at once. 2,000: of 5,000 checks, the third that probes a lost region hangs until its timeout, for
/// nearly the whole interval, which makes 1,667. More than that means that most regions are gone at once, which is to
/// be blamed on this vantage, not on them. Each holds one socket and up to 128 KiB.
const IN_FLIGHT_MAX: usize = 2_000;

/// One service to watch. Equal values are the same watch: it goes on with what it has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// The service.
    pub service: ServiceKey,
    /// Its grade, 1 (most important) to 4: the more important, the later are samples of it left out.
    pub grade: u8,
    /// How its samples become verdicts.
    pub health: HealthPolicy,
    /// Where its members are.
    pub members: BTreeMap<RegionName, Endpoint>,
    /// What is asked of each member.
    pub checks: Vec<CheckSpec>,
}

/// What this vantage says of one member.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberVerdict {
    /// The verdict: as good as the worst check.
    pub verdict: Verdict,
    /// Start of the first bad sample of the last failure, also when that is over.
    pub onset: Option<Timestamp>,
    /// When this vantage began to say so.
    pub since: Timestamp,
    /// Which checks make it so, and the last that they saw. Empty if it is `Healthy`.
    pub reason: String,
    /// What the last bad sample of the first of those checks shows of where it breaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symptom: Option<Symptom>,
    /// What its last samples are beyond, while a drill has limits for them; what was first seen beyond them, so that it
    /// changes when they are crossed and not with each sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<String>,
}

impl MemberVerdict {
    /// The same, with a failure not yet said.
    fn held_back(mut self) -> Self {
        if self.verdict == Verdict::Failed {
            self.verdict = Verdict::Unknown;
            let reason = format!("waits until its other members are judged: {}", self.reason);
            if reason.len() <= REASON_BYTES_MAX {
                self.reason = reason;
            }
        }
        self
    }
}

/// Why a due sample is none. Each is this vantage's own fault.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Skipped {
    /// It would have started late, or this process stood still while it was taken.
    Late,
    /// Too many samples were in flight.
    Busy,
    /// The probe panicked or did not end after its timeout.
    Broken,
    /// Left out, because not all samples can be taken: see [`Stretch`].
    Stretched,
}

impl Skipped {
    /// Every reason, for metrics.
    pub const ALL: [Self; 4] = [Self::Late, Self::Busy, Self::Broken, Self::Stretched];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Busy => "busy",
            Self::Broken => "broken",
            Self::Stretched => "stretched",
        }
    }
}

/// Is told what the vantage does; for metrics. Called from the checks' own tasks, so it must be quick and must not
/// panic.
pub trait VantageObserver: Send + Sync {
    /// A sample counted.
    fn sample(&self, service: &ServiceKey, region: &RegionName, check: &str, reading: &Reading);

    /// A sample began so long after it was due.
    fn lag(&self, _lag: Duration) {}

    /// A sample that was due is none.
    fn skipped(&self, reason: Skipped);

    /// So many samples are left out from now on; told once at the start, too.
    fn stretched(&self, _stretch: Stretch) {}

    /// What is said of a member changed.
    fn verdict(&self, service: &ServiceKey, region: &RegionName, verdict: Verdict);
}

/// One immediate run of a check: its name, and what it saw or why it cannot be run.
pub type CheckReading = (Arc<str>, Result<Reading, ProbeError>);

/// The vantage. Dropping it stops every check.
pub struct Vantage {
    shared: Arc<Shared>,
    prober: Arc<dyn Prober>,
    services: Mutex<BTreeMap<ServiceKey, Service>>,
    // Only held: ends with the vantage.
    _own: JoinSet<()>,
}

/// What every check needs.
struct Shared {
    clock: Arc<dyn Clock>,
    observer: Arc<dyn VantageObserver>,
    in_flight: Semaphore,
    changes: Arc<ChangeSet>,
    stalls: StallWatch,
    load: Load,
}

/// One watched service. Its tasks hold its members but not itself, so dropping it ends them.
struct Service {
    watched: Watched,
    members: BTreeMap<RegionName, Arc<Member>>,
    _tasks: JoinSet<()>,
}

impl Vantage {
    /// A vantage that watches nothing yet. Must be called within a tokio runtime, as `watch` must.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, prober: Arc<dyn Prober>, observer: Arc<dyn VantageObserver>) -> Self {
        let stalls = StallWatch::new(clock.tick());
        let in_flight = Semaphore::new(IN_FLIGHT_MAX);
        observer.stretched(Stretch::default());
        let shared = Arc::new(Shared {
            clock,
            observer,
            in_flight,
            changes: Arc::default(),
            stalls,
            load: Load::default(),
        });
        let mut own = JoinSet::new();
        let watcher = Arc::clone(&shared);
        own.spawn(async move { watcher.stalls.run(&*watcher.clock, || watcher.beat()).await });
        Self { shared, prober, services: Mutex::default(), _own: own }
    }

    /// How far samples are left out, because this vantage cannot keep up.
    #[must_use]
    pub fn stretch(&self) -> Stretch {
        self.shared.load.stretch()
    }

    /// Lets `changes` bring a service once more, for example because what was said of it did not arrive.
    pub fn tell(&self, service: ServiceKey) {
        self.shared.changes.add(service);
    }

    /// Lets `changes` bring every service once more.
    pub fn tell_all(&self) {
        let services: Vec<ServiceKey> = self.services().keys().cloned().collect();
        services.into_iter().for_each(|service| self.tell(service));
    }

    /// Replaces what is watched. A service that is equal to one before goes on with what it has seen; every other one
    /// starts with nothing seen, and those that are missing stop at once.
    pub fn watch(&self, all: Vec<Watched>) {
        let keys: BTreeSet<ServiceKey> = all.iter().map(|watched| watched.service.clone()).collect();
        let is_new = |watched: &Watched| {
            self.services().get(&watched.service).is_none_or(|service| service.watched != *watched)
        };
        // Started before the lock is taken: compiling thousands of checks takes a while, and nobody may see a half set.
        let started: Vec<Service> =
            all.into_iter().filter(is_new).map(|watched| self.start(watched)).collect();
        let mut services = self.services();
        for service in started {
            let key = service.watched.service.clone();
            self.shared.changes.add(key.clone());
            services.insert(key, service);
        }
        services.retain(|key, _| {
            let stays = keys.contains(key);
            if !stays {
                self.shared.changes.add(key.clone());
            }
            stays
        });
    }

    /// What is said of each member now; empty if the service is not watched.
    ///
    /// A failure is said when the other members of the service were judged too. Of a place that begins anew and sees
    /// everything fail, the first word would be of one region alone, as if only that one had failed: for up to an interval,
    /// until it speaks of the next one, nobody could know that the fault is its own.
    pub fn verdicts(&self, service: &ServiceKey) -> BTreeMap<RegionName, MemberVerdict> {
        let services = self.services();
        let members = || services.get(service).into_iter().flat_map(|service| &service.members);
        let waits = members().any(|(_, member)| member.is_awaited());
        let said = members().map(|(region, member)| (region.clone(), member.verdict()));
        said.map(|(region, said)| (region, if waits { said.held_back() } else { said })).collect()
    }

    /// Judges the samples of these services by these limits, and those of no others by any.
    pub fn limit(&self, limits: &BTreeMap<ServiceKey, SampleLimits>) {
        let services = self.services();
        for (key, service) in services.iter() {
            let limits = limits.get(key).copied();
            let changed = service.members.values().filter(|member| member.limit(limits)).count();
            if changed > 0 {
                self.shared.changes.add(key.clone());
            }
        }
    }

    /// Forgets every failure that was seen outside the own region: this place saw several regions fail at once, or was
    /// cut off from the ledger, so the fault was its own, and what is left of it must not count when that is over.
    pub fn forget_failures(&self, own: &RegionName) {
        let services = self.services();
        for (key, service) in services.iter() {
            let others = service.members.iter().filter(|(region, _)| *region != own);
            for verdict in others.filter_map(|(_, member)| member.forget_failure(self.shared.clock.wall())) {
                tracing::info!(service = %key, ?verdict, "forgot a failure that was perhaps this place's own");
                self.shared.changes.add(key.clone());
            }
        }
    }

    /// Checks that cannot be run at all, each with the reason once. Such a check is unknown for ever.
    pub fn broken(&self, service: &ServiceKey) -> Vec<String> {
        let services = self.services();
        let members = services.get(service).into_iter().flat_map(|service| service.members.values());
        let errors = members.flat_map(|member| &member.checks).filter_map(|check| check.probe.as_ref().err());
        let texts: BTreeSet<String> = errors.map(ToString::to_string).collect();
        texts.into_iter().collect()
    }

    /// Which services to ask about again. Each change goes to one receiver; take one.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes(Arc::clone(&self.shared.changes))
    }

    /// Runs every check of a member once, now, beside the schedule, for a verification after a move. The readings do
    /// not count for the verdict. Signs are left out: they do not ask the member. Empty if it is not watched, which verifies nothing.
    pub async fn sample_now(&self, service: &ServiceKey, region: &RegionName) -> Vec<CheckReading> {
        let member = self.services().get(service).and_then(|service| service.members.get(region)).cloned();
        let checks = member.iter().flat_map(|member| &member.checks).filter(|check| !check.is_sign);
        let runs = checks.map(|check| async {
            let reading = match &check.probe {
                Ok(probe) => Ok(probe.run().await),
                Err(error) => Err(error.clone()),
            };
            (Arc::clone(&check.name), reading)
        });
        join_all(runs).await
    }

    fn start(&self, watched: Watched) -> Service {
        let mut tasks = JoinSet::new();
        let members = watched.members.iter().map(|(region, endpoint)| {
            let member =
                Arc::new(Member::new(&watched, region, endpoint, &*self.prober, &*self.shared.clock));
            for index in 0..member.checks.len() {
                let task = Task::new(&self.shared, &member, index, &watched);
                tasks.spawn(task.run());
            }
            (region.clone(), member)
        });
        Service { members: members.collect(), watched, _tasks: tasks }
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<ServiceKey, Service>> {
        // The map is changed by whole assignments only, so it is good even if a holder of the lock panicked.
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn beat(&self) {
        if let Some(stretch) = self.load.beat() {
            tracing::warn!(%stretch, "how many samples this place can take has changed");
            self.observer.stretched(stretch);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;

//! What this place's checks see of services while they are drilled, for the charts of the report.
//!
//! Every process keeps them, because any may be the leader at the end. They are bounded and in no ledger: what a process did
//! not see, its chart does not show.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    domain::{Outcome, RegionName, RunId, ServiceKey, Timestamp, Verdict},
    observability::Metrics,
    ports::{Clock, Reading},
    reconcile::{
        agent::Agent,
        vantage::{Skipped, VantageObserver},
    },
    report::{Bucket, Sample, Tally},
};

/// Tells metrics of every sample, and remembers those of whoever serves in a drill.
pub struct Samples {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    followed: Mutex<BTreeMap<ServiceKey, Followed>>,
}

/// A service that is drilled.
struct Followed {
    run: RunId,
    /// What citizens are served by: only its samples say what they felt.
    serving: BTreeSet<RegionName>,
    tally: Tally,
}

impl Samples {
    /// Nothing is drilled yet.
    pub fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { clock, metrics, followed: Mutex::default() }
    }

    fn followed(&self) -> MutexGuard<'_, BTreeMap<ServiceKey, Followed>> {
        // Every holder leaves it whole, so it is good even if one panicked.
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows these services and no others: by service the run, when that began, and who serves.
    fn follow(&self, now: BTreeMap<ServiceKey, (RunId, Timestamp, BTreeSet<RegionName>)>) {
        let mut followed = self.followed();
        followed.retain(|service, known| now.get(service).is_some_and(|(run, ..)| *run == known.run));
        for (service, (run, began, serving)) in now {
            let new = || Followed { run, serving: BTreeSet::new(), tally: Tally::new(began.0) };
            followed.entry(service).or_insert_with(new).serving = serving;
        }
    }

    /// What was seen of a service in a run, until a moment.
    fn of(&self, run: &RunId, service: &ServiceKey, until: Timestamp) -> Vec<Bucket> {
        let followed = self.followed();
        let known = followed.get(service).filter(|followed| followed.run == *run);
        known.map(|followed| followed.tally.buckets(until.0)).unwrap_or_default()
    }
}

impl VantageObserver for Samples {
    fn sample(&self, service: &ServiceKey, region: &RegionName, check: &str, reading: &Reading) {
        self.metrics.sample(service, region, check, reading);
        let Reading { outcome, latency, .. } = *reading;
        if let Some(followed) = self.followed().get_mut(service)
            && followed.serving.contains(region)
        {
            let took = i64::try_from(latency.as_millis()).unwrap_or(i64::MAX);
            let good = outcome == Outcome::Ok;
            followed.tally.add(Sample { at: self.clock.wall().0, good, took });
        }
    }

    fn lag(&self, lag: Duration) {
        VantageObserver::lag(self.metrics.as_ref(), lag);
    }

    fn skipped(&self, reason: Skipped) {
        self.metrics.skipped(reason);
    }

    fn verdict(&self, service: &ServiceKey, region: &RegionName, verdict: Verdict) {
        VantageObserver::verdict(self.metrics.as_ref(), service, region, verdict);
    }
}

impl Agent {
    /// Follows the services of every run that goes on.
    pub(super) fn follow_samples(&self) {
        let runs = self.mirror.drills();
        let going_on = runs.iter().filter(|(_, run)| run.phase.is_going_on());
        let services = going_on.flat_map(|(_, run)| {
            run.services.iter().filter_map(|drilled| {
                let (_, record) = self.mirror.record(&drilled.service)?;
                let seen = (run.id.clone(), run.started_at?, record.serving.clone());
                Some((drilled.service.clone(), seen))
            })
        });
        self.samples.follow(services.collect());
    }

    /// What was seen of the services of a run that is over.
    pub(super) fn samples_of(&self, run: &crate::domain::DrillRun) -> BTreeMap<ServiceKey, Vec<Bucket>> {
        let until = run.ended_at.unwrap_or_else(|| self.ports.clock.wall());
        let keys = run.services.iter().map(|drilled| &drilled.service);
        keys.map(|key| (key.clone(), self.samples.of(&run.id, key, until))).collect()
    }
}

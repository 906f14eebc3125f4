//! Makes the runs that the schedules ask for, ahead of their time, so that people are told and can approve.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use k8s_openapi::jiff;
use tracing::{info, warn};

use crate::{
    api::{self, SwitchoverDrill},
    domain::{DrillPhase, DrillRun, RunId, Timestamp},
    ports::{Expect, LedgerError},
    reconcile::{
        agent::Agent,
        book::{DrawEntry, Entry},
        catalog::Catalog,
    },
    timetable::Timetable,
};

/// A moment as the timetable counts it.
pub(super) fn moment(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default()
}

impl Agent {
    /// Makes every run whose time of notice has come.
    pub(super) async fn schedule_drills(&self, catalog: &Catalog) {
        for ((namespace, name), drill) in &catalog.snapshot.drills {
            let parsed = catalog.timetables.get(&(namespace.clone(), name.clone()));
            let Some(Ok(timetable)) = parsed.map(AsRef::as_ref) else { continue };
            if drill.spec.suspend {
                continue;
            }
            match self.next_start(namespace, name, drill, timetable).await {
                Ok(Some((slot, starts_at))) => {
                    self.make_scheduled(namespace, drill, slot, starts_at, catalog).await
                }
                Ok(None) => {}
                Err(error) => {
                    warn!(drill = name, %error, "the time of a run could not be drawn, trying again")
                }
            }
        }
    }

    /// The slot of the next run, and when it starts, if it is to be made now.
    async fn next_start(
        &self,
        namespace: &str,
        name: &str,
        drill: &SwitchoverDrill,
        timetable: &Timetable,
    ) -> Result<Option<(Timestamp, Timestamp)>, LedgerError> {
        let Some(schedule) = &drill.spec.schedule else { return Ok(None) };
        let now = moment(self.ports.clock.wall());
        let created = drill.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let last = self.last_slot(namespace, name).map(moment).or(created);
        let due = timetable.due(last, now, schedule.starting_deadline.0).run;
        let Some(slot) = due.or_else(|| timetable.next_free(last.map_or(now, |last| last.max(now)))) else {
            return Ok(None);
        };
        let at = Timestamp(slot.at.as_millisecond());
        let starts_at = match timetable.spread().is_zero() {
            true => Some(at),
            false => self.drawn(namespace, name, at, timetable).await?,
        };
        let notice = match schedule.unannounced_within {
            Some(_) => std::time::Duration::ZERO,
            None => drill.spec.notice.0,
        };
        let told = |start: &Timestamp| self.ports.clock.wall().0 >= start.0 - millis(notice);
        Ok(starts_at.filter(told).map(|start| (at, start)))
    }

    /// The latest slot for which a run was made.
    fn last_slot(&self, namespace: &str, drill: &str) -> Option<Timestamp> {
        self.mirror.drills_of(namespace, drill).iter().filter_map(|(_, run)| run.slot).max()
    }

    /// The start that was drawn for a slot; drawn now if it was not. It stands in the ledger only.
    async fn drawn(
        &self,
        namespace: &str,
        drill: &str,
        slot: Timestamp,
        timetable: &Timetable,
    ) -> Result<Option<Timestamp>, LedgerError> {
        let entry = Entry::Draw(Arc::from(namespace), Arc::from(drill));
        let known = self.mirror.draw(namespace, drill);
        if let Some((_, draw)) = known.as_ref().filter(|(_, draw)| draw.slot == slot) {
            return Ok(Some(draw.starts_at));
        }
        // Nobody outside can know it: the identity holds a part that each start of a process chooses anew.
        let mut hasher = DefaultHasher::new();
        (self.settings.identity.as_str(), namespace, drill, slot.0).hash(&mut hasher);
        let Some(at) = timetable.drawn(moment(slot), timetable.spread(), hasher.finish()) else {
            return Ok(None);
        };
        let draw = DrawEntry { slot, starts_at: Timestamp(at.as_millisecond()) };
        let expect = known.map_or(Expect::Absent, |(version, _)| Expect::Version(version));
        let version = self.put_as_leader(&entry, &draw, expect).await?;
        self.mirror.wrote(&entry, version, &draw);
        info!(drill, "the start of the next run was drawn");
        Ok(Some(draw.starts_at))
    }

    async fn make_scheduled(
        &self,
        namespace: &str,
        drill: &SwitchoverDrill,
        slot: Timestamp,
        starts_at: Timestamp,
        catalog: &Catalog,
    ) {
        let name = drill.metadata.name.clone().unwrap_or_default();
        let id = RunId::new(format!("{name}-{}", moment(slot).strftime("%Y%m%d%H%M")));
        if self.mirror.drill(namespace, &id).is_some() {
            return;
        }
        let spec = api::DrillRunSpec {
            drill_name: name,
            starts_at: None,
            reason: "by schedule".to_owned(),
            requested_by: None,
            abort: false,
        };
        let mut run = self.new_drill_run(namespace, id, drill, &spec, starts_at, catalog);
        run.slot = Some(slot);
        match self.write_drill(&run, Expect::Absent).await {
            Ok(()) => {
                info!(drill_run = %run.id, starts_at = %moment(starts_at), "a run of a drill is announced")
            }
            Err(error) => warn!(drill_run = %run.id, %error, "a run could not be announced, trying again"),
        }
    }

    /// Forgets the oldest runs that are over. One that passed last for a service stays: it says how fresh that service is.
    pub(super) async fn prune_drills(&self, catalog: &Catalog) {
        for ((namespace, name), drill) in &catalog.snapshot.drills {
            let kept = usize::try_from(drill.spec.history_limit).unwrap_or(1);
            let runs = self.mirror.drills_of(namespace, name).into_iter().map(|(_, run)| run);
            let mut over: Vec<Arc<DrillRun>> = runs.filter(|run| run.phase == DrillPhase::Over).collect();
            over.sort_by_key(|run| std::cmp::Reverse(run.ended_at));
            let forgotten = over.split_off(kept.min(over.len()));
            let goes = |run: &&Arc<DrillRun>| !self.mirror.with_passed(|passed| passed.rest_on(run));
            for run in forgotten.iter().filter(goes) {
                let entry = Entry::Drill(run.namespace.clone(), run.id.clone());
                let Some((version, _)) = self.mirror.drill(namespace, &run.id) else { continue };
                // First: without its run nobody would look for it again.
                if let Err(error) = self.forget_report(run).await {
                    warn!(drill_run = %run.id, %error, "an old report was not forgotten, trying again");
                    continue;
                }
                if let Err(error) = self.ports.ledger.delete(&entry.key(), version).await {
                    warn!(drill_run = %run.id, %error, "an old run of a drill was not forgotten, trying again");
                }
            }
        }
    }
}

fn millis(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

//! Drives the runs of drills: brings what people wrote into the ledger, lets the core decide what comes next, and carries
//! out its orders as requests. Moves nothing itself: that is what the passes do.

mod bring;
mod file;
mod fresh;
mod make;
mod measure;
mod policy;
mod rehearse;
mod report;
mod samples;
mod schedule;
mod show;
mod sight;
mod standing;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tracing::{info, warn};

pub use file::Sealing;
pub use samples::Samples;

use super::{
    agent::Agent,
    book::{Entry, RequestEntry},
    catalog::Catalog,
};
use crate::{
    domain::{DrillPhase, DrillRun, Order, RunId, ServiceKey, Trigger},
    ports::{Expect, LedgerError, Version},
};

/// Time between two looks at the drills. A tripped limit must lead to a return within 30 s: of these, one second is for
/// noticing.
const DRILL_LOOK: Duration = Duration::from_secs(1);

impl Agent {
    /// Looks after all drills until the process ends.
    pub(super) async fn look_after_drills(self: Arc<Self>) {
        loop {
            let snapshot = self.catalog().snapshot.clone();
            let some = !snapshot.drills.is_empty() || !snapshot.drill_runs.is_empty();
            let wait = if some { DRILL_LOOK } else { self.tenures.renewal_interval() };
            self.ports.clock.sleep(wait).await;
            if !self.mirror.is_ready() || self.source().is_none() {
                continue;
            }
            self.look_at_drills(&self.catalog()).await;
        }
    }

    /// One look at all drills.
    pub(super) async fn look_at_drills(&self, catalog: &Catalog) {
        if self.speaks() {
            self.limit_samples();
            self.bring_drills(catalog).await;
            if self.can_show() {
                self.show_drills(catalog).await;
            }
        }
        if self.is_leader() {
            self.schedule_drills(catalog).await;
            self.prune_drills(catalog).await;
        }
        for (version, run) in self.mirror.drills() {
            if run.phase != DrillPhase::Over
                && self.is_leader()
                && let Err(error) = self.advance_drill(version, (*run).clone(), catalog).await
            {
                warn!(drill_run = %run.id, %error, "the drill could not be written to the ledger, trying again");
            }
        }
        self.follow_samples();
    }

    /// The run is written before its orders are given: whoever leads next gives them again.
    async fn advance_drill(
        &self,
        version: Version,
        run: DrillRun,
        catalog: &Catalog,
    ) -> Result<(), LedgerError> {
        let mut next = run.clone();
        if next.phase == DrillPhase::Announced {
            next.services = self.drilled_services(&next, catalog);
        }
        let seen = self.drill_sight(&next, catalog);
        next.advance(&seen);
        if next != run {
            next.owner = self.settings.identity.clone();
            if next.phase == DrillPhase::Over {
                self.report_on(&mut next, catalog).await?;
            }
            if next.phase != run.phase {
                info!(drill_run = %next.id, phase = next.phase.as_str(), message = next.message, "drill");
            }
            self.write_drill(&next, Expect::Version(version)).await?;
            if let Some((verdict, _)) = next.verdict {
                self.ports.metrics.count_drill_run(&next.namespace, &next.drill, verdict);
                self.look_again_at(&next);
            }
        }
        for order in next.orders(&seen) {
            self.give(&next, order).await?;
        }
        Ok(())
    }

    /// How fresh its services are has changed.
    fn look_again_at(&self, run: &DrillRun) {
        let now = self.ports.clock.tick();
        run.services.iter().for_each(|drilled| self.queue.push(drilled.service.clone(), now));
    }

    async fn write_drill(&self, run: &DrillRun, expect: Expect) -> Result<(), LedgerError> {
        let entry = Entry::Drill(run.namespace.clone(), run.id.clone());
        let version = self.put_as_leader(&entry, run, expect).await?;
        self.mirror.wrote(&entry, version, run);
        Ok(())
    }

    async fn give(&self, run: &DrillRun, order: Order) -> Result<(), LedgerError> {
        match order {
            Order::Move { service, run: id, from, to, back } => {
                if self.mirror.request(&service.namespace, &id).is_some() {
                    return Ok(());
                }
                let request = RequestEntry {
                    from,
                    to,
                    reason: format!("DrillRun {}: {}", run.id, run.reason),
                    dry_run: !run.live,
                    writer_stopped: false,
                    trigger: if back { Trigger::Return } else { Trigger::Drill },
                    turn_back: None,
                    created_at: self.ports.clock.wall(),
                    words: BTreeMap::new(),
                    service,
                };
                self.write_request(&id, &request, Expect::Absent).await
            }
            Order::TurnBack { service, run: id } => self.ask_to_turn_back(run, &service, &id).await,
        }
    }

    async fn ask_to_turn_back(
        &self,
        run: &DrillRun,
        service: &ServiceKey,
        id: &RunId,
    ) -> Result<(), LedgerError> {
        let Some((version, request)) = self.mirror.request(&service.namespace, id) else { return Ok(()) };
        if request.turn_back.is_some() {
            return Ok(());
        }
        let why = run.stop.as_ref().map_or_else(|| run.message.clone(), |stop| stop.message.clone());
        let turned = RequestEntry { turn_back: Some(why), ..(*request).clone() };
        self.write_request(id, &turned, Expect::Version(version)).await
    }

    async fn write_request(
        &self,
        id: &RunId,
        request: &RequestEntry,
        expect: Expect,
    ) -> Result<(), LedgerError> {
        let entry = Entry::Request(request.service.namespace.clone(), id.clone());
        match self.put_as_leader(&entry, request, expect).await {
            Ok(version) => self.mirror.wrote(&entry, version, request),
            // Somebody gave the same order; the watch brings it.
            Err(LedgerError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        self.queue.push(request.service.clone(), self.ports.clock.tick());
        Ok(())
    }
}

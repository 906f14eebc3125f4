//! Whether what a drill is about to use works: the name servers of its services can be written, and every member of the
//! ledger takes part. A drill that moves traffic away and then cannot move it back is worse than none, so who cannot show it
//! does not start.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;

use super::{
    measure::{AHEAD, STALE},
    sight::check,
};
use crate::{
    domain::{DrillPhase, DrillRun, PreCheck, RuleOutcome, ServiceKey, Tick, Timestamp},
    ports::LedgerError,
    reconcile::{agent::Agent, catalog::Catalog, parse::Parsed},
};

/// Time between two looks at what is to be tried: a run that a person has just created waits for it.
const REHEARSE_LOOK: Duration = Duration::from_secs(1);

/// Time between two tries of one service. An update that changes nothing costs a name server little, and a run waits for
/// approvals for at most its starting deadline.
const REHEARSE_INTERVAL: Duration = Duration::from_secs(5);

impl Agent {
    /// Tries the name servers of all runs that are about to start, and asks the ledger, until the process ends. A task of its
    /// own: one that hangs keeps no drill from being looked at.
    pub(in crate::reconcile) async fn rehearse_traffic(self: Arc<Self>) {
        loop {
            self.ports.clock.sleep(REHEARSE_LOOK).await;
            if !self.mirror.is_ready() || !self.is_leader() {
                continue;
            }
            self.rehearse_due(&self.catalog()).await;
        }
    }

    /// One look at what is to be tried.
    pub(in crate::reconcile) async fn rehearse_due(&self, catalog: &Catalog) {
        let moved = self.about_to_move(catalog);
        self.shared().rehearsed.retain(|service, _| moved.contains_key(service));
        self.ask_ledger_if_due().await;
        let due = moved.into_iter().filter(|(service, _)| self.is_rehearsal_due(service));
        join_all(due.map(|(service, parsed)| async move {
            let wrong = self.rehearse(&parsed).await;
            let at = self.ports.clock.tick();
            self.shared().rehearsed.insert(service, (at, wrong));
        }))
        .await;
    }

    fn about_to_move(&self, catalog: &Catalog) -> BTreeMap<ServiceKey, Arc<Parsed>> {
        let now = self.ports.clock.wall();
        let drills = self.mirror.drills();
        let near = drills.iter().filter(|(_, run)| is_near(run, now));
        let moved = near.flat_map(|(_, run)| self.drilled_services(run, catalog));
        let parsed = |key: ServiceKey| Some((key.clone(), catalog.parsed(&key)?.clone()));
        moved.filter_map(|drilled| parsed(drilled.service)).collect()
    }

    fn is_rehearsal_due(&self, service: &ServiceKey) -> bool {
        let now = self.ports.clock.tick();
        let shared = self.shared();
        shared.rehearsed.get(service).is_none_or(|(at, _)| now.since(*at) >= REHEARSE_INTERVAL)
    }

    /// What was answered for one run is not told another one.
    async fn ask_ledger_if_due(&self) {
        let wall = self.ports.clock.wall();
        if !self.mirror.drills().iter().any(|(_, run)| is_near(run, wall)) {
            self.shared().ledger_asked = None;
            return;
        }
        let fresh = |at: Tick| self.ports.clock.tick().since(at) < REHEARSE_INTERVAL;
        if self.shared().ledger_asked.as_ref().is_some_and(|(at, _)| fresh(*at)) {
            return;
        }
        let found = complete(self.ports.ledger.absent().await);
        let at = self.ports.clock.tick();
        self.shared().ledger_asked = Some((at, found));
    }

    /// Whether all members of the ledger take part; `None`: not asked, or not lately.
    pub(super) fn ledger_complete(&self) -> Option<PreCheck> {
        let now = self.ports.clock.tick();
        let shared = self.shared();
        let (_, found) = shared.ledger_asked.as_ref().filter(|(at, _)| now.since(*at) <= STALE)?;
        Some(found.clone())
    }

    /// What is wrong with the name servers of a service, in words; the outer `None`: not tried, or not lately.
    pub(super) fn rehearsed(&self, service: &ServiceKey) -> Option<Option<String>> {
        let now = self.ports.clock.tick();
        let shared = self.shared();
        let (_, wrong) = shared.rehearsed.get(service).filter(|(at, _)| now.since(*at) <= STALE)?;
        Some((!wrong.is_empty()).then(|| wrong.join("; ")))
    }
}

fn complete(asked: Result<Option<Vec<String>>, LedgerError>) -> PreCheck {
    match asked {
        Ok(Some(absent)) => check("LedgerComplete", None, (!absent.is_empty()).then(|| absent.join("; "))),
        Ok(None) => PreCheck {
            outcome: RuleOutcome::NotApplicable,
            message: "the ledger does not say who its members are: one in an API server does not".to_owned(),
            ..check("LedgerComplete", None, None)
        },
        Err(error) => check("LedgerComplete", None, Some(error.to_string())),
    }
}

/// Moves traffic, and is about to start.
fn is_near(run: &DrillRun, now: Timestamp) -> bool {
    run.live && !run.detects && run.phase == DrillPhase::Announced && run.starts_at.since(now) <= AHEAD
}

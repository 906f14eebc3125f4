//! The tasks of one process: follow the ledger and the resources, keep the leases, report verdicts, run passes, show.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::{Instrument, error, info, info_span, warn};

use super::{
    agent::{Agent, Settings},
    book::{self, Entry, LeaderEntry, SpecSource, VerdictEntry},
    catalog::Catalog,
    queue::{Cause, Offer, Queue},
    vantage::Watched,
};
use crate::{
    api::SharedServiceStatus,
    domain::{MemberHealth, ServiceKey, Term, Tick},
    planted::planted,
    ports::{Expect, Ledger, LedgerError},
};

/// How long changes of resources are gathered before they are parsed: a thousand objects that are applied at once come
/// as a thousand changes.
const GATHER: Duration = Duration::from_millis(50);

/// Services whose verdicts are written at the same time. 16: when a region is lost, a thousand change within an interval;
/// at 5 ms for a write they are in the ledger within a third of a second, and not within five seconds.
const VERDICTS: usize = 16;

/// Services that are shown at the same time. 16: an API server that takes 10 ms for a write shows a thousand services
/// within a second, and showing takes at most a few of the workers' turns while services move.
const REPORTS: usize = 16;

/// How long changes of a service are gathered before it is shown. 100 ms: a person does not notice, and a move, which
/// writes a dozen times to the ledger within it, is shown in each cluster by one or two writes.
const SHOW_GATHER: Duration = Duration::from_millis(100);

/// Time after which a service is shown again to which nothing happened, while all is well.
const SHOW_INTERVAL: Duration = Duration::from_secs(30);

impl Agent {
    /// Works until `shutdown`, then gives the leases back. What is going on then is broken off, as by a crash: its
    /// intent is in the ledger, and whoever leads next goes on with it.
    pub async fn run(self: &Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().follow_ledger());
        tasks.spawn(self.clone().follow_fleet());
        tasks.spawn(self.clone().follow_resources());
        tasks.spawn(self.clone().learn_own_name());
        tasks.spawn(self.clone().recall_specs());
        tasks.spawn(self.clone().keep_leases());
        tasks.spawn(self.clone().say_what_is_held());
        tasks.spawn(self.clone().say_where_asked());
        tasks.spawn(self.clone().look_after_drills());
        tasks.spawn(self.clone().rehearse_traffic());
        tasks.spawn(self.clone().try_traffic());
        if let Some(metering) = self.ports.metering.clone() {
            tasks.spawn(self.clone().measure_conditions(metering));
        }
        if let Some(reports) = self.ports.reports.clone() {
            tasks.spawn(self.clone().file_reports(reports));
        }
        if let Some(workloads) = self.ports.workloads.clone() {
            tasks.spawn(self.clone().keep_workloads(workloads));
        }
        tasks.spawn(self.clone().show_standing());
        tasks.spawn(self.clone().follow_verdicts());
        tasks.spawn(self.clone().report_verdicts());
        tasks.spawn(self.clone().run_passes());
        tasks.spawn(self.clone().run_reports());
        tokio::select! {
            biased;
            () = shutdown => info!(identity = %self.settings.identity, "stopping"),
            // A task that ends is a fault of ours: the process ends too and is started again, rather than watch on
            // with one eye closed.
            Some(ended) = tasks.join_next() => error!(?ended, "a task ended by itself, stopping"),
        }
        tasks.shutdown().await;
        self.tenures
            .release(self.ports.ledger.as_ref(), &self.settings.region, &self.settings.identity)
            .await;
    }

    async fn follow_ledger(self: Arc<Self>) {
        let mut changes = self.ports.ledger.watch("");
        while let Some(change) = changes.next().await {
            let led = self.is_leader();
            let touched = self.mirror.apply(change);
            if touched.all || led != self.is_leader() {
                self.push_all();
            }
            self.push_with_dependents(touched.services, &self.catalog());
        }
    }

    /// Surveys all services after verdicts have changed, and so lets those be looked at of which something else is said,
    /// or all of them if a loss is confirmed. Forgets what this place saw while it saw too much fail.
    async fn follow_fleet(self: Arc<Self>) {
        let own = &self.settings.region;
        let mut was_in_storm = false;
        loop {
            self.mirror.said().await;
            self.ports.clock.sleep(self.time_to_survey()).await;
            let fleet = self.fleet(&self.catalog());
            // Only after it has lasted: to forget while the regions turn bad one after the other would spread out what
            // began at once.
            let is_in_storm = fleet.in_storm.contains(own);
            if was_in_storm && !is_in_storm && !planted!(SuspicionEndsEarly) {
                self.vantage.forget_failures(own);
            }
            was_in_storm = is_in_storm;
        }
    }

    async fn follow_resources(self: Arc<Self>) {
        let mut changes = self.ports.resources.changes();
        loop {
            if let Some(snapshot) = self.ports.resources.snapshot() {
                let before = self.catalog();
                let catalog = match Arc::ptr_eq(&snapshot, &before.snapshot) {
                    true => before.clone(),
                    false => Arc::new(Catalog::new(snapshot, &before)),
                };
                let drills = &catalog.snapshot.drills;
                for (namespace, gone) in
                    before.snapshot.drills.keys().filter(|key| !drills.contains_key(*key))
                {
                    self.ports.metrics.forget_drill(namespace, gone);
                }
                let touched = catalog.touched_since(&before);
                let other_services = !touched.is_empty() || catalog.services.len() != before.services.len();
                if other_services {
                    self.vantage.watch(watched(&catalog));
                    self.forget_gone(&before, &catalog);
                }
                self.shared().catalog = catalog.clone();
                let first_read = !self.can_show() && self.note_cluster_read().await;
                if first_read {
                    self.push_all();
                }
                if first_read || other_services || !catalog.stands_as(&before) {
                    self.unheld.notify_one();
                }
                if self.mirror.is_ready() {
                    self.bring_requests(&catalog).await;
                }
                let now = self.ports.clock.tick();
                touched.into_iter().for_each(|service| self.queue.push(service.clone(), now));
            }
            // Woken by a change, and once a lease's third for wishes that could not be written before.
            tokio::select! {
                biased;
                changed = changes.changed() => if changed.is_err() { return },
                () = self.ports.clock.sleep(self.tenures.renewal_interval()) => {}
            }
            self.ports.clock.sleep(GATHER).await;
        }
    }

    async fn keep_leases(self: Arc<Self>) {
        let ledger = self.ports.ledger.clone();
        // Bounded by one call of the API server.
        while !self.has_asked_for_its_name() {
            self.ports.clock.sleep(GATHER).await;
        }
        loop {
            let before = (self.is_leader(), self.tenures.region_term());
            self.renew_leases(ledger.as_ref()).await;
            match ledger.leases().await {
                Ok(leases) => {
                    self.tenures.note_answer();
                    self.mirror.set_leases(leases);
                    self.look_for_rivals().await;
                    self.take_lead().await;
                }
                Err(error) => warn!(%error, "leases not read"),
            }
            // Words of an older term do not count: they are said again.
            if before != (self.is_leader(), self.tenures.region_term()) {
                self.vantage.tell_all();
                self.unheld.notify_one();
                self.push_all();
            }
            self.ports.clock.sleep(self.tenures.renewal_interval()).await;
        }
    }

    async fn renew_leases(&self, ledger: &dyn Ledger) {
        let Settings { region, identity, .. } = &self.settings;
        if !self.has_the_name().await {
            return self.tenures.release(ledger, region, identity).await;
        }
        // Who was cut off from the ledger was perhaps cut off from more: what it saw fail meanwhile is judged anew.
        if self.tenures.renew_region(ledger, region, identity).await {
            self.vantage.forget_failures(region);
        }
        match self.source() {
            Some(SpecSource::Cluster) => self.tenures.renew_leader(ledger, identity).await,
            // It has no keys: whoever has some leads better.
            Some(SpecSource::Ledger) if self.mirror.others_read_their_cluster(region) => {
                self.tenures.release_leader(ledger, identity).await;
            }
            Some(SpecSource::Ledger) => self.tenures.renew_leader(ledger, identity).await,
            // Who has not read what the users want would lead by doing nothing, and keep others from it.
            None => {}
        }
    }

    /// Writes down that this process took the lead. It acts when its watch has brought that back: who was cut off from the
    /// ledger would decide on what was said before.
    pub(super) async fn take_lead(&self) {
        let incarnation = self.settings.identity.clone();
        let Some(term) = self.tenures.leader_term() else { return };
        if self.mirror.has_caught_up(&incarnation, term) {
            return;
        }
        let write = async {
            let expect = book::expect(self.ports.ledger.as_ref(), &Entry::Leader).await?;
            self.put_as_leader(&Entry::Leader, &LeaderEntry { incarnation, term }, expect).await
        };
        if let Err(error) = write.await {
            warn!(%error, "the lead is not written down, and not begun; trying again at the next renewal");
        }
    }

    /// Shows regions, policies and waiting Failovers. A task of its own: this cluster's API server may hang while the
    /// ledger is well, and a lease must not be lost over a status.
    async fn show_standing(self: Arc<Self>) {
        loop {
            self.report_standing().await;
            self.ports.clock.sleep(self.tenures.renewal_interval()).await;
        }
    }

    /// Takes note of each verdict that changes, and of all of them when this process begins to speak.
    async fn follow_verdicts(self: Arc<Self>) {
        let changes = self.vantage.changes();
        loop {
            let service = changes.next().await;
            self.unsaid.push(service, self.ports.clock.tick());
        }
    }

    /// Writes to the ledger what changed.
    async fn report_verdicts(self: Arc<Self>) {
        self.work_off(|agent| &agent.unsaid, VERDICTS, Self::one_verdict).await;
    }

    async fn one_verdict(self: Arc<Self>, service: ServiceKey, _: Cause) -> Option<Duration> {
        let term = self.tenures.region_term()?;
        let error = self.write_verdicts(&service, term).await.err()?;
        warn!(%service, %error, "verdict not written, trying again");
        // In its place, so that a ledger that is away is asked and told of by few, and not by a thousand at once.
        self.ports.clock.sleep(super::retry::delay(1)).await;
        Some(Duration::ZERO)
    }

    async fn write_verdicts(&self, service: &ServiceKey, term: Term) -> Result<(), LedgerError> {
        let region = &self.settings.region;
        let entry = Entry::Verdict(region.clone(), service.clone());
        let members = self.vantage.verdicts(service);
        if members.is_empty() {
            return self.withdraw_verdicts(&entry, service).await;
        }
        let said = VerdictEntry { incarnation: self.settings.identity.clone(), term, members };
        let expect = match self.mirror.verdict_entry(region, service) {
            Some((_, known)) if *known == said => return Ok(()),
            Some((version, _)) => Expect::Version(version),
            None => Expect::Absent,
        };
        let ledger = self.ports.ledger.as_ref();
        let version = match book::put(ledger, &entry, &said, expect, None).await {
            Ok(version) => version,
            // The mirror is behind; only this region writes this key, so what is there may be replaced.
            Err(LedgerError::Conflict { .. }) => {
                let expect = book::expect(ledger, &entry).await?;
                book::put(ledger, &entry, &said, expect, None).await?
            }
            Err(error) => return Err(error),
        };
        self.mirror.wrote(&entry, version, &said);
        Ok(())
    }

    /// A service that is no longer watched leaves nothing said behind.
    async fn withdraw_verdicts(&self, entry: &Entry, service: &ServiceKey) -> Result<(), LedgerError> {
        match self.mirror.verdict_entry(&self.settings.region, service) {
            Some((version, _)) => self.ports.ledger.delete(&entry.key(), version).await,
            None => Ok(()),
        }
    }

    /// Looks at services when they are due.
    async fn run_passes(self: Arc<Self>) {
        let workers = self.settings.workers;
        self.work_off(|agent| &agent.queue, workers, Self::one_pass).await;
    }

    /// Shows services that were looked at. A queue of its own: a slow API server must not hold up a move, not even of
    /// the service that is being shown, and what changes meanwhile is shown together afterwards.
    async fn run_reports(self: Arc<Self>) {
        self.work_off(|agent| &agent.unshown, REPORTS, Self::one_report).await;
    }

    /// Hands due services of a queue to workers. What panics is told and tried again; the others go on.
    async fn work_off<F>(
        self: Arc<Self>,
        queue: fn(&Self) -> &Queue,
        workers: usize,
        work: fn(Arc<Self>, ServiceKey, Cause) -> F,
    ) where
        F: Future<Output = Option<Duration>> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(workers));
        let mut working = JoinSet::new();
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (service, cause) = self.next_due(queue(&self)).await;
            while let Some(ended) = working.try_join_next() {
                if let Err(panic) = ended {
                    error!(%panic, "the work on a service broke off");
                }
            }
            let agent = self.clone();
            working.spawn(async move {
                let _place = place;
                let work = work(agent.clone(), service.clone(), cause);
                // Given back even if the work panics.
                let mut guard = GiveBack { agent, queue, service, again: Some(super::retry::delay(1)) };
                guard.again = work.await;
            });
        }
    }

    /// Waits for the next service that is due.
    async fn next_due(&self, queue: &Queue) -> (ServiceKey, Cause) {
        loop {
            let now = self.ports.clock.tick();
            match queue.next(now) {
                Offer::Now(service, cause) => return (service, cause),
                Offer::At(tick) => {
                    tokio::select! {
                        biased;
                        () = queue.woken() => {}
                        () = self.ports.clock.sleep(tick.since(now)) => {}
                    }
                }
                Offer::Empty => queue.woken().await,
            }
        }
    }

    /// One pass. Gives back when to look again.
    async fn one_pass(self: Arc<Self>, service: ServiceKey, cause: Cause) -> Option<Duration> {
        let start = self.ports.clock.tick();
        let span = info_span!("pass", %service, region = %self.settings.region);
        let (again, outcome) = self.pass(&service).instrument(span).await;
        let now = self.ports.clock.tick();
        self.ports.metrics.observe_pass(outcome, now.since(start));
        let again = Some(again).filter(|_| self.concerns(&service));
        if cause == Cause::Event || self.is_to_be_shown_again(&service, now) {
            self.unshown.push(service, now.plus(SHOW_GATHER));
        }
        again
    }

    /// Whether time alone may have changed what is shown, or what was shown did not arrive. While all is well time
    /// changes nothing; the rare look is for what nobody thought of.
    fn is_to_be_shown_again(&self, service: &ServiceKey, now: Tick) -> bool {
        let catalog = self.catalog();
        let there = catalog.services.get(service).and_then(|entry| entry.object.status.as_ref());
        let shared = self.shared();
        let rests = shared.shown.get(service).is_some_and(|shown| now.since(*shown) < SHOW_INTERVAL);
        let good = |status: &SharedServiceStatus| is_settled(status) && there == Some(status);
        !(rests && shared.reported.get(service).is_some_and(|status| good(status)))
    }

    async fn one_report(self: Arc<Self>, service: ServiceKey, _: Cause) -> Option<Duration> {
        let span = info_span!("report", %service, region = %self.settings.region);
        self.report(&service, &self.catalog()).instrument(span).await;
        None
    }

    /// Whether a service must be looked at again without an event: it exists, or a run of it is not over.
    fn concerns(&self, service: &ServiceKey) -> bool {
        self.catalog().services.contains_key(service) || self.mirror.active_run(service).is_some()
    }

    fn forget_gone(&self, before: &Catalog, now: &Catalog) {
        for gone in before.services.keys().filter(|key| !now.services.contains_key(*key)) {
            self.ports.metrics.forget_service(gone);
            let mut shared = self.shared();
            shared.reported.remove(gone);
            shared.shown.remove(gone);
            shared.reported_runs.remove(gone);
            shared.routes.remove(gone);
            shared.keyed.remove(gone);
            shared.resting.remove(gone);
            shared.unestablished.remove(gone);
        }
    }
}

/// Nothing in it is waiting for time to pass: no countdown is shown, no run goes on, nobody is unwell.
fn is_settled(status: &SharedServiceStatus) -> bool {
    let well = |member: &crate::api::MemberStatus| member.health == MemberHealth::Healthy.as_str();
    let ready = status.next_move.as_ref().is_some_and(|next| next.blocked_by.is_empty());
    let in_step = status.traffic.iter().all(|route| route.behind.is_empty());
    ready && in_step && status.run.is_none() && status.members.iter().all(well)
}

struct GiveBack {
    agent: Arc<Agent>,
    queue: fn(&Agent) -> &Queue,
    service: ServiceKey,
    again: Option<Duration>,
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        let now = self.agent.ports.clock.tick();
        (self.queue)(&self.agent).done(self.service.clone(), self.again.map(|again| now.plus(again)));
    }
}

/// What the vantage looks at.
pub(super) fn watched(catalog: &Catalog) -> Vec<Watched> {
    let valid = catalog.services.values().filter_map(|entry| entry.parsed.as_ref().ok());
    valid
        .map(|parsed| Watched {
            service: parsed.service.key.clone(),
            grade: parsed.service.grade,
            health: parsed.service.health,
            members: parsed.endpoints.clone(),
            checks: parsed.checks.clone(),
        })
        .collect()
}

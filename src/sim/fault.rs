//! What goes wrong, and when.

mod drill;
mod edit;
mod impose;
#[cfg(test)]
mod tests;
mod told;

use std::{net::IpAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    awaited::Awaited,
    members::Condition,
    moment::Moment,
    names::Manner,
    network::Site,
    process::{Processes, RESTART_AFTER, Strike},
    setup::Setup,
    world::{State, World},
};
use crate::{
    adapters::ledger::MemoryLedger,
    api::{self, Failover, FailoverSpec, Intervention},
    domain::{Identity, RegionName, ServiceKey, StepKind},
    ports::Ledger,
    reconcile::{LEADER_LEASE, REGION_LEASE},
};

/// One fault, or one act of a person. It lasts until its end; what has no duration happens at its beginning.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Messages from one site do not reach another.
    Cut(Site, Site),
    /// Nothing reaches a site and nothing leaves it.
    Isolate(Site),
    /// Messages of a thousand that are lost on every link of a site.
    Loss(Site, u32),
    /// The same on one link, in both directions.
    LinkLoss(Site, Site, u32),
    /// The same for messages of at least this size.
    LargeLoss(Site, usize, u32),
    /// Messages of a site take up to this much longer.
    Slow(Site, Duration),
    /// Messages of a thousand that come twice.
    Twice(u32),
    /// A site without power: its process, API server, members, name servers and ledger replica.
    Dark(Site),
    /// A process is killed, and started again two seconds after the end.
    Crash(u16),
    /// A process dies at an effect: after so many others, and just before or just after it.
    CrashAtEffect(u16, u32, bool),
    /// A process stands still and goes on at the end with what it knew.
    Freeze(u16),
    /// A process stands still at an effect: after so many others, just before or just after it is sent, for this long.
    FreezeAtEffect(u16, u32, bool, Duration),
    /// The ledger has no majority.
    LedgerDown,
    /// A site does not reach the ledger, and everything else.
    LedgerCutOff(Site),
    /// Writes of a thousand that the ledger refuses as if somebody else had come first.
    Conflicts(u32),
    /// A process's lease of its region, or the leader's lease, ends at once.
    LeaseLost(Option<Site>),
    /// An API server does not answer.
    ApiDown(Site),
    /// An API server shows nothing new.
    ApiStale(Site),
    /// A name server behaves in a manner.
    NameServer(usize, Manner),
    /// A name server comes back with what it held at the beginning of the fault.
    Restored(usize),
    /// The wall clock of a host is ahead by so many milliseconds.
    ClockStep(u16, i64),
    /// The clocks of a host (the ledger's: `u16::MAX`) are fast by so many millionths.
    Drift(u16, i64),
    /// A member is in a condition.
    Member(usize, Condition),
    /// Every member of a service is in a condition.
    AllMembers(ServiceKey, Condition),
    /// A vantage says that everything is down.
    Lies(u16),
    /// A person edits objects, in one site or in all.
    Edit(Option<Site>, Edit),
    /// A person creates a Failover in a site: service, target, dry run.
    Switchover(Site, ServiceKey, Option<RegionName>, bool),
    /// A person answers every paused run of a site with a word.
    Word(Site, Word),
    /// A person applies a drill in every site, and wants a run of it in one.
    Drill(Site, DrillWish),
    /// A person in a site says yes to every run of a drill that is there.
    Approve(Site, Arc<str>),
    /// A person in a site stops every drill.
    AbortDrills(Site),
}

/// What somebody wants to be drilled.
#[derive(Clone, Debug, PartialEq)]
pub struct DrillWish {
    /// A service, and with `group` all of its group.
    pub service: ServiceKey,
    /// All services that are part of the same as the service.
    pub group: bool,
    /// Time away.
    pub hold: Duration,
    /// Time that all of it may take.
    pub max_duration: Duration,
    /// People who must say yes.
    pub approvals: i32,
    /// Shows plans only.
    pub dry_run: bool,
}

/// What a person edits. Undone at the end.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A member is in maintenance.
    Maintenance(ServiceKey, RegionName),
    /// A region is in maintenance.
    RegionMaintenance(RegionName),
    /// Weights of the members are turned around.
    Weights(ServiceKey),
    /// A member has another address.
    Address(ServiceKey, RegionName, IpAddr),
    /// A member carries only this much.
    Capacity(ServiceKey, RegionName, i32),
    /// The red lever.
    GlobalStop(RegionName),
    /// The service is deleted.
    Delete(ServiceKey),
}

/// A person's word on a paused run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Word {
    /// Try again.
    Resume,
    /// Go on without the step.
    Skip,
    /// Stop.
    Abort,
}

/// A fault with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// When it begins.
    pub at: Moment,
    /// With a step: not before a run comes to it, and never if none does until the end.
    pub step: Option<StepKind>,
    /// When it ends; `None`: it stays.
    pub until: Option<Moment>,
    /// What it is.
    pub fault: Fault,
}

/// Stands for the process that leads when the fault begins.
pub(super) const LEADER: u16 = u16::MAX - 1;

/// The faults that last now, by their place in the list.
#[derive(Default)]
pub(super) struct Active(Vec<(usize, Fault)>);

/// What begins and ends faults.
#[derive(Clone)]
pub(super) struct Trouble {
    pub setup: Arc<Setup>,
    pub store: Arc<MemoryLedger>,
}

impl Active {
    /// Whether words of regions are lost, late or false now.
    pub(super) fn keep_words_away(&self) -> bool {
        self.0.iter().any(|(_, fault)| fault.keeps_words_away())
    }

    /// Whether nothing else than the power of this site keeps vantages from seeing and saying what there is.
    pub(super) fn is_only_dark(&self, site: Site) -> bool {
        self.0.iter().all(|(_, fault)| match fault {
            Fault::Dark(dark) => *dark == site,
            Fault::Member(..)
            | Fault::AllMembers(..)
            | Fault::Twice(_)
            | Fault::ApiDown(_)
            | Fault::ApiStale(_)
            | Fault::ClockStep(..)
            | Fault::Drift(..)
            | Fault::NameServer(..)
            | Fault::Restored(_)
            | Fault::Switchover(..)
            | Fault::Word(..)
            | Fault::Drill(..)
            | Fault::Approve(..)
            | Fault::AbortDrills(_) => true,
            _ => false,
        })
    }
}

impl Fault {
    /// Whether words of regions are lost, late or false while it lasts, of others than a region that is dead.
    pub(super) const fn keeps_words_away(&self) -> bool {
        matches!(
            self,
            Self::Cut(..)
                | Self::Isolate(_)
                | Self::Loss(..)
                | Self::LinkLoss(..)
                | Self::LargeLoss(..)
                | Self::Slow(..)
                | Self::Twice(_)
                | Self::LedgerDown
                | Self::LedgerCutOff(_)
                | Self::Conflicts(_)
                | Self::LeaseLost(_)
                | Self::Lies(_)
        )
    }

    /// The same with the leader in the place of [`LEADER`]; `None`: nobody leads.
    fn of_leader(&self, processes: &Processes) -> Option<Self> {
        let mut fault = self.clone();
        if let Self::Crash(who)
        | Self::CrashAtEffect(who, ..)
        | Self::Freeze(who)
        | Self::FreezeAtEffect(who, ..) = &mut fault
            && *who == LEADER
        {
            *who = u16::from(processes.leader()?.site.0);
        }
        Some(fault)
    }
}

impl Trouble {
    /// Puts all incidents into the queue.
    pub(super) fn schedule(&self, world: &World, incidents: &[Incident]) {
        for (number, incident) in incidents.iter().enumerate() {
            let (trouble, fault, until) = (self.clone(), incident.fault.clone(), incident.until);
            let deed = move |world: &Arc<World>| trouble.arise(world, number, &fault, until);
            match incident.step {
                None => world.at(incident.at, deed),
                Some(step) => world.state().awaited.push(Awaited {
                    service: None,
                    step,
                    after: incident.at,
                    line: 0,
                    deed: Box::new(deed),
                }),
            }
        }
    }

    /// Begins a fault and sees to its end, unless that is over already.
    pub(super) fn arise(&self, world: &Arc<World>, number: usize, fault: &Fault, until: Option<Moment>) {
        let Some(fault) = fault.of_leader(&world.state().processes) else { return };
        if until.is_some_and(|until| until <= world.now()) {
            return;
        }
        self.begin(world, number, &fault, until);
        if let Some(until) = until {
            let trouble = self.clone();
            world.at(until, move |world| trouble.end(world, number, &fault));
        }
    }

    fn begin(&self, world: &Arc<World>, number: usize, fault: &Fault, until: Option<Moment>) {
        let now = world.now();
        {
            let state = &mut *world.state();
            state.story.tell(now, || format!("fault: {}", fault.told(self)));
            state.active.0.push((number, fault.clone()));
            state.impose();
            state.note_faults(now);
            state.checker.specs.fault(now, fault);
            match fault {
                Fault::Freeze(process) => state.processes.freeze(*process, until.unwrap_or(now)),
                Fault::Restored(server) => {
                    if let Some(server) = state.names.list.get_mut(*server) {
                        server.backup = server.names.clone();
                    }
                }
                Fault::CrashAtEffect(process, effects, after) => {
                    if let Some(process) = state.processes.get_mut(*process) {
                        let strike = if *after { Strike::After } else { Strike::Before };
                        process.strikes = Some((*effects, strike));
                    }
                }
                Fault::FreezeAtEffect(process, effects, after, time) => {
                    if let Some(process) = state.processes.get_mut(*process) {
                        process.strikes = Some((*effects, Strike::Freezes { sent: *after, time: *time }));
                    }
                }
                Fault::Edit(site, edit) => self.edit(state, now, *site, edit, false),
                Fault::Switchover(site, service, to, dry_run) => {
                    let failover = switchover(service, to.as_ref(), *dry_run, number);
                    if let Some(cluster) = state.clusters.at_mut(*site).filter(|cluster| cluster.answers()) {
                        cluster.create(failover, now);
                    }
                }
                Fault::Word(site, word) => answer_paused(state, *site, *word),
                Fault::Drill(site, wish) => wish.apply(state, &self.setup, *site, number, now),
                Fault::Approve(site, who) => drill::approve(state, *site, who),
                Fault::AbortDrills(site) => drill::abort(state, *site),
                _ => {}
            }
        }
        match fault {
            Fault::Crash(process) => world.crash(*process, "because it is killed"),
            Fault::Dark(site) => {
                let gates = world.state().processes.gates_in(*site);
                gates.into_iter().chain([u16::from(site.0)]).for_each(|it| world.crash(it, "with its site"));
            }
            Fault::LeaseLost(region) => {
                if region.is_none() {
                    world.state().checker.lease_ended = Some(now);
                }
                self.end_lease(*region);
            }
            _ => {}
        }
    }

    fn end(&self, world: &Arc<World>, number: usize, fault: &Fault) {
        let now = world.now();
        {
            let state = &mut *world.state();
            state.story.tell(now, || format!("ends: {}", fault.told(self)));
            state.active.0.retain(|(known, _)| *known != number);
            state.impose();
            state.note_faults(now);
            state.checker.specs.fault(now, fault);
            match fault {
                Fault::Restored(server) => {
                    if let Some(found) = state.names.list.get_mut(*server) {
                        found.names = found.backup.clone();
                    }
                    state.checker.named.retain(|(known, _), _| known != server);
                }
                Fault::CrashAtEffect(process, ..) | Fault::FreezeAtEffect(process, ..) => {
                    if let Some(process) = state.processes.get_mut(*process) {
                        process.strikes = None;
                    }
                }
                Fault::Edit(site, edit) => self.edit(state, now, *site, edit, true),
                Fault::ApiDown(_) | Fault::ApiStale(_) | Fault::Dark(_) => {
                    state.clusters.list.iter_mut().for_each(super::cluster::Cluster::show);
                }
                _ => {}
            }
        }
        if let Fault::Crash(process) | Fault::CrashAtEffect(process, ..) = fault {
            self.start_later(world, *process);
        }
        if let Fault::Dark(site) = fault {
            let gates = world.state().processes.gates_in(*site);
            gates.into_iter().chain([u16::from(site.0)]).for_each(|it| self.start_later(world, it));
        }
    }

    fn start_later(&self, world: &World, process: u16) {
        let starts = self.clone();
        world.after(RESTART_AFTER, move |world| world.start(process, &starts.setup, &starts.store));
    }

    fn edit(&self, state: &mut State, now: Moment, site: Option<Site>, edit: &Edit, undo: bool) {
        let original = &self.setup.snapshot;
        let State { clusters, checker, .. } = state;
        checker.edited = Some(now);
        if let Some((address, before)) = edit.given(&self.setup) {
            checker.specs.given.insert(address, before);
        }
        for (at, cluster) in (0..=u8::MAX).map(Site).zip(&mut clusters.list) {
            if site.is_none_or(|site| site == at) && (undo || cluster.answers()) {
                if let Some(service) = edit.service() {
                    checker.specs.replaced(now, at, service, cluster.service(service));
                }
                cluster.change(|snapshot| edit.apply(snapshot, original, undo));
            }
        }
    }

    /// The lease is given back in its holder's name, who knows nothing of it.
    fn end_lease(&self, region: Option<Site>) {
        let name = match region.and_then(|site| self.setup.region(site)) {
            Some(region) => format!("{REGION_LEASE}{region}"),
            None => LEADER_LEASE.to_owned(),
        };
        let leases = futures::FutureExt::now_or_never(self.store.leases());
        let holder = leases.and_then(Result::ok).and_then(|leases| {
            leases.into_iter().find(|lease| lease.name == name).and_then(|lease| lease.holder)
        });
        if let Some(holder) = holder {
            let holder: Identity = holder;
            let _released = futures::FutureExt::now_or_never(self.store.release(&name, &holder));
        }
    }
}

fn switchover(service: &ServiceKey, to: Option<&RegionName>, dry_run: bool, number: usize) -> Failover {
    let spec = FailoverSpec {
        service_name: service.name.to_string(),
        from: None,
        to: to.map(ToString::to_string),
        reason: "a person wants it".to_owned(),
        dry_run,
        writer_stopped: false,
        intervention: None,
    };
    let mut failover = Failover::new(&format!("by-hand-{number}"), spec);
    failover.metadata.namespace = Some(service.namespace.to_string());
    failover
}

fn answer_paused(state: &mut State, site: Site, word: Word) {
    let Some(cluster) = state.clusters.at_mut(site).filter(|cluster| cluster.answers()) else { return };
    let intervention = match word {
        Word::Resume => Intervention::Resume,
        Word::Skip => Intervention::Skip,
        Word::Abort => Intervention::Abort,
    };
    cluster.change(|snapshot| {
        for failover in snapshot.failovers.values_mut() {
            let paused = failover.status.as_ref().and_then(|s| s.phase) == Some(api::FailoverPhase::Paused);
            if paused {
                let failover = Arc::make_mut(failover);
                failover.spec.intervention = Some(intervention);
                failover.metadata.generation = failover.metadata.generation.map(|generation| generation + 1);
            }
        }
    });
}

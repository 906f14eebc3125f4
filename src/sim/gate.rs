//! Gates of writers: the product's own keeper and door, one for each member of a service that has them, each a process of
//! its own in its site.

use std::sync::Arc;

use super::{
    agents::SimAgents,
    check::Invariant,
    clock::SimClock,
    ledger::SimLedger,
    moment::Moment,
    network::Site,
    process::{GATES, Life, Process, Processes},
    setup::Setup,
    world::{State, World},
};
use crate::{
    adapters::ledger::MemoryLedger,
    domain::{Identity, RegionName, ServiceKey},
    gate::{Door, Keeper, Opening, Promised},
    ports::{Agents, Clock, Ledger},
};

/// What a gate stands before, and whether it lets the writer write.
pub(super) struct Seat {
    pub service: ServiceKey,
    pub region: RegionName,
    /// By the clock of its host.
    opening: Option<Opening>,
}

impl Processes {
    /// One gate for each member of each service that has gates, none running.
    pub(super) fn gates_of(setup: &Setup) -> Vec<Process> {
        let seat = |service: &ServiceKey, site| {
            let region = setup.region(site)?.clone();
            Some(Seat { service: service.clone(), region, opening: None })
        };
        let gates = setup.gates().filter_map(|place| Some((place.site, seat(&place.service, place.site)?)));
        gates.map(|(site, seat)| Process::gate(site, seat)).collect()
    }

    /// Numbers of the gates in a site.
    pub(super) fn gates_in(&self, site: Site) -> Vec<u16> {
        let numbered = (GATES..).zip(&self.gates);
        numbered.filter(|(_, gate)| gate.site == site).map(|(number, _)| number).collect()
    }

    /// Whether a gate lets its writer write, by the clock of its host. One that stands still would, if it were woken now.
    fn is_open(&self, gate: &Process, now: Moment) -> bool {
        let until = gate.seat.as_ref().and_then(|seat| seat.opening).map(|opening| opening.until);
        let tick = self.skew_of(gate.site).local(now) / 1_000;
        gate.is_alive() && until.is_some_and(|until| tick < until.0)
    }

    /// Whether clients of a service can write in a site: there is no gate, or it is open and does not stand still.
    pub(super) fn takes_writes(&self, service: &ServiceKey, site: Site, now: Moment) -> bool {
        let mut seats = (GATES..).zip(&self.gates).filter(|(_, gate)| gate.site == site);
        let gate = seats.find(|(_, gate)| gate.seat.as_ref().is_some_and(|seat| seat.service == *service));
        gate.is_none_or(|(number, gate)| self.works(number, now) && self.is_open(gate, now))
    }

    /// The regions in which a writer of a service may write now.
    pub(super) fn writers(&self, service: &ServiceKey, now: Moment) -> Vec<RegionName> {
        let seats = self.gates.iter().filter_map(|gate| Some((gate, gate.seat.as_ref()?)));
        let open = seats.filter(|(gate, seat)| seat.service == *service && self.is_open(gate, now));
        open.map(|(_, seat)| seat.region.clone()).collect()
    }
}

impl World {
    /// The gate as `bongsu gate` puts it together, on simulated ports.
    pub(super) fn run_gate(
        self: &Arc<Self>,
        setup: &Setup,
        store: &Arc<MemoryLedger>,
        life: Life,
        site: Site,
    ) -> Option<tokio::task::AbortHandle> {
        let (service, region) = {
            let state = self.state();
            let seat = state.processes.get(life.process)?.seat.as_ref()?;
            (seat.service.clone(), seat.region.clone())
        };
        let ttl = setup.service(&service)?.gate()?.lease_ttl;
        let clock: Arc<dyn Clock> = Arc::new(SimClock { world: self.clone(), life });
        let ledger: Arc<dyn Ledger> =
            Arc::new(SimLedger { world: self.clone(), life, site, store: store.clone() });
        let door = Arc::new(Door::new(clock.clone()));
        let identity = Identity::new(format!("gate-{region}-{}", life.number));
        let agents: Arc<dyn Agents> = Arc::new(SimAgents { world: self.clone(), life, site });
        let promised = Promised::new(
            (ledger.clone(), clock.clone()),
            Some(agents),
            (service.clone(), region.clone(), identity.clone()),
        );
        let keeper = Keeper {
            ledger,
            clock,
            service,
            region,
            identity,
            ttl,
            door: door.clone(),
            standing: Arc::default(),
            promised,
        };
        let world = self.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = keeper.run(std::future::pending()) => {}
                () = world.look_at(life, &door) => {}
            }
        });
        Some(task.abort_handle())
    }

    /// Notes each time that a door opens, is held open for longer, or shuts.
    async fn look_at(&self, life: Life, door: &Door) {
        let mut known = None;
        loop {
            known = match known {
                None => Some(door.opened().await),
                Some(opening) => door.changed(opening).await,
            };
            self.door_changed(life, known);
        }
    }

    fn door_changed(&self, life: Life, opening: Option<Opening>) {
        let now = self.now();
        let state = &mut *self.state();
        let Some(seat) = state.processes.get_mut(life.process).and_then(|gate| gate.seat.as_mut()) else {
            return;
        };
        let news = seat.opening.is_some() != opening.is_some();
        seat.opening = opening;
        let (service, region) = (seat.service.clone(), seat.region.clone());
        if news {
            state.story.tell(now, || match opening {
                Some(opening) => format!("{region} writes for {service} under epoch {}", opening.epoch),
                None => format!("{region} writes no more for {service}"),
            });
        }
        if let Some(opening) = opening {
            state.writes(now, &service, &region, opening);
        }
    }
}

impl State {
    /// One region writes, under the epoch of the ledger (I1).
    fn writes(&mut self, now: Moment, service: &ServiceKey, region: &RegionName, opening: Opening) {
        let writers = self.writers(service, now);
        if writers.iter().any(|other| other != region) {
            let all: Vec<&str> = writers.iter().map(RegionName::as_str).collect();
            let what = format!("{} write for {service} at the same time", all.join(" and "));
            self.checker.breaks(Invariant::OneWriter, now, what);
        }
        let epoch = self.checker.records.get(service).map(|record| record.epoch);
        if epoch.is_some_and(|epoch| opening.epoch < epoch) {
            let what = format!(
                "{region} begins to write for {service} under epoch {}, which is over",
                opening.epoch
            );
            self.checker.breaks(Invariant::OneWriter, now, what);
        }
    }

    /// The epoch of a service is raised, and another region is to write: nobody may write then.
    pub(super) fn nobody_writes(&mut self, now: Moment, service: &ServiceKey, leaving: &[RegionName]) {
        let writers = self.writers(service, now);
        if let Some(writer) = writers.iter().find(|writer| leaving.contains(writer)) {
            let what = format!("the epoch of {service} is raised while {writer} still writes");
            self.checker.breaks(Invariant::OneWriter, now, what);
        }
    }
}

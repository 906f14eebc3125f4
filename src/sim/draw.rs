//! Faults from a seed. Swarm testing: each run switches each class of faults on or off and draws its rate, so that rare
//! combinations come up which an even mixture would never show. Half of the runs hold faults that belong together.

mod together;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use super::{
    fault::{DrillWish, Edit, Fault, Incident, Word},
    members::Condition,
    moment::{Moment, micros},
    names::Manner,
    network::Site,
    process::GATES,
    setup::Setup,
};
use crate::domain::{RegionName, ServiceKey};

/// The incidents of one run, and its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// What goes wrong.
    pub incidents: Vec<Incident>,
    /// When the run is over.
    pub end: Moment,
}

/// Faults begin after the services are established.
const BEGIN: Duration = Duration::from_secs(20);
/// Here every fault is healed: what follows must end well.
const HEALED: Duration = Duration::from_secs(150);
/// A region may be lost for good here, when all is well again.
const LOSS: Duration = Duration::from_secs(210);
/// Length of a run.
const END: Duration = Duration::from_secs(300);
/// Incidents of one class in one run.
const MOST_OF_A_CLASS: usize = 4;

/// Makes an incident's fault from chance.
type Maker = fn(&mut Dice<'_>) -> Option<Fault>;

/// The classes of faults.
const CLASSES: &[Maker] = &[
    |dice| Some(Fault::Cut(dice.site(), dice.site_or_outside())),
    |dice| Some(Fault::Isolate(dice.site())),
    |dice| Some(Fault::Loss(dice.site(), dice.rng.u32(20..400))),
    |dice| Some(Fault::LargeLoss(dice.site(), 1_400, dice.rng.u32(300..1_000))),
    |dice| Some(Fault::Slow(dice.site(), Duration::from_millis(dice.rng.u64(50..4_000)))),
    |dice| Some(Fault::Twice(dice.rng.u32(10..500))),
    |dice| Some(Fault::Dark(dice.site())),
    |dice| Some(Fault::Crash(dice.process())),
    |dice| Some(Fault::CrashAtEffect(dice.process(), dice.rng.u32(0..12), dice.rng.bool())),
    |dice| Some(Fault::Freeze(dice.process())),
    |dice| {
        let time = dice.duration();
        Some(Fault::FreezeAtEffect(dice.process(), dice.rng.u32(0..12), dice.rng.bool(), time))
    },
    |dice| {
        let condition = *dice.of(&[Condition::Down, Condition::Hangs, Condition::Wrong])?;
        Some(Fault::AllMembers(dice.service()?, condition))
    },
    |_| Some(Fault::LedgerDown),
    |dice| Some(Fault::Conflicts(dice.rng.u32(20..300))),
    |dice| {
        let site = dice.site();
        Some(Fault::LeaseLost(dice.rng.bool().then_some(site)))
    },
    |dice| Some(Fault::ApiDown(dice.site())),
    |dice| Some(Fault::ApiStale(dice.site())),
    |dice| dice.name_server(),
    |dice| dice.server().map(Fault::Restored),
    |dice| Some(Fault::ClockStep(dice.process(), dice.rng.i64(-20_000..20_000))),
    |dice| dice.member(),
    |dice| dice.member(),
    |dice| Some(Fault::Lies(dice.liar)),
    |dice| dice.edit(),
    |dice| dice.switchover(),
    |dice| {
        let word = *dice.of(&[Word::Resume, Word::Skip, Word::Abort])?;
        Some(Fault::Word(dice.site(), word))
    },
    |dice| Some(Fault::LedgerCutOff(dice.site())),
    |dice| dice.gate().map(Fault::Crash),
    |dice| dice.gate().map(Fault::Freeze),
    |dice| {
        let (gate, effects, after) = (dice.gate()?, dice.rng.u32(0..12), dice.rng.bool());
        Some(Fault::CrashAtEffect(gate, effects, after))
    },
    |dice| {
        let (gate, time) = (dice.gate()?, dice.duration());
        Some(Fault::FreezeAtEffect(gate, dice.rng.u32(0..12), dice.rng.bool(), time))
    },
    |dice| dice.drill(),
    |dice| {
        let who = *dice.of(&["officer", "director"])?;
        Some(Fault::Approve(dice.site(), who.into()))
    },
    |dice| Some(Fault::AbortDrills(dice.site())),
];

struct Dice<'a> {
    rng: fastrand::Rng,
    setup: &'a Setup,
    /// The one vantage that may lie: a quorum of two bears one liar, and no rule could tell two of them from the truth.
    liar: u16,
}

/// The schedule of a seed.
#[must_use]
pub fn draw(setup: &Setup, seed: u64) -> Schedule {
    let mut dice = Dice { rng: fastrand::Rng::with_seed(seed ^ 0x626f_6e67_7375), setup, liar: 0 };
    dice.liar = dice.process();
    let mut incidents = dice.drifts();
    // Faults that belong together come alone, because others would mostly stop what they lead to, or among others.
    let kind = dice.rng.u32(..4);
    let together = kind < 2 && dice.together(kind == 0, &mut incidents);
    if kind > 0 || !together {
        dice.swarm(&mut incidents);
    }
    incidents.iter_mut().for_each(thaw_before_healed);
    dice.after_healing(&mut incidents);
    Schedule { incidents, end: Moment::after(END) }
}

/// Who stands still from an effect on is awake when all is healed: the effect comes so much earlier, or not at all.
fn thaw_before_healed(incident: &mut Incident) {
    if let Fault::FreezeAtEffect(.., time) = &incident.fault {
        let latest = Moment::after(HEALED.saturating_sub(*time));
        incident.until = incident.until.map(|until| until.min(latest));
    }
}

impl Dice<'_> {
    fn swarm(&mut self, incidents: &mut Vec<Incident>) {
        // How many classes: mostly few, because many at once mostly just stop everything.
        let share = self.rng.f64() * self.rng.f64();
        let mut none = true;
        for make in CLASSES {
            if self.rng.f64() < share.max(0.05) {
                none = false;
                self.of_class(*make, incidents);
            }
        }
        if none {
            let make = CLASSES[self.rng.usize(..CLASSES.len())];
            self.of_class(make, incidents);
        }
    }

    fn of_class(&mut self, make: Maker, incidents: &mut Vec<Incident>) {
        for _ in 0..self.rng.usize(1..=MOST_OF_A_CLASS) {
            let at = self.between(BEGIN, HEALED);
            let until = Moment(at.0 + micros(self.duration())).min(Moment::after(HEALED));
            if let Some(fault) = make(self) {
                incidents.push(Incident { at, step: None, until: Some(until), fault });
            }
        }
    }

    /// What happens once all is healed: a person answers what waits, and perhaps a region is lost for good.
    fn after_healing(&mut self, incidents: &mut Vec<Incident>) {
        for (site, after) in (0..self.setup.regions.len()).zip(1..) {
            let at = Moment::after(HEALED + Duration::from_secs(5 + after));
            let site = Site(u8::try_from(site).unwrap_or(0));
            incidents.push(Incident { at, step: None, until: None, fault: Fault::Word(site, Word::Resume) });
        }
        if self.rng.bool() {
            let fault = Fault::Dark(self.site());
            incidents.push(Incident { at: Moment::after(LOSS), step: None, until: None, fault });
        }
    }

    /// Clocks that go wrong do so from the start: a monotonic clock does not jump.
    fn drifts(&mut self) -> Vec<Incident> {
        if self.rng.u32(..4) > 0 {
            return Vec::new();
        }
        let hosts = (0..self.setup.regions.len()).filter_map(|host| u16::try_from(host).ok());
        let hosts: Vec<u16> = hosts.chain([u16::MAX]).collect();
        let incident = |host| {
            let fault = Fault::Drift(host, self.rng.i64(-500..=500));
            Incident { at: Moment::START, step: None, until: None, fault }
        };
        hosts.into_iter().map(incident).collect()
    }

    fn between(&mut self, from: Duration, to: Duration) -> Moment {
        Moment(self.rng.u64(micros(from)..micros(to)))
    }

    /// Short and long ones equally often.
    fn duration(&mut self) -> Duration {
        let longest = [1, 5, 20, 70][self.rng.usize(..4)];
        Duration::from_millis(self.rng.u64(50..longest * 1_000))
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> Option<&'t T> {
        if all.is_empty() { None } else { all.get(self.rng.usize(..all.len())) }
    }

    fn site(&mut self) -> Site {
        Site(u8::try_from(self.rng.usize(..self.setup.regions.len())).unwrap_or(0))
    }

    fn site_or_outside(&mut self) -> Site {
        Site(u8::try_from(self.rng.usize(..=self.setup.regions.len())).unwrap_or(0))
    }

    fn process(&mut self) -> u16 {
        u16::from(self.site().0)
    }

    fn gate(&mut self) -> Option<u16> {
        let gates = self.setup.gates().count();
        let index = (gates > 0).then(|| self.rng.usize(..gates))?;
        u16::try_from(index).ok().map(|index| GATES + index)
    }

    fn server(&mut self) -> Option<usize> {
        let count = self.setup.name_servers.len();
        (count > 0).then(|| self.rng.usize(..count))
    }

    fn name_server(&mut self) -> Option<Fault> {
        let late = Manner::Late(self.duration());
        let manner = *self.of(&[Manner::Silent, Manner::Refuses, Manner::Forgets, late])?;
        Some(Fault::NameServer(self.server()?, manner))
    }

    fn member(&mut self) -> Option<Fault> {
        let slow = Condition::Slow(Duration::from_millis(self.rng.u64(100..3_000)));
        let flaps = Condition::Flaps(Duration::from_millis(self.rng.u64(500..20_000)));
        let all = [Condition::Down, Condition::Hangs, slow, Condition::Wrong, flaps];
        let condition = *self.of(&all)?;
        let member = self.rng.usize(..self.setup.members.len().max(1));
        Some(Fault::Member(member, condition))
    }

    fn service(&mut self) -> Option<ServiceKey> {
        let keys: Vec<&ServiceKey> = self.setup.services.keys().collect();
        self.of(&keys).map(|key| (*key).clone())
    }

    fn region(&mut self) -> Option<RegionName> {
        let regions = &self.setup.regions;
        self.of(regions).cloned()
    }

    fn edit(&mut self) -> Option<Fault> {
        let (service, region) = (self.service()?, self.region()?);
        let edit = match self.rng.u32(..7) {
            0 => Edit::Maintenance(service, region),
            1 => Edit::RegionMaintenance(region),
            2 => Edit::Weights(service),
            3 => Edit::Capacity(service, region, self.rng.i32(1..2_000)),
            4 => Edit::GlobalStop(region),
            5 => self.address(service, region)?,
            _ => Edit::Delete(service),
        };
        let site = self.site();
        Some(Fault::Edit(self.rng.bool().then_some(site), edit))
    }

    /// A member has another address: its own with one bit turned.
    fn address(&self, service: ServiceKey, region: RegionName) -> Option<Edit> {
        let of_service = &self.setup.services.get(&service)?.addresses;
        let other = match *of_service.get(&region)?.iter().next()? {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from(u32::from(address) ^ 0x80)),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) ^ 0x80)),
        };
        Some(Edit::Address(service, region, other))
    }

    fn switchover(&mut self) -> Option<Fault> {
        let (service, to) = (self.service()?, self.region()?);
        Some(Fault::Switchover(self.site(), service, Some(to), self.rng.u32(..4) == 0))
    }

    fn drill(&mut self) -> Option<Fault> {
        let hold = self.rng.u64(1..25);
        let wish = DrillWish {
            service: self.service()?,
            group: self.rng.u32(..3) == 0,
            hold: Duration::from_secs(hold),
            max_duration: Duration::from_secs(hold + self.rng.u64(5..60)),
            approvals: [0, 0, 0, 1, 2][self.rng.usize(..5)],
            dry_run: self.rng.u32(..8) == 0,
        };
        Some(Fault::Drill(self.site(), wish))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::builtin;

    #[test]
    fn every_fault_is_over_when_all_is_healed_but_for_clocks_that_drift_and_a_region_that_is_lost_for_good() {
        let (setup, healed) = (builtin(), Moment::after(HEALED));
        let lasting = (0..500).flat_map(|seed| draw(&setup, seed).incidents);
        for incident in lasting.filter(|incident| incident.until.is_some()) {
            let asleep = match &incident.fault {
                Fault::FreezeAtEffect(.., time) => *time,
                _ => Duration::ZERO,
            };
            assert!(incident.until.is_some_and(|until| until.plus(asleep) <= healed), "{incident:?}");
        }
    }
}

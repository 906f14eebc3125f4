//! Faults that belong together: what goes wrong in the wake of something else, at the moment in which it hurts most.
//! Drawn one by one they would hardly ever meet.

use std::{cmp::Reverse, ops::Range, time::Duration};

use super::{BEGIN, Dice, HEALED};
use crate::{
    domain::{RegionName, ServiceKey, StepKind, Topology},
    sim::{
        fault::{DrillWish, Edit, Fault, Incident, LEADER},
        members::Condition,
        moment::{Moment, micros},
        network::Site,
        process::{GATES, RESTART_AFTER},
    },
};

/// Makes faults that belong together, from a moment on. `None`: there are too few regions for them.
type Maker = fn(&mut Dice<'_>, Moment) -> Option<Vec<Incident>>;

/// Latest begin: the longest of them last for some 90 s.
const LATEST: Duration = Duration::from_secs(60);

const TOGETHER: &[Maker] = &[
    lease_ends_in_a_move,
    stale_leader,
    target_fails_meanwhile,
    old_words,
    drill_in_a_loss,
    drill_in_trouble,
    gate_out_of_reach,
    gate_wakes_up_late,
    gate_goes_on_by_promises,
    specs_apart,
];

/// What comes alone only. With another fault the liar would see one of the regions turn bad earlier, and whom nobody
/// contradicts on a second region, and not at once, cannot be told from somebody who sees right.
const ALONE: &[Maker] = &[liar_without_contradiction];

impl Dice<'_> {
    /// `false`: there are too few regions for what was drawn.
    pub(super) fn together(&mut self, alone: bool, incidents: &mut Vec<Incident>) -> bool {
        let at = self.between(BEGIN, LATEST);
        let makers: Vec<Maker> = TOGETHER.iter().chain(ALONE.iter().filter(|_| alone)).copied().collect();
        let make = makers[self.rng.usize(..makers.len())];
        let made = make(self, at);
        let any = made.is_some();
        incidents.extend(made.into_iter().flatten());
        any
    }

    fn seconds(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range.start * 1_000..range.end * 1_000))
    }

    /// A service that is served in one region, a region to which it can go, and another one of its regions.
    fn targets(&mut self) -> Option<(ServiceKey, RegionName, RegionName)> {
        let setup = self.setup;
        let services = setup.services.values().map(|parsed| &parsed.service);
        let of_one: Vec<_> = services.filter(|service| service.topology == Topology::ActiveStandby).collect();
        let service = self.of(&of_one)?;
        let mut members: Vec<_> = service.members.iter().collect();
        members.sort_by_key(|(_, member)| Reverse(member.weight));
        let (home, others) = members.split_first_mut()?;
        self.rng.shuffle(others);
        let ((target, _), others) = others.split_first()?;
        let others: Vec<_> = others.iter().chain([&*home]).collect();
        let (other, _) = self.of(&others)?;
        Some((service.key.clone(), (*target).clone(), (*other).clone()))
    }

    /// The region in which a service is served while all is well.
    fn home(&self, service: &ServiceKey) -> Option<RegionName> {
        let members = &self.setup.services.get(service)?.service.members;
        members.iter().max_by_key(|(_, member)| member.weight).map(|(region, _)| region.clone())
    }

    /// The gates of a service with their sites: first that of the preferred member, the others in any order.
    fn gates(&mut self) -> Vec<(u16, Site)> {
        let setup = self.setup;
        let services: Vec<_> =
            setup.services.values().filter(|parsed| parsed.service.gate().is_some()).collect();
        let Some(parsed) = self.of(&services).copied() else { return Vec::new() };
        let weight =
            |site| setup.region(site).and_then(|region| parsed.service.members.get(region)).map(|m| m.weight);
        let numbered = (GATES..).zip(setup.gates()).filter(|(_, place)| place.service == parsed.service.key);
        let mut gates: Vec<(u16, Site)> = numbered.map(|(number, place)| (number, place.site)).collect();
        gates.sort_by_key(|(_, site)| Reverse(weight(*site)));
        self.rng.shuffle(gates.get_mut(1..).unwrap_or_default());
        gates
    }

    /// A drill that needs nobody's yes.
    fn wish(&mut self) -> Option<DrillWish> {
        let hold = self.seconds(1..20);
        Some(DrillWish {
            service: self.service()?,
            group: self.rng.u32(..4) == 0,
            hold,
            max_duration: hold + self.seconds(20..60),
            approvals: 0,
            dry_run: false,
        })
    }

    /// The places of all regions, in any order.
    fn shuffled(&mut self) -> Vec<Site> {
        let mut sites: Vec<Site> = (0..u8::MAX).map(Site).take(self.setup.regions.len()).collect();
        self.rng.shuffle(&mut sites);
        sites
    }
}

fn lasting(at: Moment, time: Duration, fault: Fault) -> Incident {
    Incident { at, step: None, until: Some(at.plus(time).min(Moment::after(HEALED))), fault }
}

fn once(at: Moment, fault: Fault) -> Incident {
    Incident { at, step: None, until: None, fault }
}

/// The leader stands still in the middle of a move for longer than its lease. Meanwhile the ledger is lost, so nobody else
/// leads yet when it goes on.
fn lease_ends_in_a_move(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let (service, target, _) = dice.targets()?;
    let step = *dice.of(&[StepKind::Precheck, StepKind::RaiseEpoch, StepKind::ShiftTraffic])?;
    let time = dice.setup.lease_ttl.mul_f64(0.7 + dice.rng.f64());
    let earlier = Duration::from_millis(dice.rng.u64(..1_000));
    Some(vec![
        once(at, Fault::Switchover(dice.site(), service, Some(target), false)),
        Incident { step: Some(step), ..lasting(at, time, Fault::Freeze(LEADER)) },
        Incident { step: Some(step), ..lasting(at, time.saturating_sub(earlier), Fault::LedgerDown) },
    ])
}

/// The leader stands still in the middle of a move for long. Another one goes on, a person wants the next move, and the
/// first wakes up between its decision and its effect.
fn stale_leader(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let (service, first, second) = dice.targets()?;
    let step = *dice.of(&[StepKind::RaiseEpoch, StepKind::ShiftTraffic, StepKind::ShiftTraffic])?;
    let time = dice.seconds(15..45);
    let freeze = Fault::FreezeAtEffect(LEADER, dice.rng.u32(..3), dice.rng.u32(..4) == 0, time);
    let again = at.plus(dice.seconds(8..30));
    Some(vec![
        once(at, Fault::Switchover(dice.site(), service.clone(), Some(first), false)),
        Incident { step: Some(step), ..lasting(at, time, freeze) },
        once(again, Fault::Switchover(dice.site(), service, Some(second), false)),
    ])
}

/// The ledger is lost in the middle of a move, and when it is back, who should take over has failed.
fn target_fails_meanwhile(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let (service, target, _) = dice.targets()?;
    let site = dice.setup.site(&target)?;
    let mut members = dice.setup.members.iter();
    let member = members.position(|place| place.service == service && place.site == site)?;
    let condition = *dice.of(&[Condition::Down, Condition::Hangs, Condition::Wrong])?;
    let step = *dice.of(&[StepKind::Precheck, StepKind::RaiseEpoch])?;
    let (lost, longer) = (dice.seconds(20..50), dice.seconds(10..40));
    let asked = Fault::Switchover(dice.site(), service, Some(target), false);
    Some(vec![
        once(at, asked),
        Incident { step: Some(step), ..lasting(at, lost, Fault::LedgerDown) },
        Incident { step: Some(step), ..lasting(at, lost + longer, Fault::Member(member, condition)) },
    ])
}

/// A vantage rightly sees a region fail, and is gone. When it is back it does not speak at once, its old words are still in
/// the ledger, and one other vantage alone sees the region fail.
fn old_words(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let [speaker, other, accused, ..] = dice.shuffled()[..] else { return None };
    let process = u16::from(speaker.0);
    let (speaks, gone, stays) = (dice.seconds(12..25), dice.seconds(26..42), dice.seconds(10..30));
    let (leaves, back) = (at.plus(speaks), at.plus(speaks + gone));
    let silent = match dice.rng.u32(..3) {
        0 => Fault::ApiDown(speaker),
        1 => Fault::Edit(Some(speaker), Edit::Delete(dice.service()?)),
        _ => Fault::Slow(speaker, dice.seconds(1..4)),
    };
    let goes = if dice.rng.bool() { Fault::Crash(process) } else { Fault::Freeze(process) };
    let ahead = dice.seconds(3..12);
    Some(vec![
        lasting(at, speaks, Fault::Cut(speaker, accused)),
        lasting(leaves, gone, goes),
        lasting(leaves, gone + stays, silent),
        lasting(Moment(back.0 - micros(ahead)), ahead + stays, Fault::Cut(other, accused)),
    ])
}

/// A region is lost, and somebody wants a drill of what is left.
fn drill_in_a_loss(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let [lost, asked, ..] = dice.shuffled()[..] else { return None };
    let wish = dice.wish()?;
    let wanted = at.plus(dice.seconds(18..50));
    Some(vec![lasting(at, dice.seconds(50..80), Fault::Dark(lost)), once(wanted, Fault::Drill(asked, wish))])
}

/// A writer is to move, and its gate does not hear of it: it stands still, or is cut off from the ledger, or its words come late.
fn gate_out_of_reach(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let [(gate, site), (_, target), ..] = dice.gates()[..] else { return None };
    let (place, region) = (dice.setup.gates().nth(usize::from(gate - GATES))?, dice.setup.region(target)?);
    let asked = Fault::Switchover(dice.site(), place.service.clone(), Some(region.clone()), false);
    let trouble = [
        Fault::Freeze(gate),
        Fault::LedgerCutOff(site),
        Fault::Slow(site, dice.seconds(1..4)),
        Fault::FreezeAtEffect(gate, dice.rng.u32(..3), dice.rng.bool(), dice.seconds(1..12)),
    ];
    let trouble = dice.of(&trouble)?.clone();
    let before = Moment(at.0.saturating_sub(micros(dice.seconds(0..3))));
    Some(vec![lasting(before, dice.seconds(2..25), trouble), once(at, asked)])
}

/// A gate dies and is started again. It reads that its region serves, stands still before it takes the lease, and wakes up when
/// the move is over, before the gate of the new region, which slept as well.
fn gate_wakes_up_late(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let [(gate, _), (_, target), ..] = dice.gates()[..] else { return None };
    let (place, region) = (dice.setup.gates().nth(usize::from(gate - GATES))?, dice.setup.region(target)?);
    let asked = Fault::Switchover(dice.site(), place.service.clone(), Some(region.clone()), false);
    let (dead, asleep) = (dice.seconds(1..6), dice.seconds(4..20));
    let starts = at.plus(dead + RESTART_AFTER);
    let mut made = vec![
        lasting(at, dead, Fault::Crash(gate)),
        lasting(at, dead + RESTART_AFTER + asleep, Fault::FreezeAtEffect(gate, 0, false, asleep)),
        once(starts.plus(dice.seconds(0..3)), asked),
    ];
    let longer = dice.seconds(1..10);
    let others = dice.gates().into_iter().filter(|(other, _)| *other != gate);
    made.extend(others.map(|(other, _)| lasting(starts, asleep + longer, Fault::Freeze(other))));
    Some(made)
}

/// A gate goes on by promises, because its site does not reach the ledger, when its writer is to move; perhaps somebody who promised
/// dies and is started again, is cut off from the gate, or hears no news either.
fn gate_goes_on_by_promises(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let [(gate, site), (_, target), ..] = dice.gates()[..] else { return None };
    let (place, region) = (dice.setup.gates().nth(usize::from(gate - GATES))?, dice.setup.region(target)?);
    let asked = Fault::Switchover(target, place.service.clone(), Some(region.clone()), false);
    let wanted = at.plus(dice.seconds(4..20));
    let lost = dice.of(&[Fault::LedgerCutOff(site), Fault::LedgerCutOff(site), Fault::LedgerDown])?.clone();
    let lasts = dice.seconds(12..45);
    let mut made = vec![lasting(at, lasts, lost), once(wanted, asked)];
    let other = dice.shuffled().into_iter().find(|other| *other != site && *other != target)?;
    if dice.rng.bool() {
        made.push(lasting(at.plus(dice.seconds(0..8)), lasts, Fault::LedgerCutOff(other)));
    }
    let trouble = [Fault::Crash(LEADER), Fault::Cut(site, target), Fault::Crash(u16::from(target.0))];
    if dice.rng.bool() {
        let (trouble, begins) = (dice.of(&trouble)?.clone(), at.plus(dice.seconds(0..30)));
        made.push(lasting(begins, dice.seconds(1..20), trouble));
    }
    Some(made)
}

/// A spec is edited in one cluster, then perhaps in another one and in all, and taken back in another order. Meanwhile the
/// lead goes round, and who serves fails.
fn specs_apart(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let (service, target, other) = dice.targets()?;
    let home = dice.home(&service)?;
    let edits = [
        Edit::Maintenance(service.clone(), target),
        Edit::Weights(service.clone()),
        dice.address(service.clone(), home.clone())?,
        dice.address(service, other)?,
    ];
    let edit = dice.of(&edits)?.clone();
    let mut made = Vec::new();
    let mut begins = at;
    for site in dice.shuffled() {
        made.push(lasting(begins, dice.seconds(20..80), Fault::Edit(Some(site), edit.clone())));
        begins = begins.plus(dice.seconds(0..40));
        if dice.rng.u32(..3) == 0 {
            break;
        }
    }
    let mut members = dice.setup.members.iter();
    let site = dice.setup.site(&home)?;
    let member = members.position(|place| Some(&place.service) == edit.service() && place.site == site)?;
    let fails = at.plus(dice.seconds(0..45));
    let dies = at.plus(dice.seconds(0..20));
    made.push(lasting(fails, dice.seconds(10..40), Fault::Member(member, Condition::Down)));
    if dice.rng.bool() {
        made.push(lasting(dies, dice.seconds(1..15), Fault::Crash(LEADER)));
    }
    if let Some(server) = dice.server().filter(|_| dice.rng.bool()) {
        made.push(lasting(at, dice.seconds(5..60), Fault::Restored(server)));
    }
    Some(made)
}

/// A drill begins to move a service, and nobody goes on with it for a while. Then a person stops it, perhaps.
fn drill_in_trouble(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let wish = dice.wish()?;
    let time = dice.seconds(2..15);
    let trouble = [Fault::Freeze(LEADER), Fault::Crash(LEADER), Fault::LedgerDown];
    let trouble = dice.of(&trouble)?.clone();
    let step = *dice.of(&[StepKind::Precheck, StepKind::RaiseEpoch, StepKind::ShiftTraffic])?;
    let mut made = vec![
        once(at, Fault::Drill(dice.site(), wish)),
        Incident { step: Some(step), ..lasting(at, time, trouble) },
    ];
    if dice.rng.bool() {
        let stopped = at.plus(dice.seconds(3..40));
        made.push(once(stopped, Fault::AbortDrills(dice.site())));
    }
    Some(made)
}

/// A vantage lies of two regions. Of one of them nobody contradicts it: its own Bongsu is gone, and for the third vantage
/// the link to it is cut. The lie is over before the rest is.
fn liar_without_contradiction(dice: &mut Dice<'_>, at: Moment) -> Option<Vec<Incident>> {
    let liar = dice.liar;
    let mut others = dice.shuffled();
    others.retain(|site| u16::from(site.0) != liar);
    let [accused, witness, ..] = others[..] else { return None };
    let (time, before, longer) = (dice.seconds(38..65), dice.seconds(1..15), dice.seconds(3..20));
    let lies = at.plus(before);
    Some(vec![
        lasting(at, before + time + longer, Fault::Crash(u16::from(accused.0))),
        lasting(lies, time, Fault::Lies(liar)),
        lasting(lies.plus(dice.seconds(1..25)), time + longer, Fault::Cut(witness, accused)),
    ])
}

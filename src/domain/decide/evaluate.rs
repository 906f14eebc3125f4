//! What every rule says about what is wanted.

use super::wanted::Wanted;
use crate::domain::{
    Evaluation, Fence, MemberHealth, Mode, Move, Observation, Published, RegionName, Rule, RuleOutcome,
    Topology, Trigger, Why, WriterLease, is_fresh,
};
use crate::planted::planted;

/// Every rule in the fixed order. With nothing wanted, all but the first do not apply.
pub(super) fn evaluate(seen: &Observation, wanted: &Wanted) -> Vec<Evaluation> {
    let Some(trigger) = wanted.trigger else {
        return nothing_wanted(seen, wanted.note.clone().unwrap_or(Why::NothingToDo));
    };
    Rule::ALL
        .into_iter()
        .map(|rule| {
            let (outcome, why) = one(rule, seen, wanted, trigger);
            Evaluation { rule, outcome, why }
        })
        .collect()
}

/// Nothing is wanted; but who cannot say whether it is, because members are unknown, is blocked and says so.
fn nothing_wanted(seen: &Observation, note: Why) -> Vec<Evaluation> {
    let blind = matches!(note, Why::ServingUnknown { .. });
    let said = |rule| match rule {
        Rule::MoveNeeded if blind => (RuleOutcome::Block, note.clone()),
        Rule::MoveNeeded => (RuleOutcome::NotApplicable, note.clone()),
        Rule::VantagesTrusted if blind => vantages_trusted(seen),
        _ => (RuleOutcome::NotApplicable, Why::NothingToDo),
    };
    let all = Rule::ALL.into_iter();
    all.map(|rule| (rule, said(rule)))
        .map(|(rule, (outcome, why))| Evaluation { rule, outcome, why })
        .collect()
}

type Said = (RuleOutcome, Why);

const FINE: Said = (RuleOutcome::Pass, Why::Fine);

const fn not_for(trigger: Trigger) -> Said {
    (RuleOutcome::NotApplicable, Why::NotFor(trigger))
}

fn one(rule: Rule, seen: &Observation, wanted: &Wanted, trigger: Trigger) -> Said {
    match rule {
        Rule::MoveNeeded => match &wanted.note {
            Some(misfit) => (RuleOutcome::Block, misfit.clone()),
            None => (RuleOutcome::Pass, Why::Wanted(trigger)),
        },
        Rule::NoOtherRun => match seen.record.as_ref().and_then(|record| record.run.clone()) {
            Some(run) => (RuleOutcome::Block, Why::Running(run)),
            None => FINE,
        },
        Rule::NameUnclaimed => name_unclaimed(seen),
        Rule::GlobalStop if !trigger.is_automatic() && !trigger.can_wait() => not_for(trigger),
        Rule::GlobalStop => match &seen.switches.global_stop {
            Some((region, reason)) => {
                (RuleOutcome::Block, Why::Stopped { region: region.clone(), reason: reason.clone() })
            }
            None => FINE,
        },
        Rule::Mode if !trigger.is_automatic() => not_for(trigger),
        Rule::Mode => mode(seen.service.failover.mode),
        Rule::SpecInSync => spec_in_sync(seen, trigger),
        Rule::VantagesTrusted if !trigger.is_automatic() && !trigger.can_wait() => not_for(trigger),
        Rule::VantagesTrusted => vantages_trusted(seen),
        Rule::DependencyHealthy if !trigger.is_unplanned() && !trigger.can_wait() => not_for(trigger),
        Rule::DependencyHealthy => match seen.dependencies_down.first() {
            Some(down) => (RuleOutcome::Block, Why::DependencyDown(down.clone())),
            None => FINE,
        },
        Rule::TargetAvailable => target_available(seen, wanted, trigger),
        Rule::WriterFenced if !trigger.is_unplanned() => not_for(trigger),
        Rule::WriterFenced => writer_fenced(seen),
        Rule::NeverEmpty => never_empty(seen, wanted.change.as_ref(), trigger),
        Rule::Capacity if trigger == Trigger::Establish => not_for(trigger),
        Rule::Capacity => enough_capacity(seen, wanted.change.as_ref()),
        Rule::Cooldown => cooldown(seen, wanted.change.as_ref(), trigger),
        Rule::DrillFresh if !trigger.is_unplanned() => not_for(trigger),
        Rule::DrillFresh => drill_fresh(seen),
        Rule::RegionBudget | Rule::GroupBudget if !trigger.is_unplanned() => not_for(trigger),
        Rule::RegionBudget => budget(seen, wanted, trigger, false),
        Rule::GroupBudget => budget(seen, wanted, trigger, true),
    }
}

fn name_unclaimed(seen: &Observation) -> Said {
    if let Some(other) = &seen.switches.name_claimed_by {
        return (RuleOutcome::Block, Why::ClaimedBy(other.clone()));
    }
    let asked = seen.request.is_some();
    match &seen.published {
        _ if seen.record.is_some() => FINE,
        Published::Nothing | Published::Members { .. } => FINE,
        // A person who names the region knows what he replaces.
        Published::Foreign { .. } if asked => FINE,
        other => (RuleOutcome::Block, Why::Published(other.clone())),
    }
}

const fn mode(mode: Mode) -> Said {
    let outcome = match mode {
        Mode::Automatic => RuleOutcome::Pass,
        Mode::Approve | Mode::Recommend => RuleOutcome::Recommend,
        Mode::Manual => RuleOutcome::Block,
    };
    (outcome, Why::Mode(mode))
}

/// Nothing starts by itself on a spec that most regions do not hold: the next leader would hold another one and undo it. A
/// person who asks, and a drill that brings back what it took away, are told of it and not kept waiting.
fn spec_in_sync(seen: &Observation, trigger: Trigger) -> Said {
    let asked = seen.request.is_some() && !trigger.can_wait();
    let outcome = match (seen.specs.is_most(), asked) {
        (true, _) => RuleOutcome::Pass,
        (false, true) => RuleOutcome::NotApplicable,
        (false, false) if planted!(SpecsNotCompared) => RuleOutcome::Pass,
        (false, false) => RuleOutcome::Block,
    };
    (outcome, Why::Specs(seen.specs.clone()))
}

fn vantages_trusted(seen: &Observation) -> Said {
    let count = |test: fn(bool, bool) -> bool| {
        let found = seen.vantages.iter().filter(|v| test(v.alive, v.suspect)).count();
        u32::try_from(found).unwrap_or(u32::MAX)
    };
    let trusted = count(|alive, suspect| alive && !suspect);
    let suspect = count(|alive, suspect| alive && suspect);
    let quorum = seen.service.health.quorum;
    let outcome = if trusted >= quorum { RuleOutcome::Pass } else { RuleOutcome::Block };
    (outcome, Why::Vantages { trusted, suspect, quorum })
}

/// A new service is written down as it is served; every other move needs members that can take over.
fn target_available(seen: &Observation, wanted: &Wanted, trigger: Trigger) -> Said {
    if trigger == Trigger::Establish {
        return not_for(trigger);
    }
    let refused = || (RuleOutcome::Block, Why::NoTarget { candidate: wanted.refused.clone() });
    match &wanted.change {
        None => refused(),
        Some(_) if trigger.is_wish() && wanted.refused.is_some() => refused(),
        Some(change) => {
            let healthy = |region: &RegionName| seen.health_in(region) == MemberHealth::Healthy;
            let why = match (change.joining().find(|region| !healthy(region)), change.joining().next()) {
                (Some(region), _) => Why::LastResort(region.clone(), seen.health_in(region)),
                (None, Some(region)) => Why::Target(region.clone()),
                (None, None) => Why::Fine,
            };
            (RuleOutcome::Pass, why)
        }
    }
}

/// A person who starts the move can look whether the old writer has stopped; Bongsu cannot, where there is no gate, or where
/// the one who would look does not answer.
fn writer_fenced(seen: &Observation) -> Said {
    match (&seen.service.fence, &seen.writer) {
        (None, _) => (RuleOutcome::NotApplicable, Why::NoGate),
        (Some(Fence::Workload(_)), _) => match seen.unconfirmed() {
            Some(region) => (RuleOutcome::Recommend, Why::NobodyConfirms(region.clone())),
            None => (RuleOutcome::Pass, Why::WorkloadStops),
        },
        (Some(Fence::Gate(_)), WriterLease::NeverSeen) => (RuleOutcome::Recommend, Why::GateNeverSeen),
        (Some(Fence::Gate(_)), WriterLease::Held(_) | WriterLease::Free | WriterLease::Promised(_)) => {
            (RuleOutcome::Pass, Why::Gated)
        }
    }
}

fn never_empty(seen: &Observation, change: Option<&Move>, trigger: Trigger) -> Said {
    let Some(change) = change else { return (RuleOutcome::Block, Why::Empty) };
    if trigger == Trigger::Establish {
        let outcome = if change.to.is_empty() { RuleOutcome::Block } else { RuleOutcome::Pass };
        return (outcome, Why::Left { members: count(change.to.len()) });
    }
    let carrying = |region: &RegionName| seen.health_in(region).carries();
    match change.to.iter().filter(|region| carrying(region)).count() {
        0 if !planted!(EmptyWhenAllDown) => (RuleOutcome::Block, Why::Empty),
        members => (RuleOutcome::Pass, Why::Left { members: count(members) }),
    }
}

fn count(members: usize) -> u32 {
    u32::try_from(members).unwrap_or(u32::MAX)
}

/// A move that takes nobody away cannot overload anybody.
fn enough_capacity(seen: &Observation, change: Option<&Move>) -> Said {
    let (Some(load), Some(change)) = (seen.service.peak_load, change) else {
        return (RuleOutcome::NotApplicable, Why::LoadUnknown);
    };
    let left = if planted!(CapacityBeforeDrain) { &change.from } else { &change.to };
    let capacity = seen.capacity(left);
    let enough = capacity.is_none_or(|capacity| capacity >= load);
    let takes_away = change.leaving().next().is_some() || seen.service.topology == Topology::ActiveStandby;
    let outcome = if enough || !takes_away { RuleOutcome::Pass } else { RuleOutcome::Block };
    (outcome, Why::Load { capacity, load })
}

/// Armed by completed automatic moves only, and passed by the loss of a region: a guard that blocks the real failover
/// is the oldest fault of this kind of software. A drain passes as well: it only takes out what is down, and since the way
/// back is held, a service cannot go to and fro by it.
fn cooldown(seen: &Observation, change: Option<&Move>, trigger: Trigger) -> Said {
    match trigger {
        Trigger::MemberDown if change.is_some_and(|change| change.joining().next().is_none()) => {
            (RuleOutcome::Pass, Why::DrainPasses)
        }
        Trigger::RegionLost => (RuleOutcome::Pass, Why::RegionLossPasses),
        Trigger::Failback if planted!(FailbackIgnoresCooldown) => FINE,
        Trigger::MemberDown | Trigger::Failback => {
            let last = seen.record.as_ref().and_then(|record| record.last_automatic);
            let left = last.map(|last| seen.service.failover.cooldown.saturating_sub(seen.wall.since(last)));
            match left {
                Some(left) if !left.is_zero() => (RuleOutcome::Block, Why::Cooldown { left }),
                _ => FINE,
            }
        }
        Trigger::Establish | Trigger::Manual | Trigger::SpecChanged | Trigger::Drill | Trigger::Return => {
            not_for(trigger)
        }
    }
}

fn drill_fresh(seen: &Observation) -> Said {
    let Some(limit) = seen.service.failover.max_drill_age else { return FINE };
    let age = seen.last_drill.map(|last| seen.wall.since(last));
    let fresh = is_fresh(seen.last_drill, limit, seen.wall);
    (if fresh { RuleOutcome::Pass } else { RuleOutcome::Recommend }, Why::Drill { age, limit })
}

/// The tightest budget of the regions that are left. A confirmed loss uses the evacuation budget instead.
fn budget(seen: &Observation, wanted: &Wanted, trigger: Trigger, of_group: bool) -> Said {
    if of_group && (trigger == Trigger::RegionLost || seen.service.part_of.is_none()) {
        return not_for(trigger);
    }
    let leaves = |region: &RegionName| wanted.change.as_ref().is_some_and(|change| change.leaves(region));
    let mut said = FINE;
    for (region, limits, used) in seen.budgets.iter().filter(|(region, ..)| leaves(region)) {
        let (exceeded, why) = if trigger == Trigger::RegionLost {
            let why = Why::Evacuation { region: region.clone(), used: used.evacuating, limits: *limits };
            (used.evacuating >= limits.evacuating, why)
        } else {
            let (used, limit) = match of_group {
                true => (used.moves_of_group, limits.moves_per_group),
                false => (used.moves, limits.moves),
            };
            (used >= limit, Why::Budget { region: region.clone(), used, limit, per: limits.per })
        };
        if exceeded {
            return (RuleOutcome::Block, why);
        }
        said = (RuleOutcome::Pass, why);
    }
    said
}

//! What is wanted, before any rule is asked.

use std::collections::BTreeSet;

use crate::domain::{
    MemberHealth, MemberView, Move, Observation, Published, Record, RegionName, Request, TargetRefusal,
    Topology, Trigger, Why,
};
use crate::planted::planted;

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    /// The move; `None`: nothing, or there is nowhere to go.
    pub change: Option<Move>,
    /// Why a move is wanted; `None`: it is not.
    pub trigger: Option<Trigger>,
    /// Why nothing is wanted, or what does not fit.
    pub note: Option<Why>,
    /// The best candidate that cannot take over, and why.
    pub refused: Option<(RegionName, TargetRefusal)>,
}

impl Wanted {
    const fn nothing(note: Why) -> Self {
        Self { change: None, trigger: None, note: Some(note), refused: None }
    }
}

/// A person's wish comes first, then a loss, then a changed spec, then the way back.
pub(super) fn wanted(seen: &Observation) -> Wanted {
    let Some(record) = &seen.record else { return establish(seen) };
    if let Some(serving) = seen.overtaken_by() {
        return taken_over(record.serving.clone(), serving.clone());
    }
    if let Some(request) = &seen.request {
        return asked(seen, record, request);
    }
    let lost: BTreeSet<RegionName> = record.serving.iter().filter(|r| is_down(seen, r)).cloned().collect();
    if !lost.is_empty() {
        return replace(seen, record, &lost);
    }
    spec_changed(seen, record).or_else(|| failback(seen, record)).unwrap_or_else(|| {
        let unknown = record.serving.iter().find(|r| seen.health_in(r) == MemberHealth::Unknown);
        Wanted::nothing(match unknown {
            Some(member) => Why::ServingUnknown { member: member.clone() },
            None => Why::NothingToDo,
        })
    })
}

fn is_down(seen: &Observation, region: &RegionName) -> bool {
    seen.health_in(region) == MemberHealth::Down
}

/// The service is new to the ledger: what is published now is taken over, so that installing Bongsu moves nobody.
fn establish(seen: &Observation) -> Wanted {
    let asked_for = seen.request.as_ref().and_then(|request| request.to.clone());
    let serving = match (&seen.published, asked_for) {
        (_, Some(region)) => BTreeSet::from([region]),
        (Published::Members { regions, .. }, None) if !regions.is_empty() => regions.clone(),
        (_, None) => by_spec(seen),
    };
    taken_over(BTreeSet::new(), serving)
}

/// What is published is written down, under an epoch that is newer than it.
fn taken_over(from: BTreeSet<RegionName>, to: BTreeSet<RegionName>) -> Wanted {
    let change = Move { trigger: Trigger::Establish, from, to };
    Wanted { change: Some(change), trigger: Some(Trigger::Establish), note: None, refused: None }
}

/// Who serves while all is well.
fn by_spec(seen: &Observation) -> BTreeSet<RegionName> {
    let members = &seen.service.members;
    match seen.service.topology {
        Topology::ActiveActive => {
            members.iter().filter(|(_, m)| m.weight > 0).map(|(r, _)| r.clone()).collect()
        }
        Topology::ActiveStandby => {
            by_preference(seen).into_iter().take(1).map(|m| m.region.clone()).collect()
        }
    }
}

/// Members in the order in which they are preferred.
fn by_preference(seen: &Observation) -> Vec<&MemberView> {
    let mut members: Vec<&MemberView> = seen.members.iter().collect();
    members.sort_by_key(|member| {
        let spec = seen.service.members.get(&member.region);
        spec.map_or((0, u32::MAX), |spec| (u32::MAX - spec.weight, spec.rank))
    });
    members
}

/// Something that serves is down.
fn replace(seen: &Observation, record: &Record, lost: &BTreeSet<RegionName>) -> Wanted {
    let region_lost = lost.iter().any(|r| seen.member(r).is_some_and(|member| member.region_lost));
    let trigger = if region_lost { Trigger::RegionLost } else { Trigger::MemberDown };
    let staying: BTreeSet<RegionName> = record.serving.difference(lost).cloned().collect();
    let candidate = |to| Move { trigger, from: record.serving.clone(), to };
    let (to, refused) = match seen.service.topology {
        Topology::ActiveActive => reinforce(seen, staying, lost, &candidate),
        Topology::ActiveStandby => best_target(seen, lost, &candidate),
    };
    let change = (!to.is_empty() || planted!(EmptyWhenAllDown)).then(|| candidate(to));
    Wanted { change, trigger: Some(trigger), note: None, refused }
}

/// Those who stay, and as many spares as it takes to carry the load: healthy ones first, then those of last resort.
fn reinforce(
    seen: &Observation,
    staying: BTreeSet<RegionName>,
    lost: &BTreeSet<RegionName>,
    candidate: &impl Fn(BTreeSet<RegionName>) -> Move,
) -> (BTreeSet<RegionName>, Option<(RegionName, TargetRefusal)>) {
    let mut to = staying;
    let mut refused = None;
    let spares: Vec<&MemberView> = by_preference(seen)
        .into_iter()
        .filter(|member| !to.contains(&member.region) && !lost.contains(&member.region))
        .collect();
    for last_resort in [false, true] {
        for member in &spares {
            if carries_load(seen, &to) {
                return (to, refused);
            }
            let with: BTreeSet<RegionName> = to.iter().chain([&member.region]).cloned().collect();
            let joins = match last_resort {
                false => seen.target(member),
                true => seen.joins(member, &candidate(with.clone())),
            };
            match joins {
                Ok(()) => to = with,
                Err(refusal) => {
                    refused.get_or_insert((member.region.clone(), refusal));
                }
            }
        }
    }
    (to, refused)
}

/// Whether these members serve anybody, and carry the peak if it is stated.
fn carries_load(seen: &Observation, regions: &BTreeSet<RegionName>) -> bool {
    let serves = regions.iter().any(|region| seen.health_in(region).carries());
    let enough = match (seen.service.peak_load, seen.capacity(regions)) {
        (Some(load), Some(capacity)) => capacity >= load,
        (None, _) | (_, None) => true,
    };
    serves && enough
}

/// The preferred member that can take over and carries the load; else the preferred one of last resort that carries it. Where
/// none carries it the preferred one is named, so that the rule `Capacity` says what is missing.
fn best_target(
    seen: &Observation,
    lost: &BTreeSet<RegionName>,
    candidate: &impl Fn(BTreeSet<RegionName>) -> Move,
) -> (BTreeSet<RegionName>, Option<(RegionName, TargetRefusal)>) {
    let (mut refused, mut last_resort, mut too_small) = (None, None, None);
    for member in by_preference(seen).into_iter().filter(|member| !lost.contains(&member.region)) {
        let alone = BTreeSet::from([member.region.clone()]);
        let carries = carries_load(seen, &alone);
        match seen.target(member) {
            Ok(()) if carries => return (alone, refused),
            Ok(()) => {
                too_small.get_or_insert(alone);
            }
            Err(refusal) => {
                refused.get_or_insert((member.region.clone(), refusal));
                if carries && seen.joins(member, &candidate(alone.clone())).is_ok() {
                    last_resort.get_or_insert(alone);
                }
            }
        }
    }
    (last_resort.or(too_small).unwrap_or_default(), refused)
}

/// A person asked.
fn asked(seen: &Observation, record: &Record, request: &Request) -> Wanted {
    let trigger = request.trigger;
    let misfit = |text| Wanted { trigger: Some(trigger), ..Wanted::nothing(Why::WishMisfit(text)) };
    let known = |region: &RegionName| seen.service.members.contains_key(region);
    if request.to.as_ref().is_some_and(|to| !known(to)) {
        return misfit("spec.to is no member of the service: see spec.members of the SharedService");
    }
    if request.from.as_ref().is_some_and(|from| !record.serving.contains(from)) {
        return misfit("spec.from does not serve now: see status.serving of the SharedService");
    }
    let candidate = |to| Move { trigger, from: record.serving.clone(), to };
    let to = match (seen.service.topology, &request.to) {
        (Topology::ActiveStandby, Some(to)) => BTreeSet::from([to.clone()]),
        // A drill goes where the service would be moved if that region were lost.
        (Topology::ActiveStandby, None) if trigger == Trigger::Drill => {
            let leaves = request.from.iter().cloned().collect();
            let (to, refused) = best_target(seen, &leaves, &candidate);
            if to.is_empty() {
                return Wanted { change: None, trigger: Some(trigger), note: None, refused };
            }
            to
        }
        (Topology::ActiveStandby, None) => {
            return misfit("an ActiveStandby service needs spec.to: the region that shall serve");
        }
        (Topology::ActiveActive, to) => {
            let mut serving = record.serving.clone();
            serving.extend(to.clone());
            serving.retain(|region| request.from.as_ref() != Some(region));
            serving
        }
    };
    if to == record.serving {
        return misfit("the service is served like that already: nothing to do");
    }
    let change = candidate(to);
    let refused = change.joining().find_map(|region| {
        let member = seen.member(region)?;
        seen.joins(member, &change).err().map(|refusal| (region.clone(), refusal))
    });
    Wanted { change: Some(change), trigger: Some(trigger), note: None, refused }
}

/// Members that were added, removed or got another weight. A member that a move took away is not touched: that is the
/// failback's.
fn spec_changed(seen: &Observation, record: &Record) -> Option<Wanted> {
    let members = &seen.service.members;
    let mut to: BTreeSet<RegionName> =
        record.serving.iter().filter(|r| members.contains_key(*r)).cloned().collect();
    if seen.service.topology == Topology::ActiveActive && record.away.is_empty() {
        to.retain(|region| members.get(region).is_some_and(|member| member.weight > 0));
        let new = by_spec(seen).into_iter().filter(|region| is_target(seen, region));
        to.extend(new);
    }
    let trigger = Trigger::SpecChanged;
    let candidate = |to| Move { trigger, from: record.serving.clone(), to };
    let refused = if to.is_empty() {
        let (found, refused) = best_target(seen, &BTreeSet::new(), &candidate);
        to = found;
        refused
    } else {
        None
    };
    if to == record.serving {
        return None;
    }
    let change = (!to.is_empty()).then(|| candidate(to));
    Some(Wanted { change, trigger: Some(trigger), note: None, refused })
}

fn is_target(seen: &Observation, region: &RegionName) -> bool {
    seen.member(region).is_some_and(|member| seen.target(member).is_ok())
}

/// A member that Bongsu moved away from is good again, and has been for long enough.
fn failback(seen: &Observation, record: &Record) -> Option<Wanted> {
    let after = seen.service.failover.failback_after?;
    let stable = |region: &RegionName| {
        let healthy_for = seen.member(region).and_then(|member| member.healthy_for(seen.wall));
        is_target(seen, region) && healthy_for.is_some_and(|time| time >= after)
    };
    // What a drill took away it brings back itself; if it could not, it is a member like the others.
    let drilled = |trigger: Trigger| matches!(trigger, Trigger::Drill | Trigger::Return) && !seen.in_drill;
    let ours = record.away.iter().filter(|(_, trigger)| trigger.is_automatic() || drilled(**trigger));
    let back: BTreeSet<RegionName> = ours.map(|(region, _)| region).filter(|r| stable(r)).cloned().collect();
    let to = match seen.service.topology {
        Topology::ActiveActive => record.serving.union(&back).cloned().collect(),
        Topology::ActiveStandby => preferred_of(seen, record, &back),
    };
    (to != record.serving).then(|| Wanted {
        change: Some(Move { trigger: Trigger::Failback, from: record.serving.clone(), to }),
        trigger: Some(Trigger::Failback),
        note: None,
        refused: None,
    })
}

/// The most preferred of those that serve and those that could come back.
fn preferred_of(seen: &Observation, record: &Record, back: &BTreeSet<RegionName>) -> BTreeSet<RegionName> {
    let candidates = |region: &RegionName| record.serving.contains(region) || back.contains(region);
    by_preference(seen).into_iter().map(|m| m.region.clone()).filter(candidates).take(1).collect()
}

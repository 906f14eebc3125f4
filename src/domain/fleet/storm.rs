//! A vantage that sees several regions turn bad at once: the fault is most likely its own.

use std::{collections::BTreeSet, time::Duration};

use super::ServiceReports;
use crate::domain::{RegionName, Timestamp, VantageView, Verdict};

/// A time at which a vantage saw several other regions turn bad at once.
struct Storm {
    at: Timestamp,
    resolution: Duration,
    /// It still does.
    lasts: bool,
    /// It is contradicted on both regions, whenever they turned bad.
    contradicted: bool,
}

/// How far a vantage can be believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Its word counts.
    Trusted,
    /// It sees two or more other regions turn bad at once (I6).
    InStorm,
    /// That is over, but it says something still that it began to say then. Its verdicts end one after the other, and
    /// the last of them must not count alone.
    Calmed,
}

pub(super) fn standing(
    vantage: usize,
    vantages: &[VantageView],
    regions: &BTreeSet<&RegionName>,
    services: &[ServiceReports],
) -> Standing {
    let storms = storms(vantage, vantages, regions, services);
    if storms.iter().any(|storm| storm.lasts) {
        return Standing::InStorm;
    }
    // No word is worth more for having begun earlier: the link to that region was bad, and then its own became so. What
    // began later is new, unless it is contradicted.
    let is_left_of = |storm: &Storm, onset: Timestamp| {
        storm.contradicted || onset <= storm.at || onset.distance(storm.at) <= storm.resolution
    };
    let counts = |storm: &Storm| failures(vantage, vantages, services).any(|onset| is_left_of(storm, onset));
    if storms.iter().any(counts) { Standing::Calmed } else { Standing::Trusted }
}

/// The times at which a vantage saw two or more other regions turn bad at once. "At once" is as sharp as its own
/// checks: two faults at the same moment are first seen within interval plus timeout of the slower check. Regions that are
/// not yet well again for it count whenever they turned bad, if it is contradicted on both: one may have failed in truth
/// before the vantage itself did, and its words of the two do not end at the same moment.
fn storms(
    vantage: usize,
    vantages: &[VantageView],
    regions: &BTreeSet<&RegionName>,
    services: &[ServiceReports],
) -> Vec<Storm> {
    let own = &vantages[vantage].region;
    let others = regions.iter().copied().filter(|region| *region != own);
    let turned: Vec<(Vec<Turn>, bool)> = others
        .map(|region| {
            let turns = turned_bad(vantage, region, services);
            let ailing = turns.iter().any(|turn| turn.ailing);
            (turns, ailing && is_contradicted(vantage, region, vantages, services))
        })
        .collect();
    let mut storms = Vec::new();
    for (index, (turns, alone)) in turned.iter().enumerate() {
        for (others, other_alone) in turned.iter().skip(index + 1) {
            let pairs = turns.iter().flat_map(|turn| others.iter().map(move |other| (turn, other)));
            storms.extend(pairs.filter_map(|(turn, other)| together(turn, other, *alone && *other_alone)));
        }
    }
    storms
}

/// Two regions that turned bad at once, or on both of which the vantage is contradicted.
fn together(turn: &Turn, other: &Turn, contradicted: bool) -> Option<Storm> {
    let resolution = turn.resolution.max(other.resolution);
    let lasts = match contradicted {
        true => turn.failing || other.failing,
        false => turn.failing && other.failing,
    };
    let storm = Storm { at: turn.at.max(other.at), resolution, lasts, contradicted };
    (contradicted || turn.at.distance(other.at) <= resolution).then_some(storm)
}

/// Onsets of everything outside its own region that a vantage calls failed.
fn failures<'a>(
    vantage: usize,
    vantages: &'a [VantageView],
    services: &'a [ServiceReports],
) -> impl Iterator<Item = Timestamp> + use<'a> {
    let own = &vantages[vantage].region;
    let outside = services.iter().flat_map(|s| &s.members).filter(move |(region, _)| *region != own);
    let reports = outside.filter_map(move |(_, reports)| reports.get(vantage));
    reports.filter(|r| r.verdict == Verdict::Failed).map(|report| report.onset.unwrap_or(report.since))
}

/// When a vantage saw most of a region turn bad the last time.
struct Turn {
    /// The median of the first bad samples.
    at: Timestamp,
    /// How sharp that is.
    resolution: Duration,
    /// Most of it is still bad.
    failing: bool,
    /// Most of it is bad, or good again and not yet for long enough.
    ailing: bool,
}

/// Nothing, if most of it never turned bad. Else the turn by all that is known of it; and, if they are others:
/// - the turn by what is called failed now: a place that forgot what it had said and judges anew says so one service after
///   the other, and the old moments of those that are still to come would hide that all of the new ones are the same;
/// - the moment in which the last of it turned, if nothing is left that is well: some of it may have failed in truth before
///   the vantage itself did, and more of it in one region than in the other.
fn turned_bad(vantage: usize, region: &RegionName, services: &[ServiceReports]) -> Vec<Turn> {
    let (mut onsets, mut of_failed) = (Vec::new(), Vec::new());
    let (mut judged, mut failing, mut ailing) = (0_usize, 0_usize, 0_usize);
    let mut resolution = Duration::ZERO;
    for service in services {
        let Some(report) = service.members.get(region).and_then(|reports| reports.get(vantage)) else {
            continue;
        };
        let failed = report.verdict == Verdict::Failed;
        judged += usize::from(report.verdict != Verdict::Unknown || report.onset.is_some());
        failing += usize::from(failed);
        ailing += usize::from(failed || report.verdict == Verdict::Recovering);
        if let Some(onset) = report.onset.or_else(|| failed.then_some(report.since)) {
            onsets.push(onset);
            of_failed.extend(failed.then_some(onset));
            resolution = resolution.max(service.resolution);
        }
    }
    if onsets.len() * 2 <= judged {
        return Vec::new();
    }
    let last = onsets.iter().max().copied().filter(|_| onsets.len() == judged);
    let times: BTreeSet<Timestamp> =
        [median(onsets), median(of_failed), last].into_iter().flatten().collect();
    let (failing, ailing) = (failing * 2 > judged, ailing * 2 > judged);
    times.into_iter().map(|at| Turn { at, resolution, failing, ailing }).collect()
}

fn median(mut times: Vec<Timestamp>) -> Option<Timestamp> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// Whether of the other vantages, the region's own among them, as many see most of it work as see most of it fail.
fn is_contradicted(
    accuser: usize,
    region: &RegionName,
    vantages: &[VantageView],
    services: &[ServiceReports],
) -> bool {
    let (mut fine, mut failing) = (0_usize, 0_usize);
    for vantage in (0..vantages.len()).filter(|v| vantages[*v].alive && *v != accuser) {
        let of_region = services.iter().filter_map(|service| service.members.get(region)?.get(vantage));
        let mut words = [0_usize; 2];
        for report in of_region {
            words[0] += usize::from(report.verdict.works());
            words[1] += usize::from(report.verdict == Verdict::Failed);
        }
        fine += usize::from(words[0] > words[1]);
        failing += usize::from(words[1] > words[0]);
    }
    fine > 0 && fine >= failing
}

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
    match storm(vantage, vantages, regions, services) {
        None => Standing::Trusted,
        Some(storm) if storm.lasts => Standing::InStorm,
        Some(storm) => {
            let mut left = failures(vantage, vantages, services);
            // Of a contradicted one no word is worth more for having begun earlier: the link to that region was bad, and
            // then its own became so.
            let any = left.any(|onset| storm.contradicted || onset.distance(storm.at) <= storm.resolution);
            if any { Standing::Calmed } else { Standing::Trusted }
        }
    }
}

/// The last time at which a vantage saw two or more other regions turn bad at once. "At once" is as sharp as its own
/// checks: two faults at the same moment are first seen within interval plus timeout of the slower check. Regions that are
/// not yet well again for it count whenever they turned bad, if it is contradicted on both: one may have failed in truth
/// before the vantage itself did, and its words of the two do not end at the same moment.
fn storm(
    vantage: usize,
    vantages: &[VantageView],
    regions: &BTreeSet<&RegionName>,
    services: &[ServiceReports],
) -> Option<Storm> {
    let own = &vantages[vantage].region;
    let others = regions.iter().copied().filter(|region| *region != own);
    let turned: Vec<(Turn, bool)> = others
        .filter_map(|region| {
            let turn = turned_bad(vantage, region, services)?;
            let alone = turn.ailing && is_contradicted(vantage, region, vantages, services);
            Some((turn, alone))
        })
        .collect();
    let mut last: Option<Storm> = None;
    for (index, (turn, alone)) in turned.iter().enumerate() {
        for (other, other_alone) in turned.iter().skip(index + 1) {
            let resolution = turn.resolution.max(other.resolution);
            let at = turn.at.max(other.at);
            let contradicted = *alone && *other_alone;
            if turn.at.distance(other.at) <= resolution || contradicted {
                let lasts = match contradicted {
                    true => turn.failing || other.failing,
                    false => turn.failing && other.failing,
                };
                let strictest = (lasts, contradicted, at);
                if last.as_ref().is_none_or(|last| strictest > (last.lasts, last.contradicted, last.at)) {
                    last = Some(Storm { at, resolution, lasts, contradicted });
                }
            }
        }
    }
    last
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

fn turned_bad(vantage: usize, region: &RegionName, services: &[ServiceReports]) -> Option<Turn> {
    let mut onsets = Vec::new();
    let (mut judged, mut failing, mut ailing) = (0_usize, 0_usize, 0_usize);
    let mut resolution = Duration::ZERO;
    for service in services {
        let Some(report) = service.members.get(region).and_then(|reports| reports.get(vantage)) else {
            continue;
        };
        let failed = report.verdict == Verdict::Failed;
        judged += usize::from(report.verdict != Verdict::Unknown || report.onset.is_some());
        failing += usize::from(failed);
        ailing += usize::from(failed || (report.verdict == Verdict::Degraded && report.onset.is_some()));
        if let Some(onset) = report.onset.or_else(|| failed.then_some(report.since)) {
            onsets.push(onset);
            resolution = resolution.max(service.resolution);
        }
    }
    onsets.sort_unstable();
    let at = *onsets.get(onsets.len() / 2).filter(|_| onsets.len() * 2 > judged)?;
    Some(Turn { at, resolution, failing: failing * 2 > judged, ailing: ailing * 2 > judged })
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
            match report.verdict {
                Verdict::Failed => words[1] += 1,
                Verdict::Healthy | Verdict::Degraded => words[0] += 1,
                Verdict::Unknown => {}
            }
        }
        fine += usize::from(words[0] > words[1]);
        failing += usize::from(words[1] > words[0]);
    }
    fine > 0 && fine >= failing
}

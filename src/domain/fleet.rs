//! What can only be seen across all services: which vantage is the suspect itself, and which region is lost.

mod storm;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{MemberHealth, RegionName, Report, VantageView, judge};
use crate::planted::planted;
use storm::{Standing, standing};
pub use verdict::RegionVerdict;

/// All verdicts of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceReports {
    /// Vantages that must agree.
    pub quorum: u32,
    /// The longest time from a fault to the first bad sample: interval plus timeout.
    pub resolution: Duration,
    /// Reports by member, each in the order of the vantages.
    pub members: BTreeMap<RegionName, Vec<Report>>,
}

/// What is true of all services together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    /// The vantages, in the order in which they came in, each with its standing.
    pub vantages: Vec<VantageView>,
    /// Regions that hold members.
    pub regions: BTreeMap<RegionName, RegionState>,
    /// Vantages that see several regions fail now.
    pub in_storm: BTreeSet<RegionName>,
}

/// One region.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RegionState {
    /// Members judged `Down` by the vantages outside the region.
    pub down: u32,
    /// Those of them that the region's own vantage sees work.
    pub well_inside: u32,
    /// Members judged at all.
    pub judged: u32,
    /// Its loss is confirmed.
    pub lost: bool,
}

impl Fleet {
    /// What decisions depend on: the regions that are lost and the vantages that are not trusted.
    #[must_use]
    pub fn standing(&self) -> (BTreeSet<&RegionName>, BTreeSet<&RegionName>) {
        let lost = self.regions.iter().filter(|(_, state)| state.lost).map(|(region, _)| region);
        let mistrusted = self.vantages.iter().filter(|vantage| !vantage.trusted());
        (lost.collect(), mistrusted.map(|vantage| &vantage.region).collect())
    }

    /// Whether a region is confirmed lost.
    #[must_use]
    pub fn lost(&self, region: &RegionName) -> bool {
        self.regions.get(region).is_some_and(|state| state.lost)
    }
}

/// Looks at all services. `vantages` says which are alive; `suspect` is filled in here.
///
/// A region is lost when at least two of its members are judged and all of them are down, or when its own heartbeat
/// stopped as well and more than half of them are down. The first covers 2023: the region's Bongsu was well, small
/// packets passed, and no citizen was served. The second covers a fire, where one shared check may still look good.
#[must_use]
pub fn survey(mut vantages: Vec<VantageView>, services: &[ServiceReports]) -> Fleet {
    let regions = regions(services);
    let standings: Vec<Standing> =
        (0..vantages.len()).map(|v| standing(v, &vantages, &regions, services)).collect();
    let mut in_storm = BTreeSet::new();
    for (vantage, standing) in vantages.iter_mut().zip(standings) {
        vantage.suspect = match standing {
            Standing::Trusted => false,
            Standing::InStorm => !planted!(SuspectVotes),
            Standing::Calmed => !planted!(SuspectVotes | SuspicionEndsEarly),
        };
        if standing == Standing::InStorm {
            in_storm.insert(vantage.region.clone());
        }
    }
    let states = regions.into_iter().map(|region| (region.clone(), state(region, &vantages, services)));
    Fleet { regions: states.collect(), vantages, in_storm }
}

/// Regions that hold members. Not collected: that would sort thousands of names to find a handful.
fn regions(services: &[ServiceReports]) -> BTreeSet<&RegionName> {
    let mut regions = BTreeSet::new();
    for region in services.iter().flat_map(|service| service.members.keys()) {
        regions.insert(region);
    }
    regions
}

/// What the vantages outside a region say of it.
fn state(region: &RegionName, vantages: &[VantageView], services: &[ServiceReports]) -> RegionState {
    let alive_outside = |v: &VantageView| v.alive && v.region != *region;
    let outside: Vec<VantageView> =
        vantages.iter().map(|v| VantageView { alive: alive_outside(v), ..v.clone() }).collect();
    let available = outside.iter().filter(|v| v.trusted()).count();
    let own = vantages.iter().position(|v| v.region == *region && v.alive);
    let works_inside = |reports: &[Report]| {
        let report = own.and_then(|own| reports.get(own));
        report.is_some_and(|report| report.verdict.works())
    };
    let mut state = RegionState::default();
    for service in services {
        let Some(reports) = service.members.get(region) else { continue };
        // With too few vantages outside, the region's own word is asked for: one place alone, which may itself be cut off,
        // calls no region lost.
        let enough = available >= usize::try_from(service.quorum).unwrap_or(usize::MAX);
        let asked = if enough { &outside[..] } else { vantages };
        match judge(region, reports, asked, service.quorum) {
            MemberHealth::Unknown => {}
            MemberHealth::Down => {
                state.judged += 1;
                state.down += 1;
                state.well_inside += u32::from(works_inside(reports));
            }
            MemberHealth::Healthy | MemberHealth::Degraded | MemberHealth::Recovering => state.judged += 1,
        }
    }
    let silent = vantages.iter().any(|v| v.region == *region && !v.alive);
    let all_down = state.judged >= 2 && state.down == state.judged;
    RegionState { lost: all_down || (silent && state.down * 2 > state.judged), ..state }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Timestamp, Verdict};

    const SECOND: i64 = 1_000;

    fn vantages(alive: [bool; 3]) -> Vec<VantageView> {
        ["a", "b", "w"]
            .into_iter()
            .zip(alive)
            .map(|(region, alive)| VantageView { region: region.into(), alive, suspect: false })
            .collect()
    }

    fn healthy() -> Report {
        Report { verdict: Verdict::Healthy, ..Report::default() }
    }

    fn failed(at: i64) -> Report {
        let at = Timestamp(at);
        Report { verdict: Verdict::Failed, onset: Some(at), since: at }
    }

    /// A service in `a` and `b`, with one report for each of the vantages `a`, `b` and `w`.
    fn service(a: [Report; 3], b: [Report; 3]) -> ServiceReports {
        let members = BTreeMap::from([("a".into(), a.to_vec()), ("b".into(), b.to_vec())]);
        ServiceReports { quorum: 2, resolution: Duration::from_secs(3), members }
    }

    #[test]
    fn a_vantage_that_sees_two_other_regions_turn_bad_at_once_is_the_suspect() {
        let seen =
            service([healthy(), healthy(), failed(10 * SECOND)], [healthy(), healthy(), failed(12 * SECOND)]);
        let fleet = survey(vantages([true; 3]), &[seen]);
        let suspects: Vec<bool> = fleet.vantages.iter().map(|v| v.suspect).collect();
        assert_eq!(suspects, [false, false, true]);
        assert!(!fleet.lost(&"a".into()) && !fleet.lost(&"b".into()));
    }

    #[test]
    fn two_regions_that_turn_bad_one_after_the_other_do_not_make_a_suspect() {
        let seen = service([failed(10 * SECOND); 3], [failed(60 * SECOND); 3]);
        assert!(!survey(vantages([true; 3]), &[seen]).vantages[2].suspect);
    }

    #[test]
    fn a_vantage_that_sees_two_regions_fail_which_the_others_see_work_is_the_suspect_whenever_they_turned() {
        let seen =
            service([healthy(), healthy(), failed(10 * SECOND)], [healthy(), healthy(), failed(60 * SECOND)]);
        let suspect = |alive| survey(vantages(alive), std::slice::from_ref(&seen)).vantages[2].suspect;
        assert!(suspect([true; 3]));
        assert!(!suspect([false, false, true]), "nobody is there to contradict");
    }

    #[test]
    fn a_contradicted_vantage_is_the_suspect_until_the_last_of_its_words_has_ended() {
        let again = Report { verdict: Verdict::Recovering, ..failed(60 * SECOND) };
        let told = |a, b| {
            let seen = service([healthy(), healthy(), a], [healthy(), healthy(), b]);
            survey(vantages([true; 3]), &[seen]).vantages[2].suspect
        };
        assert!(told(failed(10 * SECOND), again), "the other word of the same lie");
        assert!(!told(again, again), "it calls nobody failed");
        assert!(!told(failed(10 * SECOND), healthy()), "one word alone is for the quorum");
    }

    #[test]
    fn of_a_contradicted_vantage_a_word_that_began_earlier_does_not_count_either() {
        let again = |at| Report { verdict: Verdict::Recovering, ..failed(at) };
        let [early, late] = [10 * SECOND, 60 * SECOND];
        // Most of both regions is good again for it, and one service of the region that turned bad first is not yet.
        let most = service([healthy(), healthy(), again(early)], [healthy(), healthy(), again(late)]);
        let left = service([healthy(), healthy(), failed(early)], [healthy(), healthy(), again(late)]);
        let suspect = |services: &[ServiceReports]| survey(vantages([true; 3]), services).vantages[2].suspect;
        assert!(suspect(&[most.clone(), most.clone(), left]));
        assert!(!suspect(&[most.clone(), most]), "it calls nobody failed");
    }

    /// Large messages to both regions were lost before, and of one region more services send such.
    #[test]
    fn a_vantage_for_which_the_last_of_two_regions_turned_bad_at_once_is_the_suspect() {
        let seen = |a: i64, b: i64| {
            service(
                [Report::default(), failed(90 * SECOND), failed(a)],
                [Report::default(), healthy(), failed(b)],
            )
        };
        let alive = [false, true, true];
        let suspect = |services: &[ServiceReports]| survey(vantages(alive), services).vantages[2].suspect;
        let [early, lie] = [60 * SECOND, 80 * SECOND];
        assert!(suspect(&[seen(lie, lie), seen(early, early - 16 * SECOND), seen(early, lie + SECOND)]));
        let later = lie + 4 * SECOND;
        assert!(
            !suspect(&[seen(early, lie), seen(early, later), seen(early + SECOND, later)]),
            "one after the other"
        );
    }

    #[test]
    fn what_was_said_before_a_storm_does_not_count_until_that_is_over() {
        let again = |at| Report { verdict: Verdict::Recovering, ..failed(at) };
        // Nobody contradicts it.
        let seen = |a, b| service([Report::default(), failed(1), a], [failed(1), Report::default(), b]);
        let [early, lie] = [10 * SECOND, 60 * SECOND];
        let left = seen(failed(early), again(lie));
        let suspect = |services: &[ServiceReports]| survey(vantages([true; 3]), services).vantages[2].suspect;
        assert!(suspect(&[left.clone(), seen(again(lie), again(lie)), seen(again(lie), again(lie))]));
        assert!(!suspect(&[left, seen(healthy(), healthy()), seen(healthy(), healthy())]), "that is over");
    }

    #[test]
    fn one_other_region_turning_bad_is_for_the_quorum_and_makes_no_suspect() {
        let seen = service([failed(1), failed(1), failed(1)], [healthy(); 3]);
        assert!(survey(vantages([true; 3]), &[seen]).vantages.iter().all(|v| !v.suspect));
    }

    #[test]
    fn a_region_whose_members_are_all_down_is_lost_even_if_its_own_bongsu_is_well() {
        let down = service([healthy(), failed(1), failed(1)], [healthy(); 3]);
        assert!(
            !survey(vantages([true; 3]), std::slice::from_ref(&down)).lost(&"a".into()),
            "one member is not a region"
        );
        assert!(survey(vantages([true; 3]), &[down.clone(), down]).lost(&"a".into()));
    }

    #[test]
    fn a_silent_region_is_lost_when_most_of_it_is_down() {
        let down = service([Report::default(), failed(1), failed(1)], [healthy(); 3]);
        let up = service([Report::default(), healthy(), healthy()], [healthy(); 3]);
        let silent = vantages([false, true, true]);
        assert!(survey(silent.clone(), &[down.clone(), down.clone(), up.clone()]).lost(&"a".into()));
        assert!(!survey(silent, &[down, up]).lost(&"a".into()), "half is not most");
    }

    #[test]
    fn silence_alone_is_no_loss() {
        let unknown = service([Report::default(); 3], [healthy(); 3]);
        assert!(!survey(vantages([false, true, true]), &[unknown]).lost(&"a".into()));
    }

    #[test]
    fn what_is_left_of_a_storm_does_not_count_and_a_new_failure_does() {
        let over = |at| Report { onset: Some(Timestamp(at)), ..healthy() };
        let left =
            service([healthy(), healthy(), over(10 * SECOND)], [healthy(), healthy(), failed(12 * SECOND)]);
        let told = |seen| {
            let fleet = survey(vantages([true; 3]), &[seen]);
            (fleet.vantages[2].suspect, fleet.in_storm.is_empty())
        };
        assert_eq!(told(left), (true, true));
        let new =
            service([healthy(), healthy(), over(10 * SECOND)], [healthy(), healthy(), failed(60 * SECOND)]);
        assert_eq!(told(new), (false, true));
        let lasts =
            service([healthy(), healthy(), failed(10 * SECOND)], [healthy(), healthy(), failed(12 * SECOND)]);
        assert_eq!(told(lasts), (true, false), "it is still in it");
    }

    /// As a liar does that lost its lease, and says everything anew.
    #[test]
    fn what_is_said_anew_of_two_regions_at_once_does_not_count_beside_what_was_forgotten() {
        let forgotten = Report { onset: Some(Timestamp(10 * SECOND)), ..Report::default() };
        let anew = |at| failed(at * SECOND);
        let first =
            service([healthy(), failed(40 * SECOND), anew(60)], [Report::default(), healthy(), anew(61)]);
        // Of the second service one region is known anew and the other is not yet; the third was not looked at yet.
        let second = Report { onset: Some(Timestamp(60 * SECOND)), ..Report::default() };
        let second =
            service([Report::default(), healthy(), second], [Report::default(), healthy(), forgotten]);
        let third =
            service([Report::default(), healthy(), forgotten], [Report::default(), healthy(), forgotten]);
        assert!(survey(vantages([true; 3]), &[first, second, third]).vantages[2].suspect);
    }

    /// As a liar is over, and forgets what it said of one service after the other; the second service was made later.
    #[test]
    fn what_was_not_forgotten_yet_does_not_count_beside_what_was() {
        let (failed, forgotten) = (
            |at| failed(at * SECOND),
            |at| Report { onset: Some(Timestamp(at * SECOND)), ..Report::default() },
        );
        let again = |at| Report { verdict: Verdict::Recovering, ..failed(at) };
        let seen = |a, b| service([Report::default(), failed(30), a], [Report::default(), healthy(), b]);
        let services =
            [seen(forgotten(10), again(10)), seen(forgotten(60), again(60)), seen(failed(11), forgotten(11))];
        assert!(survey(vantages([false, true, true]), &services).vantages[2].suspect);
    }

    #[test]
    fn one_place_alone_does_not_call_a_region_lost_that_says_it_is_well() {
        let seen = |own| service([own, failed(1), Report::default()], [healthy(); 3]);
        let survey = |own| survey(vantages([true, true, false]), &[seen(own), seen(own)]).lost(&"a".into());
        assert!(!survey(healthy()));
        assert!(survey(failed(1)), "its own word makes the quorum");
    }
}

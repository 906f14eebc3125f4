//! What is the matter with a region, from all that is said of all services: the difference between a site that burns, one that nobody
//! reaches and one that sees badly itself.

use std::fmt;

use super::{Fleet, RegionState};
use crate::domain::RegionName;

/// What is the matter with a region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RegionVerdict {
    /// Nothing that concerns all of it.
    NotLost,
    /// Its members are down and its Bongsu is silent: it is gone, or cut off from everybody.
    SiteSilent,
    /// Its members are down from outside and work as seen from inside: its network is cut, or loses what clients send.
    NetworkCut,
    /// Its members are down, also as seen from inside, or nobody there says anything of them.
    MembersDown,
    /// It sees several regions fail that others see work: its own view is bad, and its words do not count.
    SeesBadly,
}

impl RegionVerdict {
    /// The reason in conditions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotLost => "NotLost",
            Self::SiteSilent => "SiteSilent",
            Self::NetworkCut => "NetworkCut",
            Self::MembersDown => "MembersDown",
            Self::SeesBadly => "SeesBadly",
        }
    }
}

impl fmt::Display for RegionVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLost => "nothing concerns the whole region",
            Self::SiteSilent => {
                "its Bongsu is silent, too: the site is gone, or cut off from all others; look at its power and its lines"
            }
            Self::NetworkCut => {
                "from inside they work, and its Bongsu answers: the network of the site is cut, or loses messages on the way to it"
            }
            Self::MembersDown => {
                "its Bongsu answers, and does not see them work either: look at what they share inside the site"
            }
            Self::SeesBadly => {
                "its vantage sees several regions fail which others see work: its words do not count until that is over; look at its own lines"
            }
        })
    }
}

impl Fleet {
    /// What is the matter with a region.
    #[must_use]
    pub fn verdict_on(&self, region: &RegionName) -> RegionVerdict {
        let state = self.regions.get(region).copied().unwrap_or_default();
        let RegionState { lost, down, well_inside, .. } = state;
        let own = self.vantages.iter().find(|vantage| vantage.region == *region);
        match own {
            Some(own) if lost && !own.alive => RegionVerdict::SiteSilent,
            // Most, as for a loss: one shared check inside may see something else.
            Some(_) if lost && well_inside * 2 > down => RegionVerdict::NetworkCut,
            _ if lost => RegionVerdict::MembersDown,
            Some(own) if own.alive && own.suspect => RegionVerdict::SeesBadly,
            _ => RegionVerdict::NotLost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Report, ServiceReports, Timestamp, VantageView, Verdict, survey};
    use std::{collections::BTreeMap, time::Duration};

    /// Two services in `a` and `b`. For each member one letter for each of the vantages `a`, `b` and `w`: `+` healthy, `-` failed, `?`
    /// unknown. A vantage in upper case renews its lease.
    fn check(alive: &str, in_a: &str, in_b: &str, expected: RegionVerdict) {
        let vantages = ["a", "b", "w"].into_iter().zip(alive.chars());
        let vantages = vantages.map(|(region, letter)| VantageView {
            region: region.into(),
            alive: letter.is_uppercase(),
            suspect: false,
        });
        let report = |letter| match letter {
            '+' => Report { verdict: Verdict::Healthy, ..Report::default() },
            '-' => {
                let at = Timestamp(10_000);
                Report { verdict: Verdict::Failed, onset: Some(at), since: at }
            }
            _ => Report::default(),
        };
        let reports = |letters: &str| letters.chars().map(report).collect::<Vec<_>>();
        let members = BTreeMap::from([("a".into(), reports(in_a)), ("b".into(), reports(in_b))]);
        let service = ServiceReports { quorum: 2, resolution: Duration::from_secs(3), members };
        let fleet = survey(vantages.collect(), &[service.clone(), service]);
        assert_eq!(fleet.verdict_on(&"a".into()), expected, "{alive} {in_a} {in_b}");
    }

    #[test]
    fn a_burning_site_a_cut_network_a_common_fault_and_a_bad_view_are_told_apart() {
        check("ABW", "+++", "+++", RegionVerdict::NotLost);
        check("aBW", "?--", "?++", RegionVerdict::SiteSilent);
        check("ABW", "+--", "+++", RegionVerdict::NetworkCut);
        check("ABW", "---", "+++", RegionVerdict::MembersDown);
        check("ABW", "?--", "+++", RegionVerdict::MembersDown);
        check("ABW", "+-+", "+++", RegionVerdict::NotLost);
        check("aBW", "?++", "?++", RegionVerdict::NotLost);
    }

    #[test]
    fn a_region_that_sees_all_others_fail_sees_badly_itself() {
        let failed =
            Report { verdict: Verdict::Failed, onset: Some(Timestamp(10_000)), since: Timestamp(10_000) };
        let healthy = Report { verdict: Verdict::Healthy, ..Report::default() };
        let vantages =
            ["a", "b", "w"].map(|region| VantageView { region: region.into(), alive: true, suspect: false });
        let members = [("b", vec![failed, healthy, healthy]), ("c", vec![failed, healthy, healthy])];
        let members = members.map(|(region, reports)| (RegionName::new(region), reports)).into();
        let service = ServiceReports { quorum: 2, resolution: Duration::from_secs(3), members };
        let fleet = survey(vantages.into(), &[service]);
        assert_eq!(fleet.verdict_on(&"a".into()), RegionVerdict::SeesBadly);
        assert_eq!(fleet.verdict_on(&"b".into()), RegionVerdict::NotLost);
    }
}

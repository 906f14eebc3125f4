//! From the verdicts of several vantages to the health of a member.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{RegionName, Report, VantageView, Verdict};
use crate::planted::planted;

/// What the vantages together say of a member.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum MemberHealth {
    /// A quorum sees it work.
    Healthy,
    /// A quorum sees it work, but an early sign is there; or quorums contradict each other.
    Degraded,
    /// A quorum sees it work, and for some of it not yet for long enough after a failure.
    Recovering,
    /// No quorum says anything. Neither up nor down (I9).
    #[default]
    Unknown,
    /// A quorum sees it fail.
    Down,
}

impl MemberHealth {
    /// Every health, for metrics.
    pub const ALL: [Self; 5] = [Self::Healthy, Self::Degraded, Self::Recovering, Self::Unknown, Self::Down];

    /// The word in status, metrics and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Degraded => "Degraded",
            Self::Recovering => "Recovering",
            Self::Unknown => "Unknown",
            Self::Down => "Down",
        }
    }

    /// Whether it carries load now.
    #[must_use]
    pub const fn carries(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded | Self::Recovering)
    }
}

impl fmt::Display for MemberHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Votes for one saying.
#[derive(Clone, Copy, Default)]
struct Votes {
    all: u32,
    outside: u32,
}

impl Votes {
    fn add(&mut self, outside: bool) {
        self.all += 1;
        self.outside += u32::from(outside);
    }

    /// Enough, and at least one of them from outside the member's region.
    const fn reach(self, quorum: u32) -> bool {
        self.all >= quorum && self.outside >= 1
    }
}

/// What the vantages together say of the member in `region`. `reports` stand in the order of `vantages`; a vantage that
/// is dead or suspect has no vote (I6), and a missing answer is no answer (I9).
#[must_use]
pub fn judge(region: &RegionName, reports: &[Report], vantages: &[VantageView], quorum: u32) -> MemberHealth {
    let mut votes = Ballot::default();
    for (report, vantage) in reports.iter().zip(vantages).filter(|(_, vantage)| vantage.trusted()) {
        let verdict = match report.verdict {
            Verdict::Unknown if planted!(UnknownIsHealthy) => Verdict::Healthy,
            Verdict::Unknown if planted!(UnknownIsFailed) => Verdict::Failed,
            said => said,
        };
        votes.add(verdict, vantage.region != *region);
    }
    votes.health(quorum)
}

/// All votes on one member.
#[derive(Clone, Copy, Default)]
struct Ballot {
    healthy: Votes,
    /// Those and the degraded.
    steady: Votes,
    /// Those and the recovering.
    working: Votes,
    failed: Votes,
}

impl Ballot {
    fn add(&mut self, verdict: Verdict, outside: bool) {
        let Self { healthy, steady, working, failed } = self;
        let counted: &mut [&mut Votes] = match verdict {
            Verdict::Healthy => &mut [healthy, steady, working],
            Verdict::Degraded => &mut [steady, working],
            Verdict::Recovering => &mut [working],
            Verdict::Failed => &mut [failed],
            Verdict::Unknown => &mut [],
        };
        counted.iter_mut().for_each(|votes| votes.add(outside));
    }

    const fn health(&self, quorum: u32) -> MemberHealth {
        match (self.failed.reach(quorum), self.working.reach(quorum)) {
            // Two quorums that contradict each other: some citizens are served and some are not. That is an early sign and
            // no loss; draining it could move load off a member that most can reach.
            (true, true) => MemberHealth::Degraded,
            (true, false) => MemberHealth::Down,
            (false, true) if self.healthy.reach(quorum) => MemberHealth::Healthy,
            (false, true) if self.steady.reach(quorum) => MemberHealth::Degraded,
            (false, true) => MemberHealth::Recovering,
            (false, false) => MemberHealth::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    /// One letter a vantage: `h`, `d`, `r`, `f`, `u`; upper case: its word does not count. The first is the member's own
    /// region.
    fn check(votes: &str, quorum: u32, expected: MemberHealth) {
        let mut vantages = Vec::new();
        let mut reports = Vec::new();
        for (index, letter) in votes.chars().enumerate() {
            let region =
                RegionName::new(if index == 0 { "here".to_owned() } else { format!("there-{index}") });
            vantages.push(VantageView { region, alive: letter.is_lowercase(), suspect: false });
            let verdict = match letter.to_ascii_lowercase() {
                'h' => Verdict::Healthy,
                'd' => Verdict::Degraded,
                'r' => Verdict::Recovering,
                'f' => Verdict::Failed,
                _ => Verdict::Unknown,
            };
            reports.push(Report { verdict, ..Report::default() });
        }
        assert_eq!(judge(&"here".into(), &reports, &vantages, quorum), expected, "{votes}/{quorum}");
    }

    #[test]
    fn a_quorum_decides_and_less_than_a_quorum_is_unknown() {
        check("hhh", 2, MemberHealth::Healthy);
        check("uff", 2, MemberHealth::Down);
        check("hff", 2, MemberHealth::Down);
        check("huf", 2, MemberHealth::Unknown);
        check("uuf", 2, MemberHealth::Unknown);
        check("ddh", 2, MemberHealth::Degraded);
        check("hrd", 2, MemberHealth::Degraded);
        check("hrr", 2, MemberHealth::Recovering);
        check("urr", 2, MemberHealth::Recovering);
    }

    #[test]
    fn the_members_own_region_alone_decides_nothing() {
        check("fuu", 1, MemberHealth::Unknown);
        check("huu", 1, MemberHealth::Unknown);
        check("ufu", 1, MemberHealth::Down);
    }

    #[test]
    fn a_dead_or_suspect_vantage_has_no_vote() {
        check("ufF", 2, MemberHealth::Unknown);
        check("hHh", 2, MemberHealth::Healthy);
    }

    #[test]
    fn two_quorums_that_contradict_each_other_are_degraded() {
        check("hhff", 2, MemberHealth::Degraded);
    }

    #[test]
    fn a_member_is_down_since_the_vote_that_made_the_quorum() {
        let at = |since, verdict| Report { verdict, since: Timestamp(since), onset: None };
        let member = crate::domain::MemberView {
            region: "here".into(),
            reports: vec![at(30, Verdict::Failed), at(10, Verdict::Failed), at(20, Verdict::Failed)],
            region_known: true,
            region_maintenance: false,
            region_lost: false,
        };
        let view = |alive| VantageView { region: "there".into(), alive, suspect: false };
        assert_eq!(member.down_since(&[view(true), view(true), view(true)], 2), Some(Timestamp(20)));
        assert_eq!(member.down_since(&[view(true), view(true), view(false)], 2), Some(Timestamp(30)));
        assert_eq!(member.down_since(&[view(true), view(false), view(false)], 2), None);
    }
}

//! Every small world: two members, three vantages, every word that they can say, trusted or not. Where the tables show
//! examples and the properties draw some, this leaves nothing out.

use std::sync::Arc;

use super::*;
use crate::domain::{Report, VantageView};

const WORKING: [Verdict; 3] = [Verdict::Healthy, Verdict::Degraded, Verdict::Recovering];
const PLACES: [&str; 3] = ["a", "b", "w"];
const QUORUMS: [u32; 2] = [1, 2];

/// The words of all vantages on one member, and which vantages count. Judged here by counting, not by the code under test.
struct Votes<'a> {
    member: &'a str,
    words: [Verdict; 3],
    trusted: [bool; 3],
    quorum: u32,
}

impl Votes<'_> {
    /// A quorum says one of these, with a voice from outside.
    fn agree(&self, wanted: &[Verdict]) -> bool {
        let voices = || (0..3).filter(|v| self.trusted[*v] && wanted.contains(&self.words[*v]));
        voices().count() >= self.quorum as usize && voices().any(|v| PLACES[v] != self.member)
    }

    fn down(&self) -> bool {
        self.agree(&[Verdict::Failed]) && !self.agree(&WORKING)
    }

    fn healthy(&self) -> bool {
        self.agree(&[Verdict::Healthy]) && !self.agree(&[Verdict::Failed])
    }

    fn carries(&self) -> bool {
        self.agree(&WORKING)
    }

    /// It works and nobody who counts sees it fail; a quorum did not see it fail lately.
    fn steady(&self) -> bool {
        let failed = (0..3).any(|v| self.trusted[v] && self.words[v] == Verdict::Failed);
        self.agree(&[Verdict::Healthy, Verdict::Degraded]) && !failed
    }
}

/// Number `index` of all combinations of `N` choices out of `from`.
fn combination<T: Copy, const N: usize>(from: &[T], mut index: usize) -> [T; N] {
    std::array::from_fn(|_| {
        let chosen = from[index % from.len()];
        index /= from.len();
        chosen
    })
}

fn world(
    active: bool,
    serving: &[&'static str],
    words: [[Verdict; 3]; 2],
    trusted: [bool; 3],
    quorum: u32,
) -> Observation {
    let topology = if active { Topology::ActiveActive } else { Topology::ActiveStandby };
    let mut seen = World::new(topology).serving(serving).observe();
    Arc::make_mut(&mut seen.service).health.quorum = quorum;
    seen.vantages =
        (0..3).map(|v| VantageView { region: PLACES[v].into(), alive: true, suspect: !trusted[v] }).collect();
    for (member, words) in seen.members.iter_mut().zip(words) {
        member.reports = words.map(|verdict| Report { verdict, ..Report::default() }).to_vec();
    }
    seen
}

/// Calls `check` for each of the 750,000 worlds.
fn for_every_world(check: impl Fn(&Observation, &Decision, [Votes<'_>; 2])) {
    let shapes: [(bool, &[&'static str]); 3] = [(true, &["a", "b"]), (true, &["a"]), (false, &["a"])];
    for (active, serving) in shapes {
        for index in 0..Verdict::ALL.len().pow(6) {
            let all: [Verdict; 6] = combination(&Verdict::ALL, index);
            let words = [[all[0], all[1], all[2]], [all[3], all[4], all[5]]];
            for (trust, quorum) in (0..8).flat_map(|trust| QUORUMS.map(|quorum| (trust, quorum))) {
                let trusted = combination(&[true, false], trust);
                let seen = world(active, serving, words, trusted, quorum);
                let votes_on = |member, words| Votes { member, words, trusted, quorum };
                check(&seen, &decide(&seen), [votes_on("a", words[0]), votes_on("b", words[1])]);
            }
        }
    }
}

fn votes_on<'v>(votes: &'v [Votes<'v>; 2], region: &RegionName) -> &'v Votes<'v> {
    &votes[usize::from(region.as_str() == "b")]
}

#[test]
fn nobody_is_moved_away_from_who_is_not_down_nor_to_who_failed_lately() {
    for_every_world(|seen, decision, votes| {
        let (Action::Start(plan) | Action::Recommend(plan)) = &decision.action else { return };
        for leaving in plan.change.leaving() {
            assert!(votes_on(&votes, leaving).down(), "away from {leaving}: {seen:?}");
        }
        for joining in plan.change.joining() {
            let votes = votes_on(&votes, joining);
            assert!(votes.healthy() || votes.steady(), "to {joining}: {seen:?}");
        }
        assert!(plan.change.to.iter().any(|region| votes_on(&votes, region).carries()), "empty: {seen:?}");
    });
}

#[test]
fn who_is_down_is_replaced_whenever_somebody_can_take_over() {
    for_every_world(|seen, decision, votes| {
        let serving = &seen.record.as_ref().unwrap().serving;
        let lost = serving.iter().any(|region| votes_on(&votes, region).down());
        let carried = serving.iter().any(|region| votes_on(&votes, region).carries());
        let other = votes
            .iter()
            .any(|v| !serving.contains(&RegionName::new(v.member)) && (v.healthy() || v.steady()));
        if lost && (carried || other) {
            assert_eq!(decision.action.as_str(), "Start", "{:?} {seen:?}", decision.rules);
        }
    });
}

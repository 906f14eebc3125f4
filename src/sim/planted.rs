//! Does exploration find bugs? Each of these is planted in the product, one at a time, and must be found within a
//! number of runs: some three times as many as it took when this was written. A bug that is not found is a defect of
//! the faults that are drawn, or of the checks.

use super::{Explored, Violation, draw, run};
use crate::planted::{Bug, plant};

/// The bugs, and the runs within which each is found.
const BUGS: &[(Bug, u64)] = &[
    (Bug::ActsAfterLosingLease, 100),
    (Bug::LeaseCheckedBeforeWait, 600),
    (Bug::EpochNotCompared, 800),
    (Bug::UnknownIsHealthy, 400),
    (Bug::UnknownIsFailed, 100),
    (Bug::SuspectVotes, 2_000),
    (Bug::SuspicionEndsEarly, 200),
    (Bug::DeadVantageVotes, 300),
    (Bug::EmptyWhenAllDown, 300),
    (Bug::JournalAfterEffect, 10),
    (Bug::RetryRaisesAgain, 300),
    (Bug::OldPlanNewEpoch, 100),
    (Bug::LastWriteWins, 100),
    (Bug::StandInOverSame, 100),
    (Bug::CooldownArmedByFailure, 200),
    (Bug::FailbackIgnoresCooldown, 200),
    (Bug::CompensationInWrongOrder, 100),
    (Bug::CapacityBeforeDrain, 100),
    (Bug::BudgetNotReserved, 300),
    (Bug::NoPrecheck, 200),
    (Bug::RaiseBeforeFence, 100),
    (Bug::FenceNotAwaited, 300),
    (Bug::GateOpensUnseen, 500),
    (Bug::PromisesOfSome, 2_000),
    (Bug::PromiseNotAwaited, 300),
    (Bug::WorkloadNotAwaited, 500),
    (Bug::PodsNotReadBack, 500),
    (Bug::SpecsNotCompared, 800),
    (Bug::MinorityPublishes, 500),
    (Bug::AbortDoesNotReturn, 500),
    (Bug::VerdictIgnoresHold, 500),
    (Bug::ClockStartsLate, 1_000),
    (Bug::TwoDrillsOfAChain, 500),
    (Bug::DrillDuringIncident, 300),
];

/// Runs with the bug until an invariant is broken that is not broken without it.
fn found(explored: &Explored, bug: Bug, limit: u64) -> Option<(u64, Violation)> {
    (0..limit).find_map(|seed| {
        let setup = explored.of(seed);
        let schedule = draw(setup, seed);
        let violation_with = |bug| {
            plant(bug);
            let outcome = run(setup, seed, &schedule, false).unwrap();
            plant(None);
            outcome.violation
        };
        let violation = violation_with(Some(bug))?;
        violation_with(None).is_none().then_some((seed, violation))
    })
}

/// Which bugs are not found, looked for on this many threads.
fn not_found(threads: usize) -> Vec<Bug> {
    let explored = Explored::builtin();
    let missed = |part: usize| {
        let mine = BUGS.iter().skip(part).step_by(threads);
        let missed = mine.filter(|(bug, limit)| {
            let found = found(&explored, *bug, *limit);
            match &found {
                Some((seed, violation)) => {
                    println!("{bug:?}: run {seed}: {}: {}", violation.invariant, violation.what);
                }
                None => println!("{bug:?}: not found in {limit} runs"),
            }
            found.is_none()
        });
        missed.map(|(bug, _)| *bug).collect::<Vec<Bug>>()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|part| scope.spawn(move || missed(part))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
#[ignore = "takes an optimised build: make explore-tests"]
fn every_planted_bug_is_found() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(not_found(threads), []);
}

//! Realistic mistakes that tests plant, one at a time, to see that exploration finds them (`sim::planted`). In every
//! build but that of the unit tests, [`planted!`] is `false` and costs nothing.

/// Whether one of these mistakes is planted now.
macro_rules! planted {
    ($($bug:ident)|+) => {{
        #[cfg(test)]
        {
            [$($crate::planted::Bug::$bug),+].into_iter().any($crate::planted::is)
        }
        #[cfg(not(test))]
        {
            false
        }
    }};
}

pub(crate) use planted;

#[cfg(test)]
pub(crate) use bugs::{Bug, is, plant};

#[cfg(test)]
mod bugs {
    use std::cell::Cell;

    /// The mistakes.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub(crate) enum Bug {
        /// Whether it leads is checked before the journal is written, and not after.
        LeaseCheckedBeforeWait,
        /// A lease is taken to be held until somebody says otherwise.
        ActsAfterLosingLease,
        /// A name server takes an update without comparing what it holds.
        EpochNotCompared,
        /// A vantage that says nothing counts as one that says healthy.
        UnknownIsHealthy,
        /// A vantage that says nothing counts as one that says failed.
        UnknownIsFailed,
        /// A vantage that sees everything fail keeps its vote.
        SuspectVotes,
        /// It gets its vote back before it has forgotten what it saw.
        SuspicionEndsEarly,
        /// What a vantage said counts after its lease has ended.
        DeadVantageVotes,
        /// When all members look down, nobody is to serve.
        EmptyWhenAllDown,
        /// The journal is written after the effect.
        JournalAfterEffect,
        /// A retry raises the epoch once more.
        RetryRaisesAgain,
        /// A run that another process began is gone on with under whatever epoch comes next.
        OldPlanNewEpoch,
        /// A write that comes second is repeated over the first.
        LastWriteWins,
        /// Who stands in for the leader also replaces what stands under the same epoch.
        StandInOverSame,
        /// Every run arms the cooldown, also one that failed.
        CooldownArmedByFailure,
        /// The way back ignores the cooldown.
        FailbackIgnoresCooldown,
        /// Traffic is led back before the epoch is raised back.
        CompensationInWrongOrder,
        /// The load of those who leave is thought to be still carried by them.
        CapacityBeforeDrain,
        /// A move counts in the budget only when it stands in the ledger.
        BudgetNotReserved,
        /// A run does not look again before it begins.
        NoPrecheck,
        /// The epoch is raised before the old writer has stopped.
        RaiseBeforeFence,
        /// Nobody waits for the gate of the old writer.
        FenceNotAwaited,
        /// A gate writes on by the promises of some of the other regions.
        PromisesOfSome,
        /// Nobody waits for the end of what was promised to a gate.
        PromiseNotAwaited,
        /// A gate opens by what it read before it took the lease.
        GateOpensUnseen,
        /// Nobody waits until the workload of the old writer has stopped.
        WorkloadNotAwaited,
        /// A workload that was set to zero counts as stopped while its pods are still ending.
        PodsNotReadBack,
        /// A decision does not ask which spec the other regions hold.
        SpecsNotCompared,
        /// Addresses are published by a spec that only a minority of regions hold.
        MinorityPublishes,
        /// A drill that a person stops leaves its services where they are.
        AbortDoesNotReturn,
        /// A drill that was stopped while it held has passed.
        VerdictIgnoresHold,
        /// The clock of a drill starts when its move is seen to run, and not when it was ordered.
        ClockStartsLate,
        /// A drill does not ask whether another one moves what it depends on.
        TwoDrillsOfAChain,
        /// A drill does not ask whether all is well.
        DrillDuringIncident,
    }

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a mistake for this thread, or none.
    pub(crate) fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub(crate) fn is(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

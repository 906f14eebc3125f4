//! Label values, as enums: a label can only have the values that are written here.

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word in metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

label! {
    /// What would happen if what serves now were lost.
    NextMoveOutcome {
        /// It would move by itself.
        Ready = "Ready",
        /// It would ask a person.
        Recommend = "Recommend",
        /// It would do nothing.
        Blocked = "Blocked",
    }
}

label! {
    /// Why a sample was not taken or does not count.
    SkipReason {
        /// Taken too late by the vantage's own fault.
        Late = "late",
        /// Too many checks were running.
        Busy = "busy",
        /// The probe panicked or did not end after its timeout.
        Broken = "broken",
        /// Left out, because not all can be taken.
        Stretched = "stretched",
    }
}

label! {
    /// What a decision said.
    DecisionOutcome {
        /// Do nothing.
        Hold = "Hold",
        /// Ask a person.
        Recommend = "Recommend",
        /// Begin a move.
        Start = "Start",
    }
}

label! {
    /// What one try of a step came to.
    StepResult {
        /// Its effect was seen.
        Done = "done",
        /// It needs more time.
        NotYet = "not_yet",
        /// It did not work.
        Failed = "failed",
        /// A newer epoch exists.
        Superseded = "superseded",
    }
}

label! {
    /// A part of the time between the fault and the verified service.
    Phase {
        /// From the fault until a quorum called the member down.
        Detect = "detect",
        /// Until the plan was in the ledger.
        Decide = "decide",
        /// Until nothing was accepted under the old epoch.
        Fence = "fence",
        /// Until the new writer was promoted.
        Promote = "promote",
        /// Until traffic was led to the new members and read back.
        Shift = "shift",
        /// Until the new members were seen to answer well.
        Verify = "verify",
    }
}

label! {
    /// A call of the ledger.
    LedgerOperation {
        /// One record was read.
        Get = "get",
        /// One record was written.
        Put = "put",
        /// One record was removed.
        Delete = "delete",
        /// A lease was taken or renewed.
        Acquire = "acquire",
        /// A lease was given back.
        Release = "release",
        /// All leases were read.
        Leases = "leases",
    }
}

label! {
    /// How a call of the ledger ended.
    CallResult {
        /// It worked.
        Ok = "ok",
        /// Somebody else wrote in between.
        Conflict = "conflict",
        /// The lease under which it was to be written is no longer held.
        NotHolder = "not_holder",
        /// No answer came: the write may have happened.
        Timeout = "timeout",
        /// It did not happen.
        Unavailable = "unavailable",
    }
}

label! {
    /// How one reconcile pass ended.
    PassOutcome {
        /// Something was written or begun.
        Changed = "changed",
        /// Everything was as it should be.
        Unchanged = "unchanged",
        /// Something did not work; it is tried again.
        Failed = "failed",
    }
}

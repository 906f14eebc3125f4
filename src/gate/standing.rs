//! What a gate says of itself, for its health pages.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::Tick;

/// How the lease stands. Written by the keeper, read by the pages.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Said>);

/// What was said last.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// When the ledger answered last, by the gate's own clock.
    pub answered: Option<Tick>,
    /// In a sentence.
    pub text: String,
    /// What the other regions answered last, when the lease was not renewed in time; empty: they were not asked since it
    /// was renewed.
    pub of_promises: String,
    /// Renewals so far.
    pub renewals: Renewals,
    /// Times that the other regions were asked for promises.
    pub rounds: Rounds,
}

/// Rounds of questions, by what came of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rounds {
    /// All promised.
    pub promised: u64,
    /// Some did not.
    pub refused: u64,
}

/// Renewals of the lease, by what came of them; taking it counts as one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Renewals {
    /// It is ours.
    pub granted: u64,
    /// Another gate holds it.
    pub refused: u64,
    /// The ledger did not answer.
    pub unanswered: u64,
}

impl Standing {
    /// What was said last.
    #[must_use]
    pub fn said(&self) -> Said {
        self.lock().clone()
    }

    /// Takes in that the ledger answered.
    pub(super) fn answered(&self, at: Tick) {
        self.lock().answered = Some(at);
    }

    /// Says something; `true`: it is new.
    pub(super) fn say(&self, text: &str) -> bool {
        let mut said = self.lock();
        let new = said.text != text;
        if new {
            text.clone_into(&mut said.text);
        }
        new
    }

    /// Says what came of asking for promises; `true`: it is new.
    pub(super) fn say_of_promises(&self, text: &str) -> bool {
        let mut said = self.lock();
        let new = said.of_promises != text;
        if new {
            text.clone_into(&mut said.of_promises);
        }
        new
    }

    /// Counts a round of questions.
    pub(super) fn promised(&self, by_all: bool) {
        let rounds = &mut self.lock().rounds;
        *if by_all { &mut rounds.promised } else { &mut rounds.refused } += 1;
    }

    /// Counts a renewal.
    pub(super) fn count(&self, which: impl FnOnce(&mut Renewals) -> &mut u64) {
        *which(&mut self.lock().renewals) += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        // Changed by whole assignments only, so it is good even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Which parts of this process can do their work, and why the others cannot.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Every part that must work before this process is called ready. Cloning gives another handle to the same list.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, State>>>);

#[derive(Debug)]
enum State {
    Ready,
    NotReady(String),
}

/// One part. It starts as not ready.
#[derive(Clone, Debug)]
pub struct Part {
    name: &'static str,
    list: Readiness,
}

impl Readiness {
    /// Adds a part, such as `apiserver` or `ledger`.
    #[must_use]
    pub fn part(&self, name: &'static str) -> Part {
        let part = Part { name, list: self.clone() };
        part.not_ready("not started yet");
        part
    }

    /// Whether every part is ready. A list without parts is not ready: nobody has said yet what must work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let states = self.states();
        !states.is_empty() && states.values().all(|state| matches!(state, State::Ready))
    }

    /// One line for each part, as `/readyz` shows it.
    #[must_use]
    pub fn lines(&self) -> String {
        let states = self.states();
        if states.is_empty() {
            return "[-] start: no part has started yet\n".to_owned();
        }
        states.iter().fold(String::new(), |mut text, (name, state)| {
            // Writing into a String cannot fail.
            let _ = match state {
                State::Ready => writeln!(text, "[+] {name}: ok"),
                State::NotReady(message) => writeln!(text, "[-] {name}: {message}"),
            };
            text
        })
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        // The list is changed by whole insertions only, so it is good even if a holder of the lock panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// It can do its work.
    pub fn ready(&self) {
        self.list.states().insert(self.name, State::Ready);
    }

    /// It cannot, and why: one line, with what to look at.
    pub fn not_ready(&self, message: impl Into<String>) {
        // A line break would let a server's answer look like a part of its own.
        let message = message.into().replace(['\n', '\r'], " ");
        self.list.states().insert(self.name, State::NotReady(message));
    }
}

//! Whether the writer may write at this instant.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    domain::{Epoch, Term, Tick},
    ports::Clock,
};

/// Until when the door stands open, and for which epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opening {
    /// From this tick on it is shut, if nobody opens it again before.
    pub until: Tick,
    /// From when that was counted: before the lease was renewed, or the promises were asked for.
    pub since: Tick,
    /// The epoch of the service under which the writer writes.
    pub epoch: Epoch,
    /// The term of the lease.
    pub term: Term,
    /// By promises of the other regions, and not by the lease.
    pub promised: bool,
}

/// The door. Shut at the start; it shuts by itself when its time is over, and whoever asks reads the clock.
pub struct Door {
    clock: Arc<dyn Clock>,
    opening: watch::Sender<Option<Opening>>,
    /// Writers that were let in and have not ended.
    inside: watch::Sender<usize>,
}

/// A writer that was let in. It counts until this is dropped.
pub struct Inside<'a>(&'a Door);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Door {
    /// A door that is shut.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, opening: watch::channel(None).0, inside: watch::channel(0).0 }
    }

    /// Opens it, or holds it open for longer.
    pub fn open(&self, opening: Opening) {
        self.opening.send_replace(Some(opening));
    }

    /// Holds it open for longer, if it is open, and by the same term of the lease. `false`: it has shut.
    pub fn prolong(&self, opening: Opening) -> bool {
        let now = self.clock.tick();
        self.opening.send_if_modified(|held| match held {
            Some(held) if held.term == opening.term && held.epoch == opening.epoch && now < held.until => {
                let longer = opening.until > held.until;
                if longer {
                    *held = opening;
                }
                longer
            }
            _ => false,
        })
    }

    /// Shuts it now.
    pub fn shut(&self) {
        self.opening.send_replace(None);
    }

    /// Lets a writer in: it does not end by the door being shut, but some time after it.
    #[must_use]
    pub fn enter(&self) -> Inside<'_> {
        self.inside.send_modify(|count| *count += 1);
        Inside(self)
    }

    /// Waits until every writer that was let in has ended.
    pub async fn vacated(&self) {
        // The sender lives as long as the door.
        let _ = self.inside.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Until when it is open now; `None` if it is shut.
    #[must_use]
    pub fn opening(&self) -> Option<Opening> {
        let opening = *self.opening.borrow();
        opening.filter(|opening| self.clock.tick() < opening.until)
    }

    /// Whether it is open at this instant. Asked right before each write, because any time may pass between two lines of
    /// a program: the host may have been frozen.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.opening().is_some()
    }

    /// Waits until it is open.
    pub async fn opened(&self) -> Opening {
        let mut changes = self.opening.subscribe();
        loop {
            if let Some(opening) = self.opening() {
                return opening;
            }
            // The sender lives as long as the door.
            let _ = changes.changed().await;
        }
    }

    /// Waits until it is shut, or open for longer than until `known`: the new opening, or `None` if it is shut.
    pub async fn changed(&self, known: Opening) -> Option<Opening> {
        let mut changes = self.opening.subscribe();
        loop {
            let opening = self.opening()?;
            if opening != known {
                return Some(opening);
            }
            let left = opening.until.since(self.clock.tick());
            tokio::select! {
                biased;
                _ = changes.changed() => {}
                () = self.clock.sleep(left.max(Duration::from_millis(1))) => {}
            }
        }
    }

    /// Waits until it is shut.
    pub async fn shuts(&self) {
        let mut known = self.opening();
        while let Some(opening) = known {
            known = self.changed(opening).await;
        }
    }
}

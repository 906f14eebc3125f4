//! Leases, judged by one's own monotonic clock only.

use std::time::Duration;

use super::Tick;

/// A lease that this process renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tenure {
    /// When the last good renewal was sent: the ledger's own count started later.
    pub sent_at: Tick,
    /// How long it holds from then.
    pub ttl: Duration,
}

impl Tenure {
    /// Whether it still holds, with `margin` to spare.
    #[must_use]
    pub fn valid_at(&self, now: Tick, margin: Duration) -> bool {
        now.since(self.sent_at) + margin < self.ttl
    }
}

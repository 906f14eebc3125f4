//! Leases, from both sides: how long the holder may act, and when somebody else may take over.
//!
//! Both count by their own monotonic clock only. The holder counts from the moment before it *sent* its last good
//! renewal, everybody else from the moment after they *saw* it: the holder always stops first, whatever the clocks of
//! the hosts say.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{ServiceKey, Tick};

/// The name of the lease under which a service's writer writes; its gate holds it.
#[must_use]
pub fn writer_lease(service: &ServiceKey) -> String {
    format!("writer/{service}")
}

/// Counts how often a lease was taken: it grows each time that somebody, perhaps its last holder, takes a lease that
/// had run out or been given back, and stays when it is renewed in time. What was said under an older term was said
/// before a silence and is not worth more because the same process is there again.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Term(pub u64);

/// What a lease record looks like; changes with every renewal. Compared for equality only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeaseMark(pub Arc<str>);

/// A lease of somebody else, as this process saw it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LeaseWatch {
    seen: Option<Seen>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    mark: LeaseMark,
    since: Tick,
}

impl LeaseWatch {
    /// Looks at the record. `answered` is the moment after it was read.
    pub fn observe(&mut self, mark: LeaseMark, answered: Tick) {
        if self.seen.as_ref().is_none_or(|seen| seen.mark != mark) {
            self.seen = Some(Seen { mark, since: answered });
        }
    }

    /// Whether the record stood unchanged for its whole `ttl`. `asked` is the moment before it was last read: the
    /// answer of a process that was frozen while it waited says nothing of the time in between. A record that was
    /// never seen has not expired.
    #[must_use]
    pub fn expired(&self, ttl: Duration, asked: Tick) -> bool {
        self.seen.as_ref().is_some_and(|seen| asked.since(seen.since) >= ttl)
    }
}

/// A lease of our own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tenure {
    /// The term in which it is held.
    pub term: Term,
    /// The moment before the last good renewal was sent.
    pub sent_at: Tick,
    /// For how long it was asked.
    pub ttl: Duration,
}

impl Tenure {
    /// Whether the holder may still act, with `margin` left for what is already on its way.
    #[must_use]
    pub fn valid_at(&self, now: Tick, margin: Duration) -> bool {
        now.since(self.sent_at).saturating_add(margin) < self.ttl
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(15);
    const MARGIN: Duration = Duration::from_secs(3);

    fn mark(version: u64) -> LeaseMark {
        LeaseMark(version.to_string().into())
    }

    fn seconds(seconds: u64) -> Tick {
        Tick(seconds * 1_000)
    }

    #[test]
    fn a_lease_expires_only_after_it_was_seen_unrenewed_for_its_whole_ttl() {
        let mut watch = LeaseWatch::default();
        assert!(!watch.expired(TTL, seconds(1_000)), "never seen");
        watch.observe(mark(1), seconds(100));
        assert!(!watch.expired(TTL, seconds(100)), "seen for the first time: nothing is known of before");
        watch.observe(mark(1), seconds(114));
        assert!(!watch.expired(TTL, seconds(114)));
        assert!(watch.expired(TTL, seconds(115)));
    }

    #[test]
    fn a_renewal_starts_the_count_anew() {
        let mut watch = LeaseWatch::default();
        watch.observe(mark(1), seconds(0));
        watch.observe(mark(2), seconds(14));
        assert!(!watch.expired(TTL, seconds(28)));
        assert!(watch.expired(TTL, seconds(29)));
    }

    #[test]
    fn a_frozen_watcher_does_not_count_the_time_it_slept_through() {
        let mut watch = LeaseWatch::default();
        watch.observe(mark(1), seconds(0));
        // Asked at 5, frozen, woken at 60 with the answer of 5.
        watch.observe(mark(1), seconds(60));
        assert!(!watch.expired(TTL, seconds(5)));
    }

    #[test]
    fn a_holder_stops_a_margin_before_its_ttl_counted_from_the_sending() {
        let tenure = Tenure { term: Term(1), sent_at: seconds(100), ttl: TTL };
        assert!(tenure.valid_at(seconds(100), MARGIN));
        assert!(tenure.valid_at(Tick(111_999), MARGIN));
        assert!(!tenure.valid_at(seconds(112), MARGIN));
    }

    #[test]
    fn the_holder_has_stopped_before_anybody_may_take_over() {
        for renewal_took in [0, 1, 9] {
            let tenure = Tenure { term: Term(1), sent_at: seconds(100), ttl: TTL };
            let mut watch = LeaseWatch::default();
            watch.observe(mark(1), seconds(100 + renewal_took));
            let takeover = (100..200).map(seconds).find(|now| watch.expired(TTL, *now)).unwrap();
            assert!(!tenure.valid_at(takeover, Duration::ZERO), "renewal took {renewal_took} s");
        }
    }

    #[test]
    fn a_lease_shorter_than_the_margin_is_never_valid() {
        let tenure = Tenure { term: Term(1), sent_at: seconds(1), ttl: Duration::from_secs(1) };
        assert!(!tenure.valid_at(seconds(1), MARGIN));
    }
}

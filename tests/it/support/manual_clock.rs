//! A clock that stands still until the test moves it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bongsu::{
    domain::{Tick, Timestamp},
    ports::Clock,
};

/// The clock. Its sleep ends at once, so that code under test never waits for real.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn tick(&self) -> Tick {
        Tick(self.0.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Timestamp {
        Timestamp(1_760_000_000_000 + i64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }

    async fn sleep(&self, time: Duration) {
        self.advance(time);
        tokio::task::yield_now().await;
    }
}

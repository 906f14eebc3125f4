//! Clocks of tests: one that stands still until the test moves it, and one that goes ahead or behind.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bongsu::{
    adapters::clock::SystemClock,
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

/// The system's clock with a wall clock that is ahead, or behind.
#[derive(Debug)]
pub struct ShiftedClock {
    system: SystemClock,
    ahead_millis: i64,
}

impl ShiftedClock {
    /// One that is so many milliseconds ahead.
    pub fn by(ahead_millis: i64) -> Self {
        Self { system: SystemClock::new(), ahead_millis }
    }
}

#[async_trait]
impl Clock for ShiftedClock {
    fn tick(&self) -> Tick {
        self.system.tick()
    }

    fn wall(&self) -> Timestamp {
        Timestamp(self.system.wall().0 + self.ahead_millis)
    }

    async fn sleep(&self, time: Duration) {
        self.system.sleep(time).await;
    }
}

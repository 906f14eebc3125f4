//! Time.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{Tick, Timestamp};

/// The only source of time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, by this process's monotonic clock.
    fn tick(&self) -> Tick;

    /// Now, by the wall clock.
    fn wall(&self) -> Timestamp;

    /// Waits.
    async fn sleep(&self, time: Duration);
}

//! One clock for all processes of the test: monotonic time is the same in every network namespace of a host.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since the host started.
pub fn now() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().unwrap()
}

/// Time goes by.
pub async fn pause(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

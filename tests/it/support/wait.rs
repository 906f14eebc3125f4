//! Waiting for a state instead of for a time.

use std::time::Duration;

/// How often a state is looked at. Short against every limit in the tests, long against one look.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until `look` returns something, and fails the test after `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let found = tokio::time::timeout(limit, async {
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("not within {limit:?}: {what}"))
}

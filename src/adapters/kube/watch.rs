//! Following one kind of object for ever.

use std::{fmt::Debug, time::Duration};

use futures::{Stream, StreamExt, future, stream};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt, utils::Backoff, watcher, watcher::Event},
};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use super::{error::describe_watch, guard::Guarded};

/// The API server ends a watch after this time and the watcher goes on where it was. A connection that died without a
/// word is noticed this and 5 s later; the default would be 295 s. Shorter would cost a request each for nothing.
pub(crate) const WATCH_SECONDS: u32 = 25;

/// First wait after an error; doubled for each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(250);

/// Longest wait after an error. The library's 30 s are kind to API servers with thousands of clients; here are as many
/// as there are regions, and what is late in a failover costs citizens time.
const BACKOFF_MAX: Duration = Duration::from_secs(4);

/// How long a watch waits after an error.
pub(crate) struct WatchBackoff(Duration);

impl WatchBackoff {
    /// The next wait.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.0;
        self.0 = wait.saturating_mul(2).min(BACKOFF_MAX);
        wait
    }
}

impl Default for WatchBackoff {
    fn default() -> Self {
        Self(BACKOFF_MIN)
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.wait())
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        self.0 = BACKOFF_MIN;
    }
}

/// Every event of a watch. After an error it lists everything anew, because that is what its users promise to theirs.
/// Errors are logged, one line when it is interrupted and one when it is back, and waited out.
pub(crate) fn follow<K>(
    api: Api<Guarded<K>>,
    what: &'static str,
) -> impl Stream<Item = Event<Guarded<K>>> + Send + 'static
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let begin = move || watcher(api.clone(), watcher::Config::default().timeout(WATCH_SECONDS)).boxed();
    let events = stream::unfold((begin(), begin), |(mut watch, begin)| async move {
        let result = watch.next().await?;
        // The library would go on where it was. Nothing would be missed, but nobody could tell what was.
        let next = if result.is_err() { begin() } else { watch };
        Some((result, (next, begin)))
    });
    let mut interrupted = false;
    events.backoff(WatchBackoff::default()).filter_map(move |result| {
        future::ready(match result {
            Ok(event) => {
                // `Init` only says that a list will be asked for.
                if interrupted && !matches!(event, Event::Init) {
                    interrupted = false;
                    info!(what, "watch is back");
                }
                Some(event)
            }
            Err(error) => {
                if !interrupted {
                    interrupted = true;
                    warn!(what, error = describe_watch(&error), "watch interrupted, trying again");
                }
                None
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_anew_after_a_success() {
        let mut backoff = WatchBackoff::default();
        let waits: Vec<u128> = backoff.by_ref().take(7).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 4000, 4000]);
        backoff.reset();
        assert_eq!(backoff.next(), Some(BACKOFF_MIN));
    }
}

//! Errors of the Kubernetes client, in words for people.

use std::{error::Error, fmt::Write};

use kube::runtime::watcher;

/// An error and its causes in one line. A cause whose words stand in the line already is left out, because the client
/// prints causes in its own text as well.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !line.contains(&words) {
            // Writing to a string cannot fail.
            let _ = write!(line, ": {words}");
        }
        next = cause.source();
    }
    line
}

/// What the API server said, or why it could not be asked. Its own message only: the client's text adds a dump.
#[must_use]
pub fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("the API server answered {} {}", status.code, status.reason),
        other => error_chain(other),
    }
}

/// Whether a write that ended like this has certainly not happened. A refusal says so, and a connection that was never
/// there; an answer that got lost, or an API server that lost its own store's answer (5xx), does not.
pub(crate) fn is_certainly_undone(error: &kube::Error) -> bool {
    match error {
        // 408 is a client error by its number only.
        kube::Error::Api(status) => (400..500).contains(&status.code) && status.code != 408,
        kube::Error::Service(cause) => is_connect(cause.as_ref()),
        // The request never left.
        kube::Error::BuildRequest(_) | kube::Error::Auth(_) | kube::Error::HttpError(_) => true,
        _ => false,
    }
}

fn is_connect(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        let client = cause.downcast_ref::<hyper_util::client::legacy::Error>();
        if client.is_some_and(hyper_util::client::legacy::Error::is_connect) {
            return true;
        }
        next = cause.source();
    }
    false
}

/// Why a watch was interrupted.
#[must_use]
pub fn describe_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(cause) => format!("list: {}", describe(cause)),
        watcher::Error::WatchStartFailed(cause) | watcher::Error::WatchFailed(cause) => {
            format!("watch: {}", describe(cause))
        }
        watcher::Error::WatchError(status) => format!("watch: {}", status.message),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("read page: {0}")]
        Repeats(#[source] std::io::Error),
        #[error("read page")]
        Silent(#[source] std::io::Error),
    }

    #[test]
    fn a_cause_that_stands_in_the_line_already_is_not_repeated() {
        let cause = || std::io::Error::other("connection refused");
        assert_eq!(error_chain(&Sample::Repeats(cause())), "read page: connection refused");
        assert_eq!(error_chain(&Sample::Silent(cause())), "read page: connection refused");
    }

    #[test]
    fn only_a_refused_write_is_known_not_to_have_happened() {
        let answer = |code| kube::Error::Api(Status::failure("", "").with_code(code).boxed());
        assert!(is_certainly_undone(&answer(403)) && is_certainly_undone(&answer(429)));
        assert!(!is_certainly_undone(&answer(500)) && !is_certainly_undone(&answer(504)));
        assert!(!is_certainly_undone(&kube::Error::Service("connection reset".into())));
    }

    #[test]
    fn the_api_servers_own_message_is_shown_without_a_dump() {
        let error = kube::Error::Api(Status::failure("pods \"a\" not found", "NotFound").boxed());
        assert_eq!(describe(&error), "pods \"a\" not found");
        let list = watcher::Error::InitialListFailed(error);
        assert_eq!(describe_watch(&list), "list: pods \"a\" not found");
    }
}

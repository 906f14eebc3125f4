//! Logs, to standard error: text for people, JSON for collectors.

use std::{fmt, io};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
    util::SubscriberInitExt,
};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object a line, with the fields of the event at its top level.
    Json,
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("log filter {filter:?}: {cause}; a good one is info, or info,bongsu=debug")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Somebody has set up logging before.
    #[error("logging was set up before in this process")]
    Twice,
}

/// Sets up logging for the whole process.
///
/// # Errors
/// `Filter`: tell the user which filter is wrong. `Twice`: a mistake in the caller.
pub fn init(format: LogFormat, filter: &str) -> Result<(), LogError> {
    subscriber(format, filter, io::stderr)?.try_init().map_err(|_| LogError::Twice)
}

/// What `init` sets up, with a writer of the caller's choice.
///
/// # Errors
/// `Filter`, as for `init`.
pub fn subscriber<W>(
    format: LogFormat,
    filter: &str,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), cause: error.to_string() })?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(parsed).with_timer(UtcMilliseconds).with_writer(writer);
    Ok(match format {
        LogFormat::Text => Box::new(builder.with_ansi(false).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

/// RFC 3339 in UTC with milliseconds, so that lines of several regions sort into one story.
struct UtcMilliseconds;

impl FormatTime for UtcMilliseconds {
    #[expect(clippy::disallowed_methods, reason = "says when a line was written; nothing is decided by it")]
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", jiff::Timestamp::now())
    }
}

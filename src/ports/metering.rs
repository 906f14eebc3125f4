//! Numbers that somebody else measures, such as error rates and error budgets.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

/// Where numbers are asked for.
#[derive(Clone, PartialEq)]
pub struct Meter {
    /// Its base URL, `http` or `https`, with or without a path.
    pub url: Arc<str>,
    /// Says who asks; `None`: it wants to know nothing.
    pub token: Option<Arc<str>>,
    /// PEM certificates of the authorities; `None`: the system's.
    pub ca_bundle: Option<Arc<str>>,
}

impl fmt::Debug for Meter {
    // By hand, so that the token never gets into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why there is no number.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MeteringError {
    /// The address, the token or the certificates cannot be used: asking again will not help.
    #[error("{0}")]
    Unusable(String),
    /// It refused the token: the Secret may have been rotated.
    #[error("{url} refused the token: status {status}")]
    Unauthorized {
        /// Who.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// It did not understand the query, or has no answer to it; its own words.
    #[error("{url}: {cause}")]
    Refused {
        /// Who.
        url: String,
        /// Why.
        cause: String,
    },
    /// It cannot be reached, or broke off.
    #[error("{url}: {cause}")]
    Unavailable {
        /// Who.
        url: String,
        /// Why.
        cause: String,
    },
}

/// Asks for numbers.
#[async_trait]
pub trait Metering: Send + Sync {
    /// The values of all series that a query finds now; none is an answer, too. Ends within five seconds and with bounded
    /// memory, whatever the other side does.
    ///
    /// # Errors
    /// There is no answer; nothing is known of the numbers.
    async fn ask(&self, meter: &Meter, query: &str) -> Result<Vec<f64>, MeteringError>;
}

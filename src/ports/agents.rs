//! The Bongsu of other regions, asked without the ledger.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;

use super::{Key, Ledger, LedgerError, Version};
use crate::domain::{Identity, PromiseRequest, Promiser, Promisers, Refusal, ServiceKey, WithholdRequest};

/// Why a question came to nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AgentError {
    /// It answered, and the answer is no.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It did not answer, or nobody knows what; it may have promised.
    #[error("{0}")]
    Unanswered(String),
}

/// Asks other processes. Every method ends within the adapter's call limit.
#[async_trait]
pub trait Agents: Send + Sync {
    /// Asks one not to end the lease of a writer.
    ///
    /// # Errors
    /// `Refused`: it has not promised. `Unanswered`: do not count on it.
    async fn promise(&self, agent: &Promiser, request: &PromiseRequest) -> Result<(), AgentError>;

    /// Asks one to promise nothing more; the time until its last promise is over, counted from when it answered.
    ///
    /// # Errors
    /// `Refused`: another process answers there. `Unanswered`: it may promise on.
    async fn withhold(&self, agent: &Promiser, request: &WithholdRequest) -> Result<Duration, AgentError>;

    /// Asks all whom a gate asks to promise it nothing more: the time until it can have no promise of all of them. One of them
    /// is enough for that.
    ///
    /// # Errors
    /// None answered: why.
    async fn over(&self, left: &Promisers, service: &ServiceKey) -> Result<Duration, String> {
        let answers = join_all(left.agents.iter().map(|(region, agent)| async move {
            let process = agent.process.clone();
            let request = WithholdRequest { process, service: service.clone(), term: left.term };
            self.withhold(agent, &request).await.map_err(|error| format!("{region}: {error}"))
        }));
        let answers = answers.await;
        let least = answers.iter().filter_map(|answer| answer.as_ref().ok()).min();
        least
            .copied()
            .ok_or_else(|| answers.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; "))
    }
}

/// Whom the last gate of a service asks, as it stands in the ledger.
///
/// # Errors
/// Those of [`Ledger::get`]; and `Unavailable` for what this version cannot read.
pub async fn promisers(
    ledger: &dyn Ledger,
    service: &ServiceKey,
) -> Result<Option<(Version, Promisers)>, LedgerError> {
    let key = Key::new(Promisers::key(service));
    let Some(found) = ledger.get(&key).await? else { return Ok(None) };
    let read = serde_json::from_str(&found.value).map_err(|error| LedgerError::Unavailable {
        what: format!("read {key}"),
        cause: format!("this version of Bongsu cannot read it: {error}"),
    });
    read.map(|promisers| Some((found.version, promisers)))
}

/// The place from which one process after the other promises. Whoever has it knows that its predecessor is dead.
pub trait Seat: Send + Sync {
    /// By which gates know it. The same for all who have it, one after the other, and of no other seat.
    fn name(&self) -> Identity;

    /// The longest promise that was ever given from it.
    fn longest(&self) -> Duration;

    /// Notes a promise that may be the longest, before it is given.
    ///
    /// # Errors
    /// It cannot be noted, so it must not be given.
    fn lengthen(&self, length: Duration) -> Result<(), String>;
}

/// What answers such questions: this process.
pub trait Promising: Send + Sync {
    /// Promises not to end the lease of a writer, nor to let it be ended by others on its word.
    ///
    /// # Errors
    /// Why not.
    fn promise(&self, request: &PromiseRequest) -> Result<(), Refusal>;

    /// Promises nothing more; the time until the last promise is over.
    ///
    /// # Errors
    /// Another process is meant.
    fn withhold(&self, request: &WithholdRequest) -> Result<Duration, Refusal>;
}

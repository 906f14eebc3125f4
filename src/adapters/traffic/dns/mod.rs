//! Publishes by dynamic update of name servers (RFC 2136), signed with TSIG (RFC 8945).
//!
//! A name carries its epoch in a TXT record beside it, and each update carries that record, as it was read, as its
//! prerequisite: the name server itself refuses a writer that decided under an older epoch, at whatever time its packet
//! arrives. Nothing here remembers anything between two calls.

mod connection;
mod message;
mod refusal;
mod session;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::join_all;

use crate::ports::{Answer, Clock, DnsRoute, Over, Route, ServerState, TrafficError};
#[cfg(any(test, fuzzing))]
pub use connection::fuzzed::name_server;
pub use session::{Seen, Session, Written};

/// Longest time of one call on one server. 2 s: one lost SYN (1 s, RFC 6298 §2), and three attempts of four round trips
/// each, three to read back and one to connect: 16 at 50 ms between distant sites.
pub const SERVER_LIMIT: Duration = Duration::from_secs(2);

/// Attempts when others write in between. Only an older leader and the present one can meet, each at most once for its
/// run, so a third collision means that something else writes the mark.
const ATTEMPTS: u32 = 3;

/// The adapter.
pub struct DnsTraffic {
    clock: Arc<dyn Clock>,
}

impl DnsTraffic {
    /// An adapter that signs with the time of this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }

    /// Publishes on all servers of the route at once, each on its own: one that is down delays no other. One result for
    /// each server, in the order of the route.
    pub async fn publish(
        &self,
        route: &Route,
        dns: &DnsRoute,
        answer: &Answer,
        over: Over,
    ) -> Vec<Result<ServerState, TrafficError>> {
        let calls = dns.servers.iter().map(|server| {
            within_limit(*server, async move {
                publish_with(&mut Session::open(&self.clock, route, dns, *server).await?, answer, over).await
            })
        });
        join_all(calls).await
    }

    /// Reads all servers of the route at once. One result for each server, in the order of the route.
    pub async fn read(&self, route: &Route, dns: &DnsRoute) -> Vec<Result<ServerState, TrafficError>> {
        let calls = dns.servers.iter().map(|server| {
            within_limit(*server, async move {
                let mut session = Session::open(&self.clock, route, dns, *server).await?;
                let seen = session.read().await?;
                Ok(session.state(&seen))
            })
        });
        join_all(calls).await
    }

    /// Sends all servers of the route at once an update that changes nothing. One result for each server, in the order of
    /// the route.
    pub async fn rehearse(&self, route: &Route, dns: &DnsRoute) -> Vec<Result<ServerState, TrafficError>> {
        let calls = dns.servers.iter().map(|server| {
            within_limit(*server, async move {
                rehearse_with(&mut Session::open(&self.clock, route, dns, *server).await?).await
            })
        });
        join_all(calls).await
    }
}

async fn within_limit(
    server: SocketAddr,
    call: impl Future<Output = Result<ServerState, TrafficError>>,
) -> Result<ServerState, TrafficError> {
    match tokio::time::timeout(SERVER_LIMIT, call).await {
        Ok(result) => result,
        Err(_) => Err(TrafficError::Unreachable {
            server: server.to_string(),
            cause: format!(
                "the call did not end within {SERVER_LIMIT:?}, the update may have been taken: check that the name \
                 server works and that TCP to it is not dropped on the way"
            ),
        }),
    }
}

async fn publish_with(
    session: &mut Session,
    answer: &Answer,
    over: Over,
) -> Result<ServerState, TrafficError> {
    for _ in 0..ATTEMPTS {
        let seen = session.read().await?;
        session.refuse_if_stale(&seen, answer)?;
        let state = session.state(&seen);
        if session.shows(&seen, answer) || over.spares(state.epoch, answer) {
            return Ok(state);
        }
        // Overtaken: what was read is no longer there, so read and judge again before anything is sent again.
        if session.write(&seen, answer).await? == Written::Taken {
            return read_back(session, answer).await;
        }
    }
    Err(session.contended(ATTEMPTS))
}

async fn rehearse_with(session: &mut Session) -> Result<ServerState, TrafficError> {
    for _ in 0..ATTEMPTS {
        let seen = session.read().await?;
        if session.rewrite(&seen).await? == Written::Taken {
            return Ok(session.state(&seen));
        }
    }
    Err(session.contended(ATTEMPTS))
}

/// A newer writer may have come in between; that is `Stale`, and everything else that differs is a fault of the server.
async fn read_back(session: &mut Session, answer: &Answer) -> Result<ServerState, TrafficError> {
    let seen = session.read().await?;
    session.refuse_if_stale(&seen, answer)?;
    if session.shows(&seen, answer) { Ok(session.state(&seen)) } else { Err(session.differs(&seen)) }
}

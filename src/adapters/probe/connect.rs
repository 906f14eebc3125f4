//! From a host name to an open TCP connection.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{Bad, DeniedRanges, Means, Phase, line::line, tls::tls_bad};
use crate::domain::Stage;
use crate::ports::{CheckSpec, Endpoint};

/// Addresses tried for one name. 4: two of each family; each gets its share of the timeout, and a smaller share would
/// be less than the retransmission of a lost first packet (1 s) at the usual timeouts.
const ADDRESSES_MAX: usize = 4;

/// Where to connect.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) host: Arc<str>,
    pub(super) port: u16,
    /// Time of the whole sample.
    pub(super) limit: Duration,
    /// Where it never connects.
    pub(super) denied: Arc<DeniedRanges>,
}

impl Target {
    /// Where a check reaches a member, and for how long it tries.
    pub(super) fn new(means: &Means, endpoint: &Endpoint, check: &CheckSpec) -> Self {
        let (host, denied) = (endpoint.host.clone(), means.denied.clone());
        Self { host, port: endpoint.port, limit: check.timeout, denied }
    }

    /// Opens a connection to the first address that answers.
    pub(super) async fn connect(&self, phase: &Phase) -> Result<TcpStream, Bad> {
        let stream = self.first((Stage::Connect, "connect"), phase, TcpStream::connect).await?;
        // A request is one or two writes; waiting for the peer's acknowledgement would show as its latency.
        let _unchanged = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Does something with one address after the other until it succeeds.
    pub(super) async fn first<T, W>(
        &self,
        (stage, doing): (Stage, &'static str),
        phase: &Phase,
        attempt: impl Fn(SocketAddr) -> W,
    ) -> Result<T, Bad>
    where
        W: Future<Output = io::Result<T>>,
    {
        let addresses = self.addresses(phase).await?;
        phase.enter(stage, doing);
        // One black hole among several addresses must not use up the time of the others.
        let share = self.limit / u32::try_from(addresses.len()).unwrap_or(1);
        let mut last = Bad::unreachable(line(format_args!("name look-up of {}: no address", self.host)));
        for address in addresses {
            match timeout(share, attempt(address)).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(error)) => last = io_bad(doing, &error),
                Err(_) => last = Bad::unreachable(line(format_args!("no answer within {share:?} ({doing})"))),
            }
        }
        Err(last)
    }

    async fn addresses(&self, phase: &Phase) -> Result<Vec<SocketAddr>, Bad> {
        phase.enter(Stage::Resolve, "name look-up");
        let found = lookup_host((&*self.host, self.port)).await;
        let found = found.map_err(|error| {
            Bad::unreachable(line(format_args!("name look-up of {}: {error}", self.host)))
        })?;
        let found: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
        // All of them count: a name with one good address must not lead to another one's.
        match found.iter().find_map(|address| Some((address.ip(), self.denied.range_of(address.ip())?))) {
            None => Ok(found),
            Some((address, range)) => Err(Bad::unjudged(line(format_args!(
                "{address} is not probed: it is in {range}, see --probe-denied of bongsu run"
            )))),
        }
    }
}

/// Judges a failed call on a connection: somebody who says no is `Refused`, nobody there is `Unreachable`.
pub(super) fn io_bad(doing: &str, error: &io::Error) -> Bad {
    // With TLS 1.3 the peer's refusal may come after the handshake is over on this side.
    if let Some(bad) = tls_bad(error) {
        return bad;
    }
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected, UnexpectedEof,
    };
    let detail = match error.kind() {
        ConnectionRefused => line(format_args!("{doing}: connection refused")),
        ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected => {
            line(format_args!("{doing}: connection reset"))
        }
        UnexpectedEof => line(format_args!("{doing}: closed early")),
        _ => return Bad::unreachable(line(format_args!("{doing}: {error}"))),
    };
    Bad::refused(detail)
}

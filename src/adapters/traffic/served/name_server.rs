//! The name server: sockets on one side, the ledger's records on the other.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use hickory_server::{Server, net::NetError};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::watch,
};

use super::{book::Book, handler::Handler, record::PREFIX, zones::Zones};
use crate::ports::{Change, Ledger};

/// A TCP connection that is silent for so long is closed: a resolver asks at once, and 10 s are enough for one that is
/// far away and loses packets (RFC 7766 §6.2.3).
const TCP_IDLE: Duration = Duration::from_secs(10);

/// Answers that wait on one TCP connection for a client that reads slowly.
const TCP_ANSWERS: usize = 32;

/// Changes that are taken in together before the zones are made anew: a region's loss changes thousands of records at
/// once, and making the zones of 10,000 records takes tens of milliseconds.
const BATCH: usize = 1024;

/// Attempts to find a port that is free for both UDP and TCP, when any will do.
const PORT_ATTEMPTS: u32 = 8;

/// Time that open connections get at the end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// An authoritative name server (RFC 1034 §4.3.2) for the zones in the ledger. It starts without knowing anything and
/// answers SERVFAIL until the ledger was read once; after that it answers whether the ledger is there or not.
pub struct NameServer {
    // Two servers, because the library's `block_until_done` returns only after all of its sockets ended: with one, a
    // dead listener would go unnoticed while the other socket works.
    udp: Server<Handler>,
    tcp: Server<Handler>,
    changes: BoxStream<'static, Change>,
    zones: watch::Sender<Option<Arc<Zones>>>,
}

impl NameServer {
    /// Binds UDP and TCP on the same port; with port 0 any that is free, and the one taken is returned.
    ///
    /// On a host with several addresses give one of them, not `0.0.0.0`: UDP answers leave from the address that the
    /// system chooses, and resolvers drop those from an address that they did not ask.
    ///
    /// # Errors
    /// The address cannot be bound; the message names it.
    pub async fn bind(addr: SocketAddr, ledger: Arc<dyn Ledger>) -> io::Result<(Self, SocketAddr)> {
        let (listener, socket) = sockets(addr)
            .await
            .map_err(|cause| io::Error::new(cause.kind(), format!("bind name server to {addr}: {cause}")))?;
        let bound = listener.local_addr()?;
        let (zones, receiver) = watch::channel(None);
        let mut udp = Server::new(Handler::new(receiver.clone()));
        udp.register_socket(socket);
        let mut tcp = Server::new(Handler::new(receiver));
        tcp.register_listener(listener, TCP_IDLE, TCP_ANSWERS);
        Ok((Self { udp, tcp, changes: ledger.watch(PREFIX), zones }, bound))
    }

    /// Answers until `shutdown` is ready.
    ///
    /// # Errors
    /// A socket broke: nothing is answered on it any more, so start again.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), NetError> {
        let Self { mut udp, mut tcp, changes, zones } = self;
        tokio::select! {
            biased;
            () = shutdown => {}
            ended = udp.block_until_done() => return ended,
            ended = tcp.block_until_done() => return ended,
            () = follow(changes, &zones) => {}
        }
        let both = async { udp.shutdown_gracefully().await.and(tcp.shutdown_gracefully().await) };
        // Connections that are still open then are cut when the servers are dropped.
        tokio::time::timeout(SHUTDOWN_LIMIT, both).await.unwrap_or(Ok(()))
    }
}

/// Takes in the ledger's changes for ever.
async fn follow(changes: BoxStream<'static, Change>, zones: &watch::Sender<Option<Arc<Zones>>>) {
    let mut book = Book::default();
    let mut batches = changes.ready_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        batch.into_iter().for_each(|change| book.apply(change));
        zones.send_replace(Some(Arc::new(book.zones())));
    }
    // A watch never ends by itself; if it does, the last answers stay.
    tracing::error!("watch of the ledger's answers ended, the last ones are given from now on");
    std::future::pending().await
}

async fn sockets(addr: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..PORT_ATTEMPTS {
        let listener = TcpListener::bind(addr).await?;
        match UdpSocket::bind(listener.local_addr()?).await {
            Ok(socket) => return Ok((listener, socket)),
            Err(cause) if addr.port() != 0 => return Err(cause),
            Err(cause) => last = cause,
        }
    }
    Err(last)
}

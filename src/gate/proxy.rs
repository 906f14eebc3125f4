//! A gate before the writer: what clients send passes only while the door is open, looked at before each chunk.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tracing::{debug, warn};

use super::door::Door;
use crate::ports::Clock;

/// Connections at once. 4,096: far more than a database takes; each holds two sockets and 32 KiB.
const CONNECTIONS_MAX: usize = 4_096;

/// Bytes between two looks at the door.
const CHUNK: usize = 16 * 1024;

/// Time for the writer to take a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Time before accepting again after the host refused a connection, because it has no more files for example.
const PAUSE: Duration = Duration::from_millis(100);

/// Passes TCP connections on to the writer.
pub struct Proxy {
    /// Where the writer listens, such as `127.0.0.1:5432`.
    pub target: String,
    /// What must be open.
    pub door: Arc<Door>,
    /// For its limits.
    pub clock: Arc<dyn Clock>,
}

impl Proxy {
    /// Accepts connections for ever.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let client = match listener.accept().await {
                Ok((client, _)) => client,
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    self.clock.sleep(PAUSE).await;
                    continue;
                }
            };
            let place = places.clone().try_acquire_owned();
            let (Ok(place), true) = (place, self.door.is_open()) else {
                cut(&client);
                continue;
            };
            let proxy = self.clone();
            tokio::spawn(async move {
                let _place = place;
                if let Err(error) = proxy.pass(client).await {
                    debug!(%error, target = proxy.target, "a connection ended");
                }
            });
        }
    }

    async fn pass(&self, client: TcpStream) -> io::Result<()> {
        let connected = tokio::select! {
            biased;
            connected = TcpStream::connect(&self.target) => connected,
            () = self.clock.sleep(CONNECT_LIMIT) => Err(io::ErrorKind::TimedOut.into()),
        };
        let writer = connected.inspect_err(|_| cut(&client))?;
        client.set_nodelay(true)?;
        writer.set_nodelay(true)?;
        let passed = tokio::select! {
            biased;
            () = self.door.shuts() => Ok(false),
            // Answers too: who is told that a record was written must be able to rely on it.
            passed = async { tokio::try_join!(self.chunks(&client, &writer), self.chunks(&writer, &client)) } => {
                passed.map(|(there, back)| there && back)
            }
        };
        if !matches!(passed, Ok(true)) {
            cut(&client);
            cut(&writer);
        }
        passed.map(drop)
    }

    /// Passes on until the end of the stream; `false` if the door was shut.
    async fn chunks(&self, from: &TcpStream, to: &TcpStream) -> io::Result<bool> {
        let mut buffer = vec![0; CHUNK];
        loop {
            from.readable().await?;
            let count = match from.try_read(&mut buffer) {
                Ok(0) => {
                    rustix::net::shutdown(to, rustix::net::Shutdown::Write)?;
                    return Ok(true);
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            let mut left = &buffer[..count];
            while !left.is_empty() {
                to.writable().await?;
                // Nothing stands between this look and the write: whoever was frozen before it finds the door shut.
                if !self.door.is_open() {
                    return Ok(false);
                }
                match to.try_write(left) {
                    Ok(written) => left = &left[written..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Ends a connection by a reset: what is still on its way in this host is thrown away, and the other side knows.
fn cut(stream: &TcpStream) {
    // It may have ended already.
    let _ = stream.set_zero_linger();
}

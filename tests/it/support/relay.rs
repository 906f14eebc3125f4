//! A line to a server that can be cut and mended.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};

/// Carries bytes as they are. Ends with the value.
pub struct Relay {
    address: SocketAddr,
    server: SocketAddr,
    carrying: Option<JoinSet<()>>,
}

impl Relay {
    /// Listens on a port of its own.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, server, carrying: Some(carry(listener, server)) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection, and refuses new ones.
    pub async fn cut(&mut self) {
        if let Some(mut carrying) = self.carrying.take() {
            carrying.shutdown().await;
        }
    }

    /// Works again, on the same port.
    pub fn mend(&mut self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        self.carrying = Some(carry(socket.listen(64).unwrap(), self.server));
    }
}

fn carry(listener: TcpListener, server: SocketAddr) -> JoinSet<()> {
    let mut accepting = JoinSet::new();
    accepting.spawn(async move {
        // Dropped with this task, and every connection with it.
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            connections.spawn(async move {
                if let Ok(mut server) = TcpStream::connect(server).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    accepting
}

//! Real servers on this host: good ones by axum, with or without TLS, and bad ones by hand.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, serve::Listener};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// A server that ends when it is dropped, with all its connections.
pub struct Server {
    pub address: SocketAddr,
    /// Connections accepted.
    pub accepted: Arc<AtomicUsize>,
    /// Bytes that the hand-made servers could write.
    pub written: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Serves a router.
    pub async fn axum(router: Router, tls: Option<TlsAcceptor>) -> Self {
        Self::axum_at(SocketAddr::from(([127, 0, 0, 1], 0)), router, tls).await
    }

    /// Serves a router on this address, which may have port 0.
    pub async fn axum_at(address: SocketAddr, router: Router, tls: Option<TlsAcceptor>) -> Self {
        let (listener, mut server) = Self::bind_to(address).await;
        let listener = Counting { listener, accepted: server.accepted.clone(), tls };
        server.tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    /// Writes the same bytes on each connection, after the head of a request came in, and closes it.
    pub async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::by_hand(move |mut stream, _| {
            let answer = answer.clone();
            async move {
                read_head(&mut stream).await;
                let _gone = stream.write_all(&answer).await;
                let _gone = stream.shutdown().await;
                // Closing with unread bytes would reset the connection and could take the answer back.
                let _gone = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
        })
        .await
    }

    /// Writes a head and then the same chunk for ever, counting what the peer took.
    pub async fn flooding(head: &'static str, chunk: Vec<u8>) -> Self {
        let chunk: Arc<[u8]> = chunk.into();
        Self::by_hand(move |mut stream, written| {
            let chunk = chunk.clone();
            async move {
                read_head(&mut stream).await;
                let _gone = stream.write_all(head.as_bytes()).await;
                while stream.write_all(&chunk).await.is_ok() {
                    written.fetch_add(chunk.len() as u64, Ordering::SeqCst);
                }
            }
        })
        .await
    }

    /// Does anything with each connection.
    pub async fn by_hand<F, W>(serve: F) -> Self
    where
        F: Fn(TcpStream, Arc<AtomicU64>) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let (listener, mut server) = Self::bind().await;
        let (accepted, written) = (server.accepted.clone(), server.written.clone());
        server.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, written.clone()));
            }
        });
        server
    }

    /// Answers every request on this address, which may have port 0, with 200 and this body.
    pub async fn good_at(address: SocketAddr, body: &'static str) -> Self {
        let (listener, mut server) = Self::bind_to(address).await;
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let answer: Arc<[u8]> = answer.into_bytes().into();
        server.tasks.spawn(async move {
            // Dropped with the task, and every open connection with it.
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                connections.spawn(async move {
                    read_head(&mut stream).await;
                    let _gone = stream.write_all(&answer).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        server
    }

    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    async fn bind() -> (TcpListener, Self) {
        Self::bind_to(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    async fn bind_to(address: SocketAddr) -> (TcpListener, Self) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, Self { address, accepted: Arc::default(), written: Arc::default(), tasks: JoinSet::new() })
    }
}

/// An address where nobody listens.
pub async fn closed_port() -> SocketAddr {
    Server::bind().await.1.address
}

/// Reads to the end of a request's head.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) {
    let mut last = [0_u8; 4];
    while last != *b"\r\n\r\n" {
        last.rotate_left(1);
        match stream.read_u8().await {
            Ok(byte) => last[3] = byte,
            Err(_) => return,
        }
    }
}

/// Waits until something is so; fails the test if it is not within ten seconds.
#[expect(clippy::disallowed_methods, reason = "polls a real server")]
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds: {what}");
}

struct Counting {
    listener: TcpListener,
    accepted: Arc<AtomicUsize>,
    tls: Option<TlsAcceptor>,
}

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}

impl Listener for Counting {
    type Io = Box<dyn Io>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, peer) = self.listener.accept().await.unwrap();
            self.accepted.fetch_add(1, Ordering::SeqCst);
            match &self.tls {
                None => return (Box::new(stream), peer),
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => return (Box::new(stream), peer),
                    Err(_) => continue,
                },
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

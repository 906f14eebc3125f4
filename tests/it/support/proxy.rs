//! A real reverse proxy before an API server. It counts the ledger's writes of runs and records, and stops at one.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;

use super::control_plane::ControlPlane;

/// When the process dies, seen from the write that it is about to make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// The API server never hears of the write.
    Before,
    /// The API server has written; the process never hears of it.
    After,
}

/// The proxy. It ends with the value.
pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
    #[expect(dead_code, reason = "dropping it ends the task")]
    task: JoinSet<()>,
}

struct Shared {
    api_server: SocketAddr,
    tls: TlsConnector,
    /// Writes that count, since the last [`Proxy::arm`].
    writes: AtomicUsize,
    /// The write to stop at, from 1; 0: none.
    stop_at: AtomicUsize,
    stop_before: AtomicBool,
    stopped: Notify,
    released: Notify,
    late: Mutex<Vec<u16>>,
}

impl Proxy {
    /// Listens on a port of its own.
    pub async fn start(plane: &ControlPlane) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            api_server: plane.url().trim_start_matches("https://").parse().unwrap(),
            tls: connector(&plane.ca_file()),
            writes: AtomicUsize::new(0),
            stop_at: AtomicUsize::new(0),
            stop_before: false.into(),
            stopped: Notify::new(),
            released: Notify::new(),
            late: Mutex::default(),
        });
        let mut task = JoinSet::new();
        task.spawn(accept(listener, shared.clone()));
        Self { url, shared, task }
    }

    /// Counts from zero again, and stops at the `n`th write.
    pub fn arm(&self, n: usize, moment: Moment) {
        self.shared.stop_before.store(moment == Moment::Before, Ordering::SeqCst);
        self.shared.writes.store(0, Ordering::SeqCst);
        self.shared.stop_at.store(n, Ordering::SeqCst);
    }

    /// Waits until the write came to which it was armed. Whoever made it hears no answer until it is released.
    pub async fn stopped(&self) {
        self.shared.stopped.notified().await;
    }

    /// Lets the write that was held [`Moment::Before`] go on, as a network does that was only slow.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }

    /// What the API server answered to writes that were released.
    pub fn late_answers(&self) -> Vec<u16> {
        self.shared.late.lock().unwrap().clone()
    }

    /// Writes that were counted since it was armed.
    pub fn writes(&self) -> usize {
        self.shared.writes.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        let service = service_fn(move |request| forward(shared.clone(), request));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            // Ends with an error when the process behind it is killed.
            let _ended = connection.await;
        });
    }
}

type Body = BoxBody<Bytes, hyper::Error>;

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn forward(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let stops = is_counted(&head.method, &head.uri, &body) && shared.count();
    let before = shared.stop_before.load(Ordering::SeqCst);
    if stops && before {
        shared.stopped.notify_one();
        shared.released.notified().await;
    }
    let answer = ask(&shared, Request::from_parts(head, body)).await?;
    if stops && before {
        shared.late.lock().unwrap().push(answer.status().as_u16());
    }
    if stops && !before {
        // Only once the whole answer is here the API server has surely written.
        answer.into_body().collect().await?;
        shared.stopped.notify_one();
        return std::future::pending().await;
    }
    Ok(answer.map(BodyExt::boxed))
}

impl Shared {
    /// Counts a write; whether it is the one to stop at.
    fn count(&self) -> bool {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        number == self.stop_at.load(Ordering::SeqCst)
    }
}

/// Runs and records: what a failover consists of. Verdicts and leases are not counted.
fn is_counted(method: &Method, uri: &Uri, body: &[u8]) -> bool {
    let writes = *method == Method::PUT || *method == Method::POST;
    if !writes || !uri.path().contains("/ledgerentries") {
        return false;
    }
    let entry: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let key = entry["spec"]["key"].as_str().unwrap_or_default();
    key.starts_with("run/") || key.starts_with("record/")
}

/// One request on a connection of its own.
async fn ask(shared: &Shared, request: Request<Bytes>) -> Result<Response<Incoming>, Failure> {
    let stream = TcpStream::connect(shared.api_server).await?;
    let name = ServerName::IpAddress(shared.api_server.ip().into());
    let stream = shared.tls.connect(name, stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request.map(Full::new)).await?)
}

fn connector(ca_file: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

//! A real reverse proxy before an API server. It knows the ledger's writes of what is being done, and stops at one: by
//! its number, or by what it writes down.

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
use serde_json::Value;
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

/// What a process is doing, by what it writes down, and where it dies on the way. Several proxies share one.
pub struct Boundaries {
    moment: Moment,
    /// Where to die; without any, at each that was not met yet.
    only: Option<&'static str>,
    met: Mutex<Vec<String>>,
}

impl Boundaries {
    /// Dies once at each.
    pub fn each(moment: Moment) -> Arc<Self> {
        Arc::new(Self { moment, only: None, met: Mutex::default() })
    }

    /// Dies once at this one.
    pub fn one(name: &'static str, moment: Moment) -> Arc<Self> {
        Arc::new(Self { moment, only: Some(name), met: Mutex::default() })
    }

    /// Those at which somebody died, in order.
    pub fn met(&self) -> Vec<String> {
        self.met.lock().unwrap().clone()
    }

    /// Whether to die at this write.
    fn meets(&self, name: &str) -> bool {
        let mut met = self.met.lock().unwrap();
        let new = self.only.is_none_or(|only| only == name) && !met.iter().any(|known| known == name);
        if new {
            met.push(name.to_owned());
        }
        new
    }
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
    boundaries: Mutex<Option<Arc<Boundaries>>>,
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
            boundaries: Mutex::default(),
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

    /// Stops at these boundaries from now on.
    pub fn stop_at(&self, boundaries: &Arc<Boundaries>) {
        *self.shared.boundaries.lock().unwrap() = Some(boundaries.clone());
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
    let stops = ledger_write(&head.method, &head.uri, &body).and_then(|entry| shared.stops(&entry));
    if stops == Some(Moment::Before) {
        shared.stopped.notify_one();
        shared.released.notified().await;
    }
    let answer = ask(&shared, Request::from_parts(head, body)).await?;
    if stops == Some(Moment::Before) {
        shared.late.lock().unwrap().push(answer.status().as_u16());
    }
    if stops == Some(Moment::After) && answer.status().is_success() {
        // Only once the whole answer is here the API server has surely written.
        answer.into_body().collect().await?;
        shared.stopped.notify_one();
        return std::future::pending().await;
    }
    Ok(answer.map(BodyExt::boxed))
}

impl Shared {
    /// Whether to stop at a write, and when.
    fn stops(&self, entry: &Value) -> Option<Moment> {
        let boundaries = self.boundaries.lock().unwrap().clone();
        if let Some(boundaries) = boundaries {
            return boundary(entry).filter(|name| boundaries.meets(name)).map(|_| boundaries.moment);
        }
        let before = self.stop_before.load(Ordering::SeqCst);
        let moment = if before { Moment::Before } else { Moment::After };
        (is_counted(entry) && self.count()).then_some(moment)
    }

    /// Counts a write; whether it is the one to stop at.
    fn count(&self) -> bool {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        number == self.stop_at.load(Ordering::SeqCst)
    }
}

/// The entry that a request writes into the ledger.
fn ledger_write(method: &Method, uri: &Uri, body: &[u8]) -> Option<Value> {
    let writes = *method == Method::PUT || *method == Method::POST;
    let entry = writes && uri.path().contains("/ledgerentries");
    entry.then(|| serde_json::from_slice(body).unwrap_or_default())
}

fn key(entry: &Value) -> &str {
    entry["spec"]["key"].as_str().unwrap_or_default()
}

/// Runs and records: what a failover consists of. Verdicts and leases are not counted.
fn is_counted(entry: &Value) -> bool {
    key(entry).starts_with("run/") || key(entry).starts_with("record/")
}

/// What the writer is about to do, or has done; `None`: it has nothing to do with moves and drills.
fn boundary(entry: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let value: Value = serde_json::from_str(&text(&entry["spec"]["value"])).ok()?;
    let (kind, name) = key(entry).split_once('/')?;
    let id = name.rsplit('/').next()?;
    Some(match kind {
        "drill" => format!("drill {} {}", text(&value["phase"]), text(&value["services"][0]["state"])),
        "report" => "report".to_owned(),
        "request" => format!("request {id}"),
        "record" if value["run"].is_null() => format!("record {} free", value["epoch"]),
        "record" => format!("record {} {}", value["epoch"], text(&value["run"])),
        "run" => {
            let step = &value["journal"][usize::try_from(value["cursor"].as_u64()?).ok()?];
            let named = |step: &Value| Some(step.as_object()?.keys().next()?.clone());
            let name = named(&step["step"]).unwrap_or_else(|| text(&step["step"]));
            format!("run {id} {} {name} {}", text(&value["state"]), text(&step["state"]))
                .trim_end()
                .to_owned()
        }
        _ => return None,
    })
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

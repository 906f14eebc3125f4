//! The health pages: `/healthz`, `/readyz`, `/metrics`, `/status`. Read-only, without login, for the cluster's network.

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use prometheus::{Encoder, TextEncoder};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Readiness;

/// 64 connections at once: the kubelet has two, a pair of Prometheus servers two, a few people one each. Others wait in
/// the kernel's queue; a page holds at most some megabytes while it is written.
const CONNECTIONS_MAX: usize = 64;

/// A client that has not sent its request head within 2 s is not one of ours, and 64 of them delay the kubelet's probe
/// by no more than that.
const HEAD_LIMIT: Duration = Duration::from_secs(2);

/// One connection, from accept to close. Prometheus gives up after 10 s, the kubelet after 1 s.
const CONNECTION_LIMIT: Duration = Duration::from_secs(10);

/// Wait after a failed accept. The usual cause is that no file descriptor is free, which the next close changes.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Gives what `/status` shows. Called for each request on the event loop, so it must only copy what is there.
pub type StatusProvider = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Gives what a TLS connection begins with. Called for each connection, because certificates are renewed.
pub type Secure = Arc<dyn Fn() -> TlsAcceptor + Send + Sync>;

/// Metrics that can be shown.
pub trait Exposition: Send + Sync {
    /// Everything in the Prometheus text format.
    ///
    /// # Errors
    /// A metric cannot be written as text; the others cannot be shown either.
    fn render(&self) -> Result<String, prometheus::Error>;
}

/// All of a registry in the Prometheus text format.
pub(super) fn encode(registry: &prometheus::Registry) -> Result<String, prometheus::Error> {
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
}

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// Shown by `/metrics`.
    pub metrics: Arc<dyn Exposition>,
    /// Shown by `/readyz`.
    pub readiness: Readiness,
    /// Shown by `/status`.
    pub status: StatusProvider,
}

/// Answers until `shutdown` is done, then finishes the requests that are being answered.
///
/// Each connection carries one request: probes and scrapes are seconds apart, and a connection that ends by itself
/// can neither be hoarded nor hold up the shutdown.
pub async fn serve(listener: TcpListener, pages: Pages, shutdown: impl Future<Output = ()> + Send) {
    serve_router(listener, router(pages), None, shutdown).await;
}

/// The same for other routes, and behind TLS if `secure` gives what a connection begins with.
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    secure: Option<Secure>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let connections = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let stop = CancellationToken::new();
    let accepting = async {
        loop {
            match accept(&listener, &slots).await {
                Ok((stream, slot)) => {
                    connections.spawn(answer(stream, secure.clone(), slot, router.clone(), stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    // Ends early on shutdown, because the whole loop is dropped then.
                    let _ = timeout(ACCEPT_PAUSE, std::future::pending::<()>()).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    stop.cancel();
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    // The slot first: a connection that nobody answers yet costs the kernel less than it costs us.
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

async fn answer(
    stream: TcpStream,
    secure: Option<Secure>,
    slot: OwnedSemaphorePermit,
    router: Router,
    stop: CancellationToken,
) {
    match secure {
        None => answer_on(stream, router, stop).await,
        Some(secure) => match timeout(HEAD_LIMIT, secure().accept(stream)).await {
            Ok(Ok(stream)) => answer_on(stream, router, stop).await,
            Ok(Err(error)) => tracing::warn!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(limit = ?HEAD_LIMIT, "a TLS handshake took too long"),
        },
    }
    drop(slot);
}

async fn answer_on(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    stop: CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).keep_alive(false);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = timeout(CONNECTION_LIMIT, async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.as_mut().await
    });
    match ended.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection broke off"),
        Err(_) => tracing::debug!(limit = ?CONNECTION_LIMIT, "a connection took too long"),
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(pages)
}

/// An answer is the proof: the event loop runs. Parts that do not work are the matter of `/readyz`, because a restart
/// brings no API server back.
async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(pages): State<Pages>) -> (StatusCode, String) {
    let code = if pages.readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, pages.readiness.lines())
}

async fn metrics(State(pages): State<Pages>) -> Response {
    match pages.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn status(State(pages): State<Pages>) -> Json<serde_json::Value> {
    Json((pages.status)())
}

//! Connections that carry HTTP/1.1 or HTTP/2.

use std::{
    error::Error,
    fmt::Write,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use bytes::Bytes;
use futures::future::{Either, select};
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
};

use super::super::{
    Bad, Phase,
    connect::{Target, io_bad},
    line::line,
    tls::{Protocol, Tls},
};
use crate::domain::Stage;

/// Bytes of an answer's head, and of what is read from the connection at once. 64 KiB: servers refuse requests with
/// more than 8 to 16 KiB of head, and answers have smaller ones; 2,000 samples in flight stay below 128 MiB even if
/// every member floods.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Headers of an answer; hyper's own limit, written down because it is ours to promise.
const HEADERS_MAX: usize = 100;

/// Bytes that the peer may send over HTTP/2 before we take them: the least of RFC 9113 §6.9.2.
const WINDOW_BYTES: u32 = 65_535;

/// A connection in the clear or over TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What carries a connection on. Polled beside the exchange: its error also reaches that, where it is judged.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Sends requests on a connection.
pub(in super::super) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Sends a request, and waits for the head of its answer.
    pub(in super::super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        phase: &Phase,
    ) -> Result<Response<Incoming>, Bad> {
        phase.enter(Stage::Answer, "request");
        let answer = match self {
            Self::Http1(sender) => {
                sender.ready().await.map_err(|error| bad(&error))?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await.map_err(|error| bad(&error))?;
                sender.send_request(request).await
            }
        };
        let answer = answer.map_err(|error| bad(&error))?;
        phase.enter(Stage::Body, "body");
        Ok(answer)
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }
}

/// What comes of an exchange on a connection that is not kept.
pub(in super::super) async fn driven<T>(exchange: impl Future<Output = T>, driver: Driver) -> T {
    match select(pin!(exchange), driver).await {
        Either::Left((result, _)) => result,
        Either::Right((_, exchange)) => exchange.await,
    }
}

/// Opens a connection that speaks this.
pub(in super::super) async fn open(
    target: &Target,
    tls: Option<&Tls>,
    protocol: Protocol,
    phase: &Phase,
) -> Result<(Sender, Driver), Bad> {
    let stream: Box<dyn Stream> = match tls {
        Some(tls) => Box::new(tls.handshake(target.connect(phase).await?, phase).await?),
        None => Box::new(target.connect(phase).await?),
    };
    match protocol {
        Protocol::H2 => http2(stream, phase).await,
        Protocol::Http1 | Protocol::Other => http1(stream).await,
    }
}

async fn http1(stream: Box<dyn Stream>) -> Result<(Sender, Driver), Bad> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|error| bad(&error))?;
    let driver = async move {
        let _ended = connection.await;
    };
    Ok((Sender::Http1(sender), Box::pin(driver)))
}

async fn http2(stream: Box<dyn Stream>, phase: &Phase) -> Result<(Sender, Driver), Bad> {
    phase.enter(Stage::Connect, "http/2 handshake");
    // What hyper does beside our own work ends with the connection, whatever the peer leaves undone.
    let tasks = Arc::new(Mutex::new(JoinSet::new()));
    let mut builder = http2::Builder::new(Tasks(Arc::downgrade(&tasks)));
    builder.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
    builder.max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|error| bad(&error))?;
    let driver = async move {
        let _tasks = tasks;
        let _ended = connection.await;
    };
    Ok((Sender::Http2(sender), Box::pin(driver)))
}

/// Runs what hyper wants to run, as long as somebody holds the tasks.
#[derive(Clone)]
struct Tasks(Weak<Mutex<JoinSet<()>>>);

impl<W> Executor<W> for Tasks
where
    W: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, work: W) {
        if let Some(tasks) = self.0.upgrade() {
            tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
                let _nothing = work.await;
            });
        }
    }
}

/// Judges a failed exchange. What HTTP/2 complains about is below hyper's own words.
pub(in super::super) fn bad(error: &hyper::Error) -> Bad {
    if error.is_parse() {
        let detail = line(format_args!("not an HTTP answer: {error}"));
        // Also what a server sends into an idle connection before it closes it.
        return Bad { transport: true, ..Bad::wrong(detail) };
    }
    let cause = error.source();
    if let Some(cause) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        return io_bad("http", cause);
    }
    let closed = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    let mut detail = if closed { "http: closed early".to_owned() } else { format!("http: {error}") };
    if let Some(cause) = cause {
        // Writing to a String cannot fail.
        let _written = write!(detail, ": {cause}");
    }
    Bad::refused(line(format_args!("{detail}")))
}

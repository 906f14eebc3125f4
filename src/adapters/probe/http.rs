//! An HTTP request whose answer's body is the judge. Redirects are not followed: where they lead is another check.

pub(super) mod body;
pub(super) mod connection;

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Bad, Means, Phase,
    connect::Target,
    expect::Expect,
    line::line,
    sample,
    secrets::SecretValues,
    tls::{Protocol, Tls},
};
use crate::ports::{
    BodyFormat, CheckSpec, Endpoint, HttpSpec, Probe, ProbeError, Reading, Scheme, SecretRef, TlsSpec,
};
use connection::{Sender, bad, driven, open};

/// Headers that the probe or the connection sets: another value would break the request or hide who sent it.
const RESERVED: [HeaderName; 8] = [
    header::HOST,
    header::USER_AGENT,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::EXPECT,
    MARK,
];

/// Samples on a connection that is kept over TLS. 60, a minute at one sample a second: a certificate that ran out shows only in a new
/// one.
const KEPT_FOR: u32 = 60;

/// Marks canary traffic, so that a service can leave it out of its statistics and legal records.
const MARK: HeaderName = HeaderName::from_static("bongsu-probe");

/// The `http` check of one member.
pub(super) struct HttpProbe {
    target: Target,
    tls: Option<Tls>,
    protocol: Protocol,
    request: Request<Full<Bytes>>,
    judge: Judge,
    max_latency: Option<Duration>,
    /// Samples on one connection.
    keep_for: u32,
    kept: Mutex<Option<Open>>,
}

/// What makes an answer good.
struct Judge {
    expected_status: Vec<u16>,
    expect: Option<Arc<Expect>>,
    max_body_bytes: usize,
    format: BodyFormat,
    has_body: bool,
}

/// A connection that goes on by itself between samples, until it is dropped.
struct Open {
    sender: Sender,
    /// Samples that it may still carry.
    left: u32,
    _driver: AbortOnDropHandle<()>,
}

impl HttpProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &HttpSpec,
    ) -> Result<Self, ProbeError> {
        let protocol = if spec.http2 { Protocol::H2 } else { Protocol::Http1 };
        let keep_for = keep_for(endpoint, spec);
        // Whoever keeps the connection resumes no session.
        let every = spec.tls.full_handshake_every.filter(|_| !spec.keep_alive);
        let tls = TlsSpec { full_handshake_every: every, ..spec.tls.clone() };
        let tls = tls_of(means, endpoint, check, &tls, protocol)?;
        let expect = spec.expect.as_ref().map(|source| means.expressions.compile(source)).transpose();
        let expect = expect.map_err(|cause| ProbeError::Expect { check: check.name.to_string(), cause })?;
        Ok(Self {
            target: Target::new(means, endpoint, check),
            tls,
            protocol,
            request: request(&means.secrets, endpoint, check, spec)?,
            judge: Judge {
                expected_status: spec.expected_status.clone(),
                expect,
                max_body_bytes: spec.max_body_bytes,
                format: spec.format,
                has_body: spec.method != Method::HEAD.as_str(),
            },
            max_latency: check.max_latency,
            keep_for,
            kept: Mutex::new(None),
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(open) = kept {
            match self.exchange_and_keep(open, phase).await {
                // The server may close an idle connection at any time: only a fresh one says something about it.
                Err(bad) if bad.transport => {}
                judged => return judged,
            }
        }
        let (mut sender, driver) = open(&self.target, self.tls.as_ref(), self.protocol, phase).await?;
        if self.keep_for > 1 {
            let driver = AbortOnDropHandle::new(tokio::spawn(driver));
            let open = Open { sender, left: self.keep_for, _driver: driver };
            return self.exchange_and_keep(open, phase).await;
        }
        driven(self.exchange(&mut sender, phase), driver).await
    }

    /// Keeps the connection only if the answer was read to its end: what is left of it would be taken for the next one.
    async fn exchange_and_keep(&self, mut open: Open, phase: &Phase) -> Result<(), Bad> {
        let judged = self.exchange(&mut open.sender, phase).await;
        open.left = open.left.saturating_sub(1);
        if judged.is_ok() && open.left > 0 && !open.sender.is_closed() {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
        }
        judged
    }

    async fn exchange(&self, sender: &mut Sender, phase: &Phase) -> Result<(), Bad> {
        self.judge.answer(sender.send(self.request.clone(), phase).await?).await
    }
}

#[async_trait]
impl Probe for HttpProbe {
    async fn run(&self) -> Reading {
        sample(self.target.limit, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

impl Judge {
    async fn answer(&self, answer: Response<Incoming>) -> Result<(), Bad> {
        let (head, body) = answer.into_parts();
        let status = head.status.as_u16();
        if !self.expected_status.contains(&status) {
            return Err(Bad::wrong(line(format_args!(
                "status {status}, expected {:?}",
                self.expected_status
            ))));
        }
        let bytes = read(body, self.max_body_bytes, self.expect.is_some()).await?;
        match &self.expect {
            Some(expect) => expect.judge(status, &head.headers, self.parse(&bytes)?).map_err(Bad::wrong),
            None => Ok(()),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<serde_json::Value, Bad> {
        if !self.has_body {
            return Ok(serde_json::Value::Null);
        }
        body::read(bytes, self.format)
    }
}

/// One request on a connection of its own, and its answer. The caller limits the time.
pub(super) async fn fetch(
    target: &Target,
    tls: Option<&Tls>,
    request: Request<Full<Bytes>>,
    max_body_bytes: usize,
    phase: &Phase,
) -> Result<Response<Vec<u8>>, Bad> {
    let (mut sender, driver) = open(target, tls, Protocol::Http1, phase).await?;
    let exchange = async {
        let (head, body) = sender.send(request, phase).await?.into_parts();
        Ok(Response::from_parts(head, read(body, max_body_bytes, true).await?))
    };
    driven(exchange, driver).await
}

/// A protocol that HTTP carries: what is asked is in the body or the path, and the answer's body is all that counts.
pub(super) struct Carrier {
    target: Target,
    tls: Option<Tls>,
    headers: HeaderMap,
    max_body_bytes: usize,
}

impl Carrier {
    /// # Errors
    /// The endpoint or its TLS options cannot be used.
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        tls: &TlsSpec,
        max_body_bytes: usize,
    ) -> Result<Self, ProbeError> {
        let mut headers = HeaderMap::new();
        own_headers(&mut headers, endpoint, check).map_err(|cause| ProbeError::Field {
            check: check.name.to_string(),
            field: "endpoint",
            cause,
        })?;
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        let tls = tls_of(means, endpoint, check, tls, Protocol::Http1)?;
        Ok(Self { target: Target::new(means, endpoint, check), tls, headers, max_body_bytes })
    }

    /// Gets what is at a path.
    pub(super) async fn get(&self, path: &str, phase: &Phase) -> Result<Vec<u8>, Bad> {
        self.call(Method::GET, path, None, phase).await
    }

    /// Posts a request of a media type.
    pub(super) async fn post(
        &self,
        path: &str,
        media_type: &'static str,
        body: impl Into<Bytes>,
        phase: &Phase,
    ) -> Result<Vec<u8>, Bad> {
        self.call(Method::POST, path, Some((media_type, body.into())), phase).await
    }

    /// Sends a request, with the headers that say who asks, and takes any status.
    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
        phase: &Phase,
    ) -> Result<Response<Vec<u8>>, Bad> {
        let (mut head, body) = request.into_parts();
        head.headers.extend(self.headers.clone());
        let request = Request::from_parts(head, Full::new(body));
        fetch(&self.target, self.tls.as_ref(), request, self.max_body_bytes, phase).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
        phase: &Phase,
    ) -> Result<Vec<u8>, Bad> {
        let path: Uri = path.parse().map_err(|error| Bad::wrong(line(format_args!("path: {error}"))))?;
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = path;
        if let Some((media_type, body)) = body {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            *request.body_mut() = body;
        }
        let answer = self.send(request, phase).await?;
        match answer.status().as_u16() {
            200 => Ok(answer.into_body()),
            status => Err(Bad::wrong(format!("status {status}, expected 200"))),
        }
    }
}

/// Samples on one connection.
fn keep_for(endpoint: &Endpoint, spec: &HttpSpec) -> u32 {
    match (spec.keep_alive, endpoint.scheme) {
        (false, _) => 1,
        (true, Scheme::Https) => spec.tls.full_handshake_every.map_or(KEPT_FOR, NonZeroU32::get),
        (true, Scheme::Http | Scheme::Tcp) => u32::MAX,
    }
}

/// What a check over HTTP needs for TLS, if it is made over TLS.
pub(super) fn tls_of(
    means: &Means,
    endpoint: &Endpoint,
    check: &CheckSpec,
    spec: &TlsSpec,
    protocol: Protocol,
) -> Result<Option<Tls>, ProbeError> {
    match endpoint.scheme {
        Scheme::Https => {
            let tls = means.tls.prepare(&check.name, &endpoint.host, spec, protocol, &means.secrets);
            tls.map(Some)
        }
        Scheme::Http | Scheme::Tcp => Ok(None),
    }
}

/// Reads a body to its end; one that is not kept is counted and dropped.
async fn read(mut body: Incoming, max_body_bytes: usize, keep: bool) -> Result<Vec<u8>, Bad> {
    let mut kept = Vec::new();
    let mut seen = body.size_hint().lower();
    let limit = max_body_bytes as u64;
    let too_large = || Bad::wrong(format!("body larger than {limit} bytes"));
    if seen > limit {
        return Err(too_large());
    }
    seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| bad(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        seen += data.len() as u64;
        if seen > limit {
            return Err(too_large());
        }
        if keep {
            kept.extend_from_slice(data);
        }
    }
    Ok(kept)
}

fn request(
    secrets: &SecretValues,
    endpoint: &Endpoint,
    check: &CheckSpec,
    spec: &HttpSpec,
) -> Result<Request<Full<Bytes>>, ProbeError> {
    let wrong = |field, cause| ProbeError::Field { check: check.name.to_string(), field, cause };
    let method =
        Method::from_bytes(spec.method.as_bytes()).map_err(|error| wrong("method", error.to_string()))?;
    if !spec.path.starts_with('/') {
        return Err(wrong("path", line(format_args!("{} does not start with /", spec.path))));
    }
    let path: Uri =
        spec.path.parse().map_err(|error| wrong("path", line(format_args!("{}: {error}", spec.path))))?;
    let mut request = Request::new(Full::new(spec.body.clone()));
    *request.method_mut() = method;
    *request.uri_mut() = match spec.http2 {
        true => absolute(endpoint, path).map_err(|cause| wrong("endpoint", cause))?,
        false => path,
    };
    let headers = request.headers_mut();
    own_headers(headers, endpoint, check).map_err(|cause| wrong("endpoint", cause))?;
    if spec.http2 {
        // HTTP/2 names the host in the URI and has no headers for connections (RFC 9113 §8.2.2, §8.3.1).
        headers.remove(header::HOST);
    } else if !spec.keep_alive {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in &spec.headers {
        let (name, value) = user_header(name, value).map_err(|cause| wrong("headers", cause))?;
        headers.append(name, value);
    }
    let secret = secret_headers(secrets, &spec.secret_headers).map_err(|cause| wrong("headers", cause))?;
    headers.extend(secret);
    Ok(request)
}

/// The URI of what is at a path, as HTTP/2 names it.
pub(super) fn absolute(endpoint: &Endpoint, path: Uri) -> Result<Uri, String> {
    let scheme = if endpoint.scheme == Scheme::Https { "https" } else { "http" };
    let path = path.into_parts().path_and_query.unwrap_or(PathAndQuery::from_static("/"));
    let uri = Uri::builder().scheme(scheme).authority(authority(endpoint)).path_and_query(path).build();
    uri.map_err(|error| line(format_args!("{}: {error}", endpoint.host)))
}

/// Host and port as a request names them.
fn authority(endpoint: &Endpoint) -> String {
    let host = match endpoint.host.contains(':') {
        true => format!("[{}]:{}", endpoint.host, endpoint.port),
        false => format!("{}:{}", endpoint.host, endpoint.port),
    };
    let default_port = matches!((endpoint.scheme, endpoint.port), (Scheme::Http, 80) | (Scheme::Https, 443));
    let host = if default_port { host.rsplit_once(':').map_or(&*host, |(name, _)| name) } else { &*host };
    host.to_owned()
}

/// The headers that say who asks whom.
pub(super) fn own_headers(
    headers: &mut HeaderMap,
    endpoint: &Endpoint,
    check: &CheckSpec,
) -> Result<(), String> {
    let value =
        |text: &str| HeaderValue::from_str(text).map_err(|error| line(format_args!("{text}: {error}")));
    headers.insert(header::HOST, value(&authority(endpoint))?);
    headers.insert(header::USER_AGENT, value(concat!("bongsu/", env!("CARGO_PKG_VERSION")))?);
    headers.insert(MARK, value(&check.name)?);
    Ok(())
}

/// Headers whose values are in Secrets, as far as those were read; they are in no log.
pub(super) fn secret_headers(
    secrets: &SecretValues,
    headers: &[(String, SecretRef)],
) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let known = headers.iter().filter_map(|(name, secret)| Some((name, secrets.get(secret)?)));
    let header = |(name, value): (&String, &Arc<[u8]>)| {
        // What is no text is no header value either.
        let value = std::str::from_utf8(value).unwrap_or("\0").trim_end_matches('\n');
        let (name, mut value) = user_header(name, value)?;
        value.set_sensitive(true);
        Ok((name, value))
    };
    known.map(header).collect()
}

/// A header that users may set.
pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    let parsed =
        HeaderName::from_bytes(name.as_bytes()).map_err(|error| line(format_args!("{name}: {error}")))?;
    if RESERVED.contains(&parsed) {
        return Err(line(format_args!("{parsed} is set by the probe")));
    }
    Ok(parsed)
}

fn user_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = header_name(name)?;
    // The value may be a secret: the error does not repeat it.
    let value =
        HeaderValue::from_str(value).map_err(|_| line(format_args!("{parsed}: not a header value")))?;
    Ok((parsed, value))
}

//! The service that stands in for `gpki-verify`: takes a large message, answers with a verdict in the body.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

use crate::domain::RegionName;

/// Larger than any certificate chain, small enough for a demo.
const BODY_BYTES_MAX: usize = 65_536;

/// A chain has several kilobytes; what is shorter was cut off on the way.
const BODY_BYTES_MIN: usize = 4_096;

/// Serves until it is dropped; all its connections end with it.
pub(super) async fn serve(listener: Arc<TcpListener>, region: RegionName) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // A connection that broke while it waited is the client's loss.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let region = region.clone();
        connections.spawn(async move {
            let answering = service_fn(move |request| answer(request, region.clone()));
            let _gone = http1::Builder::new().serve_connection(TokioIo::new(stream), answering).await;
        });
    }
}

async fn answer(request: Request<Incoming>, region: RegionName) -> Result<Response<Full<Bytes>>, Infallible> {
    let wanted = request.method() == Method::POST && request.uri().path() == "/verify";
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    let read = body.map(|body| body.to_bytes().len()).unwrap_or_default();
    let (status, result) = match (wanted, read >= BODY_BYTES_MIN) {
        (true, true) => (StatusCode::OK, "good"),
        (true, false) => (StatusCode::OK, "cut off"),
        (false, _) => (StatusCode::NOT_FOUND, "no such function"),
    };
    let body = json!({ "result": result, "bytes": read, "region": region });
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}

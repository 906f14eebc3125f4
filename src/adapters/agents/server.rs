//! Answers those that ask this process.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, routing::post};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Credentials, PROMISE, WITHHOLD};
use crate::{
    domain::{PromiseRequest, Refusal, WithholdRequest},
    observability::{Secure, serve_router},
    ports::Promising,
};

/// The answer to a question for a promise, or to withhold.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Answer {
    /// Yes. Of a withheld promise: the milliseconds until the last one is over.
    Granted { millis: u64 },
    /// No.
    Refused(Refusal),
}

impl From<Result<Duration, Refusal>> for Answer {
    fn from(answer: Result<Duration, Refusal>) -> Self {
        match answer {
            // Rounded up: what is left is never told as less.
            Ok(left) => {
                Self::Granted { millis: u64::try_from(left.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX) }
            }
            Err(refusal) => Self::Refused(refusal),
        }
    }
}

type Who = Arc<dyn Promising>;

/// Answers until `shutdown` is done.
pub async fn answer(
    listener: TcpListener,
    credentials: Arc<Credentials>,
    who: Arc<dyn Promising>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let secure: Secure = Arc::new(move || TlsAcceptor::from(credentials.server()));
    let router = Router::new().route(PROMISE, post(promise)).route(WITHHOLD, post(withhold)).with_state(who);
    serve_router(listener, router, Some(secure), shutdown).await;
}

async fn promise(State(who): State<Who>, Json(request): Json<PromiseRequest>) -> Json<Answer> {
    Json(who.promise(&request).map(|()| Duration::from_millis(request.millis)).into())
}

async fn withhold(State(who): State<Who>, Json(request): Json<WithholdRequest>) -> Json<Answer> {
    Json(who.withhold(&request).into())
}

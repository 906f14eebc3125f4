//! Asks other processes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use url::Url;

use super::{Credentials, PROMISE, WITHHOLD, server::Answer};
use crate::{
    domain::{PromiseRequest, Promiser, Refusal, WithholdRequest},
    ports::{AgentError, Agents},
};

/// Longest time of one question, from the name look-up to the last byte. 1 s: the shortest lease of a writer (6.5 s) leaves
/// room for two, and three handshakes across the country take a fifth of it.
const LIMIT: Duration = Duration::from_secs(1);

/// Connections that are tried while another replica than the one that is meant answers. 8: of two replicas, each as likely as the
/// other, the right one is missed once in 256 times.
const TRIES: usize = 8;

/// Longest answer: a refusal with two names in it.
const ANSWER_MAX: usize = 16 * 1024;

/// Asks over the network, each question on a connection of its own: they are rare, and a connection that was good a minute
/// ago says nothing.
pub struct HttpAgents {
    credentials: Arc<Credentials>,
}

impl HttpAgents {
    /// Asks with these certificates.
    #[must_use]
    pub const fn new(credentials: Arc<Credentials>) -> Self {
        Self { credentials }
    }

    async fn ask(
        &self,
        url: &str,
        path: &str,
        question: &(impl Serialize + Sync),
    ) -> Result<Duration, AgentError> {
        let asked = async {
            let mut answer = self.once(url, path, question).await;
            for _ in 1..TRIES {
                if !matches!(answer, Err(AgentError::Refused(Refusal::AnotherProcess(_)))) {
                    break;
                }
                answer = self.once(url, path, question).await;
            }
            answer
        };
        let late = || AgentError::Unanswered(format!("{url}: no answer within {LIMIT:?}"));
        timeout(LIMIT, asked).await.unwrap_or_else(|_| Err(late()))
    }

    async fn once(
        &self,
        url: &str,
        path: &str,
        question: &(impl Serialize + Sync),
    ) -> Result<Duration, AgentError> {
        let unanswered = |cause: String| AgentError::Unanswered(format!("{url}: {cause}"));
        let text = self.exchange(url, path, question).await.map_err(unanswered)?;
        match serde_json::from_slice(&text) {
            Ok(Answer::Granted { millis }) => Ok(Duration::from_millis(millis)),
            Ok(Answer::Refused(refusal)) => Err(AgentError::Refused(refusal)),
            Err(error) => Err(unanswered(format!("its answer cannot be read: {error}"))),
        }
    }

    async fn exchange(&self, url: &str, path: &str, question: &impl Serialize) -> Result<Bytes, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let place = Url::parse(url).map_err(|error| text(&error))?;
        let host = place.host_str().ok_or("it names no host")?;
        let port = place.port_or_known_default().unwrap_or(443);
        let bare = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| text(&error))?;
        let stream = TcpStream::connect((bare, port)).await.map_err(|error| text(&error))?;
        let connector = TlsConnector::from(self.credentials.client());
        let stream = connector.connect(name, stream).await.map_err(|error| text(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| text(&error))?;
        // Ends with the answer, or when the sender is dropped.
        let connection = tokio::spawn(connection);
        let body = serde_json::to_vec(question).map_err(|error| text(&error))?;
        let request = Request::post(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| text(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| text(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MAX)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        connection.abort();
        match status.is_success() {
            true => Ok(body.to_bytes()),
            false => Err(format!("it answered {status}: {}", String::from_utf8_lossy(&body.to_bytes()))),
        }
    }
}

#[async_trait]
impl Agents for HttpAgents {
    async fn promise(&self, agent: &Promiser, request: &PromiseRequest) -> Result<(), AgentError> {
        self.ask(&agent.url, PROMISE, request).await.map(drop)
    }

    async fn withhold(&self, agent: &Promiser, request: &WithholdRequest) -> Result<Duration, AgentError> {
        self.ask(&agent.url, WITHHOLD, request).await
    }
}

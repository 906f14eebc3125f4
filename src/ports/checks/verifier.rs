//! Transactions of several messages.

use std::sync::Arc;

use super::{SecretRef, TlsSpec};

/// The messages of a presentation, and what each answer must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierSpec {
    /// In the order in which they are sent.
    pub steps: Vec<VerifierStep>,
    /// How the server's certificate is verified, over TLS.
    pub tls: TlsSpec,
}

impl VerifierSpec {
    /// Bytes of the largest body, as it is written and without what is put into it.
    #[must_use]
    pub fn largest_body(&self) -> usize {
        let bodies = self.steps.iter().map(|step| match &step.request.body {
            StepBody::None => 0,
            StepBody::Json(body) | StepBody::Data(body) => body.len(),
        });
        bodies.max().unwrap_or(0)
    }
}

/// A message, and what its answer must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierStep {
    /// What is sent, and what is kept of the answer.
    pub request: StepSpec,
    /// HTTP status of the answer.
    pub http_status: u16,
    /// JSON pointer to what must be true, or false with a code; empty: the answer has no such thing.
    pub result: Arc<str>,
    /// The code by which the message must be refused.
    pub expect_code: Option<Arc<str>>,
    /// CEL expression over `body`, `status` and `headers` that must be true.
    pub expect: Option<Arc<str>>,
}

/// A request of a transaction. `{name}` in its texts stands for a value that a step before captured, or that is drawn for each sample.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepSpec {
    /// What it is called in messages.
    pub name: Arc<str>,
    /// Method, upper case.
    pub method: &'static str,
    /// Path and query.
    pub path: Arc<str>,
    /// Headers besides those that every request has.
    pub headers: Vec<(String, String)>,
    /// Headers whose values are in Secrets.
    pub secret_headers: Vec<(String, SecretRef)>,
    /// The body.
    pub body: StepBody,
    /// Names of values, and the JSON pointers to them in the answer.
    pub captures: Vec<(Arc<str>, Arc<str>)>,
}

/// The body of a request of a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StepBody {
    /// None.
    None,
    /// JSON.
    Json(Arc<str>),
    /// JSON that is sent in base64, as `data` of a JSON object.
    Data(Arc<str>),
}

//! Transactions over HTTP: requests one after the other, each made from what the answers before it said. What an answer must be is for the
//! kind of check to say.

mod template;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use serde_json::{Value, json};

use super::{
    Bad, Phase,
    http::{Carrier, header_name, secret_headers},
    json::{find, parse, to_base64},
    line::line,
    random::random,
    secrets::SecretValues,
};
use crate::{
    domain::Stage,
    ports::{StepBody, StepSpec},
};
use template::{Template, in_header, in_json, in_path};

/// What each sample draws anew.
const DRAWN: [&str; 2] = ["nonce", "uuid"];

/// A request that is made when its turn comes.
pub(super) struct Step {
    method: Method,
    path: Template,
    headers: Vec<(HeaderName, Template)>,
    secret_headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
    captures: Vec<(Arc<str>, Arc<str>)>,
}

enum Body {
    None,
    Json(Template),
    /// JSON in base64, as `data` of a JSON object.
    Data(Template),
}

/// What a request was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// What was sent: an error's page need not be JSON.
    pub(super) bytes: Vec<u8>,
}

/// Values by name: drawn for this sample, or captured from its answers.
pub(super) struct Values(BTreeMap<Arc<str>, Value>);

/// Names that a step may use.
pub(super) struct Names(BTreeSet<Arc<str>>);

impl Default for Names {
    fn default() -> Self {
        Self(DRAWN.map(Arc::from).into())
    }
}

impl Step {
    /// Prepares a request, and notes what it captures for those after it.
    ///
    /// # Errors
    /// It uses a name that no step before it captures, or a header that cannot be sent.
    pub(super) fn new(spec: &StepSpec, names: &mut Names, secrets: &SecretValues) -> Result<Self, String> {
        let template = |text: &str| Template::parse(text, &names.0);
        let header = |(name, value): &(String, String)| Ok((header_name(name)?, template(value)?));
        let step = Self {
            method: Method::from_bytes(spec.method.as_bytes()).map_err(|error| error.to_string())?,
            path: template(&spec.path)?,
            headers: spec.headers.iter().map(header).collect::<Result<_, String>>()?,
            secret_headers: secret_headers(secrets, &spec.secret_headers)?,
            body: match &spec.body {
                StepBody::None => Body::None,
                StepBody::Json(text) => Body::Json(template(text)?),
                StepBody::Data(text) => Body::Data(template(text)?),
            },
            captures: spec.captures.clone(),
        };
        names.0.extend(spec.captures.iter().map(|(name, _)| name.clone()));
        Ok(step)
    }

    /// Sends the request.
    pub(super) async fn send(
        &self,
        carrier: &Carrier,
        values: &Values,
        phase: &Phase,
    ) -> Result<Answer, Bad> {
        let (head, bytes) = carrier.send(self.request(values)?, phase).await?.into_parts();
        phase.enter(Stage::Judgement, "judgement");
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, bytes })
    }

    /// The request with these values.
    pub(super) fn request(&self, values: &Values) -> Result<Request<Bytes>, Bad> {
        let path = self.path.fill(&values.0, in_path)?;
        let body = match &self.body {
            Body::None => String::new(),
            Body::Json(body) => body.fill(&values.0, in_json)?,
            Body::Data(data) => json!({"data": to_base64(&data.fill(&values.0, in_json)?)}).to_string(),
        };
        let has_body = !body.is_empty();
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() =
            path.parse::<Uri>().map_err(|error| Bad::wrong(line(format_args!("path: {error}"))))?;
        let headers = request.headers_mut();
        if has_body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &self.headers {
            // The value may be a secret: what is said does not repeat it.
            let value = HeaderValue::from_str(&value.fill(&values.0, in_header)?)
                .map_err(|_| Bad::wrong(line(format_args!("{name}: not a header value"))))?;
            headers.insert(name, value);
        }
        headers.extend(self.secret_headers.iter().cloned());
        Ok(request)
    }

    /// Keeps what later steps need.
    pub(super) fn capture(&self, body: &Value, values: &mut Values) -> Result<(), Bad> {
        for (name, pointer) in &self.captures {
            let found = find(body, pointer).filter(|found| !found.is_null());
            let found =
                found.ok_or_else(|| Bad::wrong(line(format_args!("has no {pointer}, which is {name}"))))?;
            values.0.insert(name.clone(), found.into_owned());
        }
        Ok(())
    }
}

impl Answer {
    /// The body.
    pub(super) fn body(&self) -> Result<Value, Bad> {
        parse(&self.bytes)
    }
}

impl Values {
    /// Those that each sample draws anew.
    pub(super) fn drawn() -> Result<Self, Bad> {
        let values = [hexadecimal(&random::<16>()?), uuid(random()?)];
        let named = DRAWN.into_iter().map(Arc::from).zip(values.map(Value::String));
        Ok(Self(named.collect()))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

/// A random UUID (RFC 9562 §5.4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]];
    parts.map(hexadecimal).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_that_it_is_random() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}

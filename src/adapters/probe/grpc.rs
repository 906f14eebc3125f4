//! The `grpc` check: one call of the gRPC health checking protocol (`grpc.health.v1.Health/Check`) on a connection of its own.
//!
//! The call is made on hyper's HTTP/2 and not by tonic's client, whose reading of an answer panics when a member sends details of a
//! status that are not base64 (`Status::from_header_map` of tonic 0.14).

use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use prost::Message;

use super::{
    Bad, Means, Phase,
    connect::Target,
    http::{
        absolute,
        connection::{bad, driven, open},
        own_headers, tls_of,
    },
    line::line,
    sample,
    tls::{Protocol, Tls},
};
use crate::ports::{CheckSpec, Endpoint, GrpcSpec, Probe, ProbeError, Reading};

/// The method that is called.
const METHOD: &str = "/grpc.health.v1.Health/Check";

/// Largest answer. 4 KiB: a good one has 7 bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// Bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// `ServingStatus.SERVING`.
const SERVING: i32 = 1;

/// `HealthCheckRequest`.
#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(string, tag = "1")]
    service: String,
}

/// `HealthCheckResponse`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Answer {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The `grpc` check of one member.
pub(super) struct GrpcProbe {
    target: Target,
    tls: Option<Tls>,
    request: Request<Full<Bytes>>,
    max_latency: Option<Duration>,
}

impl GrpcProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &GrpcSpec,
    ) -> Result<Self, ProbeError> {
        let wrong = |cause| ProbeError::Field { check: check.name.to_string(), field: "endpoint", cause };
        Ok(Self {
            target: Target::new(means, endpoint, check),
            tls: tls_of(means, endpoint, check, &spec.tls, Protocol::H2)?,
            request: request(endpoint, check, &spec.service).map_err(wrong)?,
            max_latency: check.max_latency,
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let (mut sender, driver) = open(&self.target, self.tls.as_ref(), Protocol::H2, phase).await?;
        let exchange = async { answered(sender.send(self.request.clone(), phase).await?).await };
        driven(exchange, driver).await
    }
}

#[async_trait]
impl Probe for GrpcProbe {
    async fn run(&self) -> Reading {
        sample(self.target.limit, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

fn request(endpoint: &Endpoint, check: &CheckSpec, service: &str) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::new(Full::new(framed(&Question { service: service.to_owned() })));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = absolute(endpoint, Uri::from_static(METHOD))?;
    let headers = request.headers_mut();
    own_headers(headers, endpoint, check)?;
    // HTTP/2 names the host in the URI (RFC 9113 §8.3.1).
    headers.remove(header::HOST);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    Ok(request)
}

/// A message as it travels.
fn framed(message: &impl Message) -> Bytes {
    let mut bytes = Vec::with_capacity(PREFIX + message.encoded_len());
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).unwrap_or(0));
    bytes.extend(message.encode_to_vec());
    Bytes::from(bytes)
}

/// Judges an answer. Its status is behind the message, or among the headers where there is no message.
async fn answered(answer: Response<Incoming>) -> Result<(), Bad> {
    let (head, body) = answer.into_parts();
    if head.status != http::StatusCode::OK {
        return Err(Bad::wrong(format!("HTTP status {}, expected 200", head.status.as_u16())));
    }
    let (message, trailers) = read(body).await?;
    let trailers = trailers.unwrap_or_default();
    match [&trailers, &head.headers].into_iter().find(|headers| headers.contains_key("grpc-status")) {
        Some(headers) => succeeded(headers)?,
        None => return Err(Bad::wrong("not a gRPC answer: it has no grpc-status".to_owned())),
    }
    serves(&message)
}

async fn read(mut body: Incoming) -> Result<(Vec<u8>, Option<HeaderMap>), Bad> {
    let (mut message, mut trailers) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| bad(&error))?.into_data() {
            Ok(data) if message.len() + data.len() > ANSWER_BYTES_MAX => {
                return Err(Bad::wrong(format!("answer larger than {ANSWER_BYTES_MAX} bytes")));
            }
            Ok(data) => message.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((message, trailers))
}

/// Whether the call succeeded; if not, by the name of its status.
pub(super) fn succeeded(headers: &HeaderMap) -> Result<(), Bad> {
    let text =
        |name| headers.get(name).map_or("", |value: &HeaderValue| value.to_str().unwrap_or("not text"));
    let code = text("grpc-status");
    let name = match code.parse::<usize>().ok().and_then(|number| CODES.get(number)) {
        Some(&"OK") => return Ok(()),
        Some(name) => name,
        None => code,
    };
    match text("grpc-message") {
        "" => Err(Bad::wrong(line(format_args!("gRPC status {name}")))),
        message => Err(Bad::wrong(line(format_args!("gRPC status {name}: {}", decoded(message))))),
    }
}

/// The text of a status, in which bytes may stand as `%20`; what is not such a byte stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.split_at_checked(2).filter(|_| *first == b'%');
        let byte = digits.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = byte.unwrap_or((*first, behind));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The codes of gRPC, each at the place of its number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Judges the one message of an answer.
pub(super) fn serves(bytes: &[u8]) -> Result<(), Bad> {
    let no_answer = |why: &str| Bad::wrong(line(format_args!("not an answer about health: {why}")));
    let (prefix, message) = bytes.split_at_checked(PREFIX).ok_or_else(|| no_answer("too short"))?;
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    if prefix != [&[0], &length[..]].concat() {
        return Err(no_answer("its length is wrong, or it is compressed"));
    }
    let answer = Answer::decode(message).map_err(|error| no_answer(&error.to_string()))?;
    match answer.status {
        SERVING => Ok(()),
        0 => Err(Bad::wrong("UNKNOWN, expected SERVING".to_owned())),
        2 => Err(Bad::wrong("NOT_SERVING, expected SERVING".to_owned())),
        3 => Err(Bad::wrong("SERVICE_UNKNOWN, expected SERVING".to_owned())),
        other => Err(Bad::wrong(format!("status {other}, expected SERVING"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_serving_is_good() {
        for (status, expected) in
            [(0, "UNKNOWN,"), (2, "NOT_SERVING,"), (3, "SERVICE_UNKNOWN,"), (-7, "status -7,")]
        {
            let judged = serves(&framed(&Answer { status })).unwrap_err();
            assert!(judged.detail.starts_with(expected), "{judged:?}");
        }
        assert!(serves(&framed(&Answer { status: SERVING })).is_ok());
    }

    #[test]
    fn a_message_that_is_none_is_wrong() {
        for bytes in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\x02\x08\x01",
            b"\0\0\0\0\x03\x08\x01",
            b"\0\0\0\0\x02\xff\xff",
        ] {
            assert!(serves(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_status_is_said_by_its_name() {
        for (pairs, expected) in [
            (
                &[("grpc-status", "5"), ("grpc-message", "unknown service")][..],
                "gRPC status NOT_FOUND: unknown service",
            ),
            (
                &[("grpc-status", "14"), ("grpc-message", "50%25 of%20all%")],
                "gRPC status UNAVAILABLE: 50% of all%",
            ),
            (&[("grpc-status", "12")], "gRPC status UNIMPLEMENTED"),
            (&[("grpc-status", "99")], "gRPC status 99"),
            (&[("grpc-status", "-1"), ("grpc-status-details-bin", "%%%")], "gRPC status -1"),
        ] {
            assert_eq!(succeeded(&headers(pairs)).unwrap_err().detail, expected);
        }
        assert!(succeeded(&headers(&[("grpc-status", "0")])).is_ok());
    }
}

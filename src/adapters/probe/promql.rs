//! Numbers from a Prometheus, or from what speaks like one: `POST /api/v1/query`.

mod sign;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;
use url::{Host, Url, form_urlencoded};

use super::{
    DeniedRanges, Means, NetworkProber, Phase,
    connect::Target,
    http::fetch,
    line::line,
    tls::{Protocol, Tls},
};
use crate::ports::{Meter, Metering, MeteringError, TlsSpec};
pub(super) use sign::PromqlProbe;

/// Time for one answer, all of it. 5 s: a query over an hour of some hundred series takes milliseconds, and a run must
/// know within seconds that it does not know.
const LIMIT: Duration = Duration::from_secs(5);

/// Largest answer. 1 MiB holds some 5,000 series; a condition has a few.
const BODY_BYTES_MAX: usize = 1_048_576;

/// What stands in errors instead of the name of a check.
const NAME: &str = "prometheus";

#[async_trait]
impl Metering for NetworkProber {
    async fn ask(&self, meter: &Meter, query: &str) -> Result<Vec<f64>, MeteringError> {
        let question = Question::new(&self.means, meter, query).map_err(MeteringError::Unusable)?;
        let phase = Phase::default();
        let answer = timeout(LIMIT, question.ask(&phase)).await;
        answer.unwrap_or_else(|_| {
            let cause = format!("no answer within {LIMIT:?} ({})", phase.doing());
            Err(MeteringError::Unavailable { url: meter.url.to_string(), cause })
        })
    }
}

/// A query, ready to be sent.
struct Question {
    url: String,
    target: Target,
    tls: Option<Tls>,
    request: Request<Full<Bytes>>,
}

impl Question {
    fn new(means: &Means, meter: &Meter, query: &str) -> Result<Self, String> {
        let (target, request, secure) = prepared(meter, query, means.denied.clone())?;
        let spec = TlsSpec { ca_bundle: meter.ca_bundle.clone(), ..TlsSpec::default() };
        let tls =
            secure.then(|| means.tls.prepare(NAME, &target.host, &spec, Protocol::Http1, &means.secrets));
        let tls = tls.transpose().map_err(|error| error.to_string())?;
        Ok(Self { url: meter.url.to_string(), target, tls, request })
    }

    /// The values of all series that are found. The caller limits the time.
    async fn ask(&self, phase: &Phase) -> Result<Vec<f64>, MeteringError> {
        let url = self.url.clone();
        let answer =
            fetch(&self.target, self.tls.as_ref(), self.request.clone(), BODY_BYTES_MAX, phase).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(bad) => return Err(MeteringError::Unavailable { url, cause: bad.detail }),
        };
        match answer.status().as_u16() {
            status @ (401 | 403) => Err(MeteringError::Unauthorized { url, status }),
            status => values(status, answer.body()).map_err(|cause| MeteringError::Refused { url, cause }),
        }
    }
}

fn prepared(
    meter: &Meter,
    query: &str,
    denied: Arc<DeniedRanges>,
) -> Result<(Target, Request<Full<Bytes>>, bool), String> {
    let url = Url::parse(&meter.url).map_err(|error| line(format_args!("{}: {error}", meter.url)))?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        other => return Err(format!("scheme {other:?} is not known: write http or https")),
    };
    let (host, port): (Arc<str>, u16) = match (url.host(), url.port_or_known_default()) {
        (Some(Host::Ipv6(address)), Some(port)) => (address.to_string().into(), port),
        (Some(host), Some(port)) => (host.to_string().into(), port),
        _ => return Err(line(format_args!("{} names no host", meter.url))),
    };
    let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
    let path: Uri = path.parse().map_err(|error| line(format_args!("{path}: {error}")))?;
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
    let mut request = Request::new(Full::new(Bytes::from(form)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path;
    let authority = url.authority().to_owned();
    let headers = request.headers_mut();
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| line(format_args!("{error}")));
    headers.insert(header::HOST, value(&authority)?);
    headers.insert(header::USER_AGENT, value(concat!("bongsu/", env!("CARGO_PKG_VERSION")))?);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    if let Some(token) = &meter.token {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token holds letters that no header can".to_owned())?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
    }
    Ok((Target { host, port, limit: LIMIT, denied }, request, secure))
}

/// The format that Prometheus documents as its HTTP API, version 1.
#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

pub(super) fn values(status: u16, body: &[u8]) -> Result<Vec<f64>, String> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| line(format_args!("status {status}, and no answer of a Prometheus: {error}")))?;
    let data = match (answer.status.as_str(), answer.data) {
        ("success", Some(data)) => data,
        _ => return Err(line(format_args!("status {status}: {}", answer.error.unwrap_or_default()))),
    };
    let samples: Vec<&Value> = match (data.result_type.as_str(), data.result.as_array()) {
        ("scalar", _) => vec![&data.result],
        ("vector", Some(series)) => series.iter().map(|one| &one["value"]).collect(),
        (other, _) => {
            return Err(line(format_args!("a {other} is no number now: ask for a vector or a scalar")));
        }
    };
    let number = |sample: &Value| {
        let text = sample.get(1)?.as_str()?;
        // Prometheus writes NaN, +Inf and -Inf, which Rust reads as well.
        text.parse::<f64>().ok()
    };
    let numbers: Option<Vec<f64>> = samples.into_iter().map(number).collect();
    numbers.ok_or_else(|| "a value is no number: ask for one without histograms".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_and_vectors_are_read_and_everything_else_is_refused_in_words() {
        let read = |text: &str| values(200, text.as_bytes());
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"a":"b"},"value":[1,"0.25"]},{"metric":{},"value":[1,"+Inf"]}]}}"#;
        assert_eq!(read(vector), Ok(vec![0.25, f64::INFINITY]));
        assert_eq!(read(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#), Ok(vec![]));
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}"#;
        assert_eq!(read(scalar), Ok(vec![3.0]));
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
        assert!(read(matrix).unwrap_err().contains("a matrix is no number now"));
        let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
        assert!(values(400, refused.as_bytes()).unwrap_err().contains("parse error: unexpected end"));
        assert!(values(502, b"<html>").unwrap_err().contains("status 502, and no answer of a Prometheus"));
    }

    #[test]
    fn a_path_before_the_api_stays_and_the_query_is_encoded() {
        let meter = Meter {
            url: "https://metrics.example/prom/".into(),
            token: Some("secret".into()),
            ca_bundle: None,
        };
        let (target, request, secure) = prepared(&meter, "a{b=\"c\"} > 1", Arc::default()).unwrap();
        assert_eq!((&*target.host, target.port, secure), ("metrics.example", 443, true));
        assert_eq!(request.uri(), "/prom/api/v1/query");
        assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
        assert!(!format!("{meter:?}").contains("secret"));
        let scheme = Meter { url: "ftp://metrics.example".into(), ..meter };
        assert!(prepared(&scheme, "up", Arc::default()).unwrap_err().contains("write http or https"));
    }
}

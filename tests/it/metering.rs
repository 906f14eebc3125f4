//! Numbers from a real Prometheus, and from what only pretends to be one.

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use bongsu::ports::{Meter, Metering, MeteringError};

use crate::support::{
    http_server::Server,
    poll::eventually,
    probes::network_prober,
    prometheus::{GAUGE, Prometheus},
};

fn meter(url: &str, token: Option<&str>) -> Meter {
    Meter { url: url.into(), token: token.map(Into::into), ca_bundle: None }
}

async fn ask(url: &str, query: &str) -> Result<Vec<f64>, MeteringError> {
    network_prober().ask(&meter(url, None), query).await
}

#[tokio::test]
async fn a_real_prometheus_answers_with_numbers_with_none_or_with_its_own_words() {
    let mut prometheus = Prometheus::start(0.25).await;
    let url = prometheus.url();
    assert_eq!(ask(&url, GAUGE).await, Ok(vec![0.25]));
    assert_eq!(ask(&url, &format!("sum({GAUGE}) * 2")).await, Ok(vec![0.5]));
    assert_eq!(ask(&url, "scalar(vector(3))").await, Ok(vec![3.0]));
    assert_eq!(ask(&url, "nobody_has_this").await, Ok(vec![]));
    // A comparison that does not hold finds nothing, and that is no number.
    assert_eq!(ask(&url, &format!("{GAUGE} > 1")).await, Ok(vec![]));
    let nan = ask(&url, "vector(0) / 0").await.unwrap();
    assert!(nan[0].is_nan());
    let wrong = ask(&url, "sum(").await.unwrap_err();
    assert!(wrong.to_string().contains("parse error"), "{wrong}");
    let range = ask(&url, &format!("{GAUGE}[1m]")).await.unwrap_err();
    assert!(range.to_string().contains("a matrix is no number now"), "{range}");
    prometheus.set(0.75);
    eventually("the new value is scraped", async || (ask(&url, GAUGE).await == Ok(vec![0.75])).then_some(()))
        .await;
    prometheus.die();
    let gone = ask(&url, GAUGE).await.unwrap_err();
    assert!(matches!(&gone, MeteringError::Unavailable { .. }), "{gone}");
    assert!(gone.to_string().contains("connection refused"), "{gone}");
}

#[tokio::test]
async fn the_token_is_sent_and_a_refused_one_is_told_apart() {
    let answer = |headers: HeaderMap| async move {
        match headers.get("authorization").is_some_and(|value| value == "Bearer right") {
            true => {
                (StatusCode::OK, r#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#)
            }
            false => (StatusCode::UNAUTHORIZED, "no"),
        }
    };
    let server = Server::axum(Router::new().route("/prom/api/v1/query", post(answer)), None).await;
    let url = format!("http://{}/prom", server.address);
    let prober = network_prober();
    assert_eq!(prober.ask(&meter(&url, Some("right")), "up").await, Ok(vec![7.0]));
    let refused = prober.ask(&meter(&url, Some("wrong")), "up").await.unwrap_err();
    assert_eq!(refused, MeteringError::Unauthorized { url: url.clone(), status: 401 });
    assert!(!refused.to_string().contains("wrong"));
    let unusable = prober.ask(&meter(&url, Some("two\nlines")), "up").await.unwrap_err();
    assert_eq!(unusable, MeteringError::Unusable("the token holds letters that no header can".to_owned()));
}

#[tokio::test]
async fn what_never_ends_is_cut_off() {
    let flood = Server::flooding("HTTP/1.1 200 OK\r\n\r\n", vec![b' '; 65_536]).await;
    let error = ask(&format!("http://{}", flood.address), "up").await.unwrap_err();
    assert!(error.to_string().contains("body larger than 1048576 bytes"), "{error}");
    let mute = Server::by_hand(|stream, _| async move {
        let _held = stream;
        std::future::pending().await
    })
    .await;
    let error = ask(&format!("http://{}", mute.address), "up").await.unwrap_err();
    assert!(error.to_string().contains("no answer within 5s (request)"), "{error}");
}

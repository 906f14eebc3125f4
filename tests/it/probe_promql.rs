//! Numbers about a member, from a real Prometheus.

use std::time::Duration;

use bongsu::{
    domain::{
        Limits,
        Outcome::{Ok as Good, Strained, Unjudged},
    },
    ports::{CheckKind, Prober, PromqlSpec, Reading, Scheme},
};

use crate::support::{
    http_server::Server,
    poll::eventually,
    probes::{check, endpoint, expect_reading, network_prober},
    prometheus::{GAUGE, Prometheus},
};

/// Far above what a Prometheus on this host takes, and far below what a test may.
const LIMIT: Duration = Duration::from_secs(3);

fn most(prometheus: &Prometheus, query: &str, max: f64) -> PromqlSpec {
    PromqlSpec {
        url: prometheus.url().into(),
        token: None,
        ca_bundle: None,
        query: query.into(),
        limits: Limits { min: None, max: Some(max) },
    }
}

async fn reading(spec: PromqlSpec) -> Reading {
    // Nobody listens there: the check does not reach the member.
    let member = endpoint(Scheme::Http, ([127, 0, 0, 1], 1).into());
    network_prober().prepare(&member, &check(LIMIT, CheckKind::Promql(spec))).unwrap().run().await
}

#[tokio::test]
async fn a_number_beyond_its_limits_strains_the_member_and_one_that_is_not_known_says_nothing() {
    let mut prometheus = Prometheus::start(3.0).await;
    let of = |query| most(&prometheus, query, 10.0);
    expect_reading(&reading(of(GAUGE)).await, Good, "");
    let cases = [
        ("nothing_of_this_name", "the query finds no series"),
        ("vector(NaN)", "the query yields NaN"),
        ("errors_ratio[1m]", "a matrix is no number now"),
        ("sum(", "parse error"),
    ];
    for (query, detail) in cases {
        let reading = reading(of(query)).await;
        assert_eq!(reading.outcome, Unjudged, "{query}: {reading:?}");
        assert!(reading.detail.contains(detail), "{query}: {reading:?}");
    }
    prometheus.set(11.0);
    let spec = of(GAUGE);
    let strained = eventually("the gauge is scraped", async || {
        Some(reading(spec.clone()).await).filter(|reading| reading.outcome != Good)
    })
    .await;
    expect_reading(&strained, Strained, "it is 11, and must be at most 10");
    // Of several series the worst counts.
    expect_reading(
        &reading(most(&prometheus, "vector(1) or label_replace(vector(12), \"a\", \"b\", \"\", \"\")", 10.0))
            .await,
        Strained,
        "it is 12",
    );
    prometheus.die();
    let gone = reading(spec).await;
    assert_eq!(gone.outcome, Unjudged, "{gone:?}");
    assert!(gone.detail.contains(&prometheus.url()), "{gone:?}");
    let hangs = Server::by_hand(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let late = reading(PromqlSpec {
        url: format!("http://{}", hangs.address).into(),
        ..most(&prometheus, GAUGE, 10.0)
    })
    .await;
    assert_eq!(late.outcome, Unjudged, "{late:?}");
    assert!(late.detail.contains("no answer within"), "{late:?}");
    assert_eq!(gone.symptom, None, "the way to the Prometheus is not the way to the member");
}

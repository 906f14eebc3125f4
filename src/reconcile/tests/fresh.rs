//! How fresh the drill of a service is decides whether it is moved without a person.

use std::time::Duration;

use super::{
    bench::{Bench, key, service},
    reports::{drilled, wish},
};
use crate::api::PassedDrill;

/// A drill of these services away from Daejeon; the ledger keeps one run.
fn drill(names: &str) -> String {
    format!(
        "
apiVersion: bongsu.io/v1alpha1
kind: SwitchoverDrill
metadata: {{name: monthly, namespace: gpki}}
spec: {{services: {{names: [{names}]}}, direction: {{awayFrom: daejeon}}, kind: Live, hold: 5s, historyLimit: 1}}
"
    )
}

/// A service that is moved automatically while its drill is younger than two minutes.
fn limited(name: &str) -> String {
    service(name, &["names"]).replace("cooldown: 1s", "cooldown: 1s, maxDrillAge: 2m")
}

fn passed(bench: &Bench, name: &str) -> Vec<PassedDrill> {
    let status = bench.resources.statuses().services.remove(&key(name));
    status.map(|status| status.last_passed_drill).unwrap_or_default()
}

/// Waits until a loss would be answered like this.
async fn would(bench: &Bench, reason: &str) -> String {
    let found = || bench.condition("verify", "FailoverReady").filter(|(_, found, _)| found == reason);
    bench.until(reason, found).await.2
}

async fn shows(bench: &Bench, metric: &str, value: f64) {
    let is = |found: &f64| (found - value).abs() < 0.001;
    bench.until(&format!("{metric} is {value}"), || bench.metric(metric).filter(is)).await;
}

const OVERDUE: &str = r#"bongsu_drill_overdue{namespace="gpki",service="verify"}"#;
const AGE: &str = r#"bongsu_drill_age_seconds{namespace="gpki",region="daejeon",service="verify"}"#;
const COVERAGE: &str = "bongsu_drill_coverage_ratio";

#[tokio::test(start_paused = true)]
async fn a_service_is_moved_without_a_person_only_while_its_drill_is_fresh() {
    let bench = Bench::start(&[("verify", &*limited("verify")), ("drill", &*drill("verify"))]).await;
    let why = would(&bench, "NeedsPerson").await;
    assert!(why.contains("(DrillFresh)"), "{why}");
    shows(&bench, OVERDUE, 1.0).await;
    shows(&bench, COVERAGE, 0.0).await;
    assert_eq!(bench.metric(AGE), None);

    let run = drilled(&bench, 1).await;
    would(&bench, "Ready").await;
    let told = passed(&bench, "verify");
    assert_eq!(told.len(), 1);
    assert_eq!((&*told[0].away_from, &*told[0].run), ("daejeon", "monthly-1"));
    assert_eq!(told[0].at, crate::reconcile::report::rfc3339(run.ended_at.unwrap()));
    shows(&bench, OVERDUE, 0.0).await;
    shows(&bench, COVERAGE, 1.0).await;
    shows(&bench, r#"bongsu_drill_runs_total{drill="monthly",namespace="gpki",verdict="Passed"}"#, 1.0).await;
    assert!(bench.metric(AGE).is_some_and(|age| age < 60.0));

    bench.pass(Duration::from_secs(121)).await;
    let why = would(&bench, "NeedsPerson").await;
    assert!(why.contains("(DrillFresh)"), "{why}");
    shows(&bench, OVERDUE, 1.0).await;
    bench.members.fail("daejeon", "verify");
    bench.pass(Duration::from_secs(60)).await;
    assert!(bench.record("verify").serving.contains(&"daejeon".into()), "nobody said that it shall move");

    bench.edit("drill", None).await;
    let counts = || bench.metrics.render().unwrap().contains("bongsu_drill_runs_total{");
    bench.until("the drill is forgotten", || (!counts()).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn the_run_that_says_how_fresh_a_service_is_is_not_forgotten_for_those_of_others() {
    let manifests =
        [("verify", &*limited("verify")), ("login", &*limited("login")), ("drill", &*drill("verify, login"))];
    let bench = Bench::start(&manifests).await;
    would(&bench, "NeedsPerson").await;
    drilled(&bench, 1).await;
    bench.edit("drill", Some(&drill("login"))).await;
    for number in [2, 3] {
        drilled(&bench, number).await;
    }
    let left = ["drill/gpki/monthly-1", "drill/gpki/monthly-3"];
    let kept = || (bench.ledger.keys("drill/") == left).then_some(());
    bench.until("the second is forgotten", kept).await;
    bench.edit("wish", Some(&wish(4))).await;
    bench
        .until("it is announced", || {
            bench.ledger.keys("drill/").contains(&"drill/gpki/monthly-4".into()).then_some(())
        })
        .await;
    assert_eq!(passed(&bench, "verify")[0].run, "monthly-1");
}

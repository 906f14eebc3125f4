//! The condition `ReadyToSwitch` over time, and its metric.

use std::{sync::atomic::Ordering, time::Duration};

use super::{
    bench::{Bench, LEASE_TTL, key, service},
    specs::neighbour,
};
use crate::{api::SharedServiceStatus, reconcile::book::Entry};

/// Time between two trials.
const QUARTER: Duration = Duration::from_secs(900);

async fn serving() -> Bench {
    Bench::serving(&[("verify", &service("verify", &["names"]))]).await
}

async fn shows(bench: &Bench, wanted: (&str, &str)) -> String {
    let is = || {
        let (status, reason, message) = bench.condition("verify", "ReadyToSwitch")?;
        ((&*status, &*reason) == wanted).then_some(message)
    };
    bench.until(&format!("ReadyToSwitch is {wanted:?}"), is).await
}

fn status(bench: &Bench) -> SharedServiceStatus {
    bench.resources.statuses().services.remove(&key("verify")).unwrap()
}

const TO_GWANGJU: &str = r#"bongsu_ready_to_switch{namespace="gpki",region="gwangju",service="verify"}"#;

#[tokio::test(start_paused = true)]
async fn a_member_that_goes_bad_is_told_with_its_direction_and_what_to_do_and_no_more_when_it_is_well() {
    let bench = serving().await;
    let text = shows(&bench, ("True", "Ready")).await;
    assert_eq!(text, "daejeon → gwangju: nothing against it");
    assert_eq!(bench.metric(TO_GWANGJU), Some(1.0));
    let readiness = status(&bench).readiness.unwrap();
    assert_eq!((readiness.directions.len(), readiness.directions[0].state.as_str()), (1, "Ready"));

    bench.members.fail("gwangju", "verify");
    let text = shows(&bench, ("False", "TargetAvailable")).await;
    for part in [
        "daejeon → gwangju: Problem: gwangju cannot take over: it is Down (daegu: check deep: refused",
        "What to do: repair",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(bench.metric(TO_GWANGJU), Some(0.0));
    bench.members.heal("gwangju", "verify");
    shows(&bench, ("True", "Ready")).await;
}

#[tokio::test(start_paused = true)]
async fn while_nothing_changes_it_is_looked_at_again_and_not_written() {
    let bench = serving().await;
    let edited = format!("{}  objectives: {{rto: 20s}}\n", service("verify", &["names"]));
    bench.edit("verify", Some(&edited)).await;
    shows(&bench, ("False", "DetectedInTime")).await;
    bench.pass(LEASE_TTL).await;
    let (before, written) = (status(&bench), bench.desk.written.load(Ordering::SeqCst));
    bench.pass(Duration::from_secs(600)).await;
    assert_eq!(status(&bench), before);
    assert_eq!(bench.desk.written.load(Ordering::SeqCst), written);
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_differs_between_the_regions_is_a_problem_until_it_is_the_same() {
    let bench = serving().await;
    neighbour(&bench, "gwangju", Some("other")).await;
    let text = shows(&bench, ("False", "SpecInSync")).await;
    assert!(
        text.contains("every direction: Problem: 1 of 2 regions") && text.contains("differs in gwangju"),
        "{text}"
    );
    neighbour(&bench, "gwangju", Some("same")).await;
    bench
        .until("it is no problem any more", || {
            bench.condition("verify", "ReadyToSwitch").filter(|(_, reason, _)| reason != "SpecInSync")
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn services_that_wait_for_each_other_and_one_that_is_not_there_are_named() {
    let needs = |name: &str, needed: &str| {
        format!("{}  dependsOn: [{{name: {needed}}}]\n", service(name, &["names"]))
    };
    let manifests = [("verify", &*needs("verify", "login")), ("login", &*needs("login", "verify"))];
    let bench = Bench::serving(&manifests).await;
    let text = shows(&bench, ("False", "DependencyChain")).await;
    assert!(text.contains("waits for itself: gpki/verify → gpki/login → gpki/verify"), "{text}");
    bench.edit("login", None).await;
    let text = shows(&bench, ("True", "ReadyWithWarnings")).await;
    assert!(text.contains("gpki/login is needed, and there is no such SharedService"), "{text}");
}

fn untried(bench: &Bench) -> bool {
    status(bench).readiness.unwrap().not_inspected == ["TrafficWritable"]
}

#[tokio::test(start_paused = true)]
async fn name_servers_that_take_no_update_any_more_are_found_within_a_quarter_of_an_hour() {
    let mut bench = serving().await;
    bench.until("they were tried", || (!untried(&bench)).then_some(())).await;
    shows(&bench, ("True", "Ready")).await;
    let entry = Entry::Trial(key("verify"));
    let tried = bench.ledger.text(&entry).unwrap();
    bench.pass(QUARTER * 2).await;
    assert_eq!(bench.ledger.text(&entry).unwrap(), tried, "while all is well nothing is written");
    bench.restart("daegu-2");
    bench.servers.refuse.store(true, Ordering::SeqCst);
    bench.pass(QUARTER).await;
    let text = shows(&bench, ("False", "TrafficWritable")).await;
    assert!(text.contains("every direction: Problem: ns answered no: repair it (TrafficWritable)"), "{text}");
    bench.servers.refuse.store(false, Ordering::SeqCst);
    shows(&bench, ("True", "Ready")).await;
    bench.edit("verify", None).await;
    bench.until("nothing is left of it", || bench.ledger.text(&entry).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn while_a_move_is_under_way_nobody_is_promised_the_next_one() {
    let bench = serving().await;
    shows(&bench, ("True", "Ready")).await;
    bench.servers.refuse.store(true, Ordering::SeqCst);
    bench.members.fail("daejeon", "verify");
    bench
        .until("a move is under way", || {
            bench.condition("verify", "ReadyToSwitch").filter(|(status, ..)| status != "True")
        })
        .await;
}

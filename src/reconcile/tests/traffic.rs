//! Name servers that are late or silent, and who sees to them.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use super::bench::{Bench, CALL_LIMIT, LEASE_TTL, key, service};
use crate::{
    domain::{Epoch, Record, Run, RunState, StepKind, StepResult, Timestamp},
    ports::Ledger,
    reconcile::book::Entry,
};

const ONE: &str = "192.0.2.53:53";
const OTHER: &str = "198.51.100.53:53";

/// The manifest of a service that is published by updates of these name servers, and that of their key.
pub fn updated_service(name: &str, servers: &[&str]) -> (String, &'static str) {
    let servers: Vec<String> = servers.iter().map(|server| format!("{{address: '{server}'}}")).collect();
    let route = format!(
        "dns: {{zone: gpki.example, name: {name}.gpki.example, servers: [{}], \
         tsig: {{name: bongsu, secretRef: {{name: dns-key, key: secret}}}}}}}}",
        servers.join(", ")
    );
    let object = service(name, &["names"]);
    let (before, rest) = object.split_once("served: ").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    let secret = "{apiVersion: v1, kind: Secret, metadata: {name: dns-key, namespace: gpki}, stringData: {secret: c2VjcmV0}}";
    (format!("{before}{route}\n{after}"), secret)
}

async fn with_servers(servers: &[&str]) -> Bench {
    let (object, secret) = updated_service("verify", servers);
    Bench::serving(&[("verify", &object), ("secret", secret)]).await
}

fn epoch_at(bench: &Bench, server: &str) -> Option<Epoch> {
    bench.servers.shows(server, "verify", "names")?.epoch
}

fn deafen(bench: &Bench, servers: &[&str]) {
    *bench.servers.deaf.lock().unwrap() = servers.iter().map(ToString::to_string).collect();
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_comes_back_with_old_answers_is_brought_up_to_date_within_seconds() {
    let bench = Bench::serving(&[("verify", &service("verify", &["names"]))]).await;
    // Looks of the usual interval fall at other places in each round.
    for silence in [41, 47, 53, 59, 67] {
        bench.servers.silent.store(true, Ordering::SeqCst);
        bench.pass(Duration::from_secs(silence)).await;
        bench.servers.forget();
        bench.servers.silent.store(false, Ordering::SeqCst);
        let (back, tries) = (bench.now(), bench.servers.tries("names", 1).len());
        bench.until("it is told", || bench.servers.tries("names", 1).get(tries).copied()).await;
        assert!(bench.now() - back <= 6_000, "{} ms", bench.now() - back);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_does_not_answer_costs_no_more_looks_the_more_services_there_are() {
    let names: Vec<String> = (0..40).map(|number| format!("service-{number}")).collect();
    let objects: Vec<String> = names.iter().map(|name| service(name, &["names"])).collect();
    let mut manifests: Vec<(&str, &str)> =
        names.iter().zip(&objects).map(|(name, object)| (name.as_str(), object.as_str())).collect();
    let verify = service("verify", &["names"]);
    manifests.push(("verify", &verify));
    let bench = Bench::serving(&manifests).await;
    bench.servers.silent.store(true, Ordering::SeqCst);
    bench.pass(Duration::from_secs(60)).await;
    let before = bench.servers.looks.load(Ordering::SeqCst);
    bench.pass(Duration::from_secs(60)).await;
    let looks = bench.servers.looks.load(Ordering::SeqCst) - before;
    // Twice for each in a minute as ever, and one each second; six times as many without a limit.
    assert!((41 * 2..41 * 2 + 62).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn a_move_does_not_wait_for_a_name_server_that_is_known_to_be_silent_and_it_is_caught_up_when_it_is_back()
 {
    let bench = with_servers(&[ONE, OTHER]).await;
    deafen(&bench, &[ONE]);
    bench.until("it is noticed", || (bench.servers.waits.load(Ordering::SeqCst) > 1).then_some(())).await;
    bench.members.fail("daejeon", "verify");
    let run = bench
        .until("it has moved", || bench.run("verify-e2").filter(|run| run.state == RunState::Succeeded))
        .await;
    let took = run.times.shifted.unwrap().since(run.times.decided.unwrap());
    assert!(took < Duration::from_millis(100), "{took:?}");
    let message = run.journal[2].message.clone().unwrap_or_default();
    assert!(message.contains(&format!("behind: {ONE} did not answer")), "{message}");
    assert_eq!((epoch_at(&bench, ONE), epoch_at(&bench, OTHER)), (Some(Epoch(1)), Some(Epoch(2))));

    deafen(&bench, &[]);
    let back = bench.now();
    bench.until("it is told", || epoch_at(&bench, ONE).filter(|epoch| *epoch == Epoch(2))).await;
    assert!(bench.now() - back <= 6_000, "{} ms", bench.now() - back);
}

#[tokio::test(start_paused = true)]
async fn a_move_whose_every_name_server_is_known_to_be_silent_asks_them_all() {
    let bench = with_servers(&[ONE, OTHER]).await;
    deafen(&bench, &[ONE, OTHER]);
    bench.until("it is noticed", || (bench.servers.waits.load(Ordering::SeqCst) > 1).then_some(())).await;
    bench.members.fail("daejeon", "verify");
    bench.until("it is tried", || bench.servers.tries("names", 2).first().copied()).await;
    deafen(&bench, &[]);
    bench
        .until("it has moved", || bench.run("verify-e2").filter(|run| run.state == RunState::Succeeded))
        .await;
    assert_eq!((epoch_at(&bench, ONE), epoch_at(&bench, OTHER)), (Some(Epoch(2)), Some(Epoch(2))));
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_is_waited_for_at_most_once_a_second_however_many_services_there_are() {
    let names = (0..40).map(|number| format!("service-{number}")).chain(["verify".to_owned()]);
    let objects: Vec<(String, (String, &str))> =
        names.map(|name| (name.clone(), updated_service(&name, &[ONE, OTHER]))).collect();
    let mut manifests: Vec<(&str, &str)> =
        objects.iter().map(|(name, (object, _))| (name.as_str(), object.as_str())).collect();
    manifests.push(("secret", objects[0].1.1));
    let bench = Bench::serving(&manifests).await;
    deafen(&bench, &[ONE]);
    bench.pass(Duration::from_secs(60)).await;
    let before = bench.servers.waits.load(Ordering::SeqCst);
    bench.pass(Duration::from_secs(60)).await;
    let waits = bench.servers.waits.load(Ordering::SeqCst) - before;
    assert!((30..=61).contains(&waits), "{waits}");
}

/// A move to Gwangju that another process drives: its epoch is raised, and it has not said yet that it leads traffic.
async fn moved_by_another(bench: &Bench) -> Run {
    bench.put_request("asked", |request| request.dry_run = true).await;
    let mut run = bench.until("there is a plan", || bench.run("asked")).await;
    bench.ledger.release("leader", &"daegu-1".into()).await.unwrap();
    bench.ledger.acquire("leader", &"daejeon-1".into(), LEASE_TTL * 100).await.unwrap().unwrap();
    bench.until("it leads no more", || (!bench.agent.is_leader()).then_some(())).await;
    let now = Timestamp(0);
    (run.id, run.state, run.owner) = ("other".into(), RunState::Running, "daejeon-1".into());
    while run.current().unwrap().step.kind() != StepKind::ShiftTraffic {
        run.begin(now);
        run.finish(StepResult::Done(String::new()), now);
    }
    bench.put(&Entry::Run("gpki".into(), run.id.clone()), &run).await;
    let before = bench.record("verify");
    let moved = Record { run: Some(run.id.clone()), ..before }.moved(
        run.plan.epoch,
        &run.plan.change.to,
        run.plan.change.trigger,
        now,
    );
    bench.put(&Entry::Record(key("verify")), &moved).await;
    run
}

#[tokio::test(start_paused = true)]
async fn who_does_not_lead_brings_a_late_name_server_up_to_date_once_the_leader_has_had_its_chance() {
    let bench = with_servers(&[ONE, OTHER]).await;
    let mut run = moved_by_another(&bench).await;
    bench.pass(Duration::from_secs(40)).await;
    assert_eq!(bench.servers.tries("names", 2), [0_u64; 0], "the run has not said that it leads traffic");

    run.begin(Timestamp(0));
    bench.put(&Entry::Run("gpki".into(), run.id.clone()), &run).await;
    let said = bench.now();
    bench
        .until("it is brought up to date", || epoch_at(&bench, ONE).filter(|epoch| *epoch == Epoch(2)))
        .await;
    let after = bench.now() - said;
    assert!((2_000..=3_100).contains(&after), "{after} ms");

    // One comes back from a backup, and somebody edits the other. Which of two answers under one epoch is the newer, the
    // leader knows.
    let edited = BTreeSet::from([[203, 0, 113, 1].into()]);
    bench.servers.edit(|state| match &*state.server == ONE {
        true => state.epoch = Some(Epoch(1)),
        false => state.addresses.clone_from(&edited),
    });
    bench.until("it is caught up", || epoch_at(&bench, ONE).filter(|epoch| *epoch == Epoch(2))).await;
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!(bench.servers.shows(OTHER, "verify", "names").unwrap().addresses, edited);
    assert_eq!(bench.servers.tries("names", 2).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_speak_for_its_region_leaves_a_late_name_server_to_who_does() {
    let bench = with_servers(&[ONE]).await;
    let mut run = moved_by_another(&bench).await;
    bench.ledger.release("region-daegu", &"daegu-1".into()).await.unwrap();
    bench.ledger.acquire("region-daegu", &"daegu-2".into(), LEASE_TTL * 100).await.unwrap().unwrap();
    bench.until("another speaks", || (!bench.agent.speaks()).then_some(())).await;
    run.begin(Timestamp(0));
    bench.put(&Entry::Run("gpki".into(), run.id.clone()), &run).await;
    bench.pass(CALL_LIMIT * 30).await;
    assert_eq!(epoch_at(&bench, ONE), Some(Epoch(1)));
}

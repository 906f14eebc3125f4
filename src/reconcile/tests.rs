//! What one process does over time. A table over pure code cannot fail here: each of these rests on several tasks.

mod bench;
mod drills;
mod fresh;
mod identity;
mod readiness;
mod recall;
mod reports;
mod specs;
mod traffic;
mod workloads;
mod year;

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use bench::{Bench, LEASE_TTL, key, service};
use futures::StreamExt;
use traffic::updated_service;

use super::{
    book::{Entry, VerdictEntry},
    catalog::Catalog,
    vantage::MemberVerdict,
};
use crate::{
    api::{FailoverPhase, FailoverStatus},
    domain::{Intervention, Run, RunState, StepKind, StepResult, StepState, Term, Tick, Timestamp, Verdict},
    ports::{Expect, Ledger, LedgerError, Resources, StatusUpdate, Version},
};

/// The first move away from Daejeon.
const MOVE: &str = "verify-e2";

/// A bench on which name servers took nothing any more when Daejeon was lost: the move waits for a person.
async fn paused(routes: &[&str]) -> Bench {
    let bench = Bench::serving(&[("verify", &service("verify", routes))]).await;
    bench.servers.refuse.store(true, Ordering::SeqCst);
    bench.members.fail("daejeon", "verify");
    in_state(&bench, RunState::Paused).await;
    bench
}

async fn in_state(bench: &Bench, state: RunState) -> Run {
    bench.until(&format!("{MOVE} is {state:?}"), || bench.run(MOVE).filter(|run| run.state == state)).await
}

#[tokio::test(start_paused = true)]
async fn a_step_that_failed_is_not_tried_before_its_time_whatever_happens_to_the_service() {
    let bench = Bench::serving(&[("verify", &service("verify", &["names"]))]).await;
    bench.servers.refuse.store(true, Ordering::SeqCst);
    bench.members.fail("daejeon", "verify");
    // Something happens to it all the time.
    bench
        .until("it is paused", || {
            bench.agent.queue.push(key("verify"), Tick(bench.now()));
            bench.run(MOVE).filter(|run| run.state == RunState::Paused)
        })
        .await;
    let tries = bench.servers.tries("names", 2);
    let waits: Vec<u64> = tries.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(waits.len(), 7);
    for (wait, least) in waits.iter().zip([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000]) {
        assert!((least..least + 100).contains(wait), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_the_words_of_two_clusters_on_one_pause_the_most_careful_counts() {
    let bench = paused(&["names"]).await;
    bench
        .put_request(MOVE, |request| {
            request.words.insert("daejeon".into(), (Intervention::Skip, 2));
            request.words.insert("gwangju".into(), (Intervention::Abort, 2));
        })
        .await;
    let over = bench.until("somebody was heard", || bench.run(MOVE).filter(|run| run.state.is_over())).await;
    assert_eq!((over.state, over.message.contains("stopped")), (RunState::Failed, true), "{over:?}");
}

#[tokio::test(start_paused = true)]
async fn two_people_who_skip_at_one_pause_skip_one_step() {
    let bench = paused(&["inside", "outside"]).await;
    bench
        .put_request(MOVE, |request| {
            request.words.insert("daejeon".into(), (Intervention::Skip, 2));
            request.words.insert("gwangju".into(), (Intervention::Skip, 2));
        })
        .await;
    bench.until("the next route is tried", || bench.servers.tries("outside", 2).first().copied()).await;
    let again = in_state(&bench, RunState::Paused).await;
    let states: Vec<StepState> = again.journal.iter().map(|step| step.state).collect();
    assert_eq!(states[2..4], [StepState::Skipped, StepState::Failed]);
    bench.pass(LEASE_TTL).await;
    assert_eq!(bench.run(MOVE), Some(again), "the second word was about the first pause");
}

#[tokio::test(start_paused = true)]
async fn a_word_that_is_said_here_leaves_the_word_of_another_cluster_in_the_ledger() {
    let bench = paused(&["names"]).await;
    bench
        .put_request(MOVE, |request| {
            request.words.insert("gwangju".into(), (Intervention::Resume, 2));
        })
        .await;
    bench.until("it is tried again", || (bench.servers.tries("names", 2).len() > 8).then_some(())).await;
    in_state(&bench, RunState::Paused).await;
    let word = "
apiVersion: bongsu.io/v1alpha1
kind: Failover
metadata: {name: verify-e2, namespace: gpki}
spec: {serviceName: verify, from: daejeon, to: gwangju, reason: the member in daejeon is down, intervention: Abort}
";
    bench.edit("word", Some(word)).await;
    in_state(&bench, RunState::Failed).await;
    let (_, text) = bench.ledger.text(&Entry::Request("gpki".into(), MOVE.into())).unwrap();
    let request: super::book::RequestEntry = serde_json::from_str(&text).unwrap();
    let expected = [("daegu", Intervention::Abort), ("gwangju", Intervention::Resume)];
    let said: Vec<_> = request.words.iter().map(|(region, (word, _))| (region.as_str(), *word)).collect();
    assert_eq!(said, expected);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_falls_silent_is_told_after_a_lease_and_until_it_answers_again() {
    let bench = Bench::serving(&[("verify", &service("verify", &["names"]))]).await;
    assert_eq!(bench.agent.ledger_trouble(), None);
    bench.ledger.silent.store(true, Ordering::SeqCst);
    bench.pass(LEASE_TTL / 2).await;
    assert_eq!(bench.agent.ledger_trouble(), None, "one lost answer is no silence");
    bench.pass(LEASE_TTL).await;
    let trouble = bench.agent.ledger_trouble().expect("it is silent");
    assert!(trouble.starts_with("no answer"), "{trouble}");
    bench.ledger.silent.store(false, Ordering::SeqCst);
    bench.pass(LEASE_TTL / 2).await;
    assert_eq!(bench.agent.ledger_trouble(), None);
}

/// What a newer version or a person may have written into a record.
const UNREADABLE: [&str; 2] = [
    "{",
    r#"{"epoch":9,"serving":["daejeon"],"away":{"daejeon":"Tide"},"changedAt":0,"lastAutomatic":null,"run":null}"#,
];

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_is_told_on_its_service_and_neither_used_nor_written_nor_in_the_way_of_others()
 {
    for text in UNREADABLE {
        let manifests =
            [("verify", &*service("verify", &["names"])), ("login", &*service("login", &["names"]))];
        let bench = Bench::serving(&manifests).await;
        let entry = Entry::Record(key("login"));
        let version = bench.ledger.put_text(&entry, text).await;
        let told = bench.now();
        bench
            .until("it is told", || {
                bench.condition("login", "Accepted").filter(|(_, reason, _)| reason == "LedgerUnreadable")
            })
            .await;
        assert!(bench.now() - told < 1_000, "told after {} ms", bench.now() - told);
        let tries = bench.servers.tries("names", 2).len();
        bench.members.fail("daejeon", "login");
        bench.pass(Duration::from_secs(40)).await;
        assert_eq!(bench.ledger.text(&entry), Some((version, text.to_owned())));
        assert_eq!(bench.ledger.keys("run/"), ["run/gpki/login-e1", "run/gpki/verify-e1"]);
        assert_eq!(bench.servers.tries("names", 2).len(), tries);
        bench.members.fail("daejeon", "verify");
        in_state(&bench, RunState::Succeeded).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failover_of_a_service_that_does_not_exist_says_so_and_does_nothing() {
    let wish = "
apiVersion: bongsu.io/v1alpha1
kind: Failover
metadata: {name: wish, namespace: gpki}
spec: {serviceName: verfiy, to: gwangju, reason: a typing mistake}
";
    let bench = Bench::serving(&[("verify", &service("verify", &["names"])), ("wish", wish)]).await;
    let shown = || bench.resources.statuses().failovers.remove(&("gpki".to_owned(), "wish".to_owned()));
    let status = bench.until("it is told", shown).await;
    bench.pass(Duration::from_secs(60)).await;
    assert_eq!(shown(), Some(status.clone()), "said once");
    assert_eq!(status.phase, Some(FailoverPhase::Pending));
    let told: Vec<_> = status.conditions.iter().map(|c| (&*c.type_, &*c.status, &*c.reason)).collect();
    assert_eq!(told, [("Progressing", "False", "NoService")]);
    assert!(status.message.unwrap().contains("there is no SharedService gpki/verfiy"));
    assert_eq!(bench.ledger.keys("run/"), ["run/gpki/verify-e1"]);
}

/// Asks for a dry run as often as that, and waits for each to be answered.
async fn ask(bench: &Bench, times: usize) {
    for number in 0..times {
        let id = format!("dry-{number:03}");
        bench.put_request(&id, |request| request.dry_run = true).await;
        bench.until("it is answered", || bench.run(&id)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_the_runs_that_are_over_the_ledger_keeps_the_last_thirty_with_their_requests() {
    let bench = Bench::serving(&[("verify", &service("verify", &["names"]))]).await;
    ask(&bench, 40).await;
    bench.pass(Duration::from_secs(1)).await;
    let ids = |prefix: &str| {
        let keys = bench.ledger.keys(prefix).into_iter();
        keys.map(|key| key.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let newest: Vec<String> = (10..40).map(|number| format!("dry-{number:03}")).collect();
    assert_eq!(ids("run/"), newest);
    assert_eq!(ids("request/"), newest);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_half_forgotten_is_not_begun_again() {
    let bench = Bench::serving(&[("verify", &service("verify", &["names"]))]).await;
    bench.put_request("asked", |request| request.dry_run = false).await;
    bench.until("it moved", || bench.run("asked").filter(|run| run.state == RunState::Succeeded)).await;
    bench.put_request("back", |request| request.to = Some("daejeon".into())).await;
    bench.until("it moved back", || bench.run("back").filter(|run| run.state == RunState::Succeeded)).await;
    *bench.ledger.keeps.lock().unwrap() = Some("request/");
    ask(&bench, 40).await;
    bench.pass(Duration::from_secs(60)).await;
    let record = bench.record("verify");
    assert_eq!((record.epoch.0, record.serving.iter().next().unwrap().as_str()), (3, "daejeon"));
}

#[tokio::test(start_paused = true)]
async fn the_metric_of_a_paused_failover_is_one_until_a_person_was_heard() {
    let series = r#"bongsu_failover_paused{namespace="gpki",service="verify"}"#;
    let bench = paused(&["names"]).await;
    bench.until("it shows", || bench.metric(series).filter(|value| *value > 0.0)).await;
    bench.servers.refuse.store(false, Ordering::SeqCst);
    bench
        .put_request(MOVE, |request| {
            request.words = BTreeMap::from([("gwangju".into(), (Intervention::Resume, 2))]);
        })
        .await;
    in_state(&bench, RunState::Succeeded).await;
    bench.until("it shows no more", || bench.metric(series).filter(|value| *value < 1.0)).await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_replaced_and_does_not_know_is_refused_at_its_next_write_and_stops() {
    let bench = Bench::serving(&[("verify", &service("verify", &["names"]))]).await;
    let entry = Entry::Record(key("verify"));
    let (version, before) = bench.ledger.text(&entry).unwrap();
    // What happens in the ledger while the leader is frozen.
    bench.ledger.release("leader", &"daegu-1".into()).await.unwrap();
    bench.ledger.acquire("leader", &"daegu-2".into(), LEASE_TTL).await.unwrap().unwrap();
    assert!(bench.agent.is_leader(), "by its own clock");
    let late = bench.agent.put_as_leader(&entry, &"late", Expect::Version(version)).await;
    let refused = LedgerError::NotHolder { key: entry.key().to_string(), lease: "leader".to_owned() };
    assert_eq!(late, Err(refused.clone()));
    assert!(!bench.agent.is_leader());
    assert_eq!(bench.agent.put_as_leader(&entry, &"later", Expect::Version(version)).await, Err(refused));
    assert_eq!(bench.ledger.text(&entry), Some((version, before)));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_lost_its_region_to_another_no_longer_shows_what_it_saw_last() {
    let series = r#"bongsu_failover_paused{namespace="gpki",service="verify"}"#;
    let bench = paused(&["names"]).await;
    bench.until("it shows", || bench.metric(series).filter(|value| *value > 0.0)).await;
    bench.ledger.silent.store(true, Ordering::SeqCst);
    bench.pass(LEASE_TTL * 2).await;
    assert_eq!(bench.metric(series), Some(1.0), "nobody speaks, and a person is still waited for");
    bench.ledger.give("region-daegu", "daegu-2").await;
    bench.ledger.silent.store(false, Ordering::SeqCst);
    bench.until("it is left to the other", || bench.metric(series).is_none().then_some(())).await;
    assert_eq!(bench.metric(r#"bongsu_epoch{namespace="gpki",service="verify"}"#), None);
}

#[tokio::test(start_paused = true)]
async fn a_word_does_not_count_before_the_survey_that_shows_whose_it_is() {
    let bench = Bench::prepare(&[("verify", &service("verify", &["names"]))]).await;
    let (mirror, entry) = (&bench.agent.mirror, Entry::Verdict("daegu".into(), key("verify")));
    bench.ledger.give("region-daegu", "daegu-1").await;
    mirror.set_leases(bench.ledger.leases().await.unwrap());
    let catalog = Catalog::new(bench.desk.snapshot().unwrap(), &Catalog::default());
    let parsed = catalog.parsed(&key("verify")).unwrap();
    let seen = || {
        let seen = bench.agent.observe(parsed, &catalog);
        let failed =
            seen.members.iter().filter(|member| member.reports[0].verdict == Verdict::Failed).count();
        (failed, seen.vantages[0].suspect)
    };
    assert_eq!(seen(), (0, false));
    // It sees both regions fail at once.
    let onset = Some(Timestamp(1_000));
    let failed = MemberVerdict {
        verdict: Verdict::Failed,
        onset,
        since: Timestamp(2_000),
        reason: String::new(),
        symptom: None,
        beyond: None,
    };
    let members = ["daejeon", "gwangju"].map(|region| (region.into(), failed.clone())).into();
    let said = VerdictEntry { incarnation: "daegu-1".into(), term: Term(1), members };
    mirror.wrote(&entry, Version(1), &said);
    assert_eq!(seen(), (0, false), "newer than the survey");
    bench.pass(Duration::from_millis(10)).await;
    assert_eq!(seen(), (2, true));
}

#[tokio::test(start_paused = true)]
async fn who_takes_the_lead_acts_only_once_the_watch_has_brought_all_that_was_written_before() {
    let bench = Bench::prepare(&[]).await;
    let (agent, ledger) = (&bench.agent, bench.ledger.as_ref());
    agent.tenures.renew_region(ledger, &"daegu".into(), &"daegu-1".into()).await;
    agent.tenures.renew_leader(ledger, &"daegu-1".into()).await;
    assert!(!agent.is_leader(), "it has the lease, and the watch may be behind");
    agent.take_lead().await;
    assert!(!agent.is_leader(), "it was written, and not yet brought");
    let before = ledger.watch("").next().await.unwrap();
    agent.mirror.apply(before.clone());
    assert!(agent.is_leader());
    bench.pass(LEASE_TTL).await;
    agent.tenures.renew_region(ledger, &"daegu".into(), &"daegu-1".into()).await;
    agent.tenures.renew_leader(ledger, &"daegu-1".into()).await;
    assert!(!agent.is_leader(), "it took the lease anew");
    agent.take_lead().await;
    agent.mirror.apply(before);
    assert!(!agent.is_leader(), "that is of the term before");
    agent.mirror.apply(ledger.watch("").next().await.unwrap());
    assert!(agent.is_leader());
}

#[tokio::test(start_paused = true)]
async fn a_vantage_whose_region_was_taken_away_is_not_missed_for_ever() {
    let series = r#"bongsu_vantage_alive{region="busan"}"#;
    let busan =
        "{apiVersion: bongsu.io/v1alpha1, kind: Region, metadata: {name: busan}, spec: {failureDomain: d}}";
    let bench = Bench::start(&[("busan", busan)]).await;
    bench.ledger.give("region-busan", "busan-1").await;
    bench.until("it lives", || bench.metric(series).filter(|value| *value > 0.0)).await;
    bench.until("it is missed", || bench.metric(series).filter(|value| *value < 1.0)).await;
    bench.edit("busan", None).await;
    bench.until("it is forgotten", || bench.metric(series).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_failover_whose_run_the_ledger_forgot_before_its_end_was_shown_is_no_new_wish() {
    let wish = "
apiVersion: bongsu.io/v1alpha1
kind: Failover
metadata: {name: wish, namespace: gpki}
spec: {serviceName: verify, to: gwangju, reason: half a year ago}
";
    let bench = Bench::prepare(&[("verify", &service("verify", &["names"])), ("wish", wish)]).await;
    let status = FailoverStatus { phase: Some(FailoverPhase::Running), ..FailoverStatus::default() };
    let update = StatusUpdate::Failover("gpki".to_owned(), "wish".to_owned(), Box::new(status));
    bench.resources.write_status(update).await.unwrap();
    bench.go();
    bench.pass(Duration::from_secs(60)).await;
    assert_eq!(bench.ledger.keys("run/"), ["run/gpki/verify-e1"]);
    assert_eq!(bench.ledger.keys("request/"), Vec::<String>::new());
}

/// Passes that came to this.
fn passes(bench: &Bench, outcome: &str) -> f64 {
    bench.metric(&format!(r#"bongsu_reconcile_passes_total{{outcome="{outcome}"}}"#)).unwrap()
}

/// What the passes came to while every name server was looked at, as words that were counted.
async fn outcomes(bench: &Bench) -> Vec<&'static str> {
    let all = ["changed", "failed", "unchanged"];
    let before = all.map(|outcome| passes(bench, outcome));
    for _ in 0..40 {
        bench.agent.queue.push(key("verify"), Tick(bench.now()));
        bench.pass(Duration::from_secs(1)).await;
    }
    let counted = |(outcome, before): &(&str, f64)| passes(bench, outcome) > *before;
    all.into_iter().zip(before).filter(counted).map(|(outcome, _)| outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pass_is_counted_by_what_came_of_it() {
    let bench = Bench::serving(&[("verify", &service("verify", &["names"]))]).await;
    assert_eq!(outcomes(&bench).await, ["unchanged"]);
    // Somebody else edited the name, and the name server takes no update.
    bench.servers.forget();
    bench.servers.refuse.store(true, Ordering::SeqCst);
    assert_eq!(outcomes(&bench).await, ["failed", "unchanged"]);
    bench.servers.refuse.store(false, Ordering::SeqCst);
    assert_eq!(outcomes(&bench).await, ["changed", "unchanged"]);
    bench.put_request("asked", |request| request.dry_run = true).await;
    assert_eq!(outcomes(&bench).await, ["changed", "unchanged"]);
    bench.servers.refuse.store(true, Ordering::SeqCst);
    bench.members.fail("daejeon", "verify");
    in_state(&bench, RunState::Paused).await;
    assert_eq!(outcomes(&bench).await, ["unchanged"], "a run that waits for a person");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_name_server_does_not_take_is_read_anew_and_a_key_of_another_refusal_is_not() {
    let manifests = updated_service("verify", &["192.0.2.53:53"]);
    let bench = Bench::serving(&[("verify", &manifests.0), ("secret", manifests.1)]).await;
    bench.servers.refuse.store(true, Ordering::SeqCst);
    bench.members.fail("daejeon", "verify");
    bench.until("it was refused", || bench.servers.tries("names", 2).get(2).copied()).await;
    assert_eq!(*bench.desk.doubted.lock().unwrap(), Vec::<String>::new());
    bench.servers.refuse_key.store(true, Ordering::SeqCst);
    bench.until("the key is doubted", || bench.desk.doubted.lock().unwrap().first().cloned()).await;
    assert_eq!(bench.desk.doubted.lock().unwrap()[0], "gpki/dns-key");
}

#[tokio::test(start_paused = true)]
async fn a_plan_whose_leader_died_before_the_epoch_was_raised_is_looked_at_again_by_the_next() {
    let bench = Bench::serving(&[("verify", &service("verify", &["names"]))]).await;
    bench.put_request("asked", |request| request.dry_run = true).await;
    let mut left = bench.until("there is a plan", || bench.run("asked")).await;
    let now = Timestamp(0);
    (left.id, left.state, left.owner) = ("left".into(), RunState::Running, "dead".into());
    left.begin(now);
    left.finish(StepResult::Done("all was well".to_owned()), now);
    left.begin(now);
    assert_eq!(left.current().unwrap().step.kind(), StepKind::RaiseEpoch);
    bench.members.fail("gwangju", "verify");
    bench.until("it is seen", || bench.condition("verify", "FailoverReady").filter(|c| c.0 == "False")).await;
    bench
        .ledger
        .put_text(&Entry::Run("gpki".into(), "left".into()), &serde_json::to_string(&left).unwrap())
        .await;
    let over = |run: &Run| run.state.is_over();
    let over = bench.until("the next leader is done with it", || bench.run("left").filter(over)).await;
    assert_eq!(over.state, RunState::Compensated, "{}", over.message);
    assert!(over.message.contains("gwangju cannot take over"), "{}", over.message);
    assert!(bench.record("verify").serving.contains(&"daejeon".into()));
}

//! What every ledger promises, on the one in memory, on the one in a real API server and on the one in a real etcd.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bongsu::{
    adapters::{
        clock::SystemClock,
        kube::{API_TIMEOUT, connect},
        ledger::{EtcdLedger, KubeLedger, MemoryLedger},
    },
    domain::{Identity, Term},
    ports::{Change, Clock, Expect, Key, Ledger, LedgerError, Under, Version, Versioned},
};
use futures::{StreamExt, stream::BoxStream};

use crate::support::{control_plane::ControlPlane, etcd::Etcd, manual_clock::ManualClock, wait::until};

const TTL: Duration = Duration::from_secs(15);

/// Long enough for a busy machine; nothing waits for its end.
const SOON: Duration = Duration::from_secs(20);

/// A ledger as two processes see it.
struct Two {
    clock: Arc<ManualClock>,
    here: Arc<dyn Ledger>,
    there: Arc<dyn Ledger>,
}

impl Two {
    fn memory() -> Self {
        let clock = Arc::new(ManualClock::default());
        let ledger = MemoryLedger::new(Arc::clone(&clock) as Arc<dyn Clock>);
        Self { clock, here: Arc::new(ledger.clone()), there: Arc::new(ledger) }
    }

    async fn kube() -> Self {
        let plane = ControlPlane::shared().await;
        let namespace = plane.namespace("ledger").await;
        let clock = Arc::new(ManualClock::default());
        let ledger = || {
            let clock = Arc::clone(&clock) as Arc<dyn Clock>;
            Arc::new(KubeLedger::new(plane.client(), &namespace, clock)) as Arc<dyn Ledger>
        };
        Self { here: ledger(), there: ledger(), clock }
    }

    async fn etcd() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let etcd = Etcd::shared().await;
        let config = etcd.config(&format!("/test-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let clock = Arc::new(ManualClock::default());
        let ledger = || {
            let clock = Arc::clone(&clock) as Arc<dyn Clock>;
            Arc::new(EtcdLedger::new(config.clone(), clock).unwrap()) as Arc<dyn Ledger>
        };
        Self { here: ledger(), there: ledger(), clock }
    }
}

macro_rules! every_ledger {
    ($($promise:ident)*) => {
        mod memory {
            use super::Two;
            $(#[tokio::test] async fn $promise() { super::$promise(Two::memory()).await; })*
        }
        mod kube_api {
            use super::Two;
            $(#[tokio::test] async fn $promise() { super::$promise(Two::kube().await).await; })*
        }
        mod etcd {
            use super::Two;
            $(#[tokio::test] async fn $promise() { super::$promise(Two::etcd().await).await; })*
        }
    };
}

every_ledger! {
    a_record_is_created_only_once
    a_write_with_an_old_version_is_refused_and_changes_nothing
    a_write_to_a_record_that_is_gone_is_a_conflict
    a_record_is_deleted_only_at_its_version
    a_watch_sees_all_that_is_there_and_then_every_change
    a_watch_sees_only_keys_below_its_prefix
    keys_that_look_alike_are_kept_apart
    a_free_lease_is_taken_by_one
    a_renewed_lease_is_never_taken
    a_lease_is_taken_once_its_ttl_passed_without_a_renewal
    a_lease_that_was_given_back_is_free_at_once
    giving_back_a_lease_of_another_changes_nothing
    a_lease_that_ran_out_is_taken_in_a_later_term_by_its_last_holder_too
    every_lease_is_listed_with_its_holder_and_whether_it_lives
    a_write_under_a_lease_is_done_only_in_its_term
}

fn conflict(key: &Key) -> LedgerError {
    LedgerError::Conflict { key: key.to_string() }
}

async fn value(ledger: &dyn Ledger, key: &Key) -> Option<String> {
    ledger.get(key).await.unwrap().map(|record| record.value.to_string())
}

async fn next(watch: &mut BoxStream<'static, Change>) -> Change {
    tokio::time::timeout(SOON, watch.next()).await.expect("a change soon").expect("a watch never ends")
}

async fn a_record_is_created_only_once(two: Two) {
    let key = Key::new("record/gpki/verify");
    assert_eq!(two.here.get(&key).await, Ok(None));
    let version = two.here.put(&key, "1", Expect::Absent).await.unwrap();
    assert_eq!(two.there.put(&key, "2", Expect::Absent).await, Err(conflict(&key)));
    assert_eq!(two.there.get(&key).await, Ok(Some(Versioned { version, value: "1".into() })));
}

async fn a_write_with_an_old_version_is_refused_and_changes_nothing(two: Two) {
    let key = Key::new("record/gpki/verify");
    // The leader reads, and is paused before it writes.
    let old = two.here.put(&key, "epoch 7", Expect::Absent).await.unwrap();
    let new = two.there.put(&key, "epoch 8", Expect::Version(old)).await.unwrap();
    assert!(new > old);
    assert_eq!(two.here.put(&key, "epoch 7 again", Expect::Version(old)).await, Err(conflict(&key)));
    assert_eq!(value(&*two.here, &key).await.as_deref(), Some("epoch 8"));
}

async fn a_write_to_a_record_that_is_gone_is_a_conflict(two: Two) {
    let key = Key::new("record/gpki/verify");
    assert_eq!(two.here.put(&key, "1", Expect::Version(Version(3))).await, Err(conflict(&key)));
    let version = two.here.put(&key, "1", Expect::Absent).await.unwrap();
    two.there.delete(&key, version).await.unwrap();
    assert_eq!(two.here.put(&key, "2", Expect::Version(version)).await, Err(conflict(&key)));
    assert_eq!(value(&*two.here, &key).await, None);
}

async fn a_record_is_deleted_only_at_its_version(two: Two) {
    let key = Key::new("run/gpki/1");
    let old = two.here.put(&key, "1", Expect::Absent).await.unwrap();
    let new = two.here.put(&key, "2", Expect::Version(old)).await.unwrap();
    assert_eq!(two.there.delete(&key, old).await, Err(conflict(&key)));
    assert_eq!(value(&*two.there, &key).await.as_deref(), Some("2"));
    assert_eq!(two.there.delete(&key, new).await, Ok(()));
    assert_eq!(two.there.delete(&key, new).await, Ok(()), "gone already is no error");
}

async fn a_watch_sees_all_that_is_there_and_then_every_change(two: Two) {
    let key = Key::new("record/gpki/verify");
    let first = two.here.put(&key, "1", Expect::Absent).await.unwrap();
    let mut watch = two.there.watch("record/");
    let record = |version, value: &str| Versioned { version, value: value.into() };
    assert_eq!(next(&mut watch).await, Change::Reset(vec![(key.clone(), record(first, "1"))]));
    let second = two.here.put(&key, "2", Expect::Version(first)).await.unwrap();
    assert_eq!(next(&mut watch).await, Change::Put(key.clone(), record(second, "2")));
    two.here.delete(&key, second).await.unwrap();
    assert_eq!(next(&mut watch).await, Change::Deleted(key));
}

async fn a_watch_sees_only_keys_below_its_prefix(two: Two) {
    let mut watch = two.here.watch("record/");
    assert_eq!(next(&mut watch).await, Change::Reset(Vec::new()));
    two.here.put(&Key::new("recording/x"), "no", Expect::Absent).await.unwrap();
    two.here.put(&Key::new("run/x"), "no", Expect::Absent).await.unwrap();
    two.here.put(&Key::new("record/x"), "yes", Expect::Absent).await.unwrap();
    let Change::Put(key, _) = next(&mut watch).await else { panic!("a put") };
    assert_eq!(key, Key::new("record/x"));
}

async fn keys_that_look_alike_are_kept_apart(two: Two) {
    let long = format!("verdict/{}", "x/".repeat(200));
    let longer = format!("{long}y");
    let keys = ["a/b", "a.b", "A/b", "a//b", "a/b/", "a--b", "a-b", "a_b", "센터/대전", &long, &longer];
    for key in keys {
        two.here
            .put(&Key::new(key), key, Expect::Absent)
            .await
            .unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    for key in keys {
        assert_eq!(value(&*two.there, &Key::new(key)).await.as_deref(), Some(key));
    }
}

async fn a_free_lease_is_taken_by_one(two: Two) {
    let [one, other] = ["one", "other"].map(Identity::new);
    // Many times, so that both are seen to try at the same moment.
    for round in 0..20 {
        let lease = format!("lease-{round}");
        let (here, there) = (two.here.acquire(&lease, &one, TTL), two.there.acquire(&lease, &other, TTL));
        let (here, there) = tokio::join!(here, there);
        assert_ne!(here, there);
        assert!(here.is_ok() && there.is_ok());
    }
}

async fn a_renewed_lease_is_never_taken(two: Two) {
    let [one, other] = ["one", "other"].map(Identity::new);
    for _ in 0..10 {
        assert!(two.here.acquire("leader", &one, TTL).await.unwrap().is_some());
        assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_none());
        two.clock.advance(TTL / 2);
        assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_none());
    }
}

async fn a_lease_is_taken_once_its_ttl_passed_without_a_renewal(two: Two) {
    let [one, other] = ["one", "other"].map(Identity::new);
    assert!(two.here.acquire("leader", &one, TTL).await.unwrap().is_some());
    assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_none());
    two.clock.advance(TTL.saturating_sub(Duration::from_millis(1)));
    assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_none());
    two.clock.advance(Duration::from_millis(1));
    assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_some());
    assert!(two.here.acquire("leader", &one, TTL).await.unwrap().is_none(), "whoever lost it sees that");
}

async fn a_lease_that_was_given_back_is_free_at_once(two: Two) {
    let [one, other] = ["one", "other"].map(Identity::new);
    assert!(two.here.acquire("leader", &one, TTL).await.unwrap().is_some());
    assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_none());
    two.here.release("leader", &one).await.unwrap();
    assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_some());
}

async fn giving_back_a_lease_of_another_changes_nothing(two: Two) {
    let [one, other] = ["one", "other"].map(Identity::new);
    assert!(two.here.acquire("leader", &one, TTL).await.unwrap().is_some());
    two.there.release("leader", &other).await.unwrap();
    two.there.release("nobody-s", &other).await.unwrap();
    assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_none());
}

async fn a_lease_that_ran_out_is_taken_in_a_later_term_by_its_last_holder_too(two: Two) {
    let one = Identity::new("one");
    let term = async || two.here.acquire("leader", &one, TTL).await.unwrap().unwrap();
    let first = term().await;
    two.clock.advance(TTL / 2);
    assert_eq!(term().await, first, "renewed in time");
    two.clock.advance(TTL);
    let second = term().await;
    assert!(second > first, "taken anew after it ran out");
    two.here.release("leader", &one).await.unwrap();
    let third = term().await;
    assert!(third > second, "taken anew after it was given back");
    let listed = two.there.leases().await.unwrap();
    assert_eq!(listed.first().map(|lease| lease.term), Some(third));
}

async fn every_lease_is_listed_with_its_holder_and_whether_it_lives(two: Two) {
    let one = Identity::new("one");
    for lease in ["leader", "region-daejeon", "region-gwangju"] {
        assert!(two.here.acquire(lease, &one, TTL).await.unwrap().is_some());
    }
    two.here.release("leader", &one).await.unwrap();
    let listed = async || {
        let mut leases = two.there.leases().await.unwrap();
        leases.sort_by(|a, b| a.name.cmp(&b.name));
        let shown = leases.iter().map(|l| (l.name.clone(), l.holder.is_some(), l.alive));
        shown.collect::<Vec<_>>()
    };
    let row = |name: &str, held, alive| (name.to_owned(), held, alive);
    let expected = |gwangju| {
        [row("leader", false, false), row("region-daejeon", true, true), row("region-gwangju", true, gwangju)]
    };
    assert_eq!(listed().await, expected(true));
    two.clock.advance(TTL);
    assert!(two.here.acquire("region-daejeon", &one, TTL).await.unwrap().is_some());
    assert_eq!(listed().await, expected(false), "not renewed for its whole ttl");
}

async fn a_write_under_a_lease_is_done_only_in_its_term(two: Two) {
    let [one, other] = ["one", "other"].map(Identity::new);
    let key = Key::new("record/gpki/verify");
    let under = |term: Option<Term>| Under { lease: "leader".into(), term: term.unwrap() };
    let put = async |ledger: &Arc<dyn Ledger>, value: &str, under: &Under| {
        let found = ledger.get(&key).await.unwrap();
        let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
        ledger.write(&key, value, expect, Some(under)).await
    };
    let refused = Err(LedgerError::NotHolder { key: key.to_string(), lease: "leader".to_owned() });
    assert_eq!(put(&two.here, "nobody leads", &under(Some(Term(1)))).await, refused);
    let first = under(two.here.acquire("leader", &one, TTL).await.unwrap());
    let version = put(&two.here, "1", &first).await.unwrap();
    // Renewed: the same term.
    assert_eq!(two.here.acquire("leader", &one, TTL).await.unwrap(), Some(first.term));
    put(&two.here, "2", &first).await.unwrap();
    assert_eq!(two.here.write(&key, "3", Expect::Version(version), Some(&first)).await, Err(conflict(&key)));

    // The leader is frozen with a write on its way, and another one takes over.
    assert!(two.there.acquire("leader", &other, TTL).await.unwrap().is_none());
    two.clock.advance(TTL);
    let second = under(two.there.acquire("leader", &other, TTL).await.unwrap());
    assert_eq!(put(&two.here, "late", &first).await, refused, "although the record is as it was");
    put(&two.there, "3", &second).await.unwrap();
    two.there.release("leader", &other).await.unwrap();
    assert_eq!(put(&two.there, "given back", &second).await, refused);
    // Whoever leads again, leads in another term.
    let third = under(two.here.acquire("leader", &one, TTL).await.unwrap());
    assert_eq!(put(&two.here, "late", &first).await, refused);
    put(&two.here, "4", &third).await.unwrap();
    assert_eq!(value(&*two.there, &key).await.as_deref(), Some("4"));
}

#[tokio::test]
async fn an_api_server_that_is_away_costs_a_limited_time_and_the_watch_comes_back() {
    let plane = ControlPlane::start().await;
    plane.apply_crds().await;
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    plane.kubeconfig(kubeconfig.path());
    let client = connect(Some(kubeconfig.path())).await.unwrap();
    let ledger = KubeLedger::new(client, "default", Arc::new(SystemClock::new()));
    let key = Key::new("record/gpki/verify");
    let before = ledger.put(&key, "1", Expect::Absent).await.unwrap();
    let mut watch = ledger.watch("");
    assert!(matches!(next(&mut watch).await, Change::Reset(records) if records.len() == 1));

    plane.freeze_apiserver();
    let late = ledger.put(&key, "2", Expect::Version(before));
    let late = tokio::time::timeout(API_TIMEOUT * 2, late).await.expect("a limit");
    assert!(matches!(late, Err(LedgerError::Timeout { .. })), "{late:?}");
    // By now the connection is gone, so this one fails before it is sent.
    let one = Identity::new("one");
    let lease =
        tokio::time::timeout(API_TIMEOUT * 2, ledger.acquire("leader", &one, TTL)).await.expect("a limit");
    assert!(matches!(lease, Err(LedgerError::Timeout { .. } | LedgerError::Unavailable { .. })), "{lease:?}");
    plane.thaw_apiserver();
    // Without an answer it may have happened: only reading tells.
    until("the API server answers again", SOON, async || ledger.get(&key).await.ok()).await;

    plane.kill_apiserver();
    let refused = ledger.put(&Key::new("never"), "3", Expect::Absent).await;
    assert!(matches!(refused, Err(LedgerError::Unavailable { .. })), "{refused:?}");
    plane.restart_apiserver().await;
    loop {
        // The late write may show first.
        if let Change::Reset(records) = next(&mut watch).await {
            assert_eq!(records.len(), 1, "{records:?}");
            break;
        }
    }
}

//! The ledger in etcd when members die, answers get lost and history is forgotten. What every ledger promises is in
//! `kube_ledger.rs`.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use async_trait::async_trait;

use bongsu::{
    adapters::{
        clock::SystemClock,
        ledger::{ETCD_TIMEOUT, EtcdConfig, EtcdLedger},
    },
    domain::{Identity, Tick, Timestamp},
    ports::{Change, Clock, Expect, Key, Ledger, LedgerError, Version},
};
use futures::{StreamExt, stream::BoxStream};

use crate::support::{etcd::Etcd, manual_clock::ManualClock, relay::Relay, wait::until};

const TTL: Duration = Duration::from_secs(15);

/// Long enough for a busy machine and an election; nothing waits for its end.
const SOON: Duration = Duration::from_secs(30);

fn ledger(config: EtcdConfig) -> EtcdLedger {
    EtcdLedger::new(config, Arc::new(SystemClock::new())).unwrap()
}

async fn next(watch: &mut BoxStream<'static, Change>) -> Change {
    tokio::time::timeout(SOON, watch.next()).await.expect("a change soon").expect("a watch never ends")
}

async fn in_time<T>(call: impl Future<Output = T>) -> T {
    // A second more for a busy machine.
    tokio::time::timeout(ETCD_TIMEOUT + Duration::from_secs(1), call).await.expect("a limit")
}

/// Writes until a write is answered, as those do who use the ledger.
async fn written(ledger: &EtcdLedger, key: &Key, value: &str) -> Version {
    until("a write", SOON, async || {
        let found = in_time(ledger.get(key)).await.ok()?;
        let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
        in_time(ledger.put(key, value, expect)).await.ok()
    })
    .await
}

#[tokio::test]
async fn a_member_that_is_killed_or_frozen_is_left_for_the_next_one() {
    let etcd = Etcd::cluster().await;
    let ledger = ledger(etcd.config("/bongsu"));
    let (key, me) = (Key::new("record/gpki/verify"), Identity::new("me"));
    written(&ledger, &key, "1").await;
    let term = ledger.acquire("leader", &me, TTL).await.unwrap();
    let mut watch = ledger.watch("");
    assert!(matches!(next(&mut watch).await, Change::Reset(records) if records.len() == 1));

    // The ledger asks the first one as long as it answers.
    etcd.kill(0);
    let version = written(&ledger, &key, "2").await;
    assert!(matches!(next(&mut watch).await, Change::Put(_, record) if record.version == version));
    assert_eq!(until("a renewal", SOON, async || ledger.acquire("leader", &me, TTL).await.ok()).await, term);

    etcd.run(0);
    until("the first member is back", SOON, async || {
        let health = etcd.etcdctl(&["endpoint", "health"]);
        health.contains("is healthy").then_some(())
    })
    .await;
    etcd.freeze(1);
    // A renewal can be sent again, so it goes on within one call.
    let renewed = in_time(ledger.acquire("leader", &me, TTL)).await;
    let renewed = match renewed {
        Ok(renewed) => renewed,
        // The frozen one was the leader, and the others take a second to see that.
        Err(_) => until("a renewal", SOON, async || ledger.acquire("leader", &me, TTL).await.ok()).await,
    };
    assert_eq!(renewed, term);
    let version = written(&ledger, &key, "3").await;
    assert!(matches!(next(&mut watch).await, Change::Put(_, record) if record.version == version));
}

#[tokio::test]
async fn a_member_that_does_not_take_part_is_named() {
    let etcd = Etcd::cluster().await;
    let config = etcd.config("/bongsu");
    let asked = ledger(config.clone());
    until("all take part", SOON, async || (asked.absent().await == Ok(Some(Vec::new()))).then_some(())).await;
    etcd.kill(1);
    let missing = in_time(asked.absent()).await.unwrap().unwrap();
    assert_eq!(missing.len(), 1, "{missing:?}");
    for part in ["member ", " does not answer: ", &etcd.url(1)] {
        assert!(missing[0].contains(part), "{missing:?}");
    }
    // A member that stands still answers no more than one that is gone.
    etcd.run(1);
    until("it is back", SOON, async || (asked.absent().await == Ok(Some(Vec::new()))).then_some(())).await;
    etcd.freeze(2);
    let frozen = in_time(asked.absent()).await.unwrap().unwrap();
    assert!(frozen.len() == 1 && frozen[0].contains(&etcd.url(2)), "{frozen:?}");
    etcd.thaw(2);
    let two = EtcdConfig { endpoints: config.endpoints[..2].to_vec(), ..config };
    let two = ledger(two);
    let unknown = until("the others answer", SOON, async || {
        two.absent().await.ok().flatten().filter(|absent| absent.len() == 1)
    })
    .await;
    assert!(unknown[0].contains("none of --ledger-etcd-endpoints leads to it: add its URL"), "{unknown:?}");
}

#[tokio::test]
async fn a_lost_quorum_costs_a_limited_time_and_the_watch_goes_on_after_it() {
    let etcd = Etcd::cluster().await;
    let ledger = ledger(etcd.config("/bongsu"));
    let key = Key::new("record/gpki/verify");
    let before = written(&ledger, &key, "1").await;
    let mut watch = ledger.watch("");
    assert!(matches!(next(&mut watch).await, Change::Reset(records) if records.len() == 1));

    etcd.kill(1);
    etcd.kill(2);
    for _ in 0..3 {
        let late = in_time(ledger.put(&key, "2", Expect::Version(before))).await;
        assert!(
            matches!(late, Err(LedgerError::Timeout { .. } | LedgerError::Unavailable { .. })),
            "{late:?}"
        );
        let taken = in_time(ledger.acquire("leader", &Identity::new("me"), TTL)).await;
        assert!(
            matches!(taken, Err(LedgerError::Timeout { .. } | LedgerError::Unavailable { .. })),
            "{taken:?}"
        );
    }
    etcd.run(1);
    etcd.run(2);
    let version = written(&ledger, &key, "3").await;
    loop {
        // A write whose answer got lost may show before it.
        match next(&mut watch).await {
            Change::Put(_, record) if record.version == version => break,
            Change::Reset(records) if records.iter().any(|(_, record)| record.version == version) => break,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was_and_starts_anew_only_if_history_is_forgotten() {
    let etcd = Etcd::single().await;
    let mut relay = Relay::start(etcd.address(0)).await;
    let far = ledger(EtcdConfig {
        endpoints: vec![format!("http://{}", relay.address())],
        ..etcd.config("/bongsu")
    });
    let near = ledger(etcd.config("/bongsu"));
    let key = Key::new("record/gpki/verify");
    written(&near, &key, "1").await;
    let mut watch = far.watch("record/");
    assert!(matches!(next(&mut watch).await, Change::Reset(records) if records.len() == 1));
    // The watch must be open before it can break.
    let version = written(&near, &key, "2").await;
    assert!(matches!(next(&mut watch).await, Change::Put(_, record) if record.version == version));

    relay.cut().await;
    let missed = written(&near, &key, "3").await;
    relay.mend();
    let change = next(&mut watch).await;
    assert!(matches!(&change, Change::Put(_, record) if record.version == missed), "{change:?}");

    relay.cut().await;
    written(&near, &key, "4").await;
    let last = written(&near, &key, "5").await;
    etcd.etcdctl(&["compact", &last.0.to_string()]);
    relay.mend();
    let change = next(&mut watch).await;
    let Change::Reset(records) = &change else { panic!("{change:?}") };
    assert_eq!(records.iter().map(|(_, record)| record.version).collect::<Vec<_>>(), [last]);
}

#[tokio::test]
async fn more_records_than_one_answer_holds_are_read_in_one_revision() {
    let etcd = Etcd::shared().await;
    let ledger = ledger(etcd.config("/pages"));
    let keys: Vec<Key> = (0..600).map(|number| Key::new(format!("run/gpki/{number:03}"))).collect();
    for key in &keys {
        ledger.put(key, "1", Expect::Absent).await.unwrap();
    }
    let Change::Reset(records) = next(&mut ledger.watch("run/")).await else { panic!("a reset") };
    assert_eq!(records.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), keys);
}

/// A clock that stops whoever asks it for the time of the wall, which is written into a lease that is taken.
struct Stopping {
    clock: ManualClock,
    asked: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

#[async_trait]
impl Clock for Stopping {
    fn tick(&self) -> Tick {
        self.clock.tick()
    }

    fn wall(&self) -> Timestamp {
        self.asked.send(()).unwrap();
        // Without a sender left it goes on.
        let _ = self.go_on.lock().unwrap().recv();
        self.clock.wall()
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_renewal_between_the_judgement_and_the_taking_wins() {
    let etcd = Etcd::shared().await;
    let [one, other] = ["one", "other"].map(Identity::new);
    let holder = EtcdLedger::new(etcd.config("/judged"), Arc::new(ManualClock::default())).unwrap();
    let ((asked, was_asked), (go, go_on)) = (channel(), channel());
    let clock = Arc::new(Stopping { clock: ManualClock::default(), asked, go_on: Mutex::new(go_on) });
    let taker = EtcdLedger::new(etcd.config("/judged"), clock.clone() as Arc<dyn Clock>).unwrap();
    let term = holder.acquire("leader", &one, TTL).await.unwrap();
    assert_eq!(taker.acquire("leader", &other, TTL).await.unwrap(), None);
    clock.clock.advance(TTL);
    let taking = tokio::spawn(async move { taker.acquire("leader", &other, TTL).await });
    // It has judged that the lease ran out, and is about to say so.
    tokio::task::spawn_blocking(move || was_asked.recv().unwrap()).await.unwrap();
    assert_eq!(holder.acquire("leader", &one, TTL).await.unwrap(), term, "renewed");
    drop(go);
    assert_eq!(taking.await.unwrap(), Ok(None));
}

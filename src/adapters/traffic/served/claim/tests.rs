//! Two services that want one name, with the calls of both in every order.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::*;
use crate::{
    adapters::{clock::SystemClock, ledger::MemoryLedger, traffic::served::ServedTraffic},
    domain::{Epoch, Identity, RouteName, ServiceKey, Term},
    ports::{Answer, Change, LeaseState, Over, Route, RouteKind, ServedRoute, ServerState, Under, Versioned},
};

/// Calls whose order is chosen; a publication makes at most nine.
const CHOSEN: u32 = 13;

const NAME: &str = "verify.gpki.example";

/// A ledger each of whose calls takes one poll more than it needs: who polls chooses whose call comes next.
struct Stepped(Arc<MemoryLedger>);

/// A ledger that does not answer when a claim is read for the second time.
struct Silent(Stepped, AtomicU32);

#[async_trait]
impl Ledger for Silent {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError> {
        match key.as_str().starts_with(PREFIX) && self.1.fetch_add(1, Ordering::Relaxed) == 1 {
            true => Err(LedgerError::Timeout { what: format!("read {key}"), limit: Duration::ZERO }),
            false => self.0.get(key).await,
        }
    }

    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        self.0.write(key, value, expect, under).await
    }

    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError> {
        self.0.delete(key, version).await
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        self.0.watch(prefix)
    }

    async fn acquire(&self, _: &str, _: &Identity, _: Duration) -> Result<Option<Term>, LedgerError> {
        Ok(None)
    }

    async fn release(&self, _: &str, _: &Identity) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Ledger for Stepped {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, LedgerError> {
        tokio::task::yield_now().await;
        self.0.get(key).await
    }

    async fn write(
        &self,
        key: &Key,
        value: &str,
        expect: Expect,
        under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        tokio::task::yield_now().await;
        self.0.write(key, value, expect, under).await
    }

    async fn delete(&self, key: &Key, version: Version) -> Result<(), LedgerError> {
        tokio::task::yield_now().await;
        self.0.delete(key, version).await
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        self.0.watch(prefix)
    }

    async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>, LedgerError> {
        self.0.acquire(lease, holder, ttl).await
    }

    async fn release(&self, lease: &str, holder: &Identity) -> Result<(), LedgerError> {
        self.0.release(lease, holder).await
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        self.0.leases().await
    }
}

fn served(name: &str) -> ServedRoute {
    ServedRoute {
        zone: "gpki.example".to_owned(),
        name: name.to_owned(),
        name_servers: vec!["ns1.gpki.example".to_owned()],
    }
}

fn route(service: &str, name: &str) -> Route {
    let (service, kind) = (ServiceKey::new("gpki", service), RouteKind::Served(served(name)));
    Route { service, name: RouteName::new("citizens"), ttl: 5, kind }
}

fn answer() -> Answer {
    Answer::new(Epoch(1), BTreeSet::from(["192.0.2.1".parse().unwrap()])).unwrap()
}

async fn publish(ledger: &Arc<dyn Ledger>, service: &str, name: &str) -> Result<ServerState, TrafficError> {
    let traffic = ServedTraffic::new(ledger.clone(), Arc::new(SystemClock::new()));
    traffic.publish(&route(service, name), &served(name), &answer(), Over::Same).await
}

/// Publishes for both; a bit of `order` says whose turn it is. Whether each has the name.
async fn race(ledger: &Arc<dyn Ledger>, order: u32) -> [bool; 2] {
    let (first, second) = (publish(ledger, "aa", NAME), publish(ledger, "zz", NAME));
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut results = [None, None];
    let mut turn = 0;
    while results.iter().any(Option::is_none) {
        let chosen = if turn < CHOSEN { order >> turn & 1 } else { turn & 1 };
        let mut context = Context::from_waker(Waker::noop());
        let polled = match chosen {
            0 if results[0].is_none() => (0, first.as_mut().poll(&mut context)),
            1 if results[1].is_some() => (0, first.as_mut().poll(&mut context)),
            _ => (1, second.as_mut().poll(&mut context)),
        };
        if let (who, Poll::Ready(result)) = polled {
            results[who] = Some(result.is_ok());
        }
        turn += 1;
        assert!(turn < 100, "neither ends");
    }
    results.map(Option::unwrap)
}

async fn has_record(ledger: &Arc<dyn Ledger>, service: &str) -> bool {
    ledger.get(&Key::new(format!("answer/gpki/{service}/citizens"))).await.unwrap().is_some()
}

/// Plays every order of the first calls, on a ledger on which `before` is there already.
async fn every_order(before: &[(&str, &str)]) {
    let mut both_failed = 0;
    for order in 0..1 << CHOSEN {
        let memory = Arc::new(MemoryLedger::new(Arc::new(SystemClock::new())));
        for (key, value) in before {
            memory.put(&Key::new(key), value, Expect::Absent).await.unwrap();
        }
        let ledger: Arc<dyn Ledger> = Arc::new(Stepped(memory));
        let won = race(&ledger, order).await;
        let there = [has_record(&ledger, "aa").await, has_record(&ledger, "zz").await];
        assert_eq!(
            there, won,
            "{before:?} {order:b}: a record is there for whoever has the name, and for nobody else"
        );
        assert_ne!(won, [true, true], "{before:?} {order:b}: both have the name");
        if won == [false, false] {
            both_failed += 1;
            let again =
                [publish(&ledger, "aa", NAME).await.is_ok(), publish(&ledger, "zz", NAME).await.is_ok()];
            assert_eq!(again.into_iter().filter(|ok| *ok).count(), 1, "{before:?} {order:b}: nobody gets it");
        }
    }
    assert!(both_failed < 1 << (CHOSEN - 2), "{both_failed}: most orders leave somebody with the name");
}

#[tokio::test]
async fn of_two_that_want_a_free_name_one_has_it_whatever_the_order_of_their_calls() {
    every_order(&[]).await;
}

#[tokio::test]
async fn a_claim_without_a_record_is_taken_over_by_one_of_two() {
    every_order(&[(&format!("claim/{NAME}"), r#"{"record":"answer/gpki/gone/citizens"}"#)]).await;
    every_order(&[(&format!("claim/{NAME}"), r#"{"record":"answer/gpki/aa/citizens"}"#)]).await;
    every_order(&[(&format!("claim/{NAME}"), "what is this")]).await;
}

#[tokio::test]
async fn a_name_that_is_given_up_is_free_and_its_claim_is_gone() {
    let memory: Arc<dyn Ledger> = Arc::new(MemoryLedger::new(Arc::new(SystemClock::new())));
    publish(&memory, "aa", NAME).await.unwrap();
    assert!(publish(&memory, "zz", NAME).await.is_err());
    publish(&memory, "aa", "other.gpki.example").await.unwrap();
    assert_eq!(memory.get(&Key::new(format!("claim/{NAME}"))).await.unwrap(), None);
    publish(&memory, "zz", NAME).await.unwrap();
}

#[tokio::test]
async fn to_publish_for_the_first_time_reads_nobody_elses_record() {
    let memory: Arc<dyn Ledger> = Arc::new(MemoryLedger::new(Arc::new(SystemClock::new())));
    memory.put(&Key::new("answer/gpki/other/citizens"), "cannot be read", Expect::Absent).await.unwrap();
    publish(&memory, "aa", NAME).await.unwrap();
}

#[tokio::test]
async fn what_was_written_stays_when_nobody_says_whose_the_name_is() {
    let memory = Arc::new(MemoryLedger::new(Arc::new(SystemClock::new())));
    let ledger: Arc<dyn Ledger> = memory.clone();
    publish(&ledger, "aa", NAME).await.unwrap();
    let silent: Arc<dyn Ledger> = Arc::new(Silent(Stepped(memory), AtomicU32::new(0)));
    let traffic = ServedTraffic::new(silent, Arc::new(SystemClock::new()));
    let newer = Answer::new(Epoch(2), BTreeSet::from(["192.0.2.2".parse().unwrap()])).unwrap();
    let result = traffic.publish(&route("aa", NAME), &served(NAME), &newer, Over::Same).await;
    assert!(matches!(result, Err(TrafficError::Unreachable { .. })), "{result:?}");
    let key = Key::new("answer/gpki/aa/citizens");
    let held = parsed(&key, &ledger.get(&key).await.unwrap().unwrap()).unwrap();
    assert_eq!(held.epoch, Epoch(2), "the epoch never goes back");
}

#[tokio::test]
async fn a_record_that_is_there_does_not_show_that_its_name_was_won() {
    let memory: Arc<dyn Ledger> = Arc::new(MemoryLedger::new(Arc::new(SystemClock::new())));
    publish(&memory, "aa", NAME).await.unwrap();
    // Its writer died before it asked who else had the name, and another one had taken it over.
    let record = Key::new("answer/gpki/aa/citizens");
    let left = memory.get(&record).await.unwrap().unwrap();
    memory.delete(&record, left.version).await.unwrap();
    publish(&memory, "zz", NAME).await.unwrap();
    memory.put(&record, &left.value, Expect::Absent).await.unwrap();

    let refused = publish(&memory, "aa", NAME).await.unwrap_err();
    assert!(matches!(&refused, TrafficError::Claimed { owner, .. } if owner.ends_with("zz")), "{refused:?}");
    publish(&memory, "zz", NAME).await.unwrap();
}

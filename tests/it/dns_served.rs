//! Bongsu's own name server, asked by `dig` and `kdig`, and what it publishes through the ledger.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bongsu::{
    adapters::{
        clock::SystemClock,
        ledger::MemoryLedger,
        traffic::served::{NameServer, ServedTraffic},
    },
    domain::{Epoch, Identity, RouteName, ServiceKey, Term},
    ports::{
        Answer, Change, Expect, Key, LeaseState, Ledger, LedgerError, Over, Route, RouteKind, ServedRoute,
        ServerState, TrafficError, Under, Version, Versioned,
    },
};
use futures::{StreamExt, stream::BoxStream};
use hickory_proto::{op::ResponseCode, rr::RecordType};
use tokio::{
    process::Command,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_stream::wrappers::ReceiverStream;

use crate::support::{
    ask::{ask, serial, shown},
    poll::eventually,
};

const ZONE: &str = "gslb.test";
const NAME: &str = "verify.gpki.gslb.test";

fn memory() -> Arc<dyn Ledger> {
    Arc::new(MemoryLedger::new(Arc::new(SystemClock::new())))
}

fn route_of(service: &str, name: &str) -> Route {
    let served = ServedRoute {
        zone: ZONE.to_owned(),
        name: name.to_owned(),
        name_servers: vec!["ns1.region.test".to_owned(), "ns2.region.test".to_owned()],
    };
    Route {
        service: ServiceKey::new("gpki", service),
        name: RouteName::new("citizens"),
        ttl: 7,
        kind: RouteKind::Served(served),
    }
}

fn served(route: &Route) -> &ServedRoute {
    match &route.kind {
        RouteKind::Served(served) => served,
        RouteKind::Dns(_) => panic!("not a served route"),
    }
}

fn answer(epoch: u64, addresses: &[&str]) -> Answer {
    let addresses: BTreeSet<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    Answer::new(Epoch(epoch), addresses).unwrap()
}

async fn publish(
    ledger: &Arc<dyn Ledger>,
    route: &Route,
    answer: &Answer,
) -> Result<ServerState, TrafficError> {
    ServedTraffic::new(Arc::clone(ledger), Arc::new(SystemClock::new()))
        .publish(route, served(route), answer, Over::Same)
        .await
}

/// A running name server.
struct Running {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(ledger: Arc<dyn Ledger>) -> Self {
        let (server, addr) = NameServer::bind("127.0.0.1:0".parse().unwrap(), ledger).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            server.run(shutdown).await.unwrap();
        });
        Self { addr, stop, task }
    }

    /// Runs a program that asks, with the server's address put in front.
    async fn run(&self, program: &str, question: &str) -> String {
        let port = self.addr.port().to_string();
        let arguments = ["@127.0.0.1", "-p", &port].into_iter().chain(question.split(' '));
        let output = Command::new(program).args(arguments).output().await;
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run `hack/parts.sh`"));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `dig` says, which must have all of these words; white space counts once.
    async fn check(&self, question: &str, words: &[&str]) {
        let said = self.run("dig", &format!("+tries=1 +time=5 {question}")).await;
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(flat.contains(word), "{word:?} is not in\n{said}");
        }
    }

    async fn shows(&self, expected: &str) {
        eventually(&format!("{NAME} shows {expected}"), async || {
            ask(self.addr, NAME, RecordType::A).await.filter(|reply| reply.metadata.authoritative)?;
            (shown(self.addr, NAME).await == expected).then_some(())
        })
        .await;
    }
}

/// A name server that serves one published name.
async fn with_one_name() -> (Running, Arc<dyn Ledger>) {
    let ledger = memory();
    publish(&ledger, &route_of("gpki-verify", NAME), &answer(1, &["192.0.2.1", "2001:db8::1"]))
        .await
        .unwrap();
    let running = Running::start(Arc::clone(&ledger)).await;
    running.shows("192.0.2.1 2001:db8::1 | epoch=1 service=gpki/gpki-verify").await;
    (running, ledger)
}

#[tokio::test]
async fn a_rehearsal_writes_the_record_as_it_is_also_what_a_newer_version_put_into_it() {
    let ledger = memory();
    let route = route_of("gpki-verify", NAME);
    let traffic = ServedTraffic::new(Arc::clone(&ledger), Arc::new(SystemClock::new()));
    let missing = traffic.rehearse(&route).await.unwrap_err().to_string();
    assert!(missing.contains("there is no answer/gpki/gpki-verify/citizens"), "{missing}");
    let published = publish(&ledger, &route, &answer(3, &["192.0.2.1"])).await.unwrap();
    let key = Key::new("answer/gpki/gpki-verify/citizens");
    let before = ledger.get(&key).await.unwrap().unwrap();
    let newer = before.value.replacen('{', "{\"newer\":true,", 1);
    ledger.put(&key, &newer, Expect::Version(before.version)).await.unwrap();
    assert_eq!(traffic.rehearse(&route).await, Ok(published));
    assert_eq!(*ledger.get(&key).await.unwrap().unwrap().value, *newer);
}

#[tokio::test]
async fn dig_gets_addresses_mark_and_ttl_over_udp_and_tcp() {
    let (server, _ledger) = with_one_name().await;
    for transport in ["+notcp", "+tcp"] {
        let ask = |rest: &str| format!("{transport} {rest}");
        let address = ["status: NOERROR", "flags: qr aa rd;", "verify.gpki.gslb.test. 7 IN A 192.0.2.1"];
        server.check(&ask(&format!("{NAME} A")), &address).await;
        server.check(&ask(&format!("{NAME} AAAA")), &["verify.gpki.gslb.test. 7 IN AAAA 2001:db8::1"]).await;
        let mark = ["7 IN TXT \"epoch=1 service=gpki/gpki-verify\""];
        server.check(&ask(&format!("_bongsu.{NAME} TXT")), &mark).await;
    }
    let said = server.run("kdig", &format!("+short {NAME} A")).await;
    assert_eq!(said.trim(), "192.0.2.1");
}

#[tokio::test]
async fn dig_gets_the_zones_own_records() {
    let (server, _ledger) = with_one_name().await;
    server.check("gslb.test NS", &["IN NS ns1.region.test.", "IN NS ns2.region.test."]).await;
    // The serial is the version of the newest answer; the claim to its name was written before.
    server.check("gslb.test SOA", &["IN SOA ns1.region.test. hostmaster.gslb.test. 2 "]).await;
}

#[tokio::test]
async fn names_are_compared_without_regard_to_case() {
    let (server, _ledger) = with_one_name().await;
    server.check("VERIFY.gpki.GSLB.test A", &["status: NOERROR", "IN A 192.0.2.1"]).await;
}

#[tokio::test]
async fn a_name_that_is_not_there_is_nxdomain_with_soa() {
    let (server, _ledger) = with_one_name().await;
    let words = ["status: NXDOMAIN", "qr aa", "ANSWER: 0, AUTHORITY: 1", "gslb.test. 5 IN SOA"];
    server.check("nothing.gslb.test A", &words).await;
}

#[tokio::test]
async fn a_name_without_records_of_the_type_is_nodata_with_soa() {
    let (server, _ledger) = with_one_name().await;
    let words = ["status: NOERROR", "qr aa", "ANSWER: 0, AUTHORITY: 1", "gslb.test. 5 IN SOA"];
    server.check(&format!("{NAME} MX"), &words).await;
    // Between the zone and the name: no records, but it exists (RFC 8020).
    server.check("gpki.gslb.test A", &words).await;
}

#[tokio::test]
async fn other_zones_classes_and_transfers_are_refused() {
    let (server, _ledger) = with_one_name().await;
    for question in ["elsewhere.test A", ". NS", "version.bind CH TXT", "test A"] {
        server.check(question, &["status: REFUSED", "ANSWER: 0, AUTHORITY: 0"]).await;
    }
    // The code itself: `dig` calls an empty answer to a transfer a failed one too.
    for kind in [RecordType::AXFR, RecordType::IXFR] {
        let reply = ask(server.addr, ZONE, kind).await.unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
    }
}

#[tokio::test]
async fn any_gets_the_minimal_answer() {
    let (server, _ledger) = with_one_name().await;
    server.check(&format!("+notcp {NAME} ANY"), &["ANSWER: 1,", "IN HINFO \"RFC8482\" \"\""]).await;
}

#[tokio::test]
async fn edns_is_answered_and_an_unknown_version_is_badvers() {
    let (server, _ledger) = with_one_name().await;
    server.check(&format!("+bufsize=4096 {NAME} A"), &["EDNS: version: 0, flags:; udp: 1232"]).await;
    server.check(&format!("+noedns {NAME} A"), &["status: NOERROR", "ADDITIONAL: 0"]).await;
    server.check(&format!("+edns=1 +noednsnegotiation {NAME} A"), &["status: BADVERS"]).await;
}

#[tokio::test]
async fn an_update_is_not_implemented() {
    let (server, _ledger) = with_one_name().await;
    server.check("+opcode=update gslb.test SOA", &["status: NOTIMP"]).await;
}

#[tokio::test]
async fn an_answer_too_large_for_udp_comes_by_tcp() {
    let ledger = memory();
    let many: Vec<String> = (0..200).map(|n| format!("192.0.2.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    publish(&ledger, &route_of("gpki-verify", NAME), &answer(1, &many)).await.unwrap();
    let server = Running::start(ledger).await;
    eventually("the name is there", async || {
        ask(server.addr, NAME, RecordType::A).await.filter(|reply| !reply.answers.is_empty())
    })
    .await;
    server.check(&format!("+notcp +ignore {NAME} A"), &["flags: qr aa tc rd;"]).await;
    server.check(&format!("{NAME} A"), &["ANSWER: 200,", "(TCP)"]).await;
}

#[tokio::test]
async fn a_higher_epoch_changes_the_answer_and_raises_the_serial() {
    let (server, ledger) = with_one_name().await;
    let before = serial(server.addr, ZONE).await;
    publish(&ledger, &route_of("gpki-verify", NAME), &answer(2, &["192.0.2.2"])).await.unwrap();
    server.shows("192.0.2.2 | epoch=2 service=gpki/gpki-verify").await;
    assert!(serial(server.addr, ZONE).await > before);
}

#[tokio::test]
async fn the_same_answer_again_writes_nothing() {
    let ledger = memory();
    let route = route_of("gpki-verify", NAME);
    let key = Key::new("answer/gpki/gpki-verify/citizens");
    publish(&ledger, &route, &answer(1, &["192.0.2.1"])).await.unwrap();
    let before = ledger.get(&key).await.unwrap().unwrap().version;
    publish(&ledger, &route, &answer(1, &["192.0.2.1"])).await.unwrap();
    assert_eq!(ledger.get(&key).await.unwrap().unwrap().version, before);
}

#[tokio::test]
async fn a_lower_epoch_is_stale_and_changes_nothing() {
    let ledger = memory();
    let route = route_of("gpki-verify", NAME);
    let newest = publish(&ledger, &route, &answer(7, &["192.0.2.7"])).await.unwrap();
    let error = publish(&ledger, &route, &answer(6, &["192.0.2.6"])).await.unwrap_err();
    assert_eq!(error, TrafficError::Stale { server: "served".to_owned(), held: Epoch(7), tried: Epoch(6) });
    let read = ServedTraffic::new(Arc::clone(&ledger), Arc::new(SystemClock::new()))
        .read(&route, served(&route))
        .await;
    assert_eq!(read, Ok(newest));
}

#[tokio::test]
async fn what_stands_under_the_same_epoch_is_left_alone_by_who_stands_in_for_the_leader() {
    let ledger = memory();
    let route = route_of("gpki-verify", NAME);
    let newest = publish(&ledger, &route, &answer(7, &["192.0.2.7"])).await.unwrap();
    let traffic = ServedTraffic::new(Arc::clone(&ledger), Arc::new(SystemClock::new()));
    let stand_in = async |epoch| {
        traffic.publish(&route, served(&route), &answer(epoch, &["192.0.2.6"]), Over::Older).await
    };
    assert_eq!(stand_in(7).await, Ok(newest));
    assert!(matches!(stand_in(6).await, Err(TrafficError::Stale { .. })));
    assert_eq!(stand_in(8).await.unwrap().epoch, Some(Epoch(8)));
}

#[tokio::test]
async fn of_two_services_that_claim_one_name_the_second_is_told_the_first() {
    let ledger = memory();
    publish(&ledger, &route_of("gpki-verify", NAME), &answer(1, &["192.0.2.1"])).await.unwrap();
    let error = publish(&ledger, &route_of("gpki-sign", NAME), &answer(9, &["192.0.2.9"])).await.unwrap_err();
    let owner = "gpki/gpki-verify".to_owned();
    assert_eq!(error, TrafficError::Claimed { server: "served".to_owned(), owner });
    publish(&ledger, &route_of("gpki-sign", "sign.gslb.test"), &answer(9, &["192.0.2.9"])).await.unwrap();
}

#[tokio::test]
async fn every_address_comes_first_for_some_clients() {
    let ledger = memory();
    publish(&ledger, &route_of("gpki-verify", NAME), &answer(1, &["192.0.2.1", "192.0.2.2"])).await.unwrap();
    let server = Running::start(ledger).await;
    server.shows("192.0.2.1 192.0.2.2 | epoch=1 service=gpki/gpki-verify").await;
    let mut first = BTreeSet::new();
    eventually("both addresses came first", async || {
        let reply = ask(server.addr, NAME, RecordType::A).await?;
        first.insert(reply.answers.first()?.data.to_string());
        (first.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_reached_is_named() {
    let (ledger, _changes) = Scripted::new();
    let ledger: Arc<dyn Ledger> = ledger;
    let message =
        publish(&ledger, &route_of("gpki-verify", NAME), &answer(1, &["192.0.2.1"])).await.unwrap_err();
    let message = message.to_string();
    assert!(
        message.starts_with("served did not answer: the ledger, get: away: name servers go on"),
        "{message}"
    );
}

#[tokio::test]
async fn before_the_ledger_was_read_the_answer_is_servfail() {
    let (ledger, changes) = Scripted::new();
    let server = Running::start(ledger).await;
    server.check(&format!("{NAME} A"), &["status: SERVFAIL", "ANSWER: 0, AUTHORITY: 0"]).await;
    changes.send(Change::Reset(Vec::new())).await.unwrap();
    eventually("the empty ledger is read", async || {
        let reply = ask(server.addr, NAME, RecordType::A).await?;
        (reply.metadata.response_code == ResponseCode::Refused).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_last_answer_outlives_the_ledger_and_the_removal_of_its_record() {
    let (ledger, changes) = Scripted::new();
    let server = Running::start(ledger).await;
    let (key, first) = record("gpki-verify", 1, "192.0.2.1");
    let shows_first = "192.0.2.1 | epoch=1 service=gpki/gpki-verify";
    changes.send(Change::Reset(vec![(key.clone(), first)])).await.unwrap();
    server.shows(shows_first).await;

    // Each of these comes with a second record whose appearance proves that the server took it in.
    changes.send(Change::Deleted(key.clone())).await.unwrap();
    taken_in(&server, &changes, "after-delete").await;
    server.shows(shows_first).await;

    changes.send(Change::Reset(Vec::new())).await.unwrap();
    taken_in(&server, &changes, "after-empty-reset").await;
    server.shows(shows_first).await;

    let (_, mut empty) = record("gpki-verify", 9, "192.0.2.9");
    empty.value = Arc::from(empty.value.replace(r#"["192.0.2.9"]"#, "[]"));
    changes.send(Change::Put(key.clone(), empty)).await.unwrap();
    taken_in(&server, &changes, "after-empty-answer").await;
    server.shows(shows_first).await;

    let (_, second) = record("gpki-verify", 2, "192.0.2.2");
    changes.send(Change::Reset(vec![(key, second)])).await.unwrap();
    server.shows("192.0.2.2 | epoch=2 service=gpki/gpki-verify").await;

    drop(changes);
    server.shows("192.0.2.2 | epoch=2 service=gpki/gpki-verify").await;
}

#[tokio::test]
async fn a_live_record_takes_the_name_of_a_removed_one() {
    let (ledger, changes) = Scripted::new();
    let server = Running::start(ledger).await;
    let (key, first) = record("gpki-verify", 1, "192.0.2.1");
    let (other_key, other) = record("gpki-zz-verify", 1, "192.0.2.9");
    changes.send(Change::Reset(vec![(other_key, other), (key.clone(), first)])).await.unwrap();
    server.shows("192.0.2.1 | epoch=1 service=gpki/gpki-verify").await;
    changes.send(Change::Deleted(key)).await.unwrap();
    server.shows("192.0.2.9 | epoch=1 service=gpki/gpki-zz-verify").await;
}

#[tokio::test]
async fn shutdown_ends_the_server_and_frees_its_port() {
    let (Running { addr, stop, task }, ledger) = with_one_name().await;
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
    eventually("the port is free", async || NameServer::bind(addr, Arc::clone(&ledger)).await.ok()).await;
}

/// Publishes another name and waits until it is answered: whatever was sent before is then taken in too.
async fn taken_in(server: &Running, changes: &mpsc::Sender<Change>, service: &str) {
    let name = format!("{service}.{ZONE}");
    let (key, mut found) = record(service, 1, "192.0.2.100");
    found.value = Arc::from(found.value.replace(NAME, &name));
    changes.send(Change::Put(key, found)).await.unwrap();
    eventually(&format!("{name} is answered"), async || {
        ask(server.addr, &name, RecordType::A).await.filter(|reply| !reply.answers.is_empty())
    })
    .await;
}

/// A record as another region's Bongsu writes it: this text is a contract between versions.
fn record(service: &str, epoch: u64, address: &str) -> (Key, Versioned) {
    let value = format!(
        r#"{{"service":{{"namespace":"gpki","name":"{service}"}},"zone":"{ZONE}","name":"{NAME}","nameServers":["ns1.region.test"],"ttl":7,"epoch":{epoch},"addresses":["{address}"]}}"#
    );
    let versioned = Versioned { version: Version(epoch), value: Arc::from(value) };
    (Key::new(format!("answer/gpki/{service}/citizens")), versioned)
}

/// A ledger whose watch says what the test says, and whose other calls fail as if it were away.
struct Scripted {
    changes: std::sync::Mutex<Option<mpsc::Receiver<Change>>>,
}

impl Scripted {
    fn new() -> (Arc<Self>, mpsc::Sender<Change>) {
        let (sender, receiver) = mpsc::channel(16);
        (Arc::new(Self { changes: std::sync::Mutex::new(Some(receiver)) }), sender)
    }
}

fn away<T>(what: &str) -> Result<T, LedgerError> {
    Err(LedgerError::Unavailable { what: what.to_owned(), cause: "away".to_owned() })
}

#[async_trait]
impl Ledger for Scripted {
    async fn get(&self, _key: &Key) -> Result<Option<Versioned>, LedgerError> {
        away("get")
    }

    async fn write(
        &self,
        _key: &Key,
        _value: &str,
        _expect: Expect,
        _under: Option<&Under>,
    ) -> Result<Version, LedgerError> {
        away("put")
    }

    async fn delete(&self, _key: &Key, _version: Version) -> Result<(), LedgerError> {
        away("delete")
    }

    fn watch(&self, prefix: &str) -> BoxStream<'static, Change> {
        assert_eq!(prefix, "answer/");
        ReceiverStream::new(self.changes.lock().unwrap().take().expect("watched once")).boxed()
    }

    async fn acquire(
        &self,
        _lease: &str,
        _holder: &Identity,
        _ttl: Duration,
    ) -> Result<Option<Term>, LedgerError> {
        away("acquire")
    }

    async fn release(&self, _lease: &str, _holder: &Identity) -> Result<(), LedgerError> {
        away("release")
    }

    async fn leases(&self) -> Result<Vec<LeaseState>, LedgerError> {
        away("leases")
    }
}

//! What must be true with any name server that takes dynamic updates. `dns_bind` and `dns_knot` run each scenario.

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
        traffic::dns::{DnsTraffic, SERVER_LIMIT, Session, Written},
    },
    domain::{Epoch, RouteName, ServiceKey, Tick, Timestamp},
    ports::{Answer, Clock, DnsRoute, Over, Route, RouteKind, ServerState, TrafficError, TsigSecret},
};
use tokio::net::TcpListener;

use crate::support::{
    ask::{serial, shown, ttls},
    dns_server::{DnsServer, ZONE, free_port, key, key_with, reading_key},
};

const NAME: &str = "verify.example.test";

/// What a name shows that nobody published.
const NOTHING: &str = " | ";

/// Makes one test of each scenario for one server.
#[macro_export]
macro_rules! dns_scenarios {
    ($start:path: $($scenario:ident)*) => {
        $(#[tokio::test]
        async fn $scenario() {
            $crate::dns_scenarios::$scenario(&$start().await).await;
        })*
    };
}

fn route(servers: &[SocketAddr], key: TsigSecret) -> Route {
    let dns = DnsRoute { zone: ZONE.to_owned(), name: NAME.to_owned(), servers: servers.to_vec(), key };
    Route {
        service: ServiceKey::new("gpki", "gpki-verify"),
        name: RouteName::new("citizens"),
        ttl: 7,
        kind: RouteKind::Dns(dns),
    }
}

fn dns(route: &Route) -> &DnsRoute {
    match &route.kind {
        RouteKind::Dns(dns) => dns,
        RouteKind::Served(_) => panic!("not a dns route"),
    }
}

fn answer(epoch: u64, addresses: &[&str]) -> Answer {
    let addresses: BTreeSet<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    Answer::new(Epoch(epoch), addresses).unwrap()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

async fn publish_all(route: &Route, answer: &Answer) -> Vec<Result<ServerState, TrafficError>> {
    DnsTraffic::new(clock()).publish(route, dns(route), answer, Over::Same).await
}

async fn rehearse(route: &Route) -> Result<ServerState, TrafficError> {
    DnsTraffic::new(clock()).rehearse(route, dns(route)).await.remove(0)
}

async fn publish(route: &Route, answer: &Answer) -> Result<ServerState, TrafficError> {
    publish_all(route, answer).await.remove(0)
}

/// Publishing must fail with a message that has all of these words, and leave the name as it was.
async fn check_refused(server: &DnsServer, route: &Route, words: &[&str]) -> TrafficError {
    let before = shown(server.addr, NAME).await;
    let error = publish(route, &answer(9, &["192.0.2.99"])).await.unwrap_err();
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert_eq!(shown(server.addr, NAME).await, before);
    error
}

pub async fn a_fresh_name_is_published_with_the_ttl_of_the_route(server: &DnsServer) {
    let route = route(&[server.addr], key());
    let wanted = answer(1, &["192.0.2.1", "192.0.2.2"]);
    let state = publish(&route, &wanted).await.unwrap();
    assert!(state.shows(&wanted), "{state:?}");
    assert_eq!(shown(server.addr, NAME).await, "192.0.2.1 192.0.2.2 | epoch=1 service=gpki/gpki-verify");
    assert_eq!(ttls(server.addr, NAME).await, BTreeSet::from([7]));
    assert_eq!(DnsTraffic::new(clock()).read(&route, dns(&route)).await, [Ok(state)]);
}

pub async fn a_name_that_was_never_written_reads_as_no_epoch(server: &DnsServer) {
    let route = route(&[server.addr], key());
    let state = DnsTraffic::new(clock()).read(&route, dns(&route)).await.remove(0).unwrap();
    assert_eq!((state.epoch, state.addresses.len()), (None, 0));
}

pub async fn a_higher_epoch_replaces_the_addresses_of_both_families(server: &DnsServer) {
    let route = route(&[server.addr], key());
    publish(&route, &answer(1, &["192.0.2.1", "2001:db8::1"])).await.unwrap();
    assert_eq!(shown(server.addr, NAME).await, "192.0.2.1 2001:db8::1 | epoch=1 service=gpki/gpki-verify");
    publish(&route, &answer(2, &["2001:db8::2", "2001:db8::3"])).await.unwrap();
    assert_eq!(shown(server.addr, NAME).await, "2001:db8::2 2001:db8::3 | epoch=2 service=gpki/gpki-verify");
}

pub async fn a_changed_ttl_is_written_under_the_same_epoch(server: &DnsServer) {
    let mut route = route(&[server.addr], key());
    let same = answer(1, &["192.0.2.1"]);
    publish(&route, &same).await.unwrap();
    route.ttl = 30;
    publish(&route, &same).await.unwrap();
    assert_eq!(ttls(server.addr, NAME).await, BTreeSet::from([30]));
}

pub async fn the_same_answer_again_changes_nothing(server: &DnsServer) {
    let route = route(&[server.addr], key());
    let same = answer(1, &["192.0.2.1"]);
    publish(&route, &same).await.unwrap();
    let before = serial(server.addr, ZONE).await;
    assert!(before > 1, "the first publication raised the serial");
    publish(&route, &same).await.unwrap();
    assert_eq!(serial(server.addr, ZONE).await, before);
    // Both servers keep the serial when an update makes no difference, so ask with a key whose update is refused: none
    // may even be sent.
    let reading = self::route(&[server.addr], reading_key());
    publish(&reading, &same).await.unwrap();
}

pub async fn a_rehearsal_is_taken_and_changes_nothing(server: &DnsServer) {
    let route = route(&[server.addr], key());
    let published = publish(&route, &answer(3, &["192.0.2.1", "192.0.2.2", "2001:db8::1"])).await.unwrap();
    let before =
        (serial(server.addr, ZONE).await, shown(server.addr, NAME).await, ttls(server.addr, NAME).await);
    assert_eq!(rehearse(&route).await, Ok(published));
    let after =
        (serial(server.addr, ZONE).await, shown(server.addr, NAME).await, ttls(server.addr, NAME).await);
    assert_eq!(after, before);
}

pub async fn a_rehearsal_at_a_name_that_was_never_written_is_taken_and_writes_nothing(server: &DnsServer) {
    let before = serial(server.addr, ZONE).await;
    let state = rehearse(&route(&[server.addr], key())).await.unwrap();
    assert_eq!((state.epoch, state.addresses.len()), (None, 0));
    assert_eq!(
        (serial(server.addr, ZONE).await, shown(server.addr, NAME).await),
        (before, NOTHING.to_owned())
    );
}

pub async fn a_rehearsal_is_refused_like_an_update_in_the_same_words(server: &DnsServer) {
    publish(&route(&[server.addr], key()), &answer(1, &["192.0.2.1"])).await.unwrap();
    let wrong = key_with("bongsu", b"not the secret that it knows");
    for bad in [reading_key(), wrong, key_with("nobody", b"some secret of at least 32 bytes")] {
        let route = route(&[server.addr], bad);
        let refused = publish(&route, &answer(2, &["192.0.2.2"])).await.unwrap_err();
        assert_eq!(rehearse(&route).await, Err(refused));
    }
}

/// A rehearsal with the key of Bongsu must be refused in these words, where another key has published.
pub async fn check_rehearsal_refused(server: &DnsServer, publisher: &str, words: &[&str]) {
    if publisher != "bongsu" {
        let writer = key_with(publisher, &[b'k'; 32]);
        publish(&route(&[server.addr], writer), &answer(1, &["192.0.2.1"])).await.unwrap();
    }
    let before = shown(server.addr, NAME).await;
    let message = rehearse(&route(&[server.addr], key())).await.unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert_eq!(shown(server.addr, NAME).await, before);
}

pub async fn a_lower_epoch_is_stale(server: &DnsServer) {
    let route = route(&[server.addr], key());
    publish(&route, &answer(7, &["192.0.2.7"])).await.unwrap();
    let error = publish(&route, &answer(6, &["192.0.2.6"])).await.unwrap_err();
    let server_text = server.addr.to_string();
    assert_eq!(error, TrafficError::Stale { server: server_text, held: Epoch(7), tried: Epoch(6) });
    assert!(shown(server.addr, NAME).await.starts_with("192.0.2.7 |"));
}

/// The old leader has read, and sleeps before it writes; meanwhile the new leader publishes. Nothing in the old
/// leader's process can know that, so it must be the name server that refuses.
pub async fn an_update_decided_before_anothers_is_refused_by_the_name_server(server: &DnsServer) {
    let route = route(&[server.addr], key());
    for newer in [7, 8] {
        // In the first round the name is fresh, so the prerequisite is "no such RRset"; in the second it is a value.
        let mut old = Session::open(&clock(), &route, dns(&route), server.addr).await.unwrap();
        let seen = old.read().await.unwrap();
        publish(&route, &answer(newer, &["192.0.2.7"])).await.unwrap();
        let written = old.write(&seen, &answer(newer - 1, &["192.0.2.6"])).await;
        assert_eq!(written, Ok(Written::Overtaken));
        let newest = format!("192.0.2.7 | epoch={newer} service=gpki/gpki-verify");
        assert_eq!(shown(server.addr, NAME).await, newest);
    }
}

/// Somebody who stands in for the leader has read, and sleeps before it writes; meanwhile the leader publishes a newer list
/// of addresses under the same epoch.
pub async fn what_stands_under_the_same_epoch_is_left_alone_by_who_stands_in_for_the_leader(
    server: &DnsServer,
) {
    let route = route(&[server.addr], key());
    publish(&route, &answer(7, &["192.0.2.7"])).await.unwrap();
    let mut late = Session::open(&clock(), &route, dns(&route), server.addr).await.unwrap();
    let seen = late.read().await.unwrap();
    let newest = publish(&route, &answer(8, &["192.0.2.8"])).await.unwrap();
    assert_eq!(late.write(&seen, &answer(8, &["192.0.2.6"])).await, Ok(Written::Overtaken));
    let stand_in = |epoch| {
        let (route, answer) = (route.clone(), answer(epoch, &["192.0.2.6"]));
        async move { DnsTraffic::new(clock()).publish(&route, dns(&route), &answer, Over::Older).await.remove(0) }
    };
    assert_eq!(stand_in(8).await, Ok(newest));
    assert!(matches!(stand_in(7).await, Err(TrafficError::Stale { .. })));
    assert!(shown(server.addr, NAME).await.starts_with("192.0.2.8 |"));
    stand_in(9).await.unwrap();
    assert!(shown(server.addr, NAME).await.starts_with("192.0.2.6 | epoch=9"));
}

pub async fn an_update_whose_mark_did_not_change_is_taken(server: &DnsServer) {
    let route = route(&[server.addr], key());
    publish(&route, &answer(7, &["192.0.2.7"])).await.unwrap();
    let mut session = Session::open(&clock(), &route, dns(&route), server.addr).await.unwrap();
    let seen = session.read().await.unwrap();
    assert_eq!(session.write(&seen, &answer(8, &["192.0.2.8"])).await, Ok(Written::Taken));
    assert!(shown(server.addr, NAME).await.starts_with("192.0.2.8 |"));
}

pub async fn of_many_writers_at_once_the_highest_epoch_stays(server: &DnsServer) {
    let route = route(&[server.addr], key());
    let epochs = 1..=8_u64;
    let calls = epochs.map(|epoch| {
        let address = format!("192.0.2.{epoch}");
        let route = route.clone();
        async move { publish(&route, &answer(epoch, &[&address])).await }
    });
    let results = futures::future::join_all(calls).await;
    // Each one that said "done" was right at that moment, so the last epoch that was done is what is shown.
    let done: Vec<u64> =
        results.iter().flatten().filter_map(|state| state.epoch.map(|epoch| epoch.0)).collect();
    let newest = done.iter().max().expect("one of them wins");
    let expected = format!("192.0.2.{newest} | epoch={newest} service=gpki/gpki-verify");
    assert_eq!(shown(server.addr, NAME).await, expected);
}

pub async fn a_name_of_another_service_is_left_alone(server: &DnsServer) {
    let ours = route(&[server.addr], key());
    publish(&ours, &answer(1, &["192.0.2.1"])).await.unwrap();
    let mut theirs = ours.clone();
    theirs.service = ServiceKey::new("gpki", "gpki-sign");
    check_refused(server, &theirs, &[&server.addr.to_string(), "gpki/gpki-verify", "two services claim it"])
        .await;
    let read = DnsTraffic::new(clock()).read(&theirs, dns(&theirs)).await.remove(0);
    assert!(matches!(read, Err(TrafficError::Claimed { .. })), "{read:?}");
}

pub async fn a_wrong_secret_is_named(server: &DnsServer) {
    publish(&route(&[server.addr], key()), &answer(1, &["192.0.2.1"])).await.unwrap();
    let wrong = route(&[server.addr], key_with("bongsu", b"not the secret that it knows"));
    let words = [&*server.addr.to_string(), "NOTAUTH (BADSIG)", "the secret that it knows as key bongsu"];
    let error = check_refused(server, &wrong, &words).await;
    assert!(matches!(error, TrafficError::KeyRefused { .. }), "{error:?}");
}

pub async fn an_unknown_key_is_named(server: &DnsServer) {
    let unknown = route(&[server.addr], key_with("nobody", b"some secret of at least 32 bytes"));
    let words = [&*server.addr.to_string(), "NOTAUTH (BADKEY)", "knows a key nobody for hmac-sha256"];
    let error = check_refused(server, &unknown, &words).await;
    assert!(matches!(error, TrafficError::KeyRefused { .. }), "{error:?}");
    assert_eq!(shown(server.addr, NAME).await, NOTHING);
}

pub async fn a_wrong_clock_does_not_keep_an_update_from_being_taken(server: &DnsServer) {
    let route = route(&[server.addr], key());
    for (epoch, milliseconds) in [(1, -3_600_000), (2, 3_600_000)] {
        let wrong: Arc<dyn Clock> = Arc::new(WrongWall(SystemClock::new(), milliseconds));
        let answer = answer(epoch, &["192.0.2.1"]);
        DnsTraffic::new(wrong).publish(&route, dns(&route), &answer, Over::Same).await.remove(0).unwrap();
        let shown = shown(server.addr, NAME).await;
        assert!(shown.contains(&format!("epoch={epoch} ")), "{shown}");
    }
}

pub async fn a_key_that_may_not_update_is_named(server: &DnsServer) {
    publish(&route(&[server.addr], key()), &answer(1, &["192.0.2.1"])).await.unwrap();
    let reading = route(&[server.addr], reading_key());
    check_refused(server, &reading, &[&server.addr.to_string(), "key reader", "zone example.test"]).await;
}

pub async fn a_zone_that_the_server_does_not_have_is_named(server: &DnsServer) {
    let mut elsewhere = route(&[server.addr], key());
    let RouteKind::Dns(dns) = &mut elsewhere.kind else { panic!("not a dns route") };
    dns.zone = "elsewhere.test".to_owned();
    dns.name = "verify.elsewhere.test".to_owned();
    check_refused(server, &elsewhere, &[&server.addr.to_string(), "zone elsewhere.test"]).await;
}

pub async fn an_alias_at_the_name_is_named(server: &DnsServer) {
    let mut alias = route(&[server.addr], key());
    let RouteKind::Dns(dns) = &mut alias.kind else { panic!("not a dns route") };
    dns.name = format!("alias.{ZONE}");
    check_refused(
        server,
        &alias,
        &["an alias to ns.example.test.", "remove the CNAME at alias.example.test"],
    )
    .await;
}

pub async fn a_second_server_that_is_down_does_not_hold_up_the_first(server: &DnsServer) {
    let down = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let results = publish_all(&route(&[down, server.addr], key()), &answer(1, &["192.0.2.1"])).await;
    let message = results[0].as_ref().unwrap_err().to_string();
    assert!(message.starts_with(&format!("{down} did not answer: Connection refused")), "{message}");
    assert_eq!(results[1].as_ref().unwrap().server, server.addr.to_string());
    assert!(shown(server.addr, NAME).await.starts_with("192.0.2.1 |"));
}

pub async fn a_server_that_never_answers_ends_within_the_limit(server: &DnsServer) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = silent.local_addr().unwrap();
    let route = route(&[addr, server.addr], key());
    let wanted = answer(1, &["192.0.2.1"]);
    let call = publish_all(&route, &wanted);
    let results = tokio::time::timeout(SERVER_LIMIT + Duration::from_secs(1), call).await.unwrap();
    let message = results[0].as_ref().unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("{addr} did not answer: the call did not end within 2s")),
        "{message}"
    );
    results[1].as_ref().unwrap();
}

/// A clock whose wall time is so many milliseconds ahead.
struct WrongWall(SystemClock, i64);

#[async_trait]
impl Clock for WrongWall {
    fn tick(&self) -> Tick {
        self.0.tick()
    }

    fn wall(&self) -> Timestamp {
        Timestamp(self.0.wall().0 + self.1)
    }

    async fn sleep(&self, time: Duration) {
        self.0.sleep(time).await;
    }
}

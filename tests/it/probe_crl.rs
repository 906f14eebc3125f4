//! Checks of lists of revoked certificates that `openssl ca` made.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, routing::get};
use bongsu::{
    adapters::probe::NetworkProber,
    domain::{
        Outcome::{Expiring, Ok as Good, Unjudged, Wrong},
        Sign,
    },
    ports::{CheckKind, Clock, CrlRules, CrlSpec, Probe, Prober, Reading, Scheme, TlsSpec},
};

use crate::support::{
    authority::Authority,
    http_server::Server,
    manual_clock::ShiftedClock,
    probes::{PATIENT, check, endpoint, expect_reading},
};

const DAY: i64 = 86_400_000;

/// A server whose list can be replaced.
struct Lists {
    list: Arc<Mutex<Bytes>>,
    server: Server,
}

impl Lists {
    async fn serving(list: impl Into<Bytes>) -> Self {
        let list = Arc::new(Mutex::new(list.into()));
        let shared = list.clone();
        let served = move || async move { shared.lock().unwrap().clone() };
        Self { list, server: Server::axum(Router::new().route("/ca.crl", get(served)), None).await }
    }

    fn replace(&self, list: impl Into<Bytes>) {
        *self.list.lock().unwrap() = list.into();
    }
}

fn spec(authority: &Authority) -> CrlSpec {
    CrlSpec {
        path: "/ca.crl".into(),
        rules: CrlRules {
            issuer: authority.pem().into(),
            revoked: Some(Arc::from([0x20, 0x02])),
            max_age: None,
            lifetime_left_percent: 25,
        },
        max_bytes: 65_536,
        tls: TlsSpec::default(),
    }
}

fn with(authority: &Authority, change: impl FnOnce(&mut CrlRules)) -> CrlSpec {
    let mut spec = spec(authority);
    change(&mut spec.rules);
    spec
}

fn prepared(address: SocketAddr, spec: CrlSpec, ahead: i64) -> Arc<dyn Probe> {
    let clock: Arc<dyn Clock> = Arc::new(ShiftedClock::by(ahead));
    let check = check(PATIENT, CheckKind::Crl(spec));
    NetworkProber::new(clock).prepare(&endpoint(Scheme::Http, address), &check).unwrap()
}

async fn probe(list: impl Into<Bytes>, spec: CrlSpec, ahead: i64) -> Reading {
    let lists = Lists::serving(list).await;
    prepared(lists.server.address, spec, ahead).run().await
}

#[tokio::test]
async fn a_fresh_list_that_names_the_revoked_certificate_is_good_in_both_forms() {
    let authority = Authority::new("ca.example");
    let der = authority.revocations("");
    expect_reading(&probe(der, spec(&authority), 0).await, Good, "");
    let pem = std::fs::read(authority.path("list.pem")).unwrap();
    expect_reading(&probe(pem, spec(&authority), 0).await, Good, "");
}

#[tokio::test]
async fn a_list_is_an_early_sign_before_it_is_stale() {
    let authority = Authority::new("ca.example");
    // Good for ten days.
    let list = authority.revocations("");
    let at = async |days| probe(list.clone(), spec(&authority), days * DAY).await;
    expect_reading(&at(7).await, Good, "");
    expect_reading(&at(8).await, Expiring, "the list of revoked certificates runs out at");
    expect_reading(&at(11).await, Wrong, "the list of revoked certificates ran out at");
    expect_reading(&at(-1).await, Wrong, "is from the future");
    let aged = with(&authority, |rules| rules.max_age = Some(Duration::from_secs(86_400)));
    let stale = probe(list.clone(), aged, 2 * DAY).await;
    expect_reading(&stale, Wrong, "is stale");
    assert_eq!(stale.symptom.map(|symptom| symptom.sign), Some(Sign::Stale));
}

#[tokio::test]
async fn a_list_of_somebody_else_is_wrong() {
    let authority = Authority::new("ca.example");
    let other = Authority::new("other.example").revocations("");
    expect_reading(&probe(other, spec(&authority), 0).await, Wrong, "issued by other.example");
    let namesake = Authority::new("ca.example").revocations("");
    expect_reading(&probe(namesake, spec(&authority), 0).await, Wrong, "not by the key of who signed");
    // An authority that changed its key signs by the new one.
    let renewed = Authority::new("ca.example");
    let both = [authority.pem(), renewed.pem()].concat();
    let both = with(&authority, |rules| rules.issuer = both.into());
    expect_reading(&probe(renewed.revocations(""), both, 0).await, Good, "");
}

#[tokio::test]
async fn a_list_that_forgot_the_revoked_certificate_is_wrong() {
    let authority = Authority::new("ca.example");
    let list = authority.revocations("");
    let other = with(&authority, |rules| rules.revoked = Some(Arc::from([0x55])));
    expect_reading(&probe(list.clone(), other, 0).await, Wrong, "does not list the certificate");
    let none = with(&authority, |rules| rules.revoked = None);
    expect_reading(&probe(list, none, 0).await, Good, "");
}

#[tokio::test]
async fn a_list_that_is_older_than_the_one_before_is_wrong_until_a_newer_one_comes() {
    let authority = Authority::new("ca.example");
    let lists: Vec<Vec<u8>> = (0..3).map(|_| authority.revocations("")).collect();
    let served = Lists::serving(lists[1].clone()).await;
    let probe = prepared(served.server.address, spec(&authority), 0);
    expect_reading(&probe.run().await, Good, "");
    expect_reading(&probe.run().await, Good, "");
    served.replace(lists[0].clone());
    expect_reading(&probe.run().await, Wrong, "its number went down");
    expect_reading(&probe.run().await, Wrong, "its number went down");
    served.replace(lists[2].clone());
    expect_reading(&probe.run().await, Good, "");
}

#[tokio::test]
async fn a_list_from_the_future_does_not_make_the_right_one_after_it_look_old() {
    let authority = Authority::new("ca.example");
    let right = authority.revocations("");
    let future = authority.revocations("-crl_lastupdate 20400101000000Z -crl_nextupdate 20410101000000Z");
    let served = Lists::serving(future).await;
    let probe = prepared(served.server.address, spec(&authority), 0);
    expect_reading(&probe.run().await, Wrong, "is from the future");
    // What was taken back had a higher number.
    served.replace(right);
    expect_reading(&probe.run().await, Good, "");
}

#[tokio::test]
async fn an_authority_that_changed_its_key_numbers_the_lists_of_each_apart() {
    let old = Authority::new("ca.example");
    let lists: Vec<Vec<u8>> = (0..3).map(|_| old.revocations("")).collect();
    let new = Authority::new("ca.example");
    let both = [old.pem(), new.pem()].concat();
    let served = Lists::serving(lists[2].clone()).await;
    let probe = prepared(served.server.address, with(&old, |rules| rules.issuer = both.into()), 0);
    expect_reading(&probe.run().await, Good, "");
    served.replace(new.revocations(""));
    expect_reading(&probe.run().await, Good, "");
    served.replace(lists[1].clone());
    expect_reading(&probe.run().await, Wrong, "its number went down");
}

#[tokio::test]
async fn a_list_of_changes_only_is_not_the_list() {
    let authority = Authority::new("ca.example");
    let config = std::fs::read_to_string(authority.path("ca.conf")).unwrap();
    std::fs::write(authority.path("ca.conf"), config + "2.5.29.27 = critical,DER:020101\n").unwrap();
    let reading = probe(authority.revocations(""), spec(&authority), 0).await;
    expect_reading(&reading, Wrong, "a list of changes only");
}

#[tokio::test]
async fn what_is_signed_in_a_way_that_cannot_be_verified_is_no_sample() {
    let authority = Authority::new("ca.example");
    let list = authority.revocations("-md sha1");
    expect_reading(&probe(list, spec(&authority), 0).await, Unjudged, "RSA with SHA-1");
}

#[tokio::test]
async fn each_changed_byte_of_a_list_is_noticed() {
    let authority = Authority::new("ca.example");
    let list = authority.revocations("");
    for at in (0..list.len()).step_by(5) {
        let mut changed = list.clone();
        changed[at] ^= 0x20;
        let outcome = probe(changed, spec(&authority), 0).await.outcome;
        assert_ne!(outcome, Good, "byte {at} of {}", list.len());
    }
}

#[tokio::test]
async fn what_is_no_list_is_wrong_and_costs_no_more_than_it_may() {
    let authority = Authority::new("ca.example");
    for (body, said) in [
        (&b"<html>maintenance</html>"[..], "not a list of revoked certificates"),
        (b"", "not a list of revoked certificates"),
        (b"-----BEGIN X509 CRL-----\n!!!\n-----END X509 CRL-----\n", "PEM"),
        (b"\x30\x84\xff\xff\xff\xff\x30\x00", "not a list of revoked certificates"),
    ] {
        expect_reading(&probe(body, spec(&authority), 0).await, Wrong, said);
    }
    let small = CrlSpec { max_bytes: 100, ..spec(&authority) };
    expect_reading(&probe(authority.revocations(""), small, 0).await, Wrong, "body larger than 100 bytes");
}

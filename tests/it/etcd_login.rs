//! How the ledger in etcd shows who it is: certificates, users, and what it says when they are wrong.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use bongsu::{
    adapters::ledger::{EtcdConfig, EtcdLedger},
    domain::Identity,
    ports::{Clock, Expect, Key, Ledger},
};

use crate::support::{etcd::Etcd, manual_clock::ManualClock};

/// How often files are looked at.
const FILES: Duration = Duration::from_secs(5);

fn key() -> Key {
    Key::new("record/gpki/verify")
}

fn ledger(config: EtcdConfig) -> (EtcdLedger, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (EtcdLedger::new(config, clock.clone() as Arc<dyn Clock>).unwrap(), clock)
}

async fn complaint(config: EtcdConfig) -> String {
    ledger(config).0.put(&key(), "1", Expect::Absent).await.unwrap_err().to_string()
}

fn expect_words(complaint: &str, words: &[&str]) {
    for word in words {
        assert!(complaint.contains(word), "{word:?} is not in {complaint:?}");
    }
}

#[tokio::test]
async fn certificates_that_are_renewed_are_used_without_a_restart() {
    let etcd = Etcd::with_tls().await;
    let (ledger, clock) = ledger(etcd.config("/bongsu"));
    let first = ledger.put(&key(), "1", Expect::Absent).await.unwrap();
    // A new authority for both sides. The member is started again so that no connection stays from before.
    etcd.kill(0);
    etcd.certificates().renew_server(1);
    etcd.run(0);
    let refused = crate::support::wait::until("the member answers", Duration::from_secs(30), async || {
        let complaint = ledger.get(&key()).await.unwrap_err().to_string();
        complaint.contains("certificate").then_some(complaint)
    })
    .await;
    expect_words(&refused, &["UnknownIssuer", "--ledger-etcd-ca"]);
    etcd.certificates().renew_client(1);
    clock.advance(FILES);
    let second = ledger.put(&key(), "2", Expect::Version(first)).await.unwrap();
    // Half of a change: what was read before is used until the other half is there.
    let key_file = etcd.home().join("client/tls.key");
    let fitting = fs::read(&key_file).unwrap();
    fs::write(&key_file, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    clock.advance(FILES);
    let third = ledger.put(&key(), "3", Expect::Version(second)).await.unwrap();
    fs::write(&key_file, fitting).unwrap();
    clock.advance(FILES);
    ledger.put(&key(), "4", Expect::Version(third)).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_certificates_is_said_with_what_to_do() {
    let etcd = Etcd::with_tls().await;
    let good = etcd.config("/bongsu");
    let bare = complaint(EtcdConfig { client: None, ..good.clone() }).await;
    expect_words(&bare, &["write record/gpki/verify", "--ledger-etcd-cert"]);
    let host = complaint(EtcdConfig { ca: None, ..good.clone() }).await;
    expect_words(&host, &["UnknownIssuer", "--ledger-etcd-ca"]);
    let plain = EtcdConfig {
        ca: None,
        client: None,
        endpoints: vec![etcd.url(0).replace("https", "http")],
        ..good.clone()
    };
    let plain = complaint(plain).await;
    expect_words(&plain, &["127.0.0.1"]);
    let missing = EtcdConfig { ca: Some(PathBuf::from("no/such/file")), ..good.clone() };
    let clock = Arc::new(ManualClock::default());
    let refused = EtcdLedger::new(missing, clock.clone()).err().unwrap().to_string();
    expect_words(&refused, &["--ledger-etcd-ca no/such/file", "No such file"]);
    let swapped = good.client.clone().map(|(certificate, key)| (key, certificate));
    let refused = EtcdLedger::new(EtcdConfig { client: swapped, ..good }, clock).err().unwrap().to_string();
    expect_words(&refused, &["--ledger-etcd-cert", "must be PEM"]);
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_before_anything_is_asked() {
    let good = Etcd::shared().await.config("/bongsu");
    let refusal = |config: EtcdConfig| {
        EtcdLedger::new(config, Arc::new(ManualClock::default())).err().unwrap().to_string()
    };
    for prefix in ["", "/", "bongsu", "/bongsu/"] {
        let refused = refusal(EtcdConfig { prefix: prefix.to_owned(), ..good.clone() });
        expect_words(&refused, &["--ledger-etcd-prefix", "such as /bongsu"]);
    }
    for endpoint in
        ["etcd.example:2379", "https://", "ftp://etcd.example:2379", "https://etcd.example:2379/v3"]
    {
        let refused = refusal(EtcdConfig { endpoints: vec![endpoint.to_owned()], ..good.clone() });
        expect_words(&refused, &["--ledger-etcd-endpoints", endpoint, "https://HOST:PORT"]);
    }
    let refused = refusal(EtcdConfig { ca: Some(PathBuf::from("ca.crt")), ..good });
    expect_words(&refused, &["--ledger-etcd-endpoints", "no certificates are used on http"]);
}

#[tokio::test]
async fn a_user_with_a_password_owns_a_prefix_and_a_new_password_is_used_without_a_restart() {
    let etcd = Etcd::single().await;
    etcd.etcdctl(&["user", "add", "root:root"]);
    etcd.etcdctl(&["user", "grant-role", "root", "root"]);
    etcd.etcdctl(&["user", "add", "bongsu:first"]);
    etcd.etcdctl(&["role", "add", "bongsu"]);
    etcd.etcdctl(&["role", "grant-permission", "bongsu", "readwrite", "--prefix=true", "/bongsu/"]);
    etcd.etcdctl(&["user", "grant-role", "bongsu", "bongsu"]);
    etcd.etcdctl(&["auth", "enable"]);
    let file = etcd.home().join("password");
    fs::write(&file, "first\n").unwrap();
    let good = EtcdConfig { login: Some(("bongsu".to_owned(), file.clone())), ..etcd.config("/bongsu") };
    let (ledger, clock) = ledger(good.clone());
    let first = ledger.put(&key(), "1", Expect::Absent).await.unwrap();
    assert_eq!(ledger.absent().await, Ok(Some(Vec::new())), "a plain user may ask for the members");

    expect_words(&complaint(etcd.config("/bongsu")).await, &["user name is empty", "--ledger-etcd-user"]);
    let other = EtcdConfig { prefix: "/other".to_owned(), ..good.clone() };
    expect_words(&complaint(other).await, &["permission denied", "--ledger-etcd-prefix"]);

    for change in [["delete", "bongsu", ""], ["add", "bongsu:second", ""], ["grant-role", "bongsu", "bongsu"]]
    {
        let words = ["--user", "root:root", "user"].into_iter().chain(change).filter(|word| !word.is_empty());
        etcd.etcdctl(&words.collect::<Vec<_>>());
    }
    expect_words(&complaint(good).await, &["invalid user ID or password", "--ledger-etcd-password-file"]);
    fs::write(&file, "second\n").unwrap();
    clock.advance(FILES);
    ledger.put(&key(), "2", Expect::Version(first)).await.unwrap();
}

#[tokio::test]
async fn the_name_in_a_certificate_is_a_user_that_owns_a_prefix() {
    let etcd = Etcd::with_tls().await;
    for arguments in [
        &["user", "add", "root", "--no-password"][..],
        &["user", "grant-role", "root", "root"],
        &["user", "add", "bongsu", "--no-password"],
        &["role", "add", "bongsu"],
        &["role", "grant-permission", "bongsu", "readwrite", "--prefix=true", "/bongsu/"],
        &["user", "grant-role", "bongsu", "bongsu"],
        &["auth", "enable"],
    ] {
        etcd.etcdctl(arguments);
    }
    let (ledger, _) = ledger(etcd.config("/bongsu"));
    ledger.put(&key(), "1", Expect::Absent).await.unwrap();
    ledger.acquire("leader", &Identity::new("me"), FILES).await.unwrap().unwrap();
    assert_eq!(ledger.leases().await.unwrap().len(), 1);
    expect_words(
        &complaint(etcd.config("/other")).await,
        &["permission denied", "etcdctl role grant-permission"],
    );
}

//! Writers behind their gates, with a real etcd: whoever is frozen, killed or cut off, nothing is written without the lease.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use bongsu::{
    adapters::{clock::SystemClock, ledger::EtcdLedger},
    domain::{Epoch, Record, RegionName, Timestamp},
    ports::{Expect, Key, Ledger},
};
use rustix::process::{Pid, Signal, kill_process};

use super::support::{
    bongsu::{SOON, page},
    control_plane::free_ports,
    etcd::Etcd,
    gate::{Gate, Taken, Writer, pause},
    wait::until,
};

const SERVICE: &str = "gpki/gpki-directory";

/// The shortest that the command line takes.
const TTL: Duration = Duration::from_secs(7);

/// Says by the ledger who serves, as the leader would.
async fn serve(ledger: &EtcdLedger, region: &str, epoch: u64) {
    say(ledger, region, epoch, false).await;
}

async fn say(ledger: &EtcdLedger, region: &str, epoch: u64, fenced: bool) {
    let record = Record {
        epoch: Epoch(epoch),
        serving: [RegionName::new(region)].into(),
        away: BTreeMap::new(),
        changed_at: Timestamp(0),
        last_automatic: None,
        run: None,
        fenced,
    };
    let key = Key::new(format!("record/{SERVICE}"));
    let before = ledger.get(&key).await.unwrap();
    let expect = before.map_or(Expect::Absent, |before| Expect::Version(before.version));
    ledger.put(&key, &serde_json::to_string(&record).unwrap(), expect).await.unwrap();
}

fn ledger(etcd: &Etcd, prefix: &str) -> EtcdLedger {
    EtcdLedger::new(etcd.config(prefix), Arc::new(SystemClock::new())).unwrap()
}

/// A writer in each region, each behind its gate, with a client.
async fn both(etcd: &Etcd, prefix: &str) -> [(Gate, Writer); 2] {
    let taken = Taken::default();
    let start = async |region| {
        let writer = Writer::start(region, &taken).await;
        (Gate::before(etcd, prefix, SERVICE, &writer), writer)
    };
    [start("daejeon").await, start("gwangju").await]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_was_frozen_for_longer_than_its_lease_lets_no_byte_through_after_it_wakes() {
    let (etcd, prefix) = (Etcd::shared().await, "/frozen");
    let ledger = ledger(etcd, prefix);
    serve(&ledger, "daejeon", 1).await;
    let [(daejeon, old), (_gwangju, new)] = both(etcd, prefix).await;
    old.writes(SOON).await;
    assert_eq!(new.count(), 0);

    daejeon.send(Signal::STOP);
    serve(&ledger, "gwangju", 2).await;
    // When the lease has run out.
    new.writes(TTL + SOON).await;
    let taken = old.count();
    daejeon.send(Signal::CONT);
    pause(Duration::from_secs(2)).await;
    assert_eq!(old.count(), taken, "what the client had sent meanwhile did not pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_given_back_is_taken_at_once() {
    let (etcd, prefix) = (Etcd::shared().await, "/handed-over");
    let ledger = ledger(etcd, prefix);
    serve(&ledger, "daejeon", 1).await;
    let [(_daejeon, old), (_gwangju, new)] = both(etcd, prefix).await;
    old.writes(SOON).await;
    serve(&ledger, "gwangju", 2).await;
    // Long before the lease would have run out.
    new.writes(TTL / 2).await;
    let taken = old.count();
    pause(Duration::from_millis(500)).await;
    assert_eq!(old.count(), taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_epoch_is_fenced_nobody_writes_and_when_it_is_not_the_old_one_goes_on() {
    let (etcd, prefix) = (Etcd::shared().await, "/fenced");
    let ledger = ledger(etcd, prefix);
    serve(&ledger, "daejeon", 1).await;
    let [(_daejeon, old), (_gwangju, new)] = both(etcd, prefix).await;
    old.writes(SOON).await;
    say(&ledger, "daejeon", 1, true).await;
    until("the lease is given back", TTL / 2, async || {
        let lease = ledger.lease(&format!("writer/{SERVICE}")).await.unwrap();
        lease.is_some_and(|lease| lease.holder.is_none()).then_some(())
    })
    .await;
    let taken = (old.count(), new.count());
    pause(Duration::from_millis(500)).await;
    assert_eq!((old.count(), new.count()), taken);
    serve(&ledger, "daejeon", 1).await;
    old.writes(TTL / 2).await;
    assert_eq!(new.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_gate_say_whether_it_could_let_its_writer_write_and_whether_it_does() {
    let (etcd, prefix) = (Etcd::shared().await, "/pages");
    let [http, listen, target] = free_ports::<3>().map(|port| format!("127.0.0.1:{port}"));
    let form = format!("{listen}={target}");
    let _gate = Gate::start(etcd, prefix, SERVICE, "daejeon", &["--proxy", &form, "--http-address", &http]);
    let says = async |path: &str, wanted: &str| {
        let what = format!("{path} says {wanted}");
        let text = async || page(&http, path).await.map(|(_, text)| text);
        until(&what, SOON, async || text().await.filter(|text| text.contains(wanted))).await
    };
    // Nobody listens behind it.
    let text = says("/readyz", "[+] ledger: ok").await;
    assert!(text.contains("[-] writer: "), "{text}");
    says("/status", "the ledger does not know gpki/gpki-directory").await;
    let _writer = tokio::net::TcpListener::bind(&target).await.unwrap();
    says("/readyz", "[+] writer: ok").await;
    says("/status", r#""open":false"#).await;

    serve(&ledger(etcd, prefix), "daejeon", 4).await;
    says("/status", r#""open":true"#).await;
    let labels = r#"{namespace="gpki",region="daejeon",service="gpki-directory"}"#;
    let text = says("/metrics", &format!("bongsu_gate_open{labels} 1")).await;
    assert!(text.contains(&format!("bongsu_gate_epoch{labels} 4")), "{text}");
}

/// A gate around a writer that appends to a file.
fn around(etcd: &Etcd, prefix: &str, file: &Path) -> Gate {
    let script = format!("while :; do echo \"$BONGSU_EPOCH\" >> {}; sleep 0.02; done", file.display());
    Gate::start(etcd, prefix, SERVICE, "daejeon", &["--", "sh", "-c", &script])
}

/// The process between a gate and its writer.
fn guard_of(gate: &Gate) -> Pid {
    let children = Command::new("pgrep").args(["-P", &gate.0.id().to_string()]).output().unwrap();
    let guard: i32 = String::from_utf8(children.stdout).unwrap().trim().parse().unwrap();
    Pid::from_raw(guard).unwrap()
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

async fn grows(what: &str, file: &Path) {
    let before = lines(file);
    until(what, TTL + SOON, async || (lines(file) > before).then_some(())).await;
}

/// Waits until nothing was written for half a second.
async fn stands_still(what: &str, file: &Path, within: Duration) {
    until(what, within, async || {
        let before = lines(file);
        pause(Duration::from_millis(500)).await;
        (lines(file) == before).then_some(())
    })
    .await;
}

fn file(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    (dir, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_does_not_outlive_its_gate_be_it_stopped_or_killed() {
    let (etcd, prefix) = (Etcd::shared().await, "/outlived");
    serve(&ledger(etcd, prefix), "daejeon", 3).await;
    let (_dir, file) = file("written");
    let gate = around(etcd, prefix, &file);
    grows("the writer writes", &file).await;
    assert_eq!(fs::read_to_string(&file).unwrap().lines().next(), Some("3"), "it knows its epoch");
    gate.send(Signal::STOP);
    stands_still("the guard kills it when the lease is over", &file, TTL + SOON).await;
    gate.send(Signal::CONT);
    grows("it is started again under a new lease", &file).await;
    gate.send(Signal::KILL);
    stands_still("it dies with its gate", &file, Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_dies_with_its_guard() {
    let (etcd, prefix) = (Etcd::shared().await, "/guarded");
    serve(&ledger(etcd, prefix), "daejeon", 1).await;
    let (_dir, file) = file("written");
    let gate = around(etcd, prefix, &file);
    grows("the writer writes", &file).await;
    kill_process(guard_of(&gate), Signal::KILL).unwrap();
    stands_still("the kernel kills it", &file, Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_not_given_back_before_the_writer_has_ended() {
    let (etcd, prefix) = (Etcd::shared().await, "/overlap");
    let ledger = ledger(etcd, prefix);
    serve(&ledger, "daejeon", 1).await;
    let (_dir, file) = file("written");
    let script = |region| format!("while :; do echo {region} >> {}; sleep 0.01; done", file.display());
    let start = |region| Gate::start(etcd, prefix, SERVICE, region, &["--", "sh", "-c", &script(region)]);
    let (daejeon, _gwangju) = (start("daejeon"), start("gwangju"));
    grows("daejeon writes", &file).await;
    // The guard cannot kill the writer now; the gate has to kill the guard, which takes its time.
    kill_process(guard_of(&daejeon), Signal::STOP).unwrap();
    serve(&ledger, "gwangju", 2).await;
    let written = || fs::read_to_string(&file).unwrap();
    until("gwangju writes", TTL + SOON, async || written().contains("gwangju").then_some(())).await;
    pause(Duration::from_secs(1)).await;
    let text = written();
    let (_, after) = text.split_once("gwangju").unwrap();
    assert!(!after.contains("daejeon"), "two writers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_away_for_a_moment_stops_no_writer_and_one_that_stays_away_does() {
    let etcd = Etcd::single().await;
    serve(&ledger(&etcd, "/away"), "daejeon", 1).await;
    let (_dir, file) = file("written");
    let _gate = around(&etcd, "/away", &file);
    grows("the writer writes", &file).await;
    etcd.freeze(0);
    pause(Duration::from_secs(2)).await;
    let before = lines(&file);
    pause(Duration::from_millis(200)).await;
    assert!(lines(&file) > before, "the lease lasts");
    stands_still("the lease is over", &file, TTL + SOON).await;
    etcd.thaw(0);
    grows("the ledger is back", &file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_of_a_writer_that_ends_by_itself_is_that_of_the_gate() {
    let (etcd, prefix) = (Etcd::shared().await, "/ended");
    serve(&ledger(etcd, prefix), "daejeon", 1).await;
    let mut gate = Gate::start(etcd, prefix, SERVICE, "daejeon", &["--", "sh", "-c", "exit 3"]);
    let code = until("it ends", SOON, async || gate.0.try_wait().unwrap()).await;
    assert_eq!(code.code(), Some(3));
}

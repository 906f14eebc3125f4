//! Writers behind their gates, with a real etcd: whoever is frozen, killed or cut off, nothing is written without the lease.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bongsu::{
    adapters::{clock::SystemClock, ledger::EtcdLedger},
    domain::{Epoch, Record, RegionName, Timestamp},
    ports::{Expect, Key, Ledger},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::support::{bongsu::SOON, control_plane::free_ports, etcd::Etcd, wait::until};

const SERVICE: &str = "gpki/gpki-directory";

/// The shortest that the command line takes.
const TTL: Duration = Duration::from_secs(7);

/// Time goes by.
async fn pause(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// A gate, killed with the value.
struct Gate(Child);

impl Gate {
    fn start(etcd: &Etcd, prefix: &str, region: &str, form: &[&str]) -> Self {
        let log = Stdio::from(fs::File::create(std::env::temp_dir().join("bongsu-gate.log")).unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_bongsu"))
            .args(["gate", "--service", SERVICE, "--region", region, "--lease-ttl", "7s"])
            .args(["--ledger-etcd-endpoints", &etcd.url(0), "--ledger-etcd-prefix", prefix])
            .args(form)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says by the ledger who serves, as the leader would.
async fn serve(ledger: &EtcdLedger, region: &str, epoch: u64) {
    let record = Record {
        epoch: Epoch(epoch),
        serving: [RegionName::new(region)].into(),
        away: BTreeMap::new(),
        changed_at: Timestamp(0),
        last_automatic: None,
        run: None,
    };
    let key = Key::new(format!("record/{SERVICE}"));
    let before = ledger.get(&key).await.unwrap();
    let expect = before.map_or(Expect::Absent, |before| Expect::Version(before.version));
    ledger.put(&key, &serde_json::to_string(&record).unwrap(), expect).await.unwrap();
}

fn ledger(etcd: &Etcd, prefix: &str) -> EtcdLedger {
    EtcdLedger::new(etcd.config(prefix), Arc::new(SystemClock::new())).unwrap()
}

/// A writer: counts what it is sent, and answers each byte by one.
async fn writer() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    count.fetch_add(read, Ordering::SeqCst);
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, taken)
}

/// A client that writes a byte every 20 ms over one connection, and connects anew when it breaks.
fn client(gate: String) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            if let Ok(mut stream) = TcpStream::connect(&gate).await {
                while stream.write_all(b"x").await.is_ok() {
                    pause(Duration::from_millis(20)).await;
                }
            }
            pause(Duration::from_millis(20)).await;
        }
    })
}

/// A gate before a writer, and a client that writes through it.
async fn before(etcd: &Etcd, prefix: &str, region: &str) -> (Gate, Arc<AtomicUsize>) {
    let (target, taken) = writer().await;
    let [port] = free_ports::<1>();
    let listen = format!("127.0.0.1:{port}");
    let gate = Gate::start(etcd, prefix, region, &["--proxy", &format!("{listen}={target}")]);
    client(listen);
    (gate, taken)
}

async fn writes(what: &str, taken: &AtomicUsize, within: Duration) {
    let before = taken.load(Ordering::SeqCst);
    until(what, within, async || (taken.load(Ordering::SeqCst) > before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_was_frozen_for_longer_than_its_lease_lets_no_byte_through_after_it_wakes() {
    let (etcd, prefix) = (Etcd::shared().await, "/frozen");
    let ledger = ledger(etcd, prefix);
    serve(&ledger, "daejeon", 1).await;
    let (daejeon, old) = before(etcd, prefix, "daejeon").await;
    let (_gwangju, new) = before(etcd, prefix, "gwangju").await;
    writes("daejeon writes", &old, SOON).await;
    assert_eq!(new.load(Ordering::SeqCst), 0);

    daejeon.send(Signal::STOP);
    serve(&ledger, "gwangju", 2).await;
    writes("gwangju writes when the lease has run out", &new, TTL + SOON).await;
    let taken = old.load(Ordering::SeqCst);
    daejeon.send(Signal::CONT);
    pause(Duration::from_secs(2)).await;
    assert_eq!(old.load(Ordering::SeqCst), taken, "what the client had sent meanwhile did not pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_given_back_is_taken_at_once() {
    let (etcd, prefix) = (Etcd::shared().await, "/handed-over");
    let ledger = ledger(etcd, prefix);
    serve(&ledger, "daejeon", 1).await;
    let (_daejeon, old) = before(etcd, prefix, "daejeon").await;
    let (_gwangju, new) = before(etcd, prefix, "gwangju").await;
    writes("daejeon writes", &old, SOON).await;
    serve(&ledger, "gwangju", 2).await;
    writes("gwangju writes long before the lease would have run out", &new, TTL / 2).await;
    let taken = old.load(Ordering::SeqCst);
    pause(Duration::from_millis(500)).await;
    assert_eq!(old.load(Ordering::SeqCst), taken);
}

/// A gate around a writer that appends to a file.
fn around(etcd: &Etcd, prefix: &str, file: &Path) -> Gate {
    let script = format!("while :; do echo \"$BONGSU_EPOCH\" >> {}; sleep 0.02; done", file.display());
    Gate::start(etcd, prefix, "daejeon", &["--", "sh", "-c", &script])
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
    let start = |region| Gate::start(etcd, prefix, region, &["--", "sh", "-c", &script(region)]);
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
    let mut gate = Gate::start(etcd, prefix, "daejeon", &["--", "sh", "-c", "exit 3"]);
    let code = until("it ends", SOON, async || gate.0.try_wait().unwrap()).await;
    assert_eq!(code.code(), Some(3));
}

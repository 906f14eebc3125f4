//! Writers, their gates, and a client that writes all the time.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{control_plane::free_ports, etcd::Etcd};

/// Time goes by.
pub async fn pause(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// A gate, killed with the value.
pub struct Gate(pub Child);

impl Gate {
    /// With a lease of 7 s: the shortest that the command line takes is 6.5 s.
    pub fn start(etcd: &Etcd, prefix: &str, service: &str, region: &str, form: &[&str]) -> Self {
        let log = Stdio::from(fs::File::create(std::env::temp_dir().join("bongsu-gate.log")).unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_bongsu"))
            .args(["gate", "--service", service, "--region", region, "--lease-ttl", "7s"])
            .args(["--ledger-etcd-endpoints", &etcd.config(prefix).endpoints.join(",")])
            .args(["--ledger-etcd-prefix", prefix])
            .args(form)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }

    /// Before a writer.
    pub fn before(etcd: &Etcd, prefix: &str, service: &str, writer: &Writer) -> Self {
        let form = format!("{}={}", writer.gate, writer.address);
        Self::start(etcd, prefix, service, writer.region, &["--proxy", &form])
    }

    pub fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What writers took, in the order in which they took it: who wrote each byte.
pub type Taken = Arc<Mutex<Vec<&'static str>>>;

/// A writer that notes and answers each byte that it is sent.
pub struct Writer {
    pub region: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where clients connect.
    pub gate: String,
    taken: Taken,
}

impl Writer {
    /// A writer, and a client that writes a byte every 20 ms through its gate, and connects anew when that breaks.
    pub async fn start(region: &'static str, taken: &Taken) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let [port] = free_ports::<1>();
        let gate = format!("127.0.0.1:{port}");
        let notes = taken.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, region, notes.clone()));
            }
        });
        let through = gate.clone();
        tokio::spawn(async move {
            loop {
                if let Ok(mut stream) = TcpStream::connect(&through).await {
                    while stream.write_all(b"x").await.is_ok() {
                        pause(Duration::from_millis(20)).await;
                    }
                }
                pause(Duration::from_millis(20)).await;
            }
        });
        Self { region, address, gate, taken: taken.clone() }
    }

    /// Bytes that it took.
    pub fn count(&self) -> usize {
        self.taken.lock().unwrap().iter().filter(|region| **region == self.region).count()
    }

    /// Waits until it takes one more.
    pub async fn writes(&self, within: Duration) {
        let before = self.count();
        let what = format!("{} writes", self.region);
        super::wait::until(&what, within, async || (self.count() > before).then_some(())).await;
    }
}

async fn take(mut stream: TcpStream, region: &'static str, taken: Taken) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        taken.lock().unwrap().extend(std::iter::repeat_n(region, read));
        if stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

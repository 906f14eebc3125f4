//! What the two real name servers have in common: the zone, the keys, and how a process is started and ended.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use bongsu::ports::{TsigAlgorithm, TsigSecret};
use hickory_proto::rr::RecordType;
use tempfile::TempDir;

use super::{ask, poll::eventually};

/// The zone that every server is primary of.
pub const ZONE: &str = "example.test";

/// The secret of every key that the servers know: 32 times the letter `k`, in base64 as their configuration has it.
pub const SECRET_BASE64: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
const SECRET: &[u8] = &[b'k'; 32];

/// A zone with an alias and nothing that Bongsu publishes.
pub const ZONE_FILE: &str = "\
@ 60 IN SOA ns.example.test. hostmaster.example.test. 1 60 60 60 5
@ 60 IN NS ns.example.test.
ns 60 IN A 127.0.0.1
alias 60 IN CNAME ns
";

/// The key that may update the zone.
pub fn key() -> TsigSecret {
    key_with("bongsu", SECRET)
}

/// A key that the servers know, but that may only read.
pub fn reading_key() -> TsigSecret {
    key_with("reader", SECRET)
}

/// Any key.
pub fn key_with(name: &str, secret: &[u8]) -> TsigSecret {
    TsigSecret { name: name.to_owned(), algorithm: TsigAlgorithm::HmacSha256, secret: Arc::from(secret) }
}

/// A running name server. It ends with the value.
pub struct DnsServer {
    pub addr: SocketAddr,
    child: Child,
    _dir: TempDir,
}

impl DnsServer {
    /// Starts a program with the configuration that `configure` writes for a port, and waits until it serves the zone.
    pub async fn start(program: &str, configure: impl Fn(&Path, u16) -> Vec<String>) -> Self {
        // Another process may take the port between finding and using it.
        for _ in 0..3 {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("zone"), ZONE_FILE).unwrap();
            let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            let arguments = configure(dir.path(), addr.port());
            let child = spawn(program, &arguments, dir.path());
            let mut server = Self { addr, child, _dir: dir };
            if server.ready(program).await {
                return server;
            }
        }
        panic!("{program} ended three times before it served its zone");
    }

    async fn ready(&mut self, program: &str) -> bool {
        let addr = self.addr;
        let child = &mut self.child;
        eventually(&format!("{program} serves {ZONE}"), async || match child.try_wait().unwrap() {
            Some(_) => Some(false),
            None => {
                let reply = ask::ask(addr, ZONE, RecordType::SOA).await;
                reply.filter(|reply| reply.metadata.authoritative).map(|_| true)
            }
        })
        .await
    }
}

impl DnsServer {
    /// It takes connections and answers nothing, as on a host that hangs.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &str, arguments: &[String], dir: &Path) -> Child {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{program}: {error}; run `hack/parts.sh`"))
}

/// A port that was free for TCP and UDP just now.
pub fn free_port() -> u16 {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = tcp.local_addr().unwrap().port();
    UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).map_or_else(|_| free_port(), |_| port)
}

//! A client outside of all sites: a process of its own that resolves the service's name, honours the TTL of the answer,
//! transacts every 100 ms, and writes down each result.

use std::{
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use hickory_proto::{
    op::{Message, Query},
    rr::{Name, RData, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use crate::{
    clock::now,
    member::region_in,
    support::{bongsu::SOON, control_plane::Leashed, place::Place, wait::until},
};

/// First argument of this program when it is a client.
pub const ROLE: &str = "as-client";

/// Time between two transactions. From the issue.
pub const EVERY: Duration = Duration::from_millis(100);

/// A transaction that has taken so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// A name server that has not answered within this is passed over, as resolvers do, for `GRUDGE`.
const NAME_SERVER_LIMIT: Duration = Duration::from_millis(400);
const GRUDGE: Duration = Duration::from_secs(10);

/// Good transactions in a row before a test begins.
const WARM: usize = 5;

/// A running client, and what it has written down.
pub struct Client {
    log: PathBuf,
    #[expect(dead_code, reason = "it ends with the value")]
    process: Leashed,
}

/// Starts this program in a role that uses a name: its log, and the process.
pub fn start(
    role: &str,
    place: &Place,
    dir: &Path,
    name: &str,
    port: u16,
    servers: &[SocketAddr],
) -> (PathBuf, Leashed) {
    let [log, complaints] = ["log", "err"].map(|ending| dir.join(format!("{role}-{name}.{ending}")));
    let mut arguments = vec![role.to_owned(), name.to_owned(), port.to_string(), log.display().to_string()];
    arguments.extend(servers.iter().map(ToString::to_string));
    let process = place.start(Path::new(""), &crate::this_program(), &arguments, &complaints);
    (log, process)
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it began, by the common clock.
    pub start: Duration,
    /// When its result was known.
    pub end: Duration,
    /// The region that answered, or what went wrong.
    pub result: Result<String, String>,
}

impl Client {
    /// Starts to use a name, by these name servers.
    pub fn start(place: &Place, dir: &Path, name: &str, port: u16, servers: &[SocketAddr]) -> Self {
        let (log, process) = start(ROLE, place, dir, name, port, servers);
        Self { log, process }
    }

    /// All that has ended, in the order in which it began.
    pub fn entries(&self) -> Vec<Entry> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        // The last line may not be written to its end.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut entries: Vec<Entry> = whole.lines().map(Entry::parse).collect();
        entries.sort_by_key(|entry| entry.start);
        entries
    }

    /// What began after a moment.
    pub fn since(&self, moment: Duration) -> Vec<Entry> {
        self.entries().into_iter().filter(|entry| entry.start >= moment).collect()
    }

    /// What failed of what began after a moment.
    pub fn errors_since(&self, moment: Duration) -> Vec<Entry> {
        self.since(moment).into_iter().filter(|entry| entry.result.is_err()).collect()
    }

    /// From a moment until the first transaction began after which none failed any more; zero if none failed at all.
    pub fn outage_since(&self, moment: Duration) -> Duration {
        let entries = self.since(moment);
        let Some(last) = entries.iter().rposition(|entry| entry.result.is_err()) else {
            return Duration::ZERO;
        };
        entries.get(last + 1).map_or(Duration::MAX, |good| good.start.saturating_sub(moment))
    }

    /// The regions that answered since a moment, each once in a row.
    pub fn regions_since(&self, moment: Duration) -> Vec<String> {
        let mut regions: Vec<String> =
            self.since(moment).into_iter().filter_map(|entry| entry.result.ok()).collect();
        regions.dedup();
        regions
    }

    /// Waits until the last few transactions were all good, and all answered by this region.
    pub async fn is_served_by(&self, region: &str) {
        until(&format!("the client is served by {region}"), SOON, async || {
            let entries = self.entries();
            let last = entries.rchunks(WARM).next().filter(|last| last.len() == WARM)?;
            last.iter().all(|entry| entry.result.as_deref() == Ok(region)).then_some(())
        })
        .await;
    }

    /// What happened since a moment, one line for each change.
    pub fn story(&self, moment: Duration) -> String {
        let mut story = String::new();
        let mut last = None;
        for entry in self.since(moment) {
            if last.as_ref() != Some(&entry.result) {
                let at = (entry.start.saturating_sub(moment)).as_secs_f64();
                story += &format!("  {at:7.2} s {:?}\n", entry.result);
                last = Some(entry.result);
            }
        }
        story
    }
}

impl Entry {
    fn parse(line: &str) -> Self {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap();
        let [start, end] = [word(), word()].map(|time| Duration::from_millis(time.parse().unwrap()));
        let (good, what) = (word() == "ok", word().to_owned());
        Self { start, end, result: if good { Ok(what) } else { Err(what) } }
    }

    fn line(&self) -> String {
        let (kind, what) = match &self.result {
            Ok(region) => ("ok", region),
            Err(error) => ("error", error),
        };
        format!("{} {} {kind} {what}\n", self.start.as_millis(), self.end.as_millis())
    }
}

/// What the process does until it is killed.
pub async fn run(arguments: &[String]) {
    let [name, port, log, servers @ ..] = arguments else { panic!("a client needs name, port and log") };
    let servers: Vec<SocketAddr> = servers.iter().map(|server| server.parse().unwrap()).collect();
    let resolver = Arc::new(tokio::sync::Mutex::new(Resolver::new(name, &servers)));
    let port: u16 = port.parse().unwrap();
    let log = Arc::new(Mutex::new(File::create(log).unwrap()));
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let (resolver, log) = (resolver.clone(), log.clone());
        tokio::spawn(async move {
            let start = now();
            let result = timeout(PATIENCE, transact(&resolver, port)).await;
            let result = result.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            let entry = Entry { start, end: now(), result };
            log.lock().unwrap().write_all(entry.line().as_bytes()).unwrap();
        });
    }
}

async fn transact(resolver: &tokio::sync::Mutex<Resolver>, port: u16) -> Result<String, String> {
    let address = resolver.lock().await.address().await?;
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let mut stream = TcpStream::connect((address, port)).await.map_err(failed)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: client.example\r\n\r\n").await.map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(failed)?;
    region_in(&answer).map(str::to_owned).ok_or_else(|| format!("{address}: not an answer"))
}

/// Asks the name servers in turn, and remembers their answer as long as its TTL says and no longer.
pub struct Resolver {
    name: String,
    /// Address, and until when it is passed over.
    servers: Vec<(SocketAddr, Duration)>,
    turn: usize,
    known: Vec<Ipv4Addr>,
    until: Duration,
}

impl Resolver {
    /// That has asked nobody yet.
    pub fn new(name: &str, servers: &[SocketAddr]) -> Self {
        let servers = servers.iter().map(|server| (*server, Duration::ZERO)).collect();
        Self { name: name.to_owned(), servers, turn: 0, known: Vec::new(), until: Duration::ZERO }
    }

    /// One of the addresses of the name.
    pub async fn address(&mut self) -> Result<Ipv4Addr, String> {
        if now() >= self.until {
            self.known.clear();
            self.ask_all().await;
        }
        self.turn += 1;
        if self.known.is_empty() {
            return Err("no name server answers".to_owned());
        }
        Ok(self.known[self.turn % self.known.len()])
    }

    async fn ask_all(&mut self) {
        let count = self.servers.len();
        let mut order: Vec<usize> = (0..count).map(|step| (self.turn + step) % count).collect();
        order.sort_by_key(|server| self.servers[*server].1 > now());
        for server in order {
            let asked = timeout(NAME_SERVER_LIMIT, ask(self.servers[server].0, &self.name)).await;
            match asked.ok().flatten() {
                Some((addresses, ttl)) if !addresses.is_empty() => {
                    self.known = addresses;
                    self.until = now() + ttl;
                    self.servers[server].1 = Duration::ZERO;
                    return;
                }
                _ => self.servers[server].1 = now() + GRUDGE,
            }
        }
    }
}

/// Addresses of a name and the time for which they may be used. By UDP, as clients ask.
async fn ask(server: SocketAddr, name: &str) -> Option<(Vec<Ipv4Addr>, Duration)> {
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii(format!("{name}.")).ok()?, RecordType::A));
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    socket.connect(server).await.ok()?;
    socket.send(&question.to_vec().ok()?).await.ok()?;
    let mut buffer = [0; 1232];
    let length = socket.recv(&mut buffer).await.ok()?;
    let answer = Message::from_vec(&buffer[..length]).ok()?;
    let ttl = answer.answers.iter().map(|record| record.ttl).min()?;
    let address = |data: &RData| match data {
        RData::A(address) => Some(address.0),
        _ => None,
    };
    let addresses = answer.answers.iter().filter_map(|record| address(&record.data)).collect();
    Some((addresses, Duration::from_secs(ttl.into())))
}

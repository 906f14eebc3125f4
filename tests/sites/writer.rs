//! A writer behind its gate in a site, and a client outside that writes numbered records: processes of their own, by the common
//! clock of [`crate::clock`], each with a log. What two regions accepted, and when, is asked of the logs.

use std::{
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    client::{self, PATIENCE, Resolver},
    clock::now,
    support::{bongsu::SOON, control_plane::Leashed, place::Place, wait::until},
};

/// First arguments of this program when it is a writer, and a client that writes.
pub const ROLE: &str = "as-writer";
pub const CLIENT: &str = "as-writing-client";

/// Time between two records. From the issue.
const EVERY: Duration = Duration::from_millis(20);

/// Where the writer listens, and its gate.
const BEHIND: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A record and when it was accepted, or acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Noted {
    pub number: u64,
    pub at: Duration,
}

/// Starts a writer: behind its gate, in the network of its site.
pub fn start(place: &Place, port: u16, taken: &Path, log: &Path) -> Leashed {
    let arguments = [ROLE.to_owned(), format!("{BEHIND}:{port}"), taken.display().to_string()];
    place.start(Path::new(""), &crate::this_program(), &arguments, log)
}

/// What `--proxy` of its gate is.
pub fn proxy(place: &Place, port: u16) -> String {
    format!("--proxy={}:{port}={BEHIND}:{port}", place.ip)
}

/// What a log holds.
pub fn noted(log: &Path) -> Vec<Noted> {
    let text = fs::read_to_string(log).unwrap_or_default();
    // The last line may not be written to its end.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let words = whole.lines().map(|line| line.split_once(' ').unwrap());
    words
        .map(|(number, at)| Noted {
            number: number.parse().unwrap(),
            at: Duration::from_micros(at.parse().unwrap()),
        })
        .collect()
}

/// Accepts every record that comes: notes it, and then acknowledges it.
pub async fn run(arguments: &[String]) {
    let [address, log] = arguments else { panic!("a writer needs an address and a log") };
    let listener = TcpListener::bind(address).await.unwrap();
    let log = Arc::new(Mutex::new(File::options().create(true).append(true).open(log).unwrap()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let log = log.clone();
        tokio::spawn(async move {
            let (read, mut write) = stream.into_split();
            let mut records = BufReader::new(read).lines();
            while let Ok(Some(record)) = records.next_line().await {
                note(&log, &record);
                if write.write_all(format!("{record}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn note(log: &Mutex<File>, record: &str) {
    let line = format!("{record} {}\n", now().as_micros());
    log.lock().unwrap().write_all(line.as_bytes()).unwrap();
}

/// Writes one record after the other, each once, until it is killed.
pub async fn run_client(arguments: &[String]) {
    let [name, port, log, servers @ ..] = arguments else { panic!("a client needs name, port and log") };
    let servers: Vec<SocketAddr> = servers.iter().map(|server| server.parse().unwrap()).collect();
    let (mut resolver, port) = (Resolver::new(name, &servers), port.parse().unwrap());
    let log = Mutex::new(File::create(log).unwrap());
    let mut ticks = tokio::time::interval(EVERY);
    let mut line: Option<BufReader<TcpStream>> = None;
    for number in 1_u64.. {
        ticks.tick().await;
        let record = number.to_string();
        let write = async {
            if line.is_none() {
                let address = resolver.address().await.ok()?;
                line = Some(BufReader::new(TcpStream::connect((address, port)).await.ok()?));
            }
            let stream = line.as_mut()?;
            stream.get_mut().write_all(format!("{record}\n").as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_line(&mut answer).await.ok()?;
            (answer.trim_end() == record).then_some(())
        };
        match timeout(PATIENCE, write).await {
            Ok(Some(())) => note(&log, &record),
            // Perhaps it was accepted; it is not written twice.
            Ok(None) | Err(_) => line = None,
        }
    }
}

/// A running client, and what was acknowledged to it.
pub struct WritingClient {
    log: PathBuf,
    #[expect(dead_code, reason = "it ends with the value")]
    process: Leashed,
}

impl WritingClient {
    /// Writes by a name, by these name servers.
    pub fn start(place: &Place, dir: &Path, name: &str, port: u16, servers: &[SocketAddr]) -> Self {
        let (log, process) = client::start(CLIENT, place, dir, name, port, servers);
        Self { log, process }
    }

    /// What was acknowledged, by when that was heard.
    pub fn acknowledged(&self) -> Vec<Noted> {
        noted(&self.log)
    }

    /// The longest time without an acknowledgement that began or ended after a moment.
    pub fn longest_gap_since(&self, moment: Duration) -> Duration {
        let times: Vec<Duration> = self.acknowledged().iter().map(|noted| noted.at).collect();
        let gaps = times.windows(2).filter(|pair| pair[1] > moment).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or(Duration::MAX)
    }

    /// Waits until something is acknowledged that was written after a moment.
    pub async fn writes_since(&self, moment: Duration) {
        until("a record is acknowledged", SOON, async || {
            self.acknowledged().last().is_some_and(|last| last.at > moment).then_some(())
        })
        .await;
    }
}

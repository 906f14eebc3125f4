//! The real program as a child process.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{control_plane::Leashed, place::Place, wait::until};

/// Longest wait in end-to-end tests. What they wait for takes seconds; the rest is for a machine that is busy.
pub const SOON: Duration = Duration::from_secs(60);

/// Lease of every process in tests: the shortest that it takes.
const LEASE_TTL: &str = "--lease-ttl=3s";

/// Longest wait for one page.
const PAGE_LIMIT: Duration = Duration::from_secs(2);

/// Lines of the log that are shown when a test fails.
const LINES_SHOWN: usize = 60;

/// One process of Bongsu. It ends with the value.
pub struct Bongsu {
    place: Place,
    program: PathBuf,
    identity: String,
    arguments: Vec<String>,
    starts: u32,
    process: Option<Leashed>,
    // Last: the process writes there until it ends.
    dir: TempDir,
}

impl Bongsu {
    /// Starts `bongsu run` with these arguments besides the usual ones. Its log is kept below `home`.
    pub fn start(home: &Path, region: &str, identity: &str, arguments: &[&dyn AsRef<OsStr>]) -> Self {
        Self::start_at(Place::here(), home, region, identity, arguments)
    }

    /// The same somewhere.
    pub fn start_at(
        place: Place,
        home: &Path,
        region: &str,
        identity: &str,
        arguments: &[&dyn AsRef<OsStr>],
    ) -> Self {
        let http = format!("--http-address={}:0", place.ip);
        let text = |argument: &&dyn AsRef<OsStr>| argument.as_ref().to_str().unwrap().to_owned();
        let own = ["run", "--region", region, "--identity", identity, LEASE_TTL, &http];
        let own = own.into_iter().map(str::to_owned).chain(arguments.iter().map(text));
        let mut bongsu = Self {
            place,
            program: this_build(),
            identity: identity.to_owned(),
            arguments: own.collect(),
            starts: 0,
            process: None,
            dir: tempfile::tempdir_in(home).unwrap(),
        };
        bongsu.restart();
        bongsu
    }

    /// Starts it again, as the kubelet would.
    pub fn restart(&mut self) {
        self.kill();
        self.starts += 1;
        let log = self.log_file(self.starts);
        self.process = Some(self.place.start(Path::new(""), &self.program, &self.arguments, &log));
    }

    /// Starts it again somewhere else.
    pub fn restart_at(&mut self, place: Place) {
        self.place = place;
        self.restart();
    }

    /// Ends it as the kubelet does, and starts another build of it.
    pub async fn replace(&mut self, program: &Path) {
        self.terminate();
        self.has_ended().await;
        program.clone_into(&mut self.program);
        self.restart();
    }

    /// Whether it is of the build under test.
    pub fn is_of_this_build(&self) -> bool {
        self.program == this_build()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Tells it to stop, as the kubelet does.
    pub fn terminate(&self) {
        self.process().signal("-TERM");
    }

    /// Freezes it, as a host does that is out of memory.
    pub fn freeze(&self) {
        self.process().freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process().signal("-CONT");
    }

    /// The status line and the body of one of its pages; `None`: no answer.
    pub async fn page(&self, path: &str) -> Option<(String, String)> {
        page(&self.address()?.to_string(), path).await
    }

    /// What `/metrics` shows.
    pub async fn metrics(&self) -> String {
        until("/metrics answers", SOON, async || self.page("/metrics").await).await.1
    }

    /// The value of one series, written as in `/metrics`.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.page("/metrics").await?.1;
        let line = text.lines().find_map(|line| line.strip_prefix(series))?;
        line.trim().parse().ok()
    }

    /// What `/status` shows.
    pub async fn status(&self) -> serde_json::Value {
        let page = until("/status answers", SOON, async || self.page("/status").await).await;
        serde_json::from_str(&page.1).unwrap()
    }

    /// Whether it is the one that acts.
    pub async fn leads(&self) -> bool {
        self.status().await["leads"] == true
    }

    /// The same of a process that may not answer, and then does not lead as far as anybody can see.
    pub async fn seems_to_lead(&self) -> bool {
        let page = self.page("/status").await;
        let status = page.and_then(|(_, body)| serde_json::from_str::<serde_json::Value>(&body).ok());
        status.is_some_and(|status| status["leads"] == true)
    }

    /// Waits until it has ended by itself.
    pub async fn has_ended(&self) {
        until(&format!("{} has ended", self.identity), SOON, async || (!self.runs()).then_some(())).await;
    }

    /// Whether the process runs.
    pub fn runs(&self) -> bool {
        self.process.as_ref().is_some_and(Leashed::runs)
    }

    /// Waits until `/readyz` says that all is well.
    pub async fn ready(&self) {
        until(&format!("{} is ready", self.identity), SOON, async || {
            assert!(self.process().runs(), "{} ended", self.identity);
            self.page("/readyz").await.filter(|(status, _)| status.contains("200"))
        })
        .await;
    }

    /// All that it wrote, over all starts.
    pub fn log(&self) -> String {
        let read = |start| fs::read_to_string(self.log_file(start)).unwrap_or_default();
        (1..=self.starts).map(read).collect()
    }

    fn process(&self) -> &Leashed {
        self.process.as_ref().expect("bongsu was started")
    }

    fn log_file(&self, start: u32) -> PathBuf {
        self.dir.path().join(format!("{start}.log"))
    }

    fn address(&self) -> Option<String> {
        let log = fs::read_to_string(self.log_file(self.starts)).ok()?;
        let line = log.lines().find(|line| line.contains("health pages listen"))?;
        Some(line.split_once("address=")?.1.split_whitespace().next()?.to_owned())
    }
}

impl Drop for Bongsu {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
            eprintln!("--- the last lines of {}:\n{}", self.identity, shown.join("\n"));
        }
    }
}

/// The program under test.
pub fn this_build() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_bongsu"))
}

/// A page of health pages at an address: first line and body.
pub async fn page(address: &str, path: &str) -> Option<(String, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.lines().next()?.to_owned(), body.to_owned()))
    };
    tokio::time::timeout(PAGE_LIMIT, exchange).await.ok()?
}

//! Real etcd: one member or three, with and without TLS and users.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Duration,
};

use bongsu::adapters::ledger::EtcdConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{
    control_plane::{Leashed, broom, free_ports, program, scratch_dir},
    place::Place,
    programs,
    wait::until,
};

/// Measured: half a second alone. Many times that, for a machine that builds something else meanwhile.
const START_LIMIT: Duration = Duration::from_secs(60);

static SHARED: OnceCell<Etcd> = OnceCell::const_new();

/// A cluster of three, so that one can be lost and two make a quorum lost.
const MEMBERS: usize = 3;

/// Where a member listens that has a network of its own: for clients, and for other members.
pub const PORTS: [u16; 2] = [2379, 2380];

/// A cluster. Its members die with the value, or with the test process.
pub struct Etcd {
    members: Vec<Member>,
    certificates: Option<Certificates>,
    #[expect(dead_code, reason = "removes the directory after a test process that was killed")]
    broom: Leashed,
    dir: TempDir,
}

struct Member {
    place: Place,
    name: String,
    client_port: u16,
    peer_port: u16,
    process: Mutex<Option<Leashed>>,
}

/// Two authorities, of which the members accept clients of both: an old and a new one.
pub struct Certificates {
    dir: PathBuf,
    names: Vec<String>,
    authorities: [CertifiedIssuer<'static, KeyPair>; 2],
}

impl Etcd {
    /// One member for all tests that do not break it. Each test uses a prefix of its own.
    pub async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::single).await
    }

    /// One member.
    pub async fn single() -> Self {
        Self::start(1, false).await
    }

    /// Three members.
    pub async fn cluster() -> Self {
        Self::start(MEMBERS, false).await
    }

    /// One member that shows a certificate and asks for one.
    pub async fn with_tls() -> Self {
        Self::start(1, true).await
    }

    async fn start(count: usize, tls: bool) -> Self {
        let ports = free_ports::<{ MEMBERS * 2 }>();
        let member =
            |(place, ports): (usize, &[u16])| Member::new(Place::here(), place, [ports[0], ports[1]]);
        let members = ports.chunks(2).take(count).enumerate().map(member).collect();
        Self::of(members, tls).await
    }

    /// One member in each of these networks, with mutual TLS, also among themselves.
    pub async fn at(places: &[Place]) -> Self {
        let member = |(index, place): (usize, &Place)| Member::new(place.clone(), index, PORTS);
        Self::of(places.iter().enumerate().map(member).collect(), true).await
    }

    async fn of(members: Vec<Member>, tls: bool) -> Self {
        let dir = scratch_dir();
        let names = members.iter().map(|member| member.place.ip.to_string()).collect();
        let certificates = tls.then(|| Certificates::make(dir.path(), names));
        let etcd = Self { members, certificates, broom: broom(dir.path()), dir };
        for place in 0..etcd.members.len() {
            etcd.run(place);
        }
        etcd.ready().await;
        etcd
    }

    /// How a ledger with this prefix reaches it.
    pub fn config(&self, prefix: &str) -> EtcdConfig {
        let endpoints = (0..self.members.len()).map(|place| self.url(place)).collect();
        let file = |name: &str| self.dir.path().join(name);
        let tls = self.certificates.is_some();
        EtcdConfig {
            endpoints,
            prefix: prefix.to_owned(),
            ca: tls.then(|| file("client/ca.crt")),
            client: tls.then(|| (file("client/tls.crt"), file("client/tls.key"))),
            login: None,
        }
    }

    /// URL of a member.
    pub fn url(&self, place: usize) -> String {
        let member = &self.members[place];
        format!("{}://{}:{}", self.scheme(), member.place.ip, member.client_port)
    }

    fn scheme(&self) -> &'static str {
        if self.certificates.is_some() { "https" } else { "http" }
    }

    /// Where a member listens.
    pub fn address(&self, place: usize) -> SocketAddr {
        (self.members[place].place.ip, self.members[place].client_port).into()
    }

    /// A directory that goes with it.
    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// Its certificates.
    pub fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("started with TLS")
    }

    /// Kills a member at once, as a power cut does.
    pub fn kill(&self, place: usize) {
        *self.members[place].process.lock().unwrap() = None;
    }

    /// Whether a member runs.
    pub fn runs(&self, place: usize) -> bool {
        self.members[place].process.lock().unwrap().as_ref().is_some_and(Leashed::runs)
    }

    /// Stops a member without closing its connections.
    pub fn freeze(&self, place: usize) {
        self.members[place].process.lock().unwrap().as_ref().expect("it runs").freeze();
    }

    /// Lets a stopped member go on.
    pub fn thaw(&self, place: usize) {
        self.members[place].process.lock().unwrap().as_ref().expect("it runs").signal("-CONT");
    }

    /// Starts a member that was killed, with its data.
    pub fn run(&self, place: usize) {
        self.run_with(place, &[]);
    }

    fn run_with(&self, place: usize, more: &[String]) {
        let member = &self.members[place];
        let log = self.dir.path().join(format!("{}.log", member.name));
        let arguments = [&self.arguments(place), more].concat();
        let started = member.place.start(Path::new(""), &program("etcd"), &arguments, &log);
        *member.process.lock().unwrap() = Some(started);
    }

    /// A new member in the place of one whose data are gone, by the documented procedure, run at another member.
    pub fn replace(&self, place: usize, by: usize) {
        self.kill(place);
        let member = &self.members[place];
        let list = self.try_etcdctl_at(by, &["member", "list"]).unwrap();
        let row =
            list.lines().find(|row| row.contains(&format!(", {}, ", member.name))).expect("it is a member");
        let id = row.split(',').next().unwrap().to_owned();
        self.try_etcdctl_at(by, &["member", "remove", &id]).unwrap();
        fs::remove_dir_all(self.dir.path().join(&member.name)).unwrap();
        let peer = format!("--peer-urls={}", self.peer(member));
        self.try_etcdctl_at(by, &["member", "add", &member.name, &peer]).unwrap();
        self.run_with(place, &["--initial-cluster-state=existing".to_owned()]);
    }

    /// Replaces the data of its only member, which does not run, by a copy that `etcdctl snapshot save` made.
    pub fn restore(&self, copy: &Path) {
        let [member] = &self.members[..] else { panic!("of one member") };
        let data = self.dir.path().join(&member.name);
        fs::remove_dir_all(&data).unwrap();
        let peer = format!("http://127.0.0.1:{}", member.peer_port);
        let mut command = Command::new(programs::program("etcdutl"));
        command.args(["snapshot", "restore"]).arg(copy).arg("--data-dir").arg(&data);
        command.args(["--bump-revision", "1000000000", "--mark-compacted", "--name", &member.name]);
        command.args(["--initial-cluster", &format!("{}={peer}", member.name)]);
        programs::run(command.args(["--initial-advertise-peer-urls", &peer]), "").unwrap();
    }

    /// Waits until it takes writes.
    pub async fn ready(&self) {
        until("etcd is ready", START_LIMIT, async || self.try_etcdctl(&["endpoint", "health"]).ok()).await;
    }

    /// Runs `etcdctl` at the first member as the administrator that it needs: what it printed.
    pub fn etcdctl(&self, arguments: &[&str]) -> String {
        self.try_etcdctl(arguments).unwrap_or_else(|complaint| panic!("etcdctl {arguments:?}: {complaint}"))
    }

    fn try_etcdctl(&self, arguments: &[&str]) -> Result<String, String> {
        self.try_etcdctl_at(0, arguments)
    }

    /// The same at any member: what it printed, or what it complained about.
    pub fn try_etcdctl_at(&self, place: usize, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(programs::program("etcdctl"));
        command.args(["--endpoints", &self.url(place), "--command-timeout=5s"]);
        if let Some(certificates) = &self.certificates {
            let file = |name: &str| certificates.dir.join("admin").join(name);
            command.arg("--cacert").arg(file("ca.crt"));
            command.arg("--cert").arg(file("tls.crt")).arg("--key").arg(file("tls.key"));
        }
        programs::run(command.args(arguments), "")
    }

    fn arguments(&self, place: usize) -> Vec<String> {
        let member = &self.members[place];
        let cluster: Vec<String> =
            self.members.iter().map(|member| format!("{}={}", member.name, self.peer(member))).collect();
        let mut arguments = vec![
            format!("--name={}", member.name),
            format!("--data-dir={}", self.dir.path().join(&member.name).display()),
            format!("--listen-client-urls={}", self.url(place)),
            format!("--advertise-client-urls={}", self.url(place)),
            format!("--listen-peer-urls={}", self.peer(member)),
            format!("--initial-advertise-peer-urls={}", self.peer(member)),
            format!("--initial-cluster={}", cluster.join(",")),
            "--unsafe-no-fsync".to_owned(),
        ];
        if self.certificates.is_some() {
            let file = |name: &str| self.dir.path().join("server").join(name).display().to_string();
            arguments.extend([
                format!("--cert-file={}", file("tls.crt")),
                format!("--key-file={}", file("tls.key")),
                format!("--trusted-ca-file={}", file("clients.crt")),
                "--client-cert-auth".to_owned(),
                format!("--peer-cert-file={}", file("tls.crt")),
                format!("--peer-key-file={}", file("tls.key")),
                format!("--peer-trusted-ca-file={}", file("clients.crt")),
                "--peer-client-cert-auth".to_owned(),
            ]);
        }
        arguments
    }

    fn peer(&self, member: &Member) -> String {
        format!("{}://{}:{}", self.scheme(), member.place.ip, member.peer_port)
    }
}

impl Member {
    fn new(place: Place, index: usize, [client_port, peer_port]: [u16; 2]) -> Self {
        Self { place, name: format!("m{index}"), client_port, peer_port, process: Mutex::default() }
    }
}

impl Certificates {
    /// Everything is signed by the first authority, for these addresses.
    pub fn make(dir: &Path, names: Vec<String>) -> Self {
        let authorities = ["old authority", "new authority"].map(authority);
        let made = Self { dir: dir.to_owned(), names, authorities };
        made.renew_server(0);
        made.renew("client", "bongsu", 0);
        made.renew("admin", "root", 0);
        let both: String = made.authorities.iter().map(|authority| authority.pem()).collect();
        fs::write(dir.join("server/clients.crt"), both).unwrap();
        made
    }

    /// The server's certificate, by this authority. etcd reads it at the next connection.
    pub fn renew_server(&self, authority: usize) {
        self.renew("server", "etcd", authority);
    }

    /// The client's files: the authority that it trusts, and what it shows.
    pub fn renew_client(&self, authority: usize) {
        self.renew("client", "bongsu", authority);
    }

    fn renew(&self, folder: &str, name: &str, authority: usize) {
        let dir = self.dir.join(folder);
        fs::create_dir_all(&dir).unwrap();
        let mut params = CertificateParams::new(self.names.clone()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let issuer = &self.authorities[authority];
        let certificate = params.signed_by(&key, issuer).unwrap();
        fs::write(dir.join("ca.crt"), issuer.pem()).unwrap();
        fs::write(dir.join("tls.key"), key.serialize_pem()).unwrap();
        fs::write(dir.join("tls.crt"), certificate.pem()).unwrap();
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

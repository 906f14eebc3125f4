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
    control_plane::{Leashed, free_ports, program, scratch_dir},
    programs,
    wait::until,
};

/// Measured: half a second alone. Many times that, for a machine that builds something else meanwhile.
const START_LIMIT: Duration = Duration::from_secs(60);

static SHARED: OnceCell<Etcd> = OnceCell::const_new();

/// A cluster of three, so that one can be lost and two make a quorum lost.
const MEMBERS: usize = 3;

/// A cluster. Its members die with the value, or with the test process.
pub struct Etcd {
    members: Vec<Member>,
    certificates: Option<Certificates>,
    #[expect(dead_code, reason = "removes the directory after a test process that was killed")]
    broom: Leashed,
    dir: TempDir,
}

struct Member {
    name: String,
    client_port: u16,
    peer_port: u16,
    process: Mutex<Option<Leashed>>,
}

/// Two authorities, of which the members accept clients of both: an old and a new one.
pub struct Certificates {
    dir: PathBuf,
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
        let dir = scratch_dir();
        let ports = free_ports::<{ MEMBERS * 2 }>();
        let member = |(place, ports): (usize, &[u16])| Member {
            name: format!("m{place}"),
            client_port: ports[0],
            peer_port: ports[1],
            process: Mutex::default(),
        };
        let members = ports.chunks(2).take(count).enumerate().map(member).collect();
        let certificates = tls.then(|| Certificates::make(dir.path()));
        let broom = Leashed::start(
            dir.path(),
            Path::new("sleep"),
            &["infinity".to_owned()],
            &dir.path().join("broom.log"),
        );
        let etcd = Self { members, certificates, broom, dir };
        for place in 0..count {
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
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.members[place].client_port)
    }

    /// Where a member listens.
    pub fn address(&self, place: usize) -> SocketAddr {
        ([127, 0, 0, 1], self.members[place].client_port).into()
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
        let log = self.dir.path().join(format!("{}.log", self.members[place].name));
        let started = Leashed::start(Path::new(""), &program("etcd"), &self.arguments(place), &log);
        *self.members[place].process.lock().unwrap() = Some(started);
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
        let mut command = Command::new(programs::program("etcdctl"));
        command.args(["--endpoints", &self.url(0), "--command-timeout=5s"]);
        if let Some(certificates) = &self.certificates {
            let file = |name: &str| certificates.dir.join("admin").join(name);
            command.arg("--cacert").arg(file("ca.crt"));
            command.arg("--cert").arg(file("tls.crt")).arg("--key").arg(file("tls.key"));
        }
        programs::run(command.args(arguments), "")
    }

    fn arguments(&self, place: usize) -> Vec<String> {
        let member = &self.members[place];
        let peer = |member: &Member| format!("http://127.0.0.1:{}", member.peer_port);
        let cluster: Vec<String> =
            self.members.iter().map(|member| format!("{}={}", member.name, peer(member))).collect();
        let mut arguments = vec![
            format!("--name={}", member.name),
            format!("--data-dir={}", self.dir.path().join(&member.name).display()),
            format!("--listen-client-urls={}", self.url(place)),
            format!("--advertise-client-urls={}", self.url(place)),
            format!("--listen-peer-urls={}", peer(member)),
            format!("--initial-advertise-peer-urls={}", peer(member)),
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
            ]);
        }
        arguments
    }
}

impl Certificates {
    /// Everything is signed by the first authority.
    fn make(dir: &Path) -> Self {
        let authorities = ["old authority", "new authority"].map(authority);
        let made = Self { dir: dir.to_owned(), authorities };
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
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
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

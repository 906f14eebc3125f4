//! A real control plane: etcd and kube-apiserver, started for tests.
//!
//! The programs come from `KUBEBUILDER_ASSETS` if it is set, else from where `hack/parts.sh` puts them. They die with
//! the test process, even one that is killed: each runs under a shell that waits for the end of its standard input,
//! which the kernel closes for us. `Drop` alone would not do, because a `static` is never dropped.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use bongsu::{
    adapters::kube::readiness,
    api::{FIELD_MANAGER, all_crds},
};
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    config::{AuthInfo, Kubeconfig},
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{place::Place, programs, wait::until};

/// Measured: 2 to 3 s alone on two cores. Many times that, for a machine that builds something else meanwhile.
const START_LIMIT: Duration = Duration::from_secs(90);

/// token, user, uid, groups. The people are for rules about who says yes.
const TOKENS: &str = "\
admin-token,admin,1,\"system:masters\"
kim-token,kim@example.go.kr,2,\"operators\"
lee-token,lee@example.go.kr,3,\"operators\"
";

/// Runs a program until its own standard input ends; the first line on standard output is the process id. Then removes
/// the first argument, because for the shared control plane nobody else does.
const LEASH: &str = r#"
garbage=$1 log=$2
shift 2
"$@" >"$log" 2>&1 &
echo $!
cat >/dev/null
kill -9 $! 2>/dev/null
wait
if [ -n "$garbage" ]; then rm -rf "$garbage" 2>/dev/null || { sleep 1; rm -rf "$garbage"; }; fi
"#;

static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();

/// etcd and kube-apiserver of one simulated data center.
pub struct ControlPlane {
    place: Place,
    etcd_port: u16,
    port: u16,
    apiserver: Mutex<Option<Leashed>>,
    etcd: Mutex<Option<Leashed>>,
    #[expect(dead_code, reason = "removes the directory after a test process that was killed")]
    broom: Leashed,
    // Last: fields are dropped in this order.
    dir: TempDir,
}

/// A process that lives no longer than this value, nor than the test process.
pub struct Leashed {
    shell: Child,
    pid: String,
}

impl ControlPlane {
    /// Token of a member of `system:masters`.
    pub const ADMIN: &str = "admin-token";

    /// Starts one of its own, for a test that breaks it.
    pub async fn start() -> Self {
        Self::start_at(Place::here()).await
    }

    /// Starts one somewhere.
    pub async fn start_at(place: Place) -> Self {
        let dir = scratch_dir();
        prepare(dir.path());
        let [etcd_port, port] = free_ports();
        let broom = broom(dir.path());
        let (etcd, apiserver) = Default::default();
        let plane = Self { place, etcd_port, port, apiserver, etcd, broom, dir };
        plane.kubeconfig(&plane.admin_kubeconfig());
        plane.restart().await;
        plane
    }

    /// Starts both programs anew, with what etcd has kept.
    pub async fn restart(&self) {
        let etcd = start_etcd(&self.place, self.dir.path(), self.etcd_port);
        *self.etcd.lock().unwrap() = Some(etcd);
        self.restart_apiserver().await;
    }

    /// The one for all tests that do not break it, with Bongsu's CRDs. Each test uses its own namespace.
    pub async fn shared() -> &'static Self {
        let start = async || {
            let plane = Self::start().await;
            plane.apply_crds().await;
            plane
        };
        SHARED.get_or_init(start).await
    }

    /// A new client as administrator. Each test needs its own: a client's connections end with the test's runtime.
    pub fn client(&self) -> Client {
        self.client_as(Self::ADMIN)
    }

    /// A new client as whoever has this token.
    pub fn client_as(&self, token: &str) -> Client {
        Client::try_from(self.config(token)).unwrap()
    }

    /// Writes a kubeconfig for the administrator.
    pub fn kubeconfig(&self, path: &Path) {
        self.kubeconfig_of(path, Self::ADMIN);
    }

    /// Writes a kubeconfig for whoever has this token.
    pub fn kubeconfig_of(&self, path: &Path, token: &str) {
        let cluster = serde_json::json!({"server": self.url(), "certificate-authority": self.ca_file()});
        write_kubeconfig(path, &cluster, token);
    }

    /// A directory that goes with the control plane, even with the shared one, which is never dropped.
    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// The administrator's kubeconfig.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// Runs `kubectl` as administrator and returns what it printed, errors after output.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments, "").unwrap_or_else(|complaint| complaint)
    }

    /// Runs `kubectl` as administrator with this on its standard input: what it printed, or what it complained about.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut command = Command::new(program("kubectl"));
        command.arg("--kubeconfig").arg(self.admin_kubeconfig());
        // What it remembers of the kinds is kept by port, and another test had this port before.
        command.arg("--cache-dir").arg(self.dir.path().join("kubectl-cache"));
        programs::run(command.args(arguments), input)
    }

    /// Creates a namespace whose name begins with this.
    pub async fn namespace(&self, prefix: &str) -> String {
        let mut namespace = Namespace::default();
        namespace.metadata.generate_name = Some(format!("{prefix}-"));
        let created = Api::all(self.client()).create(&PostParams::default(), &namespace).await;
        created.unwrap().name_any()
    }

    /// Creates a namespace of this name.
    pub async fn create_namespace(&self, name: &str) {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        Api::all(self.client()).create(&PostParams::default(), &namespace).await.unwrap();
    }

    /// Applies Bongsu's CRDs as an administrator would, and waits until they serve.
    pub async fn apply_crds(&self) {
        for crd in all_crds() {
            self.apply_crd(&crd).await;
        }
        let client = self.client();
        until("discovery knows the CRDs", START_LIMIT, async || readiness(&client).await.ok()).await;
    }

    /// Applies one CRD and waits until it serves.
    pub async fn apply_crd(&self, crd: &CustomResourceDefinition) {
        let crds: Api<CustomResourceDefinition> = Api::all(self.client());
        let name = crd.name_any();
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let applied = crds.patch(&name, &parameters, &Patch::Apply(crd)).await;
        applied.unwrap_or_else(|error| panic!("{name}: {error}"));
        until("CRD is established", START_LIMIT, async || {
            let conditions = crds.get(&name).await.unwrap().status.unwrap_or_default().conditions;
            let established =
                conditions.unwrap_or_default().iter().any(|c| c.type_ == "Established" && c.status == "True");
            established.then_some(())
        })
        .await;
    }

    /// Kills the API server at once, as a power cut does. etcd goes on.
    pub fn kill_apiserver(&self) {
        *self.apiserver.lock().unwrap() = None;
    }

    /// Stops the API server from running without closing its connections: it answers nothing and refuses nothing.
    pub fn freeze_apiserver(&self) {
        self.apiserver.lock().unwrap().as_ref().expect("the API server runs").freeze();
    }

    /// Lets a frozen API server go on.
    pub fn thaw_apiserver(&self) {
        self.apiserver.lock().unwrap().as_ref().expect("the API server runs").signal("-CONT");
    }

    /// Starts the API server on the same port and the same etcd, and waits until it is ready.
    pub async fn restart_apiserver(&self) {
        self.kill_apiserver();
        let started = start_apiserver(&self.place, self.dir.path(), self.etcd_port, self.port);
        *self.apiserver.lock().unwrap() = Some(started);
        until("kube-apiserver is ready", START_LIMIT, async || self.ready().await.then_some(())).await;
    }

    /// Starts what does not run, and waits until the API server is ready.
    pub async fn ensure_runs(&self) {
        let runs =
            |process: &Mutex<Option<Leashed>>| process.lock().unwrap().as_ref().is_some_and(Leashed::runs);
        if !runs(&self.etcd) {
            self.restart().await;
        } else if !runs(&self.apiserver) {
            self.restart_apiserver().await;
        }
    }

    /// Fails the test at once, with the reason, when the API server could not start.
    fn assert_running(&self) {
        if !self.apiserver.lock().unwrap().as_ref().is_some_and(Leashed::runs) {
            let log = fs::read_to_string(self.dir.path().join("apiserver.log")).unwrap_or_default();
            panic!("kube-apiserver ended: {}", log.lines().last().unwrap_or("without a word"));
        }
    }

    async fn ready(&self) -> bool {
        self.assert_running();
        // The certificate exists only once the server has made it.
        if !self.ca_file().exists() {
            return false;
        }
        let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
        self.client().request_text(request).await.is_ok_and(|answer| answer == "ok")
    }

    /// How to reach it as whoever has this token.
    pub fn config(&self, token: &str) -> Config {
        let mut config = Config::new(self.url().parse().unwrap());
        config.root_cert_file = Some(self.ca_file());
        config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        // Tests want to see an answer, not the fifteenth.
        config.default_retry = false;
        config
    }

    /// Where the API server listens.
    pub fn url(&self) -> String {
        format!("https://{}:{}", self.place.ip, self.port)
    }

    /// The certificate that it shows.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("certs/apiserver.crt")
    }
}

/// Writes a kubeconfig with one cluster and one user.
pub fn write_kubeconfig(path: &Path, cluster: &serde_json::Value, token: &str) {
    let value = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": "default"}}],
    });
    let _checked: Kubeconfig = serde_json::from_value(value.clone()).unwrap();
    fs::write(path, value.to_string()).unwrap();
}

impl Leashed {
    /// Starts a program that writes its output to a log. When it ends, `garbage` is removed, unless that is empty.
    pub fn start(garbage: &Path, program: &Path, arguments: &[String], log: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "leash"]).arg(garbage).arg(log).arg(program).args(arguments);
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        Self { shell, pid: pid.trim().to_owned() }
    }

    /// Its process id.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// Whether the process still runs.
    pub fn runs(&self) -> bool {
        let stat = fs::read_to_string(Path::new("/proc").join(&self.pid).join("stat")).unwrap_or_default();
        // A zombie has ended; its shell has not looked yet.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    /// Sends a signal, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid]).status().unwrap().success());
    }

    /// Freezes it. A signal is only sent when `kill` returns; on a busy machine a thread may go on for a while.
    pub fn freeze(&self) {
        self.signal("-STOP");
        let frozen = (0..2_000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            self.is_frozen()
        });
        assert!(frozen, "a process that was told to stop goes on");
    }

    /// Every thread is stopped: the state stands behind the name, which is in brackets (proc(5)).
    fn is_frozen(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
        let stats =
            threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok());
        stats
            .into_iter()
            .all(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')))
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// On a file system in memory where there is one: a disk's fsync makes etcd slow, and nothing here must outlive a crash.
pub fn scratch_dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = tempfile::Builder::new().prefix("bongsu-test-").tempdir_in(memory);
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

fn prepare(dir: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    fs::write(dir.join("service-account.key"), key.serialize_pem()).unwrap();
    fs::write(dir.join("service-account.pub"), key.public_key_pem()).unwrap();
    fs::write(dir.join("tokens.csv"), TOKENS).unwrap();
}

/// Ports that were free a moment ago, all held at once so that they differ.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Removes a directory when the test process has ended, however that was.
pub fn broom(dir: &Path) -> Leashed {
    Leashed::start(dir, Path::new("sleep"), &["infinity".to_owned()], &dir.join("broom.log"))
}

fn start_etcd(place: &Place, dir: &Path, port: u16) -> Leashed {
    let client = format!("http://127.0.0.1:{port}");
    let arguments = [
        format!("--data-dir={}", dir.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        "--unsafe-no-fsync".to_owned(),
    ];
    place.start(Path::new(""), &program("etcd"), &arguments, &dir.join("etcd.log"))
}

fn start_apiserver(place: &Place, dir: &Path, etcd_port: u16, port: u16) -> Leashed {
    let file = |name: &str| dir.join(name).display().to_string();
    let arguments = [
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        format!("--bind-address={}", place.ip),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certs")),
        "--service-account-issuer=https://127.0.0.1".to_owned(),
        format!("--service-account-key-file={}", file("service-account.pub")),
        format!("--service-account-signing-key-file={}", file("service-account.key")),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", file("tokens.csv")),
        // Its mandatory objects cost a second at start and it has nothing to share out here.
        "--enable-priority-and-fairness=false".to_owned(),
    ];
    place.start(Path::new(""), &program("kube-apiserver"), &arguments, &dir.join("apiserver.log"))
}

pub fn program(name: &str) -> PathBuf {
    let cache = || env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from);
    let bongsu = || env::var_os("BONGSU_CACHE").map_or_else(|| cache().join("bongsu"), PathBuf::from);
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let path = assets.unwrap_or_else(|| bongsu().join("parts/bin")).join(name);
    assert!(
        path.exists(),
        "{} is missing: run hack/parts.sh test, or set KUBEBUILDER_ASSETS",
        path.display()
    );
    path
}

fn home() -> PathBuf {
    PathBuf::from(env::var_os("HOME").expect("HOME is set"))
}

//! The commands of docs/sites.md, run as they stand there: three members of etcd with the arguments of the chart's StatefulSet.
//! `kubectl` and `helm` are those of `tests/data/sites`, where a site is a directory and a pod a process.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use bongsu::{
    adapters::{
        clock::SystemClock,
        ledger::{EtcdConfig, EtcdLedger},
    },
    ports::{Expect, Key, Ledger},
};
use tempfile::TempDir;

use crate::support::{
    control_plane::{ControlPlane, Leashed, free_ports, scratch_dir},
    programs::{program, run},
    wait::until,
};

const PAGE: &str = "docs/sites.md";
const SITES: [&str; 3] = ["daejeon", "gwangju", "daegu"];
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Elections and restarts on a busy machine; nothing waits for its end.
const SOON: Duration = Duration::from_secs(60);

/// Three sites, and the directory in which a person types the commands.
struct World {
    ports: BTreeMap<&'static str, [u16; 3]>,
    #[expect(dead_code, reason = "held: members die with who starts them")]
    kubelets: Vec<Leashed>,
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        let dir = scratch_dir();
        let bin = Path::new(ROOT).join("tests/data/sites");
        let free = free_ports::<9>();
        let ports: BTreeMap<_, _> =
            SITES.into_iter().zip(free.chunks(3).map(|ports| <[u16; 3]>::try_from(ports).unwrap())).collect();
        for (site, [client, peer, metrics]) in &ports {
            let home = dir.path().join("world").join(site);
            fs::create_dir_all(&home).unwrap();
            let text = format!("client={client} peer={peer} metrics={metrics}\n");
            fs::write(home.join("ports"), text).unwrap();
        }
        std::os::unix::fs::symlink(Path::new(ROOT).join("charts"), dir.path().join("charts")).unwrap();
        fs::write(dir.path().join("ledger.yaml"), block("values")).unwrap();
        let kubelet = |site: &str| {
            let env = format!("WORLD={}", dir.path().join("world").display());
            let etcd = format!("REAL_ETCD={}", program("etcd").display());
            let kubelet = bin.join("kubelet").display().to_string();
            let arguments =
                [env, etcd, "setpriv".into(), "--pdeathsig".into(), "KILL".into(), kubelet, site.to_owned()];
            Leashed::start(
                Path::new(""),
                Path::new("env"),
                &arguments,
                &dir.path().join(format!("{site}.log")),
            )
        };
        let kubelets = SITES.map(kubelet).into();
        Self { ports, kubelets, dir }
    }

    fn site(&self, site: &str) -> PathBuf {
        self.dir.path().join("world").join(site)
    }

    /// Runs text as a person would who has the functions of the page: what it printed.
    fn run(&self, text: &str) -> String {
        let bin = Path::new(ROOT).join("tests/data/sites");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("timeout");
        command.args(["180", "bash", "-euo", "pipefail", "-c", &format!("{}\n{text}", functions())]);
        command.current_dir(self.dir.path()).env("PATH", path).env("WORLD", self.dir.path().join("world"));
        command.env("ETCDCTL_DIAL_TIMEOUT", "3s").env("ETCDCTL_COMMAND_TIMEOUT", "5s");
        for name in ["helm", "kubectl", "etcdutl"] {
            command.env(format!("REAL_{}", name.to_uppercase()), program(name));
        }
        let tools = program("etcdctl").parent().unwrap().display().to_string();
        command.env("PATH", format!("{}:{tools}:{}", bin.display(), std::env::var("PATH").unwrap()));
        for directory in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(directory, self.dir.path().join("helm"));
        }
        run(&mut command, "").unwrap_or_else(|complaint| panic!("{text}\n{complaint}\n{}", self.logs()))
    }

    /// The last lines of each member's log.
    fn logs(&self) -> String {
        let last = |site: &str| {
            let log = fs::read_to_string(self.site(site).join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(5).collect();
            format!("--- {site}\n{}\n", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        SITES.map(last).concat()
    }

    /// The site burns: its member ends, and nothing starts it.
    fn burn(&self, site: &str) {
        fs::write(self.site(site).join("off"), "").unwrap();
        self.run(&format!("restart {site}"));
    }

    /// It comes back with what its disk holds.
    fn rebuild(&self, site: &str) {
        fs::remove_file(self.site(site).join("off")).unwrap();
    }

    /// Bongsu's ledger in a site, with its certificates.
    fn ledger(&self, site: &str) -> EtcdLedger {
        let file = |name: &str| self.dir.path().join(site).join("client").join(name);
        let config = EtcdConfig {
            endpoints: vec![format!("https://127.0.0.1:{}", self.ports[site][0])],
            prefix: "/bongsu".to_owned(),
            ca: Some(file("ca.crt")),
            client: Some((file("tls.crt"), file("tls.key"))),
            login: None,
        };
        EtcdLedger::new(config, Arc::new(SystemClock::new())).unwrap()
    }

    /// Writes a record in a site.
    async fn write(&self, site: &str, key: &str, value: &str) {
        let (ledger, key) = (self.ledger(site), Key::new(key));
        until("a write", SOON, async || {
            let found = ledger.get(&key).await.ok()?;
            let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
            ledger.put(&key, value, expect).await.ok()
        })
        .await;
    }

    async fn read(&self, site: &str, key: &str) -> Option<String> {
        let (ledger, key) = (self.ledger(site), Key::new(key));
        until("a read", SOON, async || ledger.get(&key).await.ok()).await.map(|found| found.value.to_string())
    }

    fn members(&self) -> String {
        self.run("ctl daejeon member list")
    }

    /// The status line of a page of a member's probes.
    fn probe(&self, site: &str, page: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.ports[site][2])) else {
            return String::new();
        };
        let mut text = String::new();
        let request = format!("GET {page} HTTP/1.0\r\n\r\n");
        let asked = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut text));
        asked.map(|_| text.lines().next().unwrap_or_default().to_owned()).unwrap_or_default()
    }
}

/// A block of the page by its name.
fn block(name: &str) -> String {
    let page = fs::read_to_string(PAGE).unwrap();
    let (_, rest) =
        page.split_once(&format!("<!-- tested: {name} -->\n```")).unwrap_or_else(|| panic!("no {name}"));
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("\n```").unwrap().0.to_owned()
}

/// What the page defines, for whoever comes back to it later.
fn functions() -> String {
    let page = fs::read_to_string(PAGE).unwrap();
    let mut found = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        let begins = line.contains("() { ") && !line.starts_with(' ');
        inside |= begins;
        if inside {
            found.push(line.to_owned());
        }
        inside &= line != "}" && !(begins && line.contains(" }"));
    }
    found.join("\n")
}

#[test]
fn every_block_of_the_page_that_is_marked_is_run_here() {
    let page = fs::read_to_string(PAGE).unwrap();
    let here = fs::read_to_string("tests/it/etcd_procedures.rs").unwrap();
    let marked = page.lines().filter_map(|line| line.strip_prefix("<!-- tested: ")?.strip_suffix(" -->"));
    let unused: Vec<&str> = marked.filter(|name| !here.contains(&format!("block(\"{name}\")"))).collect();
    assert!(unused.is_empty(), "{unused:?}");
    assert!(functions().contains("ctl() {") && functions().contains("join() {"), "{}", functions());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_install_three_sites_replace_a_lost_one_and_make_a_lost_ledger_anew() {
    let plane = ControlPlane::start().await;
    let world = World::new();
    fs::copy(plane.admin_kubeconfig(), world.site("daejeon").join("kubeconfig")).unwrap();
    installs(&world, &plane).await;
    replaces_a_site(&world).await;
    makes_the_ledger_anew(&world).await;
    restores_a_copy(&world).await;
}

async fn installs(world: &World, plane: &ControlPlane) {
    for name in [block("certificates"), block("secrets"), block("install")] {
        world.run(&name);
    }
    let objects = plane.kubectl(&["get", "statefulset,service,secret", "-n", "bongsu-system", "-o", "name"]);
    for object in ["statefulset.apps/bongsu-etcd", "service/bongsu-etcd-site", "secret/etcd-peer"] {
        assert!(objects.contains(object), "a real API server took {object}: {objects}");
    }
    world.write("daejeon", "record/gpki/verify", r#"{"epoch":1}"#).await;
    for site in SITES {
        until("the probes of the chart answer", SOON, async || {
            let answers = ["/livez", "/readyz"].map(|page| world.probe(site, page));
            answers.iter().all(|line| line.contains("200")).then_some(())
        })
        .await;
    }
    let seen = world.run(&block("look"));
    assert_eq!(seen.matches(" is healthy").count(), 3, "{seen}");
    world.run(&block("backup"));
    // Without a certificate nobody is let in.
    let bare = format!(
        "etcdctl --endpoints https://127.0.0.1:{} --cacert ledger.crt endpoint health",
        world.ports["daejeon"][0]
    );
    world.run(&format!("if {bare}; then exit 1; fi"));
}

async fn replaces_a_site(world: &World) {
    world.burn("gwangju");
    world.write("daejeon", "record/gpki/verify", r#"{"epoch":2}"#).await;
    world.run(&block("remove"));
    // It comes back with its old disk, and is refused.
    world.rebuild("gwangju");
    until("the old member hears that it was removed", SOON, async || {
        let log = fs::read_to_string(world.site("gwangju").join("log")).unwrap();
        log.contains("removed").then_some(())
    })
    .await;
    world.run(&block("forget"));
    world.run(&format!("{}\njoin gwangju daejeon ledger.yaml", block("join")));
    let members = world.members();
    assert_eq!(
        members.lines().filter(|line| line.contains("started") && line.ends_with("false")).count(),
        3,
        "{members}"
    );
    assert_eq!(world.read("gwangju", "record/gpki/verify").await.unwrap(), r#"{"epoch":2}"#);
    // It counts: with another one lost two are enough.
    world.burn("daegu");
    world.write("gwangju", "record/gpki/verify", r#"{"epoch":3}"#).await;
    world.rebuild("daegu");
    until("all three again", SOON, async || world.probe("daegu", "/readyz").contains("200").then_some(()))
        .await;
}

async fn makes_the_ledger_anew(world: &World) {
    world.burn("gwangju");
    world.burn("daegu");
    let key = Key::new("record/gpki/verify");
    assert!(world.ledger("daejeon").put(&key, "lost", Expect::Absent).await.is_err(), "nobody decides");
    for name in [block("stop"), block("copy"), block("force")] {
        world.run(&name);
    }
    let members = world.members();
    assert_eq!(members.lines().count(), 1, "{members}");
    let arguments = fs::read_to_string(world.site("daejeon").join("args")).unwrap();
    assert!(!arguments.contains("--force-new-cluster"), "it was taken away again");
    assert_eq!(world.run(&block("epochs")).trim(), r#""epoch":3"#);
    world.write("daejeon", "record/gpki/verify", r#"{"epoch":4}"#).await;
    world.rebuild_stopped();
    world.run(&block("rejoin"));
    let members = world.members();
    assert_eq!(members.lines().filter(|line| line.contains("started")).count(), 3, "{members}");
    assert_eq!(world.read("daegu", "record/gpki/verify").await.unwrap(), r#"{"epoch":4}"#);
}

async fn restores_a_copy(world: &World) {
    SITES.into_iter().for_each(|site| world.burn(site));
    fs::remove_dir_all(world.site("daejeon").join("volume")).unwrap();
    world.run(&block("restore"));
    world.rebuild("daejeon");
    until("it is ready", SOON, async || world.probe("daejeon", "/readyz").contains("200").then_some(()))
        .await;
    assert_eq!(world.members().lines().count(), 1);
    assert_eq!(world.run(&block("epochs")).trim(), r#""epoch":1"#, "as when the copy was made");
    world.write("daejeon", "record/gpki/verify", r#"{"epoch":5}"#).await;
    let status = world.run("ctl daejeon endpoint status -w fields");
    let revision = status.lines().find_map(|line| line.strip_prefix("\"Revision\" : ")).unwrap();
    assert!(revision.parse::<u64>().unwrap() > 1_000_000_000, "no revision comes again: {revision}");
}

impl World {
    /// The sites come back, and nothing of them starts by itself.
    fn rebuild_stopped(&self) {
        for site in ["gwangju", "daegu"] {
            fs::write(self.site(site).join("scaled-to-0"), "").unwrap();
            self.rebuild(site);
        }
    }
}

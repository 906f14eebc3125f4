//! One data center: a cluster with the chart installed, a Bongsu, maybe a name server, and members of services.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::{
    member,
    network::Namespace,
    support::{
        ask::{ask, shown},
        bongsu::{Bongsu, SOON, this_build},
        control_plane::{ControlPlane, Leashed},
        dns_server::SECRET_BASE64,
        etcd::Etcd,
        place::Place,
        programs,
        wait::until,
        world::World,
    },
    writer::{self, Noted},
};

/// Namespace of all services under test.
pub const NAMESPACE: &str = "gpki";

/// The zone that the name servers are primaries of.
pub const ZONE: &str = "citizens.example";

/// Where each Bongsu is asked for promises.
const AGENT_PORT: u16 = 8443;

/// A site. What runs in it dies with its namespace, or with the value.
pub struct Site {
    pub region: &'static str,
    /// Its member of the ledger, by place.
    pub ledger_member: usize,
    pub namespace: Namespace,
    pub world: World,
    pub bongsu: Bongsu,
    named: Option<NameServer>,
    members: BTreeMap<u16, Option<Leashed>>,
    writers: BTreeMap<u16, GuardedWriter>,
    dir: PathBuf,
}

/// A writer and the gate before it.
struct GuardedWriter {
    service: String,
    processes: Vec<Leashed>,
}

/// BIND 9 as a primary, with what it has kept.
struct NameServer {
    dir: PathBuf,
    process: Option<Leashed>,
}

impl Site {
    /// Everything but the ledger's member is started.
    pub async fn start(
        region: &'static str,
        namespace: Namespace,
        ledger: (&Etcd, usize),
        has_names: bool,
        dir: &Path,
    ) -> Self {
        let place = namespace.place.clone();
        let plane = ControlPlane::start_at(place.clone()).await;
        let world = World::install_on(plane, region, &[NAMESPACE]).await;
        let bongsu = run_bongsu(&world, &place, region, ledger);
        let dir = dir.join(region);
        fs::create_dir_all(&dir).unwrap();
        let named = has_names.then(|| NameServer::new(dir.join("named"), place.ip.to_string()));
        let mut site = Self {
            region,
            ledger_member: ledger.1,
            namespace,
            world,
            bongsu,
            named,
            members: BTreeMap::new(),
            writers: BTreeMap::new(),
            dir,
        };
        site.start_names().await;
        site
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.namespace.place
    }

    /// Its name server, if it has one.
    pub fn names(&self) -> Option<SocketAddr> {
        self.named.as_ref().map(|_| (self.place().ip, 53).into())
    }

    /// What its name server answers for a name; `None`: it does not answer.
    pub async fn shown(&self, name: &str) -> Option<String> {
        let server = self.names()?;
        ask(server, name, RecordType::A).await?;
        Some(shown(server, name).await)
    }

    /// Its name server takes updates by another key from now on.
    pub async fn change_key(&mut self, secret: &str) {
        let ip = self.place().ip.to_string();
        let named = self.named.as_mut().expect("it has a name server");
        named.process = None;
        named.configure(&ip, secret);
        self.start_names().await;
    }

    /// One more member of a service.
    pub fn serve(&mut self, port: u16) {
        let log = self.dir.join(format!("member-{port}.log"));
        let process = member::start(self.place(), self.region, port, &log);
        self.members.insert(port, Some(process));
    }

    /// The member alone is killed.
    pub fn kill_member(&mut self, port: u16) {
        self.members.insert(port, None);
    }

    /// The members and writers of earlier services end.
    pub fn clear(&mut self) {
        self.members.clear();
        self.writers.clear();
    }

    /// A writer of a service, and a gate before it with a lease of 8 s.
    pub fn guard_writer(&mut self, ledger: &Etcd, service: &str, port: u16) {
        let log = |what: &str| self.dir.join(format!("{what}-{port}.log"));
        let place = self.place();
        let writer = writer::start(place, port, &self.accepted_log(port), &log("writer"));
        let key = format!("{NAMESPACE}/{service}");
        let own = ["gate", "--service", &key, "--region", self.region, "--lease-ttl", "8s"];
        let mut arguments: Vec<String> = own.map(str::to_owned).into();
        arguments.push(writer::proxy(place, port));
        arguments.extend(ledger_arguments(ledger, self.ledger_member));
        arguments.extend(agent_credentials(ledger));
        let program = Path::new(env!("CARGO_BIN_EXE_bongsu"));
        let gate = place.start(Path::new(""), program, &arguments, &log("gate"));
        let guarded = GuardedWriter { service: service.to_owned(), processes: vec![writer, gate] };
        self.writers.insert(port, guarded);
    }

    /// What the writer behind a port has accepted, in all its lives.
    pub fn accepted(&self, port: u16) -> Vec<Noted> {
        writer::noted(&self.accepted_log(port))
    }

    fn accepted_log(&self, port: u16) -> PathBuf {
        self.dir.join(format!("accepted-{port}.log"))
    }

    /// `kill -9` of every process in the site, also of the ledger's member.
    pub async fn burn(&mut self, ledger: &Etcd) {
        self.namespace.signal_all("-KILL");
        ledger.kill(self.ledger_member);
        self.bongsu.kill();
        if let Some(named) = &mut self.named {
            named.process = None;
        }
        self.members.values_mut().for_each(|member| *member = None);
        self.writers.values_mut().for_each(|writer| writer.processes.clear());
        // A process that has many threads takes its time to die on a busy machine.
        until("nothing runs in the site", SOON, async || self.namespace.processes().is_empty().then_some(()))
            .await;
    }

    /// What has been killed is started again, with what its disks have kept.
    pub async fn rebuild(&mut self, ledger: &Etcd) {
        if !ledger.runs(self.ledger_member) {
            ledger.run(self.ledger_member);
        }
        self.world.plane.ensure_runs().await;
        self.start_names().await;
        let dead = |(port, member): (&u16, &Option<Leashed>)| {
            (!member.as_ref().is_some_and(Leashed::runs)).then_some(*port)
        };
        for port in self.members.iter().filter_map(dead).collect::<Vec<_>>() {
            self.serve(port);
        }
        let dead = |(port, writer): (&u16, &GuardedWriter)| {
            writer.processes.is_empty().then(|| (*port, writer.service.clone()))
        };
        for (port, service) in self.writers.iter().filter_map(dead).collect::<Vec<_>>() {
            self.guard_writer(ledger, &service, port);
        }
        if !self.bongsu.runs() {
            self.bongsu.restart();
        }
        if !self.bongsu.is_of_this_build() {
            self.bongsu.replace(&this_build()).await;
        }
    }

    /// `kubectl apply` in this cluster.
    pub fn apply(&self, object: &Value) {
        self.world.apply(object);
    }

    /// `kubectl` in the namespace of the services: what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.world.plane.try_kubectl(&[arguments, &["-n", NAMESPACE]].concat(), "")
    }

    async fn start_names(&mut self) {
        let Some(named) = &mut self.named else { return };
        if named.process.as_ref().is_some_and(Leashed::runs) {
            return;
        }
        let server: SocketAddr = (self.namespace.place.ip, 53).into();
        named.run(&self.namespace.place);
        until("the name server serves its zone", SOON, async || {
            ask(server, ZONE, RecordType::SOA).await.filter(|reply| reply.metadata.authoritative)
        })
        .await;
    }
}

/// How to reach the ledger from the site of this member.
fn ledger_arguments(ledger: &Etcd, own: usize) -> [String; 4] {
    let mut config = ledger.config("/bongsu");
    // That of the own site first, as the chart says.
    config.endpoints.rotate_left(own);
    let (certificate, key) = config.client.unwrap();
    [
        format!("--ledger-etcd-endpoints={}", config.endpoints.join(",")),
        format!("--ledger-etcd-ca={}", config.ca.unwrap().display()),
        format!("--ledger-etcd-cert={}", certificate.display()),
        format!("--ledger-etcd-key={}", key.display()),
    ]
}

/// The sites know each other by the ledger's authority here; in the field it is one of its own.
fn agent_credentials(ledger: &Etcd) -> [String; 3] {
    let config = ledger.config("/bongsu");
    let (certificate, key) = config.client.unwrap();
    [
        format!("--agent-ca={}", config.ca.unwrap().display()),
        format!("--agent-cert={}", certificate.display()),
        format!("--agent-key={}", key.display()),
    ]
}

fn run_bongsu(world: &World, place: &Place, region: &str, (ledger, own): (&Etcd, usize)) -> Bongsu {
    let mut arguments =
        vec!["--kubeconfig".to_owned(), world.kubeconfig().display().to_string(), "--ledger=etcd".to_owned()];
    arguments.extend(ledger_arguments(ledger, own));
    arguments.extend(agent_credentials(ledger));
    arguments.push(format!("--agent-address={}:{AGENT_PORT}", place.ip));
    arguments.push(format!("--agent-url=https://{}:{AGENT_PORT}", place.ip));
    let given: Vec<&dyn AsRef<std::ffi::OsStr>> =
        arguments.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>).collect();
    Bongsu::start_at(place.clone(), world.plane.home(), region, region, &given)
}

impl NameServer {
    fn new(dir: PathBuf, ip: String) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let new = Self { dir, process: None };
        new.configure(&ip, SECRET_BASE64);
        let zone = format!(
            "@ 60 IN SOA ns.{ZONE}. hostmaster.{ZONE}. 1 60 60 60 1\n@ 60 IN NS ns.{ZONE}.\nns 60 IN A {ip}\n"
        );
        fs::write(new.dir.join("zone"), zone).unwrap();
        new
    }

    /// Who knows this secret may update.
    fn configure(&self, ip: &str, secret: &str) {
        let home = self.dir.display();
        let text = format!(
            "key bongsu {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n\
             options {{ directory \"{home}\"; listen-on port 53 {{ {ip}; }}; listen-on-v6 {{ none; }}; pid-file none; \
             lock-file none; session-keyfile \"{home}/session.key\"; recursion no; dnssec-validation no; notify no; }};\n\
             controls {{ }};\n\
             zone \"{ZONE}\" {{ type primary; file \"{home}/zone\"; allow-update {{ key bongsu; }}; }};\n"
        );
        fs::write(self.dir.join("named.conf"), text).unwrap();
    }

    fn run(&mut self, place: &Place) {
        let file = self.dir.join("named.conf").display().to_string();
        let arguments = ["-f", "-g", "-4", "-n", "1", "-c", &file].map(str::to_owned);
        let program = programs::program("named");
        self.process = Some(place.start(Path::new(""), &program, &arguments, &self.dir.join("log")));
    }
}

//! The network between the sites: a namespace for each, joined by a router, which is the namespace of the test itself.
//!
//! The test reaches every site whatever is broken, because faults are rules on what the router *forwards*. A namespace
//! lives as long as the process that sleeps in it; nothing is left on the host when the test is killed.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::support::{control_plane::Leashed, etcd, place::Place, programs::run, wait::until};

/// Longest wait for a namespace. Measured: milliseconds.
const LIMIT: Duration = Duration::from_secs(20);

/// One end of the network: its own addresses, routes and processes.
pub struct Namespace {
    pub place: Place,
    file: PathBuf,
    sleeper: Leashed,
}

/// What is broken between the sites.
#[derive(Clone, Copy, Debug)]
pub enum Fault<'a> {
    /// Nothing goes into the site or out of it.
    Site(&'a Place),
    /// Nothing leaves the site; it hears everybody.
    Mute(&'a Place),
    /// Two sites do not reach each other.
    Pair(&'a Place, &'a Place),
    /// Nothing goes from the first to the second; the way back works.
    OneWay(&'a Place, &'a Place),
    /// The site does not reach the ledger in other sites, nor they the one in it.
    Ledger(&'a Place),
    /// This share of all packets between two sites is lost, in each direction.
    Loss(&'a Place, &'a Place, f64),
    /// This share of the packets of so many bytes and more is lost that go into the site or out of it.
    Large(&'a Place, u16, f64),
}

/// The router must forward, and the test reach itself.
pub fn prepare_router() {
    tool("ip", "link set lo up");
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
}

/// Breaks something, besides what is broken already.
pub fn cause(fault: Fault<'_>) {
    let drop = |rule: String| {
        tool("iptables", &format!("-A FORWARD {rule} -j DROP"));
    };
    let both = |a: &Place, b: &Place, more: &str| {
        drop(format!("-s {} -d {} {more}", a.ip, b.ip));
        drop(format!("-s {} -d {} {more}", b.ip, a.ip));
    };
    match fault {
        Fault::Site(site) => {
            drop(format!("-s {}", site.ip));
            drop(format!("-d {}", site.ip));
        }
        Fault::Mute(site) => drop(format!("-s {}", site.ip)),
        Fault::Pair(a, b) => both(a, b, ""),
        Fault::OneWay(from, to) => drop(format!("-s {} -d {}", from.ip, to.ip)),
        Fault::Ledger(site) => {
            let ports = format!("-p tcp -m multiport --ports {},{}", etcd::PORTS[0], etcd::PORTS[1]);
            drop(format!("-s {} {ports}", site.ip));
            drop(format!("-d {} {ports}", site.ip));
        }
        Fault::Large(site, bytes, share) => {
            let some =
                format!("-m length --length {bytes}: -m statistic --mode random --probability {share}");
            drop(format!("-s {} {some}", site.ip));
            drop(format!("-d {} {some}", site.ip));
        }
        Fault::Loss(a, b, share) => both(a, b, &format!("-m statistic --mode random --probability {share}")),
    }
}

/// Mends everything.
pub fn heal() {
    tool("iptables", "-F FORWARD");
}

impl Namespace {
    /// A new one with an address in a subnet of its own, `10.77.NUMBER.0/24`.
    pub async fn join(name: &str, number: u8, log: &Path) -> Self {
        let asleep = ["--net", "sleep", "infinity"].map(str::to_owned);
        let sleeper = Leashed::start(Path::new(""), Path::new("unshare"), &asleep, log);
        let file = PathBuf::from(format!("/proc/{}/ns/net", sleeper.pid()));
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        until("the namespace is there", LIMIT, async || {
            fs::read_link(&file).ok().filter(|found| *found != own)
        })
        .await;
        let place = Place::within(&file, Ipv4Addr::new(10, 77, number, 2));
        let new = Self { place, file, sleeper };
        new.wire(name);
        new
    }

    fn wire(&self, name: &str) {
        let [a, b, number, _] = self.place.ip.octets();
        let gateway = format!("{a}.{b}.{number}.1");
        tool("ip", &format!("link add {name} type veth peer name wan netns {}", self.sleeper.pid()));
        tool("ip", &format!("address add {gateway}/24 dev {name}"));
        tool("ip", &format!("link set {name} up"));
        self.tool("ip", "link set lo up");
        self.tool("ip", &format!("address add {}/24 dev wan", self.place.ip));
        self.tool("ip", "link set wan up");
        self.tool("ip", &format!("route add default via {gateway}"));
    }

    /// Every process in it but the one that sleeps.
    pub fn processes(&self) -> Vec<String> {
        let own = fs::read_link(&self.file).unwrap();
        let all =
            fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let inside = |pid: &String| {
            pid.parse::<u32>().is_ok()
                && *pid != self.sleeper.pid()
                && fs::read_link(Path::new("/proc").join(pid).join("ns/net")).is_ok_and(|found| found == own)
        };
        all.filter(inside).collect()
    }

    /// Sends a signal to every process in it, such as `-KILL`.
    pub fn signal_all(&self, signal: &str) {
        // One that ends meanwhile is no failure.
        let _ = Command::new("kill").arg(signal).args(self.processes()).output();
    }

    fn tool(&self, program: &str, arguments: &str) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.file.display())).arg(program).args(arguments.split_whitespace());
        run(&mut command, "").unwrap_or_else(|complaint| panic!("{program} {arguments}: {complaint}"));
    }
}

fn tool(program: &str, arguments: &str) {
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace());
    run(&mut command, "").unwrap_or_else(|complaint| panic!("{program} {arguments}: {complaint}"));
}

//! Three data centers, set up once; each case has a service of its own, and leaves everything mended.

use std::path::Path;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    network::{self, Namespace},
    site::{NAMESPACE, Site},
    support::{
        bongsu::SOON, control_plane::scratch_dir, dns_server::SECRET_BASE64, etcd::Etcd, wait::until,
        world::REGIONS,
    },
};

/// Places of the sites in [`Sites::all`] and of their members in the ledger.
pub const DAEJEON: usize = 0;
pub const GWANGJU: usize = 1;
pub const DAEGU: usize = 2;

/// Subnet of the client, beside those of the sites, which are numbered from 1.
const OUTSIDE: u8 = 9;

/// First port of a service's members; each service has another.
const FIRST_PORT: u16 = 8001;

/// The Secret with the key of the name servers.
pub fn tsig_secret(secret: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dns-key", "namespace": NAMESPACE},
        "stringData": {"secret": secret},
    })
}

/// The sites, the ledger that they share, and the place of clients.
pub struct Sites {
    pub all: Vec<Site>,
    pub ledger: Etcd,
    pub outside: Namespace,
    port: u16,
    // Last: processes write there until they end.
    dir: tempfile::TempDir,
}

impl Sites {
    /// All of it, ready.
    pub async fn start() -> Self {
        network::prepare_router();
        let dir = scratch_dir();
        let log = dir.path().join("namespaces.log");
        let mut namespaces = Vec::new();
        for (number, region) in (1..).zip(REGIONS) {
            namespaces.push(Namespace::join(region, number, &log).await);
        }
        let outside = Namespace::join("outside", OUTSIDE, &log).await;
        let places: Vec<_> = namespaces.iter().map(|namespace| namespace.place.clone()).collect();
        let ledger = Etcd::at(&places).await;
        let starting = REGIONS.into_iter().zip(namespaces).enumerate().map(|(index, (region, namespace))| {
            Site::start(region, namespace, (&ledger, index), index != DAEGU, dir.path())
        });
        let all = join_all(starting).await;
        let sites = Self { all, ledger, outside, port: FIRST_PORT, dir };
        sites.all.iter().for_each(|site| site.apply(&tsig_secret(SECRET_BASE64)));
        sites.are_ready().await;
        sites
    }

    /// After a case: everything works again, and no service is left.
    pub async fn recover(&mut self) {
        network::heal();
        for site in &mut self.all {
            site.namespace.signal_all("-CONT");
            site.rebuild(&self.ledger).await;
        }
        for site in &mut self.all {
            site.kubectl(&["delete", "ss,fo", "--all"]).unwrap();
            site.clear();
        }
        self.are_ready().await;
    }

    /// Every process says that it is ready, one leads, and the ledger takes writes.
    pub async fn are_ready(&self) {
        until("the ledger has all its members", SOON, async || {
            (0..self.all.len())
                .all(|place| self.ledger.try_etcdctl_at(place, &["endpoint", "health"]).is_ok())
                .then_some(())
        })
        .await;
        join_all(self.all.iter().map(|site| site.bongsu.ready())).await;
        self.leader().await;
    }

    /// The site that leads.
    pub async fn leader(&self) -> usize {
        self.leader_of(&[DAEJEON, GWANGJU, DAEGU]).await
    }

    /// The one of these sites that leads.
    pub async fn leader_of(&self, among: &[usize]) -> usize {
        until("one of them leads", SOON, async || {
            for index in among {
                if self.all[*index].bongsu.seems_to_lead().await {
                    return Some(*index);
                }
            }
            None
        })
        .await
    }

    /// Makes a site lead, by taking the lead from the others for a moment.
    pub async fn let_lead(&mut self, index: usize) {
        if self.leader().await == index {
            return;
        }
        let others = || (DAEJEON..=DAEGU).filter(move |other| *other != index);
        // What is given back is taken at once.
        others().for_each(|other| self.all[other].bongsu.terminate());
        self.leader_of(&[index]).await;
        for other in others() {
            self.all[other].bongsu.has_ended().await;
            self.all[other].bongsu.restart();
        }
        self.are_ready().await;
        assert_eq!(self.leader().await, index);
    }

    /// Replaces the Bongsu of a site by another build.
    pub async fn replace(&mut self, index: usize, program: &Path) {
        self.all[index].bongsu.replace(program).await;
        self.are_ready().await;
    }

    /// What the ledger keeps of a service, asked at the member of a site.
    pub fn record(&self, at: usize, service: &str) -> Value {
        let key = format!("/bongsu/v1/entry/record/{NAMESPACE}/{service}");
        let text = self.ledger.try_etcdctl_at(at, &["get", &key, "--print-value-only", "--consistency=s"]);
        serde_json::from_str(&text.unwrap()).unwrap()
    }

    /// Epoch of a service in the ledger, and who serves.
    pub fn serving(&self, at: usize, service: &str) -> (u64, String) {
        let record = self.record(at, service);
        let serving = record["serving"].as_array().unwrap().iter().map(|region| region.as_str().unwrap());
        (record["epoch"].as_u64().unwrap(), serving.collect::<Vec<_>>().join(" "))
    }

    /// Runs of a service that the ledger knows, the first publication among them.
    pub fn runs(&self, at: usize, service: &str) -> usize {
        let prefix = format!("/bongsu/v1/entry/run/{NAMESPACE}/{service}-");
        let keys =
            self.ledger.try_etcdctl_at(at, &["get", "--prefix", &prefix, "--keys-only", "--consistency=s"]);
        keys.unwrap().lines().filter(|line| !line.is_empty()).count()
    }

    /// Directory of logs.
    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// A port that no service had.
    pub fn next_port(&mut self) -> u16 {
        self.port += 1;
        self.port - 1
    }

    /// What a person wants to see when a case failed.
    pub fn tell(&self) -> String {
        let mut told = String::new();
        for site in &self.all {
            let log = site.bongsu.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(40)..];
            told += &format!("--- the last lines of Bongsu in {}:\n{}\n", site.region, shown.join("\n"));
        }
        let objects = self.all.iter().find_map(|site| site.kubectl(&["get", "ss,fo", "-o", "yaml"]).ok());
        told + "--- the objects:\n" + &objects.unwrap_or_else(|| "no cluster answers".to_owned())
    }
}

//! A data center with the chart installed, and Bongsu running there for three regions under the chart's own service
//! account: what the chart does not allow, Bongsu cannot do.

use std::path::PathBuf;

use futures::future::join_all;
use serde_json::json;
use tokio::sync::OnceCell;

use super::{
    bongsu::Bongsu,
    control_plane::{ControlPlane, write_kubeconfig},
    etcd::Etcd,
    helm::Helm,
};

/// Where the chart is installed, and the ledger is.
pub const SYSTEM: &str = "bongsu-system";

/// Namespaces of the services in the shared world. The chart lets Bongsu read Secrets in these and nowhere else.
const SHARED_NAMESPACES: &[&str] = &[
    "wrong-key",
    "no-zone",
    "server-down",
    "claimed",
    "deleted",
    "malformed",
    "broken-check",
    "unknown-region",
    "recommended",
    "by-hand",
    "drilled",
    "drill-aborted",
    "drill-target-lost",
    "drill-origin-lost",
    "drill-approved",
    "drill-refused",
    "drill-scheduled",
    "drill-measured",
    "drill-sampled",
    "drill-unanswered",
    "drill-active-active",
    "drill-unapproved",
    "drill-unwritable",
    "drill-residual",
    "drill-ladder",
    "drill-unnoticed",
    "drill-ramp",
    "drill-token",
    "refused",
    "compensated",
    "resumed",
    "plugin-moves",
    "plugin-drills",
    "plugin-watch",
    "inspected",
];

/// The standard setup: two regions with members, and the witness.
pub const REGIONS: [&str; 3] = ["daejeon", "gwangju", "daegu"];

static SHARED: OnceCell<World> = OnceCell::const_new();

/// The installation.
pub struct World {
    pub plane: ControlPlane,
    pub processes: Vec<Bongsu>,
    token: String,
    // Last: the processes read it.
    dir: tempfile::TempDir,
}

impl World {
    /// One process for each of these regions, all ready.
    pub async fn start(regions: &[&str], namespaces: &[&str]) -> Self {
        let mut world = Self::install(namespaces).await;
        for region in regions {
            let process = world.run(region, region);
            world.processes.push(process);
        }
        join_all(world.processes.iter().map(Bongsu::ready)).await;
        world
    }

    /// The standard setup for all tests that break nothing that others need. Each test has its own service.
    pub async fn shared() -> &'static Self {
        let start = async || {
            let world = Self::start(&REGIONS, SHARED_NAMESPACES).await;
            world.apply(&world.ballast());
            world
        };
        SHARED.get_or_init(start).await
    }

    /// Chart, regions, policy and namespaces of services; no process yet.
    pub async fn install(namespaces: &[&str]) -> Self {
        Self::install_on(ControlPlane::start().await, "daejeon", namespaces).await
    }

    /// The same in this cluster, which is that of a region.
    pub async fn install_on(plane: ControlPlane, region: &str, namespaces: &[&str]) -> Self {
        Self::install_with(plane, region, namespaces, &json!({})).await
    }

    /// The same with these values besides.
    pub async fn install_with(
        plane: ControlPlane,
        region: &str,
        namespaces: &[&str],
        besides: &serde_json::Value,
    ) -> Self {
        for namespace in namespaces {
            plane.create_namespace(namespace).await;
        }
        let secrets: Vec<_> =
            namespaces.iter().map(|name| json!({"namespace": name, "secrets": ["dns-key"]})).collect();
        let mut values = json!({"region": region, "secretNamespaces": secrets});
        for (key, value) in besides.as_object().into_iter().flatten() {
            values[key] = value.clone();
        }
        let helm = Helm::with_kubeconfig(plane.admin_kubeconfig().to_str().unwrap());
        helm.install(SYSTEM, &values.to_string()).unwrap();
        let token = plane.try_kubectl(&["create", "token", "bongsu", "-n", SYSTEM], "").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let world = Self { plane, processes: Vec::new(), token: token.trim().to_owned(), dir };
        world.plane.kubeconfig_of(&world.kubeconfig(), &world.token);
        world.apply(&standing());
        world
    }

    /// One more process.
    pub fn run(&self, region: &str, identity: &str) -> Bongsu {
        Bongsu::start(self.plane.home(), region, identity, &[&"--kubeconfig", &self.kubeconfig()])
    }

    /// One more process, with the ledger in this etcd.
    pub fn run_on(&self, etcd: &Etcd, region: &str) -> Bongsu {
        let endpoints = etcd.config("/bongsu").endpoints.join(",");
        let ledger = ["--ledger=etcd".to_owned(), format!("--ledger-etcd-endpoints={endpoints}")];
        let [kind, place] = &ledger;
        Bongsu::start(self.plane.home(), region, region, &[&"--kubeconfig", &self.kubeconfig(), kind, place])
    }

    /// One more process that talks to the API server by this URL.
    pub fn run_by(&self, url: &str, region: &str, identity: &str) -> Bongsu {
        let path = self.dir.path().join(identity);
        write_kubeconfig(&path, &json!({"server": url}), &self.token);
        Bongsu::start(self.plane.home(), region, identity, &[&"--kubeconfig", &path])
    }

    /// `kubectl apply`.
    pub fn apply(&self, objects: &serde_json::Value) {
        self.plane.try_kubectl(&["apply", "-f", "-"], &objects.to_string()).unwrap();
    }

    /// Fails if a process was refused something: the chart's permissions are then too narrow.
    pub fn assert_allowed(&self) {
        for process in &self.processes {
            let log = process.log();
            // The number as a word of its own: the name of a process ends in the time of its start.
            let says_403 = |line: &str| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "403");
            let refused: Vec<&str> =
                log.lines().filter(|line| line.contains("orbidden") || says_403(line)).collect();
            assert!(refused.is_empty(), "{}", refused.join("\n"));
        }
    }

    /// Kubeconfig of the chart's service account.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// Two services that are always well, so that one service under test is not all of a region.
    fn ballast(&self) -> serde_json::Value {
        let endpoint = self.plane.url().replace("https://", "tcp://");
        let member = |region: &str| json!({"region": region, "endpoint": endpoint});
        let service = |name: &str| {
            json!({
                "apiVersion": "bongsu.io/v1alpha1", "kind": "SharedService",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {
                    "grade": 1, "topology": "ActiveStandby", "members": [member("daejeon"), member("gwangju")],
                    "health": {"interval": "1s", "timeout": "500ms", "checks": [{"name": "port", "tcp": {}}], "vantages": {"quorum": 2}},
                },
            })
        };
        list(&[service("ballast-1"), service("ballast-2"), service("ballast-3")])
    }
}

fn list(items: &[serde_json::Value]) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn standing() -> serde_json::Value {
    let region = |name: &str, role: &str| {
        json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "Region", "metadata": {"name": name},
            "spec": {"role": role, "failureDomain": name, "budget": {"moves": 1000, "movesPerGroup": 1000}},
        })
    };
    let policy = json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "GradePolicy", "metadata": {"name": "grade-1"},
        "spec": {"grade": 1, "rto": "1m"},
    });
    list(&[region("daejeon", "Full"), region("gwangju", "Full"), region("daegu", "Witness"), policy])
}

//! A real Prometheus that scrapes one gauge, which the test sets.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use bongsu::ports::{Meter, Metering};
use tempfile::TempDir;

use super::{
    dns_server::free_port, http_server::Server, poll::eventually, probes::network_prober, programs::program,
};

/// Name of the gauge.
pub const GAUGE: &str = "errors_ratio";

/// The server. It ends with the value.
pub struct Prometheus {
    pub address: SocketAddr,
    value: Arc<Mutex<f64>>,
    child: Child,
    _scraped: Server,
    _dir: TempDir,
}

impl Prometheus {
    /// One that knows the gauge, scraped each second.
    pub async fn start(value: f64) -> Self {
        let value = Arc::new(Mutex::new(value));
        let shown = value.clone();
        let page = move || {
            let text = format!("# TYPE {GAUGE} gauge\n{GAUGE} {}\n", *shown.lock().unwrap());
            async move { text }
        };
        let scraped = Server::axum(Router::new().route("/metrics", get(page)), None).await;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prometheus.yml");
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: test\n  static_configs: [{{targets: ['{}']}}]\n",
            scraped.address
        );
        std::fs::write(&file, config).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program("prometheus"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let started = Self { address, value, child, _scraped: scraped, _dir: dir };
        eventually("prometheus has scraped", async || {
            started.ask(GAUGE).await.filter(|values| !values.is_empty())
        })
        .await;
        started
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the gauge says from the next scrape on.
    pub fn set(&self, value: f64) {
        *self.value.lock().unwrap() = value;
    }

    /// It is gone.
    pub fn die(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it answers now.
    pub async fn ask(&self, query: &str) -> Option<Vec<f64>> {
        let meter = Meter { url: self.url().into(), token: None, ca_bundle: None };
        network_prober().ask(&meter, query).await.ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.die();
    }
}

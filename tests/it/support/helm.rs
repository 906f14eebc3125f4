//! Runs the real helm on the chart.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::programs::{program, run};

/// The chart in this repository.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/bongsu");

/// A helm with directories of its own, so that nothing of the user's configuration is read or written.
pub struct Helm {
    home: TempDir,
    kubeconfig: Option<String>,
}

impl Helm {
    /// A helm that talks to no cluster.
    pub fn offline() -> Self {
        Self { home: tempfile::tempdir().unwrap(), kubeconfig: None }
    }

    /// A helm that talks to the cluster of this kubeconfig file.
    pub fn with_kubeconfig(path: &str) -> Self {
        Self { kubeconfig: Some(path.to_owned()), ..Self::offline() }
    }

    /// Runs helm: what it wrote, or what it complained about.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let home = self.home.path();
        let mut command = Command::new(program("helm"));
        command
            .args(arguments)
            .envs(["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"].map(|v| (v, home)));
        match &self.kubeconfig {
            Some(path) => command.env("KUBECONFIG", path),
            None => command.env("KUBECONFIG", "/dev/null"),
        };
        run(&mut command, "")
    }

    /// `helm lint --strict` with these values.
    pub fn lint(&self, values: &str) -> Result<String, String> {
        self.run(&["lint", "--strict", CHART, "--values", &self.values_file(values)])
    }

    /// `helm template` with these values, in namespace `bongsu-system`.
    pub fn template(&self, values: &str) -> Result<String, String> {
        let file = self.values_file(values);
        self.run(&["template", "bongsu", CHART, "--namespace", "bongsu-system", "--values", &file])
    }

    /// `helm upgrade --install` with these values; the namespace is made if it is missing.
    pub fn install(&self, namespace: &str, values: &str) -> Result<String, String> {
        let file = self.values_file(values);
        self.run(&[
            "upgrade",
            "--install",
            "bongsu",
            CHART,
            "--namespace",
            namespace,
            "--create-namespace",
            "--values",
            &file,
        ])
    }

    /// `helm uninstall`.
    #[expect(dead_code, reason = "for the test that installs the chart on a real API server")]
    pub fn uninstall(&self, namespace: &str) -> Result<String, String> {
        self.run(&["uninstall", "bongsu", "--namespace", namespace])
    }

    fn values_file(&self, values: &str) -> String {
        let path = self.home.path().join("values.yaml");
        fs::write(&path, values).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

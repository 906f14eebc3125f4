//! The metrics of `bongsu gate`, a process of its own.

use prometheus::{Registry, process_collector::ProcessCollector};

use super::{Exposition, family::families, http::encode};
use crate::domain::{Epoch, RegionName, ServiceKey};

families! {
    /// Every metric of a gate.
    GateMetrics {
        /// 1 while the gate lets the writer write, 0 while it does not.
        open: IntGaugeVec = "bongsu_gate_open" [namespace, service, region];
        /// Fencing epoch under which the gate let the writer write last.
        epoch: IntGaugeVec = "bongsu_gate_epoch" [namespace, service, region];
        /// 1 while the writer goes on by promises of the other regions, because the lease is not renewed, 0 otherwise.
        promised: IntGaugeVec = "bongsu_gate_promised" [namespace, service, region];
        /// Times that the other regions were asked for promises, by result.
        rounds: IntCounterVec = "bongsu_gate_promise_rounds_total" [namespace, service, region, result];
        /// Renewals of the writer's lease, by result.
        renewals: IntCounterVec = "bongsu_gate_renewals_total" [namespace, service, region, result];
    }
}

impl GateMetrics {
    /// All metrics in a registry of their own, with those of the process.
    ///
    /// # Errors
    /// Two metrics share a name, or a name is not a valid one. Only a change of this file can cause it.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Self::register(registry)
    }

    /// Whether the writer may write, and under which epoch it did last.
    pub fn set_open(&self, service: &ServiceKey, region: &RegionName, epoch: Option<Epoch>) {
        let labels = [&*service.namespace, &*service.name, region.as_str()];
        self.open.with(labels).set(i64::from(epoch.is_some()));
        if let Some(epoch) = epoch {
            self.epoch.with(labels).set(i64::try_from(epoch.0).unwrap_or(i64::MAX));
        }
    }

    /// Whether the writer goes on by promises.
    pub fn set_promised(&self, service: &ServiceKey, region: &RegionName, promised: bool) {
        let labels = [&*service.namespace, &*service.name, region.as_str()];
        self.promised.with(labels).set(i64::from(promised));
    }

    /// Rounds of questions so far with this result: `promised` or `refused`.
    pub fn set_rounds(&self, service: &ServiceKey, region: &RegionName, result: &str, so_far: u64) {
        let counter = self.rounds.with([&*service.namespace, &*service.name, region.as_str(), result]);
        counter.inc_by(so_far.saturating_sub(counter.get()));
    }

    /// Renewals so far with this result: `granted`, `refused` or `unanswered`.
    pub fn set_renewals(&self, service: &ServiceKey, region: &RegionName, result: &str, so_far: u64) {
        let counter = self.renewals.with([&*service.namespace, &*service.name, region.as_str(), result]);
        counter.inc_by(so_far.saturating_sub(counter.get()));
    }
}

impl Exposition for GateMetrics {
    fn render(&self) -> Result<String, prometheus::Error> {
        encode(&self.registry)
    }
}

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

//! Shows people what is known and what would happen: status, conditions, events, metrics.

mod changes;
mod conditions;
pub(in crate::reconcile) mod failover;
mod readiness;
pub(in crate::reconcile) mod service;
mod standing;

use std::sync::Arc;

use tracing::{info, warn};

use super::{agent::Agent, catalog::Catalog};
use crate::{
    api::{SharedService, SharedServiceStatus},
    domain::ServiceKey,
    ports::{Event, EventKind, StatusUpdate},
};

impl Agent {
    /// Writes the status of one service and of its Failovers into this cluster. Every region does so for its own; the
    /// ledger makes them say the same.
    pub(super) async fn report(&self, key: &ServiceKey, catalog: &Catalog) {
        if !catalog.services.contains_key(key) {
            // Again, because a pass that was under way when the service went has measured it once more.
            self.ports.metrics.forget_service(key);
        }
        if !self.speaks() {
            return;
        }
        if self.can_show() {
            self.report_failovers(key, catalog).await;
        }
        let Some(entry) = catalog.services.get(key) else { return };
        let before = self.reported(key, &entry.object);
        let status = match &entry.parsed {
            Ok(parsed) => self.service_status(parsed, catalog, &before),
            Err(violations) => service::invalid(&entry.object, &before, violations, self.now()),
        };
        let status = Arc::new(status);
        if !self.can_show() {
            return;
        }
        self.note_reported(key, status.clone());
        if status == before && entry.object.status.as_ref() == Some(&*status) {
            return;
        }
        for event in changes::of_service(key, &before, &status) {
            self.tell(event).await;
        }
        self.write(StatusUpdate::Service(key.clone(), Box::new((*status).clone()))).await;
    }

    fn note_reported(&self, key: &ServiceKey, status: Arc<SharedServiceStatus>) {
        let now = self.ports.clock.tick();
        let mut shared = self.shared();
        shared.reported.insert(key.clone(), status);
        shared.shown.insert(key.clone(), now);
    }

    /// The status that was reported last: by this process, or by the one before it.
    pub(super) fn reported(&self, key: &ServiceKey, object: &SharedService) -> Arc<SharedServiceStatus> {
        let own = self.shared().reported.get(key).cloned();
        own.unwrap_or_else(|| Arc::new(object.status.clone().unwrap_or_default()))
    }

    pub(super) async fn write(&self, update: StatusUpdate) {
        if let Err(error) = self.ports.resources.write_status(update).await {
            warn!(%error, "status not written, trying again at the next pass");
        }
    }

    /// An event for those who read `kubectl describe`, and a log line for those who read logs.
    pub(super) async fn tell(&self, event: Event) {
        let object = format!("{} {}/{}", event.object.kind, event.object.namespace, event.object.name);
        match event.kind {
            EventKind::Normal => {
                info!(object, reason = event.reason, action = event.action, "{}", event.note)
            }
            EventKind::Warning => {
                warn!(object, reason = event.reason, action = event.action, "{}", event.note)
            }
        }
        self.ports.resources.emit(event).await;
    }

    pub(super) fn now(&self) -> k8s_openapi::jiff::Timestamp {
        timestamp(self.ports.clock.wall())
    }
}

/// The same moment for Kubernetes.
fn timestamp(at: crate::domain::Timestamp) -> k8s_openapi::jiff::Timestamp {
    k8s_openapi::jiff::Timestamp::from_millisecond(at.0).unwrap_or_default()
}

/// RFC 3339 with milliseconds.
pub(super) fn rfc3339(at: crate::domain::Timestamp) -> String {
    format!("{:.3}", timestamp(at))
}

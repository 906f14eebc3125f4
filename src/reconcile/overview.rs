//! The state of one process as one JSON document: what `/status` shows.

use serde_json::{Value, json};

use super::agent::Agent;

impl Agent {
    /// What keeps the ledger from being used; `None`: it was read as a whole and answers.
    #[must_use]
    pub fn ledger_trouble(&self) -> Option<&'static str> {
        match (self.mirror.is_ready(), self.tenures.ledger_answers()) {
            (false, _) => Some("waits for the first full read"),
            (true, false) => Some("no answer for as long as a lease lasts; nothing is decided here"),
            (true, true) => None,
        }
    }

    /// Who this process is, who leads, who watches, and the status of every service.
    #[must_use]
    pub fn overview(&self) -> Value {
        let catalog = self.catalog();
        let services: Vec<Value> = catalog
            .services
            .iter()
            .map(|(key, entry)| match &entry.parsed {
                Ok(parsed) => json!({
                    "service": key.to_string(),
                    "status": self.service_status(parsed, &catalog, &self.reported(key, &entry.object)),
                }),
                Err(violations) => json!({
                    "service": key.to_string(),
                    "invalid": violations.iter().map(ToString::to_string).collect::<Vec<_>>(),
                }),
            })
            .collect();
        let unreadable: Vec<Value> = self
            .mirror
            .unreadable()
            .into_iter()
            .map(|(key, cause)| json!({"key": key.to_string(), "cause": cause}))
            .collect();
        json!({
            "region": self.settings.region,
            "identity": self.settings.identity,
            "source": self.source(),
            "refusedBy": self.refused_by(),
            "leads": self.is_leader(),
            "speaks": self.speaks(),
            "leader": self.mirror.leader(),
            "vantages": self.mirror.vantages(),
            "services": services,
            "unreadableRecords": unreadable,
        })
    }
}

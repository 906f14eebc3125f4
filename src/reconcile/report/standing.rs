//! Status of Regions and GradePolicies, and of objects that cannot be read.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use crate::{
    api::{self, ConditionType, GradePolicy, GradePolicyStatus, Region, RegionStatus, condition},
    domain::{Fleet, RegionName},
    ports::{Event, EventKind, StatusUpdate},
    reconcile::{agent::Agent, catalog::Catalog},
};

impl Agent {
    /// Writes what is known of regions and policies.
    pub(in crate::reconcile) async fn report_standing(&self) {
        self.ports.metrics.set_leader(self.is_leader());
        let vantages = self.mirror.vantages();
        let catalog = self.catalog();
        for (region, alive) in &vantages {
            match *alive || catalog.regions.contains_key(region) {
                // What was read before the ledger went silent says nothing of now.
                true => self.ports.metrics.set_vantage_alive(region, *alive && self.tenures.ledger_answers()),
                // The ledger remembers its lease for ever; the Region is gone, and nobody waits for it.
                false => self.ports.metrics.forget_vantage(region),
            }
        }
        if !self.speaks() {
            // While the ledger is silent nobody speaks, and what was seen last stays.
            let speaker = self.mirror.speaker(&self.settings.region);
            if speaker.is_some_and(|speaker| speaker != self.settings.identity) {
                self.ports.metrics.forget_statuses();
            }
            return;
        }
        let fleet = self.fleet(&catalog);
        for (name, region) in &catalog.snapshot.regions {
            let alive = vantages.get(&RegionName::new(name)).copied();
            let status = region_status(region, name, alive, &fleet, &catalog, self.now());
            self.write(StatusUpdate::Region(name.clone(), status)).await;
        }
        for (name, policy) in &catalog.snapshot.policies {
            let status = policy_status(policy, name, &catalog, self.now());
            self.write(StatusUpdate::Policy(name.clone(), status)).await;
        }
        self.report_drills(&catalog).await;
        self.report_waiting(&catalog).await;
        self.report_invalid(&catalog).await;
    }

    /// An object that does not fit its own type is told on the object itself, once for each mistake.
    async fn report_invalid(&self, catalog: &Catalog) {
        let invalid = &catalog.snapshot.invalid;
        let now: BTreeMap<_, _> = invalid.iter().map(|i| (i.object.clone(), i.message.clone())).collect();
        let before = std::mem::replace(&mut self.shared().reported_invalid, now.clone());
        for (object, message) in
            now.into_iter().filter(|(object, message)| before.get(object) != Some(message))
        {
            let event = Event {
                object,
                kind: EventKind::Warning,
                reason: "InvalidObject".to_owned(),
                action: "Read".to_owned(),
                note: format!("cannot be read and is not operated: {message}"),
            };
            self.tell(event).await;
        }
    }
}

fn region_status(
    region: &Region,
    name: &str,
    alive: Option<bool>,
    fleet: &Fleet,
    catalog: &Catalog,
    now: Timestamp,
) -> RegionStatus {
    use ConditionType::{AgentAlive, Lost, Ready};
    let generation = region.metadata.generation;
    let lost = fleet.lost(&RegionName::new(name));
    let state = fleet.regions.get(&RegionName::new(name)).copied().unwrap_or_default();
    let shares = shares_fate(region, name, catalog);
    let judged = format!("{} of {} judged members are down", state.down, state.judged);
    let (agent, agent_text) = match alive {
        Some(true) => ("LeaseRenewed", "its Bongsu renews its lease"),
        Some(false) => ("LeaseExpired", "its Bongsu does not renew its lease: look at the pods there"),
        None => ("NeverSeen", "no Bongsu was ever seen there: helm install one with this region"),
    };
    let (ready, reason, text) = match (lost, alive, shares) {
        (true, ..) => (Some(false), "Lost", judged.clone()),
        (false, Some(true), None) => (Some(true), "Watching", "watches and votes".to_owned()),
        (false, Some(true), Some(text)) => (Some(true), "SharedFailureDomain", text),
        (false, Some(false), _) => (Some(false), agent, agent_text.to_owned()),
        (false, None, _) => (None, agent, agent_text.to_owned()),
    };
    let conditions = vec![
        condition(AgentAlive, alive, agent, agent_text, generation, now),
        condition(Lost, Some(lost), if lost { "MembersDown" } else { "NotLost" }, judged, generation, now),
        condition(Ready, ready, reason, text, generation, now),
    ];
    let before = region.status.clone().unwrap_or_default();
    RegionStatus {
        observed_generation: generation,
        conditions: api::merge_conditions(&before.conditions, conditions),
    }
}

fn shares_fate(region: &Region, name: &str, catalog: &Catalog) -> Option<String> {
    let domain = region.spec.failure_domain.as_ref()?;
    let other =
        catalog.snapshot.regions.iter().find(|(other, spec)| {
            other.as_str() != name && spec.spec.failure_domain.as_ref() == Some(domain)
        })?;
    Some(format!("shares failure domain {domain} with Region {}: both can be lost at once", other.0))
}

fn policy_status(policy: &GradePolicy, name: &str, catalog: &Catalog, now: Timestamp) -> GradePolicyStatus {
    let in_force = catalog.policies.name_of(policy.spec.grade);
    let (value, reason, text) = match in_force {
        Some(other) if other != name => {
            let text = format!(
                "GradePolicy {other} is older and rules grade {}: delete one of them",
                policy.spec.grade
            );
            (Some(false), "AnotherPolicy", text)
        }
        _ => (Some(true), "InForce", format!("rules the services of grade {}", policy.spec.grade)),
    };
    let generation = policy.metadata.generation;
    let conditions = vec![condition(ConditionType::Ready, value, reason, text, generation, now)];
    let before = policy.status.clone().unwrap_or_default();
    GradePolicyStatus {
        observed_generation: generation,
        conditions: api::merge_conditions(&before.conditions, conditions),
    }
}

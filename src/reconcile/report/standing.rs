//! Status of Regions and GradePolicies, and of objects that cannot be read.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::conditions::specs;
use crate::{
    api::{self, ConditionType, GradePolicy, GradePolicyStatus, Region, RegionStatus, condition},
    domain::{Agreement, Fleet, Identity, RegionName, RegionVerdict, Stretch},
    ports::{Event, EventKind, StatusUpdate},
    reconcile::{agent::Agent, catalog::Catalog, identity::rival_text},
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
        if let Some(text) = self.identity_trouble() {
            self.report_refused(&catalog, text).await;
        }
        if !self.speaks() {
            // While the ledger is silent nobody speaks, and what was seen last stays.
            let speaker = self.mirror.speaker(&self.settings.region);
            if speaker.is_some_and(|speaker| speaker != self.settings.identity) {
                self.ports.metrics.forget_statuses();
            }
            return;
        }
        if !self.can_show() {
            return;
        }
        let fleet = self.fleet(&catalog);
        for (name, region) in &catalog.snapshot.regions {
            let told = Told {
                alive: vantages.get(&RegionName::new(name)).copied(),
                stretch: self.stretch_of(&RegionName::new(name)),
                rival: self.rival().filter(|_| *name == *self.settings.region.as_str()),
                specs: self.agreement_on(name, &catalog.standing_regions, |said| &said.regions),
            };
            let status = region_status(region, name, &told, &fleet, &catalog, self.now());
            self.write(StatusUpdate::Region(name.clone(), status)).await;
        }
        for (name, policy) in &catalog.snapshot.policies {
            let specs = self.agreement_on(name, &catalog.standing_policies, |said| &said.policies);
            let status = policy_status(policy, name, &specs, &catalog, self.now());
            self.write(StatusUpdate::Policy(name.clone(), status)).await;
        }
        self.report_drills(&catalog).await;
        self.report_waiting(&catalog).await;
        self.report_invalid(&catalog).await;
    }

    /// How far a region leaves out samples; `None`: it does not say.
    pub(in crate::reconcile) fn stretch_of(&self, region: &RegionName) -> Option<Stretch> {
        match *region == self.settings.region {
            true => Some(self.vantage.stretch()),
            false => self.mirror.standing_entry(region).and_then(|(_, said)| said.stretch),
        }
    }

    /// Says on the own Region that another installation has its name.
    async fn report_refused(&self, catalog: &Catalog, text: String) {
        let name = self.settings.region.to_string();
        let Some(region) = catalog.snapshot.regions.get(&name) else { return };
        let generation = region.metadata.generation;
        let told = |kind| condition(kind, Some(false), "RegionRefused", text.clone(), generation, self.now());
        let conditions = [ConditionType::NameUnique, ConditionType::Ready].map(told);
        let before = region.status.clone().unwrap_or_default();
        let status = RegionStatus {
            observed_generation: generation,
            conditions: api::merge_conditions(&before.conditions, conditions.into()),
        };
        self.write(StatusUpdate::Region(name, status)).await;
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

/// What is known of a region from elsewhere.
struct Told {
    alive: Option<bool>,
    /// How far its vantage leaves out samples, by what it said last.
    stretch: Option<Stretch>,
    rival: Option<Identity>,
    specs: Agreement,
}

fn region_status(
    region: &Region,
    name: &str,
    told: &Told,
    fleet: &Fleet,
    catalog: &Catalog,
    now: Timestamp,
) -> RegionStatus {
    use ConditionType::{AgentAlive, Lost, NameUnique, ProbesOnTime, Ready};
    let alive = told.alive;
    let generation = region.metadata.generation;
    let lost = fleet.lost(&RegionName::new(name));
    let state = fleet.regions.get(&RegionName::new(name)).copied().unwrap_or_default();
    let shares = shares_fate(region, name, catalog);
    let verdict = fleet.verdict_on(&RegionName::new(name));
    let judged = match verdict {
        RegionVerdict::NotLost => format!("{} of {} judged members are down", state.down, state.judged),
        other => format!("{} of {} judged members are down: {other}", state.down, state.judged),
    };
    let (agent, agent_text) = match alive {
        Some(true) => ("LeaseRenewed", "its Bongsu renews its lease"),
        Some(false) => ("LeaseExpired", "its Bongsu does not renew its lease: look at the pods there"),
        None => ("NeverSeen", "no Bongsu was ever seen there: helm install one with this region"),
    };
    let (ready, reason, text) = match (lost, alive, shares) {
        (true, ..) => (Some(false), "Lost", judged.clone()),
        (false, Some(true), _) if verdict == RegionVerdict::SeesBadly => {
            (Some(false), verdict.as_str(), verdict.to_string())
        }
        (false, Some(true), None) => (Some(true), "Watching", "watches and votes".to_owned()),
        (false, Some(true), Some(text)) => (Some(true), "SharedFailureDomain", text),
        (false, Some(false), _) => (Some(false), agent, agent_text.to_owned()),
        (false, None, _) => (None, agent, agent_text.to_owned()),
    };
    let (unique, named, named_text) = match &told.rival {
        None => (true, "OneInstallation", "one installation calls itself by this name".to_owned()),
        Some(rival) => (false, "SecondInstallation", rival_text(rival)),
    };
    let (kind, same, sync, sync_text) = specs(&told.specs, ("Region", GOES_BY_OWN));
    let (on_time, pace, pace_text) = probes_on_time(told);
    let conditions = vec![
        condition(NameUnique, Some(unique), named, named_text, generation, now),
        condition(kind, same, sync, sync_text, generation, now),
        condition(AgentAlive, alive, agent, agent_text, generation, now),
        condition(ProbesOnTime, on_time, pace, pace_text, generation, now),
        condition(Lost, Some(lost), verdict.as_str(), judged, generation, now),
        condition(Ready, ready, reason, text, generation, now),
    ];
    let before = region.status.clone().unwrap_or_default();
    RegionStatus {
        observed_generation: generation,
        conditions: api::merge_conditions(&before.conditions, conditions),
    }
}

fn probes_on_time(told: &Told) -> (Option<bool>, &'static str, String) {
    match told.stretch {
        _ if told.alive != Some(true) => (None, "Silent", "its Bongsu is silent".to_owned()),
        None => (None, "NotSaid", "its Bongsu is of a version that does not say so".to_owned()),
        Some(stretch) if stretch.is_none() => (Some(true), "KeepsUp", stretch.to_string()),
        Some(stretch) => {
            let remedy = "its Bongsu needs more CPU, or longer intervals";
            (Some(false), "Stretched", format!("{stretch}: {remedy}"))
        }
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

/// The policy is part of what is compared of each service.
const OF_GRADE: &str = "see SpecInSync of its services";

/// Levers are pulled in one cluster first.
const GOES_BY_OWN: &str = "the leader goes by what its own cluster holds";

fn policy_status(
    policy: &GradePolicy,
    name: &str,
    held: &Agreement,
    catalog: &Catalog,
    now: Timestamp,
) -> GradePolicyStatus {
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
    let (kind, same, sync, sync_text) = specs(held, ("GradePolicy", OF_GRADE));
    let conditions = vec![
        condition(ConditionType::Ready, value, reason, text, generation, now),
        condition(kind, same, sync, sync_text, generation, now),
    ];
    let before = policy.status.clone().unwrap_or_default();
    GradePolicyStatus {
        observed_generation: generation,
        conditions: api::merge_conditions(&before.conditions, conditions),
    }
}

//! From a SwitchoverDrill to a run: which services, which way, within what limits.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    bring::instant,
    policy::{approvals, ramp},
};
use crate::{
    api::{self, ConcurrencyPolicy, DrillKind, SwitchoverDrill},
    domain::{
        Condition, DrillLimits, DrillPhase, DrillRun, DrilledService, RegionName, RunId, SampleLimits,
        Service, ServiceKey, Timestamp, Topology,
    },
    reconcile::{agent::Agent, catalog::Catalog, parse::Parsed, report::rfc3339},
};

impl Agent {
    /// The run that a DrillRun object asks for.
    ///
    /// # Errors
    /// Why there can be none, and what to do.
    pub(super) fn drill_run_of(
        &self,
        namespace: &str,
        id: RunId,
        object: &api::DrillRun,
        catalog: &Catalog,
    ) -> Result<DrillRun, String> {
        let spec = &object.spec;
        let drill = catalog.snapshot.drills.get(&(namespace.to_owned(), spec.drill_name.clone()));
        let drill = drill.ok_or_else(|| {
            format!(
                "there is no SwitchoverDrill {} in this namespace: create it, or name another",
                spec.drill_name
            )
        })?;
        let now = self.ports.clock.wall();
        let starts_at = match &spec.starts_at {
            Some(text) => instant(text).ok_or_else(|| {
                format!("startsAt {text:?} is no time: write it like 2027-03-02T10:00:00+09:00")
            })?,
            None => now,
        };
        Ok(self.new_drill_run(namespace, id, drill, spec, starts_at, catalog))
    }

    pub(in crate::reconcile) fn new_drill_run(
        &self,
        namespace: &str,
        id: RunId,
        drill: &SwitchoverDrill,
        spec: &api::DrillRunSpec,
        starts_at: Timestamp,
        catalog: &Catalog,
    ) -> DrillRun {
        let mut run = DrillRun {
            id,
            namespace: Arc::from(namespace),
            drill: Arc::from(spec.drill_name.as_str()),
            live: drill.spec.kind == DrillKind::Live,
            detects: drill.spec.kind == DrillKind::Detection,
            reason: spec.reason.clone(),
            requested_by: spec.requested_by.clone(),
            slot: None,
            announced_at: self.ports.clock.wall(),
            starts_at,
            limits: limits(drill, &selected(drill, namespace, catalog), catalog),
            conditions: conditions(drill),
            ramp: if drill.spec.kind == DrillKind::Live { ramp(drill) } else { Vec::new() },
            ramp_done: 0,
            rests_since: None,
            phase: DrillPhase::Announced,
            services: Vec::new(),
            pre_checks: Vec::new(),
            approved_by: BTreeMap::new(),
            started_at: None,
            held_since: None,
            stop: None,
            ended_at: None,
            verdict: None,
            report_digest: None,
            findings: Vec::new(),
            timeline: Vec::new(),
            words: BTreeMap::new(),
            message: format!("announced: starts at {}", rfc3339(starts_at)),
            owner: self.settings.identity.clone(),
        };
        run.services = self.drilled_services(&run, catalog);
        run
    }

    /// The services that a run moves, what is needed before what needs it. Empty if the drill is gone.
    pub(super) fn drilled_services(&self, run: &DrillRun, catalog: &Catalog) -> Vec<DrilledService> {
        let key = (run.namespace.to_string(), run.drill.to_string());
        let Some(drill) = catalog.snapshot.drills.get(&key) else { return Vec::new() };
        let selected = selected(drill, &run.namespace, catalog);
        let drilled = |parsed: &Arc<Parsed>| {
            let (leaves, goes_to) = self.way(&drill.spec.direction, &parsed.service)?;
            Some(DrilledService::waiting(parsed.service.key.clone(), leaves, goes_to, parsed.service.rto))
        };
        in_order(selected).iter().filter_map(drilled).collect()
    }

    /// The region that a service leaves, and where it goes if that is said. `None`: it is not concerned.
    fn way(
        &self,
        direction: &api::DrillDirection,
        service: &Service,
    ) -> Option<(RegionName, Option<RegionName>)> {
        let (_, record) = self.mirror.record(&service.key)?;
        if let Some(region) = direction.away_from.as_deref().map(RegionName::new) {
            return record.serving.contains(&region).then_some((region, None));
        }
        if let Some(region) = direction.to.as_deref().map(RegionName::new) {
            let concerned = service.topology == Topology::ActiveStandby
                && service.members.contains_key(&region)
                && !record.serving.contains(&region);
            return concerned.then(|| Some((record.serving.first()?.clone(), Some(region))))?;
        }
        let longest_ago = self.mirror.with_passed(|passed| {
            let last = |region: &&RegionName| passed.away_from(&service.key, region).map(|passed| passed.at);
            record.serving.iter().min_by_key(last)
        })?;
        Some((longest_ago.clone(), None))
    }
}

fn limits(drill: &SwitchoverDrill, services: &[Arc<Parsed>], catalog: &Catalog) -> DrillLimits {
    let spec = &drill.spec;
    let deadline = spec.schedule.as_ref().map(|schedule| schedule.starting_deadline.0);
    DrillLimits {
        hold: spec.hold.0,
        max_duration: spec.guardrails.max_duration.0,
        starting_deadline: deadline.unwrap_or(api::STARTING_DEADLINE.0),
        degraded: spec.guardrails.degraded,
        samples: samples(&spec.guardrails),
        approvals: approvals(drill, services, &catalog.policies),
        waits_for_another: spec.concurrency_policy == ConcurrencyPolicy::Wait,
    }
}

fn samples(guardrails: &api::Guardrails) -> Option<SampleLimits> {
    let limits = SampleLimits {
        count: usize::try_from(guardrails.samples).ok()?,
        max_latency: guardrails.max_latency.map(Into::into),
        max_failed_percent: guardrails.max_failed_percent.and_then(|percent| u32::try_from(percent).ok()),
    };
    (limits.max_latency.is_some() || limits.max_failed_percent.is_some()).then_some(limits)
}

/// The gates, then the guardrails, then what still arrives where the services were.
fn conditions(drill: &SwitchoverDrill) -> Vec<Condition> {
    let spec = &drill.spec;
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
    let condition = |guards: bool| {
        move |written: &api::PromqlCondition| Condition {
            name: Arc::from(written.name.as_str()),
            query: written.query.clone(),
            min: number(&written.min),
            max: number(&written.max),
            guards,
            residual: false,
            may_break_for: written.lasting.unwrap_or_default().0,
            may_be_unknown_for: spec.guardrails.unknown_for.0,
            broken_since: None,
            unknown_since: None,
        }
    };
    let gates = spec.gates.iter().map(condition(false));
    let guards = spec.guardrails.promql.iter().map(condition(true));
    let residual = spec.residual.iter().map(|written| Condition {
        name: Arc::from("residual"),
        query: written.query.clone(),
        min: None,
        max: number(&Some(written.max.clone())),
        guards: false,
        residual: true,
        may_break_for: Duration::ZERO,
        may_be_unknown_for: Duration::ZERO,
        broken_since: None,
        unknown_since: None,
    });
    gates.chain(guards).chain(residual).collect()
}

/// The services of the namespace that a drill selects, as far as they can be operated.
pub(super) fn selected(drill: &SwitchoverDrill, namespace: &str, catalog: &Catalog) -> Vec<Arc<Parsed>> {
    let selector = &drill.spec.services;
    let fits = |(key, entry): &(&ServiceKey, &crate::reconcile::catalog::ServiceEntry)| {
        let (spec, labels) = (&entry.object.spec, entry.object.metadata.labels.as_ref());
        *key.namespace == *namespace
            && (selector.names.is_empty() || selector.names.iter().any(|name| **name == *key.name))
            && selector.part_of.as_ref().is_none_or(|group| spec.part_of.as_ref() == Some(group))
            && selector.grade.is_none_or(|grade| spec.grade == grade)
            && selector
                .match_labels
                .iter()
                .all(|(label, value)| labels.and_then(|l| l.get(label)) == Some(value))
    };
    let found = catalog.services.iter().filter(fits);
    found.filter_map(|(_, entry)| entry.parsed.as_ref().ok().cloned()).collect()
}

/// What is needed stands before what needs it; else by name. What needs itself in a circle stands last, as it came.
pub(super) fn in_order(mut left: Vec<Arc<Parsed>>) -> Vec<Arc<Parsed>> {
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |parsed: &Arc<Parsed>| {
            let needs = &parsed.service.depends_on;
            left.iter()
                .any(|other| needs.contains(&other.service.key) && other.service.key != parsed.service.key)
        };
        let (waiting, free): (Vec<_>, Vec<_>) = left.iter().cloned().partition(waits);
        let stuck = free.is_empty();
        ordered.extend(if stuck { waiting.clone() } else { free });
        left = if stuck { Vec::new() } else { waiting };
    }
    ordered
}

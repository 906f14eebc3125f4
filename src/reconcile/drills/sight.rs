//! What a run of a drill can see of the world.

use std::{collections::BTreeMap, sync::Arc};

use super::schedule::moment;
use crate::{
    domain::{
        DrillPhase, DrillRun, DrillSight, DrilledService, Judged, MemberHealth, MoveSight, Observation,
        PreCheck, RegionName, Request, RunId, ServiceKey, ServiceSight, Trigger, decide, detection,
        return_capacity, serving_healthy,
    },
    planted::planted,
    reconcile::{agent::Agent, catalog::Catalog, parse::Parsed},
};

/// Services of one run. With what is asked of each before the start this is some 150 KB, and the report of the run, which the
/// ledger keeps too, is several times as long; a record holds at most 1 MiB.
const SERVICES_MAX: usize = 50;

impl Agent {
    pub(super) fn drill_sight(&self, run: &DrillRun, catalog: &Catalog) -> DrillSight {
        let now = self.ports.clock.wall();
        let starts = run.phase == DrillPhase::Announced && now >= run.starts_at;
        let detects = run.detects && run.phase == DrillPhase::Holding;
        let asks = (starts || detects) && run.services.len() <= SERVICES_MAX;
        DrillSight {
            now,
            waits_for: self.missing(run, catalog).filter(|_| asks && run.live && !run.detects),
            another_run: self.another_run(run),
            checks: if starts { self.checks_of_drill(run, catalog) } else { Vec::new() },
            conditions: self.measured(run),
            services: run.services.iter().map(|d| self.service_sight(run, d, asks, catalog)).collect(),
        }
    }

    /// What is not known yet and will be soon.
    fn missing(&self, run: &DrillRun, catalog: &Catalog) -> Option<String> {
        let unwatched =
            self.unwatched(catalog).map(|region| format!("the Bongsu of {region} to renew its lease"));
        let unasked =
            || self.ledger_complete().is_none().then(|| "the members of the ledger to answer".to_owned());
        unwatched.or_else(|| self.untried(run, catalog)).or_else(unasked)
    }

    /// A region whose Bongsu is silent: of what is there nobody knows enough to begin a drill, be the others sure or not.
    fn unwatched(&self, catalog: &Catalog) -> Option<RegionName> {
        let vantages = self.mirror.vantages().into_iter();
        let mut silent = vantages.filter(|(region, alive)| !alive && catalog.regions.contains_key(region));
        silent.next().map(|(region, _)| region).filter(|_| !planted!(DrillDuringIncident))
    }

    /// A service whose name servers have not shown yet that they can be written.
    fn untried(&self, run: &DrillRun, catalog: &Catalog) -> Option<String> {
        let known = run.services.iter().filter(|drilled| catalog.parsed(&drilled.service).is_some());
        let untried = known.map(|drilled| &drilled.service).find(|key| self.rehearsed(key).is_none())?;
        Some(format!("the name servers of {} to take an update that changes nothing", untried.name))
    }

    fn another_run(&self, run: &DrillRun) -> Option<RunId> {
        let same = self.mirror.drills_of(&run.namespace, &run.drill);
        let other = same.iter().find(|(_, other)| other.id != run.id && other.phase.is_going_on());
        other.map(|(_, other)| other.id.clone())
    }

    fn service_sight(
        &self,
        run: &DrillRun,
        drilled: &DrilledService,
        starts: bool,
        catalog: &Catalog,
    ) -> ServiceSight {
        let moved = |id: &RunId| {
            let (_, found) = self.mirror.run(&drilled.service, id)?;
            Some(MoveSight {
                state: found.state,
                verified: found.times.verified,
                message: found.message.clone(),
            })
        };
        let mut sight = ServiceSight {
            away: moved(&run.away_id(drilled)),
            back: moved(&run.back_id(drilled)),
            ..ServiceSight::default()
        };
        let Some((_, record)) = self.mirror.record(&drilled.service) else { return sight };
        sight.serving.clone_from(&record.serving);
        let Some(parsed) = catalog.parsed(&drilled.service) else { return sight };
        let seen = self.observe(parsed, catalog);
        let beyond = self.beyond(parsed, &seen.vantages);
        sight.beyond = record.serving.iter().find_map(|region| beyond.get(region).cloned());
        sight.health = worst(record.serving.iter().map(|region| seen.health_in(region)));
        sight.origin = seen.health_in(&drilled.leaves);
        if starts {
            sight.checks = self.checks_of_service(run, drilled, parsed, seen, &beyond, catalog);
        }
        sight
    }

    /// What every rule says of the move, and what a drill asks besides.
    fn checks_of_service(
        &self,
        run: &DrillRun,
        drilled: &DrilledService,
        parsed: &Parsed,
        mut seen: Observation,
        beyond: &BTreeMap<RegionName, String>,
        catalog: &Catalog,
    ) -> Vec<PreCheck> {
        let name = &drilled.service.name;
        if run.detects {
            return detection(&seen, &drilled.leaves);
        }
        seen.request = Some(Request {
            run: run.away_id(drilled),
            from: Some(drilled.leaves.clone()),
            to: drilled.goes_to.clone(),
            dry_run: !run.live,
            trigger: Trigger::Drill,
        });
        let decision = decide(&seen);
        let of_rule = |evaluation| Judged::from(evaluation).pre_check(Some(name));
        let mut checks: Vec<PreCheck> = decision.rules.iter().map(of_rule).collect();
        if run.limits.samples.is_some() {
            let mut to = decision.wanted.iter().flat_map(|change| &change.to);
            let found = to.find_map(|region| Some(format!("{region}: {}", beyond.get(region)?)));
            checks.push(check("SamplesWithin", Some(name), found));
        }
        let well = match planted!(DrillDuringIncident) {
            true => Judged::unless("ServingHealthy", None),
            false => serving_healthy(&seen),
        };
        checks.extend([well, return_capacity(&seen)].map(|judged| judged.pre_check(Some(name))));
        if run.live {
            let untried = || Some("its name servers were not tried in time".to_owned());
            let wrong = self.rehearsed(&drilled.service).unwrap_or_else(untried);
            checks.push(check("TrafficWritable", Some(name), wrong));
        }
        let other = self.other_move(parsed, run, catalog).filter(|_| !planted!(TwoDrillsOfAChain));
        checks.push(check("NoOtherMove", Some(name), other));
        checks.extend(self.checks_of_policy(run, drilled, parsed, catalog));
        checks
    }

    fn checks_of_drill(&self, run: &DrillRun, catalog: &Catalog) -> Vec<PreCheck> {
        let fleet = self.fleet(catalog);
        let lost = fleet.regions.iter().find(|(_, state)| state.lost && !planted!(DrillDuringIncident));
        let silent = (!self.tenures.ledger_answers()).then(|| "the ledger does not answer".to_owned());
        let key = (run.namespace.to_string(), run.drill.to_string());
        let table = catalog.timetables.get(&key).and_then(|parsed| parsed.as_ref().as_ref().ok());
        let closed = table.and_then(|table| table.blocked_at(moment(self.ports.clock.wall())));
        let unwatched = self.unwatched(catalog).filter(|_| !run.detects);
        let unwatched = unwatched
            .map(|region| format!("the Bongsu of {region} does not renew its lease: look at the pods there"));
        let mut checks = vec![
            check("TimeAllowed", None, closed.map(|blocked| format!("blocked now: {blocked}"))),
            check("ServicesCount", None, too_many(run.services.len())),
            check("RampFits", None, self.ramp_of(run, catalog)),
            check("NoRegionLost", None, lost.map(|(region, _)| format!("region {region} is lost"))),
            check("RegionsWatched", None, unwatched),
            check("LedgerAnswers", None, silent),
        ];
        if run.live && !run.detects {
            let unasked = || {
                let unasked = "the members of the ledger were not asked in time".to_owned();
                check("LedgerComplete", None, Some(unasked))
            };
            checks.push(self.ledger_complete().unwrap_or_else(unasked));
        }
        checks
    }

    /// Another move, or another drill, in the same group or chain of dependencies.
    fn other_move(&self, parsed: &Parsed, run: &DrillRun, catalog: &Catalog) -> Option<String> {
        let service = &parsed.service;
        let chain = catalog.chain(&service.key);
        // Of one that this cluster does not know, because specs differ, nobody can say that it is not related.
        let related = |other: &ServiceKey| match catalog.parsed(other) {
            None => true,
            Some(theirs) => {
                let same_group = service.part_of.is_some() && theirs.service.part_of == service.part_of;
                same_group || chain.contains(other)
            }
        };
        let drills = self.mirror.drills();
        // One that only asks whether a loss would be noticed moves nothing.
        let moves = |other: &DrillRun| other.id != run.id && other.phase.is_going_on() && !other.detects;
        let going_on = drills.iter().filter(|(_, other)| moves(other));
        let mut drilled = going_on.flat_map(|(_, other)| other.services.iter().map(move |d| (other, d)));
        if let Some((other, found)) = drilled.find(|(_, found)| related(&found.service)) {
            return Some(format!("DrillRun {} moves {}", other.id, found.service.name));
        }
        let moving =
            |key: &&ServiceKey| self.mirror.record(key).is_some_and(|(_, record)| record.run.is_some());
        let all = self.mirror.services();
        let moved = all.iter().filter(|key| related(key)).find(moving);
        moved.map(|key| format!("{key} is being moved"))
    }
}

fn too_many(services: usize) -> Option<String> {
    (services > SERVICES_MAX).then(|| {
        format!("{services} services are selected, a run moves at most {SERVICES_MAX}: make several drills")
    })
}

pub(super) fn check(name: &'static str, service: Option<&Arc<str>>, wrong: Option<String>) -> PreCheck {
    Judged::unless(name, wrong).pre_check(service)
}

/// The order of the variants is the order of badness; nobody at all is unknown.
fn worst(all: impl Iterator<Item = MemberHealth>) -> MemberHealth {
    all.max().unwrap_or_default()
}

//! Reads everything that one decision may depend on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::{agent::Agent, catalog::Catalog, parse::Parsed, survey::Asked};
use crate::{
    domain::{
        BudgetLimits, BudgetUse, Epoch, Fleet, MemberHealth, MemberView, Observation, Published, Record,
        RegionName, Report, Request, Service, ServiceKey, Switches, Timings, Trigger, VantageView, judge,
    },
    ports::ServerState,
};

impl Agent {
    /// Everything but what is published, which takes a look at the name servers.
    pub(super) fn observe(&self, parsed: &Parsed, catalog: &Catalog) -> Observation {
        let service = &parsed.service;
        let (fleet, reports, dependencies_down) = self.with_survey(catalog, Some(parsed), |fleet, asked| {
            let down = self.dependencies_down(service, catalog, fleet, asked);
            (fleet.clone(), asked.reports(&service.key), down)
        });
        let record = self.mirror.record(&service.key).map(|(_, record)| (*record).clone());
        Observation {
            wall: self.ports.clock.wall(),
            members: members(service, &reports, catalog, &fleet),
            budgets: self.budgets(record.as_ref(), service, catalog),
            vantages: fleet.vantages.clone(),
            published: Published::default(),
            specs: self.agreement(&service.key, catalog, &fleet),
            dependencies_down,
            switches: Switches {
                global_stop: catalog.global_stop.clone(),
                name_claimed_by: catalog.claimed.get(&service.key).cloned(),
            },
            last_drill: self.mirror.with_passed(|passed| passed.last(&service.key)),
            request: self.open_request(&service.key),
            in_drill: self.mirror.is_in_drill(&service.key),
            writer: self.writer_lease(&service.key),
            timings: self.timings(service, &fleet.vantages),
            service: service.clone(),
            record,
        }
    }

    fn open_request(&self, service: &ServiceKey) -> Option<Request> {
        let (run, entry) = self.mirror.open_request(service)?;
        Some(Request {
            run,
            from: entry.from.clone(),
            to: entry.to.clone(),
            dry_run: entry.dry_run,
            trigger: entry.trigger,
        })
    }

    /// Services that this one needs and whose serving members are all down.
    fn dependencies_down(
        &self,
        service: &Service,
        catalog: &Catalog,
        fleet: &Fleet,
        asked: &Asked,
    ) -> Vec<ServiceKey> {
        let is_down = |key: &&ServiceKey| {
            let (Some(parsed), Some((_, record))) = (catalog.parsed(key), self.mirror.record(key)) else {
                // Unknown is not down (I9).
                return false;
            };
            let reports = asked.reports(key);
            record.serving.iter().all(|region| {
                let quorum = parsed.service.health.quorum;
                let judged = reports.get(region).map(|r| judge(region, r, &fleet.vantages, quorum));
                judged == Some(MemberHealth::Down)
            })
        };
        service.depends_on.iter().filter(is_down).cloned().collect()
    }

    /// The budgets of the regions that serve.
    pub(super) fn budgets(
        &self,
        record: Option<&Record>,
        service: &Service,
        catalog: &Catalog,
    ) -> Vec<(RegionName, BudgetLimits, BudgetUse)> {
        let serving = record.into_iter().flat_map(|record| &record.serving);
        serving.map(|region| self.budget(region, service, catalog)).collect()
    }

    /// Limits of a region, and how much of them is used: by runs in the ledger and by moves decided a moment ago.
    fn budget(
        &self,
        region: &RegionName,
        service: &Service,
        catalog: &Catalog,
    ) -> (RegionName, BudgetLimits, BudgetUse) {
        let defaults = BudgetLimits { moves: 0, moves_per_group: 0, per: Duration::ZERO, evacuating: 0 };
        let limits = catalog.regions.get(region).map_or(defaults, |entry| entry.budget);
        let now = self.ports.clock.wall();
        let group_of = |key: &ServiceKey| catalog.parsed(key).and_then(|p| p.service.part_of.clone());
        let mut used = BudgetUse::default();
        let mut count = |recent: bool, evacuating: bool, same_group: bool| {
            used.moves += u32::from(recent);
            used.moves_of_group += u32::from(recent && same_group);
            used.evacuating += u32::from(evacuating);
        };
        let same = |group: Option<Arc<str>>| group.is_some() && group == service.part_of;
        self.mirror.with_moves(|moves| {
            for (moved, noted) in moves.away_from(region) {
                let recent = noted.decided.is_some_and(|at| now.since(at) <= limits.per);
                // Most services have no group, and then nobody's is looked up.
                let same_group = service.part_of.is_some() && same(group_of(moved));
                count(recent, noted.evacuating, same_group);
            }
        });
        for (key, starting) in &self.shared().starting {
            let in_ledger = || {
                let run = self.mirror.active_run(key);
                run.is_some_and(|(_, run)| run.plan.change.trigger.is_unplanned() && !run.state.is_over())
            };
            if starting.leaving.contains(region) && !in_ledger() {
                let evacuating = starting.trigger == Trigger::RegionLost;
                count(true, evacuating, same(starting.part_of.clone()));
            }
        }
        (region.clone(), limits, used)
    }

    /// The longest times of the last moves of this service, or the defaults.
    fn timings(&self, service: &Service, vantages: &[VantageView]) -> Timings {
        let runs = self.mirror.succeeded_runs(&service.key);
        let longest = |from: fn(&crate::domain::Times) -> Option<_>,
                       to: fn(&crate::domain::Times) -> Option<_>| {
            let times = runs.iter().map(|run| &run.times);
            times
                .filter_map(|t| {
                    Some(to(t)?).zip(from(t)).map(|(to, from): (crate::domain::Timestamp, _)| to.since(from))
                })
                .max()
        };
        let defaults = Timings::default();
        let alive = vantages.iter().filter(|vantage| vantage.alive);
        let strides =
            alive.filter_map(|vantage| Some(self.stretch_of(&vantage.region)?.stride(service.grade)));
        Timings {
            leader_ttl: self.settings.lease_ttl,
            stride: strides.max().and_then(|most| u32::try_from(most).ok()).unwrap_or(defaults.stride),
            decide: longest(|t| t.observed, |t| t.decided).unwrap_or(defaults.decide),
            shift: longest(|t| t.decided, |t| t.shifted).unwrap_or(defaults.shift),
        }
    }
}

fn members(
    service: &Service,
    reports: &BTreeMap<RegionName, Vec<Report>>,
    catalog: &Catalog,
    fleet: &Fleet,
) -> Vec<MemberView> {
    let members = service.members.keys();
    members
        .map(|region| {
            let entry = catalog.regions.get(region);
            MemberView {
                region: region.clone(),
                reports: reports.get(region).cloned().unwrap_or_default(),
                region_known: entry.is_some_and(|entry| entry.full),
                region_maintenance: entry.is_some_and(|entry| entry.maintenance),
                region_lost: fleet.lost(region),
            }
        })
        .collect()
}

/// What is published for a service that the ledger never heard of, from what its name servers answer.
pub(super) fn published(parsed: &Parsed, read: &[ServerState], unread: Option<&str>) -> Published {
    if let Some(cause) = unread {
        return Published::Unknown { cause: Arc::from(cause) };
    }
    let found: BTreeSet<IpAddr> = read.iter().flat_map(|state| state.addresses.iter().copied()).collect();
    let epoch: Option<Epoch> = read.iter().filter_map(|state| state.epoch).max();
    let owner =
        |address: &IpAddr| parsed.addresses.iter().find(|(_, own)| own.contains(address)).map(|(r, _)| r);
    let regions: BTreeSet<RegionName> = found.iter().filter_map(owner).cloned().collect();
    let foreign: Vec<String> = found.iter().filter(|a| owner(a).is_none()).map(ToString::to_string).collect();
    match (found.is_empty(), epoch) {
        (true, None) => Published::Nothing,
        // An epoch beside it says that Bongsu wrote it: the spec has changed since.
        (_, Some(_)) => Published::Members { regions, epoch },
        (false, None) if foreign.is_empty() => Published::Members { regions, epoch },
        (false, None) => Published::Foreign { found: Arc::from(foreign.join(", ")) },
    }
}

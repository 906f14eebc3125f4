//! Reads everything that one decision may depend on.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::{agent::Agent, book::VerdictEntry, catalog::Catalog, mirror::Verdicts, parse::Parsed};
use crate::{
    domain::{
        BudgetLimits, BudgetUse, Epoch, Fleet, MemberHealth, MemberView, Observation, Published, Record,
        RegionName, Report, Request, Service, ServiceKey, ServiceReports, Switches, Timings, Trigger,
        VantageView, judge, survey,
    },
    ports::ServerState,
};

/// Shortest time between two surveys of all services. A survey of a thousand services takes about a millisecond, so
/// this costs at most a tenth of a core while everything changes at once.
pub(super) const SURVEY_INTERVAL: Duration = Duration::from_millis(10);

/// Oldest survey that is used while no verdict changes. 1 s: a service that was added or removed changes verdicts, so
/// this is for what nobody thought of.
const SURVEY_AGE_MAX: Duration = Duration::from_secs(1);

impl Agent {
    /// Everything but what is published, which takes a look at the name servers.
    pub(super) fn observe(&self, parsed: &Parsed, catalog: &Catalog) -> Observation {
        let service = &parsed.service;
        let fleet = self.fleet(catalog);
        let record = self.mirror.record(&service.key).map(|(_, record)| (*record).clone());
        let reports = self.reports(service, &fleet.vantages);
        Observation {
            wall: self.ports.clock.wall(),
            members: members(service, &reports, catalog, &fleet),
            budgets: self.budgets(record.as_ref(), service, catalog),
            vantages: fleet.vantages.clone(),
            published: Published::default(),
            dependencies_down: self.dependencies_down(service, catalog, &fleet),
            switches: Switches {
                global_stop: catalog.global_stop.clone(),
                name_claimed_by: catalog.claimed.get(&service.key).cloned(),
            },
            last_drill: None,
            request: self.open_request(&service.key),
            timings: self.timings(&service.key),
            service: service.clone(),
            record,
        }
    }

    fn open_request(&self, service: &ServiceKey) -> Option<Request> {
        let (run, entry) = self.mirror.open_request(service)?;
        Some(Request { run, from: entry.from.clone(), to: entry.to.clone(), dry_run: entry.dry_run })
    }

    /// What all services together say, at most [`SURVEY_INTERVAL`] behind the verdicts.
    pub(super) fn fleet(&self, catalog: &Catalog) -> Arc<Fleet> {
        let (sayings, now) = (self.mirror.sayings(), self.ports.clock.tick());
        let known = self.shared().fleet.clone();
        if let Some((surveyed, made, fleet)) = &known {
            let limit = if *surveyed == sayings { SURVEY_AGE_MAX } else { SURVEY_INTERVAL };
            if now.since(*made) < limit {
                return fleet.clone();
            }
        }
        let fleet = Arc::new(self.survey(catalog));
        self.shared().fleet = Some((sayings, now, fleet.clone()));
        // A lost region concerns services whose own verdicts did not change.
        if known.is_some_and(|(.., known)| known.standing() != fleet.standing()) {
            self.push_all();
        }
        fleet
    }

    fn survey(&self, catalog: &Catalog) -> Fleet {
        let vantages: Vec<VantageView> = self
            .mirror
            .vantages()
            .into_iter()
            .map(|(region, alive)| VantageView { region, alive, suspect: false })
            .collect();
        let parsed = catalog.services.values().filter_map(|entry| entry.parsed.as_ref().ok());
        let services: Vec<ServiceReports> = self.mirror.with_verdicts(|said| {
            let each = parsed.map(|parsed| ServiceReports {
                quorum: parsed.service.health.quorum,
                resolution: parsed.service.health.interval + parsed.service.health.timeout,
                members: reports(&parsed.service, said, &vantages),
            });
            each.collect()
        });
        survey(vantages, &services)
    }

    fn reports(&self, service: &Service, vantages: &[VantageView]) -> BTreeMap<RegionName, Vec<Report>> {
        self.mirror.with_verdicts(|said| reports(service, said, vantages))
    }

    /// Services that this one needs and whose serving members are all down.
    fn dependencies_down(&self, service: &Service, catalog: &Catalog, fleet: &Fleet) -> Vec<ServiceKey> {
        let is_down = |key: &&ServiceKey| {
            let (Some(parsed), Some((_, record))) = (catalog.parsed(key), self.mirror.record(key)) else {
                // Unknown is not down (I9).
                return false;
            };
            let reports = self.reports(&parsed.service, &fleet.vantages);
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
    fn timings(&self, service: &ServiceKey) -> Timings {
        let runs = self.mirror.succeeded_runs(service);
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
        Timings {
            leader_ttl: self.settings.lease_ttl,
            decide: longest(|t| t.observed, |t| t.decided).unwrap_or(defaults.decide),
            shift: longest(|t| t.decided, |t| t.shifted).unwrap_or(defaults.shift),
        }
    }
}

/// What each vantage says of each member, in the order of the vantages. No word is `Unknown`.
fn reports(
    service: &Service,
    said: &Verdicts<'_>,
    vantages: &[VantageView],
) -> BTreeMap<RegionName, Vec<Report>> {
    let said = said.of(&service.key, vantages);
    let of = |entry: &Option<&VerdictEntry>, member: &RegionName| {
        let verdict = entry.and_then(|entry| entry.members.get(member));
        verdict.map_or_else(Report::default, |v| Report {
            verdict: v.verdict,
            onset: v.onset,
            since: v.since,
        })
    };
    let members = service.members.keys();
    members.map(|member| (member.clone(), said.iter().map(|entry| of(entry, member)).collect())).collect()
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

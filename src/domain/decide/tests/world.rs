//! Worlds for the tables: two regions `a` and `b` with members, a witness `w`, all well, `a` serving under epoch 7.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::*;
use crate::domain::{
    Agreement, BudgetLimits, BudgetUse, FailoverPolicy, Fence, GatePolicy, HealthPolicy, Member, MemberView,
    Record, Recovery, Report, Service, ServiceKey, SpecWord, Switches, Timings, VantageView, Window,
    WriterLease,
};

const NOW: Timestamp = Timestamp(1_000_000_000);

const LIMITS: BudgetLimits =
    BudgetLimits { moves: 5, moves_per_group: 3, per: Duration::from_secs(600), evacuating: 50 };

/// A world that can be spoilt.
#[derive(Clone, Debug)]
pub(super) struct World {
    service: Service,
    record: Option<Record>,
    published: Published,
    verdicts: BTreeMap<&'static str, Verdict>,
    suspects: BTreeSet<&'static str>,
    lost: BTreeSet<&'static str>,
    unknown_regions: BTreeSet<&'static str>,
    region_maintenance: BTreeSet<&'static str>,
    switches: Switches,
    used: BudgetUse,
    dependency_down: bool,
    healthy_for: Duration,
    last_drill: Option<Timestamp>,
    request: Option<Request>,
    in_drill: bool,
    writer: WriterLease,
    specs: Agreement,
}

impl World {
    pub(super) fn new(topology: Topology) -> Self {
        let serving: &[&str] = if topology == Topology::ActiveActive { &["a", "b"] } else { &["a"] };
        let record = Record {
            epoch: Epoch(7),
            serving: regions(serving),
            away: BTreeMap::new(),
            changed_at: Timestamp(0),
            last_automatic: None,
            run: None,
            fenced: false,
        };
        Self {
            service: service(topology),
            record: Some(record),
            published: Published::Nothing,
            verdicts: BTreeMap::new(),
            suspects: BTreeSet::new(),
            lost: BTreeSet::new(),
            unknown_regions: BTreeSet::new(),
            region_maintenance: BTreeSet::new(),
            switches: Switches::default(),
            used: BudgetUse::default(),
            dependency_down: false,
            healthy_for: Duration::ZERO,
            last_drill: None,
            request: None,
            in_drill: false,
            writer: WriterLease::NeverSeen,
            specs: Agreement::default(),
        }
    }

    /// The writers stand behind gates; of the lease this is known.
    pub(super) fn gated(mut self, writer: WriterLease) -> Self {
        self.service.fence = Some(Fence::Gate(GatePolicy { lease_ttl: Duration::from_secs(15) }));
        self.writer = writer;
        self
    }

    pub(super) fn down(self, region: &'static str) -> Self {
        self.verdict(region, Verdict::Failed)
    }

    pub(super) fn degraded(self, region: &'static str) -> Self {
        self.verdict(region, Verdict::Degraded)
    }

    pub(super) fn recovering(self, region: &'static str) -> Self {
        self.verdict(region, Verdict::Recovering)
    }

    pub(super) fn unknown(self, region: &'static str) -> Self {
        self.verdict(region, Verdict::Unknown)
    }

    fn verdict(mut self, region: &'static str, verdict: Verdict) -> Self {
        self.verdicts.insert(region, verdict);
        self
    }

    pub(super) fn lost(mut self, region: &'static str) -> Self {
        self.lost.insert(region);
        self.down(region)
    }

    pub(super) fn suspect(mut self, region: &'static str) -> Self {
        self.suspects.insert(region);
        self
    }

    pub(super) fn unknown_region(mut self, region: &'static str) -> Self {
        self.unknown_regions.insert(region);
        self
    }

    pub(super) fn region_maintenance(mut self, region: &'static str) -> Self {
        self.region_maintenance.insert(region);
        self
    }

    pub(super) fn maintenance(mut self, region: &str) -> Self {
        if let Some(member) = self.service.members.get_mut(&region.into()) {
            member.maintenance = true;
        }
        self
    }

    pub(super) fn member(mut self, region: &str, weight: u32) -> Self {
        let rank = u32::try_from(self.service.members.len()).unwrap();
        let rank = self.service.members.get(&region.into()).map_or(rank, |member| member.rank);
        self.service
            .members
            .insert(region.into(), Member { weight, rank, capacity: None, maintenance: false });
        self
    }

    pub(super) fn without(mut self, region: &str) -> Self {
        self.service.members.remove(&region.into());
        self
    }

    pub(super) fn load(mut self, load: u64, capacities: &[(&str, u64)]) -> Self {
        self.service.peak_load = Some(load);
        for (region, capacity) in capacities {
            self.service.members.get_mut(&(*region).into()).unwrap().capacity = Some(*capacity);
        }
        self
    }

    pub(super) fn mode(mut self, mode: Mode) -> Self {
        self.service.failover.mode = mode;
        self
    }

    pub(super) fn group(mut self, group: &str) -> Self {
        self.service.part_of = Some(Arc::from(group));
        self
    }

    pub(super) fn failback(mut self, after: Duration) -> Self {
        self.service.failover.failback_after = Some(after);
        self
    }

    pub(super) fn max_drill_age(mut self, age: Duration) -> Self {
        self.service.failover.max_drill_age = Some(age);
        self
    }

    pub(super) fn drilled_ago(mut self, ago: Duration) -> Self {
        self.last_drill = Some(before(ago));
        self
    }

    pub(super) fn healthy_for(mut self, time: Duration) -> Self {
        self.healthy_for = time;
        self
    }

    pub(super) fn stopped(mut self) -> Self {
        self.switches.global_stop = Some(("w".into(), "x".into()));
        self
    }

    pub(super) fn claimed(mut self) -> Self {
        self.switches.name_claimed_by = Some(ServiceKey::new("n", "other"));
        self
    }

    pub(super) fn used(mut self, moves: u32, moves_of_group: u32, evacuating: u32) -> Self {
        self.used = BudgetUse { moves, moves_of_group, evacuating };
        self
    }

    pub(super) fn dependency_down(mut self) -> Self {
        self.dependency_down = true;
        self
    }

    /// What the name servers say beside what the ledger says.
    pub(super) fn published(mut self, published: Published) -> Self {
        self.published = published;
        self
    }

    pub(super) fn new_service(mut self, published: Published) -> Self {
        self.record = None;
        self.published = published;
        self
    }

    pub(super) fn asked(mut self, from: Option<&str>, to: Option<&str>) -> Self {
        let region = |name: Option<&str>| name.map(RegionName::new);
        self.request = Some(Request {
            run: "r".into(),
            from: region(from),
            to: region(to),
            dry_run: false,
            trigger: Trigger::Manual,
        });
        self
    }

    /// The wish is a drill's.
    pub(super) fn by(mut self, trigger: Trigger) -> Self {
        self.request = self.request.map(|request| Request { trigger, ..request });
        self
    }

    /// Whether a drill has the service in hand.
    pub(super) fn in_drill(mut self, in_drill: bool) -> Self {
        self.in_drill = in_drill;
        self
    }

    /// What the other regions say of the spec.
    pub(super) fn specs(mut self, others: &[(&str, SpecWord)]) -> Self {
        self.specs = Agreement::new(others.iter().map(|(region, word)| ((*region).into(), *word)));
        self
    }

    pub(super) fn moved_ago(self, ago: Duration) -> Self {
        self.with_record(|record| record.last_automatic = Some(before(ago)))
    }

    pub(super) fn running(self, run: &str) -> Self {
        self.with_record(|record| record.run = Some(run.into()))
    }

    pub(super) fn serving(self, serving: &[&str]) -> Self {
        let serving = regions(serving);
        self.with_record(|record| record.serving = serving)
    }

    pub(super) fn away(self, region: &str, trigger: Trigger) -> Self {
        self.with_record(|record| {
            record.away.insert(region.into(), trigger);
        })
    }

    fn with_record(mut self, change: impl FnOnce(&mut Record)) -> Self {
        change(self.record.as_mut().unwrap());
        self
    }

    pub(super) fn observe(&self) -> Observation {
        let vantages: Vec<VantageView> = ["a", "b", "w"]
            .into_iter()
            .map(|r| VantageView { region: r.into(), alive: true, suspect: self.suspects.contains(r) })
            .collect();
        let serving = self.record.iter().flat_map(|record| &record.serving);
        let dependency = self.dependency_down.then(|| ServiceKey::new("n", "needed"));
        Observation {
            wall: NOW,
            service: Arc::new(self.service.clone()),
            record: self.record.clone(),
            published: self.published.clone(),
            members: self.service.members.keys().map(|region| self.view(region)).collect(),
            vantages,
            specs: self.specs.clone(),
            dependencies_down: dependency.into_iter().collect(),
            switches: self.switches.clone(),
            budgets: serving.map(|region| (region.clone(), LIMITS, self.used)).collect(),
            last_drill: self.last_drill,
            request: self.request.clone(),
            in_drill: self.in_drill,
            writer: self.writer.clone(),
            timings: Timings::default(),
        }
    }

    fn view(&self, region: &RegionName) -> MemberView {
        let verdict = self.verdicts.get(region.as_str()).copied().unwrap_or(Verdict::Healthy);
        let report = Report { verdict, onset: None, since: before(self.healthy_for) };
        MemberView {
            region: region.clone(),
            reports: vec![report; 3],
            region_known: !self.unknown_regions.contains(region.as_str()),
            region_maintenance: self.region_maintenance.contains(region.as_str()),
            region_lost: self.lost.contains(region.as_str()),
        }
    }
}

fn before(ago: Duration) -> Timestamp {
    Timestamp(NOW.0 - i64::try_from(ago.as_millis()).unwrap())
}

fn regions(names: &[&str]) -> BTreeSet<RegionName> {
    names.iter().map(RegionName::new).collect()
}

fn service(topology: Topology) -> Service {
    let member = |rank| Member { weight: 100, rank, capacity: None, maintenance: false };
    Service {
        key: ServiceKey::new("n", "s"),
        part_of: None,
        grade: 1,
        topology,
        members: BTreeMap::from([("a".into(), member(0)), ("b".into(), member(1))]),
        fence: None,
        health: HealthPolicy {
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            window: Window { size: 5, failures: 3 },
            recovery: Recovery { successes: 5, stable_for: Duration::from_secs(60) },
            quorum: 2,
        },
        failover: FailoverPolicy {
            mode: Mode::Automatic,
            approvals: 0,
            cooldown: Duration::from_secs(3600),
            failback_after: None,
            max_drill_age: None,
        },
        rto: None,
        peak_load: None,
        depends_on: Vec::new(),
        routes: vec!["r".into()],
        ttl: Duration::from_secs(5),
    }
}

/// A decision in one line.
pub(super) fn told(decision: &Decision) -> String {
    let names = |set: &BTreeSet<RegionName>| set.iter().map(RegionName::as_str).collect::<String>();
    let trigger = decision.rules.iter().find_map(|e| match &e.why {
        crate::domain::Why::Wanted(trigger) | crate::domain::Why::NotFor(trigger) => Some(trigger.as_str()),
        _ => None,
    });
    let change = decision.wanted.as_ref().map(|w| format!("{}→{}", names(&w.from), names(&w.to)));
    let head = [Some(decision.action.as_str().to_owned()), trigger.map(str::to_owned), change];
    let mut words: Vec<String> = head.into_iter().flatten().collect();
    if let Action::Start(plan) = &decision.action {
        words.push(format!("@{}", plan.epoch));
    }
    let blockers: Vec<&str> = decision.blockers().map(|e| e.rule.as_str()).collect();
    if blockers.is_empty() {
        return words.join(" ");
    }
    let gap = if decision.wanted.is_none() { " -" } else { "" };
    format!("{}{gap}: {}", words.join(" "), blockers.join(" "))
}

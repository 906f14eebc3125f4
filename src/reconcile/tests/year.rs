//! A year of 500 services in virtual time, through the code that announces, begins, drives and judges drills. Left out is
//! probing: what the vantages say is written for them, and moves take the time that they are told.

mod country;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use k8s_openapi::jiff;
use tokio::sync::watch;

use super::bench::{Members, NameServers};
use crate::{
    adapters::ledger::MemoryLedger,
    api::{DrillRunSpec, SwitchoverDrill},
    domain::{
        Action, DrillPhase, DrillRule, DrillRun, DrillVerdict, DrilledState, Epoch, Move, PreCheck, Record,
        RegionName, RuleOutcome, Run, RunId, RunState, ServiceKey, Term, Tick, Times, Timestamp, Timings,
        Trigger, Verdict, decide, plan_for, suppose_lost,
    },
    observability::{Build, Metrics},
    ports::{
        Clock, Event, Expect, Key, Ledger, NewObject, Resources, ResourcesError, Snapshot, StatusUpdate,
    },
    reconcile::{
        Agent, Catalog, Claim, Ports, Sealing, Settings,
        book::{Entry, VerdictEntry},
        vantage::MemberVerdict,
    },
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// How long a move takes.
const MOVE: i64 = 40_000;

/// Looks while nothing goes on: half of the notice of every drill.
const IDLE: i64 = 24 * HOUR;

/// Members of fifty services in Gwangju fail for two days: while drills are held, and before others.
const INCIDENTS: [(&str, usize); 6] = [
    ("2027-03-08T03:00:00Z", 0),
    ("2027-04-12T03:00:00Z", 60),
    ("2027-06-15T03:00:00Z", 100),
    ("2027-08-10T03:00:00Z", 160),
    ("2027-09-14T12:00:00Z", 230),
    ("2027-11-08T12:00:00Z", 330),
];

/// Longer than the year: nobody has to renew it.
const LEASE_TTL: Duration = Duration::from_secs(800 * 86_400);

/// The clock is moved by hand.
struct YearClock(AtomicI64);

#[async_trait]
impl Clock for YearClock {
    fn tick(&self) -> Tick {
        Tick(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }

    fn wall(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}

/// Objects that nobody reads.
struct Shelf(Arc<Snapshot>);

#[async_trait]
impl Resources for Shelf {
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        Some(self.0.clone())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    async fn secret(&self, _: &str, name: &str, _: &str) -> Result<Vec<u8>, ResourcesError> {
        Err(ResourcesError::NotFound { what: name.to_owned() })
    }

    async fn write_status(&self, _: StatusUpdate) -> Result<(), ResourcesError> {
        Ok(())
    }

    async fn create(&self, _: NewObject) -> Result<(), ResourcesError> {
        Ok(())
    }

    async fn emit(&self, _: Event) {}
}

struct Year {
    clock: Arc<YearClock>,
    agent: Arc<Agent>,
    ledger: MemoryLedger,
    metrics: Arc<Metrics>,
    catalog: Arc<Catalog>,
    snapshot: Arc<Snapshot>,
    /// Moves that are going on, and when they will be done.
    moving: BTreeMap<RunId, (Run, i64)>,
    /// When the last passed drill of each service was over, by the book of this test.
    passed: BTreeMap<ServiceKey, i64>,
    /// Members that are down.
    down: BTreeSet<(ServiceKey, RegionName)>,
    ended: BTreeMap<RunId, DrillRun>,
    going_on: Vec<RunId>,
    /// Services that were overdue at some time.
    late: BTreeSet<usize>,
    looks: usize,
    most_at_once: usize,
}

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// The process, which alone is at work.
fn agent(
    clock: &Arc<YearClock>,
    snapshot: &Arc<Snapshot>,
    ledger: &MemoryLedger,
) -> (Arc<Agent>, Arc<Metrics>) {
    let region = RegionName::new("daegu");
    let metrics = Arc::new(Metrics::new(Build { version: "0", commit: "0", region: &region }).unwrap());
    let ports = Ports {
        clock: clock.clone(),
        resources: Arc::new(Shelf(snapshot.clone())),
        ledger: Arc::new(ledger.clone()),
        prober: Arc::new(Arc::new(Members::default())),
        traffic: Arc::new(NameServers::new(Arc::new(super::super::vantage::tests::TestClock::new()))),
        metrics: metrics.clone(),
        reports: None,
        agents: None,
        seat: None,
        workloads: None,
        metering: None,
    };
    let settings = Settings {
        region: region.clone(),
        identity: "daegu-1".into(),
        lease_ttl: LEASE_TTL,
        workers: 1,
        sealing: Sealing::default(),
        claim: Claim::default(),
        agent_url: None,
    };
    (Agent::new(settings, ports), metrics)
}

impl Year {
    async fn begin() -> Self {
        let clock = Arc::new(YearClock(AtomicI64::new(at("2027-01-01T00:00:00Z"))));
        let snapshot = Arc::new(country::snapshot());
        let ledger = MemoryLedger::new(clock.clone());
        let (agent, metrics) = agent(&clock, &snapshot, &ledger);
        let catalog = Arc::new(Catalog::new(snapshot.clone(), &Catalog::default()));
        for (key, entry) in &catalog.services {
            assert!(entry.parsed.is_ok(), "{key}: {:?}", entry.parsed);
        }
        let mut year = Self {
            clock,
            agent,
            ledger,
            metrics,
            catalog,
            snapshot,
            moving: BTreeMap::new(),
            passed: BTreeMap::new(),
            down: BTreeSet::new(),
            ended: BTreeMap::new(),
            going_on: Vec::new(),
            late: BTreeSet::new(),
            looks: 0,
            most_at_once: 0,
        };
        year.settle().await;
        year
    }

    /// All is well, this process leads, and every drill passed some time ago.
    async fn settle(&mut self) {
        let me = "daegu-1".into();
        for other in ["daejeon", "gwangju"] {
            let holder = format!("{other}-1").as_str().into();
            self.ledger.acquire(&format!("region-{other}"), &holder, LEASE_TTL).await.unwrap();
        }
        let tenures = &self.agent.tenures;
        tenures.renew_region(&self.ledger, &"daegu".into(), &me).await;
        tenures.renew_leader(&self.ledger, &me).await;
        self.agent.take_lead().await;
        tenures.note_answer();
        let services: Vec<ServiceKey> = self.snapshot.services.keys().cloned().collect();
        for key in &services {
            let record = Record {
                epoch: Epoch(1),
                serving: ["daejeon".into()].into(),
                away: BTreeMap::new(),
                changed_at: self.clock.wall(),
                last_automatic: None,
                run: None,
                fenced: false,
            };
            self.put(&Entry::Record(key.clone()), &record).await;
            self.say(key).await;
        }
        self.agent.mirror.apply(self.ledger.watch("").next().await.unwrap());
        self.agent.mirror.set_leases(self.ledger.leases().await.unwrap());
        for (index, drill) in self.snapshot.drills.clone().values().enumerate() {
            self.passed_before(index, drill).await;
        }
    }

    /// A run of last year that passed.
    async fn passed_before(&mut self, index: usize, drill: &SwitchoverDrill) {
        let over = Timestamp(self.now() - country::days_before(index) * DAY);
        let id = RunId::new(format!("d{index:02}-before"));
        let spec = DrillRunSpec {
            drill_name: drill.metadata.name.clone().unwrap(),
            starts_at: None,
            reason: "last year".to_owned(),
            requested_by: None,
            abort: false,
        };
        let mut run = self.agent.new_drill_run("gpki", id.clone(), drill, &spec, over, &self.catalog);
        (run.phase, run.ended_at) = (DrillPhase::Over, Some(over));
        run.verdict = Some((DrillVerdict::Passed, DrillRule::AllLimitsKept));
        run.services.iter_mut().for_each(|drilled| drilled.state = DrilledState::Back);
        self.put(&Entry::Drill(Arc::from("gpki"), id), &run).await;
        self.note_end(&run).await;
    }

    fn now(&self) -> i64 {
        self.clock.wall().0
    }

    async fn put<T: serde::Serialize>(&mut self, entry: &Entry, value: &T) {
        let text = serde_json::to_string(value).unwrap();
        let key = entry.key();
        let expect = match self.ledger.get(&key).await.unwrap() {
            Some(found) => Expect::Version(found.version),
            None => Expect::Absent,
        };
        let version = self.ledger.put(&key, &text, expect).await.unwrap();
        self.agent.mirror.wrote(entry, version, value);
    }

    /// What all three vantages say of the members of a service.
    async fn say(&mut self, key: &ServiceKey) {
        let verdict = |region: &str| {
            let down = self.down.contains(&(key.clone(), region.into()));
            let verdict = if down { Verdict::Failed } else { Verdict::Healthy };
            let since = Timestamp(self.now() - 60_000);
            let onset = down.then_some(since);
            (
                RegionName::new(region),
                MemberVerdict { verdict, onset, since, reason: String::new(), symptom: None, beyond: None },
            )
        };
        let members: BTreeMap<_, _> = ["daejeon", "gwangju"].map(verdict).into();
        for vantage in ["daejeon", "gwangju", "daegu"] {
            let said = VerdictEntry {
                incarnation: format!("{vantage}-1").as_str().into(),
                term: Term(1),
                members: members.clone(),
            };
            self.put(&Entry::Verdict(vantage.into(), key.clone()), &said).await;
        }
    }

    /// One look of the product, and what the world makes of it.
    async fn look(&mut self) {
        self.looks += 1;
        self.agent.rehearse_due(&self.catalog).await;
        self.agent.look_at_drills(&self.catalog).await;
        let runs: Vec<Arc<DrillRun>> = self.agent.mirror.drills().into_iter().map(|(_, run)| run).collect();
        self.none_conflict(&runs);
        for run in &runs {
            if run.phase == DrillPhase::Over && !self.ended.contains_key(&run.id) {
                self.note_end(run).await;
            }
        }
        for run in runs.iter().filter(|run| run.phase.is_going_on()) {
            if run.started_at == Some(self.clock.wall()) {
                self.may_start(run);
            }
            self.begin_moves(run).await;
        }
    }

    /// Within the windows, on a day that is not blocked, and where all is well.
    fn may_start(&self, run: &DrillRun) {
        let there = jiff::Timestamp::from_millisecond(self.now()).unwrap().in_tz("Asia/Seoul").unwrap();
        let (date, time) = (there.strftime("%F").to_string(), there.strftime("%H:%M").to_string());
        assert!(("09:30".."16:00").contains(&&*time), "{} starts at {there}", run.id);
        let blocked =
            date == "2027-06-14" || ("2027-05-10".."2027-05-12").contains(&&*date) || date == "2027-12-31";
        assert!(!blocked, "{} starts at {there}", run.id);
        for drilled in &run.services {
            let down = self.down.iter().find(|(key, _)| *key == drilled.service);
            assert_eq!(down, None, "{} starts at {there}", run.id);
        }
    }

    fn none_conflict(&mut self, runs: &[Arc<DrillRun>]) {
        let going_on: Vec<&Arc<DrillRun>> = runs.iter().filter(|run| run.phase.is_going_on()).collect();
        let ids: Vec<RunId> = going_on.iter().map(|run| run.id.clone()).collect();
        if std::mem::replace(&mut self.going_on, ids.clone()) == ids {
            return;
        }
        self.most_at_once = self.most_at_once.max(ids.len());
        let services = |run: &DrillRun| run.services.iter().map(|drilled| drilled.service.clone()).collect();
        for (index, one) in going_on.iter().enumerate() {
            for other in &going_on[index + 1..] {
                let together = country::conflict(&self.snapshot, &services(one), &services(other));
                assert!(!together, "{} and {} go on together at {}", one.id, other.id, self.clock.wall().0);
            }
        }
    }

    async fn note_end(&mut self, run: &DrillRun) {
        self.ended.insert(run.id.clone(), run.clone());
        let passed = run.verdict.is_some_and(|(verdict, _)| verdict.is_passed());
        for drilled in &run.services {
            if passed {
                let last = self.passed.entry(drilled.service.clone()).or_default();
                *last = run.ended_at.unwrap().0.max(*last);
            }
            // What a pass would prune after a while.
            for id in [run.away_id(drilled), run.back_id(drilled)] {
                let namespace: Arc<str> = Arc::from("gpki");
                for entry in
                    [Entry::Run(namespace.clone(), id.clone()), Entry::Request(namespace.clone(), id)]
                {
                    self.forget(&entry.key()).await;
                }
            }
        }
    }

    async fn forget(&self, key: &Key) {
        if let Some(found) = self.ledger.get(key).await.unwrap() {
            self.ledger.delete(key, found.version).await.unwrap();
            self.agent.mirror.apply(crate::ports::Change::Deleted(key.clone()));
        }
    }

    /// Takes up what was ordered.
    async fn begin_moves(&mut self, run: &DrillRun) {
        for drilled in &run.services {
            let id = match drilled.state {
                DrilledState::Leaving => run.away_id(drilled),
                DrilledState::Returning => run.back_id(drilled),
                _ => continue,
            };
            let Some((_, request)) = self.agent.mirror.request("gpki", &id) else { continue };
            if self.agent.mirror.run(&drilled.service, &id).is_some() {
                continue;
            }
            let (_, record) = self.agent.mirror.record(&drilled.service).unwrap();
            let to = request.to.clone().unwrap_or_else(|| "gwangju".into());
            let change = Move { trigger: request.trigger, from: record.serving.clone(), to: [to].into() };
            let parsed = self.catalog.parsed(&drilled.service).unwrap();
            let plan = plan_for(&parsed.service, change, Epoch(record.epoch.0 + 1), &Timings::default());
            let times = Times { decided: Some(self.clock.wall()), ..Times::default() };
            let moving = Run::new(id.clone(), drilled.service.clone(), plan, "daegu-1".into(), times);
            self.put(&Entry::Run(Arc::from("gpki"), id.clone()), &moving).await;
            let record = Record { run: Some(id.clone()), ..(*record).clone() };
            self.put(&Entry::Record(drilled.service.clone()), &record).await;
            self.moving.insert(id, (moving, self.now() + MOVE));
        }
    }

    async fn end_moves(&mut self) {
        let now = self.clock.wall();
        let done: Vec<RunId> =
            self.moving.iter().filter(|(_, (_, due))| *due <= now.0).map(|(id, _)| id.clone()).collect();
        for id in done {
            let (mut run, _) = self.moving.remove(&id).unwrap();
            run.state = RunState::Succeeded;
            run.times = Times { verified: Some(now), settled: Some(now), ..run.times };
            self.put(&Entry::Run(Arc::from("gpki"), id), &run).await;
            let (_, record) = self.agent.mirror.record(&run.service).unwrap();
            let change = &run.plan.change;
            let mut record = record.moved(run.plan.epoch, &change.to, change.trigger, now);
            assert!(matches!(change.trigger, Trigger::Drill | Trigger::Return));
            record.run = None;
            self.put(&Entry::Record(run.service.clone()), &record).await;
        }
    }

    /// The next moment at which something can happen.
    fn next_moment(&self) -> i64 {
        let now = self.now();
        let mut next = now + IDLE;
        for (_, run) in self.agent.mirror.drills() {
            let moment = match run.phase {
                DrillPhase::Announced => run.starts_at.0,
                DrillPhase::Holding => run.held_since.unwrap().0 + 4 * HOUR,
                DrillPhase::Leaving | DrillPhase::Returning => now + MOVE,
                DrillPhase::Over => continue,
            };
            next = next.min(moment.max(now + 1_000));
        }
        let incidents = INCIDENTS.iter().flat_map(|(begin, _)| [at(begin), at(begin) + 2 * DAY]);
        let next = incidents.filter(|moment| *moment > now).fold(next, i64::min);
        self.moving.values().fold(next, |next, (_, due)| next.min(*due))
    }

    /// Lets incidents begin and end.
    async fn incidents(&mut self) {
        for (begin, first) in INCIDENTS {
            let now = self.now();
            let down = (at(begin)..at(begin) + 2 * DAY).contains(&now);
            for index in first..first + 50 {
                let key = ServiceKey::new("gpki", country::service(index));
                let member = (key.clone(), RegionName::new("gwangju"));
                let changed = if down { self.down.insert(member) } else { self.down.remove(&member) };
                if changed {
                    self.say(&key).await;
                }
            }
        }
    }

    /// Every service is drilled within its interval, or its alert's expression is true; never both.
    fn fresh_or_told(&mut self) -> usize {
        self.agent.measure_drills(&self.catalog);
        let text = self.metrics.render().unwrap();
        let told: BTreeMap<&str, bool> = text
            .lines()
            .filter_map(|line| line.strip_prefix("bongsu_drill_overdue{namespace=\"gpki\",service=\""))
            .map(|line| line.split_once("\"} ").unwrap())
            .map(|(service, value)| (service, value == "1"))
            .collect();
        let drilled = country::DRILLS * country::SERVICES_OF_A_DRILL;
        let mut overdue = 0;
        for index in 0..drilled {
            let name = country::service(index);
            let limit = country::limit_days(country::grade(index / country::SERVICES_OF_A_DRILL)) * DAY;
            let last = self.passed.get(&ServiceKey::new("gpki", &name));
            let late = last.is_none_or(|last| self.now() - last > limit);
            assert_eq!(told[&*name], late, "{name} at {}: {last:?}", self.now());
            overdue += usize::from(late);
            if late {
                self.late.insert(index);
            }
        }
        assert_eq!(told.len(), drilled, "what nobody drills has no limit");
        self.acts_alone(&told);
        overdue
    }

    fn never_late(&self) -> usize {
        country::DRILLS * country::SERVICES_OF_A_DRILL - self.late.len()
    }

    /// Of a loss of Daejeon a person must decide where the drill is too old, and only there.
    fn acts_alone(&self, overdue: &BTreeMap<&str, bool>) {
        for (name, overdue) in overdue.iter().step_by(7) {
            let key = ServiceKey::new("gpki", name);
            let seen = self.agent.observe(self.catalog.parsed(&key).unwrap(), &self.catalog);
            let lost = RegionName::new("daejeon");
            let busy = seen
                .record
                .as_ref()
                .is_none_or(|record| record.run.is_some() || !record.serving.contains(&lost));
            if busy || self.down.contains(&(key, "gwangju".into())) {
                continue;
            }
            let alone = matches!(decide(&suppose_lost(&seen, &lost, seen.wall)).action, Action::Start(_));
            assert_eq!(alone, !overdue, "{name} at {}", self.now());
        }
    }
}

#[tokio::test]
async fn in_a_year_every_service_is_drilled_in_time_or_told_and_no_two_drills_that_touch_run_together() {
    let mut year = Year::begin().await;
    let (mut day, begun) = (0, year.now());
    let mut overdue = Vec::new();
    while day < 365 {
        year.end_moves().await;
        year.incidents().await;
        year.look().await;
        let midnight = begun + (day + 1) * DAY;
        let next = year.next_moment();
        year.clock.0.store(next.min(midnight), Ordering::SeqCst);
        if next >= midnight {
            day += 1;
            if day % 5 == 0 {
                overdue.push(year.fresh_or_told());
            }
        }
    }
    let ended = |rule: DrillRule| year.ended.values().filter(|run| run.verdict.unwrap().1 == rule).count();
    let blocked_by = |name: &str| {
        let blocks = |check: &PreCheck| check.name == name && check.outcome == RuleOutcome::Block;
        year.ended.values().filter(|run| run.pre_checks.iter().any(blocks)).count()
    };
    let told = format!("{} looks, {} at once, overdue {overdue:?}", year.looks, year.most_at_once);
    // Beside those of last year.
    assert!(ended(DrillRule::AllLimitsKept) - country::DRILLS > 100, "{told}");
    assert!(ended(DrillRule::GuardrailTripped) > 0, "{told}");
    assert!(blocked_by("NoOtherMove") > 10 && blocked_by("TargetAvailable") > 0, "{told}");
    assert!(year.most_at_once > 5, "{told}");
    assert!(overdue[0] == 0 && overdue.iter().any(|count| *count > 0), "{told}");
    assert!(year.never_late() > 300, "{told}");
}

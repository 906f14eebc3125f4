//! How long one decision takes, and one survey of all services. Goal: a million decisions a second on one core.
//!
//! Run with `cargo bench --bench decide`.

use std::{collections::BTreeMap, hint::black_box, sync::Arc, time::Duration};

use bongsu::domain::{
    Agreement, BudgetLimits, BudgetUse, Epoch, FailoverPolicy, HealthPolicy, Member, MemberView, Mode,
    Observation, Published, Record, Recovery, RegionName, Report, Service, ServiceKey, ServiceReports,
    Switches, Timestamp, Timings, Topology, VantageView, Verdict, Window, decide, judge, survey,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REGIONS: [&str; 3] = ["daejeon", "gwangju", "seoul"];
const SERVICES: u64 = 1_000;
const QUORUM: u32 = 2;
const NOW: Timestamp = Timestamp(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(1));
    for (name, seen, expected) in [
        ("healthy", observation(Verdict::Healthy), "Hold"),
        ("down", observation(Verdict::Failed), "Start"),
        ("budget", used_up(observation(Verdict::Failed)), "Hold"),
    ] {
        assert_eq!(decide(&seen).action.as_str(), expected, "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| decide(black_box(&seen))));
    }
    group.finish();
}

fn fleet(criterion: &mut Criterion) {
    let services: Vec<ServiceReports> = (0..SERVICES).map(|_| service_reports()).collect();
    let mut group = criterion.benchmark_group("fleet of 1000");
    group.throughput(Throughput::Elements(SERVICES));
    group.bench_function("judge", |bencher| {
        let vantages = vantages();
        bencher.iter(|| {
            for service in &services {
                for (region, reports) in &service.members {
                    black_box(judge(region, reports, &vantages, service.quorum));
                }
            }
        });
    });
    group.bench_function("survey", |bencher| {
        bencher.iter(|| survey(vantages(), black_box(&services)));
    });
    group.finish();
}

criterion_group!(benches, decisions, fleet);
criterion_main!(benches);

/// Every budget is used up.
fn used_up(mut seen: Observation) -> Observation {
    for (_, limits, used) in &mut seen.budgets {
        used.moves = limits.moves;
    }
    seen
}

/// All serve; the member in the first region is said to be as `verdict` by everybody.
fn observation(verdict: Verdict) -> Observation {
    let record = Record {
        epoch: Epoch(7),
        serving: regions().collect(),
        away: BTreeMap::new(),
        changed_at: Timestamp(0),
        last_automatic: None,
        run: None,
        fenced: false,
    };
    let view = |(index, region): (usize, RegionName)| MemberView {
        reports: vec![report(if index == 0 { verdict } else { Verdict::Healthy }); REGIONS.len()],
        region,
        region_known: true,
        region_maintenance: false,
        region_lost: false,
    };
    let limits = BudgetLimits { moves: 5, moves_per_group: 3, per: HOUR, evacuating: 50 };
    Observation {
        specs: Agreement::default(),
        wall: NOW,
        service: Arc::new(service()),
        record: Some(record),
        published: Published::Nothing,
        members: regions().enumerate().map(view).collect(),
        vantages: vantages(),
        dependencies_down: Vec::new(),
        switches: Switches::default(),
        budgets: regions().map(|region| (region, limits, BudgetUse::default())).collect(),
        last_drill: None,
        request: None,
        in_drill: false,
        writer: bongsu::domain::WriterLease::default(),
        timings: Timings::default(),
    }
}

fn service() -> Service {
    let member = |rank| Member { weight: 100, rank, capacity: Some(1_000), maintenance: false };
    Service {
        key: ServiceKey::new("gpki", "gpki-verify"),
        part_of: Some(Arc::from("gpki")),
        grade: 1,
        topology: Topology::ActiveActive,
        members: regions().zip((0..).map(member)).collect(),
        fence: None,
        health: HealthPolicy {
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            window: Window { size: 5, failures: 3 },
            recovery: Recovery { successes: 5, stable_for: Duration::from_secs(60) },
            quorum: QUORUM,
        },
        failover: FailoverPolicy {
            mode: Mode::Automatic,
            approvals: 0,
            cooldown: HOUR,
            failback_after: Some(HOUR),
            max_drill_age: None,
        },
        rto: Some(Duration::from_secs(60)),
        peak_load: Some(1_500),
        depends_on: Vec::new(),
        routes: vec!["citizens".into()],
        ttl: Duration::from_secs(5),
    }
}

fn service_reports() -> ServiceReports {
    let all_well = vec![report(Verdict::Healthy); REGIONS.len()];
    ServiceReports {
        quorum: QUORUM,
        resolution: Duration::from_millis(1_500),
        members: regions().map(|region| (region, all_well.clone())).collect(),
    }
}

fn report(verdict: Verdict) -> Report {
    Report { verdict, onset: (verdict == Verdict::Failed).then_some(NOW), since: NOW }
}

fn vantages() -> Vec<VantageView> {
    regions().map(|region| VantageView { region, alive: true, suspect: false }).collect()
}

fn regions() -> impl Iterator<Item = RegionName> {
    REGIONS.into_iter().map(RegionName::new)
}

//! Every fault can be written into a scenario.

use super::{clocks::*, deed::Deed, names::Names};
use crate::{
    adapters::{
        manifests::{Admission, Source},
        yaml,
    },
    domain::ServiceKey,
    sim::{Fault, Moment, Setup, Site},
};

const DEEDS: &[&str] = &[
    "cut: {from: daegu, to: clients}",
    "isolate: leader",
    "loss: {of: daejeon, perThousand: 5}",
    "loss: {of: daejeon, perThousand: 5, atLeastBytes: 1500}",
    "slow: {of: daejeon, by: 2s}",
    "twice: 5",
    "dark: daejeon",
    "crash: daejeon",
    "crashAtEffect: {of: daejeon, afterEffects: 3, when: after}",
    "freeze: leader",
    "freezeAtEffect: {of: leader, afterEffects: 3, lasts: 20s}",
    "freezeAtEffect: {of: leader, afterEffects: 3, when: before, lasts: 20s}",
    "ledgerDown",
    "ledgerCutOff: daejeon",
    "ledgerConflicts: 5",
    "leaseLost: leader",
    "leaseLost: daegu",
    "apiDown: daejeon",
    "apiStale: daejeon",
    "nameServer: {address: '192.0.2.53:53', is: late, by: 1s}",
    "nameServer: {address: '192.0.2.53:53', is: silent}",
    "nameServerRestored: '192.0.2.53:53'",
    "clock: {of: daejeon, behind: 20s}",
    "drift: {of: ledger, millionths: -500}",
    "member: {service: gpki-directory, in: daegu, is: flapping, by: 1s}",
    "allMembers: {service: gpki-directory, is: wrong}",
    "lies: daejeon",
    "edit: {in: daegu, set: {capacity: {service: gpki-verify, in: daegu, is: 5}}}",
    "edit: {set: {deleted: gpki/gpki-verify}}",
    "switchover: {in: daegu, service: gpki-issue, to: gwangju, dryRun: true}",
    "word: {in: daegu, say: Resume}",
    "abortDrills: daegu",
    "drill: {in: daegu, service: gpki-verify, group: true, hold: 20s, maxDuration: 1m, approvals: 1, dryRun: true}",
    "approve: {in: daegu, by: officer}",
];

fn setup() -> Setup {
    let source = |name: &str| {
        let name = format!("scenarios/cluster/{name}.yaml");
        Source { bytes: std::fs::read(&name).unwrap(), name }
    };
    Setup::read(&Admission::new().unwrap(), &[source("regions"), source("gpki")]).unwrap()
}

fn fault(setup: &Setup, text: &str) -> Fault {
    let deed: Deed =
        serde_json::from_value(yaml::parse(text).unwrap()).unwrap_or_else(|e| panic!("{text}: {e}"));
    deed.fault(&Names { setup, leader: Site(2) }).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

/// A number for each kind of fault. A new kind does not compile here until it can be written.
const fn kind(fault: &Fault) -> usize {
    match fault {
        Fault::Cut(..) => 0,
        Fault::Isolate(_) => 1,
        Fault::Loss(..) => 2,
        Fault::LargeLoss(..) => 3,
        Fault::Slow(..) => 4,
        Fault::Twice(_) => 5,
        Fault::Dark(_) => 6,
        Fault::Crash(_) => 7,
        Fault::CrashAtEffect(..) => 8,
        Fault::Freeze(_) => 9,
        Fault::FreezeAtEffect(..) => 10,
        Fault::LedgerDown => 11,
        Fault::LedgerCutOff(_) => 12,
        Fault::Conflicts(_) => 13,
        Fault::LeaseLost(_) => 14,
        Fault::ApiDown(_) => 15,
        Fault::ApiStale(_) => 16,
        Fault::NameServer(..) => 17,
        Fault::Restored(_) => 18,
        Fault::ClockStep(..) => 19,
        Fault::Drift(..) => 20,
        Fault::Member(..) => 21,
        Fault::AllMembers(..) => 22,
        Fault::Lies(_) => 23,
        Fault::Edit(..) => 24,
        Fault::Switchover(..) => 25,
        Fault::Word(..) => 26,
        Fault::AbortDrills(_) => 27,
        Fault::Drill(..) => 28,
        Fault::Approve(..) => 29,
    }
}

#[test]
fn every_fault_can_be_written_into_a_scenario() {
    let setup = setup();
    let mut kinds: Vec<usize> = DEEDS.iter().map(|text| kind(&fault(&setup, text))).collect();
    kinds.dedup();
    assert_eq!(kinds, (0..30).collect::<Vec<_>>());
    assert_eq!(fault(&setup, "freeze: leader"), Fault::Freeze(2));
    assert_eq!(fault(&setup, "clock: {of: daejeon, behind: 20s}"), Fault::ClockStep(1, -20_000));
}

#[test]
fn a_recovery_is_over_when_citizens_stay_served() {
    let service = ServiceKey::new("a", "b");
    let second = |s: u64| Moment(s * 1_000_000);
    let outage = |from, until: Option<u64>| super::citizen::Outage {
        from: second(from),
        until: until.map(second),
        why: "192.0.2.1 does not answer".to_owned(),
    };
    let outages = vec![outage(10, Some(12)), outage(13, Some(20)), outage(50, None)];
    let seen = Seen { end: second(60), outages: [(service.clone(), outages)].into(), ..Seen::default() };
    let span = |from, to| Span { from: second(from), to: second(to) };
    let seconds = std::time::Duration::from_secs;
    assert_eq!(seen.rto(&service, span(0, 40)), Some(seconds(10)));
    assert_eq!(seen.rto(&service, span(0, 60)), None);
    assert_eq!(seen.rto(&service, span(30, 40)), Some(seconds(0)));
    assert_eq!(seen.unserved(&service, span(0, 60)).0, seconds(19));
}

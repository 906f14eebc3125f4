//! Every fault can be written into a scenario.

use super::{clocks::*, deed::Deed, names::Names};
use crate::{
    adapters::{
        manifests::{Admission, Source},
        yaml,
    },
    domain::ServiceKey,
    sim::{Fault, Moment, Setup, Site, process::GATES},
};

const DEEDS: &[&str] = &[
    "cut: {from: daegu, to: clients}",
    "isolate: leader",
    "loss: {of: daejeon, perThousand: 5}",
    "loss: {of: daejeon, perThousand: 5, atLeastBytes: 1500}",
    "loss: {of: daejeon, to: clients, perThousand: 5}",
    "slow: {of: daejeon, by: 2s}",
    "twice: 5",
    "dark: daejeon",
    "crash: daejeon",
    "gate: {service: civil-register, in: daejeon, is: killed}",
    "crashAtEffect: {of: daejeon, afterEffects: 3, when: after}",
    "freeze: leader",
    "gate: {service: civil-register, in: gwangju, is: frozen}",
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
    "nameServer: {address: '192.0.2.53:53', is: otherKey, to: daejeon}",
    "nameServerRestored: '192.0.2.53:53'",
    "clock: {of: daejeon, behind: 20s}",
    "drift: {of: ledger, millionths: -500}",
    "member: {service: gpki-directory, in: daegu, is: flapping, by: 1s}",
    "allMembers: {service: gpki-directory, is: wrong}",
    "lies: daejeon",
    "edit: {in: daegu, set: {capacity: {service: gpki-verify, in: daegu, is: 5}}}",
    "edit: {in: daegu, set: {address: {service: gpki-verify, in: daegu, is: 203.0.113.99}}}",
    "edit: {set: {deleted: gpki/gpki-verify}}",
    "switchover: {in: daegu, service: gpki-issue, to: gwangju, dryRun: true}",
    "word: {in: daegu, say: Resume}",
    "abortDrills: daegu",
    "drill: {in: daegu, service: gpki-verify, group: true, hold: 20s, maxDuration: 1m, approvals: 1, dryRun: true}",
    "approve: {in: daegu, by: officer}",
];

fn setup() -> Setup {
    let source = |name: &str| {
        let name = format!("scenarios/{name}.yaml");
        Source { bytes: std::fs::read(&name).unwrap(), name }
    };
    let sources = ["cluster/regions", "cluster/gpki", "writers/register"].map(source);
    Setup::read(&Admission::new().unwrap(), &sources).unwrap()
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
        Fault::LinkLoss(..) => 4,
        Fault::Slow(..) => 5,
        Fault::Twice(_) => 6,
        Fault::Dark(_) => 7,
        Fault::Crash(_) => 8,
        Fault::CrashAtEffect(..) => 9,
        Fault::Freeze(_) => 10,
        Fault::FreezeAtEffect(..) => 11,
        Fault::LedgerDown => 12,
        Fault::LedgerCutOff(_) => 13,
        Fault::Conflicts(_) => 14,
        Fault::LeaseLost(_) => 15,
        Fault::ApiDown(_) => 16,
        Fault::ApiStale(_) => 17,
        Fault::NameServer(..) => 18,
        Fault::Restored(_) => 19,
        Fault::ClockStep(..) => 20,
        Fault::Drift(..) => 21,
        Fault::Member(..) => 22,
        Fault::AllMembers(..) => 23,
        Fault::Lies(_) => 24,
        Fault::Edit(..) => 25,
        Fault::Switchover(..) => 26,
        Fault::Word(..) => 27,
        Fault::AbortDrills(_) => 28,
        Fault::Drill(..) => 29,
        Fault::Approve(..) => 30,
    }
}

#[test]
fn every_fault_can_be_written_into_a_scenario() {
    let setup = setup();
    let mut kinds: Vec<usize> = DEEDS.iter().map(|text| kind(&fault(&setup, text))).collect();
    kinds.dedup();
    assert_eq!(kinds, (0..31).collect::<Vec<_>>());
    assert_eq!(fault(&setup, "freeze: leader"), Fault::Freeze(2));
    let gate = "gate: {service: civil-register, in: gwangju, is: frozen}";
    assert_eq!(fault(&setup, gate), Fault::Freeze(GATES + 1));
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

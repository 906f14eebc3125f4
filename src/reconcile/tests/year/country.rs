//! What a country of 500 services has in its cluster: 100 drills of five services each, in pairs that must not run together.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use crate::{
    api::{Calendar, GradePolicy, Region, SharedService, SwitchoverDrill},
    domain::ServiceKey,
    ports::Snapshot,
};

pub const DRILLS: usize = 100;
pub const SERVICES_OF_A_DRILL: usize = 5;

/// Days after which the drill of a service of this grade is too old.
pub const fn limit_days(grade: i64) -> i64 {
    [0, 100, 200, 380][grade as usize]
}

/// Of ten pairs two are drilled quarterly, four twice a year and four once.
pub fn grade(drill: usize) -> i64 {
    [1, 2, 2, 3, 3][drill / 2 % 5]
}

pub fn service(index: usize) -> String {
    format!("s{index:03}")
}

/// What makes the two drills of a pair conflict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tie {
    /// Their services are of one group.
    Group,
    /// A service of the second needs one that needs one of the first.
    Chain,
    /// One service is in both.
    Service,
}

pub fn tie(drill: usize) -> Tie {
    [Tie::Group, Tie::Chain, Tie::Service][drill / 2 % 3]
}

fn services_of(drill: usize) -> Vec<String> {
    let first = drill * SERVICES_OF_A_DRILL;
    let own = (first..first + SERVICES_OF_A_DRILL).map(service);
    let shared = (drill % 2 == 1 && tie(drill) == Tie::Service).then(|| service(first - 1));
    own.chain(shared).collect()
}

/// The months in which it comes: every third, every sixth, or one.
fn months(drill: usize) -> Vec<usize> {
    let pair = drill / 2;
    match grade(drill) {
        1 => vec![3, 6, 9, 12],
        2 => vec![3 + pair % 3, 9 + pair % 3],
        _ => vec![2 + pair % 4 * 3],
    }
}

/// Days before the new year on which the last of last year was over: as long before the first of this year as between two.
pub fn days_before(drill: usize) -> i64 {
    let interval = [0, 91, 182, 365][grade(drill) as usize];
    interval - i64::try_from(months(drill)[0] * 30 - 18).unwrap()
}

/// The second of a pair comes at the same time as the first, two hours later, the next day, or in the next week.
fn schedule(drill: usize) -> Value {
    let (pair, second) = (drill / 2, drill % 2 == 1);
    let (hour, day, week) = match (second, pair % 10) {
        (false, _) | (true, 0) => (10, pair % 3, 2),
        (true, 1) => (12, pair % 3, 2),
        (true, 2..6) => (10, pair % 3 + 1, 2),
        (true, _) => (10, pair % 3, 3),
    };
    let days = ["MON", "TUE", "WED", "THU"];
    let months = months(drill).iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut schedule = json!({
        "cron": format!("0 {hour} * {months} {}#{week}", days[day]), "timeZone": "Asia/Seoul",
        "windows": [{"days": ["Mon", "Tue", "Wed", "Thu", "Fri"], "from": "09:30", "to": "16:00"}],
        "calendars": ["country"],
    });
    if pair % 7 == 3 {
        schedule["jitter"] = json!("50m");
    }
    schedule
}

fn drill(index: usize) -> Value {
    json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "SwitchoverDrill",
        "metadata": {"name": format!("d{index:02}"), "namespace": "gpki", "creationTimestamp": "2027-01-01T00:00:00Z"},
        "spec": {
            "schedule": schedule(index), "services": {"names": services_of(index)}, "historyLimit": 1,
            "direction": {"awayFrom": "daejeon"}, "hold": "4h", "guardrails": {"maxDuration": "6h"}, "notice": "48h",
        },
    })
}

fn shared_service(name: &str, grade: i64, part_of: Option<String>, needs: Option<String>) -> Value {
    let member =
        |region: &str| json!({"region": region, "endpoint": format!("tcp://{region}.{name}.example:443")});
    let needs: Vec<Value> = needs.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "SharedService", "metadata": {"name": name, "namespace": "gpki"},
        "spec": {
            "grade": grade, "partOf": part_of, "topology": "ActiveStandby", "dependsOn": needs,
            "members": [member("daejeon"), member("gwangju")],
            "health": {
                "interval": "1s", "timeout": "500ms", "window": {"size": 3, "failures": 2},
                "recovery": {"successes": 3, "for": "2s"}, "vantages": {"quorum": 2},
                "checks": [{"name": "port", "tcp": {}}],
            },
            "failover": {"mode": "Automatic"},
        },
    })
}

/// Each service needs the one before it in its drill. In a chain the first of the second drill needs, by a service in between
/// that nobody drills, the last of the first drill.
fn shared_services() -> Vec<Value> {
    let mut all = Vec::new();
    for index in 0..DRILLS * SERVICES_OF_A_DRILL {
        let (drill, place) = (index / SERVICES_OF_A_DRILL, index % SERVICES_OF_A_DRILL);
        let group = (tie(drill) == Tie::Group).then(|| format!("g{}", drill / 2));
        let second_of_chain = drill % 2 == 1 && tie(drill) == Tie::Chain;
        let needs = match place {
            0 if second_of_chain => {
                let between = format!("between-{drill}");
                all.push(shared_service(&between, 4, None, Some(service(index - 1))));
                Some(between)
            }
            0 => None,
            _ => Some(service(index - 1)),
        };
        all.push(shared_service(&service(index), grade(drill), group, needs));
    }
    all
}

/// New year, an election on a day of drills, and a week in which taxes are due.
fn calendar() -> Value {
    let blocked = |name: &str, from: &str, to: &str| json!({"name": name, "from": from, "to": to});
    json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "Calendar", "metadata": {"name": "country"},
        "spec": {"timeZone": "Asia/Seoul", "blocked": [
            blocked("new year", "2026-12-31", "2027-01-02"),
            blocked("the election", "2027-06-14", "2027-06-15"),
            blocked("taxes", "2027-05-10", "2027-05-12"),
        ]},
    })
}

fn read<T: serde::de::DeserializeOwned>(object: Value) -> Arc<T> {
    Arc::new(serde_json::from_value(object).unwrap())
}

pub fn snapshot() -> Snapshot {
    let region = |name: &str, role: &str| -> (String, Arc<Region>) {
        let object = json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "Region", "metadata": {"name": name},
            "spec": {"role": role, "failureDomain": name},
        });
        (name.to_owned(), read(object))
    };
    let policy = |grade: i64| -> (String, Arc<GradePolicy>) {
        let object = json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "GradePolicy", "metadata": {"name": format!("grade-{grade}")},
            "spec": {"grade": grade, "maxDrillAge": format!("{}h", limit_days(grade) * 24)},
        });
        (format!("grade-{grade}"), read(object))
    };
    let services = shared_services().into_iter().map(|object| {
        let service: Arc<SharedService> = read(object);
        (ServiceKey::new("gpki", service.metadata.name.as_deref().unwrap()), service)
    });
    let drills = (0..DRILLS).map(|index| -> ((String, String), Arc<SwitchoverDrill>) {
        (("gpki".to_owned(), format!("d{index:02}")), read(drill(index)))
    });
    let calendar: Arc<Calendar> = read(calendar());
    Snapshot {
        regions: [region("daejeon", "Full"), region("gwangju", "Full"), region("daegu", "Witness")].into(),
        services: services.collect(),
        policies: [policy(1), policy(2), policy(3)].into(),
        drills: drills.collect(),
        calendars: [("country".to_owned(), calendar)].into(),
        ..Snapshot::default()
    }
}

/// Whether two runs that move these services must not go on together, told by what the objects say and nothing else.
pub fn conflict(snapshot: &Snapshot, one: &BTreeSet<ServiceKey>, other: &BTreeSet<ServiceKey>) -> bool {
    let groups = |keys: &BTreeSet<ServiceKey>| -> BTreeSet<String> {
        keys.iter().filter_map(|key| snapshot.services[key].spec.part_of.clone()).collect()
    };
    // All that they need, and themselves.
    let below = |keys: &BTreeSet<ServiceKey>| {
        let (mut found, mut left) = (keys.clone(), keys.iter().cloned().collect::<Vec<_>>());
        while let Some(key) = left.pop() {
            for needed in &snapshot.services[&key].spec.depends_on {
                let needed = ServiceKey::new("gpki", &needed.name);
                if found.insert(needed.clone()) {
                    left.push(needed);
                }
            }
        }
        found
    };
    !groups(one).is_disjoint(&groups(other))
        || !below(one).is_disjoint(other)
        || !below(other).is_disjoint(one)
}

//! What the API server must take and refuse: a good object of each kind, and one change for each rule in `src/api`.

mod checks;

use serde_json::{Value, json};

use checks::{check_rows, directory_rows, identity_rows, number_rows};

/// One object, and whether it may be written.
pub struct Case {
    /// What the object has that the base has not.
    pub name: String,
    /// The object as it was before, if the rule is about a change.
    pub before: Option<Value>,
    /// The object.
    pub object: Value,
    /// A part of the refusal: the rule's own text, or for schema rules the field. `None`: it is taken.
    pub refused: Option<&'static str>,
}

/// Path in the object and what is put there; null takes it away.
type Row = (&'static str, Value, Option<&'static str>);

/// Every case.
pub fn cases() -> Vec<Case> {
    let tables: [(&str, Value, Vec<Row>); 14] = [
        ("Region", region(), region_rows()),
        ("SharedService", service(), service_rows()),
        ("SharedService", service(), member_rows()),
        ("SharedService", service(), health_rows()),
        ("SharedService", service(), check_rows()),
        ("SharedService", service(), directory_rows()),
        ("SharedService", service(), identity_rows()),
        ("SharedService", service(), number_rows()),
        ("SharedService", service(), traffic_rows()),
        ("SharedService", service(), fence_rows()),
        ("GradePolicy", policy(), policy_rows()),
        ("LedgerEntry", entry(), entry_rows()),
        ("SwitchoverDrill", drill(), drill_rows()),
        ("Calendar", calendar(), calendar_rows()),
    ];
    let rows = tables.into_iter().flat_map(|(kind, base, rows)| {
        let good = Case { name: format!("{kind} base"), before: None, object: base.clone(), refused: None };
        let changed = rows.into_iter().map(move |row| case(kind, &base, None, row));
        std::iter::once(good).chain(changed)
    });
    rows.chain(failover_cases())
        .chain(measured_drill_cases())
        .chain(drill_run_cases())
        .chain(approval_cases())
        .collect()
}

fn case(kind: &str, base: &Value, before: Option<Value>, (path, value, refused): Row) -> Case {
    let shown: String = value.to_string().chars().take(60).collect();
    let how = if before.is_some() { "changed to" } else { "=" };
    Case { name: format!("{kind} {path} {how} {shown}"), before, object: with(base, path, value), refused }
}

/// A copy with one field changed. Objects on the way are made.
fn with(base: &Value, path: &str, value: Value) -> Value {
    let mut object = base.clone();
    let (parents, last) = path.rsplit_once('/').unwrap();
    let parent = parents.split('/').skip(1).fold(&mut object, |at, step| match at {
        Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        map => &mut map[step],
    });
    match (parent, value) {
        (Value::Object(map), Value::Null) => drop(map.remove(last)),
        (Value::Array(items), value) => items[last.parse::<usize>().unwrap()] = value,
        (parent, value) => parent[last] = value,
    }
    object
}

fn object(kind: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": kind, "spec": spec,
        "metadata": {"name": "case", "namespace": "default"},
    })
}

fn cluster_object(kind: &str, spec: &Value) -> Value {
    with(&object(kind, spec), "/metadata/namespace", Value::Null)
}

fn region() -> Value {
    cluster_object("Region", &json!({"role": "Full", "failureDomain": "daejeon-site"}))
}

fn policy() -> Value {
    cluster_object("GradePolicy", &json!({"grade": 1, "rto": "5m"}))
}

fn entry() -> Value {
    object("LedgerEntry", &json!({"key": "record/gpki/verify", "value": "{}"}))
}

/// A service that uses everything a rule speaks of.
pub fn service() -> Value {
    let member = |region: &str, address: &str| {
        json!({
            "region": region, "weight": 50, "endpoint": format!("https://ivs.{region}.example:8443"),
            "addresses": [address], "capacity": 1200,
        })
    };
    object(
        "SharedService",
        &json!({
            "partOf": "gpki", "grade": 1, "topology": "ActiveStandby",
            "members": [member("daejeon", "192.0.2.1"), member("gwangju", "192.0.2.2")],
            "health": {
                "interval": "2s", "timeout": "1s", "window": {"size": 5, "failures": 3},
                "checks": [{"name": "verify", "http": {"method": "POST", "body": "{}", "headers": [{"name": "Accept", "value": "*/*"}]}}],
            },
            "traffic": [{
                "name": "main", "ttl": "5s",
                "dns": {
                    "zone": "go.example", "name": "ivs.go.example", "servers": [{"address": "192.0.2.53:53"}],
                    "tsig": {"name": "bongsu", "secretRef": {"name": "tsig", "key": "secret"}},
                },
            }],
            "failover": {"mode": "Automatic", "cooldown": "1h"},
            "objectives": {"rto": "5m", "rpo": "0s"},
            "peakLoad": 1000, "dependsOn": [{"name": "gpki-directory"}], "substitutes": [{"name": "mobile-id-verify"}],
        }),
    )
}

fn failover() -> Value {
    object(
        "Failover",
        &json!({"serviceName": "ivs", "from": "daejeon", "to": "gwangju", "reason": "rehearsal"}),
    )
}

fn region_rows() -> Vec<Row> {
    let name = |length| json!("a".repeat(length));
    vec![
        ("/metadata/name", name(63), None),
        (
            "/metadata/name",
            name(64),
            Some("a Region's name is used as a label and must have at most 63 characters"),
        ),
        ("/spec/role", json!("Witness"), None),
        ("/spec/role", json!("Spare"), Some("spec.role")),
        ("/spec/failureDomain", json!(""), Some("spec.failureDomain")),
        ("/spec/maintenance", json!({"reason": "power"}), None),
        ("/spec/maintenance", json!({"reason": ""}), Some("spec.maintenance.reason")),
        ("/spec/maintenance", json!({}), Some("spec.maintenance.reason")),
        ("/spec/globalStop", json!({"reason": "audit"}), None),
        ("/spec/globalStop", json!({"reason": ""}), Some("spec.globalStop.reason")),
        ("/spec/budget", json!({"moves": 1, "per": "1h"}), None),
        ("/spec/budget", json!({"moves": 0}), Some("spec.budget.moves")),
        ("/spec/budget", json!({"movesPerGroup": 10_001}), Some("spec.budget.movesPerGroup")),
        ("/spec/budget", json!({"per": "1 day"}), Some("spec.budget.per")),
        ("/spec/budget", json!({"evacuation": {"concurrent": 0}}), Some("spec.budget.evacuation.concurrent")),
    ]
}

fn service_rows() -> Vec<Row> {
    let references =
        |count: usize| json!((0..count).map(|n| json!({"name": format!("s{n}")})).collect::<Vec<_>>());
    let rto = "objectives.rto is below interval * window.failures + timeout + ttl: detecting the fault and waiting for resolvers takes longer than that";
    vec![
        ("/spec/grade", json!(4), None),
        ("/spec/grade", json!(0), Some("spec.grade")),
        ("/spec/grade", json!(5), Some("spec.grade")),
        ("/spec/grade", Value::Null, Some("spec.grade")),
        ("/spec/topology", json!("ActiveActive"), None),
        ("/spec/topology", json!("Solo"), Some("spec.topology")),
        ("/spec/partOf", json!(""), Some("spec.partOf")),
        ("/spec/objectives", Value::Null, None),
        // 2 s * 3 + 1 s + 5 s
        ("/spec/objectives/rto", json!("12s"), None),
        ("/spec/objectives/rto", json!("11999ms"), Some(rto)),
        ("/spec/objectives/rto", json!("5 minutes"), Some("spec.objectives.rto")),
        ("/spec/peakLoad", json!(-1), Some("spec.peakLoad")),
        ("/spec/dependsOn", references(16), None),
        ("/spec/dependsOn", references(17), Some("spec.dependsOn")),
        ("/spec/substitutes", references(17), Some("spec.substitutes")),
        ("/spec/failover/mode", json!("Approve"), None),
        ("/spec/failover/mode", json!("Auto"), Some("spec.failover.mode")),
        ("/spec/failover/approvals", json!(10), Some("spec.failover.approvals")),
        ("/spec/failover/cooldown", json!("1d"), Some("spec.failover.cooldown")),
        ("/spec/failover/failback", json!({"mode": "Automatic", "after": "30m"}), None),
        (
            "/spec/failover/failback",
            json!({"mode": "Automatic"}),
            Some("failback.mode Automatic needs after: how long the member must have been healthy"),
        ),
    ]
}

fn fence_rows() -> Vec<Row> {
    vec![
        ("/spec/fence", json!({"workload": {"name": "writer"}}), None),
        ("/spec/fence", json!({"workload": {"name": "writer", "kind": "StatefulSet", "replicas": 3}}), None),
        (
            "/spec/fence",
            json!({"workload": {"name": "writer", "kind": "DaemonSet"}}),
            Some("spec.fence.workload.kind"),
        ),
        (
            "/spec/fence",
            json!({"workload": {"name": "writer", "replicas": 0}}),
            Some("spec.fence.workload.replicas"),
        ),
        ("/spec/fence", json!({"workload": {}}), Some("spec.fence.workload.name")),
        ("/spec/fence", json!({}), Some("give fence.gate or fence.workload")),
        ("/spec/fence", json!({"gate": {}, "workload": {"name": "writer"}}), Some("and not both")),
    ]
}

fn member_rows() -> Vec<Row> {
    let [first, second] = [0, 1].map(|n| service()["spec"]["members"][n].clone());
    let many = |count: usize| {
        json!((0..count).map(|n| with(&first, "/region", json!(format!("r{n}")))).collect::<Vec<_>>())
    };
    vec![
        ("/spec/members", many(9), None),
        ("/spec/members", many(10), Some("spec.members")),
        ("/spec/members", json!([]), Some("spec.members")),
        (
            "/spec/members",
            json!([first]),
            Some("ActiveStandby needs at least two members: one serves, one stands by"),
        ),
        ("/spec/members", json!([first, second, first]), Some("spec.members[2]")),
        ("/spec/members/0/region", json!("Daejeon"), Some("spec.members[0].region")),
        ("/spec/members/0/weight", json!(1001), Some("spec.members[0].weight")),
        ("/spec/members/0/weight", json!(0), None),
        ("/spec/members/0/endpoint", json!("tcp://192.0.2.1:636"), None),
        ("/spec/members/0/endpoint", json!("ldap://192.0.2.1"), Some("spec.members[0].endpoint")),
        (
            "/spec/members/0/addresses",
            json!([]),
            Some("every member needs addresses, because traffic publishes them"),
        ),
        ("/spec/members/0/addresses", json!(vec!["192.0.2.1"; 9]), Some("spec.members[0].addresses")),
        ("/spec/members/0/addresses", json!(["1"]), Some("spec.members[0].addresses[0]")),
        ("/spec/members/0/capacity", json!(-1), Some("spec.members[0].capacity")),
        ("/spec/members/0/maintenance", json!(true), None),
    ]
}

fn health_rows() -> Vec<Row> {
    let check = |name: &str| json!({"name": name, "tcp": {}});
    let checks = |count: usize| json!((0..count).map(|n| check(&format!("c{n}"))).collect::<Vec<_>>());
    let timeout =
        "timeout must be shorter than interval, so that a hung check is over before the next one starts";
    let window =
        "window.failures cannot be larger than window.size: such a member would never be called down";
    let bodies = "set at most one of body and generatedBody";
    vec![
        ("/spec/health/timeout", json!("1999ms"), None),
        ("/spec/health/timeout", json!("2s"), Some(timeout)),
        ("/spec/health", with_interval("100ms", "50ms"), None),
        ("/spec/health", with_interval("99ms", "50ms"), Some("interval must be at least 100ms")),
        ("/spec/health/interval", json!("2sec"), Some("spec.health.interval")),
        ("/spec/health/window", json!({"size": 5, "failures": 5}), None),
        ("/spec/health/window", json!({"size": 5, "failures": 6}), Some(window)),
        ("/spec/health/window", json!({"size": 61}), Some("spec.health.window.size")),
        ("/spec/health/recovery", json!({"successes": 0}), Some("spec.health.recovery.successes")),
        ("/spec/health/vantages", json!({"quorum": 1}), None),
        ("/spec/health/vantages", json!({"quorum": 0}), Some("spec.health.vantages.quorum")),
        ("/spec/health/checks", checks(16), None),
        ("/spec/health/checks", checks(17), Some("spec.health.checks")),
        ("/spec/health/checks", json!([]), Some("spec.health.checks")),
        ("/spec/health/checks", json!([check("a"), check("a")]), Some("spec.health.checks[1]")),
        ("/spec/health/checks/0", json!({"name": "none"}), Some("set exactly one kind of check")),
        ("/spec/health/checks/0/tcp", json!({}), Some("set exactly one kind of check")),
        ("/spec/health/checks/0/name", json!("Verify"), Some("spec.health.checks[0].name")),
        ("/spec/health/checks/0/http/generatedBody", json!({"size": 4096}), Some(bodies)),
        ("/spec/health/checks/0/http", json!({"generatedBody": {"size": 4096}}), None),
        (
            "/spec/health/checks/0/http",
            json!({"generatedBody": {"size": 0}}),
            Some("http.generatedBody.size"),
        ),
        ("/spec/health/checks/0/http/tls", json!({"fullHandshakeEvery": 60}), None),
        ("/spec/health/checks/0/http/tls", json!({"fullHandshakeEvery": 0}), Some("tls.fullHandshakeEvery")),
        ("/spec/health/checks/0/http/method", json!("DELETE"), Some("http.method")),
        ("/spec/health/checks/0/http/path", json!("verify"), Some("http.path")),
        ("/spec/health/checks/0/http/headers/0/name", json!("Accept:"), Some("http.headers[0].name")),
        ("/spec/health/checks/0/http/expectedStatus", json!([200, 204]), None),
        ("/spec/health/checks/0/http/expectedStatus", json!([99]), Some("http.expectedStatus[0]")),
        ("/spec/health/checks/0/http/expectedStatus", json!([]), Some("http.expectedStatus")),
        ("/spec/health/checks/0/http/expect", json!(""), Some("http.expect")),
        ("/spec/health/checks/0/http/maxBodyBytes", json!(8_388_609), Some("http.maxBodyBytes")),
        ("/spec/health/checks/0/maxLatency", json!("0.5s"), Some("checks[0].maxLatency")),
        ("/spec/health/checks/0", json!({"name": "port", "port": 65_535, "tcp": {}}), None),
        ("/spec/health/checks/0", json!({"name": "port", "port": 65_536, "tcp": {}}), Some("checks[0].port")),
        ("/spec/health/checks/0/scheme", json!("https"), None),
        ("/spec/health/checks/0/scheme", json!("ftp"), Some("checks[0].scheme")),
        (
            "/spec/health/checks/0",
            json!({"name": "port", "scheme": "http", "tcp": {}}),
            Some("scheme is for checks over HTTP"),
        ),
    ]
}

fn with_interval(interval: &str, timeout: &str) -> Value {
    let health = with(&service()["spec"]["health"], "/interval", json!(interval));
    with(&health, "/timeout", json!(timeout))
}

fn traffic_rows() -> Vec<Row> {
    let first = service()["spec"]["traffic"][0].clone();
    let served =
        |zone: &str, name: &str| json!({"zone": zone, "name": name, "nameServers": ["ns1.go.example"]});
    let served_only = |zone, name| json!({"name": "main", "served": served(zone, name)});
    let many = |count: usize| {
        json!((0..count).map(|n| with(&first, "/name", json!(format!("t{n}")))).collect::<Vec<_>>())
    };
    let servers = |count: usize| {
        json!((0..count).map(|n| json!({"address": format!("192.0.2.{n}:53")})).collect::<Vec<_>>())
    };
    vec![
        ("/spec/traffic", json!([]), None),
        ("/spec/traffic", many(4), None),
        ("/spec/traffic", many(5), Some("spec.traffic")),
        ("/spec/traffic", json!([first, first]), Some("spec.traffic[1]")),
        ("/spec/traffic/0", served_only("go.example", "ivs.go.example"), None),
        ("/spec/traffic/0", served_only("go.example", "go.example"), None),
        ("/spec/traffic/0", served_only("go.example", "ivs.other.example"), Some("name must be inside zone")),
        (
            "/spec/traffic/0/served",
            served("go.example", "go.example"),
            Some("set exactly one of dns and served"),
        ),
        ("/spec/traffic/0", json!({"name": "main"}), Some("set exactly one of dns and served")),
        ("/spec/traffic/0/ttl", json!("1s"), None),
        ("/spec/traffic/0/ttl", json!("999ms"), Some("ttl must be between 1s and 24h")),
        ("/spec/traffic/0/ttl", json!("24h1s"), Some("ttl must be between 1s and 24h")),
        ("/spec/traffic/0/name", json!("Main"), Some("spec.traffic[0].name")),
        ("/spec/traffic/0/dns/name", json!("xgo.example"), Some("name must be inside zone")),
        ("/spec/traffic/0/dns/zone", json!("go example"), Some("spec.traffic[0].dns.zone")),
        ("/spec/traffic/0/dns/servers", servers(8), None),
        ("/spec/traffic/0/dns/servers", servers(9), Some("spec.traffic[0].dns.servers")),
        ("/spec/traffic/0/dns/servers", json!([]), Some("spec.traffic[0].dns.servers")),
        ("/spec/traffic/0/dns/tsig/algorithm", json!("hmac-sha512"), None),
        ("/spec/traffic/0/dns/tsig/algorithm", json!("hmac-md5"), Some("spec.traffic[0].dns.tsig.algorithm")),
        ("/spec/traffic/0/dns/tsig/secretRef/key", json!(""), Some("secretRef.key")),
    ]
}

fn policy_rows() -> Vec<Row> {
    vec![
        ("/spec/grade", json!(5), Some("spec.grade")),
        ("/spec/rto", json!("soon"), Some("spec.rto")),
        ("/spec/mode", json!("Manual"), None),
        ("/spec/mode", json!("Never"), Some("spec.mode")),
        ("/spec/minVantageQuorum", json!(0), Some("spec.minVantageQuorum")),
        ("/spec/approvals", json!(-1), Some("spec.approvals")),
        ("/spec/maxDrillAge", json!("2400h"), None),
        ("/spec/maxDrillAge", json!("100d"), Some("spec.maxDrillAge")),
        (
            "/spec/drills",
            json!({"interval": "2160h", "approvals": 2, "minHold": "4h", "ladder": "Require"}),
            None,
        ),
        ("/spec/drills", json!({"approvals": 10}), Some("spec.drills.approvals")),
        ("/spec/drills", json!({"ladder": "Perhaps"}), Some("spec.drills.ladder")),
    ]
}

fn entry_rows() -> Vec<Row> {
    vec![
        ("/spec/key", json!(""), Some("spec.key")),
        ("/spec/key", json!("k".repeat(513)), Some("spec.key")),
        ("/spec/value", json!("v".repeat(1_048_576)), None),
        ("/spec/value", json!("v".repeat(1_048_577)), Some("spec.value")),
    ]
}

fn failover_cases() -> Vec<Case> {
    let base = failover();
    let good = Case { name: "Failover base".to_owned(), before: None, object: base.clone(), refused: None };
    let only_reason = json!({"serviceName": "ivs", "reason": "rehearsal"});
    let fixed = "a Failover cannot be changed after it was created, except intervention: create another one";
    let made: Vec<Row> = vec![
        ("/spec/from", Value::Null, None),
        ("/spec/to", Value::Null, None),
        (
            "/spec",
            only_reason,
            Some("say where to: set to (the region that shall serve), or from (the region to drain)"),
        ),
        ("/spec/to", json!("daejeon"), Some("from and to are the same region")),
        ("/spec/reason", json!(""), Some("spec.reason")),
        ("/spec/serviceName", json!(""), Some("spec.serviceName")),
        ("/spec/intervention", json!("Retry"), Some("spec.intervention")),
    ];
    let changed: Vec<Row> = vec![
        ("/spec/intervention", json!("Abort"), None),
        ("/spec/reason", json!("rehearsal, second try"), None),
        ("/spec/to", json!("seoul"), Some(fixed)),
        ("/spec/to", Value::Null, Some(fixed)),
        ("/spec/from", Value::Null, Some(fixed)),
        ("/spec/dryRun", json!(true), Some(fixed)),
        ("/spec/serviceName", json!("other"), Some(fixed)),
    ];
    let made = made.into_iter().map(|row| case("Failover", &base, None, row));
    let changed = changed.into_iter().map(|row| case("Failover", &base, Some(base.clone()), row));
    std::iter::once(good).chain(made).chain(changed).collect()
}

fn drill() -> Value {
    let schedule = json!({"cron": "0 10 * * TUE#2", "timeZone": "Asia/Seoul"});
    object(
        "SwitchoverDrill",
        &json!({"schedule": schedule, "services": {"partOf": "gpki"}, "direction": {"awayFrom": "daejeon"}}),
    )
}

fn budget(min: &str) -> Value {
    json!({"name": "error-budget", "query": "slo_budget_left", "min": min})
}

/// Numbers of a Prometheus.
fn measured_drill_cases() -> Vec<Case> {
    let mut base = drill();
    base["spec"]["prometheus"] = json!({"url": "https://prometheus.example/prom"});
    let rows: Vec<Row> = vec![
        ("/spec/gates", json!([budget("0.2")]), None),
        ("/spec/gates", json!([budget("-0.25")]), None),
        ("/spec/gates", json!([budget("a lot")]), Some("spec.gates[0].min")),
        ("/spec/gates", json!([{"name": "errors", "query": "up"}]), Some("say where the value must lie")),
        (
            "/spec/gates",
            json!([{"name": "errors", "query": "up", "min": "2", "max": "1"}]),
            Some("min must not be above max"),
        ),
        ("/spec/gates", json!([budget("0.1"), budget("0.2")]), Some("Duplicate value")),
        (
            "/spec/guardrails",
            json!({"promql": [{"name": "errors", "query": "up", "max": "1", "for": "30s"}], "unknownFor": "2m"}),
            None,
        ),
        ("/spec/residual", json!({"query": "sum(up)", "max": "0.5"}), None),
        ("/spec/residual", json!({"query": "sum(up)", "max": "little"}), Some("spec.residual.max")),
        ("/spec/prometheus/tokenSecretRef", json!({"name": "prometheus", "key": "token"}), None),
    ];
    rows.into_iter().map(|row| case("SwitchoverDrill", &base, None, row)).collect()
}

fn drill_rows() -> Vec<Row> {
    let one_way = "say exactly one of awayFrom, to, or alternate: true";
    vec![
        ("/spec/schedule", Value::Null, None),
        ("/spec/schedule/cron", json!("* *"), Some("spec.schedule.cron")),
        ("/spec/schedule/windows", json!([{"from": "10:00", "to": "24:00", "days": ["Mon"]}]), None),
        ("/spec/schedule/windows", json!([{"from": "10:00", "to": "10:00"}]), Some("never opens")),
        ("/spec/schedule/windows", json!([{"from": "25:00", "to": "10:00"}]), Some("windows[0].from")),
        ("/spec/schedule/unannouncedWithin", json!("8h"), None),
        (
            "/spec/schedule",
            json!({"cron": "0 10 * * *", "timeZone": "Asia/Seoul", "jitter": "5m", "unannouncedWithin": "8h"}),
            Some("jitter and unannouncedWithin both draw the time: set one of them"),
        ),
        ("/spec/services", json!({}), Some("say which services: names, matchLabels, partOf or grade")),
        ("/spec/services", json!({"names": ["ivs"]}), None),
        ("/spec/services/grade", json!(5), Some("spec.services.grade")),
        ("/spec/direction", json!({}), Some(one_way)),
        ("/spec/direction/to", json!("gwangju"), Some(one_way)),
        ("/spec/direction", json!({"alternate": true}), None),
        ("/spec/kind", json!("DryRun"), None),
        ("/spec/kind", json!("Detection"), None),
        ("/spec/ramp", json!([{"percent": 10, "hold": "10m"}, {"percent": 50, "hold": "10m"}]), None),
        ("/spec/ramp", json!([{"percent": 100, "hold": "10m"}]), Some("spec.ramp[0].percent")),
        ("/spec/kind", json!("Pretend"), Some("spec.kind")),
        ("/spec/hold", json!("2h"), Some("guardrails.maxDuration must be longer than hold")),
        (
            "/spec/gates",
            json!([budget("0.2")]),
            Some("need prometheus.url: where are their numbers asked for?"),
        ),
        ("/spec/guardrails", json!({"promql": [budget("0.2")]}), Some("need prometheus.url")),
        ("/spec/residual", json!({"query": "up", "max": "1"}), Some("need prometheus.url")),
        ("/spec/guardrails", json!({"maxLatency": "300ms", "maxFailedPercent": 5, "samples": 60}), None),
        ("/spec/guardrails", json!({"samples": 61}), Some("spec.guardrails.samples")),
        ("/spec/guardrails", json!({"maxFailedPercent": 100}), Some("spec.guardrails.maxFailedPercent")),
        ("/spec/prometheus", json!({"url": "prometheus:9090"}), Some("spec.prometheus.url")),
        ("/spec/prometheus", json!({"url": "http://user:word@prometheus:9090"}), Some("spec.prometheus.url")),
        ("/spec/approvals", json!(10), Some("spec.approvals")),
        ("/spec/historyLimit", json!(0), Some("spec.historyLimit")),
    ]
}

fn calendar() -> Value {
    let election = json!({"name": "election", "from": "2027-03-03", "to": "2027-03-04", "repeats": "Yearly"});
    cluster_object("Calendar", &json!({"timeZone": "Asia/Seoul", "blocked": [election]}))
}

fn calendar_rows() -> Vec<Row> {
    vec![
        ("/spec/blocked", json!([]), Some("spec.blocked")),
        ("/spec/blocked/0/to", json!("2027-03-03"), Some("from must be before to")),
        ("/spec/blocked/0/to", json!("2027-03-04T10:00"), Some("write from and to alike")),
        ("/spec/blocked/0/from", json!("3 March"), Some("spec.blocked[0].from")),
        ("/spec/blocked/0/repeats", json!("Hourly"), Some("spec.blocked[0].repeats")),
    ]
}

fn drill_run_cases() -> Vec<Case> {
    let base = object("DrillRun", &json!({"drillName": "monthly", "reason": "rehearsal"}));
    let good = Case { name: "DrillRun base".to_owned(), before: None, object: base.clone(), refused: None };
    let fixed = "a DrillRun cannot be changed after it was created, except abort: create another one";
    let stopped = with(&base, "/spec/abort", json!(true));
    let rows: Vec<(&Value, Row)> = vec![
        (&base, ("/spec/abort", json!(true), None)),
        (&stopped, ("/spec/abort", json!(false), Some("an abort cannot be taken back"))),
        (&base, ("/spec/drillName", json!("other"), Some(fixed))),
        (&base, ("/spec/startsAt", json!("2027-03-02T10:00:00+09:00"), Some(fixed))),
        // Who asked cannot approve: it must not become somebody else before Bongsu has seen it.
        (&base, ("/spec/requestedBy", json!("lee"), Some(fixed))),
    ];
    let changed = rows.into_iter().map(|(before, row)| case("DrillRun", before, Some(before.clone()), row));
    std::iter::once(good).chain(changed).collect()
}

fn approval_cases() -> Vec<Case> {
    let base = object("Approval", &json!({"drillRunName": "monthly-1", "approver": "kim"}));
    let good = Case { name: "Approval base".to_owned(), before: None, object: base.clone(), refused: None };
    let fixed = "an Approval cannot be changed: delete it and create another one";
    let changed: Vec<Row> = vec![
        ("/spec/approver", json!("lee"), Some(fixed)),
        ("/spec/drillRunName", json!("monthly-2"), Some(fixed)),
    ];
    let changed = changed.into_iter().map(|row| case("Approval", &base, Some(base.clone()), row));
    std::iter::once(good).chain(changed).collect()
}

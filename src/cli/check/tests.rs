use super::*;

const REGIONS: &str = "
apiVersion: bongsu.io/v1alpha1
kind: Region
metadata: {name: daejeon}
spec: {failureDomain: one}
---
apiVersion: bongsu.io/v1alpha1
kind: Region
metadata: {name: gwangju}
spec: {}
---
apiVersion: bongsu.io/v1alpha1
kind: Region
metadata: {name: daegu}
spec: {role: Witness}
";

/// A service that passes, with something more in its spec.
fn service(name: &str, more: &str) -> String {
    format!(
        "apiVersion: bongsu.io/v1alpha1
kind: SharedService
metadata: {{name: {name}}}
spec:
  grade: 1
  topology: ActiveActive
  members:
  - {{region: daejeon, endpoint: 'https://a.example:8443', addresses: [192.0.2.1]}}
  - {{region: gwangju, endpoint: 'https://b.example:8443', addresses: [198.51.100.1]}}
  health:
    interval: 2s
    timeout: 1s
    checks:
    - name: verify
      http: {{expect: body.ok == true}}
{more}"
    )
}

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

#[track_caller]
fn check_all(texts: &[&str], expected: &[&str]) {
    let names = ["r.yaml", "a.yaml", "b.yaml", "c.yaml"];
    let sources: Vec<_> = names.iter().zip(texts).map(|(name, text)| source(name, text)).collect();
    let report = check(&Admission::new().unwrap(), &sources);
    let found: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn good_objects_pass_together() {
    let second = service("b", "  dependsOn: [{name: a}]\n");
    check_all(&[REGIONS, &service("a", ""), &second], &[]);
}

#[test]
fn a_region_that_does_not_exist_is_an_error_only_if_regions_are_given() {
    let wrong = service("a", "").replace("region: gwangju", "region: gwanju");
    check_all(
        &[REGIONS, &wrong],
        &[
            "a.yaml:9: SharedService default/a: spec.members[1].region: there is no Region gwanju among the files (did you mean gwangju?)",
        ],
    );
    check_all(
        &["", &service("a", "")],
        &[
            "a.yaml:8: note: SharedService default/a: spec.members[0].region: no Region is among the files, so daejeon was not looked up",
            "a.yaml:9: note: SharedService default/a: spec.members[1].region: no Region is among the files, so gwangju was not looked up",
        ],
    );
}

#[test]
fn a_region_that_is_refused_is_not_missing_besides() {
    let regions = REGIONS.replace("spec: {}", "spec: {role: Ful}");
    check_all(
        &[&regions, &service("a", "")],
        &["r.yaml:10: Region gwangju: spec.role: \"Ful\" is not one of Full, Witness (did you mean Full?)"],
    );
}

#[test]
fn a_witness_holds_no_members_and_a_quorum_cannot_exceed_the_regions() {
    let wrong = service("a", "    vantages: {quorum: 4}\n").replace("region: gwangju", "region: daegu");
    check_all(
        &[REGIONS, &wrong],
        &[
            "a.yaml:9: SharedService default/a: spec.members[1].region: Region daegu is a Witness: it watches, and holds no members",
            "a.yaml:16: SharedService default/a: spec.health.vantages.quorum: 4 vantages must agree, but there are only 3: no verdict would ever be reached",
        ],
    );
}

#[test]
fn two_regions_that_share_their_fate_are_noted() {
    let regions = REGIONS.replace("spec: {}", "spec: {failureDomain: one}");
    check_all(
        &[&regions],
        &[
            "r.yaml:10: note: Region gwangju: spec.failureDomain: Region daejeon has the failure domain one, too: both can be lost at once",
        ],
    );
}

#[test]
fn an_object_that_stands_twice_is_found_with_its_first_place() {
    check_all(
        &[REGIONS, &service("a", ""), &service("a", "")],
        &[
            "b.yaml:3: SharedService default/a: metadata.name: stands in a.yaml:3 already (remove one of them, or rename it)",
        ],
    );
}

#[test]
fn services_that_wait_for_each_other_are_named_once() {
    let [a, b, c] = [("a", "b"), ("b", "c"), ("c", "b")]
        .map(|(name, to)| service(name, &format!("  dependsOn: [{{name: {to}}}]\n")));
    check_all(
        &[REGIONS, &a, &b, &c],
        &[
            "b.yaml:16: SharedService default/b: spec.dependsOn: waits for itself: default/b → default/c → default/b",
        ],
    );
    let alone =
        service("a", "  dependsOn: [{name: a}, {name: aa}]\n  substitutes: [{name: z, namespace: x}]\n");
    check_all(
        &[REGIONS, &alone],
        &[
            "a.yaml:16: SharedService default/a: spec.dependsOn: waits for itself: default/a → default/a",
            "a.yaml:16: SharedService default/a: spec.dependsOn[1].name: there is no SharedService default/aa among the files (did you mean default/a?)",
            "a.yaml:17: note: SharedService default/a: spec.substitutes[0].name: there is no SharedService x/z among the files",
        ],
    );
}

#[test]
fn a_name_that_two_services_claim_is_found() {
    let served = |zone: &str| {
        format!(
            "  traffic:\n  - name: www\n    served: {{zone: {zone}, name: www.{zone}, nameServers: [ns.example]}}\n"
        )
    };
    check_all(
        &[REGIONS, &service("a", &served("x.example")), &service("b", &served("X.example"))],
        &[
            "b.yaml:18: SharedService default/b: spec.traffic[0].served.name: www.X.example is claimed by SharedService default/a, too (give each service a name of its own)",
        ],
    );
    let moved = service("a", &served("x.example")).replace("a.example", "www.x.example");
    check_all(
        &[REGIONS, &moved],
        &[
            "a.yaml:8: SharedService default/a: spec.members[0].endpoint: its host is the name that traffic moves: probe this member by a name of its own",
        ],
    );
}

#[test]
fn urls_addresses_and_expressions_are_read() {
    let at = |text: &str| format!("a.yaml:{text}");
    for (from, to, expected) in [
        (
            "https://a.example:8443",
            "https://",
            "8: SharedService default/a: spec.members[0].endpoint: \"https://\" is not a URL: empty host",
        ),
        (
            "https://a.example:8443",
            "tcp://a.example",
            "8: SharedService default/a: spec.members[0].endpoint: \"tcp://a.example\" names no port: write tcp://a.example:PORT",
        ),
        (
            "https://a.example:8443",
            "https://a.example/x",
            "8: SharedService default/a: spec.members[0].endpoint: \"https://a.example/x\" holds more than https://HOST:PORT: a path belongs into the check",
        ),
        (
            "192.0.2.1",
            "300.0.2.1",
            "8: SharedService default/a: spec.members[0].addresses[0]: \"300.0.2.1\" is not an IP address, such as 192.0.2.10 or 2001:db8::10",
        ),
        (
            "body.ok == true",
            "result == 1",
            "15: SharedService default/a: spec.health.checks[0].http.expect: cannot be used: unknown name result: write body, status or headers",
        ),
        (
            "body.ok == true",
            "1 == 1",
            "15: SharedService default/a: spec.health.checks[0].http.expect: judges nothing of the answer: it uses none of body, status, headers",
        ),
        (
            "http: {expect: body.ok == true}",
            "verifier: {steps: [{name: vp, path: /, expect: 1 == 1}]}",
            "15: SharedService default/a: spec.health.checks[0].verifier.steps[0].expect: judges nothing of the answer: it uses none of body, status, headers",
        ),
        (
            "http: {expect: body.ok == true}",
            "verifier: {steps: [{name: vp, path: '/{code}'}]}",
            "14: SharedService default/a: spec.health.checks[0]: steps: step vp: no step before captures {code}: known are nonce, uuid",
        ),
    ] {
        check_all(&[REGIONS, &service("a", "").replace(from, to)], &[&at(expected)]);
    }
    let sources = [
        source("r.yaml", REGIONS),
        source("a.yaml", &service("a", "").replace("body.ok == true", "body.ok ==")),
    ];
    let found = as_text(&check(&Admission::new().unwrap(), &sources)).unwrap();
    assert!(
        found.starts_with(
            "a.yaml:15: SharedService default/a: spec.health.checks[0].http.expect: cannot be used: "
        ),
        "{found}"
    );
    assert!(found.ends_with("4 objects in 2 files: 1 problem\n"), "{found}");
}

#[test]
fn name_servers_and_their_keys_are_looked_up() {
    let dns = "  traffic:
  - name: www
    ttl: 1s500ms
    dns: {zone: x.example, name: x.example, servers: [{address: 'ns:53'}], tsig: {name: k, secretRef: {name: s, key: v}}}
";
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {w: x}\n";
    let wrong = [
        "a.yaml:18: SharedService default/a: spec.traffic[0].ttl: 1s500ms is not in whole seconds, and DNS knows no other",
        "a.yaml:19: SharedService default/a: spec.traffic[0].dns.servers[0].address: \"ns:53\" is not an IP address and a port, such as 192.0.2.53:53 or [2001:db8::53]:53",
    ];
    let key = "a.yaml:19: SharedService default/a: spec.traffic[0].dns.tsig.secretRef.key: Secret default/s has no key v";
    check_all(&[REGIONS, &service("a", dns), secret], &[wrong[0], wrong[1], key]);
    let none = "a.yaml:19: note: SharedService default/a: spec.traffic[0].dns.tsig.secretRef.name: Secret default/s is not among the files: it must be in the cluster";
    check_all(&[REGIONS, &service("a", dns)], &[wrong[0], wrong[1], none]);
}

#[test]
fn the_policy_of_the_grade_limits_the_services() {
    let policy = |name: &str| {
        format!(
            "apiVersion: bongsu.io/v1alpha1\nkind: GradePolicy\nmetadata: {{name: {name}}}\nspec: {{grade: 1, rto: 5m, maxInterval: 1s, minVantageQuorum: 3, approvals: 2}}\n"
        )
    };
    let service = service("a", "  objectives: {rto: 1h}\n  failover: {approvals: 1}\n");
    check_all(
        &[REGIONS, &service, &policy("p"), &policy("q")],
        &[
            "a.yaml:10: SharedService default/a: spec.health.vantages.quorum: 2 is too few: GradePolicy p allows no fewer than 3",
            "a.yaml:11: SharedService default/a: spec.health.interval: 2s is too long: GradePolicy p allows at most 1s",
            "a.yaml:16: SharedService default/a: spec.objectives.rto: 1h is too long: GradePolicy p allows at most 5m",
            "a.yaml:17: SharedService default/a: spec.failover.approvals: 1 is too few: GradePolicy p allows no fewer than 2",
            "c.yaml:4: GradePolicy q: spec.grade: GradePolicy p is for grade 1, too (keep one policy a grade)",
        ],
    );
}

#[test]
fn a_failover_names_members_of_its_service() {
    let failover = "apiVersion: bongsu.io/v1alpha1\nkind: Failover\nmetadata: {name: f}\nspec: {serviceName: a, to: daegu, reason: test}\n";
    check_all(
        &[REGIONS, &service("a", ""), failover],
        &["b.yaml:4: Failover default/f: spec.to: SharedService default/a has no member in daegu"],
    );
    check_all(
        &[REGIONS, failover],
        &[
            "a.yaml:4: note: Failover default/f: spec.serviceName: SharedService default/a is not among the files",
        ],
    );
}

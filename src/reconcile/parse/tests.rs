use super::*;
use crate::{
    api::GradePolicy,
    ports::{CheckKind, CrlRules, LdapEncryption, LdapScope, LdapSpec, LdapValue, TlsSpec},
};

fn service(change: impl FnOnce(&mut serde_json::Value)) -> SharedService {
    let mut value = serde_json::json!({
        "apiVersion": "bongsu.io/v1alpha1",
        "kind": "SharedService",
        "metadata": {"name": "gpki-verify", "namespace": "gpki"},
        "spec": {
            "grade": 1,
            "topology": "ActiveStandby",
            "members": [
                {"region": "daejeon", "endpoint": "https://daejeon.example", "addresses": ["192.0.2.1"]},
                {"region": "gwangju", "endpoint": "https://[2001:db8::2]:8443", "addresses": ["192.0.2.2", "2001:db8::2"]},
            ],
            "health": {
                "interval": "2s",
                "timeout": "1s",
                "checks": [{"name": "verify", "http": {"method": "POST", "generatedBody": {"size": 4096}}}],
            },
            "traffic": [{
                "name": "served",
                "served": {"zone": "GPKI.example", "name": "Verify.gpki.example.", "nameServers": ["ns.example"]},
            }],
        },
    });
    change(&mut value["spec"]);
    serde_json::from_value(value).unwrap()
}

fn policies(spec: serde_json::Value) -> Policies {
    let policy: GradePolicy = serde_json::from_value(serde_json::json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "GradePolicy", "metadata": {"name": "g1"}, "spec": spec,
    }))
    .unwrap();
    Policies::new([&policy])
}

/// Spoils one field and tells what is said of it.
#[track_caller]
fn check(change: impl FnOnce(&mut serde_json::Value), expected: &str) {
    let found = parse(&service(change), &Policies::default()).unwrap_err();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|text| text.starts_with(expected)), "{expected} is not in {found:?}");
}

#[test]
fn a_good_service_has_every_default_filled_in() {
    let parsed = parse(&service(|_| {}), &Policies::default()).unwrap();
    let failover = parsed.service.failover;
    assert_eq!((failover.mode, failover.cooldown), (Mode::Recommend, Duration::from_secs(3600)));
    assert_eq!(parsed.service.health.window, Window { size: 5, failures: 3 });
    let endpoint = &parsed.endpoints[&"daejeon".into()];
    assert_eq!((endpoint.host.as_ref(), endpoint.port), ("daejeon.example", 443));
    assert_eq!(parsed.endpoints[&"gwangju".into()].host.as_ref(), "2001:db8::2");
    assert_eq!(parsed.routes[&"served".into()].domain_name(), "verify.gpki.example");
    assert_eq!(parsed.service.ttl, Duration::from_secs(5));
}

#[test]
fn a_generated_body_has_its_size_and_is_the_same_at_each_start() {
    let body = |spec: SharedService| match parse(&spec, &Policies::default()).unwrap().checks.remove(0).kind {
        crate::ports::CheckKind::Http(http) => http.body,
        _ => unreachable!(),
    };
    let first = body(service(|_| {}));
    assert_eq!(first.len(), 4096);
    assert_eq!(first, body(service(|_| {})));
}

fn directory(search: serde_json::Value) -> SharedService {
    service(|spec| {
        spec["health"]["checks"][0] =
            serde_json::json!({"name": "directory", "port": 389, "ldap": {"search": search}});
    })
}

#[test]
fn a_directory_is_asked_with_every_default_filled_in() {
    let parsed = parse(&directory(serde_json::json!({"base": "o=x"})), &Policies::default()).unwrap();
    let check = &parsed.checks[0];
    assert_eq!((check.port, check.kind.as_str(), check.kind.is_transaction()), (Some(389), "ldap", true));
    let expected = LdapSpec {
        encryption: LdapEncryption::None,
        tls: TlsSpec::default(),
        bind: None,
        base: "o=x".into(),
        scope: LdapScope::Base,
        filter: "(objectClass=*)".into(),
        attribute: None,
        min_entries: 1,
        value: LdapValue::Any,
        max_bytes: 1_048_576,
    };
    assert_eq!(check.kind, CheckKind::Ldap(expected));
}

#[test]
fn what_a_directory_must_hold_is_one_thing_and_needs_an_attribute() {
    let search = |rest: serde_json::Value| {
        let mut search = serde_json::json!({"base": "o=x", "attribute": "a"});
        search.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let found = parse(&directory(search), &Policies::default());
        found.map(|parsed| parsed.checks[0].kind.clone()).map_err(|found| found[0].to_string())
    };
    let crl = serde_json::json!({"issuer": "PEM", "revoked": "00:07", "maxAge": "24h"});
    let Ok(CheckKind::Ldap(list)) = search(serde_json::json!({"crl": crl})) else { panic!() };
    let rules = CrlRules {
        issuer: "PEM".into(),
        revoked: Some([7].into()),
        max_age: Some(Duration::from_secs(86_400)),
        lifetime_left_percent: 25,
    };
    assert_eq!(list.value, LdapValue::Crl(rules));
    for (rest, expected) in [
        (serde_json::json!({"crl": crl, "equals": "x"}), ".ldap.search: set at most one of"),
        (
            serde_json::json!({"equals": "x", "attribute": null}),
            ".ldap.search: equals, crl and certificate judge",
        ),
        (
            serde_json::json!({"crl": {"issuer": "PEM", "revoked": "0g"}}),
            ".ldap.search.crl.revoked: \"0g\" is not",
        ),
    ] {
        let error = search(rest).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_policy_of_the_grade_fills_in_and_limits() {
    let policies =
        policies(serde_json::json!({"grade": 1, "mode": "Automatic", "rto": "1m", "maxInterval": "1s"}));
    let parsed =
        parse(&service(|spec| spec["objectives"] = serde_json::json!({"rto": "2m"})), &policies).unwrap();
    assert_eq!(parsed.service.failover.mode, Mode::Automatic);
    let beyond: Vec<&str> = parsed.beyond_policy.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(beyond, ["spec.objectives.rto", "spec.health.interval"]);
    let parsed = parse(&service(|_| {}), &policies).unwrap();
    assert_eq!(parsed.service.rto, Some(Duration::from_secs(60)));
}

#[test]
fn what_cannot_be_understood_is_named_with_its_place() {
    check(
        |spec| spec["members"][0]["endpoint"] = "https://".into(),
        "spec.members[0].endpoint: \"https://\" is not a URL",
    );
    check(
        |spec| spec["members"][1]["endpoint"] = "tcp://x".into(),
        "spec.members[1].endpoint: \"tcp://x\" names no port",
    );
    check(|spec| spec["members"][1]["region"] = "daejeon".into(), "spec.members[1].region: a second member");
    check(
        |spec| spec["members"][1]["addresses"][0] = "192.0.2.1".into(),
        "spec.members[1].addresses[0]: 192.0.2.1 is the address of daejeon",
    );
    check(
        |spec| spec["members"][0]["addresses"][0] = "x".into(),
        "spec.members[0].addresses[0]: \"x\" is not an IP",
    );
    check(
        |spec| spec["traffic"][0]["ttl"] = "1s500ms".into(),
        "spec.traffic[0].ttl: 1s500ms is not in whole seconds",
    );
    check(
        |spec| spec["members"][0]["endpoint"] = "https://verify.gpki.example".into(),
        "spec.members[0].endpoint: its host is the name that traffic moves",
    );
}

#[test]
fn a_serial_number_that_is_none_is_said_with_its_place() {
    let ocsp = |serial: &str| {
        let canaries =
            serde_json::json!([{"serial": "01", "expect": "Good"}, {"serial": serial, "expect": "Revoked"}]);
        serde_json::json!({"name": "ocsp", "ocsp": {"issuer": "PEM", "canaries": canaries}})
    };
    for (serial, said) in [
        ("00:00", "a serial number is not zero"),
        ("1A0", "\"1A0\" is not a serial number"),
        ("0x1A", "\"0x1A\" is not a serial number"),
    ] {
        let place = "spec.health.checks[0].ocsp.canaries[1].serial: ";
        check(|spec| spec["health"]["checks"][0] = ocsp(serial), &format!("{place}{said}"));
    }
    let good = service(|spec| spec["health"]["checks"][0] = ocsp("00:01:a0"));
    let checks = parse(&good, &Policies::default()).unwrap().checks;
    let crate::ports::CheckKind::Ocsp(ocsp) = &checks[0].kind else { unreachable!() };
    assert_eq!(*ocsp.canaries[1].serial, [0x01, 0xa0], "without leading zeros");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let found = parse(
        &service(|spec| {
            spec["members"][0]["endpoint"] = "x".into();
            spec["members"][1]["addresses"][0] = "x".into();
        }),
        &Policies::default(),
    );
    assert_eq!(found.unwrap_err().len(), 2);
}

#[test]
fn the_messages_of_a_payload_check_go_from_the_smallest_to_the_largest_each_size_once() {
    let messages = |payload: serde_json::Value| {
        let change = |spec: &mut serde_json::Value| {
            spec["health"]["checks"] = serde_json::json!([{"name": "sizes", "payload": payload}])
        };
        match parse(&service(change), &Policies::default()).unwrap().checks.remove(0).kind {
            crate::ports::CheckKind::Payload(payload) => payload.messages,
            _ => unreachable!(),
        }
    };
    let sizes = |messages: &[bytes::Bytes]| messages.iter().map(bytes::Bytes::len).collect::<Vec<_>>();
    assert_eq!(sizes(&messages(serde_json::json!({}))), [64, 512, 1400, 1500, 4096, 8192]);
    let chosen = messages(serde_json::json!({"sizes": [4096, 64, 4096]}));
    assert_eq!(sizes(&chosen), [64, 4096]);
    assert!(chosen[1].starts_with(&chosen[0]));
}

#[test]
fn a_name_server_is_asked_at_port_53_unless_the_check_says_otherwise() {
    let at = |port: Option<u16>| {
        let mut check = serde_json::json!({"name": "dns", "dns": {"name": "gpki.example"}});
        port.inspect(|port| check["port"] = (*port).into());
        let parsed = parse(
            &service(|spec| spec["health"]["checks"] = serde_json::json!([check])),
            &Policies::default(),
        );
        let parsed = parsed.unwrap();
        parsed.checks[0].at(&parsed.endpoints[&"daejeon".into()]).port
    };
    assert_eq!((at(None), at(Some(5353))), (53, 5353));
}

#[test]
fn a_did_stands_in_its_path_and_the_questions_to_a_chain_know_where_the_answer_is() {
    let did = |did: serde_json::Value| {
        let change = |spec: &mut serde_json::Value| {
            spec["health"]["checks"] = serde_json::json!([{"name": "did", "did": did}])
        };
        match parse(&service(change), &Policies::default()).unwrap().checks.remove(0).kind {
            crate::ports::CheckKind::Did(did) => did,
            _ => unreachable!(),
        }
    };
    let resolve = serde_json::json!({"did": "did:kr:a%3Ab", "path": "/did/{did}?again={did}"});
    let resolve = did(serde_json::json!({ "resolve": resolve })).resolve.unwrap();
    assert_eq!(&*resolve.path, "/did/did:kr:a%253Ab?again=did:kr:a%253Ab");
    for (rpc, number, time) in [
        ("EthBlockNumber", "/result", None),
        ("EthGetBlockByNumber", "/result/number", Some("/result/timestamp")),
    ] {
        let known = did(serde_json::json!({"head": {"rpc": rpc}})).head.unwrap();
        assert_eq!((&*known.number, known.time.as_deref()), (number, time));
        let own = did(serde_json::json!({"head": {"rpc": rpc, "number": "/n", "time": "/t"}})).head.unwrap();
        assert_eq!((&*own.number, own.time.as_deref()), ("/n", Some("/t")));
    }
    let expects = serde_json::json!([{"path": "/", "expect": "REVOKED"}, {"path": "/", "httpStatus": 404}]);
    let statuses = did(serde_json::json!({ "statuses": expects })).statuses;
    assert_eq!((statuses[0].expect.as_deref(), statuses[0].http_status), (Some("REVOKED"), 200));
    assert_eq!((statuses[1].expect.as_deref(), statuses[1].http_status), (None, 404));
}

#[test]
fn two_steps_of_a_verifier_with_one_name_are_told_apart_by_nobody() {
    let step = serde_json::json!({"name": "vp", "path": "/"});
    check(
        |spec| {
            spec["health"]["checks"][0] =
                serde_json::json!({"name": "present", "verifier": {"steps": [step, step]}});
        },
        "spec.health.checks[0].verifier.steps[1].name: a second step named \"vp\"",
    );
}

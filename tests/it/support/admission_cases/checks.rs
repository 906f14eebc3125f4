//! Checks of each kind.

use serde_json::{Value, json};

use super::{Row, with};

/// Kinds of checks that do not come with the examples.
pub(super) fn check_rows() -> Vec<Row> {
    let ocsp = |path: &str, value: Value| {
        let whole = json!({"name": "ocsp", "scheme": "http", "port": 8080, "ocsp": {
            "issuer": "PEM", "canaries": [{"serial": "01:A0", "expect": "Good"}, {"serial": "2002", "expect": "Revoked"}],
        }});
        if path.is_empty() { whole } else { with(&whole, path, value) }
    };
    let crl = |path: &str, value: Value| {
        let whole = json!({"name": "crl", "crl": {"path": "/ca.crl", "issuer": "PEM", "revoked": "2002"}});
        if path.is_empty() { whole } else { with(&whole, path, value) }
    };
    let only_good = json!([{"serial": "01", "expect": "Good"}]);
    let tls = |value: Value| json!({"name": "certificates", "tls": value});
    let rows = vec![
        (ocsp("", Value::Null), None),
        (ocsp("/ocsp/canaries", only_good), Some("one canary must not be good")),
        (ocsp("/ocsp/canaries/0/serial", json!("0xA0")), Some("ocsp.canaries[0].serial")),
        (ocsp("/ocsp/canaries/0/serial", json!("1A0")), Some("ocsp.canaries[0].serial")),
        (ocsp("/ocsp/canaries/0/expect", json!("good")), Some("ocsp.canaries[0].expect")),
        (ocsp("/ocsp/methods", json!(["Get"])), None),
        (ocsp("/ocsp/methods", json!([])), Some("ocsp.methods")),
        (ocsp("/ocsp/nonce", json!("Never")), Some("ocsp.nonce")),
        (ocsp("/ocsp/path", json!("ocsp")), Some("ocsp.path")),
        (ocsp("/ocsp/maxAge", json!("1d")), Some("ocsp.maxAge")),
        (crl("", Value::Null), None),
        (crl("/crl/lifetimeLeftPercent", json!(100)), Some("crl.lifetimeLeftPercent")),
        (crl("/crl/maxBytes", json!(16_777_217)), Some("crl.maxBytes")),
        (crl("/crl/revoked", json!("xy")), Some("crl.revoked")),
        (tls(json!({})), None),
        (tls(json!({"expiresWithin": "720h", "serverName": "ivs.example"})), None),
        (tls(json!({"expiresWithin": "30d"})), Some("tls.expiresWithin")),
    ];
    rows.into_iter().map(|(check, refused)| ("/spec/health/checks/0", check, refused)).collect()
}

/// Numbers about a member, beside a check that asks it.
pub(super) fn number_rows() -> Vec<Row> {
    let number = |limits: Value| {
        let mut number = json!({"prometheus": {"url": "http://metrics.example"}, "query": "queue"});
        limits.as_object().into_iter().flatten().for_each(|(key, value)| number[key] = value.clone());
        json!({"name": "queue", "promql": number})
    };
    let beside = |field: &str, value: Value| {
        let mut whole = number(json!({"max": "1"}));
        whole[field] = value;
        whole
    };
    let rows = vec![
        (number(json!({"max": "1000"})), None),
        (number(json!({"min": "0.5", "max": "1"})), None),
        (number(json!({})), Some("say where the value must lie")),
        (number(json!({"max": "many"})), Some("promql.max")),
        (number(json!({"min": "2", "max": "1"})), Some("min must not be above max")),
        (number(json!({"max": "1", "query": ""})), Some("promql.query")),
        (
            number(json!({"max": "1", "prometheus": {"url": "metrics.example"}})),
            Some("promql.prometheus.url"),
        ),
        (beside("port", json!(9090)), Some("promql does not reach the member")),
        (beside("maxLatency", json!("1s")), Some("promql does not reach the member")),
        (beside("scheme", json!("http")), Some("scheme is for checks over HTTP")),
    ];
    let row =
        |(check, refused)| ("/spec/health/checks", json!([check, {"name": "port", "tcp": {}}]), refused);
    let alone = json!([number(json!({"max": "1"}))]);
    let alone: Row = ("/spec/health/checks", alone, Some("at least one check must ask the member itself"));
    rows.into_iter().map(row).chain([alone]).collect()
}

/// Each puts a whole check there.
pub(super) fn identity_rows() -> Vec<Row> {
    let did = |parts: Value| json!({"name": "did", "scheme": "http", "port": 8093, "did": parts});
    let resolve = |path: &str, value: Value| {
        let whole = json!({"resolve": {"did": "did:kr:mobileid:a%3Ab", "path": "/did?did={did}", "document": "/data/a~1b"}});
        did(if path.is_empty() { whole } else { with(&whole, path, value) })
    };
    let statuses =
        |second: Value| did(json!({"statuses": [{"path": "/vc?id=1", "expect": "ACTIVE"}, second]}));
    let steps = |steps: Value| json!({"name": "present", "scheme": "https", "verifier": {"steps": steps}});
    let step = |path: &str, value: Value| {
        let whole = json!({"name": "vp", "path": "/mip/vp", "data": "{}", "captures": [{"name": "a1", "pointer": "/data/x"}]});
        steps(json!([if path.is_empty() { whole } else { with(&whole, path, value) }]))
    };
    let many = |count: usize| {
        steps(json!((0..count).map(|n| json!({"name": format!("s{n}"), "path": "/"})).collect::<Vec<_>>()))
    };
    let nothing = "without result nothing is judged";
    let same = "the statuses must not all be the same";
    let rows = vec![
        (resolve("", Value::Null), None),
        (resolve("/resolve/did", json!("kr:mobileid:a")), Some("did.resolve.did")),
        (resolve("/resolve/did", json!("did:kr:a b")), Some("did.resolve.did")),
        (resolve("/resolve/path", json!("did")), Some("did.resolve.path")),
        (resolve("/resolve/document", json!("data")), Some("did.resolve.document")),
        (resolve("/resolve/document", json!("/a~2")), Some("did.resolve.document")),
        (did(json!({})), Some("set at least one of resolve, statuses and head")),
        (statuses(json!({"path": "/vc?id=2", "expect": "REVOKED"})), None),
        (statuses(json!({"path": "/vc?id=2", "httpStatus": 404})), None),
        (statuses(json!({"path": "/vc?id=2", "expect": "ACTIVE"})), Some(same)),
        (did(json!({"statuses": [{"path": "/vc", "expect": "ACTIVE"}]})), Some(same)),
        (statuses(json!({"path": "/vc?id=2"})), Some("set expect, or httpStatus where it alone says")),
        (did(json!({"head": {"rpc": "EthBlockNumber"}})), None),
        (
            did(json!({"head": {"number": "/height", "time": "/time", "maxBehind": 2, "maxStall": "30s"}})),
            None,
        ),
        (did(json!({"head": {}})), Some("set rpc, or number")),
        (did(json!({"head": {"rpc": "eth_blockNumber"}})), Some("did.head.rpc")),
        (did(json!({"head": {"rpc": "EthBlockNumber", "maxBehind": -1}})), Some("did.head.maxBehind")),
        (step("", Value::Null), None),
        (step("/body", json!("{}")), Some("set at most one of body and data")),
        (step("/result", json!("")), Some(nothing)),
        (steps(json!([{"name": "vp", "path": "/", "result": "", "expectCode": "20401"}])), None),
        (step("/result", json!("result")), Some("verifier.steps[0].result")),
        (step("/method", json!("HEAD")), Some("verifier.steps[0].method")),
        (step("/captures/0/name", json!("a-1")), Some("verifier.steps[0].captures[0].name")),
        (step("/expectCode", json!(20401)), Some("verifier.steps[0].expectCode")),
        (many(8), None),
        (many(9), Some("verifier.steps")),
        (many(0), Some("verifier.steps")),
    ];
    rows.into_iter().map(|(check, refused)| ("/spec/health/checks/0", check, refused)).collect()
}

/// Each puts a whole check there.
pub(super) fn directory_rows() -> Vec<Row> {
    let check = |search: Value| json!({"name": "directory", "port": 389, "ldap": {"search": search}});
    let searches = [
        (json!({"base": ""}), None),
        (
            json!({"base": "o=x", "scope": "Sub", "filter": "(cn=a)", "attribute": "a;binary", "equals": "x"}),
            None,
        ),
        (json!({"base": "o=x", "attribute": "a", "crl": {"issuer": "PEM"}}), None),
        (json!({"base": "o=x", "attribute": "a", "certificate": {"issuer": "PEM"}}), None),
        (json!({}), Some("ldap.search.base")),
        (json!({"base": "o=x", "scope": "Tree"}), Some("ldap.search.scope")),
        (json!({"base": "o=x", "filter": "cn=a"}), Some("ldap.search.filter")),
        (json!({"base": "o=x", "attribute": "a b"}), Some("ldap.search.attribute")),
        (json!({"base": "o=x", "minEntries": 0}), Some("ldap.search.minEntries")),
        (
            json!({"base": "o=x", "equals": "x"}),
            Some("equals, crl and certificate judge values: set attribute"),
        ),
        (
            json!({"base": "o=x", "attribute": "a", "equals": "x", "crl": {"issuer": "PEM"}}),
            Some("set at most one of equals, crl and certificate"),
        ),
    ];
    let rows = searches.map(|(search, refused)| ("/spec/health/checks/0", check(search), refused));
    let other = json!({"name": "directory", "ldap": {"search": {"base": ""}}, "tcp": {}});
    let scheme = json!({"name": "directory", "scheme": "https", "ldap": {"search": {"base": ""}}});
    let both = [
        ("/spec/health/checks/0", other, Some("set exactly one kind of check")),
        ("/spec/health/checks/0", scheme, Some("scheme is for checks over HTTP")),
    ];
    rows.into_iter().chain(both).collect()
}

use std::fmt::Write;

use super::{source::Source, *};

const GOOD: &str = include_str!("testdata/good.yaml");

fn read_text(admission: &Admission, text: impl AsRef<[u8]>) -> Content {
    read(admission, &Source { name: "f.yaml".to_owned(), bytes: text.as_ref().to_vec() })
}

fn findings(text: impl AsRef<[u8]>) -> String {
    let content = read_text(&Admission::new().unwrap(), text);
    content.findings.iter().fold(String::new(), |mut all, finding| {
        writeln!(all, "{finding}").unwrap();
        all
    })
}

/// Changes the good manifest and asks for all findings.
#[track_caller]
fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(GOOD.contains(from), "{from:?} is not in the good manifest");
    let found = findings(GOOD.replacen(from, to, 1));
    let found: Vec<&str> = found.lines().collect();
    assert_eq!(found, expected, "{from:?} → {to:?}");
}

#[test]
fn a_good_manifest_has_no_findings_and_gets_its_defaults() {
    let content = read_text(&Admission::new().unwrap(), GOOD);
    assert_eq!(content.findings, []);
    let labels: Vec<_> = content.entries.iter().map(|entry| label(&entry.object.reference())).collect();
    assert_eq!(labels, ["Region daejeon", "SharedService default/ivs", "Secret default/dns-key"]);
    let Object::Service(service) = &content.entries[1].object else { unreachable!("a service") };
    assert_eq!(service.spec.health.window.size, 5);
    assert_eq!(service.spec.members[0].weight, 100);
}

#[test]
fn unknown_fields_are_found_at_every_level_with_what_was_meant() {
    let service = "SharedService default/ivs";
    check(
        "  name: ivs",
        "  name: ivs\n  namspace: x",
        &[&format!("f.yaml:13: {service}: metadata.namspace: unknown field (did you mean namespace?)")],
    );
    check(
        "  grade: 1",
        "  grade: 1\n  gradee: 2",
        &[&format!("f.yaml:15: {service}: spec.gradee: unknown field (did you mean grade?)")],
    );
    check(
        "---\napiVersion: v1",
        "specs: {}\n---\napiVersion: v1",
        &[&format!("f.yaml:38: {service}: specs: unknown field (did you mean spec?)")],
    );
    check(
        "    addresses: [192.0.2.1]",
        "    port: 1",
        &[
            &format!(
                "f.yaml:13: {service}: spec: every member needs addresses, because traffic publishes them"
            ),
            &format!(
                "f.yaml:19: {service}: spec.members[0].port: unknown field (known here: addresses, capacity, endpoint, maintenance, region, weight)"
            ),
        ],
    );
    check(
        "stringData",
        "stringdata",
        &["f.yaml:42: Secret default/dns-key: stringdata: unknown field (did you mean stringData?)"],
    );
}

#[test]
fn wrong_types_and_missing_fields_say_what_to_write() {
    let at = |line: usize, text: &str| format!("f.yaml:{line}: SharedService default/ivs: spec.{text}");
    for (from, to, expected) in [
        (
            "interval: 2s",
            "interval: 2",
            at(24, "health.interval: must be text, not a number (put quotes around it)"),
        ),
        (
            "grade: 1",
            "grade: \"1\"",
            at(14, "grade: must be a whole number, not text (take the quotes away)"),
        ),
        ("grade: 1", "grade: 1.5", at(14, "grade: must be a whole number, not a number with a fraction")),
        (
            "grade: 1",
            "grade: ~",
            at(14, "grade: is required (system grade 1 (most important) to 4; picks the GradePolicy)"),
        ),
        (
            "  grade: 1\n",
            "",
            at(13, "grade: is required (system grade 1 (most important) to 4; picks the GradePolicy)"),
        ),
        (
            "- region: gwangju",
            "- region: no",
            at(
                20,
                "members[1].region: must be text, not a boolean (true, false, yes, no, on and off are booleans: put quotes around the text)",
            ),
        ),
        (
            "[{address: \"192.0.2.53:53\"}]",
            "192.0.2.53:53",
            at(36, "traffic[0].dns.servers: must be a list, not text (start each entry with \"- \")"),
        ),
    ] {
        check(from, to, &[&expected]);
    }
}

#[test]
fn wrong_units_words_and_limits_say_what_to_write() {
    let at = |line: usize, text: &str| format!("f.yaml:{line}: SharedService default/ivs: spec.{text}");
    for (from, to, expected) in [
        (
            "interval: 2s",
            "interval: 2sec",
            at(
                24,
                "health.interval: \"2sec\" is not a duration: write whole numbers with the units ms, s, m or h, such as 500ms, 2s or 1h30m",
            ),
        ),
        ("grade: 1", "grade: 7", at(14, "grade: 7 is above the maximum of 4")),
        (
            "ActiveActive",
            "ActivActive",
            at(
                15,
                "topology: \"ActivActive\" is not one of ActiveActive, ActiveStandby (did you mean ActiveActive?)",
            ),
        ),
        (
            "name: verify",
            "name: Verify!",
            at(
                27,
                "health.checks[0].name: \"Verify!\" does not match the pattern ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            ),
        ),
        (
            "- region: gwangju",
            "- region: daejeon",
            at(20, "members[1].region: region \"daejeon\" stands in spec.members[0] already"),
        ),
        ("[{address: \"192.0.2.53:53\"}]", "[]", at(36, "traffic[0].dns.servers: needs at least 1 entry")),
        (
            "    timeout: 1s",
            "    timeout: 1s\n    recovery: {for: 99999999999999999999h}",
            at(
                26,
                "health.recovery.for: \"99999999999999999999h\" is not a duration: write whole numbers with the units ms, s, m or h, such as 500ms, 2s or 1h30m",
            ),
        ),
    ] {
        check(from, to, &[&expected]);
    }
}

#[test]
fn broken_rules_are_shown_at_the_field_that_they_speak_of() {
    let at = |line: usize, text: &str| format!("f.yaml:{line}: SharedService default/ivs: spec.{text}");
    for (from, to, expected) in [
        (
            "timeout: 1s",
            "timeout: 3s",
            at(
                25,
                "health.timeout: must be shorter than interval, so that a hung check is over before the next one starts",
            ),
        ),
        (
            "name: www.example.org",
            "name: www.example.com",
            at(35, "traffic[0].dns.name: must be inside zone"),
        ),
        (
            "      http:\n",
            "      tcp: {}\n      http:\n",
            at(27, "health.checks[0]: set exactly one kind of check, such as http or ocsp"),
        ),
        (
            "  grade: 1",
            "  grade: 1\n  failover: {failback: {mode: Automatic}}",
            at(
                15,
                "failover.failback: failback.mode Automatic needs after: how long the member must have been healthy",
            ),
        ),
    ] {
        check(from, to, &[&expected]);
    }
}

#[test]
fn names_and_namespaces_are_judged_as_by_every_api_server() {
    check(
        "  name: daejeon",
        "  generateName: d-",
        &["f.yaml:3: Region: metadata.name: is required (every object needs a name of its own)"],
    );
    check(
        "  name: daejeon",
        "  name: daejeon\n  namespace: x",
        &[
            "f.yaml:5: Region daejeon: metadata.namespace: a Region has no namespace, but \"x\" is given (remove the line)",
        ],
    );
    let long = "d".repeat(64);
    check(
        "  name: daejeon",
        &format!("  name: {long}"),
        &[&format!(
            "f.yaml:1: Region {long}: a Region's name is used as a label and must have at most 63 characters"
        )],
    );
    check(
        "{site: a}",
        "{site: 1}",
        &[
            "f.yaml:5: Region daejeon: metadata.labels.site: must be text, not a number (put quotes around it)",
        ],
    );
}

#[test]
fn keys_that_stand_twice_are_all_found() {
    check(
        "  grade: 1",
        "  grade: 1\n  grade: 2\n  topology: ActiveStandby",
        &[
            "f.yaml:15: spec.grade: stands twice, first on line 14 (remove one of them)",
            "f.yaml:17: spec.topology: stands twice, first on line 16 (remove one of them)",
        ],
    );
}

#[test]
fn a_kind_or_version_that_was_meant_as_ours_is_an_error_and_any_other_is_a_note() {
    check(
        "kind: SharedService",
        "kind: SharedServce",
        &[
            "f.yaml:10: kind: \"SharedServce\" is not a kind of bongsu.io/v1alpha1: there are Region, SharedService, GradePolicy, Failover, SwitchoverDrill, DrillRun, Calendar, Approval (did you mean SharedService?)",
        ],
    );
    for version in ["v1alpha1", "bongsu.io/v1", "bongso.io/v1alpha1"] {
        check(
            "bongsu.io/v1alpha1",
            version,
            &[&format!(
                "f.yaml:1: apiVersion: {version:?} is not a version of bongsu.io (write bongsu.io/v1alpha1)"
            )],
        );
    }
    check(
        "bongsu.io/v1alpha1",
        "networking.example/v1",
        &["f.yaml:1: note: ignored: networking.example/v1 Region is not read by Bongsu"],
    );
    check("kind: Region\n", "", &["f.yaml:1: kind: is required, as text"]);
}

#[test]
fn secrets_are_decoded_and_never_shown() {
    check(
        "stringData: {secret: c2VjcmV0}",
        "data: {secret: \"not base64!\"}",
        &[
            "f.yaml:42: Secret default/dns-key: data.secret: is not base64: encode it, or move it to stringData as it is",
        ],
    );
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: aGVs\n\n   , b: aGk=}\nstringData: {a: wins}\n";
    let content = read_text(&Admission::new().unwrap(), text.replace("aGVs\n\n   ", "aGVsbG8="));
    let Object::Secret(secret) = &content.entries[0].object else { unreachable!("a secret") };
    assert_eq!((secret.value("a"), secret.value("b")), (Some(&b"wins"[..]), Some(&b"hi"[..])));
    assert!(!format!("{secret:?}").contains("wins"));
}

#[test]
fn the_objects_of_a_list_are_read_and_their_mistakes_have_places() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: bongsu.io/v1alpha1\n  kind: Region\n  metadata:\n    name: a\n  spec:\n    role: Ful\n";
    assert_eq!(
        findings(text),
        "f.yaml:9: Region a: spec.role: \"Ful\" is not one of Full, Witness (did you mean Full?)\n"
    );
    let all = findings("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: []}]\n");
    assert_eq!(all, "f.yaml:3: a List cannot stand in a List\n");
}

#[test]
fn nulls_that_say_nothing_are_dropped_and_a_status_is_left_out() {
    check("  labels: {site: a}", "  creationTimestamp: null", &[]);
    check(
        "spec:\n  failureDomain: hwaam",
        "spec:\n  failureDomain: hwaam\n  role: null\nstatus: {conditions: 7}",
        &[],
    );
}

#[test]
fn every_default_is_filled_in_by_two_rounds() {
    for kind in Kind::ALL {
        let schema = schema::KindSchema::new(kind).unwrap().schema;
        let once =
            normalize::normalize(&schema, serde_json::json!({"spec": {"health": {}, "traffic": [{}]}}));
        assert_eq!(normalize::normalize(&schema, once.clone()), once, "{kind}");
    }
}

#[test]
fn no_truncation_brings_anything_down() {
    let admission = Admission::new().unwrap();
    for end in 0..GOOD.len() {
        let _ = read_text(&admission, &GOOD.as_bytes()[..end]);
    }
}

#[test]
fn no_changed_byte_brings_anything_down() {
    // One letter that matters to YAML at each position, another at each: all of them together would take a minute.
    const LETTERS: &[u8] = b":-{}[]#&*!|>'\"%@`,?\t\n 0\x00\xff~<";
    let admission = Admission::new().unwrap();
    for position in 0..GOOD.len() {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[position] = LETTERS[position % LETTERS.len()];
        let _ = read_text(&admission, &bytes);
    }
}

#[test]
fn text_that_is_nested_too_deep_is_refused() {
    for open in ["[", "{a: ", "- "] {
        assert_eq!(
            findings(open.repeat(100_000)),
            "f.yaml:1: more than 128 values inside each other\n",
            "{open}"
        );
    }
}

#[test]
fn text_that_is_no_yaml_is_shown_on_its_own_line_of_the_file() {
    let text = "a: 1\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: x\n---\nb: [\n";
    let found = findings(text);
    assert!(
        found.contains("f.yaml:3: apiVersion") || found.contains("f.yaml:1: apiVersion: is required"),
        "{found}"
    );
    assert!(found.lines().filter(|line| line.contains("not readable as YAML")).count() == 2, "{found}");
    assert!(!found.contains("line 1 "), "inner line numbers are those of the file: {found}");
}

#[test]
fn bytes_that_are_no_text_are_shown_on_their_line() {
    let found = findings(b"a: 1\nb: \xff\n");
    assert_eq!(found, "f.yaml:2: not text in UTF-8 (save it as UTF-8)\n");
}

//! `bongsu simulate` as users run it, and the scenarios that are shipped.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use bongsu::{
    adapters::manifests::{Admission, Source},
    sim::scenario,
};
use serde_json::Value;

use super::support::programs::assert_committed;

/// Those whose whole story is compared.
const GOLDEN: [&str; 3] =
    ["s01-silent-large-packet-loss", "s12-drill-that-must-be-aborted", "stale-leader-wakes-up"];

/// A scenario that holds, in front of which mistakes are made.
const GOOD: &str = "name: small
manifests: [cluster.yaml]
duration: 1m
timeline:
- at: 30s
  for: 10s
  do:
  - isolate: daegu
expect:
- service: gpki-directory
  moves: 0
never:
- two writers
";

fn bongsu(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
    command.arg("simulate").args(args).current_dir(dir).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A directory with the shared manifests as `cluster.yaml`, and a scenario.
fn directory(scenario: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let manifests =
        ["regions", "gpki"].map(|name| fs::read_to_string(format!("scenarios/cluster/{name}.yaml")).unwrap());
    fs::create_dir(dir.path().join("inside")).unwrap();
    fs::write(dir.path().join("inside/left-out.yaml"), "a: [").unwrap();
    fs::write(dir.path().join("cluster.yaml"), manifests.join("---\n")).unwrap();
    fs::write(dir.path().join("small.yaml"), scenario).unwrap();
    dir
}

/// The first line of standard error for a scenario with a mistake; the exit code must be 2.
fn refused(scenario: &str) -> String {
    let out = bongsu(directory(scenario).path(), &["small.yaml"]);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stdout));
    text(&out.stderr).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn every_scenario_that_is_shipped_passes() {
    let out = bongsu(Path::new("."), &["scenarios/"]);
    let table = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{table}{}", text(&out.stderr));
    let shipped = fs::read_dir("scenarios").unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
    let count = shipped.count();
    assert!(table.contains(&format!("\n{count} scenarios: {count} passed, 0 failed; ")), "{table}");
    assert!(table.contains("\nnot yet checked:\n"), "{table}");
    assert!(table.contains("s07-43-second-partition: no acknowledged revocation is lost"), "{table}");
}

#[test]
fn the_story_of_a_scenario_is_told_as_it_was_told_before() {
    for name in GOLDEN {
        assert_committed(&format!("tests/data/scenarios/{name}.txt"), &told(name));
    }
}

fn told(name: &str) -> String {
    let file = format!("scenarios/{name}.yaml");
    let source = Source { bytes: fs::read(&file).unwrap(), name: file };
    let scenario = scenario::read(&Admission::new().unwrap(), &source).unwrap();
    scenario::transcript(&scenario, &scenario.play(None).unwrap())
}

#[test]
fn the_same_scenario_gives_the_same_story_to_the_byte_in_one_process_and_in_two() {
    let name = "s12-drill-that-must-be-aborted";
    let file = format!("scenarios/{name}.yaml");
    let other = || text(&bongsu(Path::new("."), &[&file, "--transcript", "-"]).stdout);
    let here = told(name);
    assert_eq!(here, told(name));
    assert_eq!(here, other());
    let seeded = text(&bongsu(Path::new("."), &[&file, "--transcript", "-", "--seed", "9"]).stdout);
    assert!(seeded.starts_with(&format!("# {name}, seed 9\n")), "{seeded}");
    assert_ne!(here.lines().skip(1).collect::<Vec<_>>(), seeded.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn a_difference_is_exit_code_1_and_names_the_line() {
    let dir = directory(&GOOD.replace("moves: 0", "moves: 7"));
    let out = bongsu(dir.path(), &["small.yaml"]);
    let table = text(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{table}");
    assert!(table.contains("FAILED"), "{table}");
    assert!(table.contains("small.yaml:10: gpki/gpki-directory: moves = 7: there are 0"), "{table}");
}

#[test]
fn json_is_one_object_for_each_scenario_and_a_last_one_with_the_numbers() {
    let bad = GOOD.replace("moves: 0", "moves: 7").replace("name: small", "name: bad");
    let dir = directory(GOOD);
    fs::write(dir.path().join("bad.yaml"), bad).unwrap();
    fs::write(
        dir.path().join("later.yaml"),
        format!("{GOOD}notYetChecked: [{{what: waves, comesWith: waves}}]\n"),
    )
    .unwrap();
    let out = bongsu(dir.path(), &["small.yaml", "bad.yaml", "later.yaml", "--json"]);
    assert_eq!(out.status.code(), Some(1));
    let printed = text(&out.stdout);
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["scenario"], "small");
    assert_eq!((lines[0]["result"].as_str(), lines[1]["result"].as_str()), (Some("passed"), Some("failed")));
    assert_eq!(lines[1]["firstDifference"], "bad.yaml:10: gpki/gpki-directory: moves = 7: there are 0");
    assert_eq!(lines[2]["notYetChecked"][0]["comesWith"], "waves");
    assert_eq!(printed.lines().last().unwrap(), r#"{"failed":1,"notYetChecked":1,"passed":2,"scenarios":3}"#);
}

#[test]
fn junit_is_xml_with_one_case_for_each_check() {
    let hostile = GOOD.replace("name: small", "name: 'a<b & \"c\"'").replace("moves: 0", "moves: 7");
    let dir = directory(&format!("{hostile}notYetChecked: [{{what: waves, comesWith: waves}}]\n"));
    let out = bongsu(dir.path(), &["small.yaml", "--junit", "result.xml"]);
    assert_eq!(out.status.code(), Some(1));
    let xml = fs::read_to_string(dir.path().join("result.xml")).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let count = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).count();
    assert_eq!((count("testsuite"), count("testcase"), count("failure"), count("skipped")), (1, 4, 1, 1));
    let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
    assert_eq!(suite.attribute("name"), Some("a<b & \"c\""));
    assert_eq!((suite.attribute("tests"), suite.attribute("failures")), (Some("4"), Some("1")));
}

#[test]
fn every_mistake_in_a_scenario_has_its_line_and_key() {
    let replaced = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        refused(&GOOD.replace(from, to))
    };
    let cases = [
        (replaced("name: small", "nam: small"), "small.yaml:1: nam: unknown field `nam`"),
        (replaced("- isolate", "- isolat"), "small.yaml:8: timeline[0].do[0]: unknown variant `isolat`"),
        (replaced("daegu", "daego"), "small.yaml:8: timeline[0].do[0].isolate: there is no region \"daego\""),
        (replaced("for: 10s", "for: 10"), "small.yaml:6: timeline[0].for: invalid type"),
        (replaced("for: 10s", "for: 10 s"), "small.yaml:6: timeline[0].for: \"10 s\" is not a duration"),
        (replaced("for: 10s", "until: 20s"), "small.yaml:6: timeline[0].until: is not after at"),
        (replaced("at: 30s", "at: 1m"), "small.yaml:5: timeline[0].at: is not before the end, 1m"),
        (
            replaced("at: 30s", "when: {service: gpki-directory, step: Shift}"),
            "small.yaml:5: timeline[0].when.step: is no step",
        ),
        (
            replaced("service: gpki-directory", "service: gpki-dir"),
            "small.yaml:10: expect[0].service: there is no service",
        ),
        (replaced("  moves: 0\n", ""), "small.yaml:10: expect[0]: expects nothing"),
        (replaced("two writers", "three writers"), "small.yaml:13: never[0]: is none of: two writers"),
        (replaced("cluster.yaml", "none.yaml"), "small.yaml:2: manifests[0]: none.yaml: No such file"),
        (
            replaced("isolate: daegu", "loss: {of: daegu, perThousand: 1001}"),
            "small.yaml:8: timeline[0].do[0].loss.perThousand: is more than",
        ),
        (replaced("duration: 1m", "duration: 1m\nduration: 2m"), "small.yaml:4: duration: stands twice"),
        (replaced("timeline:", "timeline: ["), "small.yaml:"),
    ];
    for (found, expected) in cases {
        assert!(found.starts_with(expected), "{found}\n  is not {expected}");
    }
}

#[test]
fn a_mistake_in_a_manifest_is_named_by_its_own_file_and_the_other_scenarios_are_played() {
    let dir = directory(GOOD);
    fs::write(dir.path().join("bad.yaml"), GOOD.replace("cluster.yaml", "broken.y*")).unwrap();
    fs::write(
        dir.path().join("broken.yaml"),
        "apiVersion: bongsu.io/v1alpha1\nkind: Region\nmetadata: {name: a}\nspecs: {}\n",
    )
    .unwrap();
    let out = bongsu(dir.path(), &["bad.yaml", "small.yaml", "none.yaml"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("broken.yaml:4: Region a: specs: unknown field"),
        "{}",
        text(&out.stderr)
    );
    assert!(text(&out.stderr).contains("cannot read none.yaml"), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("small     passed"), "{}", text(&out.stdout));
}

#[test]
fn a_scenario_that_waits_for_a_step_which_never_comes_fails() {
    let waits = GOOD.replace("at: 30s", "when: {service: gpki-directory, step: RaiseEpoch, after: 30s}");
    let out = bongsu(directory(&waits).path(), &["small.yaml"]);
    assert_eq!(out.status.code(), Some(1));
    let table = text(&out.stdout);
    assert!(
        table.contains("small.yaml:5: a run of gpki/gpki-directory comes to RaiseEpoch: none did"),
        "{table}"
    );
}

#[test]
fn every_case_of_three_sites_names_tests_and_scenarios_that_are_there() {
    let page = fs::read_to_string("docs/verification.md").unwrap();
    let table = page.split("## The cases of three sites").nth(1).unwrap().split("\n## ").next().unwrap();
    let files = fs::read_dir("tests/sites").unwrap().map(|entry| entry.unwrap().path());
    let tests: String = files.map(|file| fs::read_to_string(file).unwrap()).collect();
    let named =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(String::from).collect() };
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| case"));
    for (number, row) in (1..).zip(rows) {
        let cells: Vec<&str> = row.split('|').collect();
        assert!(cells[1].trim().starts_with(&format!("{number} ")), "{row}");
        let (of_row, scenarios) = (named(cells[2]), named(cells[3]));
        assert!(!of_row.is_empty() && (!scenarios.is_empty() || cells[3].contains("none: ")), "{row}");
        of_row.iter().for_each(|test| assert!(tests.contains(&format!("\"{test}\"")), "{test}"));
        let exists = |name: &String| assert!(Path::new(&format!("scenarios/{name}.yaml")).exists(), "{name}");
        scenarios.iter().for_each(exists);
        assert!(number <= 18);
    }
    assert_eq!(table.lines().filter(|line| line.starts_with("| ")).count(), 19);
}

#[test]
fn the_example_of_the_page_is_the_file_and_passes() {
    let out = bongsu(Path::new("."), &["docs/examples/scenarios"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stdout));
    let page = fs::read_to_string("docs/simulate.md").unwrap();
    let shown = page
        .split("$ bongsu simulate docs/examples/scenarios\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    // The time depends on chance, and that on how the simulator draws it.
    let blurred = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0").replace("00.0s", "0.0s");
    assert!(blurred(&text(&out.stdout)).starts_with(&blurred(shown)), "{}", text(&out.stdout));
    let file = fs::read_to_string("docs/examples/scenarios/daejeon-lost.yaml").unwrap();
    let yaml = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let missing: Vec<&str> = yaml.lines().filter(|line| !file.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn an_exploration_whose_time_is_over_says_how_far_it_came_and_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let explored = || {
        let limits = ["--time-limit", "1s", "--state", "state.json"];
        let output =
            bongsu(dir.path(), &[&["--runs", "100000", "--jobs", "2", "--json"], &limits[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let last: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
        let number = |key: &str| last[key].as_u64().unwrap();
        assert_eq!((number("firstSeed"), number("lastSeed")), (0, number("runs") - 1));
        number("runs")
    };
    let first = explored();
    assert!((1..10_000).contains(&first), "{first} runs in a second");
    assert!(explored() > first);
}

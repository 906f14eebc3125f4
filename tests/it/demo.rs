//! `bongsu demo` as its user runs it: the program, its output and its exit code.

use std::{
    process::Command,
    sync::{LazyLock, Mutex, PoisonError},
};

use serde_json::Value;

/// Two bad samples half a second apart, and a third that hangs for its 300 ms; the first may have begun some
/// milliseconds before the fault. No honest detection is faster.
const FASTEST_DETECTION: u64 = 1_200;

/// The shortest that the lease of the lost leader can still run: it lasts 3 s and is renewed each second.
const FASTEST_ELECTION: u64 = 1_900;

struct Demo {
    code: i32,
    events: Vec<Value>,
}

impl Demo {
    fn run(arguments: &[&str]) -> Self {
        // One at a time: the demo measures time, and two of them would measure each other.
        static ONE: Mutex<()> = Mutex::new(());
        let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let output = Command::new(env!("CARGO_BIN_EXE_bongsu"))
            .args(["demo", "--json"])
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { code: output.status.code().unwrap(), events }
    }

    fn summary(&self) -> &Value {
        self.events.last().unwrap()
    }

    /// Until the power was back.
    fn failover(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().take_while(|line| line["event"] != "restored")
    }

    fn all<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |line| line["event"] == event)
    }
}

/// Shared: one showing proves several things.
static SERVED: LazyLock<Demo> =
    LazyLock::new(|| Demo::run(&["--report-dir", REPORTS.path().to_str().unwrap()]));

static REPORTS: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

#[test]
fn the_citizen_is_served_again_within_the_predicted_time() {
    let demo = &*SERVED;
    let summary = demo.summary();
    assert_eq!(demo.code, 0, "{summary}");
    assert_eq!(summary["outcome"], "served");
    assert_eq!(summary["service"], "gpki/gpki-verify");
    assert_eq!((&summary["from"], &summary["to"]), (&"daejeon".into(), &"gwangju".into()));
    assert_eq!(summary["epoch"], 2);
    assert_eq!(summary["errorsAfterServed"], 0);
    assert!(millis(&summary["rtoMillis"]) <= millis(&summary["predictedRtoMillis"]), "{summary}");
}

#[test]
fn the_clocks_are_in_the_order_in_which_things_must_happen() {
    let clocks = &SERVED.summary()["clocks"];
    for order in [
        ["fault", "detected", "decided", "fenced", "shifted", "served"],
        ["fault", "leader", "decided", "fenced", "shifted", "verified"],
    ] {
        let times = order.map(|name| millis(&clocks[name]));
        assert!(times.is_sorted(), "{clocks}");
    }
    assert!(millis(&clocks["detected"]) >= FASTEST_DETECTION, "{clocks}");
    assert!(millis(&clocks["leader"]) >= FASTEST_ELECTION, "{clocks}");
}

#[test]
fn the_recovery_time_is_that_of_the_citizens_own_first_success() {
    let demo = &*SERVED;
    let good = |line: &&Value| line["ok"] == true && line["address"] == "127.0.0.3";
    let first = demo.all("request").filter(|line| line["sinceFaultMillis"].is_u64()).find(good).unwrap();
    assert_eq!(first["sinceFaultMillis"], demo.summary()["rtoMillis"]);
    let failed = demo.failover().filter(|line| line["event"] == "request" && line["ok"] == false).count();
    assert_eq!(demo.summary()["errors"], failed);
    assert!(failed > 0, "the citizen notices the loss");
}

#[test]
fn what_was_decided_and_by_which_rules_is_told() {
    let decisions: Vec<&Value> = SERVED.failover().filter(|line| line["event"] == "decision").collect();
    let [decision] = decisions.as_slice() else { panic!("one decision, not {decisions:?}") };
    assert_ne!(decision["by"], "daejeon", "the leader was lost with its region");
    let rules = decision["rules"].as_array().unwrap();
    assert!(
        rules.iter().any(|rule| rule["rule"] == "TargetAvailable" && rule["outcome"] == "Pass"),
        "{decision}"
    );
    let answers: Vec<&Value> = SERVED.all("answer").map(|answer| &answer["address"]).collect();
    assert_eq!((answers.first(), answers.last()), (Some(&&"127.0.0.2".into()), Some(&&"127.0.0.3".into())));
}

#[test]
fn when_the_power_is_back_a_drill_goes_the_other_way_and_leaves_a_report_that_verifies() {
    let demo = &*SERVED;
    let drill = &demo.summary()["drill"];
    assert_eq!((&drill["verdict"], &drill["rule"]), (&"Passed".into(), &"AllLimitsKept".into()), "{drill}");
    assert_eq!(drill["errors"], 0, "{drill}");
    let moved: Vec<_> = demo.all("serving").map(|line| line["regions"][0].as_str().unwrap()).collect();
    assert_eq!(moved, ["daejeon", "gwangju", "daejeon", "gwangju"]);
    assert_eq!(demo.all("served").count(), 1, "a drill is no fault");
    let sealed = sealed(&drill["report"]);
    assert_eq!(drill["reportDigest"], sealed.digest.as_str());
    let seen: u32 = sealed.report.services[0].samples.iter().map(|bucket| bucket.good).sum();
    assert!(seen > 0, "the checks saw it");
}

fn sealed(file: &Value) -> bongsu::report::Sealed {
    bongsu::report::Sealed::parse(&std::fs::read(file.as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn a_service_that_nobody_can_take_over_has_failed_and_the_reason_is_told() {
    let demo = Demo::run(&["--lose-both"]);
    let summary = demo.summary();
    assert_eq!((demo.code, &summary["outcome"]), (1, &"failed".into()));
    assert!(summary["rtoMillis"].is_null() && summary["to"].is_null(), "{summary}");
    assert_eq!(summary["epoch"], 1, "nothing was moved");
    assert!(!summary["blockedBy"].as_array().unwrap().is_empty(), "{summary}");
}

fn millis(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no time"))
}

#[test]
fn a_drill_moves_the_citizen_away_and_back_without_an_error_and_leaves_a_report_that_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::run(&["--drill", "--report-dir", dir.path().to_str().unwrap()]);
    let summary = demo.summary();
    assert_eq!(demo.code, 0, "{summary}");
    assert_eq!((&summary["verdict"], &summary["rule"]), (&"Passed".into(), &"AllLimitsKept".into()));
    assert_eq!(summary["errors"], 0, "{summary}");
    let moved: Vec<_> = demo.all("serving").map(|line| line["regions"][0].as_str().unwrap()).collect();
    assert_eq!(moved, ["daejeon", "gwangju", "daejeon"]);
    assert_eq!(demo.all("served").count(), 0, "a drill is no fault");
    let sealed = sealed(&summary["report"]);
    assert_eq!(summary["reportDigest"], sealed.digest.as_str());
    let measured = sealed.report.services[0].rto.real.and_then(|real| u64::try_from(real).ok());
    assert_eq!(Some(millis(&summary["rtoMillis"])), measured);
}

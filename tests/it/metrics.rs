//! The metrics: complete, in good form, documented, and gone with the object that they are about.

use std::{fmt::Write, process::Command, time::Duration};

use bongsu::{
    domain::{
        DrillVerdict, Epoch, MemberHealth, Outcome, Ready, RegionName, ServiceKey, Stage, Stretch, Verdict,
    },
    observability::{
        Build, CallResult, DecisionOutcome, GateMetrics, LedgerOperation, Metrics, NextMoveOutcome,
        PassOutcome, Phase, SkipReason, StepResult,
    },
};

use crate::support::programs::{assert_committed, program, run};

fn empty() -> Metrics {
    let build = Build { version: "0.1.0", commit: "0123abc", region: &RegionName::new("daejeon") };
    Metrics::new(build).unwrap()
}

/// Gives every metric about a service a value.
fn fill_service(metrics: &Metrics, service: &ServiceKey) {
    for member in ["daejeon", "gwangju"].map(RegionName::new) {
        metrics.set_verdict(service, &member, Verdict::Healthy);
        metrics.count_sample(service, &member, "login", Outcome::Ok, Duration::from_millis(12));
        metrics.count_sample(service, &member, "crl", Outcome::Wrong, Duration::from_millis(40));
        metrics.set_serving(service, &member, member.as_str() == "daejeon");
    }
    metrics.set_service_health(service, MemberHealth::Healthy);
    metrics.set_epoch(service, Epoch(7));
    metrics.set_next_move(service, NextMoveOutcome::Ready);
    metrics.set_service_condition(service, "TrafficInSync", Some(true));
    metrics.set_failover_paused(service, false);
    for member in ["daejeon", "gwangju"].map(RegionName::new) {
        metrics.set_drill_age(service, &member, Some(Duration::from_secs(86_400)));
        metrics.set_ready_to_switch(service, &member, Some(Ready::Yes));
    }
    metrics.set_drill_overdue(service, Some(false));
}

/// Gives every other metric a value.
fn fill_process(metrics: &Metrics) {
    metrics.count_skipped_sample(SkipReason::Late);
    metrics.observe_probe_lag(Duration::from_millis(1));
    metrics.set_probe_stride(Stretch::default());
    metrics.add_stage_time(&RegionName::new("daejeon"), Stage::Connect, Duration::from_millis(1));
    metrics.count_decision(DecisionOutcome::Hold);
    metrics.count_rule_block("Cooldown", "Block");
    metrics.count_step("ShiftTraffic", StepResult::Done);
    metrics.observe_phase(Phase::Detect, Duration::from_secs(6));
    metrics.observe_ledger_call(LedgerOperation::Put, CallResult::Conflict, Duration::from_millis(3));
    metrics.observe_pass(PassOutcome::Unchanged, Duration::from_micros(80));
    metrics.set_drill_coverage(Some(0.75));
    metrics.show_drill("gpki", "monthly");
    metrics.count_drill_run("gpki", "monthly", DrillVerdict::Passed);
    metrics.set_leader(true);
    metrics.set_vantage_alive(&RegionName::new("gwangju"), false);
}

fn full() -> (Metrics, ServiceKey) {
    let (metrics, service) = (empty(), ServiceKey::new("gpki", "gpki-verify"));
    fill_service(&metrics, &service);
    fill_process(&metrics);
    (metrics, service)
}

fn lines_with(metrics: &Metrics, part: &str) -> Vec<String> {
    metrics.render().unwrap().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let text = full().0.render().unwrap();
    let said = run(Command::new(program("promtool")).args(["check", "metrics"]), &text);
    assert_eq!(said.as_deref(), Ok(""), "{text}");
}

#[test]
fn every_metric_can_be_filled() {
    let text = full().0.render().unwrap();
    let missing: Vec<_> = Metrics::descriptions()
        .iter()
        .map(|description| format!("# TYPE {} {}\n", description.name, description.kind))
        .filter(|line| !text.contains(line))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
}

#[test]
fn every_series_of_a_service_goes_with_it_and_those_of_others_stay() {
    let (metrics, service) = full();
    let namesake = ServiceKey::new("mobile-id", "gpki-verify");
    fill_service(&metrics, &namesake);
    let of_the_other = lines_with(&metrics, r#"namespace="mobile-id""#);
    metrics.forget_service(&service);
    metrics.forget_drill("gpki", "monthly");
    assert_eq!(lines_with(&metrics, r#"namespace="gpki""#), Vec::<String>::new());
    assert_eq!(lines_with(&metrics, r#"namespace="mobile-id""#), of_the_other);
}

#[test]
fn a_member_a_check_and_a_vantage_can_go_alone() {
    let (metrics, service) = full();
    metrics.forget_member(&service, &RegionName::new("gwangju"));
    assert_eq!(lines_with(&metrics, r#"member="gwangju""#), Vec::<String>::new());
    assert_eq!(lines_with(&metrics, "bongsu_drill_age_seconds{").len(), 1);
    assert_eq!(lines_with(&metrics, "bongsu_ready_to_switch{").len(), 1);
    assert!(!lines_with(&metrics, r#"member="daejeon""#).is_empty());
    metrics.forget_check(&service, "crl");
    assert_eq!(lines_with(&metrics, r#"check="crl""#), Vec::<String>::new());
    assert!(!lines_with(&metrics, r#"check="login""#).is_empty());
    metrics.forget_vantage(&RegionName::new("gwangju"));
    assert_eq!(lines_with(&metrics, "bongsu_vantage_alive{"), Vec::<String>::new());
}

#[test]
fn exactly_one_verdict_of_a_member_is_1() {
    let (metrics, service) = full();
    metrics.set_verdict(&service, &RegionName::new("daejeon"), Verdict::Failed);
    let mut lines = lines_with(&metrics, r#"bongsu_verdict{member="daejeon""#);
    lines.retain(|line| line.ends_with(" 1"));
    assert_eq!(
        lines,
        [r#"bongsu_verdict{member="daejeon",namespace="gpki",service="gpki-verify",verdict="Failed"} 1"#]
    );
}

#[test]
fn docs_metrics_md_lists_what_the_code_has() {
    assert_committed("docs/metrics.md", &page());
}

fn page() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         Written from the code by `UPDATE=1 cargo test docs_metrics_md`; do not edit.\n\n\
         Every Bongsu shows these at `:8080/metrics`. `namespace` and `service` name a SharedService, `member` and\n\
         `region` name a Region. Series of an object go when the object goes. Each region's Bongsu shows what it sees\n\
         itself, so a query over several of them begins with `max by (namespace, service)` or the like.\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for description in Metrics::descriptions() {
        let labels: Vec<_> = description.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (description.name, description.kind, description.help);
        writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    text.push_str("\n`bongsu gate --http-address` shows these:\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for description in GateMetrics::descriptions() {
        let labels: Vec<_> = description.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (description.name, description.kind, description.help);
        writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    text.push_str("\n## Words in labels\n\n| label | metric | words |\n|---|---|---|\n");
    for (label, metric, words) in words() {
        writeln!(text, "| `{label}` | `{metric}` | {} |", words.join(", ")).unwrap();
    }
    text.push_str("\n## Buckets\n\nUpper bounds in seconds.\n\n| metric | bounds |\n|---|---|\n");
    for description in Metrics::descriptions().iter().filter(|description| !description.buckets.is_empty()) {
        let bounds: Vec<_> = description.buckets.iter().map(ToString::to_string).collect();
        writeln!(text, "| `{}` | {} |", description.name, bounds.join(", ")).unwrap();
    }
    text.push_str(
        "\nBesides these there are the usual metrics of the process: `process_cpu_seconds_total`,\n\
         `process_resident_memory_bytes`, `process_open_fds`, `process_start_time_seconds` and their like (Linux only).\n",
    );
    text
}

fn words() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    vec![
        ("verdict", "bongsu_verdict", Verdict::ALL.iter().map(|word| word.as_str()).collect()),
        ("outcome", "bongsu_samples_total", Outcome::ALL.iter().map(|word| word.as_str()).collect()),
        (
            "reason",
            "bongsu_samples_skipped_total",
            SkipReason::ALL.iter().map(|word| word.as_str()).collect(),
        ),
        ("health", "bongsu_service_health", MemberHealth::ALL.iter().map(|word| word.as_str()).collect()),
        ("outcome", "bongsu_next_move", NextMoveOutcome::ALL.iter().map(|word| word.as_str()).collect()),
        ("verdict", "bongsu_drill_runs_total", DrillVerdict::ALL.iter().map(|word| word.as_str()).collect()),
        (
            "outcome",
            "bongsu_decisions_total",
            DecisionOutcome::ALL.iter().map(|word| word.as_str()).collect(),
        ),
        ("result", "bongsu_steps_total", StepResult::ALL.iter().map(|word| word.as_str()).collect()),
        (
            "phase",
            "bongsu_failover_phase_duration_seconds",
            Phase::ALL.iter().map(|word| word.as_str()).collect(),
        ),
        (
            "operation",
            "bongsu_ledger_call_duration_seconds",
            LedgerOperation::ALL.iter().map(|word| word.as_str()).collect(),
        ),
        (
            "result",
            "bongsu_ledger_call_duration_seconds",
            CallResult::ALL.iter().map(|word| word.as_str()).collect(),
        ),
        (
            "outcome",
            "bongsu_reconcile_passes_total",
            PassOutcome::ALL.iter().map(|word| word.as_str()).collect(),
        ),
    ]
}

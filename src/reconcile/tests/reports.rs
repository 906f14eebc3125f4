//! The report of a drill, from its last moment to the file.

use std::{collections::BTreeSet, fs, time::Duration};

use super::bench::{Bench, service};
use crate::{
    api::DrillVerdict,
    domain::{DrillPhase, DrillRun},
    reconcile::book::Entry,
    report::{DrillReport, Kind, Outcome, Sealed, Status, verify},
};

const DRILL: &str = "
apiVersion: bongsu.io/v1alpha1
kind: SwitchoverDrill
metadata: {name: monthly, namespace: gpki}
spec:
  services: {names: [verify]}
  direction: {awayFrom: daejeon}
  kind: Live
  hold: 10s
  historyLimit: 2
";

pub(super) fn wish(number: u32) -> String {
    format!(
        "
apiVersion: bongsu.io/v1alpha1
kind: DrillRun
metadata: {{name: monthly-{number}, namespace: gpki}}
spec: {{drillName: monthly, reason: Daejeon loses power, requestedBy: kim}}
"
    )
}

/// One service, a drill, and a directory for reports.
async fn bench() -> Bench {
    let manifests = [("verify", &*service("verify", &["names"])), ("drill", DRILL)];
    let bench = Bench::serving(&manifests).await;
    fs::create_dir(bench.reports()).unwrap();
    bench
}

pub(super) async fn drilled(bench: &Bench, number: u32) -> DrillRun {
    let id = format!("monthly-{number}");
    bench.edit(&id, Some(&wish(number))).await;
    let over = || drill(bench, &id).filter(|run| run.phase == DrillPhase::Over);
    bench.until("the drill is over", over).await
}

fn drill(bench: &Bench, id: &str) -> Option<DrillRun> {
    let (_, text) = bench.ledger.text(&Entry::Drill("gpki".into(), id.into()))?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The file of a report, once it is there.
async fn written(bench: &Bench, number: u32) -> Vec<u8> {
    let file = bench.reports().join(format!("gpki_monthly-{number}.json"));
    bench.until("the report is written", || fs::read(&file).ok()).await
}

fn checked(files: &[&[u8]]) -> Vec<(Status, String)> {
    let files: Vec<_> = files.iter().map(|file| (String::new(), file.to_vec())).collect();
    verify(&files, None).into_iter().map(|file| (file.status, file.message)).collect()
}

fn read(file: &[u8]) -> DrillReport {
    Sealed::parse(file).unwrap().report
}

#[tokio::test(start_paused = true)]
async fn the_report_of_a_drill_says_what_happened_and_can_be_verified() {
    let bench = bench().await;
    let run = drilled(&bench, 1).await;
    let ended = bench.now();
    let file = written(&bench, 1).await;
    assert!(bench.now() - ended < 10_000, "written after {} ms", bench.now() - ended);
    let report = read(&file);
    assert_eq!(checked(&[&file]), [(Status::Unsigned, "the first of its drill; not signed".to_owned())]);
    assert_eq!(Some(Sealed::parse(&file).unwrap().digest), run.report_digest);
    assert_eq!((report.verdict.outcome, &*report.verdict.rule), (Outcome::Passed, "AllLimitsKept"));
    assert_eq!((report.identity.kind, &*report.identity.number), (Kind::Live, "gpki/monthly-1"));
    assert_eq!((&*report.scope.scenario, report.scope.hold), ("Daejeon loses power", Some(10_000)));
    assert_eq!(report.scope.regions, ["daejeon", "gwangju"]);
    assert_eq!(report.people.requested_by.as_deref(), Some("kim"));
    assert_eq!(report.timeline.len(), run.timeline.len());
    assert!(
        report.pre_checks.iter().any(|check| check.name == "TargetReady" || check.name == "ServingHealthy")
    );
    let service = &report.services[0];
    assert_eq!((&service.from, &service.to), (&vec!["daejeon".to_owned()], &vec!["gwangju".to_owned()]));
    assert_eq!(service.rto.real, run.services[0].rto.map(|rto| i64::try_from(rto.as_millis()).unwrap()));
    assert_eq!((service.rto.predicted.is_some(), service.return_time.is_some()), (true, true));
    for (moved, failover) in
        [(&service.away, "monthly-1-verify-away"), (&service.back, "monthly-1-verify-back")]
    {
        let moved = moved.as_ref().unwrap();
        let times = bench.run(failover).unwrap().times;
        assert_eq!(moved.failover, failover);
        assert_eq!(moved.clocks.fenced, times.fenced.map(|at| at.0));
        assert_eq!(moved.clocks.verified, times.verified.map(|at| at.0));
        assert!(moved.clocks.decided < moved.clocks.verified && moved.clocks.shifted.is_some());
    }
    let shown = || {
        let status =
            bench.resources.statuses().drill_runs.remove(&("gpki".to_owned(), "monthly-1".to_owned()))?;
        (status.verdict == Some(DrillVerdict::Passed)).then_some(status.report_digest)
    };
    assert_eq!(bench.until("it is shown", shown).await, run.report_digest);
    let pages = ["md", "html"].map(|ending| bench.reports().join(format!("gpki_monthly-1.{ending}")));
    for page in pages {
        let text = bench.until("a page is written", || fs::read_to_string(&page).ok()).await;
        assert!(text.contains("훈련 결과보고서"), "in the language of the setting: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn reports_of_one_drill_are_chained_and_forgotten_with_their_runs_but_never_as_files() {
    let bench = bench().await;
    let mut files = Vec::new();
    for number in 1..=3 {
        drilled(&bench, number).await;
        files.push(written(&bench, number).await);
    }
    let all: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let said: BTreeSet<String> = checked(&all).into_iter().map(|(_, message)| message).collect();
    let expected = [
        "follows gpki/monthly-1; not signed",
        "follows gpki/monthly-2; not signed",
        "the first of its drill; not signed",
    ];
    assert_eq!(said, expected.map(str::to_owned).into());
    assert_eq!(read(&files[1]).identity.previous.unwrap().number, "gpki/monthly-1");
    let left =
        ["drill/gpki/monthly-2", "drill/gpki/monthly-3", "report/gpki/monthly-2", "report/gpki/monthly-3"];
    let kept = || [bench.ledger.keys("drill/"), bench.ledger.keys("report/")].concat();
    bench.until("the first is forgotten", || (kept() == left).then_some(())).await;
    assert_eq!(written(&bench, 1).await, files[0]);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_is_gone_delays_nothing_and_gets_its_reports_when_it_is_back() {
    let bench = bench().await;
    fs::remove_dir(bench.reports()).unwrap();
    let run = drilled(&bench, 1).await;
    assert!(run.report_digest.is_some());
    drilled(&bench, 2).await;
    let told = bench.desk.told.lock().unwrap().clone();
    assert_eq!(told.iter().filter(|reason| *reason == "ReportNotWritten").count(), 1);
    assert!(!bench.reports().exists());
    fs::create_dir(bench.reports()).unwrap();
    let back = bench.now();
    let files = [written(&bench, 1).await, written(&bench, 2).await];
    assert!(bench.now() - back < 5_000);
    assert_eq!(read(&files[1]).integrity.previous_digest, run.report_digest);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_says_something_else_is_left_alone_and_keeps_no_other_from_being_written() {
    let bench = bench().await;
    let other = bench.reports().join("gpki_monthly-1.json");
    fs::write(&other, "evidence").unwrap();
    drilled(&bench, 1).await;
    drilled(&bench, 2).await;
    written(&bench, 2).await;
    bench.pass(Duration::from_secs(30)).await;
    assert_eq!(fs::read_to_string(other).unwrap(), "evidence");
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_left_that_died_before_the_end_was_written_is_replaced_by_the_report() {
    let bench = bench().await;
    bench.ledger.put_text(&Entry::Report("gpki".into(), "monthly-1".into()), "{}").await;
    let run = drilled(&bench, 1).await;
    assert_eq!(Some(Sealed::parse(&written(&bench, 1).await).unwrap().digest), run.report_digest);
}

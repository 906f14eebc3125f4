//! The report of a drill, from its last moment to the file.

use std::{collections::BTreeSet, fs, sync::atomic::Ordering, time::Duration};

use super::bench::{Bench, service};
use crate::{
    api::DrillVerdict,
    domain::{DrillPhase, DrillRun},
    reconcile::book::Entry,
    report::{DeviationKind, DrillReport, Kind, Outcome, Sealed, Status, Task, verify},
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
    let (samples, began) = (&service.samples, run.started_at.unwrap().0);
    let length = run.ended_at.unwrap().0 - began;
    assert_eq!((samples[0].at, samples.len()), (began, usize::try_from((length + 999) / 1000).unwrap()));
    let seen = samples.iter().filter(|bucket| bucket.good == 1 && bucket.bad == 0).count();
    // One check, each second, of whoever serves; while it moves a second may see both or none.
    assert!(samples.len() - seen <= 4, "{samples:?}");
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

#[tokio::test(start_paused = true)]
async fn who_agreed_and_when_where_it_departed_from_its_plan_and_what_is_to_be_done_are_in_the_report() {
    let bench = bench().await;
    let drill = DRILL
        .replace("historyLimit: 2", "approvals: 1\n  schedule: {cron: '0 10 1 1 *', timeZone: Asia/Seoul}")
        .replace("namespace: gpki}", "namespace: gpki, annotations: {bongsu.io/owner: 재해복구팀}}");
    bench.edit("drill", Some(&drill)).await;
    bench.edit("monthly-1", Some(&wish(1))).await;
    bench.pass(Duration::from_secs(5)).await;
    let said = bench.now();
    let yes = "{apiVersion: bongsu.io/v1alpha1, kind: Approval, metadata: {name: agreed, namespace: gpki}, \
               spec: {drillRunName: monthly-1, approver: lee}}";
    bench.edit("yes", Some(yes)).await;
    // The name servers take the move at the second try, and who serves afterwards fails.
    bench.servers.refuse.store(true, Ordering::SeqCst);
    bench.until("it was refused", || bench.servers.tries("names", 2).first().copied()).await;
    bench.servers.refuse.store(false, Ordering::SeqCst);
    let phase = |phase| drill_now(&bench, 1).filter(|run| run.phase == phase);
    bench.until("it is held", || phase(DrillPhase::Holding)).await;
    bench.members.fail("gwangju", "verify");
    let run = bench.until("it is over", || phase(DrillPhase::Over)).await;
    let report = read(&written(&bench, 1).await);

    assert_eq!(&*report.verdict.rule, "RealIncident", "{:?}", run.timeline);
    let [approver] = &report.people.approvers[..] else { panic!("{:?}", report.people) };
    let at = u64::try_from(approver.at.unwrap()).unwrap();
    assert!(approver.name == "lee" && (said..said + 5_000).contains(&at), "{approver:?}");
    let [deviation] = &report.deviations[..] else { panic!("{:?}", report.deviations) };
    assert_eq!((deviation.kind, &*deviation.step), (DeviationKind::Retried, "ShiftTraffic"));
    assert!(deviation.attempts > 1 && deviation.service.as_deref() == Some("verify"));
    let tasks: Vec<Task> = report.follow_ups.iter().map(|follow_up| follow_up.task).collect();
    assert_eq!(tasks, [Task::DrillAgain]);
    // The clock began with the year 1970, at nine in Seoul.
    let next = 3_600_000;
    for follow_up in &report.follow_ups {
        assert_eq!((follow_up.owner.as_deref(), follow_up.due), (Some("재해복구팀"), Some(next)));
    }
    assert!(report.services[0].samples.iter().any(|bucket| bucket.bad > 0), "citizens felt it");
}

#[tokio::test(start_paused = true)]
async fn a_report_says_until_when_the_drill_was_due_and_whether_it_was_late() {
    let limited = service("verify", &["names"]).replace("cooldown: 1s", "cooldown: 1s, maxDrillAge: 2m");
    let bench = Bench::start(&[("verify", &*limited), ("drill", DRILL)]).await;
    fs::create_dir(bench.reports()).unwrap();
    let shown =
        || bench.condition("verify", "FailoverReady").filter(|(_, reason, _)| reason == "NeedsPerson");
    bench.until("it is served", shown).await;
    let first = drilled(&bench, 1).await;
    let due = first.ended_at.unwrap().0 + 120_000;
    drilled(&bench, 2).await;
    let second = read(&written(&bench, 2).await).identity;
    assert_eq!((read(&written(&bench, 1).await).identity.due_by, second.due_by), (None, Some(due)));
    assert!(!second.overdue && second.ended_at < due);
    bench.pass(Duration::from_secs(150)).await;
    drilled(&bench, 3).await;
    let third = read(&written(&bench, 3).await).identity;
    assert_eq!((third.due_by, third.overdue), (Some(second.ended_at + 120_000), true));
}

fn drill_now(bench: &Bench, number: u32) -> Option<DrillRun> {
    drill(bench, &format!("monthly-{number}"))
}

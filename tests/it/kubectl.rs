//! `kubectl bongsu`, called by the real kubectl on a real API server, with the roles and the admission policy of the chart.

use std::{
    os::unix::process::CommandExt,
    process::{Output, Stdio},
};

use bongsu::api::{DrillRun, DrillRunStatus};
use bongsu::report::{Sealed, Status, verify};
use kube::Api;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    admission_cases,
    bongsu::SOON,
    control_plane::{ControlPlane, write_kubeconfig},
    plugin::{Called, Person, called},
    service::{SERVICE, Service},
    wait::until,
    world::{SYSTEM, World},
};

const KIM: (&str, &str) = ("kim-token", "kim@example.go.kr");
const LEE: (&str, &str) = ("lee-token", "lee@example.go.kr");

/// Somebody with these roles of the chart in the service's namespace.
fn person(service: &Service<'_>, (token, user): (&str, &str), roles: &[&str]) -> Person {
    for role in roles {
        let name = format!("{user}-{role}").replace('@', "-");
        let role = format!("--clusterrole=bongsu-{role}");
        service.kubectl(&["create", "rolebinding", &name, &role, "--user", user]);
    }
    Person::new(service.plane, token, &service.namespace)
}

/// Regions and policies have no namespace, so who shall see them is bound everywhere.
fn sees_regions(service: &Service<'_>, (_, user): (&str, &str)) {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": format!("{}-{}", service.namespace, user.replace('@', "-"))},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bongsu-view"},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
    });
    service.apply(&binding);
}

fn has(text: &str, parts: &[&str]) {
    let missing: Vec<&&str> = parts.iter().filter(|part| !text.contains(**part)).collect();
    assert!(missing.is_empty(), "{missing:?} not in:\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_plans_and_moves_a_service_and_one_without_the_role_is_told_which() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "plugin-moves", |_| ()).await;
    let kim = person(&service, KIM, &["view", "operate"]);
    sees_regions(&service, KIM);

    let shown = kim.calls(&["get"]).await.with(0);
    has(&shown, &["SERVED BY", SERVICE, "all Healthy", "Automatic", "moves to gwangju"]);
    has(&shown, &["never"]);
    let korean = kim.calls(&["get", "--language", "ko"]).await.with(0);
    has(&korean, &["서비스 지역", "모두 정상", "gwangju 자동 전환"]);
    let seen = kim.calls(&["get", "-o", "json"]).await.json();
    assert_eq!(seen["services"][0]["serving"], json!(["daejeon"]));
    assert_eq!(seen["services"][0]["ifLost"]["outcome"], "Ready");
    let story = kim.calls(&["get", SERVICE]).await.with(0);
    has(
        &story,
        &["plugin-moves/verify is served by daejeon", "Conditions", "FailoverReady", "daegu Healthy"],
    );

    let plan = kim.calls(&["plan", SERVICE]).await.with(0);
    has(&plan, &["would be moved from daejeon to gwangju", "RaiseEpoch", "Nothing was touched."]);
    let plan = kim.calls(&["plan", SERVICE, "--to", "daejeon"]).await.with(1);
    has(&plan, &["would not be moved. Nothing was touched.", "served like that already"]);
    assert_eq!(service.shown().await, service.answer("daejeon", 1));

    let unsure = kim.calls(&["switch", SERVICE, "--to", "gwangju", "--reason", "test"]).await.refused();
    has(&unsure, &["will lead its clients to gwangju (Healthy)", "give --yes"]);
    let moves = ["switch", SERVICE, "--away-from", "daejeon", "--reason", "test", "--yes"];
    let moved = kim.calls(&moves).await;
    has(&moved.err, &["RaiseEpoch Done", "Settle Done"]);
    has(&moved.with(0), &["verify is served by gwangju, verified after"]);
    service.serves("gwangju", 2).await;
    let again = kim.calls(&moves).await.refused();
    has(&again, &["daejeon does not serve it, gwangju does"]);

    let lee = person(&service, LEE, &["view"]);
    lee.calls(&["get", SERVICE]).await.with(0);
    let back =
        lee.calls(&["switch", SERVICE, "--to", "daejeon", "--reason", "test", "--yes"]).await.refused();
    has(&back, &["you may not create Failover", "ask for ClusterRole bongsu-operate", LEE.1]);
    let absent = lee.calls(&["get", "nothing"]).await.refused();
    has(&absent, &["there is no SharedService plugin-moves/nothing"]);
    world.assert_allowed();
}

fn drill(service: &Service<'_>, hold: &str, approvals: u32) -> Value {
    json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "SwitchoverDrill",
        "metadata": {"name": "monthly", "namespace": service.namespace},
        "spec": {
            "services": {"names": [SERVICE]}, "direction": {"awayFrom": "daejeon"}, "hold": hold,
            "guardrails": {"maxDuration": "90s"}, "approvals": approvals,
        },
    })
}

/// Name of the run that somebody asks for.
async fn run_of(person: &Person, more: &[&str]) -> String {
    let arguments = [&["drill", "run", "monthly", "--reason", "the exercise", "-o", "json"], more].concat();
    let made = person.calls(&arguments).await.json();
    made["metadata"]["name"].as_str().unwrap().to_owned()
}

async fn status(service: &Service<'_>, run: &str) -> DrillRunStatus {
    let api: Api<DrillRun> = Api::namespaced(service.plane.client(), &service.namespace);
    api.get(run).await.unwrap().status.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_asks_for_a_drill_another_approves_it_and_an_auditor_reads_its_report() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "plugin-drills", |_| ()).await;
    service.apply(&drill(&service, "1s", 1));
    let kim = person(&service, KIM, &["view", "operate"]);
    let run = run_of(&kim, &[]).await;

    let no_role = kim.calls(&["approve", &run]).await.refused();
    has(&no_role, &["you may not create Approval", "ask for ClusterRole bongsu-approve"]);
    let early = kim.calls(&["report", &run]).await.refused();
    has(&early, &["you may not read LedgerEntry", "ask for Role bongsu-reports"]);
    let lee = person(&service, LEE, &["view", "approve"]);
    let forged = json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "Approval",
        "metadata": {"name": "forged", "namespace": service.namespace},
        "spec": {"drillRunName": run, "approver": "park@example.go.kr"},
    });
    let forges = ["--as", LEE.1, "create", "-f", "-"];
    let refused = service.plane.try_kubectl(&forges, &forged.to_string()).unwrap_err();
    has(&refused, &["spec.approver must be your own user name, lee@example.go.kr"]);

    let yes = lee.calls(&["approve", &run, "--comment", "shift 2 knows"]).await.with(0);
    has(&yes, &["lee@example.go.kr says yes to DrillRun plugin-drills/"]);
    let followed = kim.calls(&["watch", &run]).await;
    let text = followed.with(0);
    has(&text, &["verify leaves daejeon", "verify is served by gwangju", "verify is back"]);
    has(&text, &["Passed by rule AllLimitsKept", "daejeon → gwangju in"]);
    assert_eq!(status(&service, &run).await.approved_by, [LEE.1]);
    let late = lee.calls(&["approve", &run]).await.refused();
    has(&late, &["is over, nothing is left to approve"]);
    kim.calls(&["abort", &run]).await.with(1);

    let listed = kim.calls(&["drill", "list"]).await.with(0);
    has(&listed, &["monthly", SERVICE, "by hand only", &format!("Passed ({run})")]);
    let next = kim.calls(&["drill", "next", "-o", "yaml"]).await.with(0);
    has(&next, &["drill: monthly", "runs when somebody creates a DrillRun"]);
    has(&kim.calls(&["get", "--language", "ko"]).await.with(0), &["전 통과"]);

    let role = ["create", "rolebinding", "auditors", "-n", SYSTEM, "--role=bongsu-reports", "--user", LEE.1];
    service.plane.try_kubectl(&role, "").unwrap();
    let sealed = lee.calls(&["report", &run, "-o", "json"]).await.with(0);
    let checked = verify(&[("report.json".to_owned(), sealed.clone().into_bytes())], None);
    assert!(matches!(checked[0].status, Status::Unsigned), "{checked:?}");
    assert_eq!(
        Sealed::parse(sealed.as_bytes()).unwrap().report.identity.number,
        format!("plugin-drills/{run}")
    );
    has(&lee.calls(&["report", &run, "--language", "ko"]).await.with(0), &["# 훈련 결과보고서", "통과"]);
    has(&lee.calls(&["report", &run, "-o", "html"]).await.with(0), &["<!DOCTYPE html>"]);
    world.assert_allowed();
}

/// Runs the plugin in a terminal of its own, where somebody types this once it has taken the terminal: what the terminal
/// got, and the exit code.
async fn in_a_terminal(person: &Person, arguments: &str, typed: &str) -> Called {
    let mut script = person.surrounded("script");
    let line = format!("stty rows 30 cols 120; {}", person.line(arguments));
    script.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut got = Vec::new();
    let session = async {
        let mut typed = Some(typed);
        while screen.read_buf(&mut got).await.unwrap() > 0 {
            let is_taken = String::from_utf8_lossy(&got).contains(TAKEN);
            if let Some(typed) = typed.take_if(|_| is_taken) {
                keys.write_all(typed.as_bytes()).await.unwrap();
            }
        }
        child.wait().await.unwrap()
    };
    let status = tokio::time::timeout(SOON, session).await.unwrap();
    called(Output { status, stdout: got, stderr: Vec::new() })
}

/// The terminal shows another page, and the first one again (xterm).
const TAKEN: &str = "\u{1b}[?1049h";
const GIVEN_BACK: &str = "\u{1b}[?1049l";

/// What is printed after the terminal was given back.
fn afterwards(text: &str) -> &str {
    let (before, after) = text.rsplit_once(GIVEN_BACK).unwrap_or_else(|| panic!("not given back: {text:?}"));
    assert!(before.contains(TAKEN) && !after.contains(TAKEN), "{text:?}");
    after
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_drawn_on_a_terminal_that_is_whole_afterwards_and_an_abort_brings_traffic_back() {
    let world = World::shared().await;
    let service = Service::start(&world.plane, "plugin-watch", |_| ()).await;
    service.apply(&drill(&service, "60s", 0));
    let kim = person(&service, KIM, &["view", "operate"]);
    let run = run_of(&kim, &[]).await;
    until("the service is away", SOON, async || {
        status(&service, &run).await.services.iter().any(|drilled| drilled.state == "Away").then_some(())
    })
    .await;

    let looked = in_a_terminal(&kim, &format!("watch {run}"), "q").await.with(2);
    // Between words the cursor is moved.
    has(&looked, &["[Holding]", "▒", "█", "gwangju", "returns"]);
    has(afterwards(&looked), &["Stopped looking; DrillRun"]);
    let interrupted = in_a_terminal(&kim, &format!("watch {run}"), "\u{3}").await.with(2);
    has(afterwards(&interrupted), &["goes on"]);

    let (watch, abort) = (format!("watch {run} --language ko"), ["abort", &run]);
    let (followed, aborted) = tokio::join!(in_a_terminal(&kim, &watch, ""), kim.calls(&abort));
    let aborted = aborted.with(0);
    has(&aborted, &["is told to stop; what has moved returns"]);
    has(afterwards(&followed.with(1)), &["중단, 판정 규칙 AbortedByPerson", "원복"]);
    service.serves("daejeon", 3).await;
    kim.calls(&["abort", "nothing"]).await.refused();
}

#[tokio::test]
async fn an_api_server_that_is_away_is_one_clear_sentence() {
    let person = Person::nowhere("gpki");
    let cluster = json!({"server": "http://127.0.0.1:1"});
    write_kubeconfig(&person.kubeconfig(), &cluster, "token");
    let away = person.calls(&["get"]).await.refused();
    has(&away, &["http://127.0.0.1:1/ cannot be reached", "--context", "onnection refused"]);
    let korean = person.calls(&["get", "--language", "ko"]).await.refused();
    has(&korean, &["연결할 수 없습니다"]);
    let unknown = person.calls(&["get", "--context", "elsewhere"]).await.refused();
    has(&unknown, &["elsewhere"]);
}

#[tokio::test]
async fn kubectl_finds_the_plugin_and_completes_its_arguments() {
    let person = Person::nowhere("gpki");
    write_kubeconfig(&person.kubeconfig(), &json!({"server": "http://127.0.0.1:1"}), "token");
    let complete = async |words: &[&str]| complete_as(&person, words).await;
    has(&complete(&["sw"]).await, &["switch\tMove a service", ":4"]);
    has(&complete(&["drill", ""]).await, &["run\t", "list\t", "next\t"]);
    has(&complete(&["switch", "verify", "--away"]).await, &["--away-from\t"]);
    // A cluster that is away has no names, and nobody is kept waiting.
    assert_eq!(complete(&["get", ""]).await.trim(), ":4");
    for shell in ["bash", "zsh", "fish"] {
        let script = person.calls(&["completions", shell]).await.with(0);
        has(&script, &["kubectl-bongsu", "switch"]);
    }
    let help = person.calls(&["switch", "--help"]).await.with(0);
    has(&help, &["Usage: kubectl bongsu switch", "Exit codes:", "--away-from"]);
}

/// What `--help` says, without the flags of all commands.
fn help_of(words: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bongsu"));
    command.arg0("/usr/bin/kubectl-bongsu").env_remove("COLUMNS");
    let text = called(command.args(words).arg("--help").output().unwrap()).with(0);
    let (before, rest) = text.split_once("\nCluster:\n").unwrap();
    let after = rest.split_once("\n\n").filter(|_| !words.is_empty()).map(|(_, after)| after);
    match (words.is_empty(), after) {
        (true, _) => text,
        (false, Some(after)) => format!("{before}\n{after}"),
        (false, None) => before.to_owned(),
    }
}

/// Written anew by `UPDATE=1 cargo test docs_kubectl_reference_md`.
#[test]
fn docs_kubectl_reference_md_is_what_the_program_says() {
    let commands =
        ["get", "inspect", "plan", "switch", "drill", "drill run", "drill list", "drill next", "approve"];
    let commands = commands.into_iter().chain(["abort", "report", "watch", "completions"]);
    let mut page = "# Reference of `kubectl bongsu`\n\n\
         Generated from the program by `UPDATE=1 cargo test docs_kubectl_reference_md`. Do not edit. What each is for is \
         in\n[kubectl.md](kubectl.md). The flags under *Cluster* go with every command.\n"
        .to_owned();
    for command in std::iter::once("").chain(commands) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let help = help_of(&words);
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        let title = format!("kubectl bongsu {command}");
        page += &format!("\n## {}\n\n```text\n{}\n```\n", title.trim_end(), help.join("\n").trim_end());
    }
    crate::support::programs::assert_committed("docs/kubectl-reference.md", &page);
}

/// An object as Bongsu would show it, where no Bongsu runs.
pub fn shown_as(plane: &ControlPlane, namespace: &str, kind: &str, name: &str, spec: &Value, status: &Value) {
    let object = json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    });
    plane.try_kubectl(&["create", "-f", "-"], &object.to_string()).unwrap();
    let patch = json!({"status": status}).to_string();
    let what = format!("{kind}/{name}");
    let arguments =
        ["patch", &what, "-n", namespace, "--subresource=status", "--type=merge", "--patch", &patch];
    plane.try_kubectl(&arguments, "").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_well_stands_first_and_a_drill_that_was_too_long_ago_is_overdue() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("plugin-get").await;
    let mut spec = admission_cases::service()["spec"].clone();
    spec["failover"]["maxDrillAge"] = json!("48h");
    let member = |region: &str, health: &str| json!({"region": region, "serving": region == "daejeon", "health": health, "target": health == "Healthy"});
    for (name, health) in [("a-well", "Healthy"), ("b-ill", "Down")] {
        let members = [member("daejeon", health), member("gwangju", "Healthy")];
        let next =
            json!({"from": "daejeon", "outcome": "Blocked", "blockedBy": ["Cooldown"], "message": "no"});
        let status = json!({
            "epoch": 3, "serving": ["daejeon"], "health": health, "members": members, "nextMove": next,
        });
        shown_as(plane, &namespace, "SharedService", name, &spec, &status);
    }
    let run = json!({"drillName": "monthly", "reason": "test"});
    let status = json!({
        "phase": "Over", "verdict": "Passed", "endedAt": "2020-01-01T00:00:00.000Z",
        "services": [{"name": "a-well", "state": "Back", "from": ["daejeon"], "to": ["gwangju"]}],
    });
    shown_as(plane, &namespace, "DrillRun", "old", &run, &status);
    let person = Person::new(plane, ControlPlane::ADMIN, &namespace);
    let table = person.calls(&["get"]).await.with(0);
    let lines: Vec<&str> = table.lines().filter(|line| line.starts_with(['a', 'b'])).collect();
    assert!(lines[0].starts_with("b-ill") && lines[1].starts_with("a-well"), "{table}");
    has(lines[0], &["Down", "daejeon Down, gwangju Healthy", "stays: Cooldown", "never"]);
    has(lines[1], &["all Healthy", "Passed", "ago, overdue"]);
    let words = complete_as(&person, &["get", "-n", &namespace, "b"]).await;
    assert_eq!(words, "b-ill\n:4\n");
    let wish = ["switch", "a-well", "--to", "gwangju", "--reason", "test", "--yes", "--timeout", "1s"];
    let late = person.calls(&wish).await.refused();
    has(&late, &["has not started after 1s, and will when it can"]);
}

/// What kubectl offers for the last word.
async fn complete_as(person: &Person, words: &[&str]) -> String {
    let mut command = person.surrounded(crate::support::programs::program("kubectl"));
    called(command.arg("__complete").arg("bongsu").args(words).output().await.unwrap()).with(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_move_is_given_up_and_one_that_is_at_work_is_left_alone() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("plugin-abort").await;
    let spec = json!({"serviceName": "verify", "to": "gwangju", "reason": "test"});
    for (name, phase) in [("waits", "Paused"), ("works", "Running"), ("done", "Succeeded")] {
        shown_as(plane, &namespace, "Failover", name, &spec, &json!({"phase": phase}));
    }
    let person = Person::new(plane, ControlPlane::ADMIN, &namespace);
    let given_up = person.calls(&["abort", "waits", "-o", "json"]).await.json();
    assert_eq!(given_up["spec"]["intervention"], "Abort");
    let works = person.calls(&["abort", "works"]).await.refused();
    has(&works, &["Failover works is at work", "only when it is paused"]);
    has(&person.calls(&["abort", "done", "--language", "ko"]).await.err, &["이미 끝났습니다(성공)"]);
    person.calls(&["abort", "done"]).await.with(1);
}

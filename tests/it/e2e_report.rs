//! A report from a whole process, signed, and verified with the program alone.

use std::{fs, net::TcpListener, path::Path, process::Command, thread};

use crate::support::{
    bongsu::{Bongsu, SOON},
    programs::{program, run},
    wait::until,
};

/// Two regions, a service that both have, and a drill of it.
fn manifests(ports: [u16; 2]) -> String {
    let [daejeon, gwangju] = ports;
    format!(
        "
{{apiVersion: bongsu.io/v1alpha1, kind: Region, metadata: {{name: daejeon}}, spec: {{failureDomain: a}}}}
---
{{apiVersion: bongsu.io/v1alpha1, kind: Region, metadata: {{name: gwangju}}, spec: {{failureDomain: b}}}}
---
{{apiVersion: bongsu.io/v1alpha1, kind: Region, metadata: {{name: daegu}}, spec: {{role: Witness, failureDomain: c}}}}
---
apiVersion: bongsu.io/v1alpha1
kind: SharedService
metadata: {{name: verify, namespace: gpki}}
spec:
  grade: 1
  topology: ActiveStandby
  members:
  - {{region: daejeon, weight: 100, endpoint: \"tcp://127.0.0.1:{daejeon}\"}}
  - {{region: gwangju, weight: 50, endpoint: \"tcp://127.0.0.1:{gwangju}\"}}
  health:
    interval: 1s
    timeout: 500ms
    window: {{size: 3, failures: 2}}
    recovery: {{successes: 3, for: 2s}}
    vantages: {{quorum: 1}}
    checks: [{{name: port, tcp: {{}}}}]
  failover: {{mode: Automatic}}
---
apiVersion: bongsu.io/v1alpha1
kind: SwitchoverDrill
metadata: {{name: monthly, namespace: gpki}}
spec: {{services: {{names: [verify]}}, direction: {{alternate: true}}, hold: 2s}}
"
    )
}

/// A port on which somebody takes every connection until the end of the test.
fn member() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(drop));
    port
}

/// What `bongsu report verify` ends with, and says.
fn verify(key: &Path, files: &[&Path]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
    command.args(["report", "verify", "--public-key"]).arg(key).args(files);
    let out = command.output().unwrap();
    (out.status.code(), String::from_utf8(out.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_signs_the_reports_of_its_drills_and_the_program_verifies_their_chain() {
    let dir = tempfile::tempdir().unwrap();
    let [objects, reports] = ["objects", "reports"].map(|name| dir.path().join(name));
    [&objects, &reports].into_iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let [key, public] = ["key.pem", "public.pem"].map(|name| dir.path().join(name));
    let openssl = |arguments: &[&str]| run(Command::new(program("openssl")).args(arguments), "").unwrap();
    let [key_text, public_text] = [&key, &public].map(|path| path.to_str().unwrap());
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", key_text]);
    openssl(&["pkey", "-in", key_text, "-pubout", "-out", public_text]);
    fs::write(objects.join("all.yaml"), manifests([member(), member()])).unwrap();
    let arguments: [&dyn AsRef<std::ffi::OsStr>; 6] =
        [&"--manifests", &objects, &"--report-dir", &reports, &"--report-key", &key];
    let bongsu = Bongsu::start(dir.path(), "daegu", "daegu", &arguments);
    until("the service could move", SOON, async || {
        let status = bongsu.status().await;
        (status["services"][0]["status"]["nextMove"]["outcome"] == "Ready").then_some(())
    })
    .await;

    let mut files = Vec::new();
    for number in [1, 2] {
        let wish = format!(
            "{{apiVersion: bongsu.io/v1alpha1, kind: DrillRun, metadata: {{name: monthly-{number}, namespace: gpki}}, \
             spec: {{drillName: monthly, reason: the exercise of this month}}}}"
        );
        fs::write(objects.join(format!("{number}.yaml")), wish).unwrap();
        let file = reports.join(format!("gpki_monthly-{number}.json"));
        until("its report is written", SOON, async || file.exists().then_some(())).await;
        files.push(file);
    }
    let (code, said) = verify(&public, &[&files[0], &files[1]]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("; signed by key").count(), 2, "{said}");
    assert!(said.contains("the first of its drill") && said.contains("follows gpki/monthly-1"), "{said}");

    let changed = dir.path().join("changed.json");
    let text = fs::read_to_string(&files[1]).unwrap();
    fs::write(&changed, text.replace("the exercise of this month", "the exercise of last month")).unwrap();
    let (code, said) = verify(&public, &[&changed]);
    assert!(code == Some(1) && said.starts_with("Altered"), "{said}");
    fs::write(&changed, text.replace("\"signature\":", "\"former\":")).unwrap();
    let (code, said) = verify(&public, &[&changed]);
    assert!(code == Some(1), "{said}");
}

//! The command line itself, and the files that are generated with it.

use std::{fs, path::Path, process::Command};

fn bongsu(args: &[&str]) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_bongsu")).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}

#[test]
fn the_version_names_the_commit() {
    let (code, out, _) = bongsu(&["--version"]);
    let commit = out.strip_prefix("bongsu 0.1.0 (").and_then(|rest| rest.strip_suffix(")\n"));
    assert!(commit.is_some_and(|commit| !commit.is_empty()), "{out}");
    assert_eq!(code, 0);
}

#[test]
fn help_teaches_by_example_and_names_the_exit_codes() {
    for args in [&["--help"][..], &["check", "--help"]] {
        let (code, out, _) = bongsu(args);
        assert_eq!(code, 0);
        for part in ["Examples:", "Exit codes:", "bongsu check -f"] {
            assert!(out.contains(part), "{args:?} lacks {part:?}:\n{out}");
        }
        assert!(!out.contains('\u{1b}'), "no colours where nobody sees them");
    }
}

#[test]
fn wrong_arguments_are_exit_code_2() {
    for args in [&[][..], &["chek"], &["check"], &["check", "-f", "x", "-o", "xml"]] {
        let (code, _, err) = bongsu(args);
        assert_eq!(code, 2, "{args:?}");
        assert!(err.contains("--help") || err.contains("Usage:"), "{err}");
    }
}

#[test]
fn what_is_wrong_with_a_ledger_in_etcd_is_said_by_its_argument() {
    let run = |rest: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let usual = [
            "run",
            "--region",
            "daegu",
            "--manifests",
            dir.path().to_str().unwrap(),
            "--http-address=127.0.0.1:0",
        ];
        let (code, _, err) = bongsu(&[&usual, rest].concat());
        assert_eq!(code, 2, "{rest:?}: {err}");
        err
    };
    let etcd = "--ledger=etcd";
    let endpoint = "--ledger-etcd-endpoints=http://127.0.0.1:1";
    for (arguments, words) in [
        (&[etcd][..], "--ledger-etcd-endpoints is missing: give the URL of each member"),
        (&[endpoint], "--ledger-etcd-endpoints goes with --ledger etcd"),
        (&["--ledger-etcd-user=bongsu"], "--ledger-etcd-user goes with --ledger etcd"),
        (&[etcd, endpoint, "--ledger-kubeconfig=x"], "--ledger-kubeconfig goes with --ledger kubernetes"),
        (&[etcd, endpoint, "--ledger-etcd-cert=x"], "--ledger-etcd-cert needs --ledger-etcd-key"),
        (&[etcd, endpoint, "--ledger-etcd-key=x"], "--ledger-etcd-key needs --ledger-etcd-cert"),
        (&[etcd, endpoint, "--ledger-etcd-user=x"], "--ledger-etcd-user needs --ledger-etcd-password-file"),
        (
            &[etcd, endpoint, "--ledger-etcd-password-file=x"],
            "--ledger-etcd-password-file needs --ledger-etcd-user",
        ),
        (
            &[etcd, endpoint, "--ledger-etcd-user=x", "--ledger-etcd-password-file=/nowhere"],
            "--ledger-etcd-password-file /nowhere: No such file",
        ),
        (&[etcd, "--ledger-etcd-endpoints=etcd:2379"], "write https://HOST:PORT"),
        (&[etcd, endpoint, "--ledger-etcd-prefix=bongsu"], "--ledger-etcd-prefix bongsu: give a path"),
    ] {
        let err = run(arguments);
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
}

#[test]
fn what_is_wrong_with_a_gate_is_said_before_it_starts() {
    let service = "--service=gpki/gpki-directory";
    let endpoint = "--ledger-etcd-endpoints=http://127.0.0.1:1";
    for (arguments, words) in [
        (
            &[service, endpoint][..],
            "there is no writer: give --proxy LISTEN=TARGET, or `-- COMMAND`, or both",
        ),
        (&["--service=gpki", endpoint, "--", "true"], "write NAMESPACE/NAME, such as gpki/gpki-directory"),
        (&[service, endpoint, "--proxy=5432"], "write LISTEN=TARGET, such as 0.0.0.0:5432=127.0.0.1:5433"),
        (
            &[service, endpoint, "--lease-ttl=5s", "--", "true"],
            "--lease-ttl 5s is too short: give at least 6.5s",
        ),
        (&[service, "--", "true"], "--ledger-etcd-endpoints is missing: give the URL of each member"),
        (&[service, endpoint, "--proxy=a=b:1", "--watchdog=/dev/null"], "LISTEN=TARGET"),
        (&[service, endpoint, "--proxy=192.0.2.1:1=b:1"], "--proxy: listen on 192.0.2.1:1"),
    ] {
        let (code, _, err) = bongsu(&[&["gate", "--region", "daejeon"], arguments].concat());
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = bongsu(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(out.contains("completions"), "{shell}");
    }
}

#[test]
fn the_generated_files_are_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let (crds, docs) = (dir.path().join("crds"), dir.path().join("reference.md"));
    let (code, _, err) = bongsu(&["crds", "--dir", crds.to_str().unwrap(), "--docs", docs.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""));
    same(&docs, Path::new("docs/reference.md"));
    let names = |dir: &Path| {
        let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<_> = files.collect();
        names.sort();
        names
    };
    for committed in ["crds", "charts/bongsu/files/crds"].map(Path::new) {
        assert_eq!(names(&crds), names(committed), "{}: run make generate", committed.display());
        for name in names(&crds) {
            same(&crds.join(&name), &committed.join(&name));
        }
    }
}

#[track_caller]
fn same(fresh: &Path, committed: &Path) {
    let (fresh, old) =
        (fs::read_to_string(fresh).unwrap(), fs::read_to_string(committed).unwrap_or_default());
    assert!(fresh == old, "{} is not what the types in src/api say: run make generate", committed.display());
}

#[test]
fn printed_definitions_are_the_same_as_the_written_ones() {
    let (_, printed, _) = bongsu(&["crds"]);
    let documents: Vec<_> = printed.split("---\n").collect();
    let regions = fs::read_to_string("crds/regions.yaml").unwrap();
    assert_eq!(documents.len(), fs::read_dir("crds").unwrap().count());
    assert!(
        regions.ends_with(documents[0])
            && regions.starts_with("# Generated by `make generate`. Do not edit.\n")
    );
}

#[test]
fn an_icalendar_file_becomes_a_calendar_or_says_where_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("Holidays.ics");
    let path = file.to_str().unwrap();
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:설날\nDTSTART;VALUE=DATE:20270207\nEND:VEVENT\nEND:VCALENDAR\n";
    fs::write(&file, text).unwrap();
    let (code, out, err) = bongsu(&["calendar", "import", path, "--time-zone", "Asia/Seoul"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let made: serde_json::Value = serde_yaml::from_str(&out).unwrap();
    let expected = serde_json::json!({
        "apiVersion": "bongsu.io/v1alpha1",
        "kind": "Calendar",
        "metadata": {"name": "holidays"},
        "spec": {
            "timeZone": "Asia/Seoul",
            "blocked": [{"name": "설날", "from": "2027-02-07", "to": "2027-02-08"}],
        },
    });
    assert_eq!(made, expected, "{out}");

    fs::write(&file, text.replace("END:VEVENT", "RRULE:FREQ=YEARLY;COUNT=2\nEND:VEVENT")).unwrap();
    let (code, out, err) = bongsu(&["calendar", "import", path, "--time-zone", "Asia/Seoul"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.starts_with(&format!("{path}:5: event \"설날\": RRULE: COUNT=2 cannot be said")), "{err}");

    for (args, words) in [
        (&["calendar", "import", path, "--name", "Bad Name"][..], "--name"),
        (&["calendar", "import", "/nowhere.ics"], "read /nowhere.ics"),
    ] {
        let (code, out, err) = bongsu(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains(words), "{err}");
    }
}

//! `bongsu check` as users run it.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const BAD: &str = "apiVersion: bongsu.io/v1alpha1
kind: Region
metadata:
  name: daejeon
specs: {}
---
kind: Region
---
a: [
";

fn bongsu(dir: &Path, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
    let command = command.args(args).current_dir(dir);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_examples_are_good() {
    for (directory, found) in [("gpki", "12 objects in 9 files"), ("mobile-id", "9 objects in 7 files")] {
        let out = bongsu(Path::new("."), &["check", "-f", &format!("docs/examples/{directory}")], "");
        assert_eq!(text(&out.stdout), format!("{found}: no problems\n"));
        assert_eq!(out.status.code(), Some(0));
        let page = std::fs::read_to_string(format!("docs/examples/{directory}/README.md")).unwrap();
        assert!(page.contains(&format!("{found}: no problems\n")), "{directory}/README.md");
    }
}

#[test]
fn every_problem_has_its_line_and_the_exit_code_is_1() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.yaml"), BAD).unwrap();
    let out = bongsu(dir.path(), &["check", "-f", "bad.yaml"], "");
    let expected = "bad.yaml:5: Region daejeon: specs: unknown field (did you mean spec?)
bad.yaml:7: apiVersion: is required, as text
bad.yaml:10: not readable as YAML: did not find expected node content, while parsing a flow node
3 objects in 1 file: 4 problems
";
    let found = text(&out.stdout);
    let lines: Vec<_> = found.lines().filter(|line| !line.contains("spec: is required")).collect();
    assert_eq!(lines, expected.lines().collect::<Vec<_>>());
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(text(&out.stderr), "");
}

#[test]
fn a_file_that_cannot_be_read_is_exit_code_2_and_the_others_are_still_checked() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.yaml"), BAD).unwrap();
    let out = bongsu(dir.path(), &["check", "-f", "none.yaml", "-f", "bad.yaml"], "");
    assert!(text(&out.stdout).contains("bad.yaml:5"), "{}", text(&out.stdout));
    assert!(text(&out.stderr).starts_with("bongsu: cannot read none.yaml: "), "{}", text(&out.stderr));
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let out = bongsu(Path::new("."), &["check", "-f", "-"], BAD);
    assert!(text(&out.stdout).starts_with("stdin:"), "{}", text(&out.stdout));
    let out = bongsu(Path::new("."), &["check", "-f", "-"], "# nothing\n");
    assert_eq!(
        (text(&out.stdout).as_str(), out.status.code()),
        ("0 objects in 1 file: no problems\n", Some(0))
    );
}

#[test]
fn json_holds_the_same_for_programs() {
    let out = bongsu(Path::new("."), &["check", "-f", "-", "-o", "json"], BAD);
    let value: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((value["files"].as_u64(), value["objects"].as_u64()), (Some(1), Some(3)));
    let first =
        value["findings"].as_array().unwrap().iter().find(|finding| finding["path"] == "specs").unwrap();
    assert_eq!(first["line"], 5);
    assert_eq!(first["object"], "Region daejeon");
    assert_eq!(first["severity"], "error");
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn a_directory_is_read_to_its_leaves_without_hidden_and_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let region = |name: &str| {
        format!("apiVersion: bongsu.io/v1alpha1\nkind: Region\nmetadata: {{name: {name}}}\nspec: {{}}\n")
    };
    for (file, name) in [("a.yaml", "a"), ("deep/er/b.yml", "b"), ("c.json", "c")] {
        let file = dir.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, region(name)).unwrap();
    }
    for left_out in [".a.yaml.swp", ".hidden.yaml", "a.yaml~", "README.md"] {
        std::fs::write(dir.path().join(left_out), "a: [").unwrap();
    }
    std::os::unix::fs::symlink(dir.path(), dir.path().join("deep/round")).unwrap();
    let out = bongsu(dir.path(), &["check", "-f", "."], "");
    assert_eq!(text(&out.stdout), "3 objects in 3 files: no problems\n");
}

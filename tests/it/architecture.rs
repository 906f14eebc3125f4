//! Who may use whom. The table is the architecture.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Module, modules of this crate that it may use, other crates that it may use (`*`: any).
pub const RULES: &[(&str, &[&str], &[&str])] = &[
    ("api", &["api"], &["std", "k8s_openapi", "kube", "schemars", "serde", "thiserror"]),
    ("domain", &["domain", "planted"], &["std", "serde"]),
    ("ports", &["ports", "domain", "api"], &["std", "async_trait", "bytes", "futures", "thiserror", "tokio"]),
    (
        "reconcile",
        &["reconcile", "ports", "domain", "api", "observability", "planted", "report", "timetable"],
        &[
            "std",
            "async_trait",
            "backoff",
            "base64",
            "bytes",
            "futures",
            "k8s_openapi",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
            "url",
        ],
    ),
    ("adapters", &["adapters", "ports", "domain", "api", "observability"], &["*"]),
    ("gate", &["gate", "ports", "domain", "planted"], &["*"]),
    ("observability", &["observability", "domain"], &["*"]),
    (
        "report",
        &["report"],
        &["std", "base64", "jiff", "ring", "schemars", "serde", "serde_json", "thiserror"],
    ),
    (
        "sim",
        &[
            "sim",
            "reconcile",
            "adapters",
            "gate",
            "ports",
            "domain",
            "api",
            "observability",
            "planted",
            "timetable",
        ],
        &["*"],
    ),
    ("planted", &["planted"], &["std"]),
    ("timetable", &["timetable", "api"], &["std", "croner", "jiff"]),
    ("cli", &["*"], &["*"]),
];

#[test]
fn every_module_keeps_to_its_layer() {
    let broken: Vec<String> = rust_files(Path::new("src")).iter().flat_map(|file| violations(file)).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn violations(file: &Path) -> Vec<String> {
    let first = file.strip_prefix("src").unwrap().components().next().unwrap();
    let module = first.as_os_str().to_string_lossy().replace(".rs", "");
    let Some((_, inner, outer)) = RULES.iter().find(|(name, ..)| *name == module) else {
        return Vec::new();
    };
    let text = fs::read_to_string(file).unwrap();
    let used = uses(&text);
    // `mod health; pub use health::Verdict;` uses the module's own child.
    // `use ConditionType::Ready;` takes apart an enum that the file has brought in already.
    let own_child = |name: &str| {
        let declared = |line: &str| line.trim_start_matches("pub ") == format!("mod {name};");
        name.starts_with(char::is_uppercase) || text.lines().any(declared)
    };
    let bad =
        used.iter().filter(|(_, inside, name)| *inside || !own_child(name)).filter(|(_, inside, name)| {
            let allowed = if *inside { *inner } else { *outer };
            !allowed.contains(&"*") && !allowed.contains(&name.as_str())
        });
    bad.map(|(line, _, name)| format!("{}:{line}: {module} must not use {name}", file.display())).collect()
}

/// Line, whether it is this crate, and the module or crate that is used, for every `use` before the tests. A `use
/// crate::{…}` over several lines is read to its end.
fn uses(text: &str) -> Vec<(usize, bool, String)> {
    let production = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in production.lines().enumerate() {
        let trimmed = line.trim();
        let (start, mut statement) = match open.take() {
            Some(begun) => begun,
            None => match trimmed.trim_start_matches("pub ").strip_prefix("use ") {
                Some(_) => (index + 1, String::new()),
                None => continue,
            },
        };
        statement.push_str(trimmed);
        if statement.ends_with(';') {
            found.extend(roots(&statement).into_iter().map(|(inside, name)| (start, inside, name)));
        } else {
            open = Some((start, statement));
        }
    }
    found
}

/// `use crate::{a::X, b::Y};` uses the modules `a` and `b`; `use serde::Serialize;` uses the crate `serde`.
fn roots(statement: &str) -> Vec<(bool, String)> {
    let path = statement.trim_start_matches("pub ").trim_start_matches("use ").trim_end_matches(';');
    let word =
        |text: &str| text.trim().split([':', ' ', ',', '{', '}']).next().unwrap_or_default().to_owned();
    match path.strip_prefix("crate::") {
        Some(rest) => match rest.strip_prefix('{') {
            Some(list) => top_level(list)
                .iter()
                .map(|item| (true, word(item)))
                .filter(|(_, name)| !name.is_empty())
                .collect(),
            None => vec![(true, word(rest))],
        },
        None => match path.strip_prefix('{') {
            Some(list) => top_level(list)
                .iter()
                .map(|item| (false, word(item)))
                .filter(|(_, name)| !name.is_empty())
                .collect(),
            None if path.starts_with("super") || path.starts_with("self") => Vec::new(),
            None => vec![(false, word(path))],
        },
    }
}

/// Splits at the commas that are not inside braces.
fn top_level(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        // Tests of a module stand in files of their own and may use what they like.
        .filter(|path| path.extension().is_some_and(|ext| ext == "rs") && !path.iter().any(is_test))
        .collect()
}

fn is_test(part: &std::ffi::OsStr) -> bool {
    let part = part.to_string_lossy();
    part == "tests" || part.ends_with("tests.rs")
}

#[test]
fn a_planted_use_is_found() {
    let text = "use std::fmt;\nuse crate::{\n    api::Region,\n    domain::{Epoch, Tick},\n};\npub use kube::Client;\n";
    let found: Vec<_> =
        uses(text).into_iter().map(|(line, inside, name)| format!("{line} {inside} {name}")).collect();
    assert_eq!(found, ["1 false std", "2 true api", "2 true domain", "6 false kube"]);
}

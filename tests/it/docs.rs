//! The pages that people read: every link leads somewhere, and every name in them exists in the code.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bongsu::{
    domain::Rule,
    observability::{GateMetrics, Metrics},
};

/// Pages that are made from the code are compared with it elsewhere.
const GENERATED: [&str; 3] = ["docs/reference.md", "docs/metrics.md", "docs/kubectl-reference.md"];

#[test]
fn every_relative_link_leads_to_a_page_and_a_heading() {
    let broken: Vec<String> = hand_written().iter().flat_map(|page| broken_links(page)).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_capitalised_name_in_a_page_exists_in_the_code() {
    let known = words_of_the_product();
    let missing = |page: &PathBuf| {
        let names = quoted(&read(page)).into_iter().filter(|word| is_name(word) && !known.contains(word));
        names.map(|name| format!("{}: `{name}`", page.display())).collect::<Vec<_>>()
    };
    let unknown: Vec<String> = hand_written().iter().flat_map(missing).collect();
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
}

#[test]
fn every_metric_in_a_page_exists() {
    let all = Metrics::descriptions().iter().chain(GateMetrics::descriptions());
    let known: Vec<&str> = all.map(|metric| metric.name).collect();
    for page in hand_written() {
        let text = read(&page);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let unknown: Vec<&str> =
            words.filter(|word| word.starts_with("bongsu_") && !known.contains(word)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", page.display());
    }
}

#[test]
fn every_path_in_a_page_exists() {
    let roots = ["src/", "tests/", "docs/", "hack/", "charts/", "crds/"];
    for page in hand_written() {
        let paths = quoted(&read(&page)).into_iter().filter(|text| roots.iter().any(|r| text.starts_with(r)));
        let missing: Vec<String> =
            paths.filter(|path| !path.contains(' ') && !Path::new(path).exists()).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", page.display());
    }
}

#[test]
fn every_make_target_in_a_page_exists() {
    let makefile = read(Path::new("Makefile"));
    for page in hand_written() {
        let text = read(&page);
        let targets = text.split(['`', '\n']).filter_map(|part| part.trim().strip_prefix("make "));
        let names = targets.filter_map(|target| target.split_whitespace().next());
        let missing: Vec<&str> = names.filter(|name| !makefile.contains(&format!("\n{name}:"))).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", page.display());
    }
}

#[test]
fn the_concepts_page_has_every_rule_in_the_fixed_order() {
    let page = read(Path::new("docs/concepts.md"));
    let table = page.split("\n## ").find(|section| section.starts_with("Rules")).unwrap();
    let rows: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(rows, Rule::ALL.map(Rule::as_str));
}

#[test]
fn the_architecture_page_has_the_table_of_who_may_use_whom() {
    let page = read(Path::new("ARCHITECTURE.md"));
    for (module, ours, _) in super::architecture::RULES {
        let begin = format!("| `{module}` | ");
        let row =
            page.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or_else(|| panic!("{module}"));
        let said = quoted(row.split(" | ").next().unwrap());
        let expected: Vec<&str> = ours.iter().copied().filter(|name| *name != "*").collect();
        assert_eq!(said, expected, "{module}");
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pages() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = files(Path::new("docs"));
    found.extend(fs::read_dir(".").unwrap().map(|entry| PathBuf::from(entry.unwrap().file_name())));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found
}

fn hand_written() -> Vec<PathBuf> {
    pages().into_iter().filter(|page| !GENERATED.iter().any(|path| page == Path::new(path))).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What stands in a line between backticks, outside of fenced blocks.
fn quoted(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fenced && !fence {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// A condition, rule, reason, phase, step, trigger, kind or type: one word that begins with a capital letter.
fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.len() > 2
        && word.chars().all(|c| c.is_ascii_alphanumeric())
        && word.chars().any(|c| c.is_ascii_lowercase())
}

fn words_of_the_product() -> BTreeSet<String> {
    let sources = files(Path::new("src")).into_iter().chain(files(Path::new("charts")));
    let texts = sources.map(|path| read(&path));
    texts
        .flat_map(|text| {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned);
            words.collect::<Vec<_>>()
        })
        .collect()
}

fn broken_links(page: &Path) -> Vec<String> {
    let text = read(page);
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let local = links.filter(|link| !link.contains("://") && !link.contains(' '));
    local
        .filter(|link| !leads_somewhere(page, link))
        .map(|link| format!("{}: {link}", page.display()))
        .collect()
}

fn leads_somewhere(page: &Path, link: &str) -> bool {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = match path {
        "" => page.to_owned(),
        path => page.parent().unwrap().join(path),
    };
    match anchor {
        None => target.exists(),
        Some(anchor) => target.is_file() && headings(&read(&target)).contains(anchor),
    }
}

/// Anchors as GitHub makes them.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn a_broken_link_and_an_unknown_name_are_found() {
    assert!(!leads_somewhere(Path::new("README.md"), "docs/nowhere.md"));
    assert!(!leads_somewhere(Path::new("README.md"), "docs/operations.md#nowhere"));
    assert!(leads_somewhere(Path::new("docs/concepts.md"), "../README.md#status"));
    assert!(is_name("FailoverReady") && !is_name("NOTAUTH") && !is_name("spec.to"));
    assert_eq!(quoted("a `b` c `D`\n```\n`e`\n```\n`F`"), ["b", "D", "F"]);
}

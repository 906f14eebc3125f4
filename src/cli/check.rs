//! `bongsu check`: finds the mistakes that a cluster would refuse, and those that no cluster sees.

mod dependencies;
mod grades;
mod names;
mod references;
mod set;
mod values;

use std::{fmt::Write, path::PathBuf};

use clap::ValueEnum;
use serde_json::json;

use crate::adapters::manifests::{
    Admission, Content, Finding, Source, SourceError, read, read_path, read_stdin,
};

use super::{Outcome, print};
use set::Set;

const EXAMPLES: &str = "\
Examples:
  bongsu check -f manifests/                    a directory, with those inside it
  bongsu check -f regions.yaml -f gpki.yaml     several files, judged together
  helm template ./chart | bongsu check -f -     standard input
  bongsu check -f manifests/ -o json            for other programs

What is found:
  everything that the API server refuses (unknown fields, types, limits, rules), and what it cannot see:
  regions and services that do not exist, services that claim the same DNS name or wait for each other,
  limits of the GradePolicy, expressions, addresses.

Exit codes:
  0  no problems (notes do not count)
  1  problems were found
  2  a file cannot be read";

/// Arguments of `bongsu check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// File or directory with manifests, or - for standard input; can be given more than once
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// One line a problem, and a summary
    Text,
    /// One object with all problems
    Json,
}

/// Checks over all files together. What a running Bongsu would refuse is refused here by the same code.
const CHECKS: &[fn(&Set<'_>) -> Vec<Finding>] =
    &[values::check, references::check, names::check, dependencies::check, grades::check];

/// What was found.
#[derive(Debug)]
struct Report {
    objects: usize,
    files: usize,
    findings: Vec<Finding>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let (sources, unreadable) = sources(&args.files);
    let report = check(&Admission::new()?, &sources);
    match args.output {
        Output::Text => print(&as_text(&report)?)?,
        Output::Json => print(&as_json(&report, &unreadable)?)?,
    }
    for error in &unreadable {
        eprintln!("bongsu: cannot read {error}");
    }
    Ok(match (unreadable.is_empty(), problems(&report.findings)) {
        (false, _) => Outcome::Failed,
        (true, 0) => Outcome::Good,
        (true, _) => Outcome::Findings,
    })
}

fn sources(files: &[PathBuf]) -> (Vec<Source>, Vec<SourceError>) {
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for file in files {
        let (read, failed) = match file.as_os_str() == "-" {
            true => read_stdin().map_or_else(|error| (vec![], vec![error]), |source| (vec![source], vec![])),
            false => read_path(file),
        };
        sources.extend(read);
        errors.extend(failed);
    }
    (sources, errors)
}

fn check(admission: &Admission, sources: &[Source]) -> Report {
    let contents: Vec<Content> = sources.iter().map(|source| read(admission, source)).collect();
    let (set, mut across) = Set::new(&contents);
    across.extend(CHECKS.iter().flat_map(|check| check(&set)));
    let mut findings = Vec::new();
    for (source, content) in sources.iter().zip(&contents) {
        let mut of_file: Vec<_> = content.findings.clone();
        let (here, rest) = across.into_iter().partition(|finding: &Finding| finding.file == source.name);
        across = rest;
        of_file.extend::<Vec<_>>(here);
        of_file.sort_by_key(|finding| (finding.line, finding.column));
        findings.extend(of_file);
    }
    let objects = contents.iter().map(|content| content.entries.len() + content.refused).sum();
    Report { objects, files: sources.len(), findings }
}

fn problems(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.is_error()).count()
}

fn as_text(report: &Report) -> anyhow::Result<String> {
    let Report { objects, files, findings } = report;
    let mut text = String::new();
    for finding in findings {
        writeln!(text, "{finding}")?;
    }
    let problems = match problems(findings) {
        0 => "no problems".to_owned(),
        count => counted(count, "problem"),
    };
    writeln!(text, "{} in {}: {problems}", counted(*objects, "object"), counted(*files, "file"))?;
    Ok(text)
}

fn as_json(report: &Report, unreadable: &[SourceError]) -> anyhow::Result<String> {
    let Report { objects, files, findings } = report;
    let unreadable: Vec<_> = unreadable.iter().map(ToString::to_string).collect();
    let value = json!({
        "objects": objects,
        "files": files,
        "problems": problems(findings),
        "findings": findings,
        "unreadable": unreadable,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

fn counted(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

#[cfg(test)]
mod tests;

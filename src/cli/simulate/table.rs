//! The table for people.

use std::fmt::Write;

use super::{Done, seconds};
use crate::sim::scenario::{Check, Rto};

/// One line for each scenario, what is not yet checked, and the numbers.
pub(super) fn text(all: &[Done]) -> Result<String, std::fmt::Error> {
    let mut rows = vec![["scenario", "result", "RTO", "first difference"].map(str::to_owned)];
    rows.extend(all.iter().map(row));
    let widths: Vec<usize> =
        (0..3).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for [name, result, rto, difference] in &rows {
        let line = format!("{name:0$}  {result:1$}  {rto:2$}  {difference}", widths[0], widths[1], widths[2]);
        writeln!(text, "{}", line.trim_end())?;
    }
    later(&mut text, all)?;
    let passed = all.iter().filter(|done| done.passed()).count();
    let later: usize = all.iter().map(Done::not_yet_checked).sum();
    writeln!(
        text,
        "\n{} scenarios: {passed} passed, {} failed; {later} expectations not yet checked",
        all.len(),
        all.len() - passed
    )?;
    Ok(text)
}

fn row(done: &Done) -> [String; 4] {
    match done {
        Done::Broken(file, findings) => {
            let first = findings.first().map_or_else(String::new, ToString::to_string);
            [file.clone(), "broken".to_owned(), String::new(), first]
        }
        Done::Played(_, played) => {
            let result = if played.passed() { "passed" } else { "FAILED" };
            let rto = played.rto.as_ref().map_or_else(|| "-".to_owned(), told);
            let difference =
                played.difference().map_or_else(String::new, |check| differs(&played.file, check));
            [played.name.clone(), result.to_owned(), rto, difference]
        }
    }
}

fn told(rto: &Rto) -> String {
    let target = crate::api::Duration(rto.target);
    match rto.measured {
        Some(time) if time <= rto.target => format!("{} <= {target}", seconds(time)),
        Some(time) => format!("{} > {target}", seconds(time)),
        None => format!("never, target {target}"),
    }
}

/// Where, what was expected, and what was seen.
pub(super) fn differs(file: &str, check: &Check) -> String {
    let line = check.line.map_or_else(String::new, |line| format!("{file}:{line}: "));
    format!("{line}{}: {}", check.expected, check.difference.as_deref().unwrap_or("held"))
}

fn later(text: &mut String, all: &[Done]) -> std::fmt::Result {
    if all.iter().map(Done::not_yet_checked).sum::<usize>() == 0 {
        return Ok(());
    }
    writeln!(text, "\nnot yet checked:")?;
    for done in all {
        let Done::Played(_, played) = done else { continue };
        for later in &played.later {
            writeln!(text, "  {}: {} (comes with {})", played.name, later.what, later.comes_with)?;
        }
    }
    Ok(())
}

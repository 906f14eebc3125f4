//! The story of a scenario, for people: what was done to the world, what it led to, and what was expected.

mod abridge;

use std::fmt::Write;

use abridge::Abridge;

use super::{read::Scenario, stage::Played};

/// Tells it. The same scenario and seed give the same text to the byte.
#[must_use]
pub fn transcript(scenario: &Scenario, played: &Played) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = tell(&mut text, scenario, played);
    text
}

fn tell(text: &mut String, scenario: &Scenario, played: &Played) -> std::fmt::Result {
    writeln!(text, "# {}, seed {}", played.name, played.seed)?;
    for line in scenario.about.lines() {
        writeln!(text, "# {line}")?;
    }
    for line in &scenario.sources {
        writeln!(text, "# source: {line}")?;
    }
    let (mut command, mut abridge) = (false, Abridge::default());
    for (at, line) in &played.story {
        let Some(line) = abridge.line(*at, line) else { continue };
        let begins = line.starts_with("fault: ") || line.starts_with("ends: ");
        match (command, begins) {
            (false, true) => writeln!(text)?,
            (true, false) => writeln!(text, "----")?,
            _ => {}
        }
        command = begins;
        writeln!(text, "{at} {line}")?;
    }
    writeln!(text, "\nexpected\n----")?;
    for check in &played.checks {
        match &check.difference {
            None => writeln!(text, "held: {}", check.expected)?,
            Some(difference) => writeln!(text, "NOT HELD: {}: {difference}", check.expected)?,
        }
    }
    for later in &played.later {
        writeln!(text, "not yet checked: {} (comes with {})", later.what, later.comes_with)?;
    }
    Ok(())
}

//! What a preventive inspection found: for programs as JSON, for people as text and as a page to print.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{
    Lang,
    words::{codes, inspection::Says, remedy},
};

/// One inspection.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// When (RFC 3339).
    pub at: String,
    /// The program that looked.
    pub tool: String,
    /// The clusters that it looked at.
    pub clusters: Vec<String>,
    /// How much of each was found.
    pub counts: Counts,
    /// Everything that was looked at, the worst first, and what was not.
    pub lines: Vec<Line>,
}

/// How much of each was found.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Questions to which there was nothing to say.
    pub ok: u32,
    /// A switch would work, with a person or with less certainty.
    pub warnings: u32,
    /// A switch would not work, or not as promised.
    pub problems: u32,
    /// Nobody knows.
    pub unknown: u32,
    /// Nobody has looked.
    pub not_inspected: u32,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The cluster in which it was seen.
    pub cluster: String,
    /// What it is about, such as a service with a direction.
    pub subject: String,
    /// What was asked.
    pub check: String,
    /// What was found.
    pub outcome: Found,
    /// Why.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Questions that it stands for.
    pub questions: u32,
}

/// What was found, the worst first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Found {
    /// A switch would not work, or not as promised.
    Problem,
    /// Nobody knows.
    Unknown,
    /// It would work, with a person or with less certainty.
    Warning,
    /// Nothing to say.
    Ok,
    /// Nobody has looked: neither well nor not.
    NotInspected,
}

impl Line {
    /// One question.
    #[must_use]
    pub fn new(
        cluster: &str,
        subject: &str,
        check: &str,
        outcome: Found,
        message: impl Into<String>,
    ) -> Self {
        Self {
            cluster: cluster.to_owned(),
            subject: subject.to_owned(),
            check: check.to_owned(),
            outcome,
            message: message.into(),
            remedy: None,
            questions: 1,
        }
    }
}

impl Inspection {
    /// Puts the worst first, counts, and adds what to do in a language.
    #[must_use]
    pub fn new(at: String, tool: String, clusters: Vec<String>, mut lines: Vec<Line>, lang: Lang) -> Self {
        // A stable sort: within an outcome the order is that in which it was asked.
        lines.sort_by_key(|line| line.outcome);
        for line in &mut lines {
            let asks = !matches!(line.outcome, Found::Ok | Found::NotInspected);
            line.remedy = remedy(&line.check, lang).filter(|_| asks).map(str::to_owned);
        }
        let counted = |outcome| lines.iter().filter(|l| l.outcome == outcome).map(|l| l.questions).sum();
        let counts = Counts {
            ok: counted(Found::Ok),
            warnings: counted(Found::Warning),
            problems: counted(Found::Problem),
            unknown: counted(Found::Unknown),
            not_inspected: counted(Found::NotInspected),
        };
        Self { at, tool, clusters, counts, lines }
    }

    /// The worst that was found.
    #[must_use]
    pub fn worst(&self) -> Found {
        self.lines.first().map_or(Found::NotInspected, |line| line.outcome)
    }

    /// For a terminal.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let says = Says::of(lang);
        let mut text = String::new();
        for line in &self.lines {
            let (found, check) = ((says.found)(line.outcome), codes::check(&line.check, lang));
            let Line { cluster, subject, message, .. } = line;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{found}: {cluster}: {subject}: {check}: {message}");
            if let Some(remedy) = &line.remedy {
                let _ = writeln!(text, "    {}: {remedy}", says.to_do);
            }
        }
        let _ = writeln!(text, "{}", (says.counts)(&self.counts));
        text
    }
}

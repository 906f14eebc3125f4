//! What the forms for people show, in order, without any markup: Markdown and HTML say the same because both print this.

mod pictures;
mod sections;
mod services;

use super::{
    Lang, Outcome, Sealed,
    human::Human,
    words::{Says, Words, codes},
};

pub(super) use pictures::{Samples, Segment, Shade, Times};

/// A report, ready to be printed.
pub(super) struct Document {
    pub(super) words: &'static Words,
    pub(super) number: String,
    pub(super) drill: String,
    pub(super) times_in: String,
    pub(super) verdict: Banner,
    pub(super) sections: Vec<Section>,
}

/// The verdict, at the top.
pub(super) struct Banner {
    pub(super) outcome: &'static str,
    pub(super) meaning: &'static str,
    pub(super) rule: String,
    /// What the rule says; empty: this version does not know it.
    pub(super) says: &'static str,
    pub(super) message: String,
    pub(super) tone: Tone,
}

pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) blocks: Vec<Block>,
}

pub(super) enum Block {
    /// A heading within a section.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Names with their values.
    Facts(Vec<(&'static str, Cell)>),
    Table(Table),
    /// A picture of times against their target. What it shows stands in a table, too.
    Times(Times),
    /// A chart of samples.
    Samples(Samples),
}

pub(super) struct Table {
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
}

pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
    /// It is a moment, which reads badly on two lines.
    pub(super) whole: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain, whole: false }
    }
}

impl Cell {
    fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone, whole: false }
    }

    fn whole(text: impl Into<String>) -> Self {
        Self { whole: true, ..Self::from(text) }
    }
}

/// A sealed report as a document in one language.
pub(super) fn document(sealed: &Sealed, lang: Lang) -> Document {
    let words = Words::of(lang);
    let report = &sealed.report;
    let human = Human::new(&report.identity.time_zone, words);
    let verdict = &report.verdict;
    Document {
        words,
        number: report.identity.number.clone(),
        drill: report.identity.drill.clone(),
        times_in: format!("{} {}", words.says.times_in, report.identity.time_zone),
        verdict: Banner {
            outcome: (words.outcome)(verdict.outcome),
            meaning: (words.meaning)(verdict.outcome),
            rule: verdict.rule.clone(),
            says: codes::rule(&verdict.rule, lang).unwrap_or_default(),
            message: verdict.message.clone(),
            tone: tone(verdict.outcome),
        },
        sections: Writer { sealed, words, human }.sections(),
    }
}

const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Passed => Tone::Good,
        Outcome::PassedWithFindings | Outcome::NotStarted => Tone::Warn,
        Outcome::Failed | Outcome::Aborted => Tone::Bad,
    }
}

/// Writes the sections; each is a method in `sections` or `services`.
struct Writer<'a> {
    sealed: &'a Sealed,
    words: &'static Words,
    human: Human,
}

impl Writer<'_> {
    const fn says(&self) -> &'static Says {
        &self.words.says
    }

    /// A table, or the word for nothing.
    fn table(&self, columns: &[&'static str], rows: Vec<Vec<Cell>>) -> Block {
        match rows.is_empty() {
            true => Block::Text(self.says().none.to_owned()),
            false => Block::Table(Table { columns: columns.to_vec(), rows }),
        }
    }

    fn moment_or(&self, at: Option<i64>, otherwise: &str) -> String {
        at.map_or_else(|| otherwise.to_owned(), |at| self.human.moment(at))
    }

    fn length_or_none(&self, millis: Option<i64>) -> String {
        millis.map_or_else(|| "–".to_owned(), |millis| self.human.length(millis))
    }

    fn service_or_all(&self, service: Option<&String>) -> String {
        service.map_or(self.says().all_services, String::as_str).to_owned()
    }
}

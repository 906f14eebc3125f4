//! The page of an inspection.

use super::{class, escaped, page, section};
use crate::report::{
    Lang,
    document::{Block, Cell, Section, Table, Tone},
    inspection::{Found, Inspection, Line},
    words::{Words, codes, inspection::Says},
};

pub(in crate::report) fn render(inspection: &Inspection, lang: Lang) -> String {
    let (words, says) = (Words::of(lang), Says::of(lang));
    let worst = inspection.worst();
    let header = format!(
        "<h1>{title}</h1>\n<p class=\"drill\">{clusters}: {names}</p>\n<div class=\"verdict {tone}\">\n\
         <p class=\"outcome\">{counts}</p>\n<p>{meaning}</p>\n</div>\n<p class=\"zone\">{tool}</p>\n",
        title = says.title,
        clusters = says.clusters,
        names = escaped(&inspection.clusters.join(", ")),
        tone = class(tone(worst)),
        counts = (says.counts)(&inspection.counts),
        meaning = (says.meaning)(worst),
        tool = escaped(&inspection.tool),
    );
    let of = |title, wanted: &dyn Fn(Found) -> bool| {
        let lines = inspection.lines.iter().filter(|line| wanted(line.outcome));
        Section { title, blocks: vec![table(lines, says, lang)] }
    };
    let sections = [
        of(says.findings, &|found| found < Found::Ok),
        of(says.not_inspected, &|found| found == Found::NotInspected),
        of(says.good, &|found| found == Found::Ok),
    ];
    let sections = sections.iter().enumerate().map(|(index, one)| section(index + 1, one, words));
    page(words.code, says.title, &inspection.at, &header, &sections.collect::<String>())
}

fn table<'a>(lines: impl Iterator<Item = &'a Line>, says: &Says, lang: Lang) -> Block {
    let row = |line: &Line| {
        let found =
            Cell { text: (says.found)(line.outcome).to_owned(), tone: tone(line.outcome), whole: true };
        vec![
            line.cluster.as_str().into(),
            line.subject.as_str().into(),
            codes::check(&line.check, lang).into(),
            found,
            line.message.as_str().into(),
            line.remedy.as_deref().unwrap_or("–").into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = lines.map(row).collect();
    match rows.is_empty() {
        true => Block::Text(says.nothing.to_owned()),
        false => Block::Table(Table { columns: says.columns.to_vec(), rows }),
    }
}

const fn tone(found: Found) -> Tone {
    match found {
        Found::Problem => Tone::Bad,
        Found::Unknown | Found::Warning => Tone::Warn,
        Found::Ok => Tone::Good,
        Found::NotInspected => Tone::Plain,
    }
}

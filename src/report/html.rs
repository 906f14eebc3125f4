//! A document as one page of HTML: no scripts, nothing fetched, made to be printed on A4. It is well-formed XML, too, so that
//! a test can read all of it.

mod charts;
pub(super) mod inspection;

use super::{
    Lang,
    document::{Banner, Block, Cell, Document, Section, Table, Tone},
    text::plain,
    words::Words,
};

const STYLE: &str = include_str!("html/style.css");

pub(super) fn render(document: &Document, lang: Lang) -> String {
    let words = Words::of(lang);
    let sections = document.sections.iter().enumerate().map(|(index, one)| section(index + 1, one, words));
    let header = format!(
        "<h1>{title}</h1>\n<p class=\"drill\">{drill}</p>\n{verdict}<p class=\"zone\">{times_in}</p>\n",
        title = words.title,
        drill = escaped(&document.drill),
        verdict = banner(&document.verdict, words.labels.rule),
        times_in = escaped(&document.times_in),
    );
    page(words.code, words.title, &document.number, &header, &sections.collect::<String>())
}

/// All of a page; `header` and `sections` are markup, the others are text.
fn page(code: &str, title: &str, number: &str, header: &str, sections: &str) -> String {
    let number = escaped(number);
    format!(
        "<!DOCTYPE html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title}: {number}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"number\">{number}</p>\n{header}</header>\n{sections}</main>\n</body>\n</html>\n",
    )
}

fn banner(verdict: &Banner, rule: &str) -> String {
    format!(
        "<div class=\"verdict {}\">\n<p class=\"outcome\">{}</p>\n<p>{}</p>\n\
         <p class=\"rule\"><span>{rule}</span> <b>{}</b> {}</p>\n<p class=\"saw\">{}</p>\n</div>\n",
        class(verdict.tone),
        verdict.outcome,
        verdict.meaning,
        escaped(&verdict.rule),
        verdict.says,
        escaped(&verdict.message),
    )
}

fn section(number: usize, section: &Section, words: &Words) -> String {
    let blocks: String = section.blocks.iter().map(|one| block(one, words)).collect();
    format!("<section>\n<h2><span>{number}</span> {}</h2>\n{blocks}</section>\n", section.title)
}

fn block(block: &Block, words: &Words) -> String {
    match block {
        Block::Heading(text) => format!("<h3>{}</h3>\n", escaped(text)),
        Block::Text(text) => format!("<p>{}</p>\n", escaped(text)),
        Block::Facts(facts) => self::facts(facts),
        Block::Table(table) => self::table(table),
        Block::Times(times) => charts::times(times, words),
        Block::Samples(samples) => charts::samples(samples, words),
    }
}

fn facts(facts: &[(&str, Cell)]) -> String {
    let one = |(label, cell): &(&str, Cell)| format!("<dt>{label}</dt><dd>{}</dd>\n", shown(cell));
    format!("<dl>\n{}</dl>\n", facts.iter().map(one).collect::<String>())
}

fn table(table: &Table) -> String {
    let head: String = table.columns.iter().map(|name| format!("<th>{name}</th>")).collect();
    let row = |cells: &Vec<Cell>| {
        let cells: String = cells.iter().map(table_cell).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = table.rows.iter().map(row).collect();
    format!("<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}

fn table_cell(cell: &Cell) -> String {
    let class = if cell.whole { " class=\"whole\"" } else { "" };
    format!("<td{class}>{}</td>", shown(cell))
}

fn shown(cell: &Cell) -> String {
    let text = escaped(&cell.text);
    match cell.tone {
        Tone::Plain => text,
        tone => format!("<span class=\"{}\">{text}</span>", class(tone)),
    }
}

const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
    }
}

/// Text that is only text, between tags as well as inside an attribute with quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in plain(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}

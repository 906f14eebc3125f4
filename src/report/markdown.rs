//! A document as Markdown.

use super::{
    document::{Banner, Block, Cell, Document, Table},
    text::plain,
};

pub(super) fn render(document: &Document) -> String {
    let words = document.words;
    let mut out = vec![
        format!("# {}: {}", words.title, escaped(&document.number)),
        banner(&document.verdict, words.labels.rule),
        escaped(&document.times_in),
    ];
    for (index, section) in document.sections.iter().enumerate() {
        out.push(format!("## {}. {}", index + 1, section.title));
        out.extend(section.blocks.iter().filter_map(block));
    }
    out.join("\n\n") + "\n"
}

fn banner(verdict: &Banner, rule: &str) -> String {
    let Banner { outcome, meaning, says, .. } = verdict;
    let (name, message) = (escaped(&verdict.rule), escaped(&verdict.message));
    let name = [&*format!("**{name}**"), says].join(" ");
    format!("> **{outcome}** – {meaning}\n>\n> {rule}: {}\n>\n> {message}", name.trim_end())
}

/// Pictures are left out: their numbers stand in the tables.
fn block(block: &Block) -> Option<String> {
    match block {
        Block::Heading(text) => Some(format!("### {}", escaped(text))),
        Block::Text(text) => Some(escaped(text)),
        Block::Facts(facts) => Some(self::facts(facts)),
        Block::Table(table) => Some(self::table(table)),
        Block::Times(_) | Block::Samples(_) => None,
    }
}

fn facts(facts: &[(&str, Cell)]) -> String {
    let one = |(label, cell): &(&str, Cell)| format!("- {label}: {}", escaped(&cell.text));
    facts.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn table(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let head = line(table.columns.iter().map(|name| (*name).to_owned()).collect());
    let rule = line(table.columns.iter().map(|_| "---".to_owned()).collect());
    let rows = table.rows.iter().map(|row| line(row.iter().map(|cell| escaped(&cell.text)).collect()));
    [head, rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

/// Text that is only text: no markup, no HTML, no cell of its own, no link that appears by itself. It never stands at the
/// beginning of a line but after one of ours, so marks that only count there need no care.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in plain(text).chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '@' | '#') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.replace("://", "\\://").replace("www.", "www\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_stays_text() {
        for (hostile, shown) in [
            ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
            ("a | b\n| c", r"a \| b \| c"),
            ("[x](javascript:1) ![y](z)", r"\[x\](javascript:1) !\[y\](z)"),
            ("**bold** `code` _em_ ~~no~~", r"\*\*bold\*\* \`code\` \_em\_ \~\~no\~\~"),
            ("https://evil.example www.evil.example", r"https\://evil.example www\.evil.example"),
            ("&lt; \\", r"\&lt; \\"),
        ] {
            assert_eq!(escaped(hostile), shown);
        }
    }
}

//! The lines of an iCalendar file: `NAME;PARAMETER=value:value`, folded over several lines of the file.

use super::Trouble;

/// A line of content.
#[derive(Debug)]
pub(super) struct Line {
    /// Where it begins in the file, counted from 1.
    pub(super) number: usize,
    /// In capitals.
    pub(super) name: String,
    /// Names in capitals, values without quotes.
    pub(super) parameters: Vec<(String, String)>,
    /// As it stands there. That of `BEGIN` and `END` in capitals.
    pub(super) value: String,
}

impl Line {
    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// # Errors
/// Each line that is none.
pub(super) fn read(text: &str) -> Result<Vec<Line>, Vec<Trouble>> {
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for (number, content) in unfolded(text.trim_start_matches('\u{feff}')) {
        match line(number, &content) {
            Some(line) => lines.push(line),
            None => wrong.push(Trouble::at(
                number,
                format!("{:?} is no line of iCalendar, such as SUMMARY:election", shortened(&content)),
            )),
        }
    }
    // A file of another kind is wrong in each line.
    wrong.truncate(5);
    if wrong.is_empty() { Ok(lines) } else { Err(wrong) }
}

/// Lines put together with those that go on with them, which begin with a blank.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, begun))) => begun.push_str(rest),
            _ => lines.push((index + 1, line.to_owned())),
        }
    }
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
}

fn line(number: usize, content: &str) -> Option<Line> {
    let (head, value) = split_unquoted(content, ':')?;
    let mut parts = all_unquoted(head, ';').into_iter();
    let name = parts.next()?.to_ascii_uppercase();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let parameter = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.to_ascii_uppercase(), value.trim_matches('"').to_owned()))
    };
    let parameters = parts.map(parameter).collect::<Option<Vec<_>>>()?;
    let value = match name.as_str() {
        "BEGIN" | "END" => value.trim().to_ascii_uppercase(),
        _ => value.to_owned(),
    };
    Some(Line { number, name, parameters, value })
}

/// Before and after the first `mark` that is not in quotes.
fn split_unquoted(text: &str, mark: char) -> Option<(&str, &str)> {
    let mut quoted = false;
    let place = text.find(|letter| {
        quoted ^= letter == '"';
        letter == mark && !quoted
    })?;
    Some((text.get(..place)?, text.get(place + mark.len_utf8()..)?))
}

fn all_unquoted(mut text: &str, mark: char) -> Vec<&str> {
    let mut parts = Vec::new();
    while let Some((part, rest)) = split_unquoted(text, mark) {
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

/// At most as much of a text as fits into a message.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

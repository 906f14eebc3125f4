//! Splits a file into its documents, so that one that cannot be read does not hide the others.

/// One document of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Document<'a> {
    /// The text between two separators.
    pub text: &'a str,
    /// Line of the file, counted from 1, on which the text begins.
    pub first_line: usize,
}

/// Splits at lines that hold `---` and nothing but a comment, the way `kubectl` does it. Documents that hold only
/// comments are left out.
#[must_use]
pub fn split(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_separator(line) {
            documents.push(Document { text: &text[start..offset], first_line });
            (start, first_line) = (offset + line.len(), index + 2);
        }
        offset += line.len();
    }
    documents.push(Document { text: &text[start..], first_line });
    documents.retain(|document| document.text.lines().any(says_something));
    documents
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| !says_something(rest))
}

fn says_something(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_their_first_line_and_empty_ones_do_not_count() {
        let found = split("# head\n---\na: 1\n--- # next\r\n\n# nothing\n---\nb: |\n  ---\nc: ---x\n---");
        let found: Vec<_> = found.iter().map(|d| (d.first_line, d.text)).collect();
        assert_eq!(found, [(3, "a: 1\n"), (8, "b: |\n  ---\nc: ---x\n")]);
    }
}

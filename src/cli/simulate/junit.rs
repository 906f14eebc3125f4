//! The results as JUnit XML, which CI systems show. Written by hand: five elements, and a crate for it would bring a
//! dozen others.

use super::{Done, table::differs};

/// One suite for each file, one case for each check. What is not yet checked is a skipped case.
pub(super) fn document(all: &[Done]) -> String {
    let mut text =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"bongsu simulate\">\n");
    all.iter().for_each(|done| suite(&mut text, done));
    text.push_str("</testsuites>\n");
    text
}

fn suite(text: &mut String, done: &Done) {
    let cases = cases(done);
    let count = |wanted: fn(&Came) -> bool| cases.iter().filter(|case| wanted(&case.came)).count();
    let name = match done {
        Done::Played(_, played) => &played.name,
        Done::Broken(file, _) => file,
    };
    text.push_str(&format!(
        "  <testsuite name=\"{}\" file=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
        escaped(name),
        escaped(done.file()),
        cases.len(),
        count(|came| matches!(came, Came::Failure(_))),
        count(|came| matches!(came, Came::Error(_))),
        count(|came| matches!(came, Came::Skipped(_))),
    ));
    cases.iter().for_each(|case| case.write(text, name));
    text.push_str("  </testsuite>\n");
}

/// What became of a case.
enum Came {
    Good,
    Failure(String),
    Error(String),
    Skipped(String),
}

struct Case {
    name: String,
    came: Came,
}

fn cases(done: &Done) -> Vec<Case> {
    match done {
        Done::Broken(_, findings) => {
            let error = |finding: &crate::adapters::manifests::Finding| Case {
                name: "can be played".to_owned(),
                came: Came::Error(finding.to_string()),
            };
            findings.iter().map(error).collect()
        }
        Done::Played(_, played) => {
            let checked = played.checks.iter().map(|check| Case {
                name: check.expected.clone(),
                came: match check.difference {
                    None => Came::Good,
                    Some(_) => Came::Failure(differs(&played.file, check)),
                },
            });
            let later = played.later.iter().map(|later| Case {
                name: later.what.clone(),
                came: Came::Skipped(format!("not yet checked, comes with {}", later.comes_with)),
            });
            checked.chain(later).collect()
        }
    }
}

impl Case {
    fn write(&self, text: &mut String, suite: &str) {
        text.push_str(&format!(
            "    <testcase classname=\"{}\" name=\"{}\"",
            escaped(suite),
            escaped(&self.name)
        ));
        let (element, message) = match &self.came {
            Came::Good => return text.push_str("/>\n"),
            Came::Failure(message) => ("failure", message),
            Came::Error(message) => ("error", message),
            Came::Skipped(message) => ("skipped", message),
        };
        text.push_str(&format!("><{element} message=\"{}\"/></testcase>\n", escaped(message)));
    }
}

/// Text as it may stand in an attribute. Characters that XML does not know are replaced.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_attribute() {
        let hostile = "a\"><b c='d'>&amp;\n\u{0}\u{1b}\u{ffff}한";
        let safe = "a&quot;&gt;&lt;b c=&apos;d&apos;&gt;&amp;amp;&#10;\u{fffd}\u{fffd}\u{fffd}한";
        assert_eq!(escaped(hostile), safe);
    }
}

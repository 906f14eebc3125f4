//! Text from outside, made fit for a log line, a status field and a terminal.

use std::fmt::{self, Write};

/// Bytes of a detail: the port's promise, so that a status of 16 checks stays within a few kilobytes.
const BYTES_MAX: usize = 256;

/// Ends a text that was cut.
const CUT: &str = "…";

/// Formats at most [`BYTES_MAX`] bytes on one line, without control characters. Formatting stops at the limit, so that
/// the text of a megabyte value is never made.
pub(super) fn line(text: fmt::Arguments<'_>) -> String {
    let mut line = Line(String::new());
    // The only error is that the line is full.
    let _full = line.write_fmt(text);
    line.0
}

struct Line(String);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            let letter = if is_harmless(letter) { letter } else { ' ' };
            if self.0.len() + letter.len_utf8() > BYTES_MAX - CUT.len() {
                self.0.push_str(CUT);
                return Err(fmt::Error);
            }
            self.0.push(letter);
        }
        Ok(())
    }
}

/// Not a control character, and not one that turns the direction or the line of what follows: those could make a
/// terminal show something else than what was said.
fn is_harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_control_characters_and_no_direction_marks() {
        assert_eq!(line(format_args!("a\nb\x1b[31mc\u{202e}d\u{2028}e\0")), "a b [31mc d e ");
    }

    #[test]
    fn a_long_line_is_cut_at_a_letter_within_256_bytes() {
        for letter in ["a", "가", "🔥"] {
            let cut = line(format_args!("x{}", letter.repeat(1_000)));
            assert!(cut.len() <= 256 && cut.len() > 248, "{}", cut.len());
            assert!(cut.ends_with('…'));
        }
        assert_eq!(line(format_args!("short")), "short");
    }
}

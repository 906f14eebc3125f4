//! Texts that others wrote, before they are escaped for one form or another.

/// On one line, with every letter that would be invisible or would turn the order of others around made visible: a name
/// must not be able to look like another one.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' | '\t' => out.push(' '),
            _ if letter.is_control() || hides(letter) => out.extend(letter.escape_unicode()),
            _ => out.push(letter),
        }
    }
    out
}

/// Marks of direction (UAX #9), spaces without width, line separators, and the byte order mark.
const fn hides(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_hide_or_turn_others_around_are_shown() {
        assert_eq!(plain("a\nb\tc"), "a b c");
        assert_eq!(plain("lee\u{202e}mik\u{0}\u{200b}"), "lee\\u{202e}mik\\u{0}\\u{200b}");
        assert_eq!(plain("모바일 신분증 – ID"), "모바일 신분증 – ID");
    }
}

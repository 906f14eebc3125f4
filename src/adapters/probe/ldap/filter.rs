//! The text of a filter (RFC 4515) as LDAP sends it (RFC 4511 §4.5.1.7).

use super::ber::{BOOLEAN, OCTET_STRING, SEQUENCE, element};

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUALITY: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER_OR_EQUAL: u8 = 0xa5;
const LESS_OR_EQUAL: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;

const MATCHING_RULE: u8 = 0x81;
const TYPE: u8 = 0x82;
const MATCH_VALUE: u8 = 0x83;
const DN_ATTRIBUTES: u8 = 0x84;

/// Filters within filters. 16: people write three, and each one is a call on the stack.
const DEPTH_MAX: usize = 16;

/// Encodes a filter.
///
/// # Errors
/// It is none; the message says what is wrong and where.
pub(super) fn encode(text: &str) -> Result<Vec<u8>, String> {
    let mut parser = Parser { text, rest: text };
    let encoded = parser.filter(0)?;
    match parser.rest {
        "" => Ok(encoded),
        _ => Err(parser.wrong("the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn filter(&mut self, depth: usize) -> Result<Vec<u8>, String> {
        if depth == DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} filters within each other"));
        }
        self.take('(')?;
        let encoded = match self.rest.chars().next() {
            Some('&') => self.list(AND, depth)?,
            Some('|') => self.list(OR, depth)?,
            Some('!') => {
                self.take('!')?;
                element(NOT, &self.filter(depth + 1)?)
            }
            _ => {
                let (text, rest) = self.rest.split_at(self.rest.find(['(', ')']).unwrap_or(self.rest.len()));
                self.rest = rest;
                item(text)?
            }
        };
        self.take(')')?;
        Ok(encoded)
    }

    /// None at all is a filter too (RFC 4526): always true, or never.
    fn list(&mut self, tag: u8, depth: usize) -> Result<Vec<u8>, String> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let mut inside = Vec::new();
        while self.rest.starts_with('(') {
            inside.extend(self.filter(depth + 1)?);
        }
        Ok(element(tag, &inside))
    }

    fn take(&mut self, letter: char) -> Result<(), String> {
        match self.rest.strip_prefix(letter) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.wrong(&letter.to_string())),
        }
    }

    fn wrong(&self, expected: &str) -> String {
        let at = self.text.len() - self.rest.len();
        format!("{expected} expected after {:?}", self.text.get(..at).unwrap_or_default())
    }
}

/// One comparison, such as `cn=a*`.
fn item(text: &str) -> Result<Vec<u8>, String> {
    let (left, value) = text.split_once('=').ok_or_else(|| format!("{text:?} compares nothing"))?;
    let (tag, name) = match left.char_indices().next_back() {
        Some((at, '>')) => (GREATER_OR_EQUAL, left.get(..at)),
        Some((at, '<')) => (LESS_OR_EQUAL, left.get(..at)),
        Some((at, '~')) => (APPROXIMATE, left.get(..at)),
        Some((at, ':')) => (EXTENSIBLE, left.get(..at)),
        _ => (EQUALITY, Some(left)),
    };
    let name = name.unwrap_or_default();
    match tag {
        EXTENSIBLE => extensible(name, value),
        EQUALITY if value == "*" => Ok(element(PRESENT, attribute(name)?.as_bytes())),
        EQUALITY if value.contains('*') => substrings(name, value),
        _ => Ok(element(tag, &[octets(attribute(name)?.as_bytes()), octets(&unescaped(value)?)].concat())),
    }
}

fn substrings(name: &str, value: &str) -> Result<Vec<u8>, String> {
    let parts: Vec<&str> = value.split('*').collect();
    let last = parts.len() - 1;
    let mut inside = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let tag = match index {
            0 => INITIAL,
            _ if index == last => FINAL,
            _ => ANY,
        };
        match (part, tag) {
            ("", ANY) => return Err(format!("{value:?} has two * in a row")),
            ("", _) => {}
            _ => inside.extend(element(tag, &unescaped(part)?)),
        }
    }
    let name = octets(attribute(name)?.as_bytes());
    Ok(element(SUBSTRINGS, &[name, element(SEQUENCE, &inside)].concat()))
}

/// `attribute:dn:rule:=value`, of which `attribute` or `rule` may be left out, and `dn` as well.
fn extensible(left: &str, value: &str) -> Result<Vec<u8>, String> {
    let mut parts = left.split(':').peekable();
    let name = parts.next().unwrap_or_default();
    let dn = parts.next_if(|part| part.eq_ignore_ascii_case("dn")).is_some();
    let rule = parts.next();
    if parts.next().is_some() || (name.is_empty() && rule.is_none()) {
        return Err(format!("{left:?} is not attribute:dn:rule"));
    }
    let mut inside = Vec::new();
    if let Some(rule) = rule {
        inside.extend(element(MATCHING_RULE, attribute(rule)?.as_bytes()));
    }
    if !name.is_empty() {
        inside.extend(element(TYPE, attribute(name)?.as_bytes()));
    }
    inside.extend(element(MATCH_VALUE, &unescaped(value)?));
    if dn {
        let mut truth = element(BOOLEAN, &[0xff]);
        if let Some(tag) = truth.first_mut() {
            *tag = DN_ATTRIBUTES;
        }
        inside.extend(truth);
    }
    Ok(element(EXTENSIBLE, &inside))
}

fn attribute(name: &str) -> Result<&str, String> {
    let known = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | ';' | '_');
    match !name.is_empty() && name.chars().all(known) {
        true => Ok(name),
        false => Err(format!("{name:?} is not the name of an attribute")),
    }
}

/// A value: `\2a` stands for the byte 2a, which is how `*`, `(`, `)` and `\` are written.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{text:?}: write * ( ) \\ as \\2a \\28 \\29 \\5c");
    let mut bytes = text.bytes();
    let mut value = Vec::new();
    while let Some(byte) = bytes.next() {
        value.push(match byte {
            b'\\' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let pair = digit().zip(digit()).ok_or_else(wrong)?;
                u8::try_from(pair.0 * 16 + pair.1).unwrap_or_default()
            }
            b'*' | 0 => return Err(wrong()),
            plain => plain,
        });
    }
    Ok(value)
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as letters where they are letters, so that a person can read them.
    fn shown(text: &str) -> String {
        encode(text).unwrap().escape_ascii().to_string()
    }

    #[test]
    fn every_kind_of_filter_is_encoded_as_the_standard_says() {
        for (filter, expected) in [
            ("(objectClass=*)", r"\x87\x0bobjectClass"),
            ("(cn=ab)", r"\xa3\x08\x04\x02cn\x04\x02ab"),
            ("(cn=)", r"\xa3\x06\x04\x02cn\x04\x00"),
            ("(sn>=a)", r"\xa5\x07\x04\x02sn\x04\x01a"),
            ("(sn<=a)", r"\xa6\x07\x04\x02sn\x04\x01a"),
            ("(sn~=a)", r"\xa8\x07\x04\x02sn\x04\x01a"),
            ("(cn=a*b*c)", r"\xa4\x0f\x04\x02cn0\t\x80\x01a\x81\x01b\x82\x01c"),
            ("(cn=*b*)", r"\xa4\t\x04\x02cn0\x03\x81\x01b"),
            ("(!(cn=a))", r"\xa2\t\xa3\x07\x04\x02cn\x04\x01a"),
            (
                "(&(cn=a)(|(sn=b)(sn=c)))",
                r"\xa0\x1d\xa3\x07\x04\x02cn\x04\x01a\xa1\x12\xa3\x07\x04\x02sn\x04\x01b\xa3\x07\x04\x02sn\x04\x01c",
            ),
            ("(&)", r"\xa0\x00"),
            ("(cn:=a)", r"\xa9\x07\x82\x02cn\x83\x01a"),
            ("(cn:dn:2.4:=a)", r"\xa9\x0f\x81\x032.4\x82\x02cn\x83\x01a\x84\x01\xff"),
            (r"(cn=\2a\28\c3\a9)", r"\xa3\n\x04\x02cn\x04\x04*(\xc3\xa9"),
            ("(cn=한)", r"\xa3\t\x04\x02cn\x04\x03\xed\x95\x9c"),
        ] {
            assert_eq!(shown(filter), expected, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_said_with_the_place() {
        let deep = ["(!".repeat(16), "(cn=a)".to_owned(), ")".repeat(16)].concat();
        for (filter, expected) in [
            ("cn=a", "( expected after \"\""),
            ("(cn=a", ") expected after \"(cn=a\""),
            ("(cn=a)(sn=b)", "the end expected after \"(cn=a)\""),
            ("(cn=a(b))", ") expected after \"(cn=a\""),
            ("(cn)", "\"cn\" compares nothing"),
            ("()", "\"\" compares nothing"),
            ("(=a)", "\"\" is not the name of an attribute"),
            ("(c n=a)", "\"c n\" is not the name of an attribute"),
            ("(cn=a**b)", "two * in a row"),
            ("(cn>=a*)", "write * ( )"),
            (r"(cn=\2)", "write * ( )"),
            (r"(cn=\zz)", "write * ( )"),
            ("(:=a)", "is not attribute:dn:rule"),
            ("(cn:dn:a:b:=a)", "is not attribute:dn:rule"),
            (&deep, "more than 16 filters"),
        ] {
            let error = encode(filter).unwrap_err();
            assert!(error.contains(expected), "{filter}: {error}");
        }
    }
}

//! The messages of LDAP (RFC 4511 §4) that a probe sends and gets.

use super::{
    super::{Bad, line::line},
    ber::{
        BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTET_STRING, Reader, SEQUENCE, element, number,
        number_element,
    },
};
use crate::ports::LdapScope;

/// Tags of answers.
pub(super) const BIND_RESPONSE: u8 = 0x61;
pub(super) const SEARCH_ENTRY: u8 = 0x64;
pub(super) const SEARCH_DONE: u8 = 0x65;
pub(super) const SEARCH_REFERENCE: u8 = 0x73;
pub(super) const EXTENDED_RESPONSE: u8 = 0x78;
pub(super) const INTERMEDIATE_RESPONSE: u8 = 0x79;

const BIND_REQUEST: u8 = 0x60;
const SEARCH_REQUEST: u8 = 0x63;
const EXTENDED_REQUEST: u8 = 0x77;
/// The name of an extended request, and the password of a simple bind.
const CONTEXT_0: u8 = 0x80;
const REFERRAL: u8 = 0xa3;

/// Object identifier of StartTLS (RFC 4511 §4.14.1).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Asks for no attributes (RFC 4511 §4.5.1.8).
const NO_ATTRIBUTES: &str = "1.1";

/// Ends the session; it has no answer.
pub(super) const UNBIND: &[u8] = &[0x42, 0];

/// The bytes of a server's own words that are looked at: a detail has fewer.
const WORDS_BYTES_MAX: usize = 256;

/// The name or the password is not taken (RFC 4511 appendix A.2).
pub(super) const INVALID_CREDENTIALS: &str = "invalidCredentials";

/// A bind by name and password; without both it is anonymous (RFC 4513 §5.1.1).
pub(super) fn bind(name: &str, password: &[u8]) -> Vec<u8> {
    let (name, password) = (element(OCTET_STRING, name.as_bytes()), element(CONTEXT_0, password));
    element(BIND_REQUEST, &[number_element(INTEGER, 3), name, password].concat())
}

/// Asks for TLS on this connection.
pub(super) fn start_tls() -> Vec<u8> {
    element(EXTENDED_REQUEST, &element(CONTEXT_0, START_TLS))
}

/// What a search asks for.
pub(super) struct Search<'a> {
    pub base: &'a str,
    pub scope: LdapScope,
    /// Encoded.
    pub filter: &'a [u8],
    pub attribute: Option<&'a str>,
    pub entries_max: u32,
    pub seconds_max: u32,
}

impl Search<'_> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let scope = match self.scope {
            LdapScope::Base => 0,
            LdapScope::One => 1,
            LdapScope::Sub => 2,
        };
        let attribute = element(OCTET_STRING, self.attribute.unwrap_or(NO_ATTRIBUTES).as_bytes());
        let parts = [
            element(OCTET_STRING, self.base.as_bytes()),
            number_element(ENUMERATED, scope),
            // Aliases are never followed.
            number_element(ENUMERATED, 0),
            number_element(INTEGER, self.entries_max),
            number_element(INTEGER, self.seconds_max),
            element(BOOLEAN, &[0]),
            self.filter.to_vec(),
            element(SEQUENCE, &attribute),
        ];
        element(SEARCH_REQUEST, &parts.concat())
    }
}

/// A request with its number.
pub(super) fn numbered(id: u32, request: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&number_element(INTEGER, id), request].concat())
}

/// Number, tag and content of an answer. Controls behind it are not read.
pub(super) fn message(content: &[u8]) -> Result<(i32, u8, &[u8]), Malformed> {
    let mut reader = Reader::new(content);
    let id = number(reader.expect(INTEGER)?)?;
    let (tag, inside) = reader.any()?.ok_or(Malformed("a message without an operation"))?;
    Ok((id, tag, inside))
}

/// Judges the result (RFC 4511 §4.1.9) of something that was asked for.
pub(super) fn succeeded(doing: &str, content: &[u8]) -> Result<(), Bad> {
    let result = LdapResult::read(content).map_err(malformed)?;
    result.judge(doing)
}

/// What a server says when it ends the session (RFC 4511 §4.4.1).
pub(super) fn disconnected(content: &[u8]) -> Bad {
    match succeeded("disconnected by the directory", content) {
        Err(bad) => bad,
        Ok(()) => Bad::wrong("disconnected by the directory".to_owned()),
    }
}

pub(super) fn malformed(Malformed(what): Malformed) -> Bad {
    Bad::wrong(format!("not an LDAP answer: {what}"))
}

/// The places that a list of references names, the first of them.
pub(super) fn first_reference(content: &[u8]) -> Result<String, Malformed> {
    Reader::new(content).expect(OCTET_STRING).map(words)
}

struct LdapResult<'a> {
    code: i32,
    diagnostic: &'a [u8],
    referral: Option<&'a [u8]>,
}

impl<'a> LdapResult<'a> {
    fn read(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content);
        let code = number(reader.expect(ENUMERATED)?)?;
        let _matched = reader.expect(OCTET_STRING)?;
        let diagnostic = reader.expect(OCTET_STRING)?;
        let referral = reader.any()?.filter(|(tag, _)| *tag == REFERRAL).map(|(_, content)| content);
        Ok(Self { code, diagnostic, referral })
    }

    fn judge(&self, doing: &str) -> Result<(), Bad> {
        let said = match (self.code, self.referral) {
            (0, _) => return Ok(()),
            (10, Some(referral)) => {
                let place = first_reference(referral).map_err(malformed)?;
                line(format_args!("{doing}: only a referral, to {place}, which is not followed"))
            }
            (code, _) if self.diagnostic.is_empty() => line(format_args!("{doing}: {}", name(code))),
            (code, _) => line(format_args!("{doing}: {}: {}", name(code), words(self.diagnostic))),
        };
        Err(Bad::wrong(said))
    }
}

fn words(bytes: &[u8]) -> String {
    let beginning = bytes.get(..WORDS_BYTES_MAX).unwrap_or(bytes);
    line(format_args!("{}", String::from_utf8_lossy(beginning)))
}

/// A result code as people look it up (RFC 4511 appendix A).
fn name(code: i32) -> String {
    let known = match code {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        14 => "saslBindInProgress",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        33 => "aliasProblem",
        34 => "invalidDNSyntax",
        36 => "aliasDereferencingProblem",
        48 => "inappropriateAuthentication",
        49 => INVALID_CREDENTIALS,
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        54 => "loopDetect",
        80 => "other",
        _ => return format!("result code {code}"),
    };
    format!("{known} ({code})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Outcome;

    fn result(code: u32, diagnostic: &str, rest: &[u8]) -> Vec<u8> {
        let (matched, said) = (element(OCTET_STRING, b""), element(OCTET_STRING, diagnostic.as_bytes()));
        [number_element(ENUMERATED, code), matched, said, rest.to_vec()].concat()
    }

    #[test]
    fn an_anonymous_bind_and_a_search_are_written_as_the_standard_says() {
        assert_eq!(
            numbered(1, &bind("", b"")).escape_ascii().to_string(),
            r"0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\x00\x80\x00"
        );
        let search = Search {
            base: "o=x",
            scope: LdapScope::Sub,
            filter: &[0x87, 2, b'c', b'n'],
            attribute: None,
            entries_max: 1000,
            seconds_max: 2,
        };
        assert_eq!(
            search.encode().escape_ascii().to_string(),
            r"c \x04\x03o=x\n\x01\x02\n\x01\x00\x02\x02\x03\xe8\x02\x01\x02\x01\x01\x00\x87\x02cn0\x05\x04\x031.1"
        );
    }

    #[test]
    fn every_result_but_success_is_wrong_and_named() {
        assert!(succeeded("bind", &result(0, "all is well", &[])).is_ok());
        let referral = element(REFERRAL, &element(OCTET_STRING, b"ldap://other.example/o=x"));
        for (answer, expected) in [
            (result(49, "", &[]), "bind: invalidCredentials (49)"),
            (result(32, "no such\nentry", &[]), "bind: noSuchObject (32): no such entry"),
            (result(4, "", &[]), "bind: sizeLimitExceeded (4)"),
            (result(51, "", &[]), "bind: busy (51)"),
            (result(52, "", &[]), "bind: unavailable (52)"),
            (result(4711, "", &[]), "bind: result code 4711"),
            (
                result(10, "", &referral),
                "bind: only a referral, to ldap://other.example/o=x, which is not followed",
            ),
            (result(10, "", &[]), "bind: referral (10)"),
            (Vec::new(), "not an LDAP answer: an element is missing"),
            (vec![10, 1], "not an LDAP answer: an element that is cut off"),
        ] {
            let bad = succeeded("bind", &answer).unwrap_err();
            assert_eq!((bad.outcome, bad.detail.as_str()), (Outcome::Wrong, expected));
        }
    }
}

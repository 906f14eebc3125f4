//! The fencing mark of a published name: a TXT record `_bongsu.NAME` that says which epoch of which service it shows.

use std::fmt;

use hickory_proto::{
    ProtoError,
    rr::{Name, rdata::TXT},
};

use crate::domain::{Epoch, ServiceKey};

/// Label below which the mark of a name stands.
const LABEL: &str = "_bongsu";

/// Bytes that one character-string of a TXT record holds (RFC 1035 §3.3). A long service name needs two of them.
const CHARACTER_STRING_BYTES: usize = 255;

/// Letters of somebody else's record that an error message quotes.
const QUOTE_LETTERS: usize = 120;

/// What a mark says; its text is `epoch=7 service=gpki/gpki-verify`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Marker {
    /// The epoch that the name shows.
    pub(super) epoch: Epoch,
    /// Namespace and name of the service that the name belongs to, joined by `/`.
    pub(super) service: String,
}

impl Marker {
    pub(super) fn new(epoch: Epoch, service: &ServiceKey) -> Self {
        Self { epoch, service: service.to_string() }
    }

    /// Reads a mark. `None`: somebody else wrote this text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (epoch, service) = text.strip_prefix("epoch=")?.split_once(" service=")?;
        // `u64::from_str` takes a sign as well; Bongsu never writes one.
        let digits = epoch.bytes().all(|letter| letter.is_ascii_digit());
        let epoch = epoch.parse().ok().filter(|_| digits)?;
        service.contains('/').then(|| Self { epoch: Epoch(epoch), service: service.to_owned() })
    }

    pub(super) fn txt(&self) -> TXT {
        TXT::from_bytes(self.to_string().as_bytes().chunks(CHARACTER_STRING_BYTES).collect())
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch={} service={}", self.epoch, self.service)
    }
}

/// The whole text of a TXT record.
pub(super) fn text(txt: &TXT) -> String {
    String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()
}

/// Somebody else's text for an error message: short, and without control characters.
pub(super) fn quote(text: &str) -> String {
    text.escape_debug().take(QUOTE_LETTERS).collect()
}

/// A name as hickory compares it: with the final dot, in lower case.
pub(super) fn absolute(name: &str) -> Result<Name, ProtoError> {
    let mut parsed = Name::from_ascii(name)?.to_lowercase();
    parsed.set_fqdn(true);
    Ok(parsed)
}

/// Where the mark of a name stands.
pub(super) fn marker_name(name: &Name) -> Result<Name, ProtoError> {
    name.prepend_label(LABEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_even_when_it_needs_two_character_strings() {
        let service = ServiceKey::new("n".repeat(63), "s".repeat(253));
        let marker = Marker::new(Epoch(u64::MAX), &service);
        assert_eq!(marker.txt().txt_data.len(), 2);
        assert_eq!(Marker::parse(&text(&marker.txt())), Some(marker));
    }

    #[test]
    fn a_text_that_bongsu_did_not_write_is_no_mark() {
        for text in
            ["", "epoch=7", "epoch= service=a/b", "epoch=+7 service=a/b", "epoch=7 service=ab", "v=spf1"]
        {
            assert_eq!(Marker::parse(text), None, "{text}");
        }
    }
}

//! Elements of structures in BER with definite, shortest lengths, which are taken apart and not rebuilt.
//!
//! The field's timestamp tokens name a certificate twice or have sets in another order than DER wants; a client takes them,
//! and so does this. Lengths must be definite, and no element reaches beyond the one that it is in.

use der::{Decode, ErrorKind, Header, Reader, SliceReader, Tag};

/// One element.
#[derive(Clone, Copy, Debug)]
pub(in crate::adapters::probe) struct Element<'a> {
    pub tag: Tag,
    /// What is in it.
    pub content: &'a [u8],
    /// All of it, with tag and length.
    pub whole: &'a [u8],
}

/// The elements one after the other in these bytes, to their end.
pub(in crate::adapters::probe) fn elements(bytes: &[u8]) -> der::Result<Vec<Element<'_>>> {
    let mut found = Vec::new();
    let mut reader = SliceReader::new(bytes)?;
    while !reader.is_finished() {
        let whole = reader.tlv_bytes()?;
        let mut inside = SliceReader::new(whole)?;
        let tag = Header::decode(&mut inside)?.tag;
        let rest = inside.remaining_len();
        found.push(Element { tag, content: inside.read_slice(rest)?, whole });
    }
    Ok(found)
}

/// What is in the first element.
pub(in crate::adapters::probe) fn inside(bytes: &[u8]) -> der::Result<&[u8]> {
    elements(bytes)?.first().map(|first| first.content).ok_or_else(|| ErrorKind::Failed.into())
}

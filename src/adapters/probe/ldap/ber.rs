//! BER as LDAP has it (RFC 4511 §5.1): lengths are definite, tags are one byte.
//!
//! It is read one level at a time, as far as the caller knows what has to be there. The crates that read it make a tree of
//! whatever comes; a directory that nests a hundred thousand levels in a few hundred kilobytes would end the process.

/// A truth.
pub(super) const BOOLEAN: u8 = 0x01;
/// A number.
pub(super) const INTEGER: u8 = 0x02;
/// Bytes or text.
pub(super) const OCTET_STRING: u8 = 0x04;
/// A number from a list.
pub(super) const ENUMERATED: u8 = 0x0a;
/// Elements in order.
pub(super) const SEQUENCE: u8 = 0x30;
/// Elements in any order.
pub(super) const SET: u8 = 0x31;

/// Bytes of a length behind its first byte. 4: some directories always write so many, and none has an answer above 4 GiB.
const LENGTH_BYTES_MAX: usize = 4;

/// What came is not what it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Malformed(pub &'static str);

/// The beginning of an element.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub tag: u8,
    /// Bytes before the content.
    pub bytes: usize,
    /// Bytes of the content, as the element says.
    pub content_bytes: usize,
}

impl Header {
    /// Reads the header at the beginning; `None`: there are too few bytes to say.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((&tag, rest)) = bytes.split_first() else { return Ok(None) };
        if tag & 0x1f == 0x1f {
            return Err(Malformed("a tag of several bytes"));
        }
        let Some((&first, rest)) = rest.split_first() else { return Ok(None) };
        if first < 0x80 {
            return Ok(Some(Self { tag, bytes: 2, content_bytes: usize::from(first) }));
        }
        let count = usize::from(first & 0x7f);
        if count == 0 || count > LENGTH_BYTES_MAX {
            return Err(Malformed("a length that LDAP does not allow"));
        }
        let Some(length) = rest.get(..count) else { return Ok(None) };
        let content_bytes = length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        Ok(Some(Self { tag, bytes: 2 + count, content_bytes }))
    }
}

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next element's tag and content; `None` at the end.
    pub(super) fn any(&mut self) -> Result<Option<(u8, &'a [u8])>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let cut = Malformed("an element that is cut off");
        let header = Header::read(self.0)?.ok_or(cut)?;
        let rest = self.0.get(header.bytes..).ok_or(cut)?;
        let content = rest.get(..header.content_bytes).ok_or(cut)?;
        self.0 = rest.get(header.content_bytes..).unwrap_or_default();
        Ok(Some((header.tag, content)))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.any()? {
            Some((found, content)) if found == tag => Ok(content),
            Some(_) => Err(Malformed("an element of another kind")),
            None => Err(Malformed("an element is missing")),
        }
    }
}

/// The value of an INTEGER or ENUMERATED.
pub(super) fn number(content: &[u8]) -> Result<i32, Malformed> {
    let sign = match content {
        [] | [_, _, _, _, _, ..] => return Err(Malformed("a number that LDAP does not allow")),
        [first, ..] if *first >= 0x80 => -1,
        [..] => 0,
    };
    Ok(content.iter().fold(sign, |sum, byte| (sum << 8) | i32::from(*byte)))
}

/// An element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut made = vec![tag];
    match length {
        [] => made.push(0),
        [short] if *short < 0x80 => made.push(*short),
        long => {
            // At most 8 bytes: the length of a length.
            made.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            made.extend_from_slice(long);
        }
    }
    made.extend_from_slice(content);
    made
}

/// An INTEGER or ENUMERATED in as few bytes as its sign allows (X.690 §8.3.2).
pub(super) fn number_element(tag: u8, value: u32) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(value.to_be_bytes());
    while let [0, second, ..] = bytes.as_slice() {
        if *second >= 0x80 {
            break;
        }
        bytes.remove(0);
    }
    element(tag, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_soon_as_it_is_there() {
        let read = |bytes: &[u8]| Header::read(bytes).unwrap();
        for cut in [&[][..], &[0x30], &[0x30, 0x82], &[0x30, 0x82, 1]] {
            assert_eq!(read(cut), None, "{cut:?}");
        }
        assert_eq!(read(&[0x30, 5]), Some(Header { tag: 0x30, bytes: 2, content_bytes: 5 }));
        assert_eq!(read(&[0x30, 0x82, 1, 0]), Some(Header { tag: 0x30, bytes: 4, content_bytes: 256 }));
        // As Active Directory writes every length.
        let header = Header { tag: 0x30, bytes: 6, content_bytes: 5 };
        assert_eq!(read(&[0x30, 0x84, 0, 0, 0, 5]), Some(header));
    }

    #[test]
    fn what_ldap_does_not_allow_is_no_header() {
        for wrong in [&[0x3f, 0][..], &[0x30, 0x80], &[0x30, 0x85, 0, 0, 0, 0, 1], &[0x30, 0xff]] {
            assert!(Header::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_element_that_claims_more_than_there_is_is_malformed() {
        assert_eq!(Reader::new(&[4, 3, 1, 2]).any(), Err(Malformed("an element that is cut off")));
        assert_eq!(Reader::new(&[4, 0x84, 0xff, 0xff, 0xff, 0xff, 1]).any().ok(), None);
        assert_eq!(Reader::new(&[4]).expect(4), Err(Malformed("an element that is cut off")));
        assert_eq!(Reader::new(&[]).expect(4), Err(Malformed("an element is missing")));
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for (value, bytes) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (1000, &[2, 2, 3, 232]),
            (8_388_608, &[2, 4, 0, 128, 0, 0]),
        ] {
            assert_eq!(number_element(INTEGER, value), bytes);
            assert_eq!(number(&bytes[2..]), Ok(value.cast_signed()));
        }
        assert_eq!(number(&[0xff]), Ok(-1));
        assert!(number(&[]).is_err() && number(&[0; 5]).is_err());
    }

    #[test]
    fn elements_of_every_length_are_read_as_they_were_written() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let made = element(OCTET_STRING, &content);
            let mut reader = Reader::new(&made);
            assert_eq!(reader.any(), Ok(Some((OCTET_STRING, content.as_slice()))));
            assert_eq!(reader.any(), Ok(None));
        }
    }
}

//! The structures of RFC 3161 §2.4. Written here because the one crate that has them reads no time with fractions of a second.

use std::time::Duration;

use der::{
    AnyRef, Sequence,
    asn1::{Int, IntRef, Null, ObjectIdentifier, OctetString},
};
use x509_cert::{ext::Extensions, spki::AlgorithmIdentifierOwned};

use crate::domain::Timestamp;

/// The hash of the imprint.
pub(super) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// `TimeStampReq`.
#[derive(Sequence)]
pub(super) struct Request {
    version: u8,
    imprint: Imprint,
    #[asn1(optional = "true")]
    policy: Option<ObjectIdentifier>,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(default = "Default::default")]
    certificate_wanted: bool,
}

/// `MessageImprint`.
#[derive(Clone, Debug, Eq, PartialEq, Sequence)]
pub(super) struct Imprint {
    pub hash_algorithm: AlgorithmIdentifierOwned,
    pub hashed_message: OctetString,
}

/// `TimeStampResp`.
#[derive(Sequence)]
pub(super) struct Answer<'a> {
    pub status: Status<'a>,
    /// `ContentInfo`.
    #[asn1(optional = "true")]
    pub token: Option<AnyRef<'a>>,
}

/// `PKIStatusInfo`.
#[derive(Sequence)]
pub(super) struct Status<'a> {
    pub status: u8,
    #[asn1(optional = "true")]
    pub text: Option<Vec<AnyRef<'a>>>,
    #[asn1(optional = "true")]
    pub failure: Option<der::asn1::BitStringRef<'a>>,
}

/// `TSTInfo`.
#[derive(Sequence)]
pub(super) struct Info<'a> {
    pub version: u8,
    pub policy: ObjectIdentifier,
    pub imprint: Imprint,
    pub serial_number: IntRef<'a>,
    pub time: AnyRef<'a>,
    #[asn1(optional = "true")]
    pub accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    pub ordering: bool,
    #[asn1(optional = "true")]
    pub nonce: Option<IntRef<'a>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub authority: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub extensions: Option<Extensions>,
}

/// `Accuracy`.
#[derive(Clone, Copy, Debug, Sequence)]
pub(super) struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u32>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

impl Request {
    /// Asks for the time of a hash by SHA-256, with the certificate of who signs.
    pub(super) fn new(imprint: &[u8], nonce: [u8; 8], policy: Option<ObjectIdentifier>) -> der::Result<Self> {
        Ok(Self {
            version: 1,
            imprint: Imprint {
                hash_algorithm: AlgorithmIdentifierOwned { oid: SHA256, parameters: Some(Null.into()) },
                hashed_message: OctetString::new(imprint)?,
            },
            policy,
            nonce: Some(Int::new(&nonce)?),
            certificate_wanted: true,
        })
    }
}

impl Accuracy {
    /// How far the time may be off by its own word.
    pub(super) fn span(self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(0).into())
            + Duration::from_millis(self.millis.unwrap_or(0).into())
            + Duration::from_micros(self.micros.unwrap_or(0).into())
    }
}

/// A `GeneralizedTime` as RFC 3161 §2.4.2 allows it, `YYYYMMDDhhmmss[.s...]Z`, and the unit that it is said in.
pub(super) fn time(text: &[u8]) -> Option<(Timestamp, Duration)> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<i8>().ok();
    let moment = jiff::civil::DateTime::new(
        whole.get(..4)?.parse().ok()?,
        number(4, 6)?,
        number(6, 8)?,
        number(8, 10)?,
        number(10, 12)?,
        number(12, 14)?,
        0,
    );
    let moment = moment.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    // Beyond milliseconds nothing is compared.
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let unit = [1_000, 100, 10].get(fraction.len()).copied().unwrap_or(1);
    let time = Timestamp(moment.as_millisecond() + millis.parse::<i64>().ok()?);
    Some((time, Duration::from_millis(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_seconds_and_any_fraction_of_them() {
        for (text, expected) in [
            ("20260101000000Z", Some((1_767_225_600_000, 1_000))),
            ("20260101000000.5Z", Some((1_767_225_600_500, 100))),
            ("20260101000000.123456789Z", Some((1_767_225_600_123, 1))),
            ("20260101000000.Z", Some((1_767_225_600_000, 1_000))),
            ("20260101000000", None),
            ("202601010000Z", None),
            ("20261301000000Z", None),
            ("20260101000000.-5Z", None),
            ("+0260101000000Z", None),
            ("", None),
        ] {
            let expected = expected.map(|(at, unit)| (Timestamp(at), Duration::from_millis(unit)));
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
    }
}

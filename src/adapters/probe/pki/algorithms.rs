//! Names of signature algorithms, so that a message can say which one is missing.

use der::asn1::ObjectIdentifier;

/// Those of the Korean certificate policy (KCAC.TS.DSIG, KCAC.TS.HASH) that no maintained library has, and those that are too weak
/// to be believed.
const KNOWN: [(&str, &str); 13] = [
    ("1.2.410.200004.1.1", "KCDSA"),
    ("1.2.410.200004.1.8", "KCDSA with HAS-160"),
    ("1.2.410.200004.1.9", "KCDSA with SHA-1"),
    ("1.2.410.200004.1.20", "RSA with HAS-160"),
    ("1.2.410.200004.1.100.2.1", "EC-KCDSA"),
    ("1.2.410.200004.1.100.4.1", "EC-KCDSA with SHA-1"),
    ("1.2.410.200004.1.100.4.3", "EC-KCDSA with SHA-256"),
    ("1.2.840.113549.1.1.4", "RSA with MD5"),
    ("1.2.840.113549.1.1.5", "RSA with SHA-1"),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1"),
    ("1.2.840.10040.4.3", "DSA with SHA-1"),
    ("2.16.840.1.101.3.4.3.2", "DSA with SHA-256"),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512"),
];

/// What people call an algorithm; its object identifier if it is none of the known.
pub(in crate::adapters::probe) fn name(oid: &ObjectIdentifier) -> String {
    let text = oid.to_string();
    match KNOWN.iter().find(|(known, _)| *known == text) {
        Some((_, name)) => format!("{name} ({text})"),
        None => format!("algorithm {text}"),
    }
}

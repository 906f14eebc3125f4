use rcgen::{CertificateParams, CustomExtension, KeyPair};

use super::*;

const CLIENT: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// A certificate for these purposes.
fn certificate(critical: bool, purposes: &[&[u8]]) -> Certificate {
    let list =
        |tag: u8, content: Vec<u8>| [vec![tag, u8::try_from(content.len()).unwrap()], content].concat();
    let purposes = purposes.iter().flat_map(|oid| list(0x06, oid.to_vec())).collect();
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], list(0x30, purposes));
    extension.set_criticality(critical);
    let mut params = CertificateParams::new(vec!["tsa.example".to_owned()]).unwrap();
    params.custom_extensions.push(extension);
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    Certificate::from_der(made.der()).unwrap()
}

#[test]
fn who_says_what_time_it_is_does_nothing_else_and_who_answers_for_a_ca_may() {
    use Purpose::{OcspSigning, TimeStamping};
    let (ocsp, stamp) = (OcspSigning.oid(), TimeStamping.oid());
    for (purpose, critical, purposes, expected) in [
        (TimeStamping, true, &[stamp][..], true),
        (TimeStamping, false, &[stamp], false),
        (TimeStamping, true, &[stamp, CLIENT], false),
        (TimeStamping, true, &[ocsp], false),
        (OcspSigning, false, &[ocsp], true),
        (OcspSigning, true, &[CLIENT, ocsp], true),
        (OcspSigning, false, &[stamp], false),
    ] {
        let said = purpose.is_of(&certificate(critical, purposes));
        assert_eq!(said, expected, "{purpose:?} {critical} {purposes:x?}");
    }
    let none = CertificateParams::new(vec!["tsa.example".to_owned()]).unwrap();
    let none = none.self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert!(!OcspSigning.is_of(&Certificate::from_der(none.der()).unwrap()));
}

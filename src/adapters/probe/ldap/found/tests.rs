use std::ops::Deref;

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

use super::{super::ber::element, *};
use crate::{
    domain::Outcome::{self, Expiring, Wrong},
    ports::{CrlRules, LdapEncryption, LdapScope, TlsSpec},
};

/// 2025-10-09T08:53:20Z.
const NOW: Timestamp = Timestamp(1_760_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn judge(attribute: Option<&str>, value: LdapValue) -> Judge {
    let spec = LdapSpec {
        encryption: LdapEncryption::None,
        tls: TlsSpec::default(),
        bind: None,
        base: "o=x".into(),
        scope: LdapScope::Sub,
        filter: "(cn=*)".into(),
        attribute: attribute.map(Into::into),
        min_entries: 1,
        value,
        max_bytes: 1024,
    };
    Judge::new(&spec).unwrap_or_else(|(field, cause)| panic!("{field}: {cause}"))
}

/// An entry with these attributes, each with its values.
fn entry(attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let octets = |bytes: &[u8]| element(OCTET_STRING, bytes);
    let attribute = |(name, values): &(&str, &[&[u8]])| {
        let values: Vec<u8> = values.iter().flat_map(|value| octets(value)).collect();
        element(SEQUENCE, &[octets(name.as_bytes()), element(SET, &values)].concat())
    };
    let attributes: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    [octets(b"cn=a,o=x"), element(SEQUENCE, &attributes)].concat()
}

/// Judges one entry with these values of the attribute `a`.
fn judged(judge: &Judge, values: &[&[u8]]) -> Result<(), Bad> {
    let mut found = Found::default();
    judge.entry(&entry(&[("a", values)]), &mut found)?;
    judge.judge(&found, NOW)
}

#[track_caller]
fn expect(judged: Result<(), Bad>, outcome: Outcome, detail: &str) {
    let bad = judged.unwrap_err();
    assert_eq!(bad.outcome, outcome, "{bad:?}");
    assert!(bad.detail.contains(detail), "{detail:?} is not in {bad:?}");
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate from the beginning of a year until that of another.
fn signed(authority: &CertifiedIssuer<'static, KeyPair>, from: i32, until: i32) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "minister");
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
    params.signed_by(&KeyPair::generate().unwrap(), authority).unwrap().der().to_vec()
}

/// A list from the beginning of 2024 until that of a year.
fn list(authority: &CertifiedIssuer<'static, KeyPair>, number: u64, until: i32) -> Vec<u8> {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(7),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(authority.deref()).unwrap().der().to_vec()
}

fn certificate_of(authorities: &[&CertifiedIssuer<'static, KeyPair>]) -> Judge {
    let issuer = authorities.iter().map(|authority| authority.pem()).collect::<String>().into();
    judge(Some("a"), LdapValue::Certificate { issuer, expires_within: 30 * DAY })
}

fn list_of(authority: &CertifiedIssuer<'static, KeyPair>, revoked: u8) -> Judge {
    let revoked: Option<Arc<[u8]>> = Some([revoked].into());
    let issuer = authority.pem().into();
    judge(Some("a"), LdapValue::Crl(CrlRules { issuer, revoked, max_age: None, lifetime_left_percent: 25 }))
}

#[test]
fn entries_alone_are_counted() {
    let judge = Judge { entries_min: 2, ..judge(None, LdapValue::Any) };
    let mut found = Found::default();
    expect(judge.judge(&found, NOW), Wrong, "entries found: 0, expected at least 2");
    judge.entry(&entry(&[]), &mut found).unwrap();
    expect(judge.judge(&found, NOW), Wrong, "entries found: 1, expected at least 2");
    judge.entry(&entry(&[]), &mut found).unwrap();
    judge.judge(&found, NOW).unwrap();
}

#[test]
fn an_answer_that_is_only_a_referral_is_wrong_and_says_where_it_leads() {
    let judge = judge(None, LdapValue::Any);
    let mut found = Found::default();
    found.reference(&element(OCTET_STRING, b"ldap://other.example/o=x")).unwrap();
    expect(
        judge.judge(&found, NOW),
        Wrong,
        "only a referral, to ldap://other.example/o=x, which is not followed",
    );
    // A part of the tree that is elsewhere does not make what is here wrong.
    judge.entry(&entry(&[]), &mut found).unwrap();
    judge.judge(&found, NOW).unwrap();
}

#[test]
fn the_attribute_must_be_there_with_a_value_that_is_not_empty() {
    let judge = judge(Some("certificateRevocationList;binary"), LdapValue::Any);
    for (name, value, good) in [
        ("certificateRevocationList;binary", &b"x"[..], true),
        ("CERTIFICATErevocationlist;lang-ko;BINARY", b"x", true),
        ("certificateRevocationList;binary", b"", false),
        ("certificateRevocationList", b"x", false),
        ("authorityRevocationList;binary", b"x", false),
        ("certificateRevocationList;binary2", b"x", false),
    ] {
        let mut found = Found::default();
        judge.entry(&entry(&[("cn", &[b"x"]), (name, &[value])]), &mut found).unwrap();
        let judged = judge.judge(&found, NOW);
        match good {
            true => judged.unwrap(),
            false => expect(judged, Wrong, "no entry has a value of certificateRevocationList;binary"),
        }
    }
}

#[test]
fn one_value_must_be_the_expected_text() {
    let judge = judge(Some("a"), LdapValue::Equals("serial 7".into()));
    judged(&judge, &[b"x", b"serial 7"]).unwrap();
    expect(judged(&judge, &[b"Serial 7", b"serial 70"]), Wrong, "no value of a is the text that is expected");
}

#[test]
fn a_certificate_must_be_signed_by_the_issuer_and_valid() {
    let (root, impostor, other) = (authority("root"), authority("root"), authority("other"));
    let judge = certificate_of(&[&root]);
    judged(&judge, &[&signed(&root, 2024, 4000)]).unwrap();
    for (value, outcome, detail) in [
        (
            signed(&impostor, 2024, 4000),
            Wrong,
            "certificate minister: the signature is not by the key of who signed",
        ),
        (
            signed(&other, 2024, 4000),
            Wrong,
            "certificate minister: issued by other, which is not the issuer of the check",
        ),
        (signed(&root, 2024, 2025), Wrong, "certificate minister ran out at 2025-01-01T00:00:00Z"),
        (signed(&root, 2026, 4000), Wrong, "certificate minister is not valid before 2026-01-01T00:00:00Z"),
        (b"certificate".to_vec(), Wrong, "not a certificate"),
    ] {
        expect(judged(&judge, &[&value]), outcome, detail);
    }
    // The root's own certificate is signed by the root.
    judged(&judge, &[root.der()]).unwrap();
    let early = Timestamp(NOW.0 + 60 * 86_400_000);
    let mut found = Found::default();
    judge.entry(&entry(&[("a", &[&signed(&root, 2024, 2026)])]), &mut found).unwrap();
    judge.judge(&found, NOW).unwrap();
    expect(judge.judge(&found, early), Expiring, "certificate minister runs out at 2026-01-01T00:00:00Z");
}

#[test]
fn of_several_certificates_one_must_be_good() {
    let (root, renewed) = (authority("root"), authority("root"));
    // While a CA changes its key it has two certificates of one name.
    let judge = certificate_of(&[&root, &renewed]);
    let (good, ended) = (signed(&renewed, 2024, 4000), signed(&root, 2024, 2025));
    judged(&judge, &[&ended, &good]).unwrap();
    expect(judged(&judge, &[b"x", &ended]), Wrong, "not a certificate");
    let many: Vec<&[u8]> = vec![b"x"; 17];
    expect(judged(&judge, &many), Wrong, "none of the first 16 values is good: not a certificate");
}

#[test]
fn an_early_sign_counts_before_what_is_wrong_with_another_value() {
    let root = authority("root");
    let judge = certificate_of(&[&root]);
    let mut found = Found::default();
    judge.entry(&entry(&[("a", &[b"x", &signed(&root, 2024, 2026)])]), &mut found).unwrap();
    expect(judge.judge(&found, Timestamp(NOW.0 + 60 * 86_400_000)), Expiring, "runs out");
}

#[test]
fn a_list_is_judged_as_the_crl_check_judges_it() {
    let (root, impostor, other) = (authority("root"), authority("root"), authority("other"));
    judged(&list_of(&root, 7), &[&list(&root, 2, 4000)]).unwrap();
    for (value, detail) in [
        (list(&impostor, 2, 4000), "the signature is not by the key of who signed"),
        (list(&other, 2, 4000), "issued by other, which is not the issuer of the check"),
        (list(&root, 2, 2025), "the list of revoked certificates ran out at 2025-01-01T00:00:00Z"),
        (b"list".to_vec(), "not a list of revoked certificates"),
    ] {
        expect(judged(&list_of(&root, 7), &[&value]), Wrong, detail);
    }
    expect(judged(&list_of(&root, 8), &[&list(&root, 2, 4000)]), Wrong, "does not list the certificate");
    expect(
        judged(&list_of(&root, 7), &[&list(&root, 2, 2026)]),
        Expiring,
        "runs out at 2026-01-01T00:00:00Z",
    );
}

#[test]
fn a_list_whose_number_went_down_is_wrong() {
    let root = authority("root");
    let judge = list_of(&root, 7);
    judged(&judge, &[&list(&root, 2, 4000)]).unwrap();
    expect(judged(&judge, &[&list(&root, 1, 4000)]), Wrong, "its number went down");
    judged(&judge, &[&list(&root, 3, 4000)]).unwrap();
}

#[test]
fn more_entries_than_were_asked_for_are_wrong() {
    let judge = judge(None, LdapValue::Any);
    let mut found = Found::default();
    for _ in 0..ENTRIES_MAX {
        judge.entry(&entry(&[]), &mut found).unwrap();
    }
    expect(judge.entry(&entry(&[]), &mut found), Wrong, "more than 1000 entries");
}

#[test]
fn a_million_small_values_are_not_kept() {
    let judge = judge(Some("a"), LdapValue::Equals("x".into()));
    let values: Vec<&[u8]> = vec![b"y"; 1_000_000];
    let mut found = Found::default();
    judge.entry(&entry(&[("a", &values)]), &mut found).unwrap();
    assert!(found.values.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let judge = judge(Some("a"), LdapValue::Any);
        let mut found = Found::default();
        let _judged = judge.entry(&bytes, &mut found);
        let _judged = found.reference(&bytes);
        let _judged = super::super::messages::message(&bytes);
        let _judged = super::super::messages::succeeded("search", &bytes);
    }

    #[test]
    fn an_entry_that_is_cut_anywhere_is_malformed(cut in 0_usize..24) {
        let whole = entry(&[("a", &[b"value"])]);
        let cut = cut.min(whole.len() - 1);
        let judge = judge(Some("a"), LdapValue::Any);
        expect(judge.entry(&whole[..cut], &mut Found::default()), Wrong, "not an LDAP answer");
    }
}

//! That no change of a sealed file goes unseen, and no gap between files.

use proptest::{prelude::*, test_runner::Config};

use super::*;

/// A signed report, as `tests/it/report.rs` makes it.
const LIVE: &[u8] = include_bytes!("../../tests/data/report/live.json");

fn key(seed: u8) -> SigningKey {
    let head =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    SigningKey::parse(&[&head[..], &[seed; 32]].concat()).unwrap()
}

fn status(file: &[u8], key: Option<&PublicKey>) -> Status {
    verify(&[("file".to_owned(), file.to_vec())], key)[0].status
}

#[test]
fn a_sealed_report_is_valid_and_reads_back_the_same() {
    assert_eq!(status(LIVE, Some(&key(7).public())), Status::Valid);
    let sealed = Sealed::parse(LIVE).unwrap();
    assert_eq!(sealed.to_bytes().unwrap(), LIVE);
    assert_eq!(Sealed::seal(sealed.report.clone(), Some(&key(7))).unwrap(), sealed);
}

proptest! {
    #![proptest_config(Config { cases: 1_000, ..Config::default() })]

    #[test]
    fn one_changed_byte_is_found_anywhere(at in 0..LIVE.len(), byte in prop_oneof![any::<u8>(), b' '..=b'~']) {
        prop_assume!(LIVE[at] != byte);
        let mut file = LIVE.to_vec();
        file[at] = byte;
        prop_assert_ne!(status(&file, Some(&key(7).public())), Status::Valid);
    }

    #[test]
    fn one_byte_more_is_found_anywhere(at in 0..=LIVE.len(), byte in prop_oneof![any::<u8>(), b' '..=b'~', Just(b'\n')]) {
        let mut file = LIVE.to_vec();
        file.insert(at, byte);
        prop_assert_ne!(status(&file, Some(&key(7).public())), Status::Valid);
    }

    // The line feed at the end is no part of the report.
    #[test]
    fn one_byte_less_is_found_anywhere(at in 0..LIVE.len() - 1) {
        let mut file = LIVE.to_vec();
        file.remove(at);
        prop_assert_ne!(status(&file, Some(&key(7).public())), Status::Valid);
    }
}

#[test]
fn whoever_seals_a_changed_report_anew_lacks_the_key() {
    let mut report = Sealed::parse(LIVE).unwrap().report;
    report.verdict.outcome = Outcome::Passed;
    let anew = |key: Option<&SigningKey>| Sealed::seal(report.clone(), key).unwrap().to_bytes().unwrap();
    let public = key(7).public();
    assert_eq!(status(&anew(Some(&key(8))), Some(&public)), Status::BadSignature);
    assert_eq!(status(&anew(None), Some(&public)), Status::Unsigned);
    let mut borrowed = Sealed::seal(report.clone(), None).unwrap();
    borrowed.signature = Sealed::parse(LIVE).unwrap().signature;
    assert_eq!(status(&borrowed.to_bytes().unwrap(), Some(&public)), Status::BadSignature);
}

#[test]
fn a_name_given_twice_and_a_report_written_anew_are_found() {
    let text = String::from_utf8(LIVE.to_vec()).unwrap();
    let twice = text.replacen("\"overdue\":false", "\"overdue\":true,\"overdue\":false", 1);
    assert_ne!(twice, text);
    assert_eq!(status(twice.as_bytes(), None), Status::Altered);
    let indented = serde_json::to_string_pretty(&Sealed::parse(LIVE).unwrap()).unwrap();
    assert_eq!(status(indented.as_bytes(), None), Status::Altered);
}

/// A chain of unsigned reports: each letter is one, named by it, after the one before.
fn chain(names: &str) -> Vec<Sealed> {
    let mut previous: Option<String> = None;
    let seal = |(index, name): (usize, char)| {
        let mut report = Sealed::parse(LIVE).unwrap().report;
        report.identity.number = format!("gpki/{name}");
        report.integrity.sealed_at += index as i64;
        report.integrity.previous_digest = previous.clone();
        let sealed = Sealed::seal(report, None).unwrap();
        previous = Some(sealed.digest.clone());
        sealed
    };
    names.chars().enumerate().map(seal).collect()
}

/// `=` stands for what is right, `!` for a broken chain, `x` for altered.
fn check(files: &[Sealed], expected: &str) {
    let files: Vec<_> =
        files.iter().map(|one| (one.report.identity.number.clone(), one.to_bytes().unwrap())).collect();
    let checked = verify(&files, None);
    let found: String = checked
        .iter()
        .map(|one| match one.status {
            Status::Unsigned => '=',
            Status::BrokenChain => '!',
            Status::Altered => 'x',
            Status::Valid | Status::BadSignature => '?',
        })
        .collect();
    assert_eq!(found, expected, "{checked:#?}");
}

#[test]
fn a_chain_is_followed_in_any_order_and_gaps_are_found() {
    let all = chain("abcd");
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| all[index].clone());
    check(&all, "====");
    check(&[d.clone(), b.clone(), a.clone(), c.clone()], "====");
    // Old reports are removed; the copy of a file says nothing new.
    check(&[c.clone(), d.clone()], "==");
    check(&[c.clone(), c.clone(), d.clone()], "===");
    // One in the middle was taken away.
    check(&[a.clone(), c.clone(), d.clone()], "=!=");
    // One was written anew, and its digest with it: what follows it no longer does.
    let mut report = b.report.clone();
    report.verdict.outcome = Outcome::Passed;
    check(&[a.clone(), Sealed::seal(report, None).unwrap(), c.clone()], "==!");
    // Only its text was changed.
    let mut changed = b;
    changed.report.verdict.outcome = Outcome::Passed;
    check(&[a, changed, c], "=x=");
}

#[test]
fn two_reports_after_the_same_one_are_found() {
    let all = chain("abc");
    let mut report = all[1].report.clone();
    report.identity.number = "gpki/z".to_owned();
    let twin = Sealed::seal(report, None).unwrap();
    check(&[all[0].clone(), all[1].clone(), twin], "=!!");
    // Two that both say that they are the first.
    let mut report = all[0].report.clone();
    report.integrity.sealed_at += 10;
    check(&[all[0].clone(), Sealed::seal(report, None).unwrap()], "=!");
}

#[test]
fn each_drill_has_a_chain_of_its_own() {
    let mut all = chain("ab");
    let mut report = all[0].report.clone();
    report.identity.drill = "gpki/other".to_owned();
    all.push(Sealed::seal(report, None).unwrap());
    check(&all, "===");
}

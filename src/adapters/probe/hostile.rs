//! Answers that were good and are broken in every way: what judges them neither panics nor takes them.

use std::{sync::Arc, time::Duration};

use super::{
    Bad,
    crl::ListJudge,
    ocsp::{Judge as OcspJudge, Question},
    pki::Authorities,
    timestamp::{Judge as TimestampJudge, Times},
};
use crate::{
    domain::Timestamp,
    ports::{CrlRules, NonceRule, OcspSpec, Revocation, TlsSpec},
};

/// Made by openssl at this moment, all by one authority, and good for ten years.
const MADE: Timestamp = Timestamp(1_795_450_645_000);
const AUTHORITY: &str = include_str!("../../../tests/data/probe/ca.pem");
const LIST: &[u8] = include_bytes!("../../../tests/data/probe/list.der");
const OCSP: &[u8] = include_bytes!("../../../tests/data/probe/ocsp.der");
const STAMP: &[u8] = include_bytes!("../../../tests/data/probe/stamp.der");
const STAMP_NONCE: [u8; 8] = 0x175D_2CFA_E040_A129_u64.to_be_bytes();

/// Broken answers for each judge. 4,000 take a second, and find in the first hundred what a changed judge lets through.
pub(super) const ROUNDS: u64 = 4_000;

fn authorities() -> Authorities {
    Authorities::from_pem(AUTHORITY).unwrap()
}

fn list(body: &[u8]) -> Result<(), Bad> {
    let revoked: Option<Arc<[u8]>> = Some(Arc::from([0x20, 0x02]));
    let rules = CrlRules { issuer: AUTHORITY.into(), revoked, max_age: None, lifetime_left_percent: 25 };
    ListJudge::new(&rules).map_err(Bad::wrong)?.judge(body, MADE)
}

fn ocsp(body: &[u8]) -> Result<(), Bad> {
    let issuer = authorities();
    let spec = OcspSpec {
        path: "/".into(),
        methods: Vec::new(),
        issuer: AUTHORITY.into(),
        canaries: Vec::new(),
        nonce: NonceRule::None,
        max_age: None,
        clock_skew: Duration::from_secs(60),
        expires_within: Duration::ZERO,
        tls: TlsSpec::default(),
    };
    let question = Question::new(&issuer, &[0x10, 0x01], NonceRule::None)?;
    OcspJudge { spec: &spec, issuer: &issuer, now: MADE }.answer(body, &question, Revocation::Good)
}

fn stamp(body: &[u8]) -> Result<(), Bad> {
    let judge = TimestampJudge {
        authorities: authorities(),
        policy: None,
        max_difference: Duration::from_secs(60),
        expires_within: Duration::ZERO,
    };
    judge.answer(body, &[0x5a; 32], &STAMP_NONCE, Times { asked: MADE, answered: MADE })
}

/// Breaks an answer once or more often: a bit, a length that promises gigabytes, a piece twice, a piece less, bytes of its own.
pub(super) fn broken(good: &[u8], chance: &mut fastrand::Rng) -> Vec<u8> {
    let mut body = good.to_vec();
    for _ in 0..chance.usize(1..4) {
        let at = chance.usize(..body.len().max(1));
        let to = (at + chance.usize(1..64)).min(body.len());
        match chance.u8(..6) {
            0 => body[at] ^= 1 << chance.u8(..8),
            1 => body.truncate(at + 1),
            2 => drop(body.splice(at..at, [0x84, 0xff, 0xff, 0xff, 0xff])),
            3 => drop(body.splice(at..at, body[at..to].to_vec())),
            4 => drop(body.drain(at..to.min(body.len() - 1).max(at))),
            _ => drop(body.splice(at..at, vec![0x30; chance.usize(1..2_000)])),
        }
    }
    body
}

fn judge_all(good: &[u8], judge: fn(&[u8]) -> Result<(), Bad>, may_differ: impl Fn(&[u8]) -> bool) {
    judge(good).unwrap();
    for seed in 0..ROUNDS {
        let body = broken(good, &mut fastrand::Rng::with_seed(seed));
        let taken = judge(&body).is_ok() && body != good;
        assert!(!taken || may_differ(&body), "seed {seed} is taken: {body:02x?}");
    }
}

#[test]
fn no_broken_list_of_revoked_certificates_is_taken() {
    judge_all(LIST, list, |_| false);
}

#[test]
fn no_broken_ocsp_answer_is_taken() {
    // What says who signed is sent along and not signed: it may differ where it is not needed.
    judge_all(OCSP, ocsp, |_| false);
}

#[test]
fn no_broken_timestamp_is_taken() {
    // RFC 5652 signs the content and the attributes; the rest of the frame, such as the list of hashes, may differ.
    let signed = content_of(STAMP);
    judge_all(STAMP, stamp, |body| content_of(body) == signed);
}

#[test]
fn no_bit_of_what_a_timestamp_signs_may_differ() {
    let signed = content_of(STAMP).unwrap();
    let begins = STAMP.windows(signed.len()).position(|bytes| bytes == signed).unwrap();
    for bit in 0..signed.len() * 8 {
        let mut body = STAMP.to_vec();
        body[begins + bit / 8] ^= 1 << (bit % 8);
        assert!(stamp(&body).is_err(), "bit {bit}");
    }
}

/// What is signed of an answer: its kind, and an element whose length is in one byte.
fn content_of(body: &[u8]) -> Option<&[u8]> {
    let kind = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04";
    let begins = body.windows(kind.len()).position(|bytes| bytes == kind)?;
    let head = begins + kind.len() + 2;
    body.get(begins..head + usize::from(*body.get(head - 1)?))
}

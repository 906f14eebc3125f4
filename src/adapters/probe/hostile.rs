//! Answers that were good and are broken in every way: what judges them neither panics nor takes them.

use std::{collections::BTreeSet, fs, panic::catch_unwind, path::Path};

use crate::adapters::fuzzed::{
    cbor, certificate, crl, did, dns, expect, grpc, ldap, name_server, ocsp, promql, timestamp, verifier, xml,
};

type Parser = fn(&[u8]) -> Result<(), String>;

/// All parsers of what comes from the network, each by the name of its target in `fuzz/`.
const PARSERS: [(&str, Parser); 14] = [
    ("cbor", cbor),
    ("certificate", certificate),
    ("crl", crl),
    ("did", did),
    ("dns", dns),
    ("expect", expect),
    ("grpc", grpc),
    ("ldap", ldap),
    ("name_server", name_server),
    ("ocsp", ocsp),
    ("promql", promql),
    ("timestamp", timestamp),
    ("verifier", verifier),
    ("xml", xml),
];

const LIST: &[u8] = include_bytes!("../../../fuzz/corpus/crl/good");
const OCSP: &[u8] = include_bytes!("../../../fuzz/corpus/ocsp/good");
const STAMP: &[u8] = include_bytes!("../../../fuzz/corpus/timestamp/good");

/// Broken answers for each judge. 4,000 take a second, and find in the first hundred what a changed judge lets through.
const ROUNDS: u64 = 4_000;

/// Broken answers for each parser, of the whole corpus together: a second for the slowest of them.
const ROUNDS_OF_PARSERS: u64 = 1_000;

/// Breaks an answer once or more often: a bit, a length that promises gigabytes, a piece twice, a piece less, bytes of its own.
fn broken(good: &[u8], chance: &mut fastrand::Rng) -> Vec<u8> {
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

fn judge_all(good: &[u8], judge: Parser, may_differ: impl Fn(&[u8]) -> bool) {
    judge(good).unwrap();
    for seed in 0..ROUNDS {
        let body = broken(good, &mut fastrand::Rng::with_seed(seed));
        let taken = judge(&body).is_ok() && body != good;
        assert!(!taken || may_differ(&body), "seed {seed} is taken: {body:02x?}");
    }
}

#[test]
fn no_broken_list_of_revoked_certificates_is_taken() {
    judge_all(LIST, crl, |_| false);
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
    judge_all(STAMP, timestamp, |body| content_of(body) == signed);
}

#[test]
fn no_bit_of_what_a_timestamp_signs_may_differ() {
    let signed = content_of(STAMP).unwrap();
    let begins = STAMP.windows(signed.len()).position(|bytes| bytes == signed).unwrap();
    for bit in 0..signed.len() * 8 {
        let mut body = STAMP.to_vec();
        body[begins + bit / 8] ^= 1 << (bit % 8);
        assert!(timestamp(&body).is_err(), "bit {bit}");
    }
}

/// What is signed of an answer: its kind, and an element whose length is in one byte.
fn content_of(body: &[u8]) -> Option<&[u8]> {
    let kind = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04";
    let begins = body.windows(kind.len()).position(|bytes| bytes == kind)?;
    let head = begins + kind.len() + 2;
    body.get(begins..head + usize::from(*body.get(head - 1)?))
}

/// The answers of a parser's corpus, each with the name of its file.
fn corpus(parser: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(fuzz().join("corpus").join(parser)).unwrap().map(|file| file.unwrap().path());
    let named = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.map(|path| (named(&path), fs::read(&path).unwrap())).collect()
}

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

#[test]
fn every_answer_of_the_corpus_is_judged_without_a_panic_and_good_ones_are_taken() {
    for (name, parser) in PARSERS {
        assert!(parser(&[]).is_err(), "{name} takes nothing for an answer");
        let corpus = corpus(name);
        assert!(corpus.iter().any(|(file, _)| file.starts_with("good")), "{name} has no good answer");
        for (file, answer) in corpus {
            let judged = catch_unwind(|| parser(&answer));
            let judged = judged.unwrap_or_else(|_| panic!("{name} panics at fuzz/corpus/{name}/{file}"));
            assert!(!file.starts_with("good") || judged.is_ok(), "{name}: {file} is not taken: {judged:?}");
        }
    }
}

#[test]
fn no_parser_panics_at_a_broken_answer() {
    for (name, parser) in PARSERS {
        let corpus = corpus(name);
        for (seed, (file, answer)) in (0..ROUNDS_OF_PARSERS).zip(corpus.iter().cycle()) {
            let body = broken(answer, &mut fastrand::Rng::with_seed(seed));
            let judged = catch_unwind(|| parser(&body));
            assert!(judged.is_ok(), "{name} panics at {file} broken by seed {seed}: {body:02x?}");
        }
    }
}

#[test]
fn every_parser_is_a_target_of_the_fuzzer() {
    let named = |directory: &str| -> BTreeSet<String> {
        let files = fs::read_dir(fuzz().join(directory)).unwrap().map(|file| file.unwrap().path());
        files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    let parsers: BTreeSet<String> = PARSERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named("corpus"), parsers);
    assert_eq!(named("fuzz_targets"), parsers);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in parsers {
        assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "{name} is not in fuzz/Cargo.toml");
        let target = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("bongsu::adapters::fuzzed::{name}(")), "{target}");
    }
}

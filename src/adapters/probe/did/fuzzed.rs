//! Answers of a ledger as fuzzing makes them.

use std::time::Duration;

use super::{super::fuzzed::MADE, Bad, DidResolve, DidStatus, Head, document, judge_status, parse};
use crate::{domain::Tick, ports::DidHead};

const DID: &str = "did:kr:a:b";

/// Judges an answer that holds a document, a status and a head: whatever else it says, a document that is taken is of the DID that
/// was asked for.
pub(in super::super) fn judge(answer: &[u8]) -> Result<(), Bad> {
    let status = judge_status(&status(), 200, answer).map_err(Bad::wrong);
    let answer = parse(answer)?;
    let document = document::judge(&answer, &resolve());
    assert!(document.is_err() || answer["didDoc"]["id"] == DID || answer["didDoc"].is_string(), "{answer}");
    let head = Head::new(head()).judge(&answer, Tick(0), MADE);
    status.and(document).and(head)
}

fn resolve() -> DidResolve {
    DidResolve {
        did: DID.into(),
        path: "/".into(),
        document: "/didDoc".into(),
        key_id: Some("k".into()),
        public_key: Some("mA".into()),
    }
}

fn status() -> DidStatus {
    let (path, pointer) = ("/".into(), "/wrapped/status".into());
    DidStatus { path, pointer, expect: Some("REVOKED".into()), http_status: 200 }
}

fn head() -> DidHead {
    DidHead {
        path: "/".into(),
        rpc: None,
        number: "/number".into(),
        time: Some("/time".into()),
        max_stall: Duration::from_secs(15),
        max_behind: u64::MAX,
        max_age: Duration::from_secs(60),
    }
}

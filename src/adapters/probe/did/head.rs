//! The newest block of a chain: its number never goes down, moves on in time, and its time is near this host's.
//!
//! A node whose chain has stopped still answers every question about what is in it already, so every other check stays green.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::{
    Bad,
    json::{find, text},
    line::line,
    pki::date,
};
use crate::{
    domain::{Tick, Timestamp},
    ports::{ChainRpc, DidHead},
};

/// What is expected of the newest block, and the highest one that was seen. As with the number of a CRL, a restart forgets it.
pub(super) struct Head {
    spec: DidHead,
    seen: Mutex<Option<Seen>>,
}

#[derive(Clone, Copy)]
struct Seen {
    number: u64,
    /// When it was seen first.
    since: Tick,
}

impl Head {
    pub(super) fn new(spec: DidHead) -> Self {
        Self { spec, seen: Mutex::default() }
    }

    pub(super) fn path(&self) -> &str {
        &self.spec.path
    }

    /// What is posted (JSON-RPC 2.0); `None`: the path alone is asked.
    pub(super) fn question(&self) -> Option<Bytes> {
        let (method, params) = match self.spec.rpc? {
            ChainRpc::EthBlockNumber => ("eth_blockNumber", json!([])),
            ChainRpc::EthGetBlockByNumber => ("eth_getBlockByNumber", json!(["latest", false])),
        };
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        Some(question.to_string().into())
    }

    /// Judges an answer, also by those before it.
    ///
    /// # Errors
    /// It has no number or time, an older block than before, the same for too long, or one whose time is far from this host's.
    pub(super) fn judge(&self, answer: &Value, now: Tick, wall: Timestamp) -> Result<(), Bad> {
        let spec = &self.spec;
        if let (Some(error), true) =
            (answer.get("error").filter(|error| !error.is_null()), spec.rpc.is_some())
        {
            let said = error.get("message").and_then(Value::as_str).unwrap_or("no message");
            return Err(Bad::wrong(line(format_args!("the node refuses: {said}"))));
        }
        let number = at(answer, &spec.number, "a block number", number)?;
        let time = spec.time.as_ref().map(|pointer| at(answer, pointer, "a time", time)).transpose()?;
        // A block from another time must not make the right one after it look old: it is not remembered.
        if let Some(time) = time {
            self.age(number, time, wall)?;
        }
        self.follows(number, now)
    }

    fn age(&self, number: u64, time: Timestamp, wall: Timestamp) -> Result<(), Bad> {
        let max = self.spec.max_age;
        let (age, ahead) = (whole(wall.since(time)), time.since(wall));
        if ahead > max {
            return Err(Bad::wrong(line(format_args!("block {number} is from the future: {}", date(time)))));
        }
        if age > max {
            let detail =
                format_args!("block {number} is the newest, and is {age:?} old: longer than {max:?}");
            return Err(Bad::stale(line(detail)));
        }
        Ok(())
    }

    fn follows(&self, number: u64, now: Tick) -> Result<(), Bad> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let highest = match *seen {
            Some(highest) if number <= highest.number => highest,
            _ => {
                *seen = Some(Seen { number, since: now });
                return Ok(());
            }
        };
        if highest.number - number > self.spec.max_behind {
            let detail = format_args!("went down from block {} to {number}: an older state", highest.number);
            return Err(Bad::stale(line(detail)));
        }
        let (stood, max) = (whole(now.since(highest.since)), self.spec.max_stall);
        if stood > max {
            let detail =
                format_args!("stands still at block {} for {stood:?}, longer than {max:?}", highest.number);
            return Err(Bad::stale(line(detail)));
        }
        Ok(())
    }
}

/// From ten seconds on the rest of a second says nothing.
fn whole(time: Duration) -> Duration {
    if time < Duration::from_secs(10) {
        time
    } else {
        Duration::from_secs(time.as_millis().div_ceil(1_000) as u64)
    }
}

/// What is at a pointer, read as a number or a time.
fn at<T>(answer: &Value, pointer: &str, what: &str, read: fn(&str) -> Option<T>) -> Result<T, Bad> {
    let found = find(answer, pointer).filter(|found| !found.is_null());
    let found = found.ok_or_else(|| Bad::wrong(line(format_args!("has no {pointer}"))))?;
    let read = text(&found).and_then(|text| read(&text));
    read.ok_or_else(|| Bad::wrong(line(format_args!("{pointer} is not {what}: {found}"))))
}

/// A number, decimal or in hexadecimal behind `0x`.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    // `from_str_radix` takes a sign too.
    let plain = digits.chars().all(|digit| digit.is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| plain)
}

/// A time: RFC 3339, or seconds since 1970.
fn time(text: &str) -> Option<Timestamp> {
    match number(text) {
        Some(seconds) => i64::try_from(seconds).ok()?.checked_mul(1_000).map(Timestamp),
        None => text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T18:00:00Z.
    const NOW: Timestamp = Timestamp(1_795_456_800_000);

    fn head(max_behind: u64) -> Head {
        Head::new(DidHead {
            path: "/".into(),
            rpc: Some(ChainRpc::EthGetBlockByNumber),
            number: "/result/number".into(),
            time: Some("/result/timestamp".into()),
            max_stall: Duration::from_secs(15),
            max_behind,
            max_age: Duration::from_secs(60),
        })
    }

    fn said(head: &Head, answer: &Value, second: u64) -> String {
        let judged = head.judge(answer, Tick(second * 1_000), NOW);
        judged.err().map_or_else(String::new, |bad| bad.detail)
    }

    fn block(number: u64) -> Value {
        json!({"result": {"number": format!("{number:#x}"), "timestamp": NOW.0 / 1_000}})
    }

    #[test]
    fn a_head_that_moves_on_is_good_and_one_that_stands_still_is_not() {
        let head = head(0);
        for (second, number, expected) in [
            (0, 100, ""),
            (5, 101, ""),
            (20, 101, ""),
            (21, 101, "stands still at block 101 for 16s, longer than 15s"),
            (3_605, 101, "stands still at block 101 for 3600s, longer than 15s"),
            (3_606, 102, ""),
            (3_607, 101, "went down from block 102 to 101: an older state"),
            (3_608, 102, ""),
            (3_622, 102, "stands still at block 102 for 16s, longer than 15s"),
        ] {
            assert_eq!(said(&head, &block(number), second), expected, "at {second} s");
        }
    }

    #[test]
    fn nodes_behind_one_address_may_be_some_blocks_apart() {
        let head = head(2);
        for (second, number, expected) in [
            (0, 100, ""),
            (1, 98, ""),
            (2, 97, "went down from block 100 to 97: an older state"),
            // That one node is behind does not hide that the highest stands still.
            (16, 99, "stands still at block 100 for 16s, longer than 15s"),
            (17, 101, ""),
        ] {
            assert_eq!(said(&head, &block(number), second), expected, "at {second} s");
        }
    }

    #[test]
    fn the_time_of_a_block_is_near_this_hosts() {
        let at = |time: Value| said(&head(0), &json!({"result": {"number": 7, "timestamp": time}}), 0);
        for good in [
            json!(1_795_456_800),
            json!("1795456740"),
            json!("0x6b047f20"),
            json!("2026-11-23T18:00:00Z"),
            json!("2026-11-24T03:00:30.5+09:00"),
        ] {
            assert_eq!(at(good.clone()), "", "{good}");
        }
        for (time, expected) in [
            (json!(1_795_456_739), "block 7 is the newest, and is 61s old: longer than 60s"),
            (json!("2026-11-23T17:00:00Z"), "block 7 is the newest, and is 3600s old: longer than 60s"),
            (json!(1_795_456_861), "block 7 is from the future: 2026-11-23T18:01:01Z"),
            (json!("yesterday"), r#"/result/timestamp is not a time: "yesterday""#),
            (json!(u64::MAX), "/result/timestamp is not a time: 18446744073709551615"),
            (json!(-1), "/result/timestamp is not a time: -1"),
            (json!(["2026"]), r#"/result/timestamp is not a time: ["2026"]"#),
            (Value::Null, "has no /result/timestamp"),
        ] {
            assert_eq!(at(time.clone()), expected, "{time}");
        }
    }

    #[test]
    fn what_is_no_number_is_wrong_and_not_remembered() {
        let head = head(0);
        let with = |number: Value| {
            said(&head, &json!({"result": {"number": number, "timestamp": NOW.0 / 1_000}}), 0)
        };
        for bad in [
            json!("0x"),
            json!(""),
            json!("+7"),
            json!("0x+7"),
            json!("0x10000000000000000"),
            json!(1.5),
            json!(-3),
            json!(1e300),
            json!("12 "),
            json!(true),
            json!({}),
            json!("9".repeat(100_000)),
        ] {
            let said = with(bad);
            assert!(said.starts_with("/result/number is not a block number: "), "{said}");
        }
        assert_eq!(with(Value::Null), "has no /result/number");
        assert_eq!(said(&head, &json!({"result": null}), 0), "has no /result/number");
        assert_eq!(said(&head, &json!([]), 0), "has no /result/number");
        let refusal = json!({"error": {"code": -32601, "message": "Method not enabled"}});
        assert_eq!(said(&head, &refusal, 0), "the node refuses: Method not enabled");
        // One from the future is not remembered either.
        let future = json!({"result": {"number": u64::MAX, "timestamp": 1_999_999_999}});
        assert!(said(&head, &future, 0).contains("from the future"));
        assert_eq!(with(json!("0x10")), "");
        assert_eq!(with(json!("17")), "");
    }
}

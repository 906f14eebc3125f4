//! The `payload` check: messages of several sizes, each on a connection of its own, all at the same time. A path that loses only
//! large packets, as on 2023-11-17 nine of ten of 1500 bytes, is found by what passes and what does not.

use std::{fmt::Write, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use tokio::time::{Instant, timeout};

use super::{Bad, Means, Phase, http::Carrier, line::line, sample};
use crate::{
    domain::{Outcome, Sign, Stage},
    ports::{CheckSpec, Endpoint, PayloadSpec, Probe, ProbeError, Reading},
};

/// Largest answer where it is not an echo, and least limit where it is one. 64 KiB, as for the `http` check.
const ANSWER_BYTES: usize = 64 * 1024;

/// The part of a sample's time that is kept for the judgement: each message has the rest. A tenth is 50 ms at the
/// shortest usual timeout, many times what the judgement takes on a busy host.
const KEPT: u32 = 10;

/// The `payload` check of one member.
pub(super) struct PayloadProbe {
    carrier: Carrier,
    path: Arc<str>,
    messages: Vec<Bytes>,
    echo: bool,
    timeout: Duration,
    max_latency: Option<Duration>,
}

/// What became of the message of a size: how long it took, or what is wrong.
type Sent = (usize, Result<Duration, Bad>);

impl PayloadProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &PayloadSpec,
    ) -> Result<Self, ProbeError> {
        let largest = spec.messages.last().map_or(0, Bytes::len);
        Ok(Self {
            carrier: Carrier::new(means, endpoint, check, &spec.tls, largest.max(ANSWER_BYTES))?,
            path: spec.path.clone(),
            messages: spec.messages.clone(),
            echo: spec.echo,
            timeout: check.timeout,
            max_latency: check.max_latency,
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        phase.enter(Stage::Answer, "messages");
        let sent = self.messages.iter().map(async |message| (message.len(), self.send(message).await));
        judge(join_all(sent).await, self.max_latency)
    }

    async fn send(&self, message: &Bytes) -> Result<Duration, Bad> {
        let limit = self.timeout - self.timeout / KEPT;
        let (start, phase) = (Instant::now(), Phase::default());
        let answer =
            timeout(limit, self.carrier.post(&self.path, "text/plain", message.clone(), &phase)).await;
        let answer = answer.map_err(|_| {
            Bad::unreachable(line(format_args!("no answer within {limit:?} ({})", phase.doing())))
        })??;
        match !self.echo || answer == *message {
            true => Ok(start.elapsed()),
            false => Err(Bad::wrong("the answer is not what was sent".to_owned())),
        }
    }
}

#[async_trait]
impl Probe for PayloadProbe {
    async fn run(&self) -> Reading {
        // The latency is judged for each message, so that the slow one is named.
        sample(self.timeout, None, |phase| async move { self.once(&phase).await }).await
    }
}

/// Judges messages, from the smallest to the largest. Silence comes first: what else is wrong with a size may be its consequence.
fn judge(sent: Vec<Sent>, max_latency: Option<Duration>) -> Result<(), Bad> {
    let of = |wanted: fn(&Result<Duration, Bad>) -> bool| -> Vec<usize> {
        sent.iter().filter(|(_, result)| wanted(result)).map(|(size, _)| *size).collect()
    };
    let passed = of(|result| result.is_ok());
    let lost = of(is_lost);
    if !passed.is_empty() && !lost.is_empty() {
        let from_bytes = begin_to_be_lost(&passed, &lost).and_then(|size| u32::try_from(size).ok());
        let lost = Bad::unreachable(describe(&passed, &lost, sent.len()));
        return Err(Bad { sign: Sign::LargeMessages, from_bytes, ..lost });
    }
    let mut slow = None;
    for (size, result) in sent {
        match result {
            Err(bad) if passed.is_empty() => {
                return Err(Bad { detail: line(format_args!("no message passes: {}", bad.detail)), ..bad });
            }
            Err(bad) => {
                let detail = line(format_args!("message of {size} bytes: {}", bad.detail));
                return Err(Bad { detail, ..bad });
            }
            Ok(took) => {
                slow = slow.or_else(|| max_latency.filter(|max| took > *max).map(|max| (size, took, max)))
            }
        }
    }
    match slow {
        Some((size, took, max)) => {
            let detail = format!("message of {size} bytes: took {} ms, limit {max:?}", took.as_millis());
            Err(Bad::new(Outcome::Slow, detail))
        }
        None => Ok(()),
    }
}

/// Nobody said anything, so that it may be the path.
fn is_lost(result: &Result<Duration, Bad>) -> bool {
    result.as_ref().is_err_and(|bad| bad.outcome == Outcome::Unreachable)
}

/// Size from which on all are lost, where all smaller ones pass or are not known to be lost.
fn begin_to_be_lost(passed: &[usize], lost: &[usize]) -> Option<usize> {
    let (first, largest) = (lost.first()?, passed.last()?);
    (largest < first).then_some(*first)
}

/// Which messages are lost and which pass, of so many in all.
fn describe(passed: &[usize], lost: &[usize], all: usize) -> String {
    if let Some(first) = begin_to_be_lost(passed, lost)
        && passed.len() + lost.len() == all
    {
        let pass = match passed {
            [only] => format!("{only} passes"),
            [smallest, .., largest] => format!("{smallest} to {largest} pass"),
            [] => String::new(),
        };
        return format!("messages of {first} bytes and more are lost ({pass})");
    }
    let verb = if passed.len() == 1 { "passes" } else { "pass" };
    line(format_args!("messages of {} bytes are lost ({} {verb})", list(lost), list(passed)))
}

fn list(sizes: &[usize]) -> String {
    let mut text = String::new();
    for size in sizes {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _written = write!(text, "{comma}{size}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter for each message: `.` passes, `s` passes slowly, `-` is lost, `!` is wrong, `x` is refused.
    fn sent(results: &str) -> Vec<Sent> {
        let result = |letter: char| match letter {
            '.' => Ok(Duration::from_millis(2)),
            's' => Ok(Duration::from_millis(300)),
            '-' => Err(Bad::unreachable("no answer within 450ms (body)".to_owned())),
            '!' => Err(Bad::wrong("the answer is not what was sent".to_owned())),
            _ => Err(Bad::refused("connect: connection refused".to_owned())),
        };
        [64, 512, 1400, 1500, 4096, 8192].into_iter().zip(results.chars().map(result)).collect()
    }

    #[test]
    fn what_is_lost_is_named_by_size() {
        use Outcome::{Ok as Good, Refused, Slow, Unreachable, Wrong};
        for (results, outcome, detail) in [
            ("......", Good, ""),
            ("...---", Unreachable, "messages of 1500 bytes and more are lost (64 to 1400 pass)"),
            (".-----", Unreachable, "messages of 512 bytes and more are lost (64 passes)"),
            (".....-", Unreachable, "messages of 8192 bytes and more are lost (64 to 4096 pass)"),
            (".-..-.", Unreachable, "messages of 512, 4096 bytes are lost (64, 1400, 1500, 8192 pass)"),
            ("-----.", Unreachable, "messages of 64, 512, 1400, 1500, 4096 bytes are lost (8192 passes)"),
            // Who refuses the largest still answers: that is not known to be lost.
            ("...--x", Unreachable, "messages of 1500, 4096 bytes are lost (64, 512, 1400 pass)"),
            ("..!---", Unreachable, "messages of 1500, 4096, 8192 bytes are lost (64, 512 pass)"),
            ("------", Unreachable, "no message passes: no answer within 450ms (body)"),
            ("xxxxxx", Refused, "no message passes: connect: connection refused"),
            ("!!----", Wrong, "no message passes: the answer is not what was sent"),
            ("....!.", Wrong, "message of 4096 bytes: the answer is not what was sent"),
            (".....x", Refused, "message of 8192 bytes: connect: connection refused"),
            ("...s.s", Slow, "message of 1500 bytes: took 300 ms, limit 200ms"),
            ("s..---", Unreachable, "messages of 1500 bytes and more are lost (64 to 1400 pass)"),
        ] {
            let judged = judge(sent(results), Some(Duration::from_millis(200)));
            let judged = judged.map_or_else(|bad| (bad.outcome, bad.detail), |()| (Good, String::new()));
            assert_eq!(judged, (outcome, detail.to_owned()), "{results}");
        }
    }

    #[test]
    fn without_a_limit_no_message_is_slow() {
        assert!(judge(sent("ssssss"), None).is_ok());
    }
}

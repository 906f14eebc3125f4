//! The `verifier` check: the messages by which a wallet presents an identity, one after the other. HTTP 200 says nothing: each answer says
//! itself whether it is right, and messages that must be refused are sent as well.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzed;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;

use super::{
    Bad, Means, Phase,
    expect::Expect,
    http::Carrier,
    json::{find, text, unwrapped},
    line::line,
    sample,
    transaction::{Answer, Names, Step, Values},
};
use crate::ports::{CheckSpec, Endpoint, Probe, ProbeError, Reading, VerifierSpec, VerifierStep};

/// Largest answer. 256 KiB: a profile has some kilobytes, one with images some ten.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Where an answer says by which code it refuses: mobile ID, also inside of `data`, and OpenDID.
const CODES: [&str; 4] = ["/errcode", "/data/errcode", "/code", "/data/code"];

/// Where it says so in words.
const WORDS: [&str; 4] = ["/errmsg", "/data/errmsg", "/description", "/message"];

/// The `verifier` check of one member.
pub(super) struct VerifierProbe {
    carrier: Carrier,
    timeout: Duration,
    max_latency: Option<Duration>,
    messages: Vec<Message>,
}

/// A message, and what its answer must be.
struct Message {
    name: Arc<str>,
    step: Step,
    judge: Judge,
}

/// What makes the answer to a message good.
struct Judge {
    http_status: u16,
    result: Arc<str>,
    expect_code: Option<Arc<str>>,
    expect: Option<Arc<Expect>>,
}

impl VerifierProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &VerifierSpec,
    ) -> Result<Self, ProbeError> {
        let mut names = Names::default();
        let message = |step: &VerifierStep| {
            let message = Message::new(means, step, &mut names);
            message.map_err(|cause| ProbeError::Field {
                check: check.name.to_string(),
                field: "steps",
                cause: line(format_args!("step {}: {cause}", step.request.name)),
            })
        };
        Ok(Self {
            messages: spec.steps.iter().map(message).collect::<Result<_, _>>()?,
            carrier: Carrier::new(means, endpoint, check, &spec.tls, ANSWER_BYTES_MAX)?,
            timeout: check.timeout,
            max_latency: check.max_latency,
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let mut values = Values::drawn()?;
        for message in &self.messages {
            phase.begin(&message.name);
            let said = message.exchange(&self.carrier, &mut values, phase).await;
            said.map_err(|bad| bad.in_step(&message.name))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Probe for VerifierProbe {
    async fn run(&self) -> Reading {
        sample(self.timeout, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

impl Message {
    fn new(means: &Means, spec: &VerifierStep, names: &mut Names) -> Result<Self, String> {
        let compiled = |source| means.expressions.compile(source).map_err(|cause| format!("expect: {cause}"));
        Ok(Self {
            name: spec.request.name.clone(),
            step: Step::new(&spec.request, names, &means.secrets)?,
            judge: Judge {
                http_status: spec.http_status,
                result: spec.result.clone(),
                expect_code: spec.expect_code.clone(),
                expect: spec.expect.as_ref().map(compiled).transpose()?,
            },
        })
    }

    async fn exchange(&self, carrier: &Carrier, values: &mut Values, phase: &Phase) -> Result<(), Bad> {
        let answer = self.step.send(carrier, values, phase).await?;
        let body = self.judge.answer(&answer)?;
        self.step.capture(&body, values)
    }
}

impl Judge {
    /// The body of an answer that is right.
    fn answer(&self, answer: &Answer) -> Result<Value, Bad> {
        if answer.status != self.http_status {
            let why = answer.body().ok().and_then(|body| refusal(&body));
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            let (status, expected) = (answer.status, self.http_status);
            return Err(Bad::wrong(line(format_args!("status {status}, expected {expected}{why}"))));
        }
        let body = answer.body()?;
        match &self.expect_code {
            Some(code) => self.refused(&body, code)?,
            None => self.taken(&body)?,
        }
        if let Some(expect) = &self.expect {
            expect.judge(answer.status, &answer.headers, opened(body.clone())).map_err(Bad::wrong)?;
        }
        Ok(body)
    }

    /// What the answer says itself; `None`: nothing is asked.
    fn result(&self, body: &Value) -> Result<Option<bool>, Bad> {
        let result = &self.result;
        if result.is_empty() {
            return Ok(None);
        }
        match find(body, result).as_deref() {
            Some(Value::Bool(result)) => Ok(Some(*result)),
            Some(other) => Err(Bad::wrong(line(format_args!("{result} is {other}, not true or false")))),
            None => Err(Bad::wrong(line(format_args!("has no {result}")))),
        }
    }

    fn taken(&self, body: &Value) -> Result<(), Bad> {
        if self.result(body)? != Some(false) {
            return Ok(());
        }
        let why = refusal(body).unwrap_or_else(|| "no code says why".to_owned());
        Err(Bad::wrong(line(format_args!("result is false: {why}"))))
    }

    /// A verifier that lets everybody in is worse than one that is down.
    fn refused(&self, body: &Value, expected: &str) -> Result<(), Bad> {
        if self.result(body)? == Some(true) {
            let detail = format_args!(
                "was taken, and must be refused with {expected}: the verifier lets in what it must not"
            );
            return Err(Bad::wrong(line(detail)));
        }
        match code(body) {
            Some(code) if code == expected => Ok(()),
            _ => {
                let said = refusal(body).unwrap_or_else(|| "no code".to_owned());
                Err(Bad::wrong(line(format_args!("must be refused with {expected}, not with {said}"))))
            }
        }
    }
}

/// With the JSON that texts of it hold, such as `data` of mobile ID, in their places.
fn opened(mut body: Value) -> Value {
    for value in body.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        if let Value::String(text) = value
            && let Some(inside) = unwrapped(text)
        {
            *value = inside;
        }
    }
    body
}

fn code(body: &Value) -> Option<String> {
    CODES.iter().find_map(|pointer| text(find(body, pointer)?.as_ref()))
}

/// Why an answer refuses: its code, and what that means.
fn refusal(body: &Value) -> Option<String> {
    let code = code(body);
    let known = code.as_deref().and_then(meaning).map(str::to_owned);
    let words = known.or_else(|| WORDS.iter().find_map(|pointer| text(find(body, pointer)?.as_ref())));
    match (code, words) {
        (Some(code), Some(words)) => Some(line(format_args!("{code}, {words}"))),
        (code, words) => code.or(words).map(|said| line(format_args!("{said}"))),
    }
}

/// Codes of mobile ID (message standard 1.8.0) and OpenDID that say where to look.
fn meaning(code: &str) -> Option<&'static str> {
    Some(match code {
        "10104" => "the transaction code is not found",
        "10201" => "a message out of sequence",
        "10202" => "the transaction timed out",
        "10399" => "the push server failed",
        "20307" => "the DID document cannot be fetched",
        "20401" | "20402" | "20403" => "the zero-knowledge proof is not right",
        "SSRVVRF00300" => "the transaction is not found",
        "SSRVVRF00402" => "the nonce is not right",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

//! The `did` check: a ledger of decentralised identifiers has the document of a DID, says of known credentials what is true, and moves on.

mod document;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzed;
mod head;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Uri};

use super::{
    Bad, Means, Phase,
    http::Carrier,
    json::{find, parse, text},
    line::line,
    sample,
};
use crate::domain::Stage;
use crate::ports::{CheckSpec, Clock, DidResolve, DidSpec, DidStatus, Endpoint, Probe, ProbeError, Reading};
use head::Head;

/// Largest answer. 1 MiB: a document has some kilobytes, a block names its transactions by 70 bytes each.
const ANSWER_BYTES_MAX: usize = 1_048_576;

/// The `did` check of one member.
pub(super) struct DidProbe {
    carrier: Carrier,
    timeout: Duration,
    max_latency: Option<Duration>,
    resolve: Option<DidResolve>,
    statuses: Vec<DidStatus>,
    head: Option<Head>,
    clock: Arc<dyn Clock>,
}

impl DidProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &DidSpec,
    ) -> Result<Self, ProbeError> {
        let DidSpec { resolve, statuses, head, tls } = spec;
        for path in paths(spec) {
            let parsed: Result<Uri, _> = path.parse();
            parsed.map_err(|error| ProbeError::Field {
                check: check.name.to_string(),
                field: "path",
                cause: line(format_args!("{path}: {error}")),
            })?;
        }
        Ok(Self {
            carrier: Carrier::new(means, endpoint, check, tls, ANSWER_BYTES_MAX)?,
            timeout: check.timeout,
            max_latency: check.max_latency,
            resolve: resolve.clone(),
            statuses: statuses.clone(),
            head: head.clone().map(Head::new),
            clock: means.clock.clone(),
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        if let Some(resolve) = &self.resolve {
            let step = Arc::from("document");
            phase.begin(&step);
            self.document(resolve, phase).await.map_err(|bad| bad.in_step(&step))?;
        }
        for status in &self.statuses {
            let step = Arc::from("status");
            phase.begin(&step);
            self.status(status, phase).await.map_err(|bad| bad.in_step(&step))?;
        }
        if let Some(head) = &self.head {
            let step = Arc::from("head");
            phase.begin(&step);
            self.head(head, phase).await.map_err(|bad| bad.in_step(&step))?;
        }
        Ok(())
    }

    async fn document(&self, resolve: &DidResolve, phase: &Phase) -> Result<(), Bad> {
        let body = self.carrier.get(&resolve.path, phase).await?;
        phase.enter(Stage::Judgement, "judgement");
        document::judge(&parse(&body)?, resolve)
    }

    async fn status(&self, status: &DidStatus, phase: &Phase) -> Result<(), Bad> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() =
            status.path.parse().map_err(|error| Bad::wrong(line(format_args!("path: {error}"))))?;
        let answer = self.carrier.send(request, phase).await?;
        phase.enter(Stage::Judgement, "judgement");
        let judged = judge_status(status, answer.status().as_u16(), answer.body());
        judged.map_err(|said| Bad::wrong(line(format_args!("{said} ({})", status.path))))
    }

    async fn head(&self, head: &Head, phase: &Phase) -> Result<(), Bad> {
        let body = match head.question() {
            Some(question) => self.carrier.post(head.path(), "application/json", question, phase).await?,
            None => self.carrier.get(head.path(), phase).await?,
        };
        phase.enter(Stage::Judgement, "judgement");
        head.judge(&parse(&body)?, self.clock.tick(), self.clock.wall())
    }
}

#[async_trait]
impl Probe for DidProbe {
    async fn run(&self) -> Reading {
        sample(self.timeout, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

fn paths(spec: &DidSpec) -> impl Iterator<Item = &Arc<str>> {
    let resolve = spec.resolve.iter().map(|resolve| &resolve.path);
    let statuses = spec.statuses.iter().map(|status| &status.path);
    resolve.chain(statuses).chain(spec.head.iter().map(|head| &head.path))
}

fn judge_status(status: &DidStatus, http_status: u16, body: &[u8]) -> Result<(), String> {
    let expected = status.http_status;
    if http_status != expected {
        return Err(format!("status {http_status}, expected {expected}"));
    }
    let Some(expected) = &status.expect else { return Ok(()) };
    let body = parse(body).map_err(|bad| bad.detail)?;
    let pointer = &status.pointer;
    let found = find(&body, pointer).ok_or_else(|| line(format_args!("has no {pointer}")))?;
    match text(&found) {
        Some(found) if *found == **expected => Ok(()),
        Some(found) => Err(line(format_args!("is {found}, expected {expected}"))),
        None => Err(line(format_args!("{pointer} is no text, expected {expected}"))),
    }
}

#[cfg(test)]
mod tests;

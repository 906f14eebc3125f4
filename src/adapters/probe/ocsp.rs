//! The `ocsp` check: a responder is asked for certificates whose status is known, good, revoked and unknown, by GET and by POST,
//! and its answers are verified as a client must (RFC 6960 §3.2).

mod answer;
mod question;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Bad, Means, Phase, http::Carrier, line::line, pki::Authorities, sample};
use crate::{
    domain::{Outcome, Stage},
    ports::{CheckSpec, Clock, Endpoint, OcspCanary, OcspMethod, OcspSpec, Probe, ProbeError, Reading},
};
pub(super) use answer::Judge;
pub(super) use question::Question;

/// Largest answer. 64 KiB: one answer with a chain of three certificates has some 5 KiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Media type of a request (RFC 6960 appendix C.1).
const REQUEST: &str = "application/ocsp-request";

/// The `ocsp` check of one member.
pub(super) struct OcspProbe {
    carrier: Carrier,
    timeout: Duration,
    max_latency: Option<Duration>,
    spec: OcspSpec,
    issuer: Authorities,
    clock: Arc<dyn Clock>,
}

impl OcspProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &OcspSpec,
    ) -> Result<Self, ProbeError> {
        let wrong = |cause| ProbeError::Field { check: check.name.to_string(), field: "issuer", cause };
        // Only the CA that issued the canaries may say who answers for it (RFC 6960 §4.2.2.2).
        let issuer = Authorities::from_pem(&spec.issuer).map_err(wrong)?.first();
        Ok(Self {
            carrier: Carrier::new(means, endpoint, check, &spec.tls, ANSWER_BYTES_MAX)?,
            timeout: check.timeout,
            max_latency: check.max_latency,
            spec: spec.clone(),
            issuer,
            clock: means.clock.clone(),
        })
    }

    /// Asks for each canary in each way; the first answer that is not good ends it.
    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let mut early = Ok(());
        for canary in &self.spec.canaries {
            for method in &self.spec.methods {
                match self.ask(canary, *method, phase).await {
                    // It must not hide that another answer is wrong. That one could not be judged weighs more than that
                    // something runs out.
                    Err(bad) if bad.outcome == Outcome::Unjudged => early = Err(bad),
                    Err(bad) if !bad.outcome.is_bad() => early = early.and(Err(bad)),
                    judged => judged?,
                }
            }
        }
        early
    }

    async fn ask(&self, canary: &OcspCanary, method: OcspMethod, phase: &Phase) -> Result<(), Bad> {
        let question = Question::new(&self.issuer, &canary.serial, self.spec.nonce)?;
        let answer = match method {
            OcspMethod::Get => self.carrier.get(&question.path(&self.spec.path), phase).await,
            OcspMethod::Post => {
                self.carrier.post(&self.spec.path, REQUEST, question.der().to_vec(), phase).await
            }
        };
        phase.enter(Stage::Judgement, "judgement");
        let judge = Judge { spec: &self.spec, issuer: &self.issuer, now: self.clock.wall() };
        let judged = answer.and_then(|body| judge.answer(&body, &question, canary.expected));
        judged.map_err(|bad| Bad { detail: about(&bad.detail, canary, method), ..bad })
    }
}

/// Which of the questions an answer was to.
fn about(detail: &str, canary: &OcspCanary, method: OcspMethod) -> String {
    let method = match method {
        OcspMethod::Get => "GET",
        OcspMethod::Post => "POST",
    };
    line(format_args!("{method}, {} canary: {detail}", canary.expected.as_str()))
}

#[async_trait]
impl Probe for OcspProbe {
    async fn run(&self) -> Reading {
        sample(self.timeout, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

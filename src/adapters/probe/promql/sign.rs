//! The `promql` check: what a number says of a member. Whatever goes wrong on the way to the Prometheus says nothing about it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    super::{Bad, Means, line::line, sample},
    Question,
};
use crate::{
    domain::{Limits, Outcome, Standing},
    ports::{CheckSpec, Meter, Probe, ProbeError, PromqlSpec, Reading, StageTimes},
};

/// The `promql` check of one member.
pub(in super::super) struct PromqlProbe {
    question: Question,
    limits: Limits,
    limit: Duration,
}

impl PromqlProbe {
    pub(in super::super) fn new(
        means: &Means,
        check: &CheckSpec,
        spec: &PromqlSpec,
    ) -> Result<Self, ProbeError> {
        let wrong = |cause| ProbeError::Field { check: check.name.to_string(), field: "prometheus", cause };
        let token = spec.token.as_ref().and_then(|secret| means.secrets.get(secret));
        let token = token.map(|value| match std::str::from_utf8(value) {
            Ok(text) => Ok(Arc::from(text.trim())),
            Err(_) => Err(wrong("the token is no text".to_owned())),
        });
        let meter =
            Meter { url: spec.url.clone(), token: token.transpose()?, ca_bundle: spec.ca_bundle.clone() };
        let question = Question::new(means, &meter, &spec.query).map_err(wrong)?;
        Ok(Self { question, limits: spec.limits, limit: check.timeout })
    }
}

#[async_trait]
impl Probe for PromqlProbe {
    async fn run(&self) -> Reading {
        let reading = sample(self.limit, None, |phase| async move {
            let values = self.question.ask(&phase).await;
            let values = values.map_err(|error| Bad::unjudged(line(format_args!("{error}"))))?;
            match self.limits.judge(&values) {
                Standing::Kept(_) => Ok(()),
                Standing::Broken(text) => Err(Bad::new(Outcome::Strained, line(format_args!("{text}")))),
                Standing::Unknown(why) => Err(Bad::unjudged(why)),
            }
        })
        .await;
        let outcome = if reading.outcome.is_bad() { Outcome::Unjudged } else { reading.outcome };
        // How long it took, and where it broke, is the way to the Prometheus and not to the member.
        Reading { outcome, symptom: None, stages: StageTimes::default(), ..reading }
    }
}

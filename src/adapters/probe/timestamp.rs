//! The `timestamp` check: a hash that was never used before is sent to a timestamp authority, and what comes back is verified as
//! RFC 3161 §2.4.2 says, the time in it by this host's clock.

mod syntax;
mod token;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use der::{Encode, asn1::ObjectIdentifier};

use super::{Bad, Means, Phase, http::Carrier, line::line, pki::Authorities, random::random, sample};
use crate::domain::Stage;
use crate::ports::{CheckSpec, Clock, Endpoint, Probe, ProbeError, Reading, TimestampSpec};
use syntax::Request;
pub(super) use token::{Judge, Times};

/// Largest answer. 64 KiB: a token with a chain of three certificates has some 6 KiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Media type of a request (RFC 3161 §3.4).
const QUERY: &str = "application/timestamp-query";

/// Bytes of a hash by SHA-256.
const IMPRINT_BYTES: usize = 32;

/// Bytes of the nonce: RFC 3161 §2.4.1 asks for 64 bits.
const NONCE_BYTES: usize = 8;

/// The `timestamp` check of one member.
pub(super) struct TimestampProbe {
    carrier: Carrier,
    timeout: Duration,
    max_latency: Option<Duration>,
    path: Arc<str>,
    judge: Judge,
    clock: Arc<dyn Clock>,
}

impl TimestampProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &TimestampSpec,
    ) -> Result<Self, ProbeError> {
        let wrong = |field, cause| ProbeError::Field { check: check.name.to_string(), field, cause };
        let policy = spec.policy.as_deref().map(ObjectIdentifier::new).transpose();
        Ok(Self {
            carrier: Carrier::new(means, endpoint, check, &spec.tls, ANSWER_BYTES_MAX)?,
            timeout: check.timeout,
            max_latency: check.max_latency,
            path: spec.path.clone(),
            judge: Judge {
                authorities: Authorities::from_pem(&spec.ca_bundle)
                    .map_err(|cause| wrong("caBundle", cause))?,
                policy: policy.map_err(|error| wrong("policy", line(format_args!("{error}"))))?,
                max_difference: spec.max_difference,
                expires_within: spec.expires_within,
            },
            clock: means.clock.clone(),
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let (imprint, nonce) = (random::<IMPRINT_BYTES>()?, random::<NONCE_BYTES>()?);
        let request = Request::new(&imprint, positive(nonce), self.judge.policy)
            .and_then(|request| request.to_der())
            .map_err(|error| Bad::unjudged(line(format_args!("the request cannot be made: {error}"))))?;
        let asked = self.clock.wall();
        let answer = self.carrier.post(&self.path, QUERY, request, phase).await?;
        phase.enter(Stage::Judgement, "judgement");
        let times = Times { asked, answered: self.clock.wall() };
        self.judge.answer(&answer, &imprint, &positive(nonce), times)
    }
}

#[async_trait]
impl Probe for TimestampProbe {
    async fn run(&self) -> Reading {
        sample(self.timeout, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

/// The same as a positive number with one encoding only: the first byte neither negative nor zero.
const fn positive(mut bytes: [u8; NONCE_BYTES]) -> [u8; NONCE_BYTES] {
    bytes[0] = bytes[0] & 0x7f | 0x40;
    bytes
}

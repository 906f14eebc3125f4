//! Checks that need something secret: a password, a header, a client's certificate. What is in a Secret is read when a sample is taken,
//! so that a rotated one counts from the next reading on, and stands in no spec, log or status.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::timeout;

use super::{Means, line::line, prepare};
use crate::{
    domain::{Outcome, Stage, Symptom},
    ports::{CheckSpec, Endpoint, Probe, ProbeError, Reading, Resources, SecretRef},
};

/// What was read of the Secrets of a check. Has no `Debug`, so that it gets into no log.
#[derive(Clone, Default, Eq, PartialEq)]
pub(super) struct SecretValues(BTreeMap<SecretRef, Arc<[u8]>>);

impl SecretValues {
    /// A value; `None` when the check is only tried, without its Secrets.
    pub(super) fn get(&self, of: &SecretRef) -> Option<&Arc<[u8]>> {
        self.0.get(of)
    }
}

/// A probe that is made anew when its Secrets change.
pub(super) struct SecretProbe {
    means: Means,
    resources: Arc<dyn Resources>,
    endpoint: Endpoint,
    check: CheckSpec,
    made: Mutex<Option<Made>>,
}

/// A probe, and what it was made with.
struct Made {
    values: SecretValues,
    probe: Arc<dyn Probe>,
}

impl SecretProbe {
    /// # Errors
    /// The check could not be run whatever its Secrets hold.
    pub(super) fn new(
        means: &Means,
        resources: Arc<dyn Resources>,
        endpoint: &Endpoint,
        check: &CheckSpec,
    ) -> Result<Self, ProbeError> {
        let _without = prepare(means, endpoint, check)?;
        let (endpoint, check) = (endpoint.clone(), check.clone());
        Ok(Self { means: means.clone(), resources, endpoint, check, made: Mutex::new(None) })
    }

    async fn read(&self) -> Result<SecretValues, String> {
        let mut values = BTreeMap::new();
        for secret in self.check.kind.secrets() {
            let SecretRef { namespace, name, key } = secret;
            let value = self.resources.secret(namespace, name, key).await;
            values.insert(secret.clone(), value.map_err(|error| error.to_string())?.into());
        }
        Ok(SecretValues(values))
    }

    fn probe(&self, values: SecretValues) -> Result<Arc<dyn Probe>, String> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.as_ref().filter(|made| made.values == values) {
            return Ok(Arc::clone(&made.probe));
        }
        let means = Means { secrets: values.clone(), ..self.means.clone() };
        let probe = prepare(&means, &self.endpoint, &self.check).map_err(|error| error.to_string())?;
        *made = Some(Made { values, probe: Arc::clone(&probe) });
        Ok(probe)
    }
}

#[async_trait]
impl Probe for SecretProbe {
    async fn run(&self) -> Reading {
        let read = timeout(self.check.timeout, self.read()).await;
        let values = read.unwrap_or_else(|_| Err("the API server does not answer in time".to_owned()));
        match values.and_then(|values| self.probe(values)) {
            Ok(probe) => probe.run().await,
            Err(cause) => not_asked(&cause),
        }
    }
}

/// The member was not asked, which says nothing about it.
fn not_asked(cause: &str) -> Reading {
    Reading {
        outcome: Outcome::Unjudged,
        latency: Duration::ZERO,
        detail: line(format_args!("its Secret cannot be used: {cause}")),
        symptom: Some(Symptom { stage: Stage::Resolve, ..Symptom::default() }),
        ..Reading::default()
    }
}

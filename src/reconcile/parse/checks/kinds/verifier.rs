//! What a check sends to a verifier of identities.

use std::{collections::BTreeSet, sync::Arc};

use super::{Wrong, plain, port, secret, tls_spec};
use crate::{
    api::{self, StepMethod},
    ports::{StepBody, StepSpec, VerifierSpec, VerifierStep},
};

pub(super) fn verifier_spec(namespace: &str, verifier: &api::VerifierCheck) -> Result<VerifierSpec, Wrong> {
    let mut names = BTreeSet::new();
    for (index, step) in verifier.steps.iter().enumerate() {
        if !names.insert(step.name.as_str()) {
            let message = format!("a second step named {:?}", step.name);
            return Err((format!(".verifier.steps[{index}].name"), message));
        }
    }
    Ok(VerifierSpec {
        steps: verifier.steps.iter().map(|one| step(namespace, one)).collect(),
        tls: tls_spec(namespace, ".verifier.tls", verifier.tls.as_ref())?,
    })
}

fn step(namespace: &str, step: &api::VerifierStep) -> VerifierStep {
    VerifierStep {
        request: request(namespace, step),
        http_status: port(step.http_status),
        result: Arc::from(step.result.as_str()),
        expect_code: step.expect_code.as_deref().map(Arc::from),
        expect: step.expect.as_deref().map(Arc::from),
    }
}

fn request(namespace: &str, step: &api::VerifierStep) -> StepSpec {
    let captures = step.captures.iter();
    StepSpec {
        name: Arc::from(step.name.as_str()),
        method: match step.method {
            StepMethod::Get => "GET",
            StepMethod::Post => "POST",
            StepMethod::Put => "PUT",
        },
        path: Arc::from(step.path.as_str()),
        headers: step.headers.iter().filter_map(plain).collect(),
        secret_headers: step.headers.iter().filter_map(|header| secret(namespace, header)).collect(),
        body: match (&step.body, &step.data) {
            (Some(body), _) => StepBody::Json(Arc::from(body.as_str())),
            (None, Some(data)) => StepBody::Data(Arc::from(data.as_str())),
            (None, None) => StepBody::None,
        },
        captures: captures
            .map(|capture| (Arc::from(capture.name.as_str()), Arc::from(capture.pointer.as_str())))
            .collect(),
    }
}

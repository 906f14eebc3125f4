//! Waiting at start until the API server answers and knows Bongsu's kinds.

use std::{collections::BTreeSet, time::Duration};

use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tracing::{info, warn};

use super::client::{API_TIMEOUT, CallError, bounded};
use super::error::describe;
use crate::{
    api::{GROUP, VERSION, all_crds},
    ports::Clock,
};

/// Between two looks: short against the seconds that an API server needs to start.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why Bongsu cannot work with its API server yet.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unready {
    /// No useful answer.
    #[error("the API server does not answer: {cause}")]
    Unreachable {
        /// Why.
        cause: String,
    },
    /// A CRD is missing.
    #[error("CRD {} is not installed: kubectl apply --server-side -f crds/", missing.join(", "))]
    CrdsMissing {
        /// Full names of the CRDs.
        missing: Vec<String>,
    },
}

/// Looks once.
///
/// # Errors
/// Says what is missing, in words for `/readyz`.
pub async fn readiness(client: &Client) -> Result<(), Unready> {
    // Discovery is open to everybody who is logged in; reading CRDs would need one more permission.
    let found = match bounded(client.list_api_group_resources(&format!("{GROUP}/{VERSION}"))).await {
        Ok(list) => list.resources.into_iter().map(|resource| resource.name).collect(),
        // By the number: a group that nobody knows is answered in plain text, which has no reason.
        Err(CallError::Answer(kube::Error::Api(status))) if status.code == 404 => BTreeSet::new(),
        Err(CallError::Answer(error)) => return Err(Unready::Unreachable { cause: describe(&error) }),
        Err(CallError::Timeout) => {
            return Err(Unready::Unreachable { cause: format!("nothing within {API_TIMEOUT:?}") });
        }
    };
    let absent = |crd: &_| !found.contains(plural(crd));
    let missing: Vec<String> =
        all_crds().iter().filter(|crd| absent(crd)).map(ResourceExt::name_any).collect();
    if missing.is_empty() { Ok(()) } else { Err(Unready::CrdsMissing { missing }) }
}

fn plural(
    crd: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
) -> &str {
    &crd.spec.names.plural
}

/// Waits until the API server is reachable and knows every kind. Says why not in `state` (`None`: ready) and logs it,
/// once for each new reason.
pub async fn wait_until_ready(client: &Client, clock: &dyn Clock, state: &watch::Sender<Option<Unready>>) {
    loop {
        let now = readiness(client).await.err();
        let changed = state.send_if_modified(|before| {
            let differs = *before != now;
            before.clone_from(&now);
            differs
        });
        match now {
            None => {
                info!("the API server is ready");
                return;
            }
            Some(reason) if changed => warn!(%reason, "waiting for the API server"),
            Some(_) => {}
        }
        clock.sleep(LOOK_EVERY).await;
    }
}

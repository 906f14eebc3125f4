//! Writing a status: only if it differs, and never over somebody else's write.
//!
//! By `replace` with the object's resource version and not by server-side apply: an applied status would win over one
//! that a newer leader wrote in between, and fields that are no longer set would stay until their owner is known.

use std::sync::Arc;

use kube::{Client, api::PostParams};

use super::{
    client::{API_TIMEOUT, CallError, bounded},
    error::describe,
    index::{Index, Kind},
    table::Name,
};
use crate::{
    api::{FIELD_MANAGER, merge_conditions},
    ports::ResourcesError,
};

/// Each attempt reads what the last one collided with; three collisions in a row are for the next pass.
const ATTEMPTS: usize = 3;

/// Writes a status if it differs from what is there.
pub(crate) async fn write<K: Kind>(
    client: &Client,
    index: &Index,
    name: &Name,
    status: K::Status,
) -> Result<(), ResourcesError> {
    let api = K::api(client.clone(), &name.0);
    let what = || format!("write status of {} {}", K::NAME, shown(name));
    let mut known = index.get::<K>(name);
    for _ in 0..ATTEMPTS {
        let object = match known.take() {
            Some(object) => object,
            None => {
                Arc::new(bounded(api.get(&name.1)).await.map_err(|error| refused::<K>(&error, name, what()))?)
            }
        };
        let Some(next) = updated(&*object, status.clone()) else {
            return Ok(());
        };
        match bounded(api.replace_status(&name.1, &parameters(), &next)).await {
            Ok(written) => {
                index.written(written);
                return Ok(());
            }
            Err(CallError::Answer(kube::Error::Api(answer))) if answer.is_conflict() => {}
            Err(error) => return Err(refused::<K>(&error, name, what())),
        }
    }
    Err(ResourcesError::Unavailable {
        what: what(),
        cause: "somebody else changes it again and again".to_owned(),
    })
}

/// The object with its new status; `None` if that is what it has already.
fn updated<K: Kind>(object: &K, mut status: K::Status) -> Option<K> {
    let mut before = object.status().cloned().unwrap_or_default();
    let conditions = K::conditions(&mut status);
    *conditions = merge_conditions(K::conditions(&mut before), std::mem::take(conditions));
    if object.status() == Some(&status) {
        return None;
    }
    let mut next = object.clone();
    *next.status_mut() = Some(status);
    Some(next)
}

/// What every write says of itself.
pub(crate) fn parameters() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn refused<K: Kind>(error: &CallError, name: &Name, what: String) -> ResourcesError {
    match error {
        CallError::Answer(kube::Error::Api(status)) if status.is_not_found() => {
            ResourcesError::NotFound { what: format!("{} {}", K::NAME, shown(name)) }
        }
        other => unavailable(other, what),
    }
}

/// A failed call as the port names it.
pub(crate) fn unavailable(error: &CallError, what: String) -> ResourcesError {
    let cause = match error {
        CallError::Timeout => format!("no answer within {API_TIMEOUT:?}"),
        CallError::Answer(answer) => describe(answer),
    };
    ResourcesError::Unavailable { what, cause }
}

fn shown((namespace, name): &Name) -> String {
    if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") }
}

//! Values of Secrets, read when they are needed and kept for a short while.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client};
use tracing::warn;

use super::{
    client::{CallError, bounded},
    status::unavailable,
    table::Name,
};
use crate::{
    domain::Tick,
    ports::{Clock, ResourcesError},
};

/// A service that publishes every second reads its key twice a minute and not sixty times. A rotated key is used at the
/// next try after the old one was refused, and this much later at the most.
const KEEP: Duration = Duration::from_secs(30);

type Data = Arc<BTreeMap<String, ByteString>>;

/// When it was read; `None`: it is doubted, and used only while nothing better can be read.
type ReadAt = Option<Tick>;

/// The Secrets that were read.
pub(crate) struct Secrets {
    client: Client,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<Name, (Data, ReadAt)>>,
}

impl Secrets {
    pub(crate) fn new(client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, known: Mutex::default() }
    }

    /// One value.
    pub(crate) async fn value(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<Vec<u8>, ResourcesError> {
        let mut data = self.data(namespace, name).await?;
        if !data.contains_key(key) {
            // Whoever was told that a key is missing adds it, and does not expect to be told so again.
            self.doubt(namespace, name);
            data = self.data(namespace, name).await?;
        }
        let missing = || ResourcesError::NotFound { what: format!("key {key} of Secret {namespace}/{name}") };
        data.get(key).map(|value| value.0.clone()).ok_or_else(missing)
    }

    /// Reads it anew at the next use.
    pub(crate) fn doubt(&self, namespace: &str, name: &str) {
        if let Some((_, read_at)) = self.known().get_mut(&(namespace.to_owned(), name.to_owned())) {
            *read_at = None;
        }
    }

    async fn data(&self, namespace: &str, name: &str) -> Result<Data, ResourcesError> {
        let id = (namespace.to_owned(), name.to_owned());
        let last = self.known().get(&id).cloned();
        if let Some((data, Some(read_at))) = &last
            && self.clock.tick().since(*read_at) < KEEP
        {
            return Ok(Arc::clone(data));
        }
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        match bounded(secrets.get(name)).await {
            Ok(secret) => Ok(self.keep(id, Arc::new(secret.data.unwrap_or_default()))),
            Err(CallError::Answer(kube::Error::Api(status))) if status.is_not_found() => {
                self.known().remove(&id);
                Err(ResourcesError::NotFound { what: format!("Secret {namespace}/{name}") })
            }
            Err(error) => {
                let error = unavailable(&error, format!("read Secret {namespace}/{name}"));
                let Some((data, _)) = last else {
                    return Err(error);
                };
                // A data center that lost its API server can still move its services. Kept anew, so that the wait
                // for an answer is paid once in a while and not for each use.
                warn!(%error, "using the value read before");
                Ok(self.keep(id, data))
            }
        }
    }

    fn keep(&self, id: Name, data: Data) -> Data {
        self.known().insert(id, (Arc::clone(&data), Some(self.clock.tick())));
        data
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Name, (Data, ReadAt)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

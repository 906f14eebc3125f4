//! The workloads of this region's cluster that write for services.

use async_trait::async_trait;

use super::ResourcesError;
use crate::domain::Workload;

/// A workload as it was read from its API server, and not from a cache.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkloadState {
    /// Another one after each write of it.
    pub version: String,
    /// Pods that there should be.
    pub wanted: u32,
    /// Pods that are ready.
    pub ready: u32,
    /// Who marked it last, and for what.
    pub mark: Option<String>,
    /// Why a pod of it may still run, or still be started by what was asked for before; `None`: none can.
    pub left: Option<String>,
}

/// Reads and changes workloads. Every method ends within the adapter's call limit.
#[async_trait]
pub trait Workloads: Send + Sync {
    /// What there is now.
    ///
    /// # Errors
    /// Nothing is known of it.
    async fn look(&self, namespace: &str, workload: &Workload) -> Result<WorkloadState, ResourcesError>;

    /// Sets how many pods there should be, and marks it, if nobody has written it since it was read as `version`.
    ///
    /// # Errors
    /// Somebody has, or nobody knows whether it was done: look again.
    async fn set(
        &self,
        namespace: &str,
        workload: &Workload,
        version: &str,
        replicas: u32,
        mark: &str,
    ) -> Result<(), ResourcesError>;
}

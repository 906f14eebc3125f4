//! The Kubernetes API server of this region, or of the witness.

mod client;
mod error;
mod events;
mod guard;
mod index;
mod ready;
mod resources;
mod secrets;
mod status;
mod table;
mod watch;
mod workloads;

pub use client::{API_TIMEOUT, Access, ClientError, connect, connect_as};
pub use error::{describe, describe_watch, error_chain};
pub use ready::{Unready, readiness, wait_until_ready};
pub use resources::KubeResources;
pub use workloads::KubeWorkloads;

pub(crate) use client::{CallError, bounded};
pub(crate) use error::is_certainly_undone;
pub(crate) use guard::Guarded;
pub(crate) use watch::{WatchBackoff, follow};

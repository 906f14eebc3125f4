//! The custom resources: read as a whole, written as status and events.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    api::{
        Approval, ApprovalStatus, Calendar, CalendarStatus, DrillRun, DrillRunStatus, Failover,
        FailoverStatus, GradePolicy, GradePolicyStatus, Region, RegionStatus, SharedService,
        SharedServiceStatus, SwitchoverDrill, SwitchoverDrillStatus,
    },
    domain::ServiceKey,
};

/// All resources at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Regions by name.
    pub regions: BTreeMap<String, Arc<Region>>,
    /// Shared services.
    pub services: BTreeMap<ServiceKey, Arc<SharedService>>,
    /// Grade policies by name.
    pub policies: BTreeMap<String, Arc<GradePolicy>>,
    /// Failovers by namespace and name.
    pub failovers: BTreeMap<(String, String), Arc<Failover>>,
    /// Switchover drills by namespace and name.
    pub drills: BTreeMap<(String, String), Arc<SwitchoverDrill>>,
    /// Runs of drills by namespace and name.
    pub drill_runs: BTreeMap<(String, String), Arc<DrillRun>>,
    /// Calendars by name.
    pub calendars: BTreeMap<String, Arc<Calendar>>,
    /// Approvals by namespace and name.
    pub approvals: BTreeMap<(String, String), Arc<Approval>>,
    /// Objects that cannot be read at all.
    pub invalid: Vec<InvalidObject>,
}

/// An object that does not fit its own schema, for example because it was written before a rule existed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidObject {
    /// Which.
    pub object: ObjectRef,
    /// What is wrong, with the field path.
    pub message: String,
}

/// Names one object.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectRef {
    /// Its kind, such as `SharedService`.
    pub kind: &'static str,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// A status to be written. Written only if it differs from what is there.
#[derive(Clone, Debug)]
pub enum StatusUpdate {
    /// Of a SharedService.
    Service(ServiceKey, Box<SharedServiceStatus>),
    /// Of a Region.
    Region(String, RegionStatus),
    /// Of a GradePolicy.
    Policy(String, GradePolicyStatus),
    /// Of a Failover, by namespace and name.
    Failover(String, String, Box<FailoverStatus>),
    /// Of a SwitchoverDrill, by namespace and name.
    Drill(String, String, Box<SwitchoverDrillStatus>),
    /// Of a DrillRun, by namespace and name.
    DrillRun(String, String, Box<DrillRunStatus>),
    /// Of a Calendar.
    Calendar(String, CalendarStatus),
    /// Of an Approval, by namespace and name.
    Approval(String, String, ApprovalStatus),
}

/// An object that stands for something in the ledger.
#[derive(Clone, Debug)]
pub enum NewObject {
    /// A run.
    Failover(Box<Failover>),
    /// A run of a drill.
    DrillRun(Box<DrillRun>),
}

/// Something that a person should be able to read with `kubectl describe`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The object that it is about.
    pub object: ObjectRef,
    /// Whether a person should look.
    pub kind: EventKind,
    /// One CamelCase word from a fixed list.
    pub reason: String,
    /// What was done or tried, one CamelCase word.
    pub action: String,
    /// One sentence, at most 1 kB.
    pub note: String,
}

/// Whether a person should look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// All is as it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Why a call did not work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ResourcesError {
    /// The object, or the Secret or its key, does not exist.
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// Everything else; try again later.
    #[error("{what}: {cause}")]
    Unavailable {
        /// What was tried.
        what: String,
        /// The server's own words.
        cause: String,
    },
}

/// The resources of this region's cluster, or of a directory.
#[async_trait]
pub trait Resources: Send + Sync {
    /// What is there now, from a cache that follows the server. `None` until the first full read.
    fn snapshot(&self) -> Option<Arc<Snapshot>>;

    /// Counts up each time the snapshot changes.
    fn changes(&self) -> watch::Receiver<u64>;

    /// What tells the installation in this cluster from every other one, also after a restore; `None`: nothing does.
    ///
    /// # Errors
    /// `Unavailable`: it is not known yet.
    async fn installation(&self) -> Result<Option<Arc<str>>, ResourcesError> {
        Ok(None)
    }

    /// One value of a Secret.
    ///
    /// # Errors
    /// `NotFound` names the Secret and key that are missing.
    async fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, ResourcesError>;

    /// What the Secret held was not taken: it may have been rotated, so the next call of `secret` reads it anew.
    fn doubt_secret(&self, _namespace: &str, _name: &str) {}

    /// Writes a status if it differs.
    ///
    /// # Errors
    /// Try again at the next pass.
    async fn write_status(&self, update: StatusUpdate) -> Result<(), ResourcesError>;

    /// Creates an object for something that the ledger holds; one that exists already is no error.
    ///
    /// # Errors
    /// Try again at the next pass.
    async fn create(&self, object: NewObject) -> Result<(), ResourcesError>;

    /// Tells a person. Best effort: an event that cannot be written is logged and forgotten.
    async fn emit(&self, event: Event);
}

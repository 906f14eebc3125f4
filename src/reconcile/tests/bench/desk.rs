//! The resources of the process: manifests, and a note of what it told of them.

use super::*;

/// The manifests, and what was told of them.
pub struct Desk {
    pub(super) inner: Arc<ManifestResources>,
    /// It has not answered since the start.
    pub away: AtomicBool,
    /// Which installation it says that this is.
    pub installation: Mutex<Option<Arc<str>>>,
    pub doubted: Mutex<Vec<String>>,
    /// Reasons of the events.
    pub told: Mutex<Vec<String>>,
    /// Conditions that were shown last of drills and approvals, by kind and name.
    pub shown: Mutex<BTreeMap<(&'static str, String), Vec<Condition>>>,
    /// Statuses of services that were written.
    pub written: AtomicUsize,
}

impl Desk {
    fn answers(&self, what: &str) -> Result<(), ResourcesError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(ResourcesError::Unavailable { what: what.to_owned(), cause: "no answer".to_owned() }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Resources for Desk {
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.inner.snapshot().filter(|_| !self.away.load(Ordering::SeqCst))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }

    async fn installation(&self) -> Result<Option<Arc<str>>, ResourcesError> {
        self.answers("read namespace kube-system")?;
        Ok(self.installation.lock().unwrap().clone())
    }

    async fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, ResourcesError> {
        self.answers("read a Secret")?;
        self.inner.secret(namespace, name, key).await
    }

    fn doubt_secret(&self, namespace: &str, name: &str) {
        self.doubted.lock().unwrap().push(format!("{namespace}/{name}"));
    }

    async fn write_status(&self, update: StatusUpdate) -> Result<(), ResourcesError> {
        let conditions = match &update {
            StatusUpdate::Drill(_, name, status) => {
                Some((("SwitchoverDrill", name.clone()), status.conditions.clone()))
            }
            StatusUpdate::Approval(_, name, status) => {
                Some((("Approval", name.clone()), status.conditions.clone()))
            }
            _ => None,
        };
        self.shown.lock().unwrap().extend(conditions);
        let of_service = matches!(&update, StatusUpdate::Service(..));
        self.written.fetch_add(usize::from(of_service), Ordering::SeqCst);
        self.inner.write_status(update).await
    }

    async fn create(&self, object: NewObject) -> Result<(), ResourcesError> {
        self.inner.create(object).await
    }

    async fn emit(&self, event: Event) {
        self.told.lock().unwrap().push(event.reason.clone());
        self.inner.emit(event).await;
    }
}

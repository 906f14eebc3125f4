//! The port `Resources` over a directory of manifests: what is written to it stays in memory.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use notify::{
    EventKind as FileEvent, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
};

use crate::ports::{Clock, Event, NewObject, Resources, ResourcesError, Snapshot, StatusUpdate};

use super::{
    admission::Admission,
    files::{Files, Taken},
    finding::Finding,
    holdings::{Holdings, Statuses},
    object::label,
    schema::SchemaError,
    source::{Source, SourceError, read_path},
};

/// 100 ms: an editor writes a file of manifests in less, and a person does not notice the wait.
const SETTLE: Duration = Duration::from_millis(100);

/// 10 s: network file systems tell nothing, and a person who changed a file waits that long before they look for a
/// fault.
const POLL: Duration = Duration::from_secs(10);

/// 50 looks are 5 s: a file that is written for longer is looked at again at the next poll.
const MAX_LOOKS: usize = 50;

/// Why a directory cannot be served from.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The schemas of this program are broken.
    #[error("load the built-in schemas")]
    Schema(#[source] SchemaError),
    /// The directory itself cannot be read: most often a wrong name.
    #[error("read manifests")]
    Read(#[source] SourceError),
}

/// The resources in a directory of manifests. A file that turns bad keeps what it held when it was last good. Statuses
/// and Failovers that Bongsu makes are kept in memory and gone with the process.
pub struct ManifestResources {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    files: Arc<Mutex<Files>>,
    holdings: Mutex<Holdings>,
    changes: watch::Sender<u64>,
}

impl ManifestResources {
    /// Reads a directory (or one file). Mistakes in files are no error here: see [`Self::findings`].
    ///
    /// # Errors
    /// Nothing at all could be read there.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let admission = Admission::new().map_err(OpenError::Schema)?;
        let (sources, mut unreadable) = read_in_background(path).await;
        if sources.is_empty() && !unreadable.is_empty() {
            return Err(OpenError::Read(unreadable.swap_remove(0)));
        }
        Ok(Self::new(path.to_owned(), Files::new(admission, sources, &unreadable), clock))
    }

    /// The resources in texts that are in memory already. There is no directory, so do not `follow` it.
    ///
    /// # Errors
    /// The schemas of this program are broken.
    pub fn of(sources: Vec<Source>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let admission = Admission::new().map_err(OpenError::Schema)?;
        Ok(Self::new(PathBuf::new(), Files::new(admission, sources, &[]), clock))
    }

    fn new(path: PathBuf, files: Files, clock: Arc<dyn Clock>) -> Self {
        let (files, changes) = (Arc::new(Mutex::new(files)), watch::channel(0).0);
        let opened = Self { path, clock, files, holdings: Mutex::default(), changes };
        opened.show();
        opened
    }

    /// Follows the directory until this future is dropped: on every notice of the file system, and every 10 s without.
    pub async fn follow(&self) {
        let (notice, mut noticed) = mpsc::channel(1);
        let watcher = watcher(&self.path, notice.clone());
        if let Err(error) = &watcher {
            let path = self.path.display();
            tracing::warn!(%path, %error, "no notices from the file system, looking every {POLL:?}");
        }
        loop {
            // First of all: what changed before the notices began gave none.
            for _ in 0..MAX_LOOKS {
                self.clock.sleep(SETTLE).await;
                while noticed.try_recv().is_ok() {}
                if !self.look().await.unsettled {
                    break;
                }
            }
            tokio::select! {
                _ = noticed.recv() => {}
                () = self.clock.sleep(POLL) => {}
            }
        }
    }

    /// Looks at the directory once. A change counts at the second look that sees it.
    pub async fn look(&self) -> Taken {
        let (sources, unreadable) = read_in_background(&self.path).await;
        let files = self.files.clone();
        let taken = spawn_blocking(move || lock(&files).take(sources, &unreadable)).await;
        // The task cannot be cancelled; had it panicked, what was there before would stay.
        let taken = taken.unwrap_or_default();
        if taken.changed {
            self.show();
        }
        taken
    }

    /// Everything that is wrong in the directory now.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        lock(&self.holdings).findings().to_vec()
    }

    /// Every status that was written.
    #[must_use]
    pub fn statuses(&self) -> Statuses {
        lock(&self.holdings).statuses()
    }

    fn show(&self) {
        let files = lock(&self.files);
        let mut holdings = lock(&self.holdings);
        let new = holdings.replace(&files, self.clock.wall());
        for finding in new.iter().filter(|finding| finding.is_error()) {
            let Finding { file, line, object, path, message, .. } = finding;
            let (path, object) = (path.as_ref().map(ToString::to_string), object.as_deref());
            tracing::warn!(
                file,
                line,
                object,
                path,
                message,
                "manifest is wrong, going on with what was good"
            );
        }
        self.changes.send_modify(|count| *count += 1);
    }
}

#[async_trait]
impl Resources for ManifestResources {
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        Some(lock(&self.holdings).snapshot())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    async fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, ResourcesError> {
        lock(&self.holdings).secret(namespace, name, key)
    }

    async fn write_status(&self, update: StatusUpdate) -> Result<(), ResourcesError> {
        if lock(&self.holdings).write_status(update)? {
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    async fn create(&self, object: NewObject) -> Result<(), ResourcesError> {
        let now = self.clock.wall();
        if lock(&self.holdings).create(object, now) {
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    async fn emit(&self, event: Event) {
        let Event { object, kind, reason, action, note } = event;
        let object = label(&object);
        // Who emits it logs it too, so this is for those who look for it only.
        tracing::debug!(object, ?kind, reason, action, note, "event");
    }
}

/// What the locks guard is replaced as a whole, so it is good even if a holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_in_background(path: &Path) -> (Vec<Source>, Vec<SourceError>) {
    let owned = path.to_owned();
    let read = spawn_blocking(move || read_path(&owned)).await;
    read.unwrap_or_else(|error| (Vec::new(), vec![SourceError::new(path, std::io::Error::other(error))]))
}

/// One notice that waits is enough: it says "look again", not what changed.
fn watcher(path: &Path, notice: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.map_or(true, |event| may_change_content(event.kind)) {
            let _full_is_fine = notice.try_send(());
        }
    })?;
    watcher.watch(path, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Reading is an event, too: to react to it would be to wake ourselves for ever.
fn may_change_content(event: FileEvent) -> bool {
    match event {
        FileEvent::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

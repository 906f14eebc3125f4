//! Reports of drills as files of a directory. The directory is not made: where a volume should be mounted and is not, a
//! report would vanish with the container.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use crate::ports::{Reports, ReportsError};

/// A directory.
#[derive(Clone, Debug)]
pub struct DirectoryReports(PathBuf);

impl DirectoryReports {
    /// This directory. It need not be there yet.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }
}

#[async_trait]
impl Reports for DirectoryReports {
    async fn store(&self, name: &str, bytes: &[u8]) -> Result<(), ReportsError> {
        let (directory, file, content) = (self.0.clone(), name.to_owned(), bytes.to_vec());
        let stored = tokio::task::spawn_blocking(move || store(&directory, &file, &content)).await;
        let cause = match stored {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => {
                return Err(ReportsError::Differs { name: self.0.join(name).display().to_string() });
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(ReportsError::Unavailable { name: self.0.join(name).display().to_string(), cause })
    }
}

/// `false`: there is another one.
fn store(directory: &Path, name: &str, content: &[u8]) -> io::Result<bool> {
    let path = directory.join(name);
    match fs::read(&path) {
        Ok(found) => return Ok(found == content),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Hidden, so that `*.json` does not find half a report. What a crash left of it is written over.
    let part = directory.join(format!(".{name}.part"));
    let written = write(&part, content).and_then(|()| fs::rename(&part, &path));
    if written.is_err() {
        // What cannot be removed is written over at the next try.
        let _left = fs::remove_file(&part);
    }
    written?;
    // The name must outlive a loss of power as well.
    File::open(directory)?.sync_all()?;
    Ok(true)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_written_once_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let reports = DirectoryReports::new(dir.path());
        assert_eq!(reports.store("a.json", b"one").await, Ok(()));
        assert_eq!(reports.store("a.json", b"one").await, Ok(()));
        let other = reports.store("a.json", b"two").await;
        assert!(matches!(other, Err(ReportsError::Differs { .. })), "{other:?}");
        assert_eq!(fs::read(dir.path().join("a.json")).unwrap(), b"one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    /// Where nothing more fits, as on a volume that is full.
    #[tokio::test]
    async fn a_disk_that_is_full_leaves_no_half_report_and_takes_it_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let reports = DirectoryReports::new(dir.path());
        std::os::unix::fs::symlink("/dev/full", dir.path().join(".a.json.part")).unwrap();
        let stored = reports.store("a.json", b"one").await;
        let Err(ReportsError::Unavailable { cause, .. }) = stored else { panic!("{stored:?}") };
        assert!(cause.contains("No space left"), "{cause}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing half is left");
        assert_eq!(reports.store("a.json", b"one").await, Ok(()));
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let stored = DirectoryReports::new(&gone).store("a.json", b"one").await;
        assert!(matches!(stored, Err(ReportsError::Unavailable { .. })), "{stored:?}");
        assert!(!gone.exists());
    }
}

//! A promiser's name that outlives its process, in a directory that one process has at a time.

use std::{
    fs::{File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{domain::Identity, ports::Seat};

/// What makes it the only one.
const LOCK: &str = "lock";

/// What is kept.
const KEPT: &str = "promiser.json";

/// A directory on a disk of this host. The kernel gives its lock to one process, and takes it back when that dies: whoever has it
/// knows that its predecessor promises nothing more.
#[derive(Debug)]
pub struct DirectorySeat {
    place: PathBuf,
    kept: Mutex<Kept>,
    #[expect(dead_code, reason = "the lock lasts as long as it is open")]
    lock: File,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    name: Identity,
    longest_millis: u64,
}

impl DirectorySeat {
    /// Takes it; `new_name` is its name if nobody ever had it.
    ///
    /// # Errors
    /// Another process has it, or it cannot be written.
    pub fn take(place: &Path, new_name: Identity) -> io::Result<Self> {
        let lock = File::options().create(true).truncate(false).write(true).open(place.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another process has it")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let kept = match std::fs::read(place.join(KEPT)) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let kept = Kept { name: new_name, longest_millis: 0 };
                keep(place, &kept)?;
                kept
            }
            Err(error) => return Err(error),
        };
        Ok(Self { place: place.to_owned(), kept: Mutex::new(kept), lock })
    }
}

/// Whole or not at all, also if the power fails.
fn keep(place: &Path, kept: &Kept) -> io::Result<()> {
    let new = place.join(format!("{KEPT}.new"));
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    file.sync_all()?;
    std::fs::rename(new, place.join(KEPT))?;
    File::open(place)?.sync_all()
}

impl Seat for DirectorySeat {
    fn name(&self) -> Identity {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).name.clone()
    }

    fn longest(&self) -> Duration {
        Duration::from_millis(self.kept.lock().unwrap_or_else(PoisonError::into_inner).longest_millis)
    }

    fn lengthen(&self, length: Duration) -> Result<(), String> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        if millis > kept.longest_millis {
            let longer = Kept { longest_millis: millis, ..kept.clone() };
            keep(&self.place, &longer).map_err(|error| format!("{}: {error}", self.place.display()))?;
            *kept = longer;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_keeps_its_name_and_longest_promise_over_a_restart_and_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirectorySeat::take(dir.path(), Identity::new("first")).unwrap();
        assert_eq!((first.name(), first.longest()), (Identity::new("first"), Duration::ZERO));
        first.lengthen(Duration::from_secs(8)).unwrap();
        first.lengthen(Duration::from_secs(7)).unwrap();
        assert!(DirectorySeat::take(dir.path(), Identity::new("second")).is_err(), "somebody has it");
        drop(first);
        let second = DirectorySeat::take(dir.path(), Identity::new("second")).unwrap();
        assert_eq!((second.name(), second.longest()), (Identity::new("first"), Duration::from_secs(8)));
    }
}

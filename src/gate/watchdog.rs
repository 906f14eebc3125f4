//! A watchdog device: resets the host when nobody writes to it in time, whatever else hangs.

use std::{fs::File, io::Write, path::Path};

use anyhow::Context;
use tracing::warn;

/// A device that counts down. Dropped without [`Watchdog::disarm`] it goes on counting.
pub(super) struct Watchdog(File);

impl Watchdog {
    /// Opens the device, which starts its count.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let device = File::options().write(true).open(path);
        device.map(Self).with_context(|| {
            format!("open watchdog {}: is its driver loaded, and does nobody else hold it?", path.display())
        })
    }

    /// Starts its count anew.
    pub(super) fn feed(&mut self) {
        self.write(b"\0");
    }

    /// Ends its count, by the letter that the kernel asks for before the device is closed.
    pub(super) fn disarm(mut self) {
        self.write(b"V");
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.0.write_all(bytes) {
            warn!(%error, "the watchdog could not be written to");
        }
    }
}

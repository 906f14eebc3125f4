//! Where reports of drills are kept for people, such as a directory that auditors read.

use async_trait::async_trait;

/// Why a file was not stored.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReportsError {
    /// A file of this name says something else. It is evidence, so nobody writes over it.
    #[error("{name} exists and says something else: move it away, and start Bongsu again")]
    Differs {
        /// The file.
        name: String,
    },
    /// The place cannot be used now: the file is not there, or not as a whole.
    #[error("{name} could not be written: {cause}")]
    Unavailable {
        /// The file.
        name: String,
        /// The place's own words.
        cause: String,
    },
}

/// A place for files that are written once.
#[async_trait]
pub trait Reports: Send + Sync {
    /// Stores a file, as a whole or not at all. One that is there already and says the same is no error.
    ///
    /// # Errors
    /// `Differs`: trying again will not help. `Unavailable`: it may.
    async fn store(&self, name: &str, bytes: &[u8]) -> Result<(), ReportsError>;
}

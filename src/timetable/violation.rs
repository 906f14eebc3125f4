//! What is wrong with a schedule or a calendar.

use std::fmt;

/// What is wrong with one field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Path of the field in its object, such as `spec.schedule.cron`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Violation {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for Violation {}

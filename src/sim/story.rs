//! What happened, told line by line.

use super::moment::Moment;

/// The story of one run. Telling costs nothing while nobody listens.
#[derive(Debug, Default)]
pub(super) struct Story {
    lines: Option<Vec<(Moment, String)>>,
}

impl Story {
    pub(super) fn new(listened: bool) -> Self {
        Self { lines: listened.then(Vec::new) }
    }

    /// Whether anybody listens.
    pub(super) const fn is_told(&self) -> bool {
        self.lines.is_some()
    }

    pub(super) fn tell(&mut self, at: Moment, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((at, text()));
        }
    }

    pub(super) fn take(&mut self) -> Vec<(Moment, String)> {
        self.lines.take().unwrap_or_default()
    }
}

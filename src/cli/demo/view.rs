//! How the demo is shown: on a terminal, as lines, or as JSON.

mod json;
mod lines;
mod panels;
mod screen;

use super::{event::Event, story::Story};
use crate::domain::Tick;

pub(super) use json::Json;
pub(super) use lines::Plain;
pub(super) use screen::Screen;

/// One way to show it.
pub(super) trait View {
    /// Something happened; `story` has it already, and said before whether it is news. The summary comes last.
    fn tell(&mut self, at: Tick, event: &Event, news: bool, story: &Story) -> anyhow::Result<()>;

    /// Time has passed. `true`: the user wants to stop.
    fn draw(&mut self, story: &Story) -> anyhow::Result<bool>;
}

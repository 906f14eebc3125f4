//! The view for people, drawn on a terminal.

use super::{View, panels};
use crate::{
    cli::{
        demo::{event::Event, story::Story},
        print,
        terminal::{Terminal, is_told_to_stop},
    },
    domain::Tick,
};

/// The view for people.
pub(in crate::cli::demo) struct Screen(Terminal);

impl Screen {
    /// Takes the terminal.
    pub(in crate::cli::demo) fn open() -> anyhow::Result<Self> {
        Terminal::take().map(Self)
    }
}

impl View for Screen {
    fn tell(&mut self, _: Tick, event: &Event, _: bool, _: &Story) -> anyhow::Result<()> {
        let text = match event {
            Event::Summary(summary) => summary.text(),
            Event::DrillSummary(summary) => summary.text(),
            _ => return Ok(()),
        };
        self.0.give_back();
        print(&text)
    }

    fn draw(&mut self, story: &Story) -> anyhow::Result<bool> {
        self.0.draw(|frame, colors| panels::draw(frame, story, colors))?;
        is_told_to_stop()
    }
}

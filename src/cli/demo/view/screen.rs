//! The terminal: opens it, draws, listens to keys, and gives it back whatever happens.

use std::time::Duration;

use anyhow::Context;
use crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;

use super::{View, panels};
use crate::{
    cli::{
        demo::{event::Event, story::Story},
        print,
    },
    domain::Tick,
};

/// The view for people.
pub(in crate::cli::demo) struct Screen {
    terminal: Option<DefaultTerminal>,
    /// False if the user asked for none by `NO_COLOR` (no-color.org).
    colors: bool,
}

impl Screen {
    /// Takes the terminal. A panic gives it back before it prints.
    pub(in crate::cli::demo) fn open() -> anyhow::Result<Self> {
        let terminal = ratatui::try_init().context("use the terminal; --plain needs none")?;
        let colors = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Self { terminal: Some(terminal), colors })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.terminal.take().is_some() {
            ratatui::restore();
        }
    }
}

impl View for Screen {
    fn tell(&mut self, _: Tick, event: &Event, _: bool, _: &Story) -> anyhow::Result<()> {
        let text = match event {
            Event::Summary(summary) => summary.text(),
            Event::DrillSummary(summary) => summary.text(),
            _ => return Ok(()),
        };
        if self.terminal.take().is_some() {
            ratatui::restore();
        }
        print(&text)
    }

    fn draw(&mut self, story: &Story) -> anyhow::Result<bool> {
        let colors = self.colors;
        if let Some(terminal) = &mut self.terminal {
            terminal.draw(|frame| panels::draw(frame, story, colors)).context("draw")?;
        }
        stop_is_asked_for()
    }
}

/// In raw mode, Ctrl-C is a key like any other.
fn stop_is_asked_for() -> anyhow::Result<bool> {
    while event::poll(Duration::ZERO).context("read keys")? {
        if let event::Event::Key(key) = event::read().context("read keys")? {
            let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            let stops = control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
            if stops && key.kind == KeyEventKind::Press {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

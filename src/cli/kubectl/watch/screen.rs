//! The terminal: taken, drawn on, and given back whatever happens.

use std::time::Duration;

use anyhow::Context;
use crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;

use super::{panels, sight::Sight};
use crate::report::Lang;

/// A picture of the run.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    /// False if the user asked for none by `NO_COLOR` (no-color.org).
    colors: bool,
}

impl Screen {
    /// Takes the terminal. A panic gives it back before it prints.
    pub(super) fn open() -> anyhow::Result<Self> {
        let terminal = ratatui::try_init().context("use the terminal; --plain needs none")?;
        let colors = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Self { terminal, colors })
    }

    pub(super) fn draw(&mut self, sight: &Sight, lang: Lang) -> anyhow::Result<()> {
        let colors = self.colors;
        self.terminal.draw(|frame| panels::draw(frame, sight, lang, colors)).context("draw")?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// In raw mode, Ctrl-C is a key like any other.
pub(super) fn is_told_to_stop() -> anyhow::Result<bool> {
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

//! The terminal of a live view: taken, drawn on, and given back whatever happens.

use std::time::Duration;

use anyhow::Context;
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Frame};

/// A terminal that is ours until it is given back.
pub(super) struct Terminal {
    taken: Option<DefaultTerminal>,
    /// False if the user asked for none by `NO_COLOR` (no-color.org).
    colors: bool,
}

impl Terminal {
    /// Takes the terminal. A panic gives it back before it prints.
    pub(super) fn take() -> anyhow::Result<Self> {
        let taken = ratatui::try_init().context("use the terminal; --plain needs none")?;
        let colors = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Self { taken: Some(taken), colors })
    }

    /// Draws a picture, in colors or without; nothing once the terminal was given back.
    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>, bool)) -> anyhow::Result<()> {
        let colors = self.colors;
        if let Some(terminal) = &mut self.taken {
            terminal.draw(|frame| picture(frame, colors)).context("draw")?;
        }
        Ok(())
    }

    /// Gives the terminal back, so that text can be printed.
    pub(super) fn give_back(&mut self) {
        if self.taken.take().is_some() {
            ratatui::restore();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Whether a key that stops was pressed. In raw mode, Ctrl-C is a key like any other.
pub(super) fn is_told_to_stop() -> anyhow::Result<bool> {
    while event::poll(Duration::ZERO).context("read keys")? {
        if let Event::Key(key) = event::read().context("read keys")? {
            let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            let stops = control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
            if stops && key.kind == KeyEventKind::Press {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

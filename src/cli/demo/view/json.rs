//! One JSON object a line.

use serde::Serialize;

use super::View;
use crate::{
    cli::{
        demo::{event::Event, story::Story},
        print,
    },
    domain::Tick,
};

/// One line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    /// Since the start of the demo.
    at_millis: u64,
    /// `None` before the fault.
    since_fault_millis: Option<u64>,
    #[serde(flatten)]
    event: &'a Event,
}

/// The view for programs.
pub(in crate::cli::demo) struct Json;

impl View for Json {
    fn tell(&mut self, at: Tick, event: &Event, _: bool, story: &Story) -> anyhow::Result<()> {
        let at_millis = u64::try_from(at.since(story.begun).as_millis()).unwrap_or(u64::MAX);
        let since_fault_millis = story.since_fault(at);
        print(&format!("{}\n", serde_json::to_string(&Line { at_millis, since_fault_millis, event })?))
    }

    fn draw(&mut self, _: &Story) -> anyhow::Result<bool> {
        Ok(false)
    }
}

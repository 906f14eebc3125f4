//! One JSON object a line.

use serde_json::{Map, Value};

use super::View;
use crate::{
    cli::{
        demo::{event::Event, story::Story},
        print,
    },
    domain::Tick,
};

/// The view for programs.
pub(in crate::cli::demo) struct Json;

impl View for Json {
    fn tell(&mut self, at: Tick, event: &Event, story: &Story) -> anyhow::Result<()> {
        let mut object = Map::new();
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        object.insert("atMillis".to_owned(), Value::from(millis(at.since(story.begun))));
        let since_fault = story.fault.filter(|(fault, _)| at >= *fault).and_then(|_| story.since_fault(at));
        object.insert("sinceFaultMillis".to_owned(), Value::from(since_fault));
        if let Value::Object(fields) = serde_json::to_value(event)? {
            object.extend(fields);
        }
        print(&format!("{}\n", Value::Object(object)))
    }

    fn draw(&mut self, _: &Story) -> anyhow::Result<bool> {
        Ok(false)
    }
}

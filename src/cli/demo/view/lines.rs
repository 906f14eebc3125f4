//! One line for each thing that happens, made to be read aloud: the time, then a sentence.

use super::View;
use crate::{
    cli::{
        demo::{
            event::{Event, RuleSaid, seconds},
            story::Story,
        },
        print,
    },
    domain::Tick,
};

/// The view for pipes, logs and screen readers. Equal errors are told once, and counted.
#[derive(Default)]
pub(in crate::cli::demo) struct Plain {
    failing: Option<(String, usize)>,
}

impl View for Plain {
    fn tell(&mut self, at: Tick, event: &Event, news: bool, story: &Story) -> anyhow::Result<()> {
        if let Event::Summary(summary) = event {
            return print(&format!("\n{}", summary.text()));
        }
        if let Event::DrillSummary(summary) = event {
            return print(&format!("\n{}", summary.text()));
        }
        if let Event::Request { error, .. } = event {
            for line in self.request(error.as_deref()) {
                say(at, story, &line)?;
            }
        }
        if let Some(sentence) = event.sentence().filter(|_| news) {
            say(at, story, &sentence)?;
        }
        match event {
            Event::Fault { .. } => print("        from here on, times are counted from the power cut\n"),
            Event::Steady { arithmetic, .. } => print(&format!("        predicted: {arithmetic}\n")),
            Event::Decision { rules, .. } => print(&rules.iter().map(rule_line).collect::<String>()),
            _ => Ok(()),
        }
    }

    fn draw(&mut self, _: &Story) -> anyhow::Result<bool> {
        Ok(false)
    }
}

impl Plain {
    fn request(&mut self, error: Option<&str>) -> Vec<String> {
        let before = self.failing.take();
        match (before, error) {
            (None, None) => Vec::new(),
            (None, Some(error)) => {
                self.failing = Some((error.to_owned(), 1));
                vec![format!("citizen: ERROR: {error}")]
            }
            (Some((known, count)), Some(error)) if known == error => {
                self.failing = Some((known, count + 1));
                Vec::new()
            }
            (Some((_, count)), Some(error)) => {
                self.failing = Some((error.to_owned(), 1));
                vec![format!("citizen: ERROR, after {count} of the former kind: {error}")]
            }
            (Some((_, count)), None) => vec![format!("citizen: good again, after {count} of these errors")],
        }
    }
}

fn say(at: Tick, story: &Story, sentence: &str) -> anyhow::Result<()> {
    print(&format!("+{:<7} {sentence}\n", seconds(story.shown(at)).replace(' ', "")))
}

fn rule_line(said: &RuleSaid) -> String {
    let RuleSaid { rule, outcome, message } = said;
    format!("          {outcome:<13} {rule}: {message}\n")
}

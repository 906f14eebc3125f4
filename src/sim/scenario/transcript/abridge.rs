//! Leaves out of a story what a reader does not miss: how the services were established, what every region says again
//! after another did, and what has not changed.

use std::{collections::BTreeMap, time::Duration};

use crate::sim::Moment;

/// Time in which the same event of another region is the same news.
const SAME_NEWS: Duration = Duration::from_secs(10);

/// What was told already.
#[derive(Default)]
pub(super) struct Abridge {
    /// By vantage, service and region.
    verdicts: BTreeMap<(String, String, String), String>,
    /// By object and reason.
    events: BTreeMap<String, Moment>,
    /// The first fault has begun.
    begun: bool,
}

impl Abridge {
    /// A line as it is told; `None`: it is left out.
    pub(super) fn line(&mut self, at: Moment, line: &str) -> Option<String> {
        self.begun |= line.starts_with("fault: ");
        if let Some((vantage, rest)) = line.split_once(" says of ") {
            return self.verdicts(vantage, rest);
        }
        if let Some(event) = line.strip_prefix("event in ") {
            return self.event(at, event).filter(|_| self.begun);
        }
        if line.starts_with("run ") {
            return self.begun.then(|| last_step(line));
        }
        (self.begun || line.contains(": epoch ")).then(|| line.to_owned())
    }

    fn verdicts(&mut self, vantage: &str, rest: &str) -> Option<String> {
        let (service, said) = rest.split_once(": ")?;
        let mut news = Vec::new();
        for (region, verdict) in said.split(", ").filter_map(|part| part.split_once(' ')) {
            let key = (vantage.to_owned(), service.to_owned(), region.to_owned());
            let before = self.verdicts.insert(key, verdict.to_owned());
            if before.as_deref() != Some(verdict) {
                news.push(format!("{region} {verdict}"));
            }
        }
        (self.begun && !news.is_empty()).then(|| format!("{vantage} says of {service}: {}", news.join(", ")))
    }

    fn event(&mut self, at: Moment, event: &str) -> Option<String> {
        let (_, told) = event.split_once(": ")?;
        let (object, rest) = told.split_once(": ")?;
        let (reason, _) = rest.split_once(": ")?;
        let before = self.events.insert(format!("{object} {reason}"), at);
        before.is_none_or(|before| at.since(before) > SAME_NEWS).then(|| format!("event: {told}"))
    }
}

/// A line about a run with the last of its steps only.
fn last_step(line: &str) -> String {
    match (line.split_once(" ("), line.rsplit_once(')')) {
        (Some((head, steps)), Some((_, message))) => {
            let steps = steps.split_once(')').map_or(steps, |(steps, _)| steps);
            let last = steps.rsplit(", ").next().unwrap_or_default();
            format!("{head} ({last}){message}")
        }
        _ => line.to_owned(),
    }
}

//! How it ended, as one JSON object and as text. Every number is from the story; none is known before.

use std::fmt::Write;

use serde::Serialize;

use super::{
    drill::DrillSummary,
    event::{RuleSaid, list, seconds},
    story::{Clocks, Story},
    world::{FROM, service_key},
};

/// Columns of the longest bar.
const BAR: u64 = 44;

/// How it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ending {
    /// The citizen was served again within the predicted time.
    Served,
    /// It was not.
    Failed,
}

/// The last line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) outcome: Ending,
    pub(super) message: String,
    pub(super) service: String,
    pub(super) from: String,
    /// `None`: nobody took over.
    pub(super) to: Option<String>,
    pub(super) epoch: u64,
    /// From the fault to the citizen's first good verification; `None`: there was none.
    pub(super) rto_millis: Option<u64>,
    /// What Bongsu said before the fault.
    pub(super) predicted_rto_millis: u64,
    pub(super) clocks: Clocks,
    /// Verifications that the citizen tried, and how many failed since the fault.
    pub(super) requests: usize,
    pub(super) errors: usize,
    pub(super) errors_after_served: usize,
    /// What stood against a move; empty if there was one.
    pub(super) blocked_by: Vec<RuleSaid>,
    /// The drill that came afterwards; `None`: there was none, because nobody served.
    pub(super) drill: Option<DrillSummary>,
}

impl Summary {
    /// What the story comes to. `rules` is what they say at the end, for the case that nothing was moved.
    pub(super) fn of(story: &Story, rules: Vec<RuleSaid>) -> Self {
        let predicted = story.predicted_millis.unwrap_or_default();
        let served = story.clocks.served;
        let to = (!story.moved_to.is_empty()).then(|| list(&story.moved_to));
        let outcome = match served {
            Some(served) if served <= predicted => Ending::Served,
            _ => Ending::Failed,
        };
        let blocked_by = match story.moved_to.is_empty() {
            true => against(rules),
            false => Vec::new(),
        };
        Self {
            outcome,
            message: message(served, predicted),
            service: service_key().to_string(),
            from: FROM.to_owned(),
            to,
            epoch: story.epoch.0,
            rto_millis: served,
            predicted_rto_millis: predicted,
            clocks: story.clocks,
            requests: story.requests,
            errors: story.error_count(),
            errors_after_served: story.errors_after,
            blocked_by,
            drill: None,
        }
    }

    /// For people; the bars come last, so that a reader who cannot see them misses nothing.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.service, self.message);
        // Writing to a String cannot fail.
        let _written = match &self.to {
            Some(to) => writeln!(text, "It moved from {} to {to} under epoch {}.", self.from, self.epoch),
            None => writeln!(text, "Nothing was moved; it is still epoch {}.", self.epoch),
        };
        let (errors, requests) = (self.errors, self.requests);
        let _written = match self.errors_after_served {
            0 => writeln!(text, "The citizen tried {requests} verifications, {errors} of them failed."),
            after => writeln!(
                text,
                "The citizen tried {requests} verifications, {errors} of them failed, {after} even after recovery."
            ),
        };
        for RuleSaid { rule, outcome, message } in &self.blocked_by {
            let _written = writeln!(text, "Why not, by rule {rule} ({outcome}): {message}.");
        }
        text.push_str("\nTime since the fault:\n");
        for line in bars(&self.clocks, self.predicted_rto_millis) {
            let _written = writeln!(text, "{line}");
        }
        if let Some(drill) = &self.drill {
            let _written =
                write!(text, "\nThen the power was back, and a drill went the other way.\n{}", drill.text());
        }
        text
    }
}

/// The rules that stand against a move; if none does, the first one says why none was wanted.
fn against(rules: Vec<RuleSaid>) -> Vec<RuleSaid> {
    let blocking: Vec<RuleSaid> = rules.iter().filter(|rule| !rule.lets_go()).cloned().collect();
    if blocking.is_empty() { rules.into_iter().take(1).collect() } else { blocking }
}

fn message(served: Option<u64>, predicted: u64) -> String {
    let limit = format!("Bongsu had predicted at most {}.", seconds(predicted));
    match served {
        Some(served) if served <= predicted => {
            format!("served again after {}; {limit}", seconds(served))
        }
        Some(served) => format!("served again only after {}; {limit}", seconds(served)),
        None => format!("not served again; {limit}"),
    }
}

/// One line a clock, and one for the prediction.
pub(super) fn bars(clocks: &Clocks, predicted: u64) -> Vec<String> {
    let all = clocks.all();
    let reached = all.iter().filter_map(|(_, at)| *at);
    let longest = reached.chain([predicted]).max().unwrap_or_default().max(1);
    let clocks = all.into_iter().skip(1).chain([("predicted", Some(predicted))]);
    clocks
        .map(|(name, at)| match at {
            Some(at) => {
                let bar = usize::try_from((at * BAR).div_ceil(longest)).unwrap_or_default();
                let block = if name == "predicted" { "░" } else { "█" };
                format!("  {name:<9} {:>8}  {}", seconds(at), block.repeat(bar))
            }
            None => format!("  {name:<9} {:>8}", "-"),
        })
        .collect()
}

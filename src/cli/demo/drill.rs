//! The drill of the demo: what it is told, and how it ended, as one JSON object and as text.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::event::seconds;
use crate::{
    api::{DrillRun, DrillRunSpec},
    domain::{self, DrillPhase},
};

/// The SwitchoverDrill.
pub(super) const DRILL: &str = include_str!("drill.yaml");

/// Names of the SwitchoverDrill and of its run.
const NAME: &str = "monthly";
pub(super) const RUN: &str = "monthly-1";
pub(super) const NAMESPACE: &str = "gpki";

/// The DrillRun as a person would create it.
pub(super) fn wish() -> DrillRun {
    let spec = DrillRunSpec {
        drill_name: NAME.to_owned(),
        starts_at: None,
        reason: "whoever serves is to be maintained".to_owned(),
        requested_by: Some("the demo".to_owned()),
        abort: false,
    };
    let mut wish = DrillRun::new(RUN, spec);
    wish.metadata.namespace = Some(NAMESPACE.to_owned());
    wish
}

/// The file with the report.
pub(super) fn report_in(directory: &Path) -> PathBuf {
    directory.join(format!("{NAMESPACE}_{RUN}.json"))
}

/// The last line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DrillSummary {
    /// `None`: it was not over in time.
    pub(super) verdict: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) message: String,
    /// From the order to leave to verified service at the other place.
    pub(super) rto_millis: Option<u64>,
    /// The file with the sealed report; `None`: none was asked for, or it is not there.
    pub(super) report: Option<PathBuf>,
    pub(super) report_digest: Option<String>,
    /// Verifications that the citizen tried while it went on, and how many of them failed.
    pub(super) requests: usize,
    pub(super) errors: usize,
}

impl DrillSummary {
    /// What a run comes to.
    pub(super) fn of(run: Option<&domain::DrillRun>, report: Option<PathBuf>) -> Self {
        let verdict = run.and_then(|run| run.verdict);
        let rto = run.and_then(|run| run.services.iter().filter_map(|drilled| drilled.rto).max());
        Self {
            verdict: verdict.map(|(verdict, _)| verdict.as_str().to_owned()),
            rule: verdict.map(|(_, rule)| rule.to_string()),
            message: run.map_or_else(|| "it was not begun".to_owned(), |run| run.message.clone()),
            rto_millis: rto.map(|rto| u64::try_from(rto.as_millis()).unwrap_or(u64::MAX)),
            report,
            report_digest: run.and_then(|run| run.report_digest.clone()),
            requests: 0,
            errors: 0,
        }
    }

    /// Whether everything was as it should be.
    pub(super) fn passed(&self) -> bool {
        self.verdict.as_deref() == Some(domain::DrillVerdict::Passed.as_str())
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        // With a verdict the message begins with it.
        let end = match &self.verdict {
            Some(_) => self.message.clone(),
            None => format!("no verdict ({})", self.message),
        };
        let rto =
            self.rto_millis.map_or_else(|| "nowhere".to_owned(), |rto| format!("after {}", seconds(rto)));
        let report = match &self.report {
            Some(file) => format!("Its report is {}; beside it is a page for people.\n", file.display()),
            None => String::new(),
        };
        let (requests, errors) = (self.requests, self.errors);
        format!(
            "Drill {NAMESPACE}/{RUN}: {end}.\nIt was served at the other place {rto}.\nThe citizen tried {requests} \
             verifications, {errors} of them failed.\n{report}"
        )
    }
}

/// Whether a run has come to its end.
pub(super) fn is_over(run: Option<&domain::DrillRun>) -> bool {
    run.is_some_and(|run| run.phase == DrillPhase::Over)
}

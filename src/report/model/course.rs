//! What happened in a drill, how it was judged, and what is to be done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Moment {
    /// When.
    pub at: i64,
    /// What.
    pub what: String,
    /// The service that it is about; none: the drill as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A limit that ends a drill by itself.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guardrail {
    /// Its name.
    pub name: String,
    /// The limit, in words.
    pub limit: String,
    /// When it was reached; none: it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tripped_at: Option<i64>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Where a run departed from its plan.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deviation {
    /// How.
    pub kind: DeviationKind,
    /// The service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The step of its plan.
    pub step: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why.
    pub message: String,
}

/// How a step departed from the plan.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DeviationKind {
    /// It worked, but not at the first try.
    Retried,
    /// A person said to go on without it.
    Skipped,
    /// It did not work.
    Failed,
    /// It was undone.
    Undone,
}

/// Something that should be looked at.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// Names it within this report, such as `F1`.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// The service that it is about; none: the drill as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What was found.
    pub text: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Severity {
    /// Good to know.
    Low,
    /// Should be mended before the next drill.
    Medium,
    /// Citizens would have felt it.
    High,
}

/// How a drill ended, by a rule and never by free text.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// Name of the rule that decided it.
    pub rule: String,
    /// What the rule saw, with the numbers.
    pub message: String,
}

/// How a drill ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Outcome {
    /// Moved, held and returned within all limits.
    Passed,
    /// The same, but something should be looked at.
    PassedWithFindings,
    /// A limit was missed.
    Failed,
    /// A person, a guardrail or a real incident ended it early.
    Aborted,
    /// A check before the start did not pass; nothing was touched.
    NotStarted,
}

/// Something that is to be done.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FollowUp {
    /// What.
    pub task: Task,
    /// The service that it is about; none: the drill as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The finding that it answers; none: the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<i64>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Task {
    /// Bring the service back to where it was served before.
    BringBack,
    /// Find out why, and mend it.
    FindCause,
    /// Make the move shorter, or state a longer objective.
    ShortenMove,
    /// Hold for a shorter time, or allow the drill more time.
    ShortenDrill,
    /// Remove what a check before the start found.
    Unblock,
    /// Have enough people approve in time.
    GetApprovals,
    /// Correct what the drill selects, or when it runs.
    CorrectDrill,
    /// Drill again.
    DrillAgain,
}

//! What a report says. Every moment is in milliseconds since 1970-01-01T00:00:00Z, every length of time in milliseconds;
//! the forms for people show moments in the time zone of the drill.

mod course;
mod service;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use course::{
    Deviation, DeviationKind, Finding, FollowUp, Guardrail, Moment, Outcome, Severity, Task, Verdict,
};
pub use service::{Bucket, Clocks, Move, Rto, ServiceResult};

/// The report of one run of a drill.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillReport {
    /// Names this format.
    pub schema: Schema,
    /// Which run of which drill.
    pub identity: Identity,
    /// What was to be shown, and where.
    pub scope: Scope,
    /// Who asked and who agreed.
    pub people: People,
    /// Every check before the start.
    pub pre_checks: Vec<PreCheck>,
    /// Who was told before.
    pub notice: Notice,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// Each service, in the order in which it was moved.
    pub services: Vec<ServiceResult>,
    /// What would have ended the drill, and what did.
    pub guardrails: Vec<Guardrail>,
    /// Where the run departed from its plan.
    pub deviations: Vec<Deviation>,
    /// What should be looked at.
    pub findings: Vec<Finding>,
    /// How it ended, by a rule.
    pub verdict: Verdict,
    /// What is to be done.
    pub follow_ups: Vec<FollowUp>,
    /// What makes a later change visible.
    pub integrity: Integrity,
}

/// The name of the format. A change that older readers would misread gets a new one.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Schema {
    /// The first.
    #[default]
    #[serde(rename = "bongsu.io/drill-report/v1")]
    V1,
}

/// Which run of which drill.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Number of the report: `namespace/name` of the DrillRun.
    pub number: String,
    /// `namespace/name` of the SwitchoverDrill. Reports of one drill are chained.
    pub drill: String,
    /// The system that the services belong to, in the words of its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// What kind of drill it was.
    pub kind: Kind,
    /// SHA-256 over the drill's spec and the plans that were made, in hexadecimal.
    pub plan_hash: String,
    /// IANA name of the time zone in which people read this report.
    pub time_zone: String,
    /// When the first service began to move; none if nothing was touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    /// When it was over.
    pub ended_at: i64,
    /// The last run of the same drill before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousDrill>,
    /// Until when this drill had to be held, by the policy of the services' grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_by: Option<i64>,
    /// Whether it was held later than that.
    pub overdue: bool,
}

/// What kind of drill it was.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Kind {
    /// Whether a loss would be noticed, and answered in time; nothing was moved.
    Detection,
    /// Plans and rules only; nothing was moved.
    DryRun,
    /// Real traffic was moved, announced.
    Live,
    /// Real traffic was moved, and nobody had been told when.
    Unannounced,
}

/// An earlier run of the same drill.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviousDrill {
    /// Number of its report.
    pub number: String,
    /// When it was over.
    pub ended_at: i64,
    /// How it ended.
    pub outcome: Outcome,
}

/// What was to be shown, and where.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scope {
    /// What was supposed to have happened, and why this was drilled.
    pub scenario: String,
    /// What counts as success, in numbers.
    pub objectives: Vec<Objective>,
    /// Regions that take part.
    pub regions: Vec<String>,
    /// How long the services had to be served at the other place, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<i64>,
}

/// What counts as success for one service.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Objective {
    /// Name of the SharedService.
    pub service: String,
    /// Longest time until it is served again, in milliseconds.
    pub rto_target: i64,
}

/// Who asked and who agreed.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct People {
    /// Who asked for it; none: the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// How many distinct people had to agree.
    pub approvals_required: u32,
    /// Who agreed.
    pub approvers: Vec<Approver>,
}

/// Somebody who agreed.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approver {
    /// As the API server knows this person.
    pub name: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

/// One check before the start.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreCheck {
    /// Its name: that of a rule of the decision, or of the drill.
    pub name: String,
    /// The service that it is about; none: the drill as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What it said.
    pub outcome: CheckOutcome,
    /// Why, with the numbers.
    pub message: String,
}

/// What a check before the start said.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CheckOutcome {
    /// Nothing against it.
    Pass,
    /// It must not start.
    Block,
    /// A person should look first.
    Recommend,
    /// It does not ask about such a drill.
    NotApplicable,
}

/// Who was told before.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notice {
    /// When it was announced; none: it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<i64>,
}

/// What makes a later change visible.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Integrity {
    /// Digest of the report of the same drill that was sealed before this one; none: this is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_digest: Option<String>,
    /// When this report was sealed.
    pub sealed_at: i64,
    /// Version and commit of the Bongsu that wrote it.
    pub tool_version: String,
    /// Whose clock the moments were read from.
    pub clock_source: String,
}

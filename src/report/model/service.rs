//! What was measured of one service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One service of a drill.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceResult {
    /// Name of the SharedService.
    pub name: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its system grade, 1 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<u8>,
    /// Regions that served before.
    pub from: Vec<String>,
    /// Regions that served during the drill.
    pub to: Vec<String>,
    /// The way there; none: it was not moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Move>,
    /// The way back; none: it was not moved back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Move>,
    /// How long it took until it was served at the other place.
    pub rto: Rto,
    /// How long the way back took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_time: Option<i64>,
    /// What the checks saw of whoever served during the drill, in order, at most 120: from the place of the leader that
    /// sealed the report. Empty where that process did not see the drill begin.
    pub samples: Vec<Bucket>,
}

/// One move of one service.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Move {
    /// Name of the Failover that did it.
    pub failover: String,
    /// When each phase was reached.
    pub clocks: Clocks,
}

/// When each phase of a move was reached. In a drill nothing breaks, so `fault` and `detected` are mostly absent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Clocks {
    /// First bad sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<i64>,
    /// A quorum called the member down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<i64>,
    /// The plan was in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<i64>,
    /// The new epoch was in the ledger: nothing was accepted under the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<i64>,
    /// The new writer was promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<i64>,
    /// Traffic was led to the new members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shifted: Option<i64>,
    /// The new members were seen to answer well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<i64>,
    /// The move was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<i64>,
}

/// How long it took until a service was served at the other place, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rto {
    /// How long it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<i64>,
    /// How long Bongsu said before that it would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<i64>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real: Option<i64>,
}

/// What the checks saw in one stretch of time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bucket {
    /// Its first moment; it lasts until the next one's.
    pub at: i64,
    /// Samples that were good.
    pub good: u32,
    /// Samples that were bad.
    pub bad: u32,
    /// 95 of 100 good answers came within this many milliseconds; none: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<i64>,
}

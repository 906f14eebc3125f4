//! How ready a service is to be switched, in the status of a SharedService.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a switch would need, asked all the time while all is well.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SwitchReadiness {
    /// Questions about every direction to which there was nothing to say.
    pub passed: i32,

    /// The others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<ReadinessFinding>,

    /// Questions that nobody could ask yet: neither well nor not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_inspected: Vec<String>,

    /// Every direction in which the service could be switched from where it is served now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<SwitchDirection>,
}

/// One direction.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SwitchDirection {
    /// Region that would be left.
    pub from: String,

    /// Regions that would serve then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,

    /// `Ready`, `NotReady` or `Unknown`, what concerns every direction included.
    pub state: String,

    /// Questions about this direction alone to which there was nothing to say.
    pub passed: i32,

    /// The others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<ReadinessFinding>,
}

/// Something that should be looked at before the day.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadinessFinding {
    /// What was asked: the name of a rule, or of a check before a drill.
    pub check: String,

    /// `Problem`: a switch would be refused, or not do what was promised. `Unknown`: nobody knows. `Warning`: it would work, with a
    /// person or with less certainty.
    pub outcome: String,

    /// What is wrong.
    pub message: String,
}

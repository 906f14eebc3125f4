//! The format of a scenario file. Unknown keys are refused.

use serde::Deserialize;

use super::deed::Deed;
use crate::api::Duration;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    /// Short name, as it stands in tables.
    pub name: String,
    /// What it shows, and in which way it differs from what happened.
    #[serde(default)]
    pub about: String,
    /// Where its facts are from.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Files and directories of manifests, relative to this file. A `*` in the last part stands for any text.
    pub manifests: Vec<String>,
    /// Length of the leases of Bongsu; 15 s, as `bongsu run` has it.
    pub lease_ttl: Option<Duration>,
    /// How long it lasts.
    pub duration: Duration,
    /// What chance is drawn from.
    #[serde(default = "one")]
    pub seed: u64,
    /// In which regions the name servers are. The others are spread over the regions.
    #[serde(default)]
    pub name_servers: Vec<NameServer>,
    /// What happens.
    #[serde(default)]
    pub timeline: Vec<Entry>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Vec<Expectation>,
    /// What must never be.
    #[serde(default)]
    pub never: Vec<String>,
    /// What cannot be checked yet: listed in every result, so that nobody takes it for passed.
    #[serde(default)]
    pub not_yet_checked: Vec<Later>,
}

const fn one() -> u64 {
    1
}

/// Where a name server is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NameServer {
    /// Address and port, as in the `traffic` of a service.
    pub address: String,
    /// Its region.
    pub region: String,
}

/// One entry of the time line: when, how long, and what (exactly one).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry {
    /// When it begins, from the start.
    pub at: Option<Duration>,
    /// It begins when a run comes to a step.
    pub when: Option<When>,
    /// How long it lasts. Without this and `until` it stays.
    #[serde(rename = "for")]
    pub lasts: Option<Duration>,
    /// When it ends, from the start.
    pub until: Option<Duration>,
    /// What happens. A list, so that one moment needs one entry.
    #[serde(rename = "do")]
    pub deeds: Vec<Deed>,
}

/// The moment when the ledger has taken the intent of a step and nothing else is done yet.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct When {
    /// Service of the run.
    pub service: String,
    /// `Precheck`, `RaiseEpoch`, `ShiftTraffic`, `Verify` or `Settle`.
    pub step: String,
    /// Runs that begin earlier do not count.
    #[serde(default)]
    pub after: Duration,
}

/// What must come of it. Each of the keys is one check.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expectation {
    /// The moment of `serves`, `writes`, `answers`, `health` and `condition`; without it the end.
    pub at: Option<Duration>,
    /// The time of all others; without it the whole run.
    pub between: Option<[Duration; 2]>,
    /// The service.
    pub service: Option<String>,
    /// Regions that serve, by the ledger.
    pub serves: Option<Vec<String>>,
    /// Regions whose gates let their writers write. One that stands still counts if its lease lasts: woken now, it would.
    pub writes: Option<Vec<String>>,
    /// The region whose Bongsu leads.
    pub leads: Option<String>,
    /// Regions whose addresses every name server answers that can be reached.
    pub answers: Option<Vec<String>>,
    /// Health of the service as its status shows it.
    pub health: Option<String>,
    /// A condition of the service.
    pub condition: Option<Condition>,
    /// In whose API server `health` and `condition` are looked up; without it in all that answer.
    #[serde(rename = "in")]
    pub region: Option<String>,
    /// Longest time from the first citizen who is not served until all are again, for good.
    pub rto: Option<Duration>,
    /// Longest time that citizens are not served, all in all.
    pub unserved: Option<Duration>,
    /// Longest time from the first citizen who is not served until a quorum calls the member down.
    pub detect: Option<Duration>,
    /// Longest time from there until the plan is in the ledger.
    pub decide: Option<Duration>,
    /// Longest time from there until the name servers were updated.
    pub shift: Option<Duration>,
    /// Longest time from there until the new members were seen to answer well.
    pub verify: Option<Duration>,
    /// How often it is decided who serves.
    pub moves: Option<usize>,
    /// An event.
    pub event: Option<Event>,
}

/// A condition of a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Condition {
    /// Its type, such as `Ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Its reason, if that matters.
    pub reason: Option<String>,
}

/// An event.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Event {
    /// Its reason, such as `FailoverStarted`.
    pub reason: String,
    /// Text that its note holds.
    pub says: Option<String>,
    /// How often; without it at least once.
    pub times: Option<usize>,
}

/// What cannot be checked yet.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Later {
    /// What is expected.
    pub what: String,
    /// The function of the product with which it can be checked.
    pub comes_with: String,
}

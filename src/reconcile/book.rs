//! What stands in the ledger: keys, and records as JSON.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::vantage::MemberVerdict;
use crate::{
    domain::{Identity, Intervention, RegionName, RunId, ServiceKey, Stretch, Term, Timestamp, Trigger},
    planted::planted,
    ports::{Expect, Key, Ledger, LedgerError, Under, Version},
};

/// What a key names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// `record/NAMESPACE/NAME`: who serves.
    Record(ServiceKey),
    /// `run/NAMESPACE/NAME`: one execution of a plan.
    Run(Arc<str>, RunId),
    /// `request/NAMESPACE/NAME`: a move that a person or a drill wants.
    Request(Arc<str>, RunId),
    /// `drill/NAMESPACE/NAME`: one run of a drill.
    Drill(Arc<str>, RunId),
    /// `report/NAMESPACE/NAME`: the sealed report of a run of a drill, byte for byte.
    Report(Arc<str>, RunId),
    /// `draw/NAMESPACE/NAME`: when the next run of a drill starts, if that is left to chance.
    Draw(Arc<str>, Arc<str>),
    /// `verdict/VANTAGE/NAMESPACE/NAME`: what a vantage says of a service's members.
    Verdict(RegionName, ServiceKey),
    /// `spec/REGION/NAMESPACE/NAME`: the spec of a service as it stands in a region's cluster.
    Spec(RegionName, ServiceKey),
    /// `workload/NAMESPACE/NAME/REGION`: what was read back of the workload that writes for a service there.
    Workload(RegionName, ServiceKey),
    /// `trial/NAMESPACE/NAME`: whether the name servers of a service would take an update.
    Trial(ServiceKey),
    /// `standing/REGION`: Regions and grade policies as they stand there, and who says all this.
    Standing(RegionName),
    /// `identity/REGION`: which installation has the region's name.
    Identity(RegionName),
    /// `leader`: who took the lead last.
    Leader,
}

impl Entry {
    /// The key in the ledger.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::new(match self {
            Self::Record(service) => format!("record/{service}"),
            Self::Run(namespace, id) => format!("run/{namespace}/{id}"),
            Self::Request(namespace, id) => format!("request/{namespace}/{id}"),
            Self::Drill(namespace, id) => format!("drill/{namespace}/{id}"),
            Self::Report(namespace, id) => format!("report/{namespace}/{id}"),
            Self::Draw(namespace, drill) => format!("draw/{namespace}/{drill}"),
            Self::Verdict(vantage, service) => format!("verdict/{vantage}/{service}"),
            Self::Spec(region, service) => format!("spec/{region}/{service}"),
            Self::Workload(region, service) => format!("workload/{service}/{region}"),
            Self::Trial(service) => format!("trial/{service}"),
            Self::Standing(region) => format!("standing/{region}"),
            Self::Identity(region) => format!("identity/{region}"),
            Self::Leader => "leader".to_owned(),
        })
    }

    /// What a key names; `None` for keys of other parts, such as the name server's answers.
    #[must_use]
    pub fn of(key: &Key) -> Option<Self> {
        let parts: Vec<&str> = key.as_str().split('/').collect();
        match parts.as_slice() {
            ["record", namespace, name] => Some(Self::Record(ServiceKey::new(namespace, name))),
            ["run", namespace, id] => Some(Self::Run(Arc::from(*namespace), RunId::new(id))),
            ["request", namespace, id] => Some(Self::Request(Arc::from(*namespace), RunId::new(id))),
            ["drill", namespace, id] => Some(Self::Drill(Arc::from(*namespace), RunId::new(id))),
            ["report", namespace, id] => Some(Self::Report(Arc::from(*namespace), RunId::new(id))),
            ["draw", namespace, drill] => Some(Self::Draw(Arc::from(*namespace), Arc::from(*drill))),
            ["verdict", vantage, namespace, name] => {
                Some(Self::Verdict(RegionName::new(vantage), ServiceKey::new(namespace, name)))
            }
            ["spec", region, namespace, name] => {
                Some(Self::Spec(RegionName::new(region), ServiceKey::new(namespace, name)))
            }
            ["workload", namespace, name, region] => {
                Some(Self::Workload(RegionName::new(region), ServiceKey::new(namespace, name)))
            }
            ["trial", namespace, name] => Some(Self::Trial(ServiceKey::new(namespace, name))),
            ["standing", region] => Some(Self::Standing(RegionName::new(region))),
            ["identity", region] => Some(Self::Identity(RegionName::new(region))),
            ["leader"] => Some(Self::Leader),
            _ => None,
        }
    }
}

/// Who took the lead. When the watch has brought it back, it has brought everything that was written before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaderEntry {
    /// The process.
    pub incarnation: Identity,
    /// The term of its lease.
    pub term: Term,
}

/// A move that a person or a drill wants, as it stands in the ledger.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestEntry {
    /// The service.
    pub service: ServiceKey,
    /// Region that shall stop serving.
    pub from: Option<RegionName>,
    /// Region that shall serve.
    pub to: Option<RegionName>,
    /// Why.
    pub reason: String,
    /// Show the plan, touch nothing.
    pub dry_run: bool,
    /// Whoever wants it knows that nobody writes where it is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writer_stopped: bool,
    /// Whose wish it is.
    #[serde(default = "manual")]
    pub trigger: Trigger,
    /// A drill wants the move undone, and why.
    #[serde(default)]
    pub turn_back: Option<String>,
    /// When it was created; older requests come first.
    pub created_at: Timestamp,
    /// The last word of a person on the paused run in each region's cluster, and the generation of the Failover there
    /// that brought it. Each region writes only its own.
    #[serde(default)]
    pub words: BTreeMap<RegionName, (Intervention, i64)>,
}

/// When the next run of a drill starts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrawEntry {
    /// The time of the schedule.
    pub slot: Timestamp,
    /// What was drawn.
    pub starts_at: Timestamp,
}

/// The spec of a service as it stands in the cluster of one region.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpecEntry {
    /// How to read it.
    pub schema: u32,
    /// Of the spec.
    pub hash: Hash,
    /// When the object was created there; of two services with one name the older one keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// As the API server accepted it. Not taken apart here, so that one of another version is not refused as a whole.
    pub spec: Value,
}

/// What the mirror keeps of a [`SpecEntry`]: with thousands of services the specs are read when they are needed.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SpecMark {
    /// Of the spec.
    pub hash: Hash,
    /// When the object was created there.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
}

/// What a region holds besides services, and which process says what it holds. Written after all its specs, so whoever
/// sees it knows that a spec that is not there is held by nobody there.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StandingEntry {
    /// How to read it.
    pub schema: u32,
    /// The process that says so. Counts, with the region's specs, while that process holds its region's lease.
    pub incarnation: Identity,
    /// The term of that lease.
    pub term: Term,
    /// Where it has all this from.
    pub source: SpecSource,
    /// Hash of the policy in force, by grade.
    pub grades: BTreeMap<i32, Hash>,
    /// The Regions.
    pub regions: StandingObjects,
    /// The grade policies.
    pub policies: StandingObjects,
    /// How far its vantage leaves out samples; `None`: it is of a version that does not say so.
    #[serde(default)]
    pub stretch: Option<Stretch>,
}

/// Regions or grade policies, by name. Shared, because what is held is compared with what was said each few seconds.
pub type StandingObjects = Arc<BTreeMap<String, StandingObject>>;

/// A Region or a grade policy.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StandingObject {
    /// Of the spec.
    pub hash: Hash,
    /// When it was created there; of two policies for one grade the older one rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// As the API server accepted it.
    pub spec: Value,
}

/// SHA-256 of canonical JSON, in hexadecimal.
pub type Hash = Arc<str>;

/// Where a process has the specs from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum SpecSource {
    /// From its own cluster.
    Cluster,
    /// From the ledger, because its own API server has not answered since it started. It has no keys of name servers.
    Ledger,
}

/// Schema of the records that this version writes. A record without one is of schema 1.
pub const SCHEMA: u32 = 1;

/// Written before drills were there.
const fn manual() -> Trigger {
    Trigger::Manual
}

/// What one vantage says of the members of one service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictEntry {
    /// The process that says so. Counts only while it holds its region's lease.
    pub incarnation: Identity,
    /// The term of that lease in which it was said. Does not count in a later one.
    #[serde(default)]
    pub term: Term,
    /// By member.
    pub members: BTreeMap<RegionName, MemberVerdict>,
}

/// What came of the last update that changes nothing.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrialEntry {
    /// What is wrong with those that did not take it; empty: all did.
    pub wrong: Vec<String>,
}

/// Writes a record as JSON; what only the leader writes is written by `Agent::put_as_leader`.
///
/// # Errors
/// Those of [`Ledger::write`].
pub async fn put<T: Serialize + Sync>(
    ledger: &dyn Ledger,
    entry: &Entry,
    value: &T,
    expect: Expect,
    under: Option<&Under>,
) -> Result<Version, LedgerError> {
    let key = entry.key();
    let unavailable = |error: serde_json::Error| LedgerError::Unavailable {
        what: format!("write {key}"),
        cause: error.to_string(),
    };
    let text = serde_json::to_string(value).map_err(unavailable)?;
    let result = ledger.write(&key, &text, expect, under).await;
    if planted!(LastWriteWins)
        && matches!(result, Err(LedgerError::Conflict { .. } | LedgerError::NotHolder { .. }))
        && let Some(found) = ledger.get(&key).await?
    {
        return ledger.put(&key, &text, Expect::Version(found.version)).await;
    }
    result
}

/// What a record must be to be written over by the only one who writes it.
///
/// # Errors
/// Those of [`Ledger::get`]; and `Unavailable` for a record of a newer schema, which is left alone.
pub async fn expect(ledger: &dyn Ledger, entry: &Entry) -> Result<Expect, LedgerError> {
    let key = entry.key();
    let Some(found) = ledger.get(&key).await? else { return Ok(Expect::Absent) };
    match newer_schema(&found.value) {
        None => Ok(Expect::Version(found.version)),
        Some(cause) => Err(LedgerError::Unavailable { what: format!("write {key}"), cause }),
    }
}

/// Why a record must not be read, let alone written over, by this version; `None`: it is none of a newer schema.
pub fn newer_schema(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        schema: Option<u32>,
    }
    let schema = serde_json::from_str::<Head>(text).ok()?.schema.filter(|schema| *schema > SCHEMA)?;
    Some(format!("it is of schema {schema}, and this version of Bongsu knows {SCHEMA}: upgrade Bongsu here"))
}

/// Reads a record as JSON.
///
/// # Errors
/// Those of [`Ledger::get`]; and `Unavailable` for a record that this version cannot read.
pub async fn get<T: DeserializeOwned>(
    ledger: &dyn Ledger,
    entry: &Entry,
) -> Result<Option<(Version, T)>, LedgerError> {
    let key = entry.key();
    let Some(found) = ledger.get(&key).await? else { return Ok(None) };
    let unreadable = |error: serde_json::Error| LedgerError::Unavailable {
        what: format!("read {key}"),
        cause: format!("this version of Bongsu cannot read it: {error}"),
    };
    let value = serde_json::from_str(&found.value).map_err(unreadable)?;
    Ok(Some((found.version, value)))
}

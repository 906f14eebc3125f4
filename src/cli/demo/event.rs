//! What happens in the demo, as the views are told it.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::{drill::DrillSummary, summary::Summary};
use crate::domain::{Epoch, RegionName, Tick};

/// One thing that happened. With `--json`, each is one object.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Event {
    /// A data center runs.
    Region { region: RegionName, service: Option<SocketAddr>, name_server: Option<SocketAddr>, witness: bool },
    /// Another Bongsu decides now, or none.
    Leader { region: Option<RegionName> },
    /// A Bongsu renews its lease again, or does not any more.
    Lease { region: RegionName, alive: bool },
    /// The ledger says who serves.
    Serving { epoch: Epoch, regions: Vec<RegionName> },
    /// One vantage changed its mind.
    Verdict { vantage: String, member: String, verdict: String, reason: Option<String> },
    /// The quorum of vantages changed its mind.
    Health { member: String, health: String },
    /// What Bongsu would do, and why not.
    NextMove { outcome: String, message: String },
    /// All is well: the citizen is served and Bongsu is ready.
    Steady { requests: usize, median_latency_millis: u64, predicted_rto_millis: u64, arithmetic: String },
    /// The power of data centers was cut.
    Fault { lost: Vec<String> },
    /// The power of a data center is back.
    Restored { region: RegionName },
    /// The citizen gets another answer, or from another name server.
    Answer { name: String, address: IpAddr, server: SocketAddr, ttl_seconds: u64 },
    /// The citizen did one verification.
    Request {
        ok: bool,
        #[serde(skip)]
        begun: Tick,
        address: Option<IpAddr>,
        latency_millis: u64,
        error: Option<String>,
    },
    /// A move was decided, with every rule that was asked.
    Decision {
        failover: String,
        /// Region of the Bongsu that decided.
        by: RegionName,
        reason: String,
        to: Vec<RegionName>,
        epoch: Epoch,
        rules: Vec<RuleSaid>,
    },
    /// A step of the move.
    Step { number: usize, of: usize, step: String, state: String, message: Option<String> },
    /// The move is over.
    Over { state: String, message: String },
    /// The citizen is served again.
    Served { address: IpAddr, since_fault_millis: u64, errors: usize },
    /// The drill goes on.
    Drill { phase: &'static str, message: String },
    /// The last line, if there was a drill.
    DrillSummary(Box<DrillSummary>),
    /// The last line.
    Summary(Box<Summary>),
}

/// What one rule said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleSaid {
    /// Its name.
    pub(super) rule: String,
    /// `Pass`, `NotApplicable`, `Recommend` or `Block`.
    pub(super) outcome: String,
    /// Why.
    pub(super) message: String,
}

impl RuleSaid {
    /// Whether it lets the move go on.
    pub(super) fn lets_go(&self) -> bool {
        matches!(self.outcome.as_str(), "Pass" | "NotApplicable")
    }
}

/// Names with commas between them.
pub(super) fn list<T: ToString>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Event {
    /// The sentence for people; `None` for what a view shows in its own way.
    pub(super) fn sentence(&self) -> Option<String> {
        Some(match self {
            Self::Region { region, service: Some(service), name_server, .. } => {
                let names = name_server.map(|address| format!(", name server {address}")).unwrap_or_default();
                format!("{region}: Bongsu, gpki-verify at {service}{names}")
            }
            Self::Region { region, service: None, .. } => {
                format!("{region}: Bongsu as a witness, votes only")
            }
            Self::Leader { region: Some(region) } => format!("leader: Bongsu in {region} decides"),
            Self::Leader { region: None } => "leader: none, the lease has to run out first".to_owned(),
            Self::Lease { region, alive: true } => format!("{region}: its Bongsu renews its lease"),
            Self::Lease { region, alive: false } => {
                format!("{region}: its Bongsu is silent, its lease ran out")
            }
            Self::Serving { epoch, regions } => {
                format!("ledger: {} serves under epoch {epoch}", list(regions))
            }
            Self::Verdict { vantage, member, verdict, reason } => {
                let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                format!("seen from {vantage}: {member} is {verdict}{reason}")
            }
            Self::Health { member, health } => format!("quorum: {member} is {health}"),
            Self::NextMove { outcome, message } => format!("next move: {outcome}: {message}"),
            Self::Steady { requests, median_latency_millis, predicted_rto_millis, .. } => format!(
                "all is well: {requests} verifications, median {median_latency_millis} ms; predicted RTO {}",
                seconds(*predicted_rto_millis)
            ),
            Self::Fault { lost } => {
                format!("POWER CUT in {}: service, name server and Bongsu are gone", list(lost))
            }
            Self::Restored { region } => {
                format!("POWER IS BACK in {region}: service, name server and Bongsu start again")
            }
            Self::Answer { name, address, server, ttl_seconds } => {
                format!("DNS: {name} is {address} (TTL {ttl_seconds} s, from {server})")
            }
            Self::Decision { failover, by, reason, to, epoch, .. } => {
                format!("DECIDED by {by}: {failover}: {reason}; {} shall serve under epoch {epoch}", list(to))
            }
            Self::Step { number, of, step, state, message } => {
                let message = message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
                format!("step {number}/{of} {step} {state}{message}")
            }
            Self::Over { state, message } => format!("move {state}: {message}"),
            Self::Served { address, since_fault_millis, errors } => format!(
                "SERVED AGAIN from {address}, {} after the fault and {errors} errors",
                seconds(*since_fault_millis)
            ),
            Self::Drill { phase, message } => format!("drill {phase}: {message}"),
            Self::Request { .. } | Self::Summary(_) | Self::DrillSummary(_) => return None,
        })
    }
}

/// Milliseconds as `1.23 s`.
pub(super) fn seconds(millis: u64) -> String {
    format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10)
}

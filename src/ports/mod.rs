//! What the core needs from the outside, as traits. `adapters` implement them, `sim` will replace them.

mod agents;
mod checks;
mod clock;
mod ledger;
mod metering;
mod prober;
mod reports;
mod resources;
mod traffic;
mod workloads;

pub use agents::{AgentError, Agents, Promising, Seat, promisers};
pub use checks::{
    BodyFormat, ChainRpc, ClientCertificate, CrlRules, CrlSpec, DidHead, DidResolve, DidSpec, DidStatus,
    DnsRecord, DnsSpec, DnsTransport, GrpcSpec, HttpSpec, LdapBind, LdapEncryption, LdapScope, LdapSpec,
    LdapValue, NonceRule, OcspCanary, OcspMethod, OcspSpec, PayloadSpec, Pin, PromqlSpec, Revocation,
    SecretRef, Serial, StepBody, StepSpec, TimestampSpec, TlsCheckSpec, TlsSpec, VerifierSpec, VerifierStep,
};
pub use clock::Clock;
pub use ledger::{Change, Expect, Key, LeaseState, Ledger, LedgerError, Under, Version, Versioned};
pub use metering::{Meter, Metering, MeteringError};
pub use prober::{CheckKind, CheckSpec, Endpoint, Probe, ProbeError, Prober, Reading, Scheme, StageTimes};
pub use reports::{Reports, ReportsError};
pub use resources::{
    Event, EventKind, InvalidObject, NewObject, ObjectRef, Resources, ResourcesError, Snapshot, StatusUpdate,
};
pub use traffic::{
    Answer, DnsRoute, EmptyAnswer, Over, Route, RouteKind, ServedRoute, ServerState, Traffic, TrafficError,
    TsigAlgorithm, TsigSecret,
};
pub use workloads::{WorkloadState, Workloads};

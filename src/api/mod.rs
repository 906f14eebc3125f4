//! What users write: the custom resources of `bongsu.io/v1alpha1`, one file per kind.
//!
//! Doc comments here are user documentation: `kubectl explain` and `docs/reference.md` show them. Notes for
//! developers are plain `//` comments. Nothing here decides; `reconcile::parse` turns these values into domain values.

#![expect(
    clippy::duplicated_attributes,
    reason = "the lint takes the parts of two printcolumns for the same attribute"
)]

mod approval;
mod calendar;
mod check;
mod conditions;
mod drill_run;
mod duration;
mod failover;
mod grade_policy;
mod guardrails;
mod health;
mod ledger_entry;
mod readiness;
mod region;
mod shared_service;
mod switchover_drill;
mod traffic;

pub use approval::{Approval, ApprovalSpec, ApprovalStatus};
pub use calendar::{BlockedSpan, Calendar, CalendarSpec, CalendarStatus, Repeats};
pub use check::{
    BodyFormat, Capture, ChainRpc, Check, CheckScheme, CrlCheck, DidCheck, DidHead, DidResolve, DidStatus,
    DnsCheck, DnsRecordType, DnsTransport, GeneratedBody, GrpcCheck, Header, HttpCheck, HttpMethod, LdapBind,
    LdapCertificate, LdapCheck, LdapCrl, LdapEncryption, LdapScope, LdapSearch, NonceRule, OcspCanary,
    OcspCheck, OcspMethod, PayloadCheck, PromqlCheck, Revocation, SecretRef, StepMethod, TcpCheck,
    TimestampCheck, TlsCheck, TlsOptions, VerifierCheck, VerifierStep,
};
pub use conditions::{ConditionType, condition, merge_conditions};
pub use drill_run::{
    DrillPhase, DrillRun, DrillRunSpec, DrillRunStatus, DrillVerdict, DrilledService, PreCheck, TimelineEntry,
};
pub use duration::{Duration, ParseDurationError};
pub use failover::{
    Failover, FailoverPhase, FailoverSpec, FailoverStatus, Intervention, PhaseTime, PhaseTimes, RuleStatus,
    StepState, StepStatus,
};
pub use grade_policy::{DrillPolicy, GradePolicy, GradePolicySpec, GradePolicyStatus, Ladder};
pub use guardrails::{Guardrails, PrometheusServer, PromqlCondition, ResidualTraffic};
pub use health::{Health, Recovery, Vantages, Window};
pub use ledger_entry::{LedgerEntry, LedgerEntrySpec};
pub use readiness::{ReadinessFinding, SwitchDirection, SwitchReadiness};
pub use region::{
    Budget, EvacuationBudget, GlobalStop, Maintenance, Region, RegionRole, RegionSpec, RegionStatus,
};
pub use shared_service::{
    Failback, FailbackMode, FailoverPolicy, Fence, FenceStatus, Gate, Member, MemberDiagnosis, MemberStatus,
    Mode, NextMove, Objectives, PassedDrill, ServiceRef, SharedService, SharedServiceSpec,
    SharedServiceStatus, Topology, VantageStatus, Workload, WorkloadKind,
};
pub use switchover_drill::{
    ConcurrencyPolicy, DrillDirection, DrillKind, DrillSchedule, DrillWindow, NextRun, RampStep,
    STARTING_DEADLINE, ServiceSelector, SwitchoverDrill, SwitchoverDrillSpec, SwitchoverDrillStatus, Weekday,
};
pub use traffic::{
    DnsServer, DnsUpdate, SecretKeyRef, ServedZone, Traffic, TrafficStatus, TsigAlgorithm, TsigKey,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of every kind.
pub const GROUP: &str = "bongsu.io";

/// Version of every kind.
pub const VERSION: &str = "v1alpha1";

/// The one field manager under which Bongsu writes to an API server.
pub const FIELD_MANAGER: &str = "bongsu";

/// Every custom resource definition, in the order in which a reader meets them.
#[must_use]
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    vec![
        Region::crd(),
        SharedService::crd(),
        GradePolicy::crd(),
        Failover::crd(),
        SwitchoverDrill::crd(),
        DrillRun::crd(),
        Calendar::crd(),
        Approval::crd(),
        LedgerEntry::crd(),
    ]
}

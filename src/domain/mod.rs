//! The core: what is healthy, who agrees, what to do about it, and how far a plan has come.
//!
//! No I/O, no clock, no randomness, no Kubernetes: equal inputs give equal outputs. Everything it needs comes in as a
//! value, everything it wants goes out as a value. `serde` is the one crate it uses besides `std`, because records,
//! runs and verdicts are what the ledger keeps.

mod agreement;
mod budget;
mod decide;
mod dependencies;
mod drill;
#[cfg(test)]
mod fencing_model;
mod fleet;
#[cfg(test)]
mod gate_model;
mod health;
mod ids;
mod judged;
mod lease;
mod measured;
mod observation;
mod pace;
mod plan;
mod predict;
mod promise;
#[cfg(test)]
mod promise_model;
mod quorum;
mod readiness;
mod record;
mod rules;
mod run;
mod service;
mod symptom;
mod time;
mod workload;

pub use agreement::{Agreement, SpecWord};
pub use budget::{BudgetLimits, BudgetUse};
pub use decide::{Action, Decision, decide, detection, noticed, suppose_lost};
pub use dependencies::way_back;
pub use drill::{
    Condition, DrillLimits, DrillPhase, DrillRule, DrillRun, DrillSight, DrillVerdict, DrilledService,
    DrilledState, LastPassed, MoveSight, Order, Passed, PreCheck, RampStep, SampleLimits, ServiceSight, Stop,
    StopCause, Words, Yes, is_fresh,
};
pub use fleet::{Fleet, RegionState, RegionVerdict, ServiceReports, survey};
pub use health::{CheckWindow, HealthPolicy, Outcome, Recovery, Sample, Verdict, Window, together};
pub use ids::{Epoch, Identity, RegionName, RouteName, RunId, ServiceKey};
pub use judged::{Judged, return_capacity, serving_healthy};
pub use lease::{LeaseMark, LeaseWatch, Tenure, Term, writer_lease};
pub use measured::{Limits, Measured, Standing};
pub use observation::{
    MemberView, Observation, Published, Report, Request, Switches, TargetRefusal, VantageView, WriterLease,
};
pub use pace::{Pace, Stretch};
pub use plan::{Move, Plan, Step, StepKind, Trigger, plan_for};
pub use predict::{Prediction, Timings, predict};
pub use promise::{PROMISE_MAX, PromiseRequest, Promiser, Promisers, Promises, Refusal, WithholdRequest};
pub use quorum::{MemberHealth, judge};
pub use readiness::{
    Direction, Finding, Gravity, Inspected, Looked, Readiness, Ready, Surroundings, readiness,
};
pub use record::Record;
pub use rules::{Evaluation, Rule, RuleOutcome, Why};
pub use run::{Intervention, Next, Run, RunState, StepRecord, StepResult, StepState, Times};
pub use service::{FailoverPolicy, Fence, GatePolicy, Member, Mode, Service, Topology};
pub use symptom::{Diagnosis, Pattern, Sighting, Sign, Stage, Symptom, diagnose};
pub use time::{Tick, Timestamp};
pub use workload::{Wish, Workload, WorkloadKind, WorkloadSeen, WorkloadWord};

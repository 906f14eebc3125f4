//! What operators of Bongsu see: metrics, health pages and logs. Nothing here decides.

mod family;
mod gate;
mod http;
mod labels;
mod logs;
mod metrics;
mod readiness;

pub use family::Description;
pub use gate::GateMetrics;
pub use http::{Exposition, Pages, Secure, StatusProvider, serve, serve_router};
pub use labels::{
    CallResult, DecisionOutcome, LedgerOperation, NextMoveOutcome, PassOutcome, Phase, SkipReason, StepResult,
};
pub use logs::{LogError, LogFormat, init, subscriber};
pub use metrics::{Build, Metrics};
pub use readiness::{Part, Readiness};

//! How a run ended: the first rule that applies, and nothing else.

use super::{DrillRule, DrillRun, DrillVerdict, DrilledState, RuleOutcome, StopCause};
use crate::planted::planted;

/// The verdict of a run that moved something, or tried to.
pub(super) fn verdict(run: &DrillRun) -> (DrillVerdict, DrillRule) {
    let incident = run.stop.as_ref().is_some_and(|stop| stop.cause == StopCause::Incident);
    let kept = run.services.iter().any(|service| service.state == DrilledState::Kept);
    if kept && !incident {
        return (DrillVerdict::Failed, DrillRule::ReturnFailed);
    }
    let overlooked = planted!(VerdictIgnoresHold) && run.held_since.is_some() && !incident;
    if let Some(stop) = run.stop.as_ref().filter(|_| !overlooked) {
        return match stop.cause {
            StopCause::Incident => (DrillVerdict::Aborted, DrillRule::RealIncident),
            StopCause::Person => (DrillVerdict::Aborted, DrillRule::AbortedByPerson),
            StopCause::Guardrail => (DrillVerdict::Aborted, DrillRule::GuardrailTripped),
            StopCause::OverTime => (DrillVerdict::Failed, DrillRule::OverTime),
            StopCause::MoveFailed => (DrillVerdict::Failed, DrillRule::MoveFailed),
        };
    }
    // Of a run that was started only the stages of a loss can have been blocked.
    if run.detects && run.pre_checks.iter().any(|stage| stage.outcome == RuleOutcome::Block) {
        return (DrillVerdict::Failed, DrillRule::LossUnnoticed);
    }
    let late = run.services.iter().any(|service| match (service.rto, service.rto_target) {
        (Some(rto), Some(target)) => rto > target,
        _ => false,
    });
    match (late, run.findings.is_empty()) {
        (true, _) => (DrillVerdict::Failed, DrillRule::RtoMissed),
        (false, false) => (DrillVerdict::PassedWithFindings, DrillRule::FindingsOpen),
        (false, true) => (DrillVerdict::Passed, DrillRule::AllLimitsKept),
    }
}

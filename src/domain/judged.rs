//! Judgements of what a switch needs, one thing each. A drill asks them before it starts, and the readiness of a service
//! while all is well: they are the same functions, so that what was promised before the day is what is asked on it.

use std::sync::Arc;

use super::{Evaluation, MemberHealth, Observation, PreCheck, RuleOutcome};

/// One judgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What was asked: the name of a rule, or of one of its own.
    pub name: &'static str,
    /// What it said.
    pub outcome: RuleOutcome,
    /// Why.
    pub message: String,
}

impl Judged {
    /// It passes where nothing is wrong.
    #[must_use]
    pub fn unless(name: &'static str, wrong: Option<String>) -> Self {
        Self {
            name,
            outcome: if wrong.is_some() { RuleOutcome::Block } else { RuleOutcome::Pass },
            message: wrong.unwrap_or_else(|| "nothing against it".to_owned()),
        }
    }

    /// Among the checks of a drill; `None`: of the drill as a whole.
    #[must_use]
    pub fn pre_check(self, service: Option<&Arc<str>>) -> PreCheck {
        PreCheck {
            name: self.name.to_owned(),
            service: service.cloned(),
            outcome: self.outcome,
            message: self.message,
        }
    }
}

impl From<&Evaluation> for Judged {
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            name: evaluation.rule.as_str(),
            outcome: evaluation.outcome,
            message: evaluation.why.to_string(),
        }
    }
}

/// Whether all that serves is well.
#[must_use]
pub fn serving_healthy(seen: &Observation) -> Judged {
    let mut serving = seen.record.iter().flat_map(|record| &record.serving);
    let unwell = serving.find(|region| seen.health_in(region) != MemberHealth::Healthy);
    let wrong = unwell.map(|region| {
        format!("{region} serves and is {}: a drill starts only where all is well", seen.health_in(region))
    });
    Judged::unless("ServingHealthy", wrong)
}

/// Whether who serves now could take the service back: a move goes only to who can carry it, a return as well.
#[must_use]
pub fn return_capacity(seen: &Observation) -> Judged {
    let carried = || {
        let serving = &seen.record.as_ref()?.serving;
        Some((seen.capacity(serving)?, seen.service.peak_load?))
    };
    let wrong = carried().filter(|(capacity, load)| capacity < load).map(|(capacity, load)| {
        format!(
            "those who serve now carry {capacity}/s and the peak is {load}/s: the service could not be brought back"
        )
    });
    Judged::unless("ReturnCapacity", wrong)
}

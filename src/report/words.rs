//! What the forms for people say, in each language. A text that one language lacks does not compile.

pub(super) mod codes;
mod en;
pub(super) mod inspection;
mod ko;
mod remedies;

pub use remedies::remedy;

use super::{CheckOutcome, DeviationKind, Kind, Outcome, Severity, Task};

/// The language of a form for people. What people and rules wrote stays as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lang {
    /// English.
    En,
    /// Korean.
    Ko,
}

/// All texts of one language.
pub(super) struct Words {
    pub(super) lang: Lang,
    /// The language, as HTML names it.
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) sections: Sections,
    pub(super) labels: Labels,
    pub(super) says: Says,
    pub(super) clocks: ClockNames,
    pub(super) units: Units,
    pub(super) kind: fn(Kind) -> &'static str,
    pub(super) outcome: fn(Outcome) -> &'static str,
    pub(super) meaning: fn(Outcome) -> &'static str,
    pub(super) check: fn(CheckOutcome) -> &'static str,
    pub(super) deviation: fn(DeviationKind) -> &'static str,
    pub(super) severity: fn(Severity) -> &'static str,
    pub(super) task: fn(Task) -> &'static str,
}

impl Words {
    pub(super) const fn of(lang: Lang) -> &'static Self {
        match lang {
            Lang::En => &en::WORDS,
            Lang::Ko => &ko::WORDS,
        }
    }
}

/// Headings, in the order in which they stand.
pub(super) struct Sections {
    pub(super) identity: &'static str,
    pub(super) scope: &'static str,
    pub(super) people: &'static str,
    pub(super) pre_checks: &'static str,
    pub(super) results: &'static str,
    pub(super) timeline: &'static str,
    pub(super) guardrails: &'static str,
    pub(super) deviations: &'static str,
    pub(super) findings: &'static str,
    pub(super) follow_ups: &'static str,
    pub(super) integrity: &'static str,
}

/// What stands before a value or over a column.
pub(super) struct Labels {
    pub(super) number: &'static str,
    pub(super) drill: &'static str,
    pub(super) system: &'static str,
    pub(super) kind: &'static str,
    pub(super) plan_hash: &'static str,
    pub(super) started: &'static str,
    pub(super) ended: &'static str,
    pub(super) previous: &'static str,
    pub(super) due: &'static str,
    pub(super) scenario: &'static str,
    pub(super) regions: &'static str,
    pub(super) hold: &'static str,
    pub(super) requested_by: &'static str,
    pub(super) required: &'static str,
    pub(super) approvers: &'static str,
    pub(super) announced: &'static str,
    pub(super) name: &'static str,
    pub(super) service: &'static str,
    pub(super) grade: &'static str,
    pub(super) result: &'static str,
    pub(super) why: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) target: &'static str,
    pub(super) predicted: &'static str,
    pub(super) real: &'static str,
    pub(super) return_time: &'static str,
    pub(super) phase: &'static str,
    pub(super) away: &'static str,
    pub(super) back: &'static str,
    pub(super) took: &'static str,
    pub(super) failover: &'static str,
    pub(super) samples: &'static str,
    pub(super) good: &'static str,
    pub(super) bad: &'static str,
    pub(super) longest_p95: &'static str,
    pub(super) at: &'static str,
    pub(super) what: &'static str,
    pub(super) limit: &'static str,
    pub(super) tripped: &'static str,
    pub(super) step: &'static str,
    pub(super) attempts: &'static str,
    pub(super) severity: &'static str,
    pub(super) finding: &'static str,
    pub(super) owner: &'static str,
    pub(super) until: &'static str,
    pub(super) rule: &'static str,
    pub(super) digest: &'static str,
    pub(super) previous_digest: &'static str,
    pub(super) signature: &'static str,
    pub(super) sealed: &'static str,
    pub(super) tool: &'static str,
    pub(super) clock: &'static str,
}

/// Whole phrases.
pub(super) struct Says {
    pub(super) none: &'static str,
    pub(super) the_schedule: &'static str,
    pub(super) not_announced: &'static str,
    pub(super) never_started: &'static str,
    pub(super) first_drill: &'static str,
    pub(super) overdue: &'static str,
    pub(super) in_time: &'static str,
    pub(super) all_services: &'static str,
    pub(super) not_tripped: &'static str,
    pub(super) not_signed: &'static str,
    pub(super) first_report: &'static str,
    pub(super) within: &'static str,
    pub(super) missed: &'static str,
    pub(super) not_moved: &'static str,
    pub(super) times_in: &'static str,
    pub(super) where_time_went: &'static str,
    pub(super) against_target: &'static str,
    pub(super) chart_samples: &'static str,
    pub(super) moving: &'static str,
    pub(super) how_to_verify: &'static str,
}

/// The clocks of a move, in order.
pub(super) struct ClockNames {
    pub(super) fault: &'static str,
    pub(super) detected: &'static str,
    pub(super) decided: &'static str,
    pub(super) fenced: &'static str,
    pub(super) promoted: &'static str,
    pub(super) shifted: &'static str,
    pub(super) verified: &'static str,
    pub(super) settled: &'static str,
}

/// What stands behind a number, with the space that the language puts there.
pub(super) struct Units {
    pub(super) hours: &'static str,
    pub(super) minutes: &'static str,
    pub(super) seconds: &'static str,
    pub(super) millis: &'static str,
}

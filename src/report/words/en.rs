//! English.

use super::{
    CheckOutcome, ClockNames, DeviationKind, Kind, Labels, Lang, Outcome, Says, Sections, Severity, Task,
    Units, Words,
};

pub(super) const WORDS: Words = Words {
    lang: Lang::En,
    code: "en",
    title: "Drill report",
    sections: SECTIONS,
    labels: LABELS,
    says: SAYS,
    clocks: ClockNames {
        fault: "Fault",
        detected: "Detected",
        decided: "Decided",
        fenced: "Fenced",
        promoted: "Promoted",
        shifted: "Traffic shifted",
        verified: "Verified",
        settled: "Settled",
    },
    units: Units { hours: " h", minutes: " min", seconds: " s", millis: " ms" },
    kind,
    outcome,
    meaning,
    check,
    deviation,
    severity,
    task,
};

const SECTIONS: Sections = Sections {
    identity: "Identity",
    scope: "Aim and scope",
    people: "People and notice",
    pre_checks: "Checks before the start",
    results: "Results by service",
    timeline: "Timeline",
    guardrails: "Guardrails",
    deviations: "Departures from the plan",
    findings: "Findings",
    follow_ups: "Follow-ups",
    integrity: "Integrity",
};

const LABELS: Labels = Labels {
    number: "Report number",
    drill: "Drill",
    system: "System",
    kind: "Kind",
    plan_hash: "Plan hash",
    started: "Started",
    ended: "Ended",
    previous: "Previous drill",
    due: "Due by",
    scenario: "Scenario",
    regions: "Regions",
    hold: "Hold time",
    requested_by: "Requested by",
    required: "Approvals required",
    approvers: "Approved by",
    announced: "Announced",
    name: "Name",
    service: "Service",
    grade: "System grade",
    result: "Result",
    why: "Why",
    from: "From",
    to: "To",
    target: "RTO target",
    predicted: "Predicted",
    real: "RTO measured",
    return_time: "Failback",
    phase: "Phase",
    away: "Switchover",
    back: "Failback",
    took: "Took",
    failover: "Failover object",
    samples: "Service during the drill",
    good: "Good",
    bad: "Bad",
    longest_p95: "Longest p95 response",
    at: "When",
    what: "What",
    limit: "Limit",
    tripped: "Tripped",
    step: "Step",
    attempts: "Tries",
    severity: "Severity",
    finding: "Finding",
    owner: "Owner",
    until: "Until",
    rule: "Rule",
    digest: "SHA-256 of this report",
    previous_digest: "SHA-256 of the report before",
    signature: "Signature",
    sealed: "Sealed",
    tool: "Written by",
    clock: "Clock",
};

const SAYS: Says = Says {
    none: "None",
    the_schedule: "the schedule",
    not_announced: "Not announced",
    never_started: "Never started: nothing was touched",
    first_drill: "None: this is the first",
    overdue: "Overdue",
    in_time: "In time",
    all_services: "The drill as a whole",
    not_tripped: "No",
    not_signed: "Not signed",
    first_report: "None: this is the first report of the drill",
    within: "within target",
    missed: "target missed",
    not_moved: "Not moved",
    times_in: "Times are in",
    where_time_went: "Where the time went",
    against_target: "Time to recover against its target",
    chart_samples: "Samples of the checks",
    moving: "Being moved",
    how_to_verify: "To check that nothing was changed: bongsu report verify --public-key KEY FILE…",
};

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Detection => "Detection drill (nothing is moved)",
        Kind::DryRun => "Dry run (nothing is moved)",
        Kind::Live => "Live switchover drill",
        Kind::Unannounced => "Unannounced live switchover drill",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "Passed",
        Outcome::PassedWithFindings => "Passed with findings",
        Outcome::Failed => "Failed",
        Outcome::Aborted => "Aborted",
        Outcome::NotStarted => "Not started",
    }
}

fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "Moved, held and returned within all limits.",
        Outcome::PassedWithFindings => {
            "Moved, held and returned within all limits, but something should be looked at."
        }
        Outcome::Failed => "A limit was missed.",
        Outcome::Aborted => "A person, a guardrail or a real incident ended it early.",
        Outcome::NotStarted => "A check before the start did not pass; nothing was touched.",
    }
}

fn check(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Pass => "Pass",
        CheckOutcome::Block => "Block",
        CheckOutcome::Recommend => "Recommend",
        CheckOutcome::NotApplicable => "Not applicable",
    }
}

fn deviation(kind: DeviationKind) -> &'static str {
    match kind {
        DeviationKind::Retried => "Retried",
        DeviationKind::Skipped => "Skipped",
        DeviationKind::Failed => "Failed",
        DeviationKind::Undone => "Undone",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
    }
}

fn task(task: Task) -> &'static str {
    match task {
        Task::BringBack => "Bring the service back to where it was served before",
        Task::FindCause => "Find out why, and mend it",
        Task::ShortenMove => "Make the move shorter, or state a longer objective",
        Task::ShortenDrill => "Hold for a shorter time, or allow the drill more time",
        Task::Unblock => "Remove what the check found",
        Task::GetApprovals => "Have enough people approve in time",
        Task::CorrectDrill => "Correct what the drill selects, or when it runs",
        Task::DrillAgain => "Drill again",
    }
}

//! Reports as drills would leave them.

use bongsu::report::{
    Approver, Bucket, CheckOutcome, Clocks, Deviation, DeviationKind, DrillReport, Finding, FollowUp,
    Guardrail, Identity, Integrity, Kind, Moment, Move, Notice, Objective, Outcome, People, PreCheck,
    PreviousDrill, Rto, Sample, Schema, Scope, ServiceResult, Severity, SigningKey, Tally, Task, Verdict,
};

/// 2026-11-02, the first Monday of the month, at ten in Seoul.
const TEN: i64 = 1_793_581_200_000;

const MINUTE: i64 = 60_000;

const DAY: i64 = 1440 * MINUTE;

/// A key whose seed is 32 times the same byte, as OpenSSL writes one.
pub fn key(seed: u8) -> SigningKey {
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([seed; 32]);
    SigningKey::parse(&der).unwrap()
}

/// Two services moved and returned; one answered badly for some seconds, and a step was tried twice.
pub fn live() -> DrillReport {
    DrillReport {
        schema: Schema::V1,
        identity: identity(),
        scope: scope(),
        people: People {
            requested_by: None,
            approvals_required: 2,
            approvers: vec![
                Approver { name: "kim.minji@mois.example".into(), at: Some(TEN - DAY + 3 * MINUTE) },
                Approver { name: "이서준".into(), at: Some(TEN - 35 * MINUTE) },
            ],
        },
        pre_checks: pre_checks(),
        notice: Notice { announced_at: Some(TEN - DAY) },
        timeline: timeline(),
        services: vec![verify_service(), mobile_service()],
        guardrails: vec![
            guardrail("Health", "what serves shows an early sign of failure"),
            guardrail("MaxDuration", "the drill takes longer than 2 h"),
        ],
        deviations: vec![Deviation {
            kind: DeviationKind::Retried,
            service: Some("mobile-id-verify".into()),
            step: "ShiftTraffic".into(),
            attempts: 2,
            message: "ns2.gpki.example refused the update: SERVFAIL".into(),
        }],
        findings: findings(),
        verdict: Verdict {
            outcome: Outcome::PassedWithFindings,
            rule: "FindingsOpen".into(),
            message: "both services were served within 4 min; 3 of 2400 samples of mobile-id-verify were bad"
                .into(),
        },
        follow_ups: vec![FollowUp {
            task: Task::FindCause,
            service: Some("mobile-id-verify".into()),
            finding: Some("F1".into()),
            owner: Some("모바일신분증팀".into()),
            due: Some(TEN + 14 * DAY),
        }],
        integrity: Integrity {
            previous_digest: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into()),
            sealed_at: TEN + 36 * MINUTE,
            tool_version: "0.1.0 (0123456)".into(),
            clock_source: "the leader in gwangju".into(),
        },
    }
}

fn identity() -> Identity {
    Identity {
        number: "gpki/quarterly-20261102".into(),
        drill: "gpki/quarterly".into(),
        system: Some("행정전자서명(GPKI) · 모바일 신분증".into()),
        kind: Kind::Live,
        plan_hash: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".into(),
        time_zone: "Asia/Seoul".into(),
        started_at: Some(TEN),
        ended_at: TEN + 35 * MINUTE,
        previous: Some(PreviousDrill {
            number: "gpki/quarterly-20260803".into(),
            ended_at: TEN - 91 * DAY + 40 * MINUTE,
            outcome: Outcome::Passed,
        }),
        due_by: Some(TEN + 4 * DAY),
        overdue: false,
    }
}

fn scope() -> Scope {
    let objective = |service: &str| Objective { service: service.into(), rto_target: 4 * MINUTE };
    Scope {
        scenario: "Daejeon loses power while certificates are being verified".into(),
        objectives: vec![objective("gpki-verify"), objective("mobile-id-verify")],
        regions: vec!["daejeon".into(), "gwangju".into(), "daegu".into()],
        hold: Some(30 * MINUTE),
    }
}

fn pre_checks() -> Vec<PreCheck> {
    let check = |name: &str, service: Option<&str>, outcome, message: &str| PreCheck {
        name: name.into(),
        service: service.map(str::to_owned),
        outcome,
        message: message.into(),
    };
    vec![
        check("ServicesCount", None, CheckOutcome::Pass, "2 services are selected"),
        check("TimeAllowed", None, CheckOutcome::Pass, "no calendar blocks 2026-11-02 10:00 in Asia/Seoul"),
        check(
            "TargetAvailable",
            Some("gpki-verify"),
            CheckOutcome::Pass,
            "gwangju answers well to all 3 vantages",
        ),
        check(
            "Capacity",
            Some("mobile-id-verify"),
            CheckOutcome::Recommend,
            "gwangju has 1.1 times the peak, 1.2 is advised",
        ),
        check(
            "DrillFresh",
            Some("gpki-verify"),
            CheckOutcome::NotApplicable,
            "a drill does not ask for a drill",
        ),
    ]
}

fn timeline() -> Vec<Moment> {
    let at = |after: i64, service: Option<&str>, what: &str| Moment {
        at: TEN + after,
        what: what.into(),
        service: service.map(str::to_owned),
    };
    vec![
        at(0, None, "started"),
        at(120, Some("gpki-verify"), "Failover quarterly-20261102-1-away was created: daejeon to gwangju"),
        at(63_410, Some("gpki-verify"), "served by gwangju and verified"),
        at(
            64_000,
            Some("mobile-id-verify"),
            "Failover quarterly-20261102-2-away was created: daejeon to gwangju",
        ),
        at(163_900, Some("mobile-id-verify"), "served by gwangju and verified"),
        at(164_000, None, "holding until 10:32:44"),
        at(1_964_000, None, "returning"),
        at(2_028_700, Some("mobile-id-verify"), "served by daejeon and verified"),
        at(2_091_300, Some("gpki-verify"), "served by daejeon and verified"),
        at(2_091_900, None, "over: PassedWithFindings"),
    ]
}

fn guardrail(name: &str, limit: &str) -> Guardrail {
    Guardrail { name: name.into(), limit: limit.into(), tripped_at: None, message: None }
}

fn findings() -> Vec<Finding> {
    let finding = |id: &str, severity, service: &str, text: &str| Finding {
        id: id.into(),
        severity,
        service: Some(service.into()),
        text: text.into(),
    };
    vec![
        finding(
            "F1",
            Severity::Medium,
            "mobile-id-verify",
            "3 samples were bad while resolvers still had the old address",
        ),
        finding("F2", Severity::Low, "gpki-verify", "it took 23.2 s longer than predicted"),
    ]
}

fn verify_service() -> ServiceResult {
    ServiceResult {
        name: "gpki-verify".into(),
        title: Some("통합검증서버(IVS)".into()),
        grade: Some(1),
        from: vec!["daejeon".into()],
        to: vec!["gwangju".into()],
        away: Some(moved("quarterly-20261102-1-away", 200, &[310, 0, 2_650, 63_200, 63_400])),
        back: Some(moved("quarterly-20261102-1-back", 2_029_000, &[95, 0, 1_900, 62_300, 62_400])),
        rto: Rto { target: Some(4 * MINUTE), predicted: Some(40_000), real: Some(63_200) },
        return_time: Some(62_300),
        samples: sampled(|_| true),
    }
}

fn mobile_service() -> ServiceResult {
    let bad = |after: i64| (70_000..73_000).contains(&after);
    ServiceResult {
        name: "mobile-id-verify".into(),
        title: None,
        grade: Some(1),
        from: vec!["daejeon".into()],
        to: vec!["gwangju".into()],
        away: Some(moved("quarterly-20261102-2-away", 64_100, &[290, 21_000, 38_700, 99_800, 100_000])),
        back: Some(moved("quarterly-20261102-2-back", 1_964_100, &[120, 900, 3_000, 64_500, 64_600])),
        rto: Rto { target: Some(4 * MINUTE), predicted: Some(95_000), real: Some(99_800) },
        return_time: Some(64_500),
        samples: sampled(|after| !bad(after)),
    }
}

/// Fenced, promoted (0: never), shifted, verified and settled, after it was decided.
fn moved(failover: &str, decided: i64, after: &[i64; 5]) -> Move {
    let at = |index: usize| Some(after[index]).filter(|time| *time > 0).map(|time| TEN + decided + time);
    let clocks = Clocks {
        fault: None,
        detected: None,
        decided: Some(TEN + decided),
        fenced: at(0),
        promoted: at(1),
        shifted: at(2),
        verified: at(3),
        settled: at(4),
    };
    Move { failover: failover.into(), clocks }
}

/// One sample a second, of which the answer takes longer while another region warms up.
fn sampled(good: impl Fn(i64) -> bool) -> Vec<Bucket> {
    let mut tally = Tally::new(TEN - MINUTE);
    for second in -60..36 * 60 {
        let after = second * 1000;
        let warming = if (0..400).contains(&second) { (400 - second) / 2 } else { 0 };
        tally.add(Sample { at: TEN + after, good: good(after), took: 38 + second * 7 % 11 + warming });
    }
    tally.buckets(TEN + 36 * MINUTE)
}

/// A check did not pass: nothing was touched, so most of it is empty.
pub fn not_started() -> DrillReport {
    let live = live();
    let blocked = PreCheck {
        name: "TimeAllowed".into(),
        service: None,
        outcome: CheckOutcome::Block,
        message: "national-exam blocks 2026-11-02".into(),
    };
    DrillReport {
        identity: Identity {
            started_at: None,
            previous: None,
            due_by: Some(TEN - DAY),
            overdue: true,
            system: None,
            ..live.identity
        },
        scope: Scope { objectives: Vec::new(), hold: None, ..live.scope },
        people: People { requested_by: Some("kim.minji@mois.example".into()), ..People::default() },
        pre_checks: vec![blocked],
        notice: Notice::default(),
        timeline: Vec::new(),
        services: Vec::new(),
        guardrails: Vec::new(),
        deviations: Vec::new(),
        findings: Vec::new(),
        follow_ups: Vec::new(),
        verdict: Verdict {
            outcome: Outcome::NotStarted,
            rule: "PreCheckBlocked".into(),
            message: "national-exam blocks 2026-11-02".into(),
        },
        integrity: Integrity { previous_digest: None, ..live.integrity },
        ..live
    }
}

/// A guardrail tripped, one service missed its target, and the other one was never moved; every text is an attack.
pub fn hostile(text: &str) -> DrillReport {
    let mut report = live();
    report.identity.number = text.into();
    report.identity.drill = text.into();
    report.identity.system = Some(text.into());
    report.identity.time_zone = text.into();
    report.identity.plan_hash = text.into();
    report.scope.scenario = text.into();
    report.scope.regions = vec![text.into()];
    report.scope.objectives[0].service = text.into();
    report.people.requested_by = Some(text.into());
    report.people.approvers[0].name = text.into();
    report.pre_checks[0] = PreCheck {
        name: text.into(),
        service: Some(text.into()),
        outcome: CheckOutcome::Pass,
        message: text.into(),
    };
    report.timeline[0] = Moment { at: i64::MAX, what: text.into(), service: Some(text.into()) };
    report.guardrails[0] = Guardrail {
        name: text.into(),
        limit: text.into(),
        tripped_at: Some(TEN),
        message: Some(text.into()),
    };
    report.deviations[0].step = text.into();
    report.deviations[0].message = text.into();
    report.findings[0].id = text.into();
    report.findings[0].text = text.into();
    report.follow_ups[0].service = Some(text.into());
    report.follow_ups[0].finding = Some(text.into());
    report.follow_ups[0].owner = Some(text.into());
    report.verdict = Verdict { outcome: Outcome::Failed, rule: text.into(), message: text.into() };
    report.integrity.tool_version = text.into();
    report.integrity.clock_source = text.into();
    report.integrity.previous_digest = Some(text.into());
    let service = &mut report.services[0];
    service.name = text.into();
    service.title = Some(text.into());
    service.rto = Rto { target: Some(1), predicted: Some(i64::MAX), real: Some(2) };
    service.from = vec![text.into()];
    if let Some(away) = &mut service.away {
        away.failover = text.into();
        away.clocks.decided = Some(i64::MIN);
    }
    report.services[1].away = None;
    report
}

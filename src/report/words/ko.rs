//! Korean.

use super::{
    CheckOutcome, ClockNames, DeviationKind, Kind, Labels, Lang, Outcome, Says, Sections, Severity, Task,
    Units, Words,
};

pub(super) const WORDS: Words = Words {
    lang: Lang::Ko,
    code: "ko",
    title: "훈련 결과보고서",
    sections: SECTIONS,
    labels: LABELS,
    says: SAYS,
    clocks: ClockNames {
        fault: "장애 발생",
        detected: "감지",
        decided: "전환 결정",
        fenced: "펜싱",
        promoted: "승격",
        shifted: "트래픽 전환",
        verified: "정상 확인",
        settled: "마무리",
    },
    units: Units { hours: "시간", minutes: "분", seconds: "초", millis: "밀리초" },
    kind,
    outcome,
    meaning,
    check,
    deviation,
    severity,
    task,
};

const SECTIONS: Sections = Sections {
    identity: "훈련 개요",
    scope: "목적과 범위",
    people: "참여자와 사전 통지",
    pre_checks: "시작 전 점검",
    results: "서비스별 결과",
    timeline: "진행 경과",
    guardrails: "자동 중단 기준",
    deviations: "계획과 다르게 진행된 사항",
    findings: "지적 사항",
    follow_ups: "후속 조치",
    integrity: "무결성",
};

const LABELS: Labels = Labels {
    number: "보고서 번호",
    drill: "훈련",
    system: "대상 시스템",
    kind: "훈련 유형",
    plan_hash: "훈련계획 해시",
    started: "시작",
    ended: "종료",
    previous: "직전 훈련",
    due: "실시 기한",
    scenario: "시나리오",
    regions: "참여 지역",
    hold: "유지 시간",
    requested_by: "요청자",
    required: "필요한 승인 수",
    approvers: "승인자",
    announced: "사전 통지",
    name: "항목",
    service: "서비스",
    grade: "정보시스템 등급",
    result: "결과",
    why: "근거",
    from: "전환 전",
    to: "전환 후",
    target: "복구목표시간(RTO)",
    predicted: "예측",
    real: "실측 복구시간",
    return_time: "원복 시간",
    phase: "단계",
    away: "전환",
    back: "원복",
    took: "소요",
    failover: "Failover 객체",
    samples: "훈련 중 서비스 상태",
    good: "정상",
    bad: "이상",
    longest_p95: "가장 긴 응답시간 p95",
    at: "시각",
    what: "내용",
    limit: "기준",
    tripped: "작동",
    step: "단계",
    attempts: "시도 횟수",
    severity: "심각도",
    finding: "지적 사항",
    owner: "담당",
    until: "조치 기한",
    rule: "판정 규칙",
    digest: "이 보고서의 SHA-256",
    previous_digest: "직전 보고서의 SHA-256",
    signature: "전자서명",
    sealed: "봉인 시각",
    tool: "작성 도구",
    clock: "시각 출처",
};

const SAYS: Says = Says {
    none: "없음",
    the_schedule: "정기 일정",
    not_announced: "통지하지 않음",
    never_started: "시작하지 않음(변경된 것 없음)",
    first_drill: "없음(첫 훈련)",
    overdue: "기한 경과",
    in_time: "기한 내",
    all_services: "훈련 전체",
    not_tripped: "작동하지 않음",
    not_signed: "서명 없음",
    first_report: "없음(이 훈련의 첫 보고서)",
    within: "목표 이내",
    missed: "목표 초과",
    not_moved: "전환하지 않음",
    times_in: "시각 기준:",
    where_time_went: "단계별 소요 시간",
    against_target: "복구시간과 목표",
    chart_samples: "점검 결과",
    moving: "전환 중",
    how_to_verify: "변경 여부 확인: bongsu report verify --public-key 공개키 파일…",
};

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Detection => "감지 훈련(실제 전환 없음)",
        Kind::DryRun => "계획 점검(실제 전환 없음)",
        Kind::Live => "실전형 전환훈련",
        Kind::Unannounced => "불시 실전형 전환훈련",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "통과",
        Outcome::PassedWithFindings => "통과(지적 사항 있음)",
        Outcome::Failed => "실패",
        Outcome::Aborted => "중단",
        Outcome::NotStarted => "미실시",
    }
}

fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "모든 기준 안에서 전환·유지·원복하였습니다.",
        Outcome::PassedWithFindings => {
            "모든 기준 안에서 전환·유지·원복하였으나 살펴보아야 할 사항이 있습니다."
        }
        Outcome::Failed => "기준을 지키지 못하였습니다.",
        Outcome::Aborted => "사람의 결정, 자동 중단 기준 또는 실제 장애로 일찍 끝났습니다.",
        Outcome::NotStarted => "시작 전 점검을 통과하지 못하여 아무것도 변경하지 않았습니다.",
    }
}

fn check(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Pass => "적합",
        CheckOutcome::Block => "시작 불가",
        CheckOutcome::Recommend => "확인 필요",
        CheckOutcome::NotApplicable => "해당 없음",
    }
}

fn deviation(kind: DeviationKind) -> &'static str {
    match kind {
        DeviationKind::Retried => "재시도",
        DeviationKind::Skipped => "건너뜀",
        DeviationKind::Failed => "실패",
        DeviationKind::Undone => "되돌림",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "낮음",
        Severity::Medium => "보통",
        Severity::High => "높음",
    }
}

fn task(task: Task) -> &'static str {
    match task {
        Task::BringBack => "서비스를 원래 지역으로 되돌릴 것",
        Task::FindCause => "원인을 찾아 조치할 것",
        Task::ShortenMove => "전환 시간을 줄이거나 복구목표시간을 조정할 것",
        Task::ShortenDrill => "유지 시간을 줄이거나 훈련 최대 시간을 늘릴 것",
        Task::Unblock => "시작 전 점검에서 확인된 원인을 없앨 것",
        Task::GetApprovals => "필요한 승인을 제때 받을 것",
        Task::CorrectDrill => "훈련 대상 또는 일정을 바로잡을 것",
        Task::DrillAgain => "훈련을 다시 실시할 것",
    }
}

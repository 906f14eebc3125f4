//! What the names of rules, checks and steps say, in each language. A name that is not here, because another version wrote
//! it, stands alone.

use super::Lang;

/// A name, and what it says in English and Korean.
type Code = (&'static str, &'static str, &'static str);

/// Rules of the verdict.
const RULES: &[Code] = &[
    ("AbortedBeforeStart", "A person stopped it before it began.", "시작 전에 담당자가 중단하였습니다."),
    (
        "PreCheckBlocked",
        "A check before the start did not pass.",
        "시작 전 점검 가운데 통과하지 못한 항목이 있습니다.",
    ),
    (
        "ApprovalsMissing",
        "Too few people had agreed by the latest time at which it could start.",
        "시작할 수 있는 마지막 시각까지 필요한 승인을 받지 못하였습니다.",
    ),
    (
        "AnotherRun",
        "Another run of the same drill was going on.",
        "같은 훈련의 다른 회차가 진행 중이었습니다.",
    ),
    (
        "NothingToMove",
        "No selected service was served by the region that is left.",
        "전환할 지역에서 서비스 중인 대상이 없었습니다.",
    ),
    (
        "ReturnFailed",
        "A service could not be brought back.",
        "원래 지역으로 되돌리지 못한 서비스가 있습니다.",
    ),
    (
        "RealIncident",
        "Something broke that the drill had not touched; that went first.",
        "훈련과 무관한 실제 장애가 발생하여 장애 대응을 우선하였습니다.",
    ),
    ("AbortedByPerson", "A person stopped it.", "담당자가 중단하였습니다."),
    (
        "GuardrailTripped",
        "What served was not well, so the services returned by themselves.",
        "서비스 상태가 자동 중단 기준에 이르러 스스로 원복하였습니다.",
    ),
    ("OverTime", "It took longer than it may.", "정해진 최대 시간을 넘겼습니다."),
    ("MoveFailed", "A service could not be moved away.", "전환하지 못한 서비스가 있습니다."),
    (
        "RtoMissed",
        "A service was served later than its objective allows.",
        "복구목표시간을 넘겨 복구된 서비스가 있습니다.",
    ),
    (
        "LossUnnoticed",
        "A loss would not have been noticed, or not have been answered.",
        "장애가 발생하였다면 감지되지 않았거나 대응하지 못하였을 것입니다.",
    ),
    (
        "FindingsOpen",
        "Every limit was kept, but there are findings.",
        "모든 기준을 지켰으나 지적 사항이 있습니다.",
    ),
    ("AllLimitsKept", "Every limit was kept.", "모든 기준을 지켰습니다."),
];

/// Checks before the start: rules of a decision, and the drill's own.
const CHECKS: &[Code] = &[
    ("MoveNeeded", "a move is wanted", "전환 요청 여부"),
    ("NoOtherRun", "no other move of the service", "같은 서비스의 다른 전환 없음"),
    ("NameUnclaimed", "nobody else publishes its name", "서비스 이름 중복 없음"),
    ("GlobalStop", "automatic moves are not stopped", "전체 중지 아님"),
    ("Mode", "the service may be moved", "전환 방식 허용"),
    ("SpecInSync", "most regions hold the same spec", "지역 간 설정 일치"),
    ("VantagesTrusted", "enough places watch", "관측지점 정족수"),
    ("DependencyHealthy", "what it needs works", "선행 서비스 정상"),
    ("TargetAvailable", "somebody can take over", "전환 대상 확보"),
    ("WriterFenced", "a gate would stop the old writer", "주 센터 쓰기 차단 가능"),
    ("NeverEmpty", "somebody serves afterwards", "서비스 공백 없음"),
    ("Capacity", "who takes over can carry the load", "전환 대상 용량"),
    ("Cooldown", "the last automatic move is long enough ago", "재전환 대기 시간 경과"),
    ("DrillFresh", "the last drill is recent enough", "최근 훈련 유효"),
    ("RegionBudget", "moves away from the region are left", "지역별 전환 한도"),
    ("GroupBudget", "moves of the group are left", "그룹별 전환 한도"),
    ("ServingHealthy", "what serves is well", "현재 서비스 정상"),
    ("ReturnCapacity", "who serves now can take it back", "원복 지역 용량"),
    ("NoOtherMove", "nothing moves in its group or chain", "관련 서비스의 다른 전환 없음"),
    ("TimeAllowed", "windows and calendars allow it", "훈련 가능 시간"),
    ("ServicesCount", "not too many services", "대상 서비스 수"),
    ("NoRegionLost", "no region is lost", "상실된 지역 없음"),
    ("RegionsWatched", "every region's Bongsu is at work", "모든 지역의 봉수 가동"),
    ("LedgerAnswers", "the ledger answers", "원장 응답"),
    ("LedgerComplete", "every member of the ledger takes part", "원장 구성원 모두 참여"),
    ("TrafficWritable", "the name servers take updates", "네임서버 갱신 가능"),
    ("RampFits", "the ramp fits the services", "단계별 전환 구성"),
    ("GradePolicy", "what the grade asks of drills is kept", "등급별 훈련 기준"),
    ("ObjectiveFeasible", "the objective is longer than the TTL", "복구목표시간 실현 가능"),
    ("Ladder", "a smaller kind of drill has passed before", "단계별 훈련 이행"),
    ("SamplesWithin", "samples at the target are within their limits", "전환 대상 표본 기준 이내"),
    ("VantagesSpeak", "every vantage speaks of the member", "관측지점 판정 존재"),
    ("QuorumReached", "its loss would be seen by a quorum", "장애 판정 정족수"),
    ("MoveDecided", "its loss would be answered", "장애 대응 결정"),
    ("DetectedInTime", "its loss would be noticed in time", "감지 시간"),
    ("DependencyChain", "no service waits for itself", "선행 서비스 순환 없음"),
    ("DependencyReady", "what it needs can be switched", "선행 서비스 전환 가능"),
    ("TrafficInSync", "the name servers show what the ledger says", "네임서버와 원장 일치"),
    ("ReadyToSwitch", "what a switch needs is there", "전환 준비 상태"),
    ("CertificatesLast", "certificates are seen before they run out", "인증서 만료 감시"),
    ("SubstitutesFit", "substitutes carry those who are sent to them", "대체수단 용량"),
    ("DrillPlanned", "a drill exercises it", "훈련 계획 포함"),
    ("DrillReady", "the drill can be run", "훈련 실시 가능"),
    ("PolicyInForce", "one policy rules the grade", "등급 정책 유효"),
    ("Accepted", "the spec is understood", "명세 유효"),
    ("StatusCurrent", "what is shown is of the newest spec", "표시 상태 최신"),
    ("AgentAlive", "the region's Bongsu is at work", "지역의 봉수 가동"),
    ("ProbesOnTime", "samples are taken when they are due", "점검 주기 준수"),
    ("BongsuRunning", "Bongsu runs in the cluster", "클러스터의 봉수 가동"),
    ("NameUnique", "one installation has the region's name", "지역 이름 유일"),
    ("Maintenance", "no work is going on", "작업 중 아님"),
    ("ClusterReachable", "the cluster can be read", "클러스터 조회"),
    ("ClockOffset", "clocks agree", "시각 일치"),
];

/// Guardrails.
const GUARDRAILS: &[Code] = &[
    ("Health", "health of what serves", "서비스 상태"),
    ("Samples", "samples of the moved services", "서비스 표본"),
    ("RealIncident", "a real incident", "실제 장애"),
    ("MaxDuration", "longest time", "최대 시간"),
];

/// Steps of a move.
const STEPS: &[Code] = &[
    ("Precheck", "look once more", "사전 점검"),
    ("Fence", "tell the old writer to stop", "이전 주 센터 쓰기 중지 지시"),
    ("AwaitFence", "wait until it has stopped", "쓰기 중지 확인"),
    ("RaiseEpoch", "fence the old epoch", "이전 세대 펜싱"),
    ("ShiftTraffic", "lead clients", "트래픽 전환"),
    ("Verify", "see it answer well", "정상 확인"),
    ("Settle", "finish", "마무리"),
];

/// What the rule of a verdict says.
pub(in crate::report) fn rule(name: &str, lang: Lang) -> Option<&'static str> {
    said(RULES, name, lang)
}

/// The name of a check, with what it asks.
pub(in crate::report) fn check(name: &str, lang: Lang) -> String {
    named(CHECKS, name, lang)
}

/// The name of a guardrail, with what it looks at.
pub(in crate::report) fn guardrail(name: &str, lang: Lang) -> String {
    named(GUARDRAILS, name, lang)
}

/// The name of a step, with what it does.
pub(in crate::report) fn step(name: &str, lang: Lang) -> String {
    named(STEPS, name, lang)
}

fn named(codes: &[Code], name: &str, lang: Lang) -> String {
    said(codes, name, lang).map_or_else(|| name.to_owned(), |said| format!("{name}: {said}"))
}

fn said(codes: &[Code], name: &str, lang: Lang) -> Option<&'static str> {
    let (_, en, ko) = codes.iter().find(|(code, ..)| *code == name)?;
    Some(match lang {
        Lang::En => en,
        Lang::Ko => ko,
    })
}

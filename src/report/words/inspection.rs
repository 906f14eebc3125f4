//! What the page of an inspection says, in each language.

use super::{
    super::inspection::{Counts, Found},
    Lang,
};

/// All texts of one language.
pub(in crate::report) struct Says {
    pub(in crate::report) title: &'static str,
    pub(in crate::report) clusters: &'static str,
    pub(in crate::report) findings: &'static str,
    pub(in crate::report) good: &'static str,
    pub(in crate::report) not_inspected: &'static str,
    pub(in crate::report) nothing: &'static str,
    pub(in crate::report) columns: [&'static str; 6],
    pub(in crate::report) to_do: &'static str,
    /// By the worst of what was found.
    pub(in crate::report) meaning: fn(Found) -> &'static str,
    pub(in crate::report) found: fn(Found) -> &'static str,
    pub(in crate::report) counts: fn(&Counts) -> String,
}

impl Says {
    pub(in crate::report) const fn of(lang: Lang) -> &'static Self {
        match lang {
            Lang::En => &EN,
            Lang::Ko => &KO,
        }
    }
}

const EN: Says = Says {
    title: "Preventive inspection",
    clusters: "Clusters",
    findings: "To be looked at",
    good: "In order",
    not_inspected: "Not inspected",
    nothing: "Nothing.",
    columns: ["Cluster", "What", "Check", "Result", "Why", "What to do"],
    to_do: "do",
    meaning: |worst| match worst {
        Found::Problem => "A switch would not work, or not as promised.",
        Found::Unknown => "Nobody can say whether a switch would work.",
        Found::Warning => "A switch would work; something should be looked at before the day.",
        Found::Ok | Found::NotInspected => "Nothing was found that would stand in the way of a switch.",
    },
    found: |found| match found {
        Found::Problem => "problem",
        Found::Unknown => "unknown",
        Found::Warning => "warning",
        Found::Ok => "ok",
        Found::NotInspected => "not inspected",
    },
    counts: |counts| {
        let Counts { ok, warnings, problems, unknown, not_inspected } = counts;
        format!(
            "{ok} ok, {warnings} warnings, {problems} problems, {unknown} unknown, {not_inspected} not inspected"
        )
    },
};

const KO: Says = Says {
    title: "예방점검 결과",
    clusters: "클러스터",
    findings: "확인이 필요한 사항",
    good: "정상",
    not_inspected: "점검하지 않은 사항",
    nothing: "없음",
    columns: ["클러스터", "대상", "점검 항목", "결과", "근거", "조치"],
    to_do: "조치",
    meaning: |worst| match worst {
        Found::Problem => "전환이 되지 않거나 약속한 대로 되지 않을 항목이 있습니다.",
        Found::Unknown => "전환할 수 있는지 알 수 없는 항목이 있습니다.",
        Found::Warning => "전환할 수 있으나 미리 확인하여야 할 항목이 있습니다.",
        Found::Ok | Found::NotInspected => "전환을 막는 사항이 발견되지 않았습니다.",
    },
    found: |found| match found {
        Found::Problem => "문제",
        Found::Unknown => "미확인",
        Found::Warning => "경고",
        Found::Ok => "정상",
        Found::NotInspected => "점검 안 함",
    },
    counts: |counts| {
        let Counts { ok, warnings, problems, unknown, not_inspected } = counts;
        format!(
            "정상 {ok}건, 경고 {warnings}건, 문제 {problems}건, 미확인 {unknown}건, 점검하지 않음 {not_inspected}건"
        )
    },
};

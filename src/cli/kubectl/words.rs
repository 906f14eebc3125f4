//! Texts in the language of the reader. What Bongsu wrote into the cluster stays as it is.

use std::{env, time::Duration};

use clap::ValueEnum;

use crate::{api, report::Lang};

/// A text in one of two languages. Both stand at the place of its use, so that none can be missing.
macro_rules! say {
    ($lang:expr, $en:literal, $ko:literal) => {
        match $lang {
            $crate::report::Lang::En => format!($en),
            $crate::report::Lang::Ko => format!($ko),
        }
    };
}

/// A line on standard error: what goes on, which is not the result.
macro_rules! tell {
    ($lang:expr, $en:literal, $ko:literal) => {
        eprintln!("{}", $crate::cli::kubectl::words::say!($lang, $en, $ko))
    };
}

pub(super) use {say, tell};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Language {
    En,
    Ko,
}

/// What was asked for, else what the locale says, else English.
pub(super) fn language(asked: Option<Language>) -> Lang {
    match asked {
        Some(Language::En) => Lang::En,
        Some(Language::Ko) => Lang::Ko,
        None => of_locale(["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| env::var(name).unwrap_or_default())),
    }
}

/// The first that is set decides (POSIX 8.2).
fn of_locale(variables: [String; 3]) -> Lang {
    let set = variables.iter().find(|value| !value.is_empty());
    match set.is_some_and(|locale| locale == "ko" || locale.starts_with("ko_")) {
        true => Lang::Ko,
        false => Lang::En,
    }
}

/// Health of a member, or what a vantage says of it.
pub(super) fn health(lang: Lang, health: &str) -> &str {
    match (lang, health) {
        (Lang::Ko, "Healthy") => "정상",
        (Lang::Ko, "Degraded") => "저하",
        (Lang::Ko, "Recovering") => "회복 중",
        (Lang::Ko, "Down") => "장애",
        (Lang::Ko, "Failed") => "실패",
        (Lang::Ko, "Unknown") => "모름",
        (_, other) => other,
    }
}

pub(super) fn mode(lang: Lang, mode: api::Mode) -> &'static str {
    use api::Mode::{Approve, Automatic, Manual, Recommend};
    match (lang, mode) {
        (Lang::En, Automatic) => "Automatic",
        (Lang::En, Approve) => "Approve",
        (Lang::En, Recommend) => "Recommend",
        (Lang::En, Manual) => "Manual",
        (Lang::Ko, Automatic) => "자동",
        (Lang::Ko, Approve) => "승인",
        (Lang::Ko, Recommend) => "권고",
        (Lang::Ko, Manual) => "수동",
    }
}

pub(super) fn verdict(lang: Lang, verdict: api::DrillVerdict) -> &'static str {
    use api::DrillVerdict::{Aborted, Failed, NotStarted, Passed, PassedWithFindings};
    match (lang, verdict) {
        (Lang::En, Passed) => "Passed",
        (Lang::En, PassedWithFindings) => "PassedWithFindings",
        (Lang::En, Failed) => "Failed",
        (Lang::En, Aborted) => "Aborted",
        (Lang::En, NotStarted) => "NotStarted",
        // As in the report.
        (Lang::Ko, Passed) => "통과",
        (Lang::Ko, PassedWithFindings) => "통과(지적 사항 있음)",
        (Lang::Ko, Failed) => "실패",
        (Lang::Ko, Aborted) => "중단",
        (Lang::Ko, NotStarted) => "미실시",
    }
}

pub(super) fn drill_phase(lang: Lang, phase: api::DrillPhase) -> &'static str {
    use api::DrillPhase::{Announced, Holding, Leaving, Over, Returning};
    match (lang, phase) {
        (Lang::En, Announced) => "Announced",
        (Lang::En, Leaving) => "Leaving",
        (Lang::En, Holding) => "Holding",
        (Lang::En, Returning) => "Returning",
        (Lang::En, Over) => "Over",
        (Lang::Ko, Announced) => "예고",
        (Lang::Ko, Leaving) => "전환 중",
        (Lang::Ko, Holding) => "유지",
        (Lang::Ko, Returning) => "원복 중",
        (Lang::Ko, Over) => "종료",
    }
}

/// Where a service of a run stands.
pub(super) fn drilled(lang: Lang, state: &str) -> &str {
    match (lang, state) {
        (Lang::Ko, "Waiting") => "대기",
        (Lang::Ko, "Leaving") => "전환 중",
        (Lang::Ko, "Away") => "전환됨",
        (Lang::Ko, "Returning") => "원복 중",
        (Lang::Ko, "Back") => "원복됨",
        (Lang::Ko, "Stayed") => "전환 안 함",
        (Lang::Ko, "Kept") => "전환된 채 유지",
        (_, other) => other,
    }
}

pub(super) fn move_phase(lang: Lang, phase: Option<api::FailoverPhase>) -> &'static str {
    use api::FailoverPhase as P;
    match (lang, phase) {
        (Lang::En, None | Some(P::Pending)) => "Pending",
        (Lang::En, Some(P::Planned)) => "Planned",
        (Lang::En, Some(P::Running)) => "Running",
        (Lang::En, Some(P::Paused)) => "Paused",
        (Lang::En, Some(P::Compensating)) => "Compensating",
        (Lang::En, Some(P::Succeeded)) => "Succeeded",
        (Lang::En, Some(P::Compensated)) => "Compensated",
        (Lang::En, Some(P::Failed)) => "Failed",
        (Lang::En, Some(P::Refused)) => "Refused",
        (Lang::Ko, None | Some(P::Pending)) => "대기",
        (Lang::Ko, Some(P::Planned)) => "계획됨",
        (Lang::Ko, Some(P::Running)) => "진행 중",
        (Lang::Ko, Some(P::Paused)) => "일시 정지",
        (Lang::Ko, Some(P::Compensating)) => "되돌리는 중",
        (Lang::Ko, Some(P::Succeeded)) => "성공",
        (Lang::Ko, Some(P::Compensated)) => "되돌림",
        (Lang::Ko, Some(P::Failed)) => "실패",
        (Lang::Ko, Some(P::Refused)) => "거부됨",
    }
}

/// Names one after the other, or a dash.
pub(super) fn list(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

/// A length of time in its one or two largest units.
pub(super) fn length(lang: Lang, time: Duration) -> String {
    const UNITS: [(u64, &str, &str); 4] =
        [(86_400, "d", "일"), (3_600, "h", "시간"), (60, "m", "분"), (1, "s", "초")];
    let total = time.as_secs();
    let (index, (size, ..)) =
        UNITS.iter().enumerate().find(|(_, (size, ..))| total >= *size).unwrap_or((3, &UNITS[3]));
    let unit = |index: usize| match lang {
        Lang::En => UNITS[index].1,
        Lang::Ko => UNITS[index].2,
    };
    let first = format!("{}{}", total / size, unit(index));
    // From ten of the larger unit on, the smaller one says nothing more.
    let next = UNITS.get(index + 1).filter(|_| total / size < 10);
    match next.map(|(smaller, ..)| total % size / smaller).filter(|rest| *rest > 0) {
        Some(rest) => format!("{first}{}{rest}{}", if lang == Lang::Ko { " " } else { "" }, unit(index + 1)),
        None => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_that_is_set_decides() {
        let of = |all: &str, messages: &str, lang: &str| of_locale([all, messages, lang].map(str::to_owned));
        assert_eq!(of("", "", "ko_KR.UTF-8"), Lang::Ko);
        assert_eq!(of("C", "", "ko_KR.UTF-8"), Lang::En);
        assert_eq!(of("", "ko_KR.UTF-8", "en_US.UTF-8"), Lang::Ko);
        assert_eq!(of("", "", ""), Lang::En);
        assert_eq!(of("", "", "kok_IN"), Lang::En);
    }

    #[test]
    fn a_length_has_at_most_two_units() {
        for (seconds, en, ko) in [
            (0, "0s", "0초"),
            (59, "59s", "59초"),
            (61, "1m1s", "1분 1초"),
            (600, "10m", "10분"),
            (5_400, "1h30m", "1시간 30분"),
            (86_400 * 3 + 3_600 * 4, "3d4h", "3일 4시간"),
            (86_400 * 40 + 3_600, "40d", "40일"),
        ] {
            let time = Duration::from_secs(seconds);
            assert_eq!((length(Lang::En, time), length(Lang::Ko, time)), (en.to_owned(), ko.to_owned()));
        }
    }
}

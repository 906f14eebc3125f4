//! Why the API server did not do it, in one sentence with the remedy.

use std::time::Duration;

use kube::core::Status;

use super::{access::Role, words::say};
use crate::{adapters::kube::describe, report::Lang};

/// What was tried.
pub(super) struct Trouble {
    deed: Deed,
    kind: String,
    /// `NAMESPACE/NAME`; a namespace, or nothing, for a list.
    place: String,
    role: Role,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Read,
    Create,
    Change,
}

/// What came of it.
pub(super) enum Failure {
    /// No answer in time.
    Silence(Duration),
    /// The API server's answer, or why it could not be asked.
    Answer(kube::Error),
}

impl Trouble {
    pub(super) fn new(deed: Deed, kind: &str, place: &str, role: Role) -> Self {
        Self { deed, kind: kind.to_owned(), place: place.to_owned(), role }
    }

    pub(super) fn sentence(&self, lang: Lang, url: &str, failure: &Failure) -> String {
        match failure {
            Failure::Silence(time) => say!(
                lang,
                "{url} does not answer within {time:?}: look at the network, or choose another --context",
                "{url}이(가) {time:?} 안에 응답하지 않습니다. 네트워크를 확인하거나 --context를 바꾸십시오"
            ),
            Failure::Answer(kube::Error::Api(status)) => self.refused(lang, url, status),
            Failure::Answer(kube::Error::SerdeError(error)) => {
                let kind = &self.kind;
                say!(
                    lang,
                    "a {kind} of this cluster is not what this program knows: use the version that is installed \
                     there ({error})",
                    "이 클러스터의 {kind}을(를) 이 프로그램이 읽지 못합니다. 클러스터와 같은 버전을 사용하십시오({error})"
                )
            }
            Failure::Answer(kube::Error::Auth(error)) => say!(
                lang,
                "you are not logged in to {url}: renew the credentials of your kubeconfig ({error})",
                "{url}에 로그인되어 있지 않습니다. kubeconfig의 인증 정보를 갱신하십시오({error})"
            ),
            Failure::Answer(error) => {
                let cause = describe(error);
                say!(
                    lang,
                    "{url} cannot be reached: look at the network, or choose another --context ({cause})",
                    "{url}에 연결할 수 없습니다. 네트워크를 확인하거나 --context를 바꾸십시오({cause})"
                )
            }
        }
    }

    fn refused(&self, lang: Lang, url: &str, status: &Status) -> String {
        let Self { kind, place, role, .. } = self;
        let (deed, role, message) = (self.deed(lang), role.name(), said(status));
        match status.code {
            401 => say!(
                lang,
                "{url} does not know you: renew the credentials of your kubeconfig",
                "{url}이(가) 사용자를 알지 못합니다. kubeconfig의 인증 정보를 갱신하십시오"
            ),
            403 => match message.split_once("denied request: ") {
                Some((_, rule)) => say!(
                    lang,
                    "a rule of this cluster refuses to {deed}: {rule}",
                    "클러스터 규칙이 거부하였습니다({deed}): {rule}"
                ),
                None => say!(
                    lang,
                    "you may not {deed}: ask for {role} ({message})",
                    "권한이 없습니다({deed}). {role}을(를) 요청하십시오({message})"
                ),
            },
            404 if is_about(status, "namespaces") => {
                say!(lang, "{message}: choose another --namespace", "{message}. --namespace를 바꾸십시오")
            }
            404 if is_absent(status) => say!(
                lang,
                "there is no {kind} {place}: look for it with kubectl get {kind} --all-namespaces",
                "{kind} {place}이(가) 없습니다. kubectl get {kind} --all-namespaces로 찾아보십시오"
            ),
            404 => say!(
                lang,
                "{url} does not know the kind {kind}: install Bongsu's chart there, or choose another --context",
                "{url}이(가) {kind} 종류를 알지 못합니다. Bongsu 차트를 설치하거나 --context를 바꾸십시오"
            ),
            409 if status.is_already_exists() => say!(
                lang,
                "there is a {kind} {place} already: choose another name",
                "{kind} {place}이(가) 이미 있습니다. 다른 이름을 쓰십시오"
            ),
            409 => say!(
                lang,
                "somebody else changed {kind} {place} at the same moment: look at it and try again",
                "다른 사람이 같은 순간에 {kind} {place}을(를) 변경하였습니다. 확인하고 다시 시도하십시오"
            ),
            400 | 422 => say!(
                lang,
                "the API server does not take it, nothing was done: {message}",
                "API 서버가 받아들이지 않아 아무것도 하지 않았습니다: {message}"
            ),
            code => say!(
                lang,
                "{url} could not {deed}, try again: {message} ({code})",
                "{url}이(가) 처리하지 못하였습니다({deed}). 다시 시도하십시오: {message}({code})"
            ),
        }
    }

    fn deed(&self, lang: Lang) -> String {
        let Self { kind, place, .. } = self;
        let text = match self.deed {
            Deed::Read => say!(lang, "read {kind} {place}", "{kind} {place} 읽기"),
            Deed::Create => say!(lang, "create {kind} {place}", "{kind} {place} 만들기"),
            Deed::Change => say!(lang, "change {kind} {place}", "{kind} {place} 변경"),
        };
        text.replace("  ", " ").trim_end().to_owned()
    }
}

fn said(status: &Status) -> String {
    if status.message.is_empty() { status.reason.clone() } else { status.message.trim().to_owned() }
}

/// An object that is not there is named in the answer; a kind that nobody knows is not.
fn is_absent(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| !details.name.is_empty())
}

fn is_about(status: &Status, kind: &str) -> bool {
    status.details.as_ref().is_some_and(|details| details.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: u16, message: &str, en: &str, ko: &str) {
        let trouble = Trouble::new(Deed::Create, "Failover", "gpki/move", Role::Operate);
        for (lang, expected) in [(Lang::En, en), (Lang::Ko, ko)] {
            let status = Status::failure(message, "").with_code(code).boxed();
            let failure = Failure::Answer(kube::Error::Api(status));
            assert_eq!(trouble.sentence(lang, "https://api.example", &failure), expected);
        }
    }

    #[test]
    fn each_refusal_is_one_sentence_with_the_remedy() {
        check(
            403,
            "failovers is forbidden: User \"lee\" cannot create it",
            "you may not create Failover gpki/move: ask for ClusterRole bongsu-operate (failovers is forbidden: \
             User \"lee\" cannot create it)",
            "권한이 없습니다(Failover gpki/move 만들기). ClusterRole bongsu-operate을(를) 요청하십시오(failovers is \
             forbidden: User \"lee\" cannot create it)",
        );
        check(
            403,
            "policy 'p' with binding 'b' denied request: be yourself",
            "a rule of this cluster refuses to create Failover gpki/move: be yourself",
            "클러스터 규칙이 거부하였습니다(Failover gpki/move 만들기): be yourself",
        );
        check(
            401,
            "Unauthorized",
            "https://api.example does not know you: renew the credentials of your kubeconfig",
            "https://api.example이(가) 사용자를 알지 못합니다. kubeconfig의 인증 정보를 갱신하십시오",
        );
        check(
            404,
            "404 page not found",
            "https://api.example does not know the kind Failover: install Bongsu's chart there, or choose another \
             --context",
            "https://api.example이(가) Failover 종류를 알지 못합니다. Bongsu 차트를 설치하거나 --context를 바꾸십시오",
        );
    }
}

//! What to do about a finding, by the name of the check that found it. A name that is not here, because another version
//! wrote it, has no remedy.

use super::Lang;

/// The name of a check, and what to do in English and Korean.
const REMEDIES: &[(&str, &str, &str)] = &[
    (
        "MoveNeeded",
        "compare spec.members with status.serving of the SharedService",
        "SharedService의 spec.members와 status.serving을 비교할 것",
    ),
    (
        "NoOtherRun",
        "wait until the Failover is over, or answer it if it is paused",
        "진행 중인 Failover가 끝나기를 기다리고, 멈춰 있으면 응답할 것",
    ),
    ("NameUnclaimed", "give each SharedService a name of its own", "SharedService마다 다른 이름을 쓸 것"),
    (
        "GlobalStop",
        "remove globalStop from the Region once its reason is over",
        "사유가 끝나면 Region의 globalStop을 제거할 것",
    ),
    (
        "SpecInSync",
        "apply the same objects in every data center; kubectl get ss NAME -o yaml in both shows the difference",
        "모든 센터에 같은 객체를 적용할 것. 차이는 양쪽에서 kubectl get ss NAME -o yaml로 확인",
    ),
    (
        "VantagesTrusted",
        "look at the pods of Bongsu in the regions that are silent, and at the network between the regions",
        "응답 없는 지역의 봉수 파드와 지역 간 네트워크를 확인할 것",
    ),
    (
        "VantagesSpeak",
        "look at the pods of Bongsu in that region, and whether its checks reach the members",
        "해당 지역의 봉수 파드와 점검의 도달 여부를 확인할 것",
    ),
    (
        "QuorumReached",
        "have as many vantages outside of each member's region as health.vantages.quorum",
        "구성원 지역 밖의 관측지점을 health.vantages.quorum만큼 둘 것",
    ),
    (
        "DetectedInTime",
        "shorten traffic.ttl, health.interval, health.window.failures or the lease, or promise a longer objectives.rto",
        "traffic.ttl, health.interval, health.window.failures 또는 임대 시간을 줄이거나 objectives.rto를 늘릴 것",
    ),
    ("DependencyHealthy", "repair what it needs first", "선행 서비스를 먼저 복구할 것"),
    (
        "DependencyChain",
        "take one of the services out of dependsOn of another",
        "dependsOn 가운데 하나를 제거할 것",
    ),
    (
        "DependencyReady",
        "look at ReadyToSwitch of what it needs: it goes first",
        "선행 서비스의 ReadyToSwitch를 먼저 확인할 것",
    ),
    (
        "TargetAvailable",
        "repair that member, renew what runs out there, or end the work on it",
        "해당 구성원을 복구하고, 곧 만료되는 것을 갱신하고, 작업을 끝낼 것",
    ),
    ("NeverEmpty", "repair a member, or add one", "구성원을 복구하거나 추가할 것"),
    (
        "Capacity",
        "add capacity there, or correct members[].capacity and peakLoad",
        "용량을 늘리거나 members[].capacity와 peakLoad를 바로잡을 것",
    ),
    (
        "ReturnCapacity",
        "add capacity where it is served now, or correct members[].capacity and peakLoad",
        "현재 서비스 지역의 용량을 늘리거나 members[].capacity와 peakLoad를 바로잡을 것",
    ),
    ("ServingHealthy", "repair the member that serves", "서비스 중인 구성원을 복구할 것"),
    (
        "WriterFenced",
        "start bongsu gate before each writer, or look at the Bongsu of the region that serves",
        "쓰기 프로세스마다 bongsu gate를 두거나 서비스 지역의 봉수를 확인할 것",
    ),
    ("DrillFresh", "run a live drill of the service", "해당 서비스의 실전형 전환훈련을 실시할 것"),
    ("DrillPlanned", "add the service to a SwitchoverDrill", "SwitchoverDrill의 대상에 서비스를 추가할 것"),
    (
        "TrafficInSync",
        "look at the name server and at the key in its Secret: docs/operations.md, TrafficInSync",
        "네임서버와 Secret의 키를 확인할 것(docs/operations.md의 TrafficInSync)",
    ),
    (
        "TrafficWritable",
        "look at the key in its Secret, and whether the name server lets it change this name",
        "Secret의 키와 네임서버의 갱신 허용 설정을 확인할 것",
    ),
    ("AgentAlive", "look at the pods of Bongsu in that region", "해당 지역의 봉수 파드를 확인할 것"),
    (
        "ProbesOnTime",
        "give the Bongsu of that region more CPU, or probe less often",
        "해당 지역 봉수의 CPU를 늘리거나 점검 주기를 늘릴 것",
    ),
    ("BongsuRunning", "look at the pods of Bongsu in this cluster", "이 클러스터의 봉수 파드를 확인할 것"),
    ("NameUnique", "give each installation a region of its own", "설치마다 다른 지역 이름을 쓸 것"),
    (
        "Accepted",
        "correct the spec: bongsu check -f FILE finds most of it",
        "명세를 바로잡을 것(bongsu check -f FILE)",
    ),
    (
        "StatusCurrent",
        "look at the pods of Bongsu in this cluster, and at their version",
        "이 클러스터의 봉수 파드와 버전을 확인할 것",
    ),
    ("Maintenance", "end the maintenance when the work is done", "작업이 끝나면 유지보수 표시를 제거할 것"),
    (
        "ClusterReachable",
        "look at the network, the kubeconfig and your rights",
        "네트워크와 kubeconfig, 권한을 확인할 것",
    ),
    ("ClockOffset", "look at the time service of that host", "해당 호스트의 시각 동기화를 확인할 것"),
    ("DrillReady", "correct the SwitchoverDrill", "SwitchoverDrill을 바로잡을 것"),
    ("PolicyInForce", "leave one GradePolicy for each grade", "등급마다 GradePolicy를 하나만 둘 것"),
];

/// What to do about a finding of this check.
#[must_use]
pub fn remedy(check: &str, lang: Lang) -> Option<&'static str> {
    let (_, en, ko) = REMEDIES.iter().find(|(name, ..)| *name == check)?;
    Some(match lang {
        Lang::En => en,
        Lang::Ko => ko,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::words::codes;

    #[test]
    fn every_check_that_has_a_remedy_says_what_it_asks_in_both_languages() {
        for (name, en, ko) in REMEDIES {
            for lang in [Lang::En, Lang::Ko] {
                assert_ne!(codes::check(name, lang), *name, "codes.rs does not know it");
            }
            assert!(en.is_ascii() && !ko.is_ascii(), "{name}");
        }
    }
}

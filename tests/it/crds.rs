//! The custom resource definitions, judged by a real API server.

use std::time::Duration;

use bongsu::{
    adapters::kube::describe,
    api::{GROUP, VERSION, all_crds},
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, PostParams},
};

use crate::support::{
    admission_cases::{Case, cases, service},
    control_plane::ControlPlane,
    wait::until,
};

#[tokio::test]
async fn every_rule_takes_the_good_object_and_refuses_the_bad_one_in_its_own_words() {
    let plane = ControlPlane::shared().await;
    let mut wrong = Vec::new();
    for case in cases() {
        let answer = try_to_write(plane, &case).await;
        let right = match (&answer, case.refused) {
            (Ok(()), None) => true,
            (Err(message), Some(words)) => message.contains(words),
            (Ok(()), Some(_)) | (Err(_), None) => false,
        };
        if !right {
            wrong.push(format!("{}: expected {:?}, got {answer:?}", case.name, case.refused));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// As a dry run, so that cases do not meet; only what is changed later is really created.
async fn try_to_write(plane: &ControlPlane, case: &Case) -> Result<(), String> {
    let mut object: DynamicObject = serde_json::from_value(case.object.clone()).unwrap();
    let api = api_of(plane, &object);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let answer = match &case.before {
        None => api.create(&dry, &object).await,
        Some(before) => {
            let mut before: DynamicObject = serde_json::from_value(before.clone()).unwrap();
            before.metadata.name = None;
            before.metadata.generate_name = Some("case-".to_owned());
            let created = api.create(&PostParams::default(), &before).await.unwrap();
            object.metadata = created.metadata.clone();
            api.replace(&created.name_any(), &dry, &object).await
        }
    };
    answer.map(drop).map_err(|error| describe(&error))
}

fn api_of(plane: &ControlPlane, object: &DynamicObject) -> Api<DynamicObject> {
    let kind = &object.types.as_ref().unwrap().kind;
    let crd = all_crds().into_iter().find(|crd| crd.spec.names.kind == *kind).unwrap();
    let kind = ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: kind.clone(),
        plural: crd.spec.names.plural,
    };
    match object.namespace() {
        Some(namespace) => Api::namespaced_with(plane.client(), &namespace, &kind),
        None => Api::all_with(plane.client(), &kind),
    }
}

#[tokio::test]
async fn kubectl_explains_members_in_words_for_users() {
    let plane = ControlPlane::shared().await;
    // The API server publishes the descriptions some time after the kinds.
    let explain = async |what: &str| {
        let look =
            async || Some(plane.kubectl(&["explain", what])).filter(|text| text.contains("DESCRIPTION"));
        until("kubectl explain knows the kind", Duration::from_secs(30), look).await
    };
    let text = explain("sharedservice.spec.members").await;
    for words in ["at most one a region", "Where the checks connect to", "Probes must reach this"] {
        // kubectl breaks lines; compare without.
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words:?} not in\n{text}");
    }
    for kind in ["region", "sharedservice", "gradepolicy", "failover", "ledgerentry"] {
        let text = explain(kind).await;
        assert!(!text.contains("Auto-generated"), "{text}");
    }
}

#[tokio::test]
async fn kubectl_get_answers_who_serves_and_wait_sees_ready() {
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("columns").await;
    let object: DynamicObject = serde_json::from_value(service()).unwrap();
    let mut object = DynamicObject { metadata: Default::default(), ..object };
    object.metadata.name = Some("ivs".to_owned());
    object.metadata.namespace = Some(namespace.clone());
    let api = api_of(plane, &object);
    let mut created = api.create(&PostParams::default(), &object).await.unwrap();
    created.data["status"] = serde_json::json!({
        "serving": ["daejeon"], "health": "Healthy", "epoch": 7,
        "nextMove": {"from": "daejeon", "to": ["gwangju"], "outcome": "Blocked", "blockedBy": ["Cooldown"], "message": "m"},
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Serving", "message": "m",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    });
    api.replace_status("ivs", &PostParams::default(), &created).await.unwrap();
    let table = plane.kubectl(&["get", "ss", "-n", &namespace]);
    for word in ["SERVING", "daejeon", "Healthy", "Blocked", "gwangju", "Cooldown", "7"] {
        assert!(table.contains(word), "{word} not in\n{table}");
    }
    let all = plane.kubectl(&["get", "bongsu", "-n", &namespace]);
    assert!(all.contains("sharedservice.bongsu.io/ivs") || all.contains("ivs"), "{all}");
    let wait = plane.kubectl(&["wait", "ss/ivs", "-n", &namespace, "--for=condition=Ready", "--timeout=5s"]);
    assert!(wait.contains("condition met"), "{wait}");
}

//! S05, with real lists: the standby's list of revoked certificates has run out. Everything there is up, and it must not take over, because
//! it would call revoked certificates good.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::get as on_get};
use kube::ResourceExt;
use serde_json::json;

use crate::support::{
    authority::{Authority, REVOKED},
    bongsu::SOON,
    http_server::Server,
    service::{DAEJEON, GWANGJU, SERVICE, Service},
    wait::until,
    world::{REGIONS, World},
};

const NAMESPACE: &str = "revocation";

/// What a directory publishes: the list that was put there last.
#[derive(Clone)]
struct Published(Arc<Mutex<Vec<u8>>>);

impl Published {
    fn new(list: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(list)))
    }

    async fn at(&self, address: SocketAddr) -> Server {
        let list = self.clone();
        let answer = move || {
            let list = list.clone();
            async move { Bytes::from(list.0.lock().unwrap().clone()) }
        };
        Server::axum_at(address, Router::new().route("/list.crl", on_get(answer)), None).await
    }

    fn put(&self, list: Vec<u8>) {
        *self.0.lock().unwrap() = list;
    }
}

/// A field of what is shown of gwangju's member.
fn of_gwangju(service: &Service<'_>, field: &str) -> String {
    let path = format!("jsonpath={{.status.members[?(@.region==\"gwangju\")].{field}}}");
    service.kubectl(&["get", "ss", SERVICE, "-o", &path])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_whose_list_of_revoked_certificates_has_run_out_takes_nothing_over_until_it_is_renewed() {
    let authority = Authority::new("ca.example");
    let fresh = authority.revocations("");
    let (there, standby) = (Published::new(fresh.clone()), Published::new(fresh));
    let first = there.at(SocketAddr::new(DAEJEON.parse().unwrap(), 0)).await;
    let port = first.address.port();
    let _second = standby.at(SocketAddr::new(GWANGJU.parse().unwrap(), port)).await;

    let world = World::start(&REGIONS, &[NAMESPACE]).await;
    let revocations = json!({"name": "revocations", "port": port, "crl": {
        "path": "/list.crl", "issuer": authority.pem(), "revoked": REVOKED,
    }});
    let mut service = Service::start(&world.plane, NAMESPACE, |spec| {
        spec["health"]["checks"].as_array_mut().unwrap().push(revocations);
    })
    .await;
    service.serves("daejeon", 1).await;

    standby.put(authority.revocations("-crl_lastupdate 20250101000000Z -crl_nextupdate 20250102060000Z"));
    until("gwangju is no target", SOON, async || {
        (of_gwangju(&service, "diagnosis.pattern") == "Stale").then_some(())
    })
    .await;
    assert_eq!(of_gwangju(&service, "target"), "false");
    let message = of_gwangju(&service, "diagnosis.message");
    assert!(message.starts_with("what gwangju says is stale, seen from"), "{message}");
    let why = of_gwangju(&service, "vantages[*].reason");
    assert!(why.contains("check revocations: wrong: the list of revoked certificates ran out at"), "{why}");
    service.has("FailoverReady", "False", "Blocked").await;

    service.daejeon.die();
    until("daejeon is down and nothing can be moved", SOON, async || {
        let path = "jsonpath={.status.nextMove.message}";
        let message = service.kubectl(&["get", "ss", SERVICE, "-o", path]);
        (message.contains("daejeon is down") && message.contains("gwangju cannot take over")).then_some(())
    })
    .await;
    assert_eq!(service.shown().await, service.answer("daejeon", 1), "nothing was moved into stale data");
    let tried: Vec<String> = service.failovers().await.iter().map(ResourceExt::name_any).collect();
    assert_eq!(tried, [format!("{SERVICE}-e1")], "nothing was tried but to establish the service");

    standby.put(authority.revocations(""));
    service.serves("gwangju", 2).await;
    world.assert_allowed();
}

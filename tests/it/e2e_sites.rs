//! Three data centers, each with an API server of its own, and a ledger that outlives each of them: one story everywhere.

use std::time::{Duration, Instant};

use bongsu::api::{DrillRun, Failover, Region, SharedService};
use futures::future::join_all;
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{
    bongsu::{Bongsu, SOON},
    etcd::Etcd,
    service::{SERVICE, Service},
    wait::until,
    world::{REGIONS, World},
};

const NAMESPACE: &str = "gpki";

/// What is promised is 2 s; a machine that builds something else meanwhile is slower.
const STORY: Duration = Duration::from_secs(15);

/// The data centers, in the order of `REGIONS`, with the same objects.
struct Sites {
    worlds: Vec<World>,
    etcd: Etcd,
}

impl Sites {
    async fn start() -> Self {
        let install = || World::install(&[NAMESPACE]);
        let (etcd, worlds) = tokio::join!(Etcd::single(), join_all(REGIONS.map(|_| install())));
        let mut sites = Self { worlds, etcd };
        for (world, region) in sites.worlds.iter_mut().zip(REGIONS) {
            world.processes = vec![world.run_on(&sites.etcd, region)];
        }
        join_all(sites.worlds.iter().map(|world| world.processes[0].ready())).await;
        sites
    }

    /// `kubectl apply` in every cluster, as GitOps does.
    fn apply(&self, object: &Value) {
        self.worlds.iter().for_each(|world| world.apply(object));
    }

    /// A service that serves from daejeon and is known everywhere.
    async fn service(&self) -> Service<'_> {
        let service = Service::prepare(&self.worlds[0].plane, NAMESPACE).await;
        self.apply(&service.secret(crate::support::dns_server::SECRET_BASE64));
        self.apply(&service.object());
        service.serves("daejeon", 1).await;
        service.target("gwangju").await;
        self.specs(&["True InSync"; 3]).await;
        service
    }

    /// Waits until the condition `SpecInSync` is this in each cluster.
    async fn specs(&self, wanted: &[&str; 3]) {
        for (world, wanted) in self.worlds.iter().zip(wanted) {
            until(&format!("SpecInSync is {wanted}"), SOON, async || {
                (condition_of(world, "SpecInSync").await?.0 == *wanted).then_some(())
            })
            .await;
        }
    }

    /// Waits until all clusters tell this; the time from when the first one did to when the last one did.
    async fn story(&self, what: &str, told: impl AsyncFn(&World) -> bool) -> Duration {
        let mut first = None;
        until(what, SOON, async || {
            let all = join_all(self.worlds.iter().map(async |world| told(world).await)).await;
            if all.contains(&true) {
                first.get_or_insert_with(now);
            }
            all.iter().all(|told| *told).then_some(())
        })
        .await;
        let time = first.unwrap().elapsed();
        println!("{what}: in the last cluster {time:?} after the first");
        time
    }
}

#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn now() -> Instant {
    Instant::now()
}

async fn condition_of(world: &World, kind: &str) -> Option<(String, String)> {
    let object =
        Api::<SharedService>::namespaced(world.plane.client(), NAMESPACE).get_opt(SERVICE).await.unwrap()?;
    let found = object.status?.conditions.into_iter().find(|condition| condition.type_ == kind)?;
    Some((format!("{} {}", found.status, found.reason), found.message))
}

/// Who serves, under which epoch, and how far each Failover is.
async fn told(world: &World) -> Option<(Vec<String>, i64, Vec<String>)> {
    let client = world.plane.client();
    let service = Api::<SharedService>::namespaced(client.clone(), NAMESPACE).get(SERVICE).await.ok()?;
    let list = Api::<Failover>::namespaced(client, NAMESPACE).list(&ListParams::default()).await.ok()?;
    let phase = |failover: &Failover| failover.status.as_ref().and_then(|status| status.phase);
    let mut failovers: Vec<String> =
        list.items.iter().map(|failover| format!("{} {:?}", failover.name_any(), phase(failover))).collect();
    failovers.sort();
    let status = service.status?;
    Some((status.serving, status.epoch?, failovers))
}

async fn serves(world: &World, region: &str, epoch: i64, failover: &str) -> bool {
    let done = format!("{failover} Some(Succeeded)");
    told(world).await.is_some_and(|(serving, at, failovers)| {
        serving == [region] && at == epoch && failovers.contains(&done)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cluster_tells_the_same_story_and_a_wish_takes_effect_once_wherever_it_is_made() {
    let sites = Sites::start().await;
    let service = sites.service().await;

    sites.worlds[1].apply(&service.wish("move", &json!({})));
    let time = sites.story("a move", async |world: &World| serves(world, "gwangju", 2, "move").await).await;
    assert!(time < STORY, "{time:?}");

    // Two people at once, with one name for two wishes.
    let wishes = [json!({"to": "daejeon", "reason": "one"}), json!({"to": "daejeon", "reason": "other"})];
    // At once indeed: `kubectl` takes so long on a busy machine that the second finds the first shown in its own cluster.
    let created = join_all(sites.worlds.iter().zip(&wishes).map(async |(world, wish)| {
        let api: Api<Failover> = Api::namespaced(world.plane.client(), NAMESPACE);
        let wish = serde_json::from_value(service.wish("twice", wish)).unwrap();
        api.create(&PostParams::default(), &wish).await
    }))
    .await;
    created.into_iter().for_each(|created| drop(created.unwrap()));
    sites.story("a wish made twice", async |world: &World| serves(world, "daejeon", 3, "twice").await).await;
    let messages = join_all(sites.worlds[..2].iter().map(async |world| {
        let api: Api<Failover> = Api::namespaced(world.plane.client(), NAMESPACE);
        until("it is told whose it is", SOON, async || api.get("twice").await.unwrap().status?.message).await
    }))
    .await;
    let taken = messages.iter().filter(|message| message.contains("came first")).count();
    assert_eq!(taken, 1, "{messages:?}");

    let drill = json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "SwitchoverDrill",
        "metadata": {"name": "quarterly", "namespace": NAMESPACE},
        "spec": {"services": {"names": [SERVICE]}, "direction": {"awayFrom": "daejeon"}, "hold": "1s",
            "guardrails": {"maxDuration": "60s"}},
    });
    sites.apply(&drill);
    sites.worlds[2].apply(&json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "DrillRun",
        "metadata": {"name": "tried", "namespace": NAMESPACE},
        "spec": {"drillName": "quarterly", "reason": "the test asked", "requestedBy": "admin"},
    }));
    let over = async |world: &World| {
        let api: Api<DrillRun> = Api::namespaced(world.plane.client(), NAMESPACE);
        let run = api.get_opt("tried").await.unwrap();
        run.and_then(|run| run.status).is_some_and(|status| status.verdict.is_some())
    };
    let time = sites.story("a drill", over).await;
    assert!(time < STORY, "{time:?}");

    // An edit in one cluster is named, and changes nothing before most have it.
    let before = told(&sites.worlds[0]).await.unwrap();
    let weights = |world: &World| {
        let patch = json!([{"op": "replace", "path": "/spec/members/1/addresses/0", "value": "127.0.0.9"}]);
        let all = ["patch", "ss", SERVICE, "-n", NAMESPACE, "--type=json", "--patch", &patch.to_string()];
        world.plane.try_kubectl(&all, "").unwrap();
    };
    weights(&sites.worlds[2]);
    sites.specs(&["False OthersDiffer", "False OthersDiffer", "False NotMost"]).await;
    let (_, text) = condition_of(&sites.worlds[0], "SpecInSync").await.unwrap();
    assert!(text.starts_with("another spec in daegu; "), "{text}");
    weights(&sites.worlds[1]);
    sites.specs(&["False NotMost", "False OthersDiffer", "False OthersDiffer"]).await;
    weights(&sites.worlds[0]);
    sites.specs(&["True InSync"; 3]).await;
    assert_eq!(told(&sites.worlds[0]).await.unwrap(), before);
    sites.worlds.iter().for_each(World::assert_allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bongsu_without_its_api_server_goes_on_and_a_second_one_under_its_name_does_not() {
    let mut sites = Sites::start().await;

    // Another cluster is given a name that is taken.
    let second = sites.worlds[0].run_on(&sites.etcd, "gwangju");
    until("the second one is not ready", SOON, async || {
        let (status, text) = second.page("/readyz").await?;
        (status.contains("503") && text.contains("[-] identity: region gwangju is installation"))
            .then_some(())
    })
    .await;
    assert_eq!(second.metric("bongsu_identity_conflict ").await, Some(1.0));
    let regions: Api<Region> = Api::all(sites.worlds[1].plane.client());
    until("the first one tells it too", SOON, async || {
        let conditions = regions.get("gwangju").await.unwrap().status?.conditions;
        conditions.iter().any(|c| c.type_ == "NameUnique" && c.reason == "SecondInstallation").then_some(())
    })
    .await;
    assert!(second.log().contains("correct --region here"));
    drop(second);

    let mut witness: Bongsu = sites.worlds[2].processes.remove(0);
    let mut service = sites.service().await;
    sites.worlds[2].plane.kill_apiserver();
    witness.restart();
    let ledger = r#"bongsu_spec_source{source="ledger"} "#;
    until("it goes on with the ledger's specs", SOON, async || {
        witness.metric(ledger).await.filter(|value| *value > 0.0)
    })
    .await;
    witness.ready().await;
    until("it speaks", SOON, async || (witness.status().await["speaks"] == true).then_some(())).await;
    // Its vote is needed: two of three must agree, and one of them is outside.
    service.gwangju.die();
    until("two vantages say so", SOON, async || {
        let members = service.read().await.status?.members;
        let gwangju = members.into_iter().find(|member| member.region == "gwangju")?;
        let votes =
            gwangju.vantages.iter().filter(|vantage| vantage.verdict == "Failed").map(|v| v.vantage.as_str());
        votes.collect::<Vec<_>>().contains(&"daegu").then_some(())
    })
    .await;
    sites.worlds[2].plane.restart_apiserver().await;
    until("the cluster counts again", SOON, async || {
        witness.metric(ledger).await.filter(|value| *value < 1.0)
    })
    .await;
    assert!(witness.log().contains("the API server is back"));
}

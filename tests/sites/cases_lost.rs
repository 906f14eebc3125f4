//! Something dies: a site with all that is in it, or one part of it alone.

use std::time::Duration;

use serde_json::json;

use crate::{
    clock::{now, pause},
    harness::Case,
    network::{Fault, cause},
    service::{Service, TTL},
    site::NAMESPACE,
    support::{bongsu::SOON, dns_server::SECRET_BASE64, wait::until},
    world::{DAEGU, DAEJEON, GWANGJU, Sites, tsig_secret},
};

/// Longer than the lease (3 s) with its third, and than three checks of a second: what would move has moved.
pub const LONG_ENOUGH: Duration = Duration::from_secs(8);

/// Longer than the three checks after which something would be begun by whoever is back.
pub const A_WHILE: Duration = Duration::from_secs(4);

/// Published answers are looked at every 30 s.
const CAUGHT_UP: Duration = Duration::from_secs(60);

pub const ALL: &[Case] = &[
    Case {
        name: "a_site_that_is_killed_is_left_once_and_comes_back_without_harm",
        long: false,
        body: |sites| Box::pin(site_killed(sites)),
    },
    Case {
        name: "only_bongsu_is_killed_in_the_serving_site_and_nothing_moves",
        long: false,
        body: |sites| Box::pin(bongsu_killed(sites)),
    },
    Case {
        name: "an_api_server_alone_is_killed_nothing_moves_and_a_failover_still_works",
        long: false,
        body: |sites| Box::pin(api_server_killed(sites)),
    },
    Case {
        name: "the_leaders_site_is_lost_in_the_middle_of_a_planned_switchover_to_it",
        long: false,
        body: |sites| Box::pin(leader_lost_in_a_switchover(sites)),
    },
    Case {
        name: "a_site_that_was_frozen_and_wakes_does_no_harm",
        long: true,
        body: |sites| Box::pin(site_frozen(sites)),
    },
    Case {
        name: "an_old_site_that_returns_with_old_credentials_changes_nothing_elsewhere",
        long: true,
        body: |sites| Box::pin(old_credentials(sites)),
    },
    Case {
        name: "measured_outage_of_a_client_when_a_site_is_killed",
        long: true,
        body: |sites| Box::pin(measure(sites, false)),
    },
    Case {
        name: "measured_outage_of_a_client_when_a_site_is_cut_off",
        long: true,
        body: |sites| Box::pin(measure(sites, true)),
    },
];

/// Case 1, and the return with the old epoch.
async fn site_killed(sites: &mut Sites) {
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let lost = now();
    sites.all[DAEJEON].burn(&sites.ledger).await;
    service.moves_once(sites, &[GWANGJU, DAEGU], "gwangju", lost).await;

    let back = now();
    let ledger = &sites.ledger;
    sites.all[DAEJEON].rebuild(ledger).await;
    sites.are_ready().await;
    let stale = service.answer("daejeon", 1);
    until("its name server is caught up", CAUGHT_UP, async || {
        let shown = sites.all[DAEJEON].shown(&service.domain()).await?;
        (shown != stale).then_some(())
    })
    .await;
    println!("    the old answer stood for {:.1} s after the return", (now() - back).as_secs_f64());
    service.is_published(sites, &[DAEJEON, GWANGJU], "gwangju", 2).await;
    assert!(service.client.errors_since(back).is_empty(), "{}", service.client.story(back));
    assert_eq!(sites.runs(DAEGU, &service.name), 2, "nobody moved it back");
}

/// All of a site stands still, its leader and its member of the ledger among it, while another takes over.
async fn site_frozen(sites: &mut Sites) {
    sites.let_lead(DAEJEON).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let frozen = now();
    sites.all[DAEJEON].namespace.signal_all("-STOP");
    service.moves_once(sites, &[GWANGJU, DAEGU], "gwangju", frozen).await;

    sites.all[DAEJEON].namespace.signal_all("-CONT");
    service.is_published(sites, &[DAEJEON, GWANGJU], "gwangju", 2).await;
    let caught_up = now();
    pause(LONG_ENOUGH).await;
    assert_eq!(sites.serving(DAEGU, &service.name), (2, "gwangju".to_owned()));
    assert_eq!(sites.runs(DAEGU, &service.name), 2, "it began nothing");
    // Whoever held an answer of the woken name server does so for one TTL more.
    assert_eq!(
        service.client.regions_since(caught_up + TTL),
        ["gwangju"],
        "{}",
        service.client.story(frozen)
    );
}

/// Case 15: meanwhile the others have changed the key of their name server, and the old site leads when it is back.
async fn old_credentials(sites: &mut Sites) {
    const NEW_SECRET: &str = "bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=";
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let lost = now();
    sites.all[DAEJEON].burn(&sites.ledger).await;
    service.moves_once(sites, &[GWANGJU, DAEGU], "gwangju", lost).await;
    sites.all[GWANGJU].change_key(NEW_SECRET).await;
    [GWANGJU, DAEGU].iter().for_each(|index| sites.all[*index].apply(&tsig_secret(NEW_SECRET)));

    let ledger = &sites.ledger;
    sites.all[DAEJEON].rebuild(ledger).await;
    sites.let_lead(DAEJEON).await;
    // It may write to its own name server and to no other.
    service.is_published(sites, &[DAEJEON, GWANGJU], "gwangju", 2).await;
    assert_eq!(sites.serving(DAEGU, &service.name), (2, "gwangju".to_owned()));
    let path = "jsonpath={.status.conditions[?(@.type==\"TrafficInSync\")].message}";
    let refusing = sites.all[GWANGJU].names().unwrap().to_string();
    until("the old site says that its key is refused", SOON, async || {
        let message = sites.all[DAEJEON].kubectl(&["get", "ss", &service.name, "-o", path]).ok()?;
        (message.contains(&refusing) && message.contains("key")).then_some(())
    })
    .await;
    service.is_published(sites, &[DAEJEON, GWANGJU], "gwangju", 2).await;
    assert_eq!(sites.runs(DAEGU, &service.name), 2, "it began nothing");

    sites.all[GWANGJU].change_key(SECRET_BASE64).await;
    [GWANGJU, DAEGU].iter().for_each(|index| sites.all[*index].apply(&tsig_secret(SECRET_BASE64)));
}

/// Case 6. The leader too, when it is there.
async fn bongsu_killed(sites: &mut Sites) {
    sites.let_lead(DAEJEON).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let killed = now();
    sites.all[DAEJEON].bongsu.kill();
    sites.leader_of(&[GWANGJU, DAEGU]).await;
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "daejeon", killed);
    sites.all[DAEJEON].bongsu.restart();
    sites.are_ready().await;
    service.has_not_moved(sites, "daejeon", killed);
}

/// Case 7.
async fn api_server_killed(sites: &mut Sites) {
    sites.let_lead(DAEJEON).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let killed = now();
    sites.all[DAEJEON].world.plane.kill_apiserver();
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "daejeon", killed);

    let died = now();
    sites.all[DAEJEON].kill_member(service.port);
    service.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "gwangju", died).await;
}

/// Case 12: the one service serves in the site that leads and is lost, the other is on its way there.
async fn leader_lost_in_a_switchover(sites: &mut Sites) {
    sites.let_lead(DAEJEON).await;
    let lost = Service::start(sites, "daejeon", |_| {}).await;
    let moving = Service::start(sites, "gwangju", |_| {}).await;
    sites.all[DAEGU].apply(&json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "Failover",
        "metadata": {"name": "planned", "namespace": NAMESPACE},
        "spec": {"serviceName": moving.name, "to": "daejeon", "reason": "the test asked"},
    }));
    until("the switchover is in its middle", SOON, async || {
        (sites.serving(DAEGU, &moving.name).0 == 2).then_some(())
    })
    .await;
    let burnt = now();
    sites.all[DAEJEON].burn(&sites.ledger).await;

    lost.moves_once(sites, &[GWANGJU, DAEGU], "gwangju", burnt).await;
    until("the other is served where it was", SOON, async || {
        let record = sites.record(DAEGU, &moving.name);
        (sites.serving(DAEGU, &moving.name).1 == "gwangju" && record["run"].is_null()).then_some(())
    })
    .await;
    let (epoch, _) = sites.serving(DAEGU, &moving.name);
    moving.is_published(sites, &[GWANGJU], "gwangju", epoch).await;
    moving.client.is_served_by("gwangju").await;
    let outage = moving.client.outage_since(burnt);
    println!("    the switchover ended in gwangju under epoch {epoch}, outage {:.2} s", outage.as_secs_f64());
    assert_eq!(epoch, 3, "once to the lost site and once back");
}

/// Not a case: the outage of a client when a site is lost.
async fn measure(sites: &mut Sites, cut: bool) {
    const RUNS: usize = 15;
    let mut outages = Vec::new();
    for run in 0..RUNS {
        // The lost site leads in every third run.
        let led = [DAEJEON, GWANGJU, DAEGU][run % 3];
        sites.let_lead(led).await;
        let service = Service::start(sites, "daejeon", |_| {}).await;
        let lost = now();
        if cut {
            cause(Fault::Site(sites.all[DAEJEON].place()));
        } else {
            sites.all[DAEJEON].burn(&sites.ledger).await;
        }
        service.client.is_served_by("gwangju").await;
        let outage = service.client.outage_since(lost);
        println!("    run {run}: {:.2} s, the leader was in {}", outage.as_secs_f64(), sites.all[led].region);
        outages.push(outage);
        sites.recover().await;
    }
    outages.sort();
    let at = |share: usize| outages[(outages.len() * share).div_ceil(100) - 1].as_secs_f64();
    let how = if cut { "cut off" } else { "killed" };
    println!("    outage when a site is {how}, {RUNS} runs: p50 {:.2} s, p99 {:.2} s", at(50), at(99));
}

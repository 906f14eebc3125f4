//! Nothing dies, but the network does not carry everything.

use std::time::Duration;

use crate::{
    cases_lost::{A_WHILE, LONG_ENOUGH},
    clock::{now, pause},
    harness::Case,
    network::{Fault, cause, heal},
    service::Service,
    support::{bongsu::SOON, wait::until},
    world::{DAEGU, DAEJEON, GWANGJU, Sites},
};

pub const ALL: &[Case] = &[
    Case {
        name: "a_site_that_is_cut_off_is_left_once_and_does_no_harm_when_it_is_back",
        long: false,
        body: |sites| Box::pin(site_cut_off(sites)),
    },
    Case {
        name: "a_site_that_does_not_reach_the_ledger_goes_on_serving",
        long: false,
        body: |sites| Box::pin(ledger_cut_off(sites)),
    },
    Case {
        name: "a_cut_between_the_serving_site_and_the_witness_moves_nothing",
        long: true,
        body: |sites| Box::pin(witness_cut(sites)),
    },
    Case {
        name: "a_cut_between_both_full_sites_moves_nothing_and_a_failover_still_works",
        long: false,
        body: |sites| Box::pin(full_sites_cut(sites)),
    },
    Case {
        name: "a_name_server_that_the_leader_does_not_reach_is_brought_up_to_date_by_bongsu_in_its_site",
        long: false,
        body: |sites| Box::pin(cut_from_the_leader(sites)),
    },
    Case {
        name: "a_blip_shorter_than_the_window_moves_nothing",
        long: false,
        body: |sites| Box::pin(blip(sites)),
    },
    Case {
        name: "loss_in_one_direction_between_two_sites_moves_nothing",
        long: true,
        body: |sites| Box::pin(one_way(sites)),
    },
    Case {
        name: "a_site_that_hears_but_is_not_heard_is_left_once",
        long: true,
        body: |sites| Box::pin(mute(sites)),
    },
    Case {
        name: "a_link_that_loses_two_packets_of_five_for_five_minutes_moves_nothing",
        long: true,
        body: |sites| Box::pin(lossy(sites)),
    },
];

/// Case 2. The lost site leads, and holds a member of the ledger.
async fn site_cut_off(sites: &mut Sites) {
    sites.let_lead(DAEJEON).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let cut = now();
    cause(Fault::Site(sites.all[DAEJEON].place()));
    service.moves_once(sites, &[GWANGJU, DAEGU], "gwangju", cut).await;
    until("the cut site knows that it does not lead", SOON, async || {
        (!sites.all[DAEJEON].bongsu.seems_to_lead().await).then_some(())
    })
    .await;
    let inside = sites.all[DAEJEON].shown(&service.domain()).await;
    assert_eq!(inside, Some(service.answer("daejeon", 1)), "inside, traffic stays where it is");

    let back = now();
    heal();
    service.is_published(sites, &[DAEJEON, GWANGJU], "gwangju", 2).await;
    println!("    its name server was caught up after {:.1} s", (now() - back).as_secs_f64());
    pause(A_WHILE).await;
    assert_eq!(sites.serving(DAEGU, &service.name), (2, "gwangju".to_owned()));
    assert_eq!(sites.runs(DAEGU, &service.name), 2, "it began nothing");
    assert!(service.client.errors_since(back).is_empty(), "{}", service.client.story(back));
}

/// Case 3. The site leads until then.
async fn ledger_cut_off(sites: &mut Sites) {
    sites.let_lead(DAEJEON).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let cut = now();
    cause(Fault::Ledger(sites.all[DAEJEON].place()));
    sites.leader_of(&[GWANGJU, DAEGU]).await;
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "daejeon", cut);

    // It no longer has a voice, and the others are enough.
    let died = now();
    sites.all[DAEJEON].kill_member(service.port);
    service.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "gwangju", died).await;
    heal();
    pause(A_WHILE).await;
    assert_eq!(sites.serving(DAEGU, &service.name), (2, "gwangju".to_owned()));
}

/// Case 4. The serving site leads, and its member of the ledger may too.
async fn witness_cut(sites: &mut Sites) {
    sites.let_lead(DAEJEON).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let cut = now();
    cause(Fault::Pair(sites.all[DAEJEON].place(), sites.all[DAEGU].place()));
    pause(LONG_ENOUGH * 2).await;
    service.has_not_moved(sites, "daejeon", cut);
    sites.leader().await;
    heal();
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "daejeon", cut);
}

/// Case 13. Each of both is down for the other; the witness, which sees both, decides.
async fn full_sites_cut(sites: &mut Sites) {
    sites.let_lead(DAEGU).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let cut = now();
    cause(Fault::Pair(sites.all[DAEJEON].place(), sites.all[GWANGJU].place()));
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "daejeon", cut);

    let died = now();
    sites.all[DAEJEON].kill_member(service.port);
    service.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "gwangju", died).await;
}

/// Case 13, with the leader in one of both: it does not reach the name server of the other.
async fn cut_from_the_leader(sites: &mut Sites) {
    sites.let_lead(DAEJEON).await;
    let service = Service::start(sites, "gwangju", |_| {}).await;
    let cut = now();
    cause(Fault::Pair(sites.all[DAEJEON].place(), sites.all[GWANGJU].place()));
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "gwangju", cut);
    // It may have lost the lead where the ledger had its own leader in the other site.
    let leader = sites.leader().await;
    assert_ne!(leader, GWANGJU);

    let died = now();
    sites.all[GWANGJU].kill_member(service.port);
    service.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "daejeon", died).await;
    assert_eq!(sites.leader().await, DAEJEON, "the leader has not reached the name server in Gwangju");
}

/// Case 11. Two checks of a second fail at most, three would move.
async fn blip(sites: &mut Sites) {
    const BLIP: Duration = Duration::from_millis(1500);
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let cut = now();
    cause(Fault::Site(sites.all[DAEJEON].place()));
    pause(BLIP).await;
    heal();
    let healed = now();
    pause(LONG_ENOUGH).await;
    service.has_not_moved_says(sites, DAEGU, "daejeon", cut);
    // What was sent in the blip is sent again by TCP after at most twice as long.
    let late: Vec<_> = service.client.errors_since(healed + BLIP);
    assert!(late.is_empty(), "it lasted no longer than itself\n{}", service.client.story(cut));
}

/// Case 5: the serving site does not reach the other full one.
async fn one_way(sites: &mut Sites) {
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let cut = now();
    cause(Fault::OneWay(sites.all[DAEJEON].place(), sites.all[GWANGJU].place()));
    pause(LONG_ENOUGH * 2).await;
    service.has_not_moved(sites, "daejeon", cut);
}

/// Case 5: nobody hears the serving site, its clients neither.
async fn mute(sites: &mut Sites) {
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let cut = now();
    cause(Fault::Mute(sites.all[DAEJEON].place()));
    service.moves_once(sites, &[GWANGJU, DAEGU], "gwangju", cut).await;
    heal();
    service.is_published(sites, &[DAEJEON, GWANGJU], "gwangju", 2).await;
    assert_eq!(sites.runs(DAEGU, &service.name), 2);
}

/// Case 16.
async fn lossy(sites: &mut Sites) {
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let cut = now();
    cause(Fault::Loss(sites.all[DAEJEON].place(), sites.all[GWANGJU].place(), 0.4));
    pause(Duration::from_secs(300)).await;
    service.has_not_moved(sites, "daejeon", cut);
}

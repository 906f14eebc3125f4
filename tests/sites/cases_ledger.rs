//! The ledger is away, or all of Bongsu stands still.

use std::time::Duration;

use crate::{
    cases_lost::LONG_ENOUGH,
    clock::{now, pause},
    harness::Case,
    service::Service,
    support::{bongsu::SOON, wait::until},
    world::{DAEGU, DAEJEON, GWANGJU, Sites},
};

pub const ALL: &[Case] = &[
    Case {
        name: "all_of_bongsu_stops_for_two_leases_and_wakes_and_nothing_moves",
        long: false,
        body: |sites| Box::pin(all_frozen(sites)),
    },
    Case {
        name: "without_the_ledgers_quorum_nothing_moves_and_what_was_lost_meanwhile_moves_later",
        long: false,
        body: |sites| Box::pin(quorum_lost(sites, LONG_ENOUGH)),
    },
    Case {
        name: "without_the_ledgers_quorum_for_a_minute_nothing_moves",
        long: true,
        body: |sites| Box::pin(quorum_lost(sites, Duration::from_secs(60))),
    },
    Case {
        name: "a_member_of_the_ledger_is_replaced_and_nobody_notices",
        long: true,
        body: |sites| Box::pin(member_replaced(sites)),
    },
];

/// Case 8. Woken, they see samples that are two leases old.
async fn all_frozen(sites: &mut Sites) {
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let frozen = now();
    sites.all.iter().for_each(|site| site.bongsu.freeze());
    pause(Duration::from_secs(6)).await;
    sites.all.iter().for_each(|site| site.bongsu.thaw());
    pause(LONG_ENOUGH).await;
    sites.are_ready().await;
    service.has_not_moved(sites, "daejeon", frozen);
}

/// Case 10, both halves.
async fn quorum_lost(sites: &mut Sites, time: Duration) {
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let lost = now();
    sites.ledger.freeze(GWANGJU);
    sites.ledger.freeze(DAEGU);
    pause(time).await;
    service.has_not_moved_says(sites, DAEJEON, "daejeon", lost);
    assert!(service.client.errors_since(lost).is_empty(), "{}", service.client.story(lost));
    says_that_the_ledger_is_away(sites).await;

    sites.all[DAEJEON].burn(&sites.ledger).await;
    pause(LONG_ENOUGH).await;
    let shown = sites.all[GWANGJU].shown(&service.domain()).await;
    assert_eq!(shown, Some(service.answer("daejeon", 1)), "nobody decides without the ledger");
    says_that_the_ledger_is_away(sites).await;

    let back = now();
    sites.ledger.thaw(GWANGJU);
    sites.ledger.thaw(DAEGU);
    service.moves_once(sites, &[GWANGJU, DAEGU], "gwangju", back).await;
}

async fn says_that_the_ledger_is_away(sites: &Sites) {
    for index in [GWANGJU, DAEGU] {
        let bongsu = &sites.all[index].bongsu;
        let (status, text) = until("/readyz says what is away", SOON, async || {
            bongsu.page("/readyz").await.filter(|(_, text)| text.contains("[-] ledger"))
        })
        .await;
        assert!(status.contains("503"), "{status} {text}");
        assert_eq!(bongsu.metric("bongsu_leader").await, Some(0.0));
    }
}

/// Case 18: the disk of a site's member is lost, and the member is replaced by the documented procedure.
async fn member_replaced(sites: &mut Sites) {
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let began = now();
    sites.ledger.replace(DAEJEON, GWANGJU);
    sites.are_ready().await;
    assert_eq!(sites.serving(DAEJEON, &service.name), (1, "daejeon".to_owned()));
    service.has_not_moved(sites, "daejeon", began);

    // It counts: with it and one other the ledger takes writes.
    sites.ledger.kill(GWANGJU);
    let died = now();
    sites.all[DAEJEON].kill_member(service.port);
    service.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "gwangju", died).await;
}

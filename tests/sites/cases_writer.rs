//! A writer behind gates, in a site that is lost, frozen, or cut off for a moment: no two accept at one instant, and what is
//! acknowledged stands in a log.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use crate::{
    cases_lost::{A_WHILE, LONG_ENOUGH},
    clock::{now, pause},
    harness::Case,
    network::{Fault, cause, heal},
    service::Service,
    world::{DAEGU, DAEJEON, GWANGJU, Sites},
    writer::{Noted, WritingClient},
};

/// Longest time without a writer that a case allows: the lease (8 s), its margin and 2 s more, and as much again as two busy
/// cores need. What it is when nothing else runs is in docs/performance.md.
const GAP_LIMIT: Duration = Duration::from_secs(17);

pub const ALL: &[Case] = &[
    Case {
        name: "a_writers_site_is_killed_and_another_writes_when_its_lease_is_over",
        long: false,
        body: |sites| Box::pin(killed(sites)),
    },
    Case {
        name: "a_writers_host_that_was_frozen_accepts_not_one_record_after_it_wakes",
        long: false,
        body: |sites| Box::pin(frozen(sites)),
    },
    Case {
        name: "a_writers_site_is_cut_off_for_five_seconds_and_nothing_moves",
        long: false,
        body: |sites| Box::pin(cut_for_a_moment(sites)),
    },
    Case {
        name: "without_the_ledgers_quorum_a_writer_goes_on_and_when_a_promise_is_missing_it_stops",
        long: false,
        body: |sites| Box::pin(quorum_lost(sites, Duration::from_secs(12))),
    },
    Case {
        name: "without_the_ledgers_quorum_for_a_minute_a_writer_goes_on",
        long: true,
        body: |sites| Box::pin(quorum_lost(sites, Duration::from_secs(60))),
    },
    Case {
        name: "a_writers_site_that_is_cut_off_only_from_the_ledger_goes_on",
        long: true,
        body: |sites| Box::pin(cut_from_the_ledger(sites)),
    },
    Case {
        name: "measured_gap_of_writes_when_a_site_is_lost_frozen_or_left",
        long: true,
        body: |sites| Box::pin(measure(sites)),
    },
];

/// A service whose writers stand behind gates with a lease of 8 s. Members are down after 7 s: a cut of 5 s moves nothing.
async fn start(sites: &mut Sites) -> (Service, WritingClient) {
    let service = Service::start(sites, "daejeon", |spec| {
        spec["fence"] = json!({"gate": {"leaseTtl": "8s"}});
        spec["health"]["window"] = json!({"size": 6, "failures": 6});
    })
    .await;
    for index in [DAEJEON, GWANGJU] {
        let ledger = &sites.ledger;
        sites.all[index].guard_writer(ledger, &service.name, service.write_port());
    }
    let servers: Vec<_> = sites.all.iter().filter_map(crate::site::Site::names).collect();
    let place = &sites.outside.place;
    let client = WritingClient::start(place, sites.home(), &service.domain(), service.write_port(), &servers);
    client.writes_since(now()).await;
    (service, client)
}

/// What the writer in a site has accepted.
fn accepted(sites: &Sites, index: usize, service: &Service) -> Vec<Noted> {
    sites.all[index].accepted(service.write_port())
}

/// The old one accepted its last record before the new one its first, and nothing that was acknowledged is in no log.
fn one_after_the_other(sites: &Sites, service: &Service, client: &WritingClient) {
    let acknowledged = client.acknowledged();
    let (old, new) = (accepted(sites, DAEJEON, service), accepted(sites, GWANGJU, service));
    let (last, first) = (old.last().unwrap().at, new.first().unwrap().at);
    assert!(last < first, "two writers: one until {last:?}, the other from {first:?}");
    let all: BTreeSet<u64> = old.iter().chain(&new).map(|noted| noted.number).collect();
    let lost: Vec<u64> = acknowledged.iter().map(|noted| noted.number).filter(|n| !all.contains(n)).collect();
    assert_eq!(lost, Vec::<u64>::new(), "acknowledged and in no log");
}

async fn moved(sites: &Sites, service: &Service, client: &WritingClient, lost: Duration) -> Duration {
    service.is_published(sites, &[GWANGJU], "gwangju", 2).await;
    crate::support::wait::until("gwangju accepts", crate::support::bongsu::SOON, async || {
        (!accepted(sites, GWANGJU, service).is_empty()).then_some(())
    })
    .await;
    client.writes_since(now()).await;
    let gap = client.longest_gap_since(lost);
    println!("    {}: no writer for {:.2} s", service.name, gap.as_secs_f64());
    gap
}

/// Case 1, of a writer.
async fn killed(sites: &mut Sites) {
    let (service, client) = start(sites).await;
    let lost = now();
    sites.all[DAEJEON].burn(&sites.ledger).await;
    let gap = moved(sites, &service, &client, lost).await;
    assert!(gap <= GAP_LIMIT, "{gap:?}");

    let ledger = &sites.ledger;
    sites.all[DAEJEON].rebuild(ledger).await;
    sites.are_ready().await;
    pause(LONG_ENOUGH).await;
    one_after_the_other(sites, &service, &client);
    assert_eq!(sites.serving(DAEGU, &service.name), (2, "gwangju".to_owned()));
}

/// Case 9: the host with its gate and its writer.
async fn frozen(sites: &mut Sites) {
    let (service, client) = start(sites).await;
    let lost = now();
    sites.all[DAEJEON].namespace.signal_all("-STOP");
    let gap = moved(sites, &service, &client, lost).await;
    assert!(gap <= GAP_LIMIT, "{gap:?}");
    sites.all[DAEJEON].namespace.signal_all("-CONT");
    pause(A_WHILE).await;
    one_after_the_other(sites, &service, &client);
}

async fn cut_for_a_moment(sites: &mut Sites) {
    const CUT: Duration = Duration::from_secs(5);
    let (service, client) = start(sites).await;
    let began = now();
    cause(Fault::Site(sites.all[DAEJEON].place()));
    pause(CUT).await;
    heal();
    client.writes_since(now()).await;
    pause(LONG_ENOUGH).await;
    let gap = client.longest_gap_since(began);
    println!("    {}: no writer for {:.2} s", service.name, gap.as_secs_f64());
    service.has_not_moved_says(sites, DAEGU, "daejeon", began);
    assert_eq!(accepted(sites, GWANGJU, &service), []);
}

/// Case 10, of a writer: the store is down, all sites are well. Then another site is cut off as well, whose promise is missing.
async fn quorum_lost(sites: &mut Sites, time: Duration) {
    let (service, client) = start(sites).await;
    pause(LONG_ENOUGH).await;
    let lost = now();
    sites.ledger.freeze(GWANGJU);
    sites.ledger.freeze(DAEGU);
    pause(time).await;
    let gap = client.longest_gap_since(lost);
    println!(
        "    {}: no writer for {:.2} s while the store was down for {time:?}",
        service.name,
        gap.as_secs_f64()
    );
    assert!(gap < Duration::from_secs(1), "{gap:?}");
    assert_eq!(
        sites.all[GWANGJU]
            .bongsu
            .metric("bongsu_promises_total{result=\"given\"}")
            .await
            .map(|given| given > 0.0),
        Some(true)
    );

    cause(Fault::Site(sites.all[GWANGJU].place()));
    // A lease and what is under way.
    pause(Duration::from_secs(10)).await;
    let stopped = accepted(sites, DAEJEON, &service).len();
    pause(A_WHILE).await;
    assert_eq!(accepted(sites, DAEJEON, &service).len(), stopped, "not all promise");

    heal();
    sites.ledger.thaw(GWANGJU);
    sites.ledger.thaw(DAEGU);
    client.writes_since(now()).await;
    assert_eq!(accepted(sites, GWANGJU, &service), []);
    assert_eq!(sites.serving(DAEGU, &service.name), (1, "daejeon".to_owned()));
}

/// Case 3, of a writer: its site reaches everything but the ledger.
async fn cut_from_the_ledger(sites: &mut Sites) {
    let (service, client) = start(sites).await;
    pause(LONG_ENOUGH).await;
    let cut = now();
    cause(Fault::Ledger(sites.all[DAEJEON].place()));
    pause(Duration::from_secs(30)).await;
    let gap = client.longest_gap_since(cut);
    assert!(gap < Duration::from_secs(1), "{gap:?}");
    heal();
    sites.are_ready().await;
    assert!(client.longest_gap_since(cut) < Duration::from_secs(1));
    assert_eq!(accepted(sites, GWANGJU, &service), []);
}

/// Not a case: how long nobody writes.
async fn measure(sites: &mut Sites) {
    const RUNS: usize = 5;
    for how in ["killed", "cut off", "frozen"] {
        let mut gaps = Vec::new();
        for run in 0..RUNS {
            sites.let_lead([DAEJEON, GWANGJU, DAEGU][run % 3]).await;
            let (service, client) = start(sites).await;
            let lost = now();
            match how {
                "killed" => sites.all[DAEJEON].burn(&sites.ledger).await,
                "cut off" => cause(Fault::Site(sites.all[DAEJEON].place())),
                _ => sites.all[DAEJEON].namespace.signal_all("-STOP"),
            }
            gaps.push(moved(sites, &service, &client, lost).await);
            sites.recover().await;
        }
        gaps.sort();
        let (median, longest) = (gaps[RUNS / 2].as_secs_f64(), gaps[RUNS - 1].as_secs_f64());
        println!(
            "    no writer when a site is {how}, {RUNS} runs: median {median:.2} s, longest {longest:.2} s"
        );
    }
}

//! The wall clock of one site steps. `faketime` (Debian) shows its Bongsu another one; monotonic time goes on.

use std::{fs, path::PathBuf};

use crate::{
    cases_lost::LONG_ENOUGH,
    clock::{now, pause},
    harness::Case,
    service::Service,
    world::{DAEGU, DAEJEON, GWANGJU, Sites},
};

pub const ALL: &[Case] = &[
    Case {
        name: "a_wall_clock_that_steps_an_hour_ahead_moves_nothing_and_a_failover_still_works",
        long: true,
        body: |sites| Box::pin(stepped(sites, "+1h")),
    },
    Case {
        name: "a_wall_clock_that_steps_an_hour_back_moves_nothing_and_a_failover_still_works",
        long: true,
        body: |sites| Box::pin(stepped(sites, "-1h")),
    },
];

/// Case 14: the clock of the site that serves and leads.
async fn stepped(sites: &mut Sites, step: &str) {
    let file = sites.home().join("clock");
    fs::write(&file, "+0").unwrap();
    let environment = [
        format!("LD_PRELOAD={}", library().display()),
        format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
        "FAKETIME_NO_CACHE=1".to_owned(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
    ];
    let place = sites.all[DAEJEON].place().with(&environment);
    sites.all[DAEJEON].bongsu.restart_at(place);
    sites.are_ready().await;
    sites.let_lead(DAEJEON).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;

    let stepped = now();
    fs::write(&file, step).unwrap();
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "daejeon", stepped);
    assert_eq!(sites.leader().await, DAEJEON, "leases go by monotonic time");

    let died = now();
    sites.all[DAEJEON].kill_member(service.port);
    service.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "gwangju", died).await;
    let log = sites.all[DAEJEON].bongsu.log();
    println!("    last line of the site with the other clock: {}", log.lines().last().unwrap_or_default());
    let place = sites.all[DAEJEON].place().clone();
    sites.all[DAEJEON].bongsu.restart_at(place);
}

/// Where Debian has it, on any architecture.
fn library() -> PathBuf {
    let directories = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let mut found = directories.map(|directory| directory.join("faketime/libfaketimeMT.so.1"));
    found.find(|library| library.exists()).expect("run hack/parts.sh faketime")
}

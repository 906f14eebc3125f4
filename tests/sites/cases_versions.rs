//! One Bongsu after the other is replaced, by the same build or by another one: meanwhile two versions work together.

use std::{env, path::PathBuf};

use crate::{
    cases_lost::LONG_ENOUGH,
    clock::{now, pause},
    harness::Case,
    service::Service,
    support::bongsu::this_build,
    world::{DAEGU, DAEJEON, GWANGJU, Sites},
};

pub const ALL: &[Case] = &[
    Case {
        name: "every_bongsu_is_restarted_one_after_the_other_and_nothing_moves",
        long: false,
        body: |sites| Box::pin(restarted_in_turn(sites)),
    },
    Case {
        name: "every_bongsu_is_upgraded_one_after_the_other_and_nothing_moves",
        long: true,
        body: |sites| Box::pin(upgraded_in_turn(sites)),
    },
    Case {
        name: "a_leader_of_the_previous_version_moves_what_is_lost_among_new_ones",
        long: true,
        body: |sites| Box::pin(moved_by(sites, [this_build(), previous_build(), this_build()])),
    },
    Case {
        name: "a_leader_of_the_new_version_moves_what_is_lost_among_previous_ones",
        long: true,
        body: |sites| Box::pin(moved_by(sites, [previous_build(), this_build(), previous_build()])),
    },
];

/// The version that is upgraded from; `make test-sites` builds it.
fn previous_build() -> PathBuf {
    let path = env::var_os("BONGSU_PREVIOUS");
    PathBuf::from(path.expect("BONGSU_PREVIOUS names no program: BONGSU_PREVIOUS=$(hack/previous.sh)"))
}

/// Case 17 with one build.
async fn restarted_in_turn(sites: &mut Sites) {
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let began = now();
    replaced_in_turn(sites, this_build()).await;
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "daejeon", began);
}

/// Case 17 with two: the service and all that the ledger knows of it is from the version before.
async fn upgraded_in_turn(sites: &mut Sites) {
    replaced_in_turn(sites, previous_build()).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let began = now();
    replaced_in_turn(sites, this_build()).await;
    pause(LONG_ENOUGH).await;
    service.has_not_moved(sites, "daejeon", began);

    // What was written by the version before is enough to move it by.
    let lost = now();
    sites.all[DAEJEON].kill_member(service.port);
    service.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "gwangju", lost).await;
}

/// The leader last, as each takes the lead over from the one before.
async fn replaced_in_turn(sites: &mut Sites, program: PathBuf) {
    for index in [DAEGU, GWANGJU, DAEJEON] {
        sites.replace(index, &program).await;
    }
}

/// Each site runs its build, Gwangju leads, and a service moves there.
async fn moved_by(sites: &mut Sites, builds: [PathBuf; 3]) {
    for (index, build) in builds.iter().enumerate() {
        sites.replace(index, build).await;
    }
    sites.let_lead(GWANGJU).await;
    let service = Service::start(sites, "daejeon", |_| {}).await;
    let lost = now();
    sites.all[DAEJEON].kill_member(service.port);
    service.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "gwangju", lost).await;
    assert_eq!(sites.leader().await, GWANGJU, "who led when it began led to the end");
}

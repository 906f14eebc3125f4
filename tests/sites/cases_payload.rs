//! The path carries small packets and loses large ones, as on 2023-11-17: who asks for something small sees nothing.

use serde_json::json;

use crate::{
    cases_lost::A_WHILE,
    clock::{now, pause},
    harness::Case,
    network::{Fault, cause},
    service::Service,
    support::{bongsu::SOON, wait::until},
    world::{DAEGU, DAEJEON, GWANGJU, Sites},
};

/// Bytes of a packet from which on it may be lost: those of 2023-11-17.
const LARGE: u16 = 1500;

/// Share of those packets that is lost: that of 2023-11-17.
const SHARE: f64 = 0.9;

pub const ALL: &[Case] = &[Case {
    name: "a_site_whose_path_loses_large_packets_is_left_by_the_service_that_tries_messages_of_their_size",
    long: false,
    body: |sites| Box::pin(large_packets_lost(sites)),
}];

/// Two services on the same path, which carries every packet that is smaller than the MTU of the network, 1500 bytes. The one with
/// checks that ask for something small stays where it is; the one with a `payload` check leaves, and says why.
///
/// Lost are messages of 1400 bytes and more, not of 1500: a request has a head of about 200 bytes before its body, so one of 1400 needs a
/// packet of full size, and one of 512 does not. TCP sends what is lost again in packets of the same size: it would try
/// smaller ones only after several seconds, and only where `net.ipv4.tcp_mtu_probing` is on, which Linux leaves off. One in ten packets
/// passes, so now and then a message of 1400 bytes does as well.
async fn large_packets_lost(sites: &mut Sites) {
    sites.let_lead(DAEGU).await;
    lead_the_ledger(sites, DAEGU).await;
    let small = json!([{"name": "port", "tcp": {}}, {"name": "page", "http": {"path": "/"}}]);
    let blind = Service::start(sites, "daejeon", |spec| spec["health"]["checks"] = small).await;
    let sizes = json!([{"name": "sizes", "payload": {"path": "/echo"}}]);
    let seeing = Service::start(sites, "daejeon", |spec| spec["health"]["checks"] = sizes).await;

    let lossy = now();
    cause(Fault::Large(sites.all[DAEJEON].place(), LARGE, SHARE));
    let said = until("it is said from which size on messages are lost", SOON, async || {
        let object = sites.all[DAEGU].kubectl(&["get", "ss", &seeing.name, "-o", "json"]).ok()?;
        let from = object.find("messages of 1400 bytes and more are lost (64 to 512 pass)")?;
        object[from..].split('"').next().map(str::to_owned)
    })
    .await;
    println!("    {said}");
    let diagnosis = until("all vantages together say where it breaks", SOON, async || {
        let of = "jsonpath={.status.members[?(@.region=='daejeon')].diagnosis.message}";
        let message = sites.all[DAEGU].kubectl(&["get", "ss", &seeing.name, "-o", of]).ok()?;
        message.contains("are lost on the path to daejeon, seen from 2 of 3 vantages").then_some(message)
    })
    .await;
    println!("    {diagnosis}");
    seeing.moves_once(sites, &[DAEJEON, GWANGJU, DAEGU], "gwangju", lossy).await;
    pause(A_WHILE).await;
    blind.has_not_moved(sites, "daejeon", lossy);
}

/// Lets the ledger's member of a site lead it. One behind the lossy path would keep the lead by its small messages and get nothing
/// written by its large ones: that is another case than this one.
async fn lead_the_ledger(sites: &Sites, at: usize) {
    let status = |place: usize| {
        let text = sites.ledger.try_etcdctl_at(place, &["endpoint", "status", "-w", "json"]).unwrap();
        let status: serde_json::Value = serde_json::from_str(&text).unwrap();
        let id = |path: &str| status.pointer(path).unwrap().as_u64().unwrap();
        (id("/0/Status/header/member_id"), id("/0/Status/leader"))
    };
    let (wanted, leader) = status(at);
    if wanted == leader {
        return;
    }
    let leading = (DAEJEON..=DAEGU).find(|place| status(*place).0 == leader).unwrap();
    sites.ledger.try_etcdctl_at(leading, &["move-leader", &format!("{wanted:x}")]).unwrap();
    until("the ledger is led from there", SOON, async || (status(at).1 == wanted).then_some(())).await;
}

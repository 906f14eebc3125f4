//! What regions say that they hold, and who acts on it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::bench::{Bench, LEASE_TTL, key, service};
use crate::{
    api::Region,
    domain::{RunState, Term},
    ports::{Ledger, Snapshot},
    reconcile::{
        book::{Entry, SCHEMA, SpecEntry, SpecSource, StandingEntry},
        catalog::Catalog,
    },
};

fn spec(region: &str) -> Entry {
    Entry::Spec(region.into(), key("verify"))
}

/// Another region speaks, holds what this one does but for the spec, and says so.
pub(super) async fn neighbour(bench: &Bench, region: &str, spec_of: Option<&str>) {
    let holder = format!("{region}-1");
    bench.ledger.give(&format!("region-{region}"), &holder).await;
    let own: SpecEntry = bench.until("it was said", || bench.entry(&spec("daegu"))).await;
    match spec_of {
        Some(hash) => {
            let hash = if hash == "same" { own.hash.clone() } else { hash.into() };
            bench.put(&spec(region), &SpecEntry { hash, ..own }).await;
        }
        None => {
            if let Some((version, _)) = bench.ledger.text(&spec(region)) {
                bench.ledger.delete(&spec(region).key(), version).await.unwrap();
            }
        }
    }
    let standing: StandingEntry =
        bench.until("it was said", || bench.entry(&Entry::Standing("daegu".into()))).await;
    let standing = StandingEntry { incarnation: holder.as_str().into(), term: Term(9), ..standing };
    bench.put(&Entry::Standing(region.into()), &standing).await;
}

async fn condition(bench: &Bench, wanted: (&str, &str)) -> String {
    let is = || {
        let (status, reason, message) = bench.condition("verify", "SpecInSync")?;
        ((&*status, &*reason) == wanted).then_some(message)
    };
    bench.until(&format!("SpecInSync is {wanted:?}"), is).await
}

async fn serving() -> Bench {
    Bench::serving(&[("verify", &service("verify", &["names"]))]).await
}

#[tokio::test(start_paused = true)]
async fn each_region_says_once_what_it_holds() {
    let bench = serving().await;
    let said: SpecEntry = bench.until("it was said", || bench.entry(&spec("daegu"))).await;
    assert_eq!((said.schema, said.hash.len()), (SCHEMA, 64));
    assert_eq!(said.spec["members"][1]["region"], "gwangju");
    let standing: StandingEntry = bench.entry(&Entry::Standing("daegu".into())).unwrap();
    assert_eq!(standing.regions.keys().collect::<Vec<_>>(), ["daegu", "daejeon", "gwangju"]);
    assert_eq!((standing.incarnation.as_str(), standing.source), ("daegu-1", SpecSource::Cluster));
    let versions =
        || [spec("daegu"), Entry::Standing("daegu".into())].map(|entry| bench.ledger.text(&entry).unwrap().0);
    let before = versions();
    bench.pass(LEASE_TTL * 4).await;
    assert_eq!(versions(), before, "while all is well nothing is written");
    bench.edit("verify", None).await;
    bench.until("it is withdrawn", || bench.ledger.text(&spec("daegu")).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_most_others_do_not_hold_is_named_and_moves_nothing_by_itself() {
    let bench = serving().await;
    condition(&bench, ("True", "Alone")).await;
    neighbour(&bench, "gwangju", Some("other")).await;
    neighbour(&bench, "daejeon", None).await;
    let text = condition(&bench, ("False", "NotMost")).await;
    assert!(text.starts_with("another spec in gwangju; no such object in daejeon; "), "{text}");
    bench.members.fail("daejeon", "verify");
    bench.pass(LEASE_TTL / 2).await;
    let (_, _, why) = bench.condition("verify", "FailoverReady").unwrap();
    assert!(
        why.contains("differs in gwangju; is missing in daejeon") && why.contains("(SpecInSync)"),
        "{why}"
    );
    assert_eq!(bench.run("verify-e2"), None);
    neighbour(&bench, "gwangju", Some("same")).await;
    bench
        .until("two of three hold it", || {
            bench.run("verify-e2").filter(|run| run.state == RunState::Succeeded)
        })
        .await;
    let text = condition(&bench, ("False", "OthersDiffer")).await;
    assert!(text.starts_with("no such object in daejeon; "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_or_has_not_said_it_holds_nobody_up() {
    let bench = serving().await;
    neighbour(&bench, "gwangju", Some("other")).await;
    condition(&bench, ("False", "NotMost")).await;
    bench.pass(LEASE_TTL * 2).await;
    condition(&bench, ("True", "Alone")).await;
    // Another process speaks now, of a version that says nothing of this.
    bench.ledger.give("region-gwangju", "gwangju-2").await;
    let text = condition(&bench, ("Unknown", "NotSaid")).await;
    assert!(text.contains("gwangju"), "{text}");
    bench.members.fail("daejeon", "verify");
    bench.until("it moves", || bench.run("verify-e2").filter(|run| run.state == RunState::Succeeded)).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_address_is_published_once_most_regions_hold_it() {
    let bench = serving().await;
    for region in ["gwangju", "daejeon"] {
        neighbour(&bench, region, Some("same")).await;
    }
    condition(&bench, ("True", "InSync")).await;
    let tries = bench.servers.tries("names", 1).len();
    bench.edit("verify", Some(&service("verify", &["names"]).replace("192.0.2.1", "192.0.2.7"))).await;
    condition(&bench, ("False", "NotMost")).await;
    for region in ["gwangju", "daejeon"] {
        bench.ledger.give(&format!("region-{region}"), &format!("{region}-1")).await;
    }
    bench.pass(LEASE_TTL / 2).await;
    assert_eq!(bench.servers.tries("names", 1).len(), tries);
    neighbour(&bench, "gwangju", Some("same")).await;
    bench.until("it is published", || (bench.servers.tries("names", 1).len() > tries).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_differs_is_a_spec_that_differs() {
    let policy = "{apiVersion: bongsu.io/v1alpha1, kind: GradePolicy, metadata: {name: grade-1}, spec: {grade: 1, rto: 1m}}";
    let bench = Bench::serving(&[("verify", &service("verify", &["names"])), ("policy", policy)]).await;
    neighbour(&bench, "gwangju", Some("same")).await;
    condition(&bench, ("True", "InSync")).await;
    let entry = Entry::Standing("gwangju".into());
    let standing: StandingEntry = bench.entry(&entry).unwrap();
    bench.put(&entry, &StandingEntry { grades: BTreeMap::from([(1, "other".into())]), ..standing }).await;
    condition(&bench, ("False", "NotMost")).await;
}

#[tokio::test(start_paused = true)]
async fn a_region_that_leaves_out_samples_is_shown_so_and_one_that_does_not_say_is_unknown() {
    let bench = serving().await;
    let shown = async |region: &str, wanted: (&str, &str)| {
        let is = || {
            let status = bench.resources.statuses().regions.remove(region)?;
            let found = status.conditions.into_iter().find(|condition| condition.type_ == "ProbesOnTime")?;
            ((&*found.status, &*found.reason) == wanted).then_some(found.message)
        };
        bench.until(&format!("ProbesOnTime of {region} is {wanted:?}"), is).await
    };
    shown("daegu", ("True", "KeepsUp")).await;
    shown("gwangju", ("Unknown", "Silent")).await;
    neighbour(&bench, "gwangju", Some("same")).await;
    shown("gwangju", ("True", "KeepsUp")).await;
    let entry = Entry::Standing("gwangju".into());
    let mut standing: Value = bench.entry(&entry).unwrap();
    standing["stretch"] = json!(1);
    bench.put(&entry, &standing).await;
    let text = shown("gwangju", ("False", "Stretched")).await;
    standing["stretch"] = json!(8);
    bench.put(&entry, &standing).await;
    let feasible = || {
        let status = bench.resources.statuses().services.values().next()?.clone();
        let found =
            status.conditions.into_iter().find(|condition| condition.type_ == "ObjectivesFeasible")?;
        found.message.contains("2 × 4s").then_some(())
    };
    bench.until("the predicted recovery time knows that samples are left out", feasible).await;
    assert!(text.contains("of grade 4 all but one in 2") && text.contains("more CPU"), "{text}");
    standing.as_object_mut().unwrap().remove("stretch");
    bench.put(&entry, &standing).await;
    shown("gwangju", ("Unknown", "NotSaid")).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_version_wrote_is_neither_read_nor_written_over_and_is_named() {
    let newer = r#"{"schema":2,"hash":"x","spec":{}}"#;
    let bench = Bench::prepare(&[("verify", &service("verify", &["names"]))]).await;
    bench.ledger.put_text(&spec("daegu"), newer).await;
    bench.go();
    bench.pass(Duration::from_secs(20)).await;
    assert_eq!(bench.ledger.text(&spec("daegu")).unwrap().1, newer);
    let told = bench.agent.overview()["unreadableRecords"].clone();
    assert_eq!(told[0]["key"], "spec/daegu/gpki/verify");
    assert!(told[0]["cause"].as_str().unwrap().contains("schema 2"), "{told}");
    bench.members.fail("daejeon", "verify");
    bench
        .until("it moves all the same", || {
            bench.run("verify-e2").filter(|run| run.state == RunState::Succeeded)
        })
        .await;
}

#[test]
fn a_region_is_said_anew_when_its_spec_changes_and_not_when_its_status_does() {
    let region = |spec: serde_json::Value, status: serde_json::Value| {
        let metadata = json!({"name": "daegu"});
        let object = json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "Region", "metadata": metadata, "spec": spec, "status": status
        });
        let region: Arc<Region> = Arc::new(serde_json::from_value(object).unwrap());
        Arc::new(Snapshot { regions: [("daegu".to_owned(), region)].into(), ..Snapshot::default() })
    };
    let stop = json!({"globalStop": {"reason": "a flood"}});
    let first = Catalog::new(region(json!({}), json!({})), &Catalog::default());
    let shown = Catalog::new(region(json!({}), json!({"observedGeneration": 1})), &first);
    assert!(Arc::ptr_eq(&first.standing_regions, &shown.standing_regions));
    assert!(shown.stands_as(&first));
    let edited = Catalog::new(region(stop, json!({})), &shown);
    assert_ne!(edited.standing_regions["daegu"].hash, first.standing_regions["daegu"].hash);
    assert!(!edited.stands_as(&shown));
    let gone = Catalog::new(Arc::new(Snapshot::default()), &edited);
    assert!(gone.standing_regions.is_empty() && !gone.stands_as(&edited));
}

#[test]
fn the_hash_of_a_spec_is_that_of_earlier_versions() {
    let object: crate::api::SharedService = serde_json::from_value(
        serde_yaml::from_str::<serde_json::Value>(&service("verify", &["names"])).unwrap(),
    )
    .unwrap();
    let hash = crate::reconcile::catalog::hash_of(&object.spec);
    // Another one means that a field which nobody uses is written: leave it out while it has its default, or regions of
    // two versions call each other's specs different.
    assert_eq!(&*hash, "3384516a1df57cb55a780ffc83566bf4e91e5dd766a540a9c2ae6b46bb5744e0");
}

//! A directory of manifests that changes while Bongsu runs from it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bongsu::{
    adapters::{
        clock::SystemClock,
        manifests::{ManifestResources, OpenError},
    },
    api::{ConditionType, Failover, FailoverSpec, RegionStatus, condition},
    ports::{NewObject, Resources, ResourcesError, StatusUpdate},
};

/// 20 s: above the 10 s after which a directory is looked at even without notices.
const DEADLINE: Duration = Duration::from_secs(20);

fn region(name: &str, domain: &str) -> String {
    format!(
        "apiVersion: bongsu.io/v1alpha1\nkind: Region\nmetadata: {{name: {name}}}\nspec: {{failureDomain: {domain}}}\n"
    )
}

async fn open(dir: &Path) -> Arc<ManifestResources> {
    Arc::new(ManifestResources::open(dir, Arc::new(SystemClock::new())).await.unwrap())
}

/// Follows the directory until the end of the test.
async fn followed(dir: &Path) -> Arc<ManifestResources> {
    let resources = open(dir).await;
    let follower = resources.clone();
    tokio::spawn(async move { follower.follow().await });
    resources
}

fn domains(resources: &ManifestResources) -> Vec<String> {
    let snapshot = resources.snapshot().unwrap();
    snapshot
        .regions
        .iter()
        .map(|(name, region)| format!("{name}={}", region.spec.failure_domain.as_deref().unwrap_or("-")))
        .collect()
}

/// Waits for the next change until it is as wanted.
async fn until(resources: &ManifestResources, wanted: impl Fn(&ManifestResources) -> bool) {
    let mut changes = resources.changes();
    let waiting = async {
        while !wanted(resources) {
            changes.changed().await.unwrap();
        }
    };
    let seen = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(seen.is_ok(), "still {:?} with {:?}", domains(resources), resources.findings());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_over_and_a_bad_one_keeps_what_was_good() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yaml");
    fs::write(&file, region("a", "one")).unwrap();
    let resources = followed(dir.path()).await;
    assert_eq!(domains(&resources), ["a=one"]);

    fs::write(&file, region("a", "two")).unwrap();
    until(&resources, |r| domains(r) == ["a=two"]).await;
    let snapshot = resources.snapshot().unwrap();
    assert_eq!(snapshot.regions["a"].metadata.generation, Some(2), "the spec changed once");

    fs::write(&file, region("a", "three").replace("spec:", "specs:")).unwrap();
    fs::write(dir.path().join("b.yaml"), region("b", "x")).unwrap();
    until(&resources, |r| domains(r) == ["a=two", "b=x"] && !r.findings().is_empty()).await;
    let findings: Vec<_> = resources.findings().iter().map(ToString::to_string).collect();
    assert!(
        findings.iter().any(|finding| finding.contains("a.yaml:4: Region a: specs: unknown field")),
        "{findings:?}"
    );

    fs::write(&file, region("a", "three")).unwrap();
    until(&resources, |r| domains(r) == ["a=three", "b=x"] && r.findings().is_empty()).await;
    let snapshot = resources.snapshot().unwrap();
    assert_eq!(snapshot.regions["a"].metadata.generation, Some(3), "looks that change nothing do not count");

    fs::rename(dir.path().join("b.yaml"), dir.path().join("b.bak")).unwrap();
    until(&resources, |r| domains(r) == ["a=three"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_being_written_counts_only_when_it_stands_still() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yaml");
    let whole = format!("{}---\n{}", region("a", "one"), region("b", "one"));
    fs::write(&file, &whole).unwrap();
    let resources = open(dir.path()).await;
    for end in [0, 10, region("a", "one").len()] {
        fs::write(&file, &whole[..end]).unwrap();
        assert!(resources.look().await.unsettled, "{end}");
        assert_eq!(domains(&resources), ["a=one", "b=one"], "{end}");
    }
    fs::write(&file, &whole).unwrap();
    let taken = resources.look().await;
    assert!(!taken.unsettled && !taken.changed, "it is as it was: {taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_emptied_keeps_its_objects_until_it_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yaml");
    fs::write(&file, region("a", "one")).unwrap();
    let resources = open(dir.path()).await;
    fs::write(&file, "").unwrap();
    let (first, second) = (resources.look().await, resources.look().await);
    assert!(first.unsettled && second.changed);
    assert_eq!(domains(&resources), ["a=one"]);
    assert!(resources.findings()[0].message.contains("is kept"), "{:?}", resources.findings());
    fs::remove_file(&file).unwrap();
    let _ = (resources.look().await, resources.look().await);
    assert_eq!(domains(&resources), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_gone_takes_nothing_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let manifests = dir.path().join("m");
    fs::create_dir(&manifests).unwrap();
    fs::write(manifests.join("a.yaml"), region("a", "one")).unwrap();
    let resources = open(&manifests).await;
    fs::remove_dir_all(&manifests).unwrap();
    for _ in 0..3 {
        resources.look().await;
    }
    assert_eq!(domains(&resources), ["a=one"]);
    assert!(resources.findings()[0].message.contains("cannot be read"), "{:?}", resources.findings());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_never_was_is_an_error_and_a_bad_object_is_named_as_invalid() {
    let none = ManifestResources::open(Path::new("/no/such/directory"), Arc::new(SystemClock::new())).await;
    assert!(matches!(none.err(), Some(OpenError::Read(_))));
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{}---\n{}", region("a", "one"), region("b", "[]"));
    fs::write(dir.path().join("a.yaml"), text).unwrap();
    let resources = open(dir.path()).await;
    assert_eq!(domains(&resources), ["a=one"]);
    let invalid = &resources.snapshot().unwrap().invalid;
    assert_eq!((invalid[0].object.name.as_str(), invalid.len()), ("b", 1));
    assert!(invalid[0].message.starts_with("spec.failureDomain: must be text"), "{invalid:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_stays_in_memory_over_a_change_of_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yaml");
    fs::write(&file, region("a", "one")).unwrap();
    let resources = open(dir.path()).await;
    let ready = condition(ConditionType::Ready, Some(true), "Yes", "fine", Some(1), Default::default());
    let status = RegionStatus { observed_generation: Some(1), conditions: vec![ready] };
    let mut changes = resources.changes();
    changes.mark_unchanged();
    for changed in [true, false] {
        resources.write_status(StatusUpdate::Region("a".to_owned(), status.clone())).await.unwrap();
        assert_eq!(changes.has_changed().unwrap(), changed, "the same status is no change");
        changes.mark_unchanged();
    }
    let spec = FailoverSpec {
        service_name: "s".to_owned(),
        from: None,
        to: Some("a".to_owned()),
        reason: "test".to_owned(),
        dry_run: false,
        writer_stopped: false,
        intervention: None,
    };
    let mut failover = Failover::new("f", spec);
    failover.metadata.namespace = Some("default".to_owned());
    for _ in 0..2 {
        resources.create(NewObject::Failover(Box::new(failover.clone()))).await.unwrap();
    }
    fs::write(&file, region("a", "two")).unwrap();
    let _ = (resources.look().await, resources.look().await);
    assert_eq!(domains(&resources), ["a=two"]);
    assert_eq!(resources.statuses().regions["a"], status);
    assert!(resources.snapshot().unwrap().failovers.contains_key(&("default".to_owned(), "f".to_owned())));
    let missing = resources.write_status(StatusUpdate::Region("z".to_owned(), status)).await;
    assert_eq!(missing, Err(ResourcesError::NotFound { what: "Region z".to_owned() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_by_key_and_a_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: gpki}\ndata: {a: aGk=}\n";
    fs::write(dir.path().join("s.yaml"), text).unwrap();
    let resources = open(dir.path()).await;
    assert_eq!(resources.secret("gpki", "s", "a").await.unwrap(), b"hi");
    let missing = [resources.secret("gpki", "s", "b").await, resources.secret("default", "s", "a").await];
    let missing = missing.map(|result| result.unwrap_err().to_string());
    assert_eq!(missing, ["key b of Secret gpki/s does not exist", "Secret default/s does not exist"]);
}

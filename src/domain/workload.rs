//! A workload that writes for a service and runs only where the service is served, and what is known of it (ADR 15).

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Epoch, Identity, Record, RegionName, RunId};

/// The workload of a service, of one name in each region's cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Workload {
    /// What makes its pods.
    pub kind: WorkloadKind,
    /// Its name, in the namespace of the service.
    pub name: Arc<str>,
    /// Pods that it is started with.
    pub replicas: u32,
    /// Longest time until its last pod has ended.
    pub stop_within: Duration,
    /// Longest time until a pod is ready.
    pub start_within: Duration,
}

/// What makes the pods of a workload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkloadKind {
    /// Pods that are alike.
    Deployment,
    /// Pods with names and volumes of their own.
    StatefulSet,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            WorkloadKind::Deployment => "Deployment",
            WorkloadKind::StatefulSet => "StatefulSet",
        };
        write!(f, "{kind} {}", self.name)
    }
}

/// What is to become of the workload in a region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wish {
    /// It writes under this epoch.
    Run(Epoch),
    /// It does not. The run that waits for that, if one does.
    Stop(Epoch, Option<RunId>),
}

impl Wish {
    /// What the record of the service says of the workload in this region.
    #[must_use]
    pub fn of(record: &Record, region: &RegionName) -> Self {
        match record.serving.contains(region) {
            true if !record.fenced => Self::Run(record.epoch),
            true => Self::Stop(record.epoch, record.run.clone()),
            false => Self::Stop(record.epoch, None),
        }
    }

    /// What the workload is marked with: no two moves have the same mark.
    #[must_use]
    pub fn mark(&self) -> String {
        match self {
            Self::Run(epoch) => format!("epoch {epoch}: serves here"),
            Self::Stop(epoch, None) => format!("epoch {epoch}: serves elsewhere"),
            Self::Stop(epoch, Some(run)) => format!("epoch {epoch}: fenced by Failover {run}"),
        }
    }
}

/// What is known of the workload in one region. In the ledger, as `workload/NAMESPACE/NAME/REGION`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadWord {
    /// Which workload: the spec may name another one by now.
    pub workload: Arc<str>,
    /// The epoch of the service when it was said.
    pub epoch: Epoch,
    /// What was seen.
    pub seen: WorkloadSeen,
    /// The process that says so.
    pub by: Identity,
}

/// What was seen of a workload.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkloadSeen {
    /// A pod of it is ready.
    Running,
    /// No pod of it was left after this run had fenced the epoch.
    StoppedFor(RunId),
}

impl WorkloadWord {
    /// What was seen of a workload under an epoch.
    #[must_use]
    pub fn new(workload: &Workload, epoch: Epoch, seen: WorkloadSeen, by: Identity) -> Self {
        Self { workload: Arc::from(workload.to_string()), epoch, seen, by }
    }

    /// Whether a run that has fenced an epoch may take it that this workload does not write there under it.
    #[must_use]
    pub fn is_stopped(&self, workload: &Workload, epoch: Epoch, run: &RunId) -> bool {
        let for_it = matches!(&self.seen, WorkloadSeen::StoppedFor(other) if other == run);
        for_it && self.is_of(workload, epoch)
    }

    /// Whether this workload writes there under an epoch.
    #[must_use]
    pub fn writes(&self, workload: &Workload, epoch: Epoch) -> bool {
        self.seen == WorkloadSeen::Running && self.is_of(workload, epoch)
    }

    fn is_of(&self, workload: &Workload, epoch: Epoch) -> bool {
        *self.workload == *workload.to_string() && self.epoch == epoch
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::domain::Timestamp;

    fn record(epoch: u64, fenced: bool, run: Option<&str>) -> Record {
        Record {
            epoch: Epoch(epoch),
            serving: BTreeSet::from([RegionName::new("daejeon")]),
            away: BTreeMap::new(),
            changed_at: Timestamp(0),
            last_automatic: None,
            run: run.map(RunId::new),
            fenced,
        }
    }

    #[test]
    fn a_workload_runs_where_the_record_says_that_its_region_serves_and_nobody_has_fenced_it() {
        let in_region = |record: &Record, region| Wish::of(record, &RegionName::new(region));
        let free = record(7, false, Some("r"));
        assert_eq!(in_region(&free, "daejeon"), Wish::Run(Epoch(7)));
        assert_eq!(in_region(&free, "busan"), Wish::Stop(Epoch(7), None));
        let fenced = record(7, true, Some("r"));
        assert_eq!(in_region(&fenced, "daejeon"), Wish::Stop(Epoch(7), Some(RunId::new("r"))));
        assert_eq!(in_region(&fenced, "busan"), Wish::Stop(Epoch(7), None));
    }

    #[test]
    fn a_word_counts_for_the_run_and_the_epoch_that_it_was_said_for() {
        let named = |name: &str| Workload {
            kind: WorkloadKind::Deployment,
            name: Arc::from(name),
            replicas: 1,
            stop_within: Duration::ZERO,
            start_within: Duration::ZERO,
        };
        let (writer, other_writer) = (named("writer"), named("another"));
        let word = |epoch, seen| WorkloadWord::new(&writer, Epoch(epoch), seen, Identity::new("bongsu-1"));
        let run = RunId::new("r");
        let of_run = WorkloadSeen::StoppedFor(run.clone());
        assert!(word(7, of_run.clone()).is_stopped(&writer, Epoch(7), &run));
        assert!(!word(7, of_run.clone()).is_stopped(&other_writer, Epoch(7), &run), "another workload");
        assert!(!word(6, of_run).is_stopped(&writer, Epoch(7), &run), "an epoch before");
        let other = WorkloadSeen::StoppedFor(RunId::new("another"));
        assert!(!word(7, other).is_stopped(&writer, Epoch(7), &run), "a move that was given up before");
        assert!(!word(7, WorkloadSeen::Running).is_stopped(&writer, Epoch(7), &run));
        assert!(word(7, WorkloadSeen::Running).writes(&writer, Epoch(7)));
        assert!(!word(7, WorkloadSeen::Running).writes(&other_writer, Epoch(7)));
        assert!(!word(6, WorkloadSeen::Running).writes(&writer, Epoch(7)));
    }

    #[test]
    fn two_moves_never_mark_a_workload_alike() {
        let wishes = [
            Wish::Run(Epoch(7)),
            Wish::Stop(Epoch(7), None),
            Wish::Stop(Epoch(7), Some(RunId::new("r"))),
            Wish::Stop(Epoch(7), Some(RunId::new("s"))),
            Wish::Stop(Epoch(8), Some(RunId::new("r"))),
        ];
        let marks: BTreeSet<String> = wishes.iter().map(Wish::mark).collect();
        assert_eq!(marks.len(), wishes.len());
    }
}

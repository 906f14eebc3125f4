//! Waiting until the workload of the old writer has stopped, and until that of the new one runs (I1, ADR 15).

use std::time::Duration;

use crate::{
    domain::{Record, RegionName, Run, RunState, StepResult, Why, Workload},
    planted::planted,
    reconcile::{
        agent::Agent,
        book::{self, Entry},
        parse::Parsed,
    },
};

/// Time between two looks at what was said of a workload.
const LOOK: Duration = Duration::from_millis(200);

/// Time beyond what the spec allows after which a workload is taken not to stop or start: the Bongsu there looks each 200 ms,
/// and the rest is for a slow API server and a slow ledger.
const PATIENCE: Duration = Duration::from_secs(10);

impl Agent {
    /// Waits until every region that this run takes away has said that its workload has stopped.
    pub(super) async fn await_stopped(&self, run: &Run, workload: &Workload) -> StepResult {
        let entry = Entry::Record(run.service.clone());
        let record = match book::get::<Record>(self.ports.ledger.as_ref(), &entry).await {
            Err(error) => return StepResult::Failed(error.to_string()),
            Ok(None) => return StepResult::Failed("the ledger has no record of the service".to_owned()),
            Ok(Some((_, record))) => record,
        };
        if record.run.as_ref() != Some(&run.id) {
            return StepResult::Superseded("another run has the service".to_owned());
        }
        let request = self.mirror.request(&run.service.namespace, &run.id);
        // The word of a person is about the region that is left, and not about the one that the way back leaves.
        if run.state == RunState::Running && request.is_some_and(|(_, request)| request.writer_stopped) {
            return StepResult::Done(
                "a person says that nobody writes any more (spec.writerStopped)".to_owned(),
            );
        }
        let next = if run.state == RunState::Running { &run.plan.change.to } else { &run.plan.change.from };
        let leaving: Vec<&RegionName> = record.serving.difference(next).collect();
        if !leaving.is_empty() && !record.fenced {
            let why = "spec.fence was changed while this move was under way, so nobody was told to stop";
            return StepResult::Failed(why.to_owned());
        }
        if planted!(WorkloadNotAwaited) {
            return StepResult::Done(String::new());
        }
        for region in leaving {
            match self.workload_word(&run.service, region).await {
                Err(error) => return StepResult::Failed(error.to_string()),
                Ok(Some(word)) if word.is_stopped(workload, record.epoch, &run.id) => {}
                Ok(_) => return self.not_stopped(run, workload, region),
            }
        }
        StepResult::Done(format!("{workload} has stopped: no pod of it is left"))
    }

    /// Asked again at the raise: the spec may name a workload only since the move was planned. `None`: nobody writes.
    pub(super) async fn is_still_written(&self, run: &Run, parsed: &Parsed) -> Option<StepResult> {
        let workload = parsed.service.workload()?;
        run.plan.change.leaving().next()?;
        match self.await_stopped(run, workload).await {
            StepResult::Done(_) => None,
            other => Some(other),
        }
    }

    fn not_stopped(&self, run: &Run, workload: &Workload, region: &RegionName) -> StepResult {
        let waited = self.waited(run);
        let silent = !self.mirror.vantages().get(region).is_some_and(|alive| *alive);
        // One that is replaced speaks again within seconds.
        if silent && waited > PATIENCE && run.state == RunState::Running {
            return StepResult::Failed(Why::NobodyConfirms(region.clone()).to_string());
        }
        let remedy = match run.state {
            RunState::Running => "create a Failover with writerStopped: true",
            _ => "skip this step",
        };
        match waited > workload.stop_within + PATIENCE {
            true => StepResult::Failed(format!(
                "nobody has read back within {waited:?} that {workload} in {region} has stopped: look at its pods and at the \
                 Bongsu there; if you know that it has stopped, {remedy}"
            )),
            false => StepResult::NotYet(
                format!("waits until the last pod of {workload} in {region} has ended"),
                LOOK,
            ),
        }
    }

    fn waited(&self, run: &Run) -> Duration {
        let since = run.current().and_then(|record| record.started_at);
        since.map(|since| self.ports.clock.wall().since(since)).unwrap_or_default()
    }

    /// Whether no workload runs yet where one should; `None`: one does.
    pub(super) async fn nobody_runs(&self, run: &Run, workload: &Workload) -> Option<StepResult> {
        let to = &run.plan.change.to;
        for region in to {
            match self.workload_word(&run.service, region).await {
                Err(error) => return Some(StepResult::Failed(error.to_string())),
                Ok(Some(word)) if word.writes(workload, run.plan.epoch) => return None,
                Ok(_) => {}
            }
        }
        let shifted = run.times.shifted.unwrap_or_default();
        let waited = self.ports.clock.wall().since(shifted);
        let to = to.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        Some(match waited > workload.start_within + PATIENCE {
            true => StepResult::Failed(format!(
                "no pod of {workload} in {to} is ready after {waited:?}: look at its pods there"
            )),
            false => StepResult::NotYet(format!("waits until a pod of {workload} in {to} is ready"), LOOK),
        })
    }
}

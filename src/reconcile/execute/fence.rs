//! Stopping the old writer before another one may write (I1, ADR 12).

use std::time::Duration;

use tracing::warn;

use crate::{
    domain::{Record, Run, RunState, ServiceKey, StepResult, writer_lease},
    planted::planted,
    ports::{Expect, LeaseState, LedgerError},
    reconcile::{
        agent::Agent,
        book::{self, Entry},
        parse::Parsed,
    },
};

/// Time between two looks at a writer's lease. 200 ms: a hand-over takes some tens of milliseconds, and five reads a second of
/// one key, while a move waits, are little.
const LOOK: Duration = Duration::from_millis(200);

/// For how long a lease is held in the leader's name to end it. Longer than a call of the ledger, so that it can be given back.
const END: Duration = Duration::from_secs(4);

/// Time beyond the length of the lease after which a gate is taken not to do as it is told: two looks of a gate that has missed
/// the change of the record (a third of a lease each) are well within the lease, and the rest is for a slow ledger.
const PATIENCE: Duration = Duration::from_secs(10);

impl Agent {
    /// Says in the record that nobody may write. Read from the ledger and not from the mirror, as the raise is.
    pub(super) async fn fence(&self, run: &Run) -> StepResult {
        let entry = Entry::Record(run.service.clone());
        let (version, record) = match book::get::<Record>(self.ports.ledger.as_ref(), &entry).await {
            Err(error) => return StepResult::Failed(error.to_string()),
            Ok(None) => return StepResult::Failed("the ledger has no record of the service".to_owned()),
            Ok(Some(found)) => found,
        };
        if record.run.as_ref() != Some(&run.id) {
            return StepResult::Superseded("another run has the service".to_owned());
        }
        let said = format!("epoch {} is fenced: nobody may write under it", record.epoch);
        if record.fenced {
            return StepResult::Done(said);
        }
        let fenced = Record { fenced: true, ..record };
        match self.write_record(&run.service, &fenced, Expect::Version(version)).await {
            Ok(()) => StepResult::Done(said),
            Err(error) => StepResult::Failed(error.to_string()),
        }
    }

    /// Waits until nobody holds the writer's lease.
    pub(super) async fn await_fence(&self, run: &Run, parsed: &Parsed) -> StepResult {
        if planted!(FenceNotAwaited) {
            return StepResult::Done(String::new());
        }
        if let Some(workload) = parsed.service.workload() {
            return self.await_stopped(run, workload).await;
        }
        let lease = match self.ports.ledger.lease(&writer_lease(&run.service)).await {
            Err(error) => return StepResult::Failed(error.to_string()),
            Ok(None) => return self.no_gate_was_seen(run).await,
            Ok(Some(lease)) => lease,
        };
        let over = match lease {
            LeaseState { holder: None, .. } => "the writer's lease was given back".to_owned(),
            LeaseState { holder: Some(holder), alive: false, .. } => match self.end_lease(&run.service).await
            {
                Ok(true) => format!("the lease of gate {holder} ran out"),
                Ok(false) => {
                    return StepResult::NotYet(format!("gate {holder} has renewed its lease"), LOOK);
                }
                Err(error) => return StepResult::Failed(error.to_string()),
            },
            LeaseState { holder: Some(holder), alive: true, .. } => {
                return self.still_held(&holder.to_string(), run, parsed);
            }
        };
        self.promises_left(run, LOOK).await.unwrap_or(StepResult::Done(over))
    }

    /// Nobody stands before the writer; unless it was a workload when the move was planned.
    async fn no_gate_was_seen(&self, run: &Run) -> StepResult {
        // Under the epoch that is left: on the way back that is the one that was raised.
        let (regions, epoch): (Vec<_>, _) = match run.state {
            RunState::Running => (run.plan.change.leaving().collect(), run.plan.epoch),
            _ => (run.plan.change.joining().collect(), run.plan.epoch.next()),
        };
        for region in regions {
            match self.workload_word(&run.service, region).await {
                Err(error) => return StepResult::Failed(error.to_string()),
                Ok(Some(word)) if word.epoch.next() >= epoch => {
                    return StepResult::Failed(format!(
                        "{} in {region} wrote under this epoch, and spec.fence says nothing of it any more: put it back until the \
                         move is over",
                        word.workload
                    ));
                }
                Ok(_) => {}
            }
        }
        StepResult::Done("no gate has ever held the writer's lease".to_owned())
    }

    fn still_held(&self, holder: &str, run: &Run, parsed: &Parsed) -> StepResult {
        let ttl = parsed.service.gate().map(|gate| gate.lease_ttl).unwrap_or_default();
        let since = run.current().and_then(|record| record.started_at);
        let waited = since.map(|since| self.ports.clock.wall().since(since)).unwrap_or_default();
        match waited > ttl + PATIENCE {
            true => StepResult::Failed(format!(
                "gate {holder} still renews its lease after {waited:?}, though nobody may write: is it of an older version, or is \
                 its --lease-ttl longer than spec.fence.gate.leaseTtl?"
            )),
            false => StepResult::NotYet(
                format!(
                    "gate {holder} holds the writer's lease: waits until it is given back, or runs out within {ttl:?}"
                ),
                LOOK,
            ),
        }
    }

    /// Makes the end of a lease that has run out a fact in the ledger, so that the next gate need not count for itself. `false`:
    /// it was renewed in the meantime.
    async fn end_lease(&self, service: &ServiceKey) -> Result<bool, LedgerError> {
        let (ledger, name) = (self.ports.ledger.as_ref(), writer_lease(service));
        let me = &self.settings.identity;
        if ledger.acquire(&name, me, END).await?.is_none() {
            return Ok(false);
        }
        if let Err(error) = ledger.release(&name, me).await {
            warn!(%service, %error, "the writer's lease is not given back, it runs out by itself");
        }
        Ok(true)
    }

    /// Whether nobody writes yet where somebody should; `None`: somebody does, or there is no fence.
    pub(super) async fn nobody_writes(&self, run: &Run, parsed: &Parsed) -> Option<StepResult> {
        if let Some(workload) = parsed.service.workload() {
            return self.nobody_runs(run, workload).await;
        }
        let gate = parsed.service.gate()?;
        let name = writer_lease(&run.service);
        let holder = match self.ports.ledger.lease(&name).await {
            Err(error) => return Some(StepResult::Failed(error.to_string())),
            // Where no gate was ever seen a person has started the move, and knows.
            Ok(None) => return None,
            Ok(Some(lease)) => lease.holder.filter(|holder| lease.alive && *holder != self.settings.identity),
        };
        if holder.is_some() {
            return None;
        }
        let shifted = run.times.shifted.unwrap_or_default();
        let waited = self.ports.clock.wall().since(shifted);
        let to = run.plan.change.to.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        Some(match waited > parsed.service.ttl + gate.lease_ttl + PATIENCE {
            true => StepResult::Failed(format!(
                "no gate in {to} takes the writer's lease: start bongsu gate there"
            )),
            false => StepResult::NotYet(format!("waits until a gate in {to} takes the writer's lease"), LOOK),
        })
    }
}

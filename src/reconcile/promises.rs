//! Promises to gates that do not reach the ledger (I8, ADR 14): this process gives them, and keeps them when it ends a lease.

use std::{sync::Arc, time::Duration};

use tracing::{info, warn};

use super::agent::Agent;
use crate::{
    domain::{
        Identity, PROMISE_MAX, PromiseRequest, Promiser, Promisers, Refusal, Run, ServiceKey, StepResult,
        Term, WithholdRequest, WriterLease,
    },
    planted::planted,
    ports::{Expect, Key, LedgerError, Promising, promisers},
};

impl Agent {
    /// Says in the ledger where this process is asked for promises, once in each term in which it speaks for its region.
    pub(super) async fn say_where_asked(self: Arc<Self>) {
        let mut said = None;
        loop {
            let term = self.tenures.region_term();
            if term.is_some() && said != term {
                match self.say_place().await {
                    Ok(()) => said = term,
                    Err(error) => {
                        warn!(%error, "where this process is asked for promises is not in the ledger yet, trying again");
                    }
                }
            }
            self.ports.clock.sleep(self.tenures.renewal_interval()).await;
        }
    }

    async fn say_place(&self) -> Result<(), LedgerError> {
        let key = Key::new(Promiser::key(&self.settings.region));
        let ledger = self.ports.ledger.as_ref();
        let there = ledger.get(&key).await?;
        let Some(url) = &self.settings.agent_url else {
            // One of before, which nobody answers at any more.
            return match there {
                Some(found) => ledger.delete(&key, found.version).await,
                None => Ok(()),
            };
        };
        let place = Promiser { process: self.seat_name(), url: url.clone() };
        let expect = there.map_or(Expect::Absent, |found| Expect::Version(found.version));
        let text = serde_json::to_string(&place).map_err(|error| LedgerError::Unavailable {
            what: format!("write {key}"),
            cause: error.to_string(),
        })?;
        ledger.put(&key, &text, expect).await.map(drop)
    }

    /// Whether no gate of the service can write by promises; `Some`: why not yet. Asked when its lease is over: from then on its
    /// door stands open only by a promise, and does not open again while the epoch is fenced.
    pub(super) async fn promises_left(&self, run: &Run, look: Duration) -> Option<StepResult> {
        let ledger = self.ports.ledger.as_ref();
        let (version, left) = match promisers(ledger, &run.service).await {
            Err(error) => return Some(StepResult::Failed(error.to_string())),
            Ok(None) => return None,
            Ok(Some(found)) => found,
        };
        let over = match (&self.ports.agents, left.has(&self.seat_name())) {
            _ if left.agents.is_empty() => Ok(Duration::ZERO),
            (_, true) => Ok(self.withhold_own(&run.service, left.term)),
            (Some(agents), false) => agents.over(&left, &run.service).await,
            (None, false) => Err("this process cannot ask them (--agent-url)".to_owned()),
        };
        match over {
            Ok(wait) if wait.is_zero() || planted!(PromiseNotAwaited) => {
                match ledger.delete(&Key::new(Promisers::key(&run.service)), version).await {
                    Ok(()) => None,
                    Err(error) => Some(StepResult::Failed(error.to_string())),
                }
            }
            Ok(wait) => Some(StepResult::NotYet(
                format!(
                    "gate {} writes on by a promise, which is over in {wait:?}: waits for that",
                    left.gate
                ),
                wait.min(look),
            )),
            Err(why) => Some(StepResult::Failed(format!(
                "gate {} may still write by promises, and none of those who promise says that it has stopped: {why}; if the gate is \
                 stopped for good, say so with bongsu gate-stopped",
                left.gate
            ))),
        }
    }

    fn withhold_own(&self, service: &ServiceKey, term: Term) -> Duration {
        let now = self.ports.clock.tick();
        self.promises().withhold(service, term, now)
    }

    /// The lease of a service's writer, or what this process promised in its place.
    pub(super) fn writer_lease(&self, service: &ServiceKey) -> WriterLease {
        let now = self.ports.clock.tick();
        let promised = self.promises().standing(service, now).map(|(gate, _)| gate.clone());
        promised.map_or_else(|| self.mirror.writer_lease(service), WriterLease::Promised)
    }

    /// By which gates know this process.
    fn seat_name(&self) -> Identity {
        self.ports.seat.as_ref().map_or_else(|| self.settings.identity.clone(), |seat| seat.name())
    }

    fn check_meant(&self, process: &Identity) -> Result<(), Refusal> {
        let me = self.seat_name();
        if *process == me { Ok(()) } else { Err(Refusal::AnotherProcess(me)) }
    }
}

impl Promising for Agent {
    fn promise(&self, request: &PromiseRequest) -> Result<(), Refusal> {
        self.check_meant(&request.process)?;
        let record = self.mirror.record(&request.service).map(|(_, record)| record);
        let now = self.ports.clock.tick();
        if let Some(seat) = &self.ports.seat {
            seat.lengthen(Duration::from_millis(request.millis).min(PROMISE_MAX))
                .map_err(Refusal::NotNoted)?;
        }
        let mut promises = self.promises();
        let new = promises.standing(&request.service, now).is_none();
        let answer = promises.promise(request, record.as_deref(), now);
        drop(promises);
        self.ports.metrics.count_promise(answer.is_ok());
        let PromiseRequest { service, gate, epoch, .. } = request;
        match &answer {
            Ok(()) if new => {
                warn!(%service, %gate, %epoch, "a gate does not reach the ledger: promised not to end its lease");
                self.unshown.push(service.clone(), now);
            }
            Ok(()) => {}
            Err(why) => {
                info!(%service, %gate, %epoch, %why, "a gate that does not reach the ledger was promised nothing")
            }
        }
        answer
    }

    fn withhold(&self, request: &WithholdRequest) -> Result<Duration, Refusal> {
        self.check_meant(&request.process)?;
        Ok(self.withhold_own(&request.service, request.term))
    }
}

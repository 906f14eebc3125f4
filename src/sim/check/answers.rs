//! What name servers answer.

use std::{collections::BTreeSet, net::IpAddr};

use serde::Deserialize;

use super::Invariant;
use crate::{
    domain::{Epoch, ServiceKey, StepKind, StepState},
    ports::Key,
    sim::{moment::Moment, names::Held, world::State},
};

/// The part of a served answer that is looked at.
#[derive(Deserialize)]
struct Served {
    service: ServiceKey,
    epoch: Epoch,
    addresses: BTreeSet<IpAddr>,
}

impl State {
    pub(super) fn answer_changed(&mut self, now: Moment, server: usize, held: &Held) {
        let name = self.names.list.get(server).map_or_else(String::new, |server| server.address.to_string());
        let before = self.checker.named.insert((server, held.owner.clone()), held.epoch);
        if let Some(before) = before.filter(|before| *before > held.epoch) {
            let what = format!("{name} goes from epoch {before} of {} back to {}", held.owner, held.epoch);
            self.checker.breaks(Invariant::JournalFirst, now, what);
        }
        self.published(now, &name, &held.owner, held.epoch, &held.addresses);
    }

    pub(super) fn served_changed(&mut self, now: Moment, key: &Key, text: &str) {
        let Ok(Served { service, epoch, addresses }) = serde_json::from_str(text) else { return };
        let told = self.checker.served.get(key);
        if told.is_some_and(|(before, same)| *before == epoch && *same == addresses) {
            // Written as it was, to see whether it can be: nothing is answered that was not answered before.
            return;
        }
        if let Some((before, _)) = self.checker.served.get(key)
            && *before > epoch
        {
            let what = format!("the served answer of {service} goes from epoch {before} back to {epoch}");
            self.checker.breaks(Invariant::JournalFirst, now, what);
        }
        self.published(now, "bongsu", &service, epoch, &addresses);
        self.checker.served.insert(key.clone(), (epoch, addresses));
    }

    /// What Bongsu answers itself for a service.
    pub(in crate::sim) fn served_answer(&self, service: &ServiceKey) -> Option<&(Epoch, BTreeSet<IpAddr>)> {
        let prefix = format!("answer/{service}/");
        self.checker
            .served
            .iter()
            .find(|(key, _)| key.as_str().starts_with(&prefix))
            .map(|(_, answer)| answer)
    }

    fn published(
        &mut self,
        now: Moment,
        at: &str,
        service: &ServiceKey,
        epoch: Epoch,
        addresses: &BTreeSet<IpAddr>,
    ) {
        self.story.tell(now, || {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("{at} answers for {service}: {} under epoch {epoch}", list.join(", "))
        });
        let led = self.checker.led.entry(service.clone()).or_default();
        *led = epoch.max(*led);
        if addresses.is_empty() {
            let what = format!("{at} answers nothing for {service}");
            self.checker.breaks(Invariant::NeverEmpty, now, what);
        }
        let Some(record) = self.checker.records.get(service) else {
            let what = format!("{at} answers for {service}, of which the ledger knows nothing");
            return self.checker.breaks(Invariant::FailStatic, now, what);
        };
        if epoch > record.epoch {
            let what =
                format!("{at} answers for {service} under epoch {epoch}; the ledger is at {}", record.epoch);
            self.checker.breaks(Invariant::FailStatic, now, what);
        } else if epoch == record.epoch {
            let parsed = self.checker.setup.services.get(service);
            let serving = record.serving.iter().filter_map(|region| parsed?.addresses.get(region));
            let wanted: BTreeSet<IpAddr> = serving.flatten().copied().collect();
            let given = &self.checker.specs.given;
            let stands_for =
                |address: &IpAddr| given.get(address).cloned().unwrap_or_else(|| BTreeSet::from([*address]));
            if wanted != addresses.iter().flat_map(stands_for).collect() {
                let what =
                    format!("{at} answers {addresses:?} for {service}, where the ledger says {wanted:?}");
                self.checker.breaks(Invariant::FailStatic, now, what);
            }
            self.answered_in_sync(now, at, service, addresses);
            self.shift_intended(now, at, service, epoch);
        }
    }

    /// A run that raised this epoch said that it would shift traffic.
    fn shift_intended(&mut self, now: Moment, at: &str, service: &ServiceKey, epoch: Epoch) {
        let intended = self.checker.runs.values().map(|noted| &noted.run).any(|run| {
            let shifts = |record: &crate::domain::StepRecord| {
                record.step.kind() == StepKind::ShiftTraffic && record.state != StepState::Pending
            };
            let raised = run.plan.epoch == epoch || run.plan.epoch.next() == epoch;
            // A run that ended before its shift leaves a record that the traffic is brought up to.
            run.service == *service && raised && (run.state.is_over() || run.journal.iter().any(shifts))
        });
        if !intended {
            let what = format!("{at} was led to epoch {epoch} of {service} before a run said so");
            self.checker.breaks(Invariant::JournalFirst, now, what);
        }
    }
}

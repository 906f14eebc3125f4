//! Keeps workloads that write at zero where their service is not served, and says in the ledger what was read back (ADR 15).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    agent::Agent,
    book::{self, Entry},
    catalog::Catalog,
    parse::Parsed,
};
use crate::{
    domain::{Record, RegionName, ServiceKey, Tick, Wish, Workload, WorkloadSeen, WorkloadWord},
    planted::planted,
    ports::{Event, EventKind, Expect, LedgerError, ObjectRef, WorkloadState, Workloads},
};
use futures::{StreamExt, stream};

/// Time between two looks at what the ledger wants, and at a workload that is not yet as it should be. 200 ms: a move waits for
/// it, and a pod takes seconds to end.
const LOOK: Duration = Duration::from_millis(200);

/// Time after which a workload that was as it should be is looked at again: somebody may have started it by hand.
const AGAIN: Duration = Duration::from_secs(10);

/// Time after which a workload that does not come to be as it should is looked at less often, and how often then: what a pod
/// needs is longer, and a hundred that never end would be asked for five times a second each.
const SLOW: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(2));

/// Time after a look that failed: the API server may be away.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Workloads that are looked at at the same time. 16: at 10 ms for a call a thousand are looked at in two seconds.
const AT_ONCE: usize = 16;

/// What a workload was last found to be.
struct Kept {
    wish: Wish,
    /// Since when this is wished for.
    since: Tick,
    next: Tick,
    /// Why not as it should be; told once.
    trouble: Option<String>,
}

/// What one look has shown.
enum Look {
    /// It is as it should be.
    Settled,
    /// Something was done, or is waited for.
    Under,
}

type Known = BTreeMap<ServiceKey, Kept>;

impl Agent {
    /// Starts and stops the workloads of this region until the process ends.
    pub(super) async fn keep_workloads(self: Arc<Self>, workloads: Arc<dyn Workloads>) {
        let mut known = Known::new();
        loop {
            self.ports.clock.sleep(LOOK).await;
            if !self.mirror.is_ready() || !self.speaks() {
                known.clear();
                continue;
            }
            self.look_at_workloads(workloads.as_ref(), &self.catalog(), &mut known).await;
        }
    }

    async fn look_at_workloads(&self, workloads: &dyn Workloads, catalog: &Catalog, known: &mut Known) {
        let now = self.ports.clock.tick();
        let wanted = self.wanted(catalog);
        known.retain(|service, _| wanted.contains_key(service));
        let due = wanted.into_iter().filter(|(service, (_, wish))| {
            known.get(service).is_none_or(|kept| kept.wish != *wish || kept.next <= now)
        });
        let looks = due.map(|(service, (parsed, wish))| async move {
            let found = self.keep_workload(workloads, &parsed).await;
            (service, wish, found)
        });
        let found: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        for (service, wish, found) in found {
            let now = self.ports.clock.tick();
            let before = known.remove(&service);
            let since = before.as_ref().filter(|kept| kept.wish == wish).map_or(now, |kept| kept.since);
            let (wait, trouble) = match found {
                Ok(Look::Settled) => (AGAIN, None),
                Ok(Look::Under) => (if now.since(since) > SLOW.0 { SLOW.1 } else { LOOK }, None),
                Err(trouble) => (AFTER_ERROR, Some(trouble)),
            };
            let told = before.and_then(|kept| kept.trouble);
            if let Some(trouble) = trouble.clone().filter(|trouble| told.as_ref() != Some(trouble)) {
                let note = format!("the workload is not kept as the ledger says, trying again: {trouble}");
                self.tell_of_workload(&service, EventKind::Warning, "WorkloadNotKept", note).await;
            }
            known.insert(service, Kept { wish, since, next: now.plus(wait), trouble });
        }
    }

    /// The services with a workload here, and what the ledger said of each last. A region that serves is asked for it also when
    /// it is no member any more: that is why it is left. Of two services that name one workload the first has it, and no move of
    /// the other one finds a word.
    fn wanted(&self, catalog: &Catalog) -> BTreeMap<ServiceKey, (Arc<Parsed>, Wish)> {
        let own = &self.settings.region;
        let mut named = BTreeSet::new();
        let mut wanted = BTreeMap::new();
        for parsed in catalog.services.values().filter_map(|entry| entry.parsed.as_ref().ok()) {
            let service = &parsed.service;
            let Some(workload) = service.workload() else { continue };
            let Some((_, record)) = self.mirror.record(&service.key) else { continue };
            let is_here = service.members.contains_key(own) || record.serving.contains(own);
            if is_here && named.insert((service.key.namespace.clone(), workload.to_string())) {
                wanted.insert(service.key.clone(), (parsed.clone(), Wish::of(&record, own)));
            }
        }
        wanted
    }

    /// One look. The workload is read before the record, and written only as it was read: whoever fences in between writes its
    /// mark, and what was meant before that is refused.
    async fn keep_workload(&self, workloads: &dyn Workloads, parsed: &Parsed) -> Result<Look, String> {
        let service = &parsed.service;
        let Some(workload) = service.workload() else { return Ok(Look::Settled) };
        let namespace = &service.key.namespace;
        let state = workloads.look(namespace, workload).await.map_err(|error| error.to_string())?;
        let entry = Entry::Record(service.key.clone());
        let record = book::get::<Record>(self.ports.ledger.as_ref(), &entry).await;
        let Some((_, record)) = record.map_err(|error| error.to_string())? else { return Ok(Look::Settled) };
        let wish = Wish::of(&record, &self.settings.region);
        match wrong(&state, &wish, workload) {
            Some(replicas) if self.speaks() => {
                let set = workloads.set(namespace, workload, &state.version, replicas, &wish.mark()).await;
                set.map_err(|error| error.to_string())?;
                if state.wanted != replicas {
                    self.tell_workload(&service.key, workload, replicas, &wish).await;
                }
                Ok(Look::Under)
            }
            Some(_) => Err("this process no longer speaks for its region".to_owned()),
            None => self.say_workload(&service.key, workload, &state, wish).await,
        }
    }

    /// Says what was read back, if a move may wait for it.
    async fn say_workload(
        &self,
        service: &ServiceKey,
        workload: &Workload,
        state: &WorkloadState,
        wish: Wish,
    ) -> Result<Look, String> {
        let left = state.left.as_ref().filter(|_| !planted!(PodsNotReadBack));
        let (epoch, seen) = match (wish, left) {
            (Wish::Run(_), _) if state.ready == 0 => return Ok(Look::Under),
            (Wish::Run(epoch), _) => (epoch, WorkloadSeen::Running),
            // Nobody waits for it.
            (Wish::Stop(_, None), _) => return Ok(Look::Settled),
            (Wish::Stop(_, Some(_)), Some(_)) => return Ok(Look::Under),
            (Wish::Stop(epoch, Some(run)), None) => (epoch, WorkloadSeen::StoppedFor(run)),
        };
        let ledger = self.ports.ledger.as_ref();
        let entry = Entry::Workload(self.settings.region.clone(), service.clone());
        let known = book::get::<WorkloadWord>(ledger, &entry).await.map_err(|error| error.to_string())?;
        let word = WorkloadWord::new(workload, epoch, seen, self.settings.identity.clone());
        let is_same = |known: &WorkloadWord| WorkloadWord { by: word.by.clone(), ..known.clone() } == word;
        let expect = match &known {
            Some((_, known)) if is_same(known) => return Ok(Look::Settled),
            Some((version, _)) => Expect::Version(*version),
            None => Expect::Absent,
        };
        let put = book::put(ledger, &entry, &word, expect, None).await;
        put.map(|_| Look::Settled).map_err(|error| error.to_string())
    }

    async fn tell_workload(&self, service: &ServiceKey, workload: &Workload, replicas: u32, wish: &Wish) {
        let (reason, what) = match replicas {
            0 => ("WorkloadStopped", format!("{workload} was set to 0")),
            _ => ("WorkloadStarted", format!("{workload} was set to {replicas}")),
        };
        let note = format!("{what} in {}: {}", self.settings.region, wish.mark());
        self.tell_of_workload(service, EventKind::Normal, reason, note).await;
    }

    async fn tell_of_workload(&self, service: &ServiceKey, kind: EventKind, reason: &str, note: String) {
        let object = ObjectRef {
            kind: "SharedService",
            namespace: service.namespace.to_string(),
            name: service.name.to_string(),
        };
        self.tell(Event { object, kind, reason: reason.to_owned(), action: "Fence".to_owned(), note }).await;
    }

    /// What is known of the workload of a service in a region, from the ledger.
    pub(super) async fn workload_word(
        &self,
        service: &ServiceKey,
        region: &RegionName,
    ) -> Result<Option<WorkloadWord>, LedgerError> {
        let entry = Entry::Workload(region.clone(), service.clone());
        Ok(book::get(self.ports.ledger.as_ref(), &entry).await?.map(|(_, word)| word))
    }
}

/// The number of pods that is to be written; `None`: nothing is. A workload that runs where it may is left as it is. One that a
/// move waits for is marked also if it is at zero already.
fn wrong(state: &WorkloadState, wish: &Wish, workload: &Workload) -> Option<u32> {
    let marked = || state.mark.as_deref() == Some(&*wish.mark());
    match wish {
        Wish::Run(_) => (state.wanted == 0).then_some(workload.replicas),
        Wish::Stop(_, None) => (state.wanted > 0).then_some(0),
        Wish::Stop(_, Some(_)) => (state.wanted > 0 || !marked()).then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, RunId, WorkloadKind};

    #[test]
    fn a_workload_is_written_only_where_it_is_wrong_and_marked_for_each_move_that_waits_for_it() {
        let workload = Workload {
            kind: WorkloadKind::Deployment,
            name: Arc::from("writer"),
            replicas: 2,
            stop_within: Duration::from_secs(60),
            start_within: Duration::from_secs(60),
        };
        let state = |wanted, mark: Option<&Wish>| WorkloadState {
            version: "1".to_owned(),
            wanted,
            ready: 0,
            mark: mark.map(Wish::mark),
            left: None,
        };
        let (run, rest) = (Wish::Run(Epoch(3)), Wish::Stop(Epoch(3), None));
        let fenced = Wish::Stop(Epoch(3), Some(RunId::new("move")));
        let other = Wish::Stop(Epoch(3), Some(RunId::new("another")));
        let cases = [
            (state(0, None), &run, Some(2)),
            (state(1, None), &run, None),
            (state(5, Some(&rest)), &run, None),
            (state(1, Some(&run)), &rest, Some(0)),
            (state(0, Some(&run)), &rest, None),
            (state(1, Some(&fenced)), &fenced, Some(0)),
            (state(0, None), &fenced, Some(0)),
            (state(0, Some(&rest)), &fenced, Some(0)),
            (state(0, Some(&other)), &fenced, Some(0)),
            (state(0, Some(&fenced)), &fenced, None),
        ];
        for (state, wish, expected) in cases {
            assert_eq!(wrong(&state, wish, &workload), expected, "{state:?} {wish:?}");
        }
    }
}

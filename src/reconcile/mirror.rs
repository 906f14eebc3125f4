//! What this process has seen of the ledger. It may be behind; every write names the version that it was decided on.

mod held;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

pub use held::Held;

use super::{
    book::{DrawEntry, Entry, LeaderEntry, RequestEntry, SpecMark, StandingEntry, TrialEntry, VerdictEntry},
    identity::IdentityEntry,
    moves::Moves,
};
use crate::{
    domain::{
        DrillRun, Identity, LastPassed, Record, RegionName, Run, RunId, RunState, ServiceKey, Term,
        VantageView, WriterLease, writer_lease,
    },
    planted::planted,
    ports::{Change, Key, LeaseState, Version, Versioned},
};

/// A value and the version under which it was read.
pub type Seen<T> = (Version, Arc<T>);

/// The mirror. Written by one task from the ledger's watch, and by whoever wrote to the ledger itself.
#[derive(Default)]
pub struct Mirror {
    state: Mutex<State>,
    said: Notify,
}

#[derive(Default)]
struct State {
    ready: bool,
    /// What else is said than at the last survey.
    news: Touched,
    records: BTreeMap<ServiceKey, Seen<Record>>,
    runs: BTreeMap<ServiceKey, BTreeMap<RunId, Seen<Run>>>,
    moves: Moves,
    requests: BTreeMap<(Arc<str>, RunId), Seen<RequestEntry>>,
    drills: BTreeMap<(Arc<str>, RunId), Seen<DrillRun>>,
    passed: LastPassed,
    /// Versions only: a report may be a megabyte, and is read once.
    reports: BTreeMap<(Arc<str>, RunId), Version>,
    draws: BTreeMap<(Arc<str>, Arc<str>), Seen<DrawEntry>>,
    verdicts: BTreeMap<ServiceKey, BTreeMap<RegionName, Seen<VerdictEntry>>>,
    specs: BTreeMap<ServiceKey, BTreeMap<RegionName, Seen<SpecMark>>>,
    trials: BTreeMap<ServiceKey, Seen<TrialEntry>>,
    standings: BTreeMap<RegionName, Seen<StandingEntry>>,
    identities: BTreeMap<RegionName, Seen<IdentityEntry>>,
    lead: Option<Seen<LeaderEntry>>,
    leases: Vec<LeaseState>,
    unreadable: BTreeMap<Key, String>,
}

/// What a change of the ledger touches.
#[derive(Debug, Default, PartialEq)]
pub struct Touched {
    /// Services that should be looked at again.
    pub services: BTreeSet<ServiceKey>,
    /// Everything should.
    pub all: bool,
}

impl Touched {
    fn is_empty(&self) -> bool {
        !self.all && self.services.is_empty()
    }

    fn add(&mut self, other: &Self) {
        self.all |= other.all;
        self.services.extend(other.services.iter().cloned());
    }
}

/// How much is new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum News {
    /// Nothing.
    None,
    /// Some words.
    Some,
    /// Who may speak at all, or everything that is said.
    Everything,
}

/// What the vantages say, as far as the process that said it still holds its region's lease.
pub struct Verdicts<'a> {
    leases: &'a [LeaseState],
    said: &'a BTreeMap<ServiceKey, BTreeMap<RegionName, Seen<VerdictEntry>>>,
    holders: BTreeMap<&'a str, (&'a Identity, Term)>,
}

impl Verdicts<'_> {
    /// Every vantage that ever held its region's lease, and whether it does now.
    pub fn vantages(&self) -> BTreeMap<RegionName, bool> {
        let regions = self.leases.iter().filter_map(|lease| {
            let region = lease.name.strip_prefix(REGION_LEASE)?;
            Some((RegionName::new(region), lease.alive))
        });
        regions.collect()
    }

    /// What the vantages say of a service, in their order.
    pub fn of(&self, service: &ServiceKey, vantages: &[VantageView]) -> Vec<Option<&VerdictEntry>> {
        let said = self.said.get(service);
        let holds = |vantage: &RegionName, entry: &VerdictEntry| {
            let held = self.holders.get(vantage.as_str());
            // Of a term that is newer than the lease as it was last read: it was taken since.
            let counts =
                held.is_some_and(|(holder, term)| **holder == entry.incarnation && *term <= entry.term);
            counts || planted!(DeadVantageVotes)
        };
        let of = |vantage: &VantageView| {
            let (_, entry) = said?.get(&vantage.region)?;
            holds(&vantage.region, entry).then_some(&**entry)
        };
        vantages.iter().map(of).collect()
    }
}

impl Mirror {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every method leaves the state whole, so it is good even if a holder of the lock panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a change in. Of whom a vantage says something else is not in what comes back: the next survey brings it.
    pub fn apply(&self, change: Change) -> Touched {
        let mut state = self.state();
        let is_saying = changes_sayings(&change);
        let touched = match change {
            Change::Reset(all) => {
                let leases = std::mem::take(&mut state.leases);
                *state = State { ready: true, leases, ..State::default() };
                for (key, value) in all {
                    state.put(&key, &value);
                }
                Touched { services: BTreeSet::new(), all: true }
            }
            Change::Put(key, value) => Touched { services: state.put(&key, &value), all: is_of_all(&key) },
            Change::Deleted(key) => Touched { services: state.remove(&key), all: is_of_all(&key) },
        };
        if !is_saying || touched.is_empty() {
            return touched;
        }
        state.news.add(&touched);
        self.said.notify_one();
        Touched { services: BTreeSet::new(), ..touched }
    }

    /// Takes in what this process wrote itself, without waiting for the watch to bring it back.
    pub fn wrote<T: serde::Serialize>(&self, entry: &Entry, version: Version, value: &T) {
        // What was written was serialised a moment ago, so it can be again.
        if let Ok(text) = serde_json::to_string(value) {
            self.apply(Change::Put(entry.key(), Versioned { version, value: Arc::from(text) }));
        }
    }

    /// Takes in what this process removed itself.
    pub fn deleted(&self, entry: &Entry) {
        self.apply(Change::Deleted(entry.key()));
    }

    /// Takes the leases in. If one of them changed hands, died or came back, that is news of all services.
    pub fn set_leases(&self, leases: Vec<LeaseState>) {
        let mut state = self.state();
        if state.leases != leases {
            state.news.all = true;
            self.said.notify_one();
            state.leases = leases;
        }
    }

    /// Whether the ledger was read as a whole once.
    pub fn is_ready(&self) -> bool {
        self.state().ready
    }

    /// Whether something else is said than at the last call of [`Mirror::with_news`].
    pub fn news(&self) -> News {
        match &self.state().news {
            news if news.all => News::Everything,
            news if news.is_empty() => News::None,
            _ => News::Some,
        }
    }

    /// Looks at what the vantages say, and at whom something else is said of than at the last call. For one caller. Under
    /// one lock: what comes afterwards is news for the next call.
    pub fn with_news<T>(&self, look: impl FnOnce(Touched, &Verdicts<'_>) -> T) -> T {
        let mut state = self.state();
        let news = std::mem::take(&mut state.news);
        look(news, &state.verdicts())
    }

    /// Waits until a verdict or a lease has changed since the last call. For one caller.
    pub async fn said(&self) {
        self.said.notified().await;
    }

    /// The record of a service.
    pub fn record(&self, service: &ServiceKey) -> Option<Seen<Record>> {
        self.state().records.get(service).cloned()
    }

    /// All runs of a service.
    pub fn runs(&self, service: &ServiceKey) -> Vec<Seen<Run>> {
        self.state().runs.get(service).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// One run.
    pub fn run(&self, service: &ServiceKey, id: &RunId) -> Option<Seen<Run>> {
        self.state().runs.get(service).and_then(|runs| runs.get(id)).cloned()
    }

    /// The run of a service that is going on: the one that its record names, else any that is not over.
    pub fn active_run(&self, service: &ServiceKey) -> Option<Seen<Run>> {
        let state = self.state();
        let runs = state.runs.get(service)?;
        let named = state.records.get(service).and_then(|(_, record)| runs.get(record.run.as_ref()?));
        named.or_else(|| runs.values().find(|(_, run)| !run.state.is_over())).cloned()
    }

    /// Looks at the unplanned moves of all services, for the budgets.
    pub fn with_moves<T>(&self, look: impl FnOnce(&Moves) -> T) -> T {
        look(&self.state().moves)
    }

    /// How long the last succeeded moves took from the verdict to the plan and from the plan to shifted traffic, by
    /// service; at most the last ten.
    pub fn succeeded_runs(&self, service: &ServiceKey) -> Vec<Arc<Run>> {
        let mut runs: Vec<Arc<Run>> = self.runs(service).into_iter().map(|(_, run)| run).collect();
        runs.retain(|run| run.state == RunState::Succeeded && run.plan.change.trigger.is_unplanned());
        runs.sort_by_key(|run| std::cmp::Reverse(run.times.settled));
        runs.truncate(10);
        runs
    }

    /// The move of a service that was over last; what was refused or only planned is none.
    pub fn last_move(&self, service: &ServiceKey) -> Option<Arc<Run>> {
        let over = |run: &Arc<Run>| {
            matches!(run.state, RunState::Succeeded | RunState::Compensated | RunState::Failed)
        };
        let runs = self.runs(service).into_iter().map(|(_, run)| run);
        runs.filter(over).max_by_key(|run| run.times.settled)
    }

    /// The oldest request for a service that no run has answered.
    pub fn open_request(&self, service: &ServiceKey) -> Option<(RunId, Arc<RequestEntry>)> {
        let state = self.state();
        let answered = |id: &RunId| state.runs.get(service).is_some_and(|runs| runs.contains_key(id));
        let requests =
            state.requests.iter().filter(|((_, id), (_, r))| r.service == *service && !answered(id));
        let oldest = requests.min_by_key(|((_, id), (_, request))| (request.created_at, id.clone()));
        oldest.map(|((_, id), (_, request))| (id.clone(), request.clone()))
    }

    /// The runs of a service that are over, without the newest `kept`.
    pub fn runs_beyond(&self, service: &ServiceKey, kept: usize) -> Vec<Seen<Run>> {
        let mut over: Vec<Seen<Run>> =
            self.runs(service).into_iter().filter(|(_, run)| run.state.is_over()).collect();
        over.sort_by_key(|(_, run)| std::cmp::Reverse(run.times.settled));
        over.split_off(kept.min(over.len()))
    }

    /// One request.
    pub fn request(&self, namespace: &str, id: &RunId) -> Option<Seen<RequestEntry>> {
        self.state().requests.get(&(Arc::from(namespace), id.clone())).cloned()
    }

    /// All runs of drills.
    pub fn drills(&self) -> Vec<Seen<DrillRun>> {
        self.state().drills.values().cloned().collect()
    }

    /// The runs of one drill.
    pub fn drills_of(&self, namespace: &str, drill: &str) -> Vec<Seen<DrillRun>> {
        let state = self.state();
        let own = |run: &DrillRun| *run.namespace == *namespace && *run.drill == *drill;
        state.drills.values().filter(|(_, run)| own(run)).cloned().collect()
    }

    /// One run of a drill.
    pub fn drill(&self, namespace: &str, id: &RunId) -> Option<Seen<DrillRun>> {
        self.state().drills.get(&(Arc::from(namespace), id.clone())).cloned()
    }

    /// Looks at the last drills that passed.
    pub fn with_passed<T>(&self, look: impl FnOnce(&LastPassed) -> T) -> T {
        look(&self.state().passed)
    }

    /// The version of the report of a run of a drill, if there is one.
    pub fn report(&self, namespace: &str, id: &RunId) -> Option<Version> {
        self.state().reports.get(&(Arc::from(namespace), id.clone())).copied()
    }

    /// Takes in that this process wrote or removed a report.
    pub fn reported(&self, namespace: &str, id: &RunId, version: Option<Version>) {
        let key = (Arc::from(namespace), id.clone());
        let mut state = self.state();
        match version {
            Some(version) => {
                let kept = state.reports.entry(key).or_insert(version);
                *kept = version.max(*kept);
            }
            None => {
                state.reports.remove(&key);
            }
        }
    }

    /// When the next run of a drill starts, if that was drawn.
    pub fn draw(&self, namespace: &str, drill: &str) -> Option<Seen<DrawEntry>> {
        self.state().draws.get(&(Arc::from(namespace), Arc::from(drill))).cloned()
    }

    /// What came of the last trial of a service's name servers.
    pub fn trial(&self, service: &ServiceKey) -> Option<Seen<TrialEntry>> {
        self.state().trials.get(service).cloned()
    }

    /// Services whose name servers were tried.
    pub fn trials(&self) -> Vec<(ServiceKey, Version)> {
        self.state().trials.iter().map(|(key, (version, _))| (key.clone(), *version)).collect()
    }

    /// Whether a drill has a service in hand and will bring it back.
    pub fn is_in_drill(&self, service: &ServiceKey) -> bool {
        let has =
            |run: &DrillRun| run.services.iter().any(|s| s.service == *service && !s.state.is_settled());
        self.state().drills.values().any(|(_, run)| run.phase.is_going_on() && has(run))
    }

    /// Looks at what the vantages say.
    pub fn with_verdicts<T>(&self, look: impl FnOnce(&Verdicts<'_>) -> T) -> T {
        look(&self.state().verdicts())
    }

    /// What this vantage wrote last of a service, whoever wrote it.
    pub fn verdict_entry(&self, vantage: &RegionName, service: &ServiceKey) -> Option<Seen<VerdictEntry>> {
        self.state().verdicts.get(service).and_then(|said| said.get(vantage)).cloned()
    }

    /// Every vantage that ever held its region's lease, and whether it does now.
    pub fn vantages(&self) -> BTreeMap<RegionName, bool> {
        self.with_verdicts(|said| said.vantages())
    }

    /// Who holds a lease that has not run out.
    pub fn holder_of(&self, lease: &str) -> Option<Identity> {
        let state = self.state();
        let lease = state.leases.iter().find(|known| known.name == lease && known.alive)?;
        lease.holder.clone()
    }

    /// Who holds the leader's lease.
    pub fn leader(&self) -> Option<Identity> {
        self.holder_of(LEADER_LEASE)
    }

    /// Whether the watch has brought back that this process took the lead in this term, and so all that others wrote before.
    pub fn has_caught_up(&self, incarnation: &Identity, term: Term) -> bool {
        let state = self.state();
        state.lead.as_ref().is_some_and(|(_, lead)| lead.incarnation == *incarnation && lead.term == term)
    }

    /// The lease under which a service's writer writes.
    pub fn writer_lease(&self, service: &ServiceKey) -> WriterLease {
        let (name, state) = (writer_lease(service), self.state());
        match state.leases.iter().find(|lease| lease.name == name) {
            None => WriterLease::NeverSeen,
            Some(LeaseState { alive: true, holder: Some(holder), .. }) => WriterLease::Held(holder.clone()),
            Some(_) => WriterLease::Free,
        }
    }

    /// Who speaks for a region.
    pub fn speaker(&self, region: &RegionName) -> Option<Identity> {
        self.with_verdicts(|said| said.holders.get(region.as_str()).map(|(holder, _)| (*holder).clone()))
    }

    /// Services that the ledger knows.
    pub fn services(&self) -> Vec<ServiceKey> {
        self.state().records.keys().cloned().collect()
    }

    /// Why the record of a service cannot be read by this version; it must not look like one that is not there.
    pub fn unreadable_record(&self, service: &ServiceKey) -> Option<String> {
        self.state().unreadable.get(&Entry::Record(service.clone()).key()).cloned()
    }

    /// Records that this version cannot read, and why.
    pub fn unreadable(&self) -> BTreeMap<Key, String> {
        self.state().unreadable.clone()
    }
}

/// Name of the lease of the one process that decides.
pub const LEADER_LEASE: &str = "leader";

/// Start of the name of the lease of the one process that watches and reports for a region.
pub const REGION_LEASE: &str = "region-";

/// What a region holds besides services is part of what it says of each.
fn is_of_all(key: &Key) -> bool {
    matches!(Entry::of(key), Some(Entry::Standing(_)))
}

fn changes_sayings(change: &Change) -> bool {
    match change {
        Change::Reset(_) => true,
        Change::Put(key, _) | Change::Deleted(key) => matches!(Entry::of(key), Some(Entry::Verdict(..))),
    }
}

/// Keeps a version that is newer than the one known; `true` if it was. A watch brings back what this process wrote
/// itself, and may bring an older version after it.
fn keep_newer<K: Ord, T>(map: &mut BTreeMap<K, Seen<T>>, key: K, new: Seen<T>) -> bool {
    let newer = map.get(&key).is_none_or(|(version, _)| *version < new.0);
    if newer {
        map.insert(key, new);
    }
    newer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(term: u64, alive: bool) -> LeaseState {
        LeaseState {
            name: "region-daegu".to_owned(),
            holder: Some("daegu-1".into()),
            term: Term(term),
            alive,
        }
    }

    #[test]
    fn what_a_vantage_said_counts_in_its_term_and_not_in_a_later_one() {
        let service = ServiceKey::new("gpki", "gpki-verify");
        let said = VerdictEntry { incarnation: "daegu-1".into(), term: Term(2), members: BTreeMap::new() };
        let value = Versioned { version: Version(1), value: serde_json::to_string(&said).unwrap().into() };
        let mirror = Mirror::default();
        mirror.apply(Change::Put(Entry::Verdict("daegu".into(), service.clone()).key(), value));
        let vantage = VantageView { region: "daegu".into(), alive: true, suspect: false };
        let counts = |leases| {
            mirror.set_leases(leases);
            mirror.with_verdicts(|said| said.of(&service, std::slice::from_ref(&vantage))[0].is_some())
        };
        assert!(counts(vec![lease(2, true)]));
        assert!(!counts(vec![lease(2, false)]), "the lease ran out");
        assert!(!counts(vec![lease(3, true)]), "taken anew: what was said before the silence is old");
        assert!(counts(vec![lease(1, true)]), "the lease as it was read before the term began");
    }
}

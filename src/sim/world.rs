//! The simulated world: one queue of what will happen, one generator of chance, and the state of everything outside the
//! product. It runs on one thread; whatever it does depends on the seed, the resources and the faults alone.
//!
//! The product runs as it is, as tasks of a current-thread tokio runtime without a time driver. [`World::run_until`] lets
//! them work until all of them wait, then takes the next happening from the queue and sets the clock to it.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use super::{
    awaited::Awaited,
    check::Checker,
    cluster::Clusters,
    fault::Active,
    members::Members,
    moment::Moment,
    names::NameServers,
    network::Network,
    process::{Life, Processes},
    scenario::Witness,
    story::Story,
    workloads::Pods,
};

/// The world. All parts of it are behind one lock; nothing waits while it is held.
pub struct World {
    now: AtomicU64,
    state: Mutex<State>,
}

/// What the world is like now.
pub(super) struct State {
    queue: BinaryHeap<Reverse<Entry>>,
    pushed: u64,
    pub rng: fastrand::Rng,
    pub network: Network,
    pub processes: Processes,
    pub members: Members,
    pub names: NameServers,
    pub clusters: Clusters,
    /// Of workloads that write.
    pub pods: Vec<Pods>,
    pub ledger: super::ledger::LedgerFaults,
    pub active: Active,
    /// What waits for a run to come to a step.
    pub awaited: Vec<Awaited>,
    pub checker: Checker,
    pub story: Story,
    /// What a scenario wants to know of the run; exploration looks at nothing but the invariants.
    pub witness: Option<Box<Witness>>,
}

/// Something that will happen.
pub(super) type Deed = Box<dyn FnOnce(&Arc<World>) + Send>;

enum Happening {
    Wake(Waker, Life),
    Do(Deed),
}

struct Entry {
    at: Moment,
    /// Orders what happens at the same moment: by chance, so that every order is tried.
    chance: u32,
    number: u64,
    what: Happening,
}

impl Entry {
    const fn order(&self) -> (Moment, u32, u64) {
        (self.at, self.chance, self.number)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// What a world is made of.
pub(super) struct Parts {
    pub seed: u64,
    pub network: Network,
    pub processes: Processes,
    pub members: Members,
    pub names: NameServers,
    pub clusters: Clusters,
    pub pods: Vec<Pods>,
    pub checker: Checker,
    pub story: Story,
}

impl World {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let Parts { seed, network, processes, members, names, clusters, pods, checker, story } = parts;
        Arc::new(Self {
            now: AtomicU64::new(0),
            state: Mutex::new(State {
                queue: BinaryHeap::with_capacity(256),
                pushed: 0,
                rng: fastrand::Rng::with_seed(seed),
                network,
                processes,
                members,
                names,
                clusters,
                pods,
                ledger: super::ledger::LedgerFaults::default(),
                active: Active::default(),
                awaited: Vec::new(),
                checker,
                story,
                witness: None,
            }),
        })
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(self.now.load(Ordering::Relaxed))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // One thread; a panic under the lock ends the run anyway, and the report of it reads what is there.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets something happen at a moment.
    pub(super) fn at(&self, at: Moment, deed: impl FnOnce(&Arc<Self>) + Send + 'static) {
        self.state().push(at, Happening::Do(Box::new(deed)));
    }

    /// The same, counted from now.
    pub(super) fn after(&self, time: Duration, deed: impl FnOnce(&Arc<Self>) + Send + 'static) {
        self.at(self.now().plus(time), deed);
    }

    /// Wakes a task of a process at a moment.
    pub(super) fn wake_at(&self, at: Moment, waker: Waker, life: Life) {
        self.state().push(at, Happening::Wake(waker, life));
    }

    /// Wakes a task of a process now: later if the process is frozen, never if it is dead.
    pub(super) fn wake(&self, waker: Waker, life: Life) {
        let mut state = self.state();
        match state.processes.thaws(life, self.now()) {
            None => {}
            Some(at) if at > self.now() => state.push(at, Happening::Wake(waker, life)),
            Some(_) => {
                drop(state);
                waker.wake();
            }
        }
    }

    /// Lets time pass until `end`, or until an invariant is broken. Must be the main future of the runtime.
    pub(super) async fn run_until(self: &Arc<Self>, end: Moment) {
        loop {
            // Comes back when no task can go on: the runtime polls its main future again only then.
            tokio::task::yield_now().await;
            let Some(entry) = self.state().pop(end) else { break };
            self.now.store(entry.at.0, Ordering::Relaxed);
            match entry.what {
                Happening::Wake(waker, life) => self.wake(waker, life),
                Happening::Do(deed) => deed(self),
            }
        }
        if !self.state().checker.is_broken() {
            self.now.store(end.0, Ordering::Relaxed);
        }
    }
}

impl State {
    /// Forgets everything that holds the world.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.awaited.clear();
        self.processes.list.clear();
        self.processes.gates.clear();
    }

    fn push(&mut self, at: Moment, what: Happening) {
        self.pushed += 1;
        let entry = Entry { at, chance: self.rng.u32(..), number: self.pushed, what };
        self.queue.push(Reverse(entry));
    }

    fn pop(&mut self, end: Moment) -> Option<Entry> {
        if self.checker.is_broken() {
            return None;
        }
        let due = self.queue.peek().is_some_and(|Reverse(entry)| entry.at <= end);
        if due { self.queue.pop().map(|Reverse(entry)| entry) } else { None }
    }
}

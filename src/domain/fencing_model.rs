//! Every order of events of two processes that both think they lead: a model of the lease, the epoch and a name server.
//!
//! The lease keeps two processes from acting at once, but a process that is frozen between its last look at the lease and
//! its effect acts late all the same. What then keeps the answer right is the compare-and-set in the ledger and the epoch at
//! the name server. The model leaves out what does not matter to that: health, plans, times. It knows freezing (a process
//! that is not chosen), a call that took effect although nobody heard so, an answer on the way for as long as it likes, and
//! leases that end at any time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Epochs that the model raises: each process can be overtaken by the other.
const EPOCHS: u64 = 2;

const PLACES: [&str; 2] = ["a", "b"];

/// What is compared before something is written.
#[derive(Clone, Copy)]
struct Guards {
    ledger: bool,
    name_server: bool,
}

/// Where a process stands. A process that raised the epoch publishes what it raised.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum At {
    Idle,
    /// It held the lease when it read this epoch.
    Read(u64),
    /// It published, and has not heard so yet.
    Publishing(u64, &'static str),
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct World {
    /// Who serves under each epoch, as the ledger accepted it.
    epochs: BTreeMap<u64, &'static str>,
    holder: Option<usize>,
    processes: [At; 2],
    /// Updates on their way to the name server.
    sent: BTreeSet<(u64, &'static str)>,
    answer: (u64, &'static str),
}

impl World {
    fn start() -> Self {
        Self {
            epochs: BTreeMap::from([(0, "a")]),
            holder: None,
            processes: [At::Idle; 2],
            sent: BTreeSet::new(),
            answer: (0, "a"),
        }
    }

    fn newest(&self) -> (u64, &'static str) {
        self.epochs.last_key_value().map_or((0, "a"), |(epoch, place)| (*epoch, *place))
    }

    fn with(&self, process: usize, at: At) -> Self {
        let mut next = self.clone();
        next.processes[process] = at;
        next
    }

    /// Every world that may come next.
    fn next(&self, guards: Guards) -> Vec<Self> {
        let mut next = vec![Self { holder: None, ..self.clone() }];
        for process in 0..2 {
            next.extend(self.holder.is_none().then(|| Self { holder: Some(process), ..self.clone() }));
            next.extend(self.steps_of(process, guards));
        }
        for update in &self.sent {
            let mut arrived = self.clone();
            arrived.sent.remove(update);
            if update.0 >= self.answer.0 || !guards.name_server {
                arrived.answer = *update;
            }
            next.push(arrived);
        }
        next
    }

    fn steps_of(&self, process: usize, guards: Guards) -> Vec<Self> {
        let (epoch, place) = self.newest();
        match self.processes[process] {
            // A new leader goes on with what the ledger holds, or wants a change.
            At::Idle if self.holder == Some(process) => {
                let mut goes_on = self.with(process, At::Publishing(epoch, place));
                goes_on.sent.insert((epoch, place));
                vec![goes_on, self.with(process, At::Read(epoch))]
            }
            At::Idle => Vec::new(),
            // The lease was looked at before; the process may have been frozen since.
            At::Read(read) if read < EPOCHS => {
                if read != epoch && guards.ledger {
                    return vec![self.with(process, At::Idle)];
                }
                // Each wants its own place.
                let place = PLACES[process];
                let mut raised = self.with(process, At::Publishing(read + 1, place));
                raised.epochs.insert(read + 1, place);
                let unheard = Self { processes: self.with(process, At::Idle).processes, ..raised.clone() };
                raised.sent.insert((read + 1, place));
                vec![raised, unheard]
            }
            At::Read(_) | At::Publishing(..) => vec![self.with(process, At::Idle)],
        }
    }
}

/// All worlds that can be reached, with those that lead to each.
fn explore(guards: Guards) -> Result<BTreeMap<World, Vec<World>>, String> {
    let mut seen = BTreeMap::from([(World::start(), Vec::new())]);
    let mut open = VecDeque::from([World::start()]);
    while let Some(world) = open.pop_front() {
        for next in world.next(guards) {
            if next.answer.0 < world.answer.0 {
                return Err(format!("an older answer came back: {world:?} then {next:?}"));
            }
            if next.epochs.iter().any(|(epoch, place)| world.epochs.get(epoch).is_some_and(|p| p != place)) {
                return Err(format!("one epoch, two writers: {world:?} then {next:?}"));
            }
            if next.epochs.get(&next.answer.0) != Some(&next.answer.1) {
                return Err(format!("an answer that the ledger never had: {next:?}"));
            }
            if !seen.contains_key(&next) {
                open.push_back(next.clone());
            }
            seen.entry(next).or_default().push(world.clone());
        }
    }
    Ok(seen)
}

#[test]
fn no_order_of_events_brings_back_an_old_answer_or_two_writers_of_one_epoch() {
    let worlds = explore(Guards { ledger: true, name_server: true }).unwrap();
    assert!(worlds.len() > 1_000, "the model hardly moved: {} worlds", worlds.len());
}

#[test]
fn from_everywhere_the_name_server_can_still_come_to_what_the_ledger_says() {
    let worlds = explore(Guards { ledger: true, name_server: true }).unwrap();
    let settled = |world: &&World| world.answer == world.newest() && world.sent.is_empty();
    let mut good: BTreeSet<&World> = worlds.keys().filter(settled).collect();
    let mut open: Vec<&World> = good.iter().copied().collect();
    while let Some(world) = open.pop() {
        open.extend(worlds[world].iter().filter(|before| good.insert(before)));
    }
    assert_eq!(good.len(), worlds.len());
}

#[test]
fn without_either_comparison_the_model_finds_what_goes_wrong() {
    let missing = |guards| explore(guards).unwrap_err();
    assert!(missing(Guards { ledger: false, name_server: true }).contains("one epoch, two writers"));
    assert!(missing(Guards { ledger: true, name_server: false }).contains("an older answer came back"));
}

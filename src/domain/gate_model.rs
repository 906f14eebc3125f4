//! Every order of events of two gates, two processes that think they lead, a ledger with a lease and a record, and two moves.
//!
//! The model knows freezing (who is not chosen), calls that take effect long after they were decided on, answers that come long
//! after that, and leases that end whenever the door behind them is shut: that the door shuts before the lease is over is
//! arithmetic, which `lease` proves. It leaves out health, times, and what comes before a move and after it.

use std::collections::{BTreeSet, VecDeque};

/// Epochs that the model raises: there, and back.
const EPOCHS: u64 = 2;

/// What keeps a writer from writing on.
#[derive(Clone, Copy)]
struct Guards {
    /// The plan waits until the lease is free.
    awaits: bool,
    /// A gate reads the record again after it took the lease anew.
    looks_again: bool,
    /// The lease has one holder.
    exclusive: bool,
}

const ALL: Guards = Guards { awaits: true, looks_again: true, exclusive: true };

/// What the ledger says. The writer is the gate whose number is the epoch's remainder.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Record {
    epoch: u64,
    fenced: bool,
}

impl Record {
    /// Whether a gate may write by it.
    const fn lets(self, gate: usize) -> bool {
        !self.fenced && self.epoch % 2 == gate as u64
    }
}

/// Where a gate stands in its round.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum At {
    /// Before it reads the record.
    Idle,
    /// It read this epoch and asks for the lease.
    Asks(u64),
    /// It was given the lease, and has not heard so yet.
    Granted(u64, Kind),
    /// It read that it does not write, has shut the door and gives the lease back.
    Leaves,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Renewed,
    Anew,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Gate {
    at: At,
    /// It knows that it holds the lease, in a term after whose beginning it has read the record.
    knows: bool,
    /// The epoch under which the door is open.
    door: Option<u64>,
    /// The ledger says that it holds the lease.
    holds: bool,
}

/// Where a process stands that leads, or thinks so.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Leader {
    Idle,
    /// It read this record, and will fence it.
    Fences(Record),
    /// It has fenced this epoch.
    Awaits(u64),
    /// It has seen the lease free.
    Raises(u64),
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct World {
    record: Record,
    gates: [Gate; 2],
    leaders: [Leader; 2],
}

impl World {
    const fn start() -> Self {
        let gate = Gate { at: At::Idle, knows: false, door: None, holds: false };
        let record = Record { epoch: 0, fenced: false };
        Self { record, gates: [gate; 2], leaders: [Leader::Idle; 2] }
    }

    fn with_gate(mut self, number: usize, change: impl FnOnce(&mut Gate)) -> Self {
        change(&mut self.gates[number]);
        self
    }

    fn with_leader(mut self, number: usize, leader: Leader) -> Self {
        self.leaders[number] = leader;
        self
    }

    /// Every world that may come next.
    fn next(self, guards: Guards) -> Vec<Self> {
        let gates = (0..2).flat_map(|gate| self.of_gate(gate, guards));
        let leaders = (0..2).flat_map(|leader| self.of_leader(leader, guards));
        gates.chain(leaders).collect()
    }

    fn of_gate(self, number: usize, guards: Guards) -> Vec<Self> {
        let gate = self.gates[number];
        // The door shuts by the gate's own clock.
        let mut next = vec![self.with_gate(number, |gate| gate.door = None)];
        if gate.holds && gate.door.is_none() {
            // The lease runs out. An answer that is under way comes too late to open the door.
            next.push(self.with_gate(number, |gate| {
                (gate.holds, gate.knows) = (false, false);
                if let At::Granted(..) = gate.at {
                    gate.at = At::Idle;
                }
            }));
        }
        let other_holds = self.gates[1 - number].holds && guards.exclusive;
        next.push(self.with_gate(number, |gate| match gate.at {
            At::Idle if self.record.lets(number) => gate.at = At::Asks(self.record.epoch),
            At::Idle => (gate.at, gate.door, gate.knows) = (At::Leaves, None, false),
            At::Leaves => (gate.at, gate.holds) = (At::Idle, false),
            At::Asks(_) if other_holds => (gate.at, gate.door, gate.knows) = (At::Idle, None, false),
            At::Asks(epoch) => {
                let kind = if gate.holds && gate.knows { Kind::Renewed } else { Kind::Anew };
                (gate.at, gate.holds) = (At::Granted(epoch, kind), true);
            }
            At::Granted(_, Kind::Anew) if guards.looks_again => (gate.at, gate.knows) = (At::Idle, true),
            At::Granted(epoch, _) => (gate.at, gate.knows, gate.door) = (At::Idle, true, Some(epoch)),
        }));
        next
    }

    fn of_leader(self, number: usize, guards: Guards) -> Vec<Self> {
        let free = !self.gates.iter().any(|gate| gate.holds);
        // It loses the lead, or is told that somebody else wrote.
        let idle = self.with_leader(number, Leader::Idle);
        let went_on = match self.leaders[number] {
            Leader::Idle if self.record.epoch < EPOCHS => {
                Some(self.with_leader(number, Leader::Fences(self.record)))
            }
            Leader::Fences(read) if read == self.record => {
                let fenced = Self { record: Record { fenced: true, ..read }, ..self };
                Some(fenced.with_leader(number, Leader::Awaits(read.epoch)))
            }
            Leader::Awaits(epoch) if free || !guards.awaits => {
                Some(self.with_leader(number, Leader::Raises(epoch)))
            }
            Leader::Raises(epoch) if self.record == (Record { epoch, fenced: true }) => {
                let raised = Self { record: Record { epoch: epoch + 1, fenced: false }, ..self };
                Some(raised.with_leader(number, Leader::Idle))
            }
            _ => None,
        };
        [idle].into_iter().chain(went_on).collect()
    }

    /// Two write at one instant.
    fn two_writers(&self, _: &Self) -> Option<&'static str> {
        self.gates.iter().all(|gate| gate.door.is_some()).then_some("two doors are open")
    }

    /// What must never be.
    fn wrong(&self, before: &Self) -> Option<&'static str> {
        if let Some(two) = self.two_writers(before) {
            return Some(two);
        }
        let opens =
            |number: usize| self.gates[number].door.filter(|epoch| before.gates[number].door != Some(*epoch));
        if (0..2).filter_map(opens).any(|epoch| epoch < self.record.epoch) {
            return Some("a door opens under an epoch that is over");
        }
        let raised = self.record.epoch > before.record.epoch;
        (raised && self.gates.iter().any(|gate| gate.door.is_some()))
            .then_some("the epoch is raised over an open door")
    }
}

/// What is looked for in a world and the one before it.
type Wrong = fn(&World, &World) -> Option<&'static str>;

/// All worlds that can be reached; an error: what went wrong.
fn explore(guards: Guards, wrong: Wrong) -> Result<BTreeSet<World>, String> {
    let mut seen = BTreeSet::from([World::start()]);
    let mut open = VecDeque::from([World::start()]);
    while let Some(world) = open.pop_front() {
        for next in world.next(guards) {
            if let Some(wrong) = wrong(&next, &world) {
                return Err(format!("{wrong}: {world:?} then {next:?}"));
            }
            if seen.insert(next) {
                open.push_back(next);
            }
        }
    }
    Ok(seen)
}

#[test]
fn no_order_of_events_lets_two_write_or_one_under_an_epoch_that_is_over() {
    let worlds = explore(ALL, World::wrong).unwrap();
    assert!(worlds.len() > 1_000, "the model hardly moved: {} worlds", worlds.len());
    let writes_last = |world: &World| world.record.epoch == EPOCHS && world.gates[0].door == Some(EPOCHS);
    assert!(worlds.iter().any(writes_last), "nobody writes after two moves");
}

#[test]
fn without_waiting_or_looking_again_an_epoch_is_raised_while_somebody_writes() {
    for guards in [Guards { awaits: false, ..ALL }, Guards { looks_again: false, ..ALL }] {
        let found = explore(guards, World::wrong).map(|worlds| worlds.len()).unwrap_err();
        assert!(found.starts_with("the epoch is raised over an open door"), "{found}");
    }
}

/// The lease alone keeps two from writing at one instant, whatever a plan does; a plan that waits does so too.
#[test]
fn two_write_at_one_instant_only_where_neither_the_lease_nor_the_plan_keeps_them_from_it() {
    let two = |awaits, exclusive| {
        let guards = Guards { awaits, exclusive, ..ALL };
        explore(guards, World::two_writers).is_err()
    };
    assert_eq!(
        [two(true, true), two(false, true), two(true, false), two(false, false)],
        [false, false, false, true]
    );
}

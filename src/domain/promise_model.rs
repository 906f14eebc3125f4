//! Every order of events of a lease, an epoch, two gates and two processes that promise and lead (I1, I8, ADR 14).
//!
//! The gate of region 0 writes at first, and may write on without the lease while all whom it asks promise. One process is there
//! from the beginning, the other comes later, when it likes; each may die and another take its seat, and each may lead a move to region 1. Writes to the ledger
//! take effect late or not at all, and their answers get lost. As in `gate_model`, a lease ends only when no door behind it is
//! open, and a promise only when no door stands open by it: that both outlast the door is arithmetic, which `lease` and
//! `promise` prove. What a gate reads before it takes the lease is left to `gate_model`.

use std::collections::{BTreeSet, VecDeque};

/// Terms of the lease after which nobody takes it any more, so that the model ends.
const TERMS: u8 = 2;

/// A set of the two processes.
type Set = u8;

const FIRST: Set = 1;
const LATER: Set = 2;

/// What keeps a writer from writing on.
#[derive(Clone, Copy)]
struct Guards {
    /// A gate goes on only if all whom it asks promise.
    all: bool,
    /// Whoever ends a lease makes one of them withhold.
    withholds: bool,
    /// And waits for its last promise to be over.
    waits: bool,
    /// A gate asks also those of a write whose answer did not come.
    asks_both: bool,
    /// A gate that goes on by promises writes whom it asks only after it has its lease again: who is new has promised nothing.
    not_by_promises: bool,
}

const ALL: Guards =
    Guards { all: true, withholds: true, waits: true, asks_both: true, not_by_promises: true };

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Promisers {
    gate: usize,
    term: u8,
    set: Set,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Door {
    term: u8,
    promised: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
struct Gate {
    /// The term in which it knows that it holds the lease, and that nothing is promised to another.
    settled: Option<u8>,
    door: Option<Door>,
    /// A write that is under way: the term and whom it names.
    sent: Option<(u8, Set)>,
    /// It has taken effect, and the gate has not heard so.
    done: bool,
    /// What it knows to be written.
    written: Option<(u8, Set)>,
    /// What may be written besides.
    perhaps: Set,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Process {
    registered: bool,
    dead: bool,
    /// The gate to which a promise of it stands.
    promised: Option<usize>,
    /// Nothing is promised in this term or an earlier one.
    withheld: u8,
    leads: Leader,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Leader {
    Idle,
    /// It has fenced the epoch.
    Fenced,
    /// It has seen the lease free.
    Ended,
    /// Nobody writes by promises.
    Raises,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct World {
    epoch: usize,
    fenced: bool,
    lease: Option<usize>,
    term: u8,
    promisers: Option<Promisers>,
    gates: [Gate; 2],
    processes: [Process; 2],
}

impl World {
    fn start() -> Self {
        let process = |registered| Process {
            registered,
            dead: false,
            promised: None,
            withheld: 0,
            leads: Leader::Idle,
        };
        Self {
            epoch: 0,
            fenced: false,
            lease: None,
            term: 0,
            promisers: None,
            gates: [Gate::default(); 2],
            processes: [process(true), process(false)],
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn next(self, guards: Guards) -> Vec<Self> {
        let mut next = Vec::new();
        self.of_promises(guards, &mut next);
        for number in 0..2 {
            self.of_lease(number, &mut next);
            self.of_writes(number, guards, &mut next);
            self.of_process(number, &mut next);
            self.of_leader(number, guards, &mut next);
        }
        next
    }

    /// A gate takes its lease, opens and shuts by it, and loses it.
    fn of_lease(self, number: usize, next: &mut Vec<Self>) {
        let gate = self.gates[number];
        let lets = !self.fenced && self.epoch == number;
        if lets && self.lease.is_none() && self.term < TERMS {
            next.push(self.with(|world| {
                (world.lease, world.term) = (Some(number), world.term + 1);
                world.gates[number].settled = None;
            }));
        }
        if self.lease == Some(number) && gate.settled == Some(self.term) && lets {
            let door = Door { term: self.term, promised: false };
            next.push(self.with(|world| world.gates[number].door = Some(door)));
        }
        if gate.door.is_some() {
            next.push(self.with(|world| world.gates[number].door = None));
        }
        if self.lease == Some(number) && gate.door.is_none_or(|door| door.promised || door.term != self.term)
        {
            next.push(self.with(|world| world.lease = None));
        }
        if self.lease == Some(number) && gate.door.is_none() {
            // Given back, after it has taken out whom it asks.
            next.push(self.with(|world| {
                world.lease = None;
                world.promisers = world
                    .promisers
                    .filter(|left| Some((left.term, left.set)) != gate.written || left.gate != number);
                world.gates[number] = Gate { sent: gate.sent, done: gate.done, ..Gate::default() };
            }));
        }
    }

    /// A gate writes whom it asks.
    fn of_writes(self, number: usize, guards: Guards, next: &mut Vec<Self>) {
        let gate = self.gates[number];
        if self.lease == Some(number) && gate.settled != Some(self.term) {
            let clears = match self.promisers {
                Some(left) if left.gate != number => self.withholders(left, guards),
                _ => vec![self],
            };
            next.extend(clears.into_iter().map(|world| {
                world.with(|world| {
                    let gate = &mut world.gates[number];
                    (gate.settled, gate.written) = (Some(world.term), None);
                })
            }));
        }
        let by_promises = guards.not_by_promises && gate.door.is_some_and(|door| door.promised);
        // What the second gate asks changes nothing: nobody moves the service away from it.
        let sends = number == 0 && gate.sent.is_none() && !by_promises;
        if let Some(term) = gate.settled.filter(|_| sends) {
            // The one that came later is of another region, or speaks for the region of the first in its place.
            let sets: &[Set] = if self.processes[1].registered { &[FIRST | LATER, LATER] } else { &[FIRST] };
            next.extend(sets.iter().map(|set| {
                self.with(|world| {
                    let gate = &mut world.gates[number];
                    (gate.sent, gate.done, gate.perhaps) = (Some((term, *set)), false, gate.perhaps | set);
                })
            }));
        }
        if let Some((term, set)) = gate.sent {
            if !gate.done {
                next.push(self.with(|world| {
                    world.promisers = Some(Promisers { gate: number, term, set });
                    world.gates[number].done = true;
                }));
            }
            let ended = |heard: bool| {
                self.with(|world| {
                    let gate = &mut world.gates[number];
                    (gate.sent, gate.done) = (None, false);
                    if heard {
                        (gate.written, gate.perhaps) = (Some((term, set)), 0);
                    }
                })
            };
            next.push(ended(gate.done));
            next.push(ended(false));
        }
    }

    /// Processes promise to a gate, and it goes on by that.
    fn of_promises(self, guards: Guards, next: &mut Vec<Self>) {
        let number = 0;
        let gate = self.gates[number];
        let Some((door, (_, set))) =
            gate.door.zip(gate.written.filter(|(term, _)| gate.door.is_some_and(|door| door.term == *term)))
        else {
            return;
        };
        let asked = if guards.asks_both { set | gate.perhaps } else { set };
        let members = || (0..2).filter(|process| asked & 1 << process != 0);
        for process in members() {
            let of = self.processes[process];
            if !of.dead && of.withheld < door.term {
                next.push(self.with(|world| world.processes[process].promised = Some(number)));
            }
        }
        let promised = |process: usize| self.processes[process].promised == Some(number);
        let enough = if guards.all { members().all(promised) } else { members().any(promised) };
        if asked != 0 && enough {
            let door = Door { promised: true, ..door };
            next.push(self.with(|world| world.gates[number].door = Some(door)));
        }
    }

    fn of_process(self, number: usize, next: &mut Vec<Self>) {
        let process = self.processes[number];
        next.push(self.with(|world| world.processes[1].registered = true));
        next.push(self.with(|world| {
            let process = &mut world.processes[number];
            (process.dead, process.leads) = (true, Leader::Idle);
        }));
        // Another takes its seat. It knows that promises may stand, and nothing else.
        next.push(self.with(|world| {
            let process = &mut world.processes[number];
            (process.dead, process.leads, process.withheld) = (false, Leader::Idle, 0);
        }));
        if let Some(gate) = process.promised {
            // A promise outlasts the door that was opened by it.
            let open = self.gates[gate].door.is_some_and(|door| door.promised);
            if !open {
                next.push(self.with(|world| world.processes[number].promised = None));
            }
        }
    }

    fn of_leader(self, number: usize, guards: Guards, next: &mut Vec<Self>) {
        let process = self.processes[number];
        if process.dead {
            return;
        }
        let leads = |to| move |world: &mut Self| world.processes[number].leads = to;
        next.push(self.with(leads(Leader::Idle)));
        match process.leads {
            Leader::Idle if self.epoch == 0 => {
                next.push(self.with(|world| world.fenced = true).with(leads(Leader::Fenced)));
            }
            Leader::Fenced if self.lease.is_none() => {
                next.push(self.with(leads(Leader::Ended)));
            }
            Leader::Ended => {
                let cleared = match self.promisers {
                    None => vec![self],
                    Some(left) if guards.withholds => self.withholders(left, guards),
                    Some(_) => vec![self],
                };
                let cleared = cleared.into_iter().map(|world| {
                    // Deleted, if it is still what was read.
                    world.with(|world| world.promisers = None).with(leads(Leader::Raises))
                });
                next.extend(cleared);
            }
            Leader::Raises if self.epoch == 0 && self.fenced => {
                next.push(
                    self.with(|world| (world.epoch, world.fenced) = (1, false)).with(leads(Leader::Idle)),
                );
            }
            Leader::Idle | Leader::Fenced | Leader::Raises => {}
        }
    }

    /// The worlds in which one whom a gate asks has withheld, and its last promise is over; and those on the way there.
    fn withholders(self, left: Promisers, guards: Guards) -> Vec<Self> {
        let members = (0..2).filter(|process| left.set & 1 << process != 0 && !self.processes[*process].dead);
        let withheld = members.map(|process| {
            let world = self.with(|world| {
                let process = &mut world.processes[process];
                process.withheld = process.withheld.max(left.term);
            });
            (world, process)
        });
        let over = |process: usize| !guards.waits || self.processes[process].promised.is_none();
        let over: Vec<_> = withheld.filter(|(_, process)| over(*process)).map(|(world, _)| world).collect();
        if left.set == 0 { vec![self] } else { over }
    }

    fn wrong(&self, before: &Self) -> Option<&'static str> {
        if self.gates.iter().all(|gate| gate.door.is_some()) {
            return Some("two doors are open");
        }
        (self.epoch > before.epoch && self.gates[0].door.is_some())
            .then_some("the epoch is raised over an open door")
    }
}

/// All worlds that can be reached; an error: what went wrong.
fn explore(guards: Guards) -> Result<BTreeSet<World>, String> {
    let mut seen = BTreeSet::from([World::start()]);
    let mut open = VecDeque::from([World::start()]);
    while let Some(world) = open.pop_front() {
        for next in world.next(guards) {
            if let Some(wrong) = next.wrong(&world) {
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
fn no_order_of_events_lets_a_writer_go_on_by_promises_while_another_may_write() {
    let worlds = explore(ALL).unwrap();
    let by_promise =
        |world: &World| world.gates[0].door.is_some_and(|door| door.promised) && world.lease.is_none();
    assert!(worlds.iter().any(by_promise), "nobody writes by promises");
    assert!(worlds.iter().any(|world| world.gates[1].door.is_some()), "nobody writes after the move");
    let late = |world: &World| world.processes[0].dead && world.processes[1].registered && world.epoch == 1;
    assert!(worlds.iter().any(late), "no process that came late ever moves the service");
}

#[test]
fn without_any_one_of_the_guards_a_writer_goes_on_while_another_may_write() {
    let without = [
        ("all", Guards { all: false, ..ALL }),
        ("withholds", Guards { withholds: false, ..ALL }),
        ("waits", Guards { waits: false, ..ALL }),
        ("asks_both", Guards { asks_both: false, ..ALL }),
        ("not_by_promises", Guards { not_by_promises: false, ..ALL }),
    ];
    let needless: Vec<_> =
        without.iter().filter(|(_, guards)| explore(*guards).is_ok()).map(|(name, _)| *name).collect();
    assert_eq!(needless, [""; 0]);
}

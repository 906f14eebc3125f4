//! Which service is looked at next. One service is never looked at twice at the same time, and nothing is forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::{ServiceKey, Tick};

/// Services and when they are due.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Default)]
struct State {
    due: BTreeMap<ServiceKey, Tick>,
    /// Those that something happened to since they were offered last.
    stirred: BTreeSet<ServiceKey>,
    by_time: BTreeSet<(Tick, ServiceKey)>,
    running: BTreeSet<ServiceKey>,
}

/// What the queue has to offer.
#[derive(Debug, Eq, PartialEq)]
pub enum Offer {
    /// This service is due. Give it back with [`Queue::done`].
    Now(ServiceKey, Cause),
    /// Nothing before this tick.
    At(Tick),
    /// Nothing at all.
    Empty,
}

/// Why a service is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// Something happened.
    Event,
    /// Only time has passed.
    Time,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every method leaves the state whole, so it is good even if a holder of the lock panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a service at `tick` or earlier, because something happened to it.
    pub fn push(&self, service: ServiceKey, at: Tick) {
        let mut state = self.state();
        state.stirred.insert(service.clone());
        state.push(service, at);
        drop(state);
        self.woken.notify_one();
    }

    /// The next service that is due and not being looked at.
    pub fn next(&self, now: Tick) -> Offer {
        let mut state = self.state();
        let idle = state.by_time.iter().find(|(_, service)| !state.running.contains(service)).cloned();
        match idle {
            None => Offer::Empty,
            Some((at, _)) if at > now => Offer::At(at),
            Some((at, service)) => {
                state.by_time.remove(&(at, service.clone()));
                state.due.remove(&service);
                state.running.insert(service.clone());
                let cause = if state.stirred.remove(&service) { Cause::Event } else { Cause::Time };
                Offer::Now(service, cause)
            }
        }
    }

    /// The service was looked at; look again at `again`, if at all.
    pub fn done(&self, service: ServiceKey, again: Option<Tick>) {
        let mut state = self.state();
        state.running.remove(&service);
        if let Some(at) = again {
            state.push(service, at);
        }
        drop(state);
        self.woken.notify_one();
    }

    /// Waits until something was pushed or done.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl State {
    fn push(&mut self, service: ServiceKey, at: Tick) {
        match self.due.get(&service) {
            Some(due) if *due <= at => {}
            due => {
                if let Some(due) = due.copied() {
                    self.by_time.remove(&(due, service.clone()));
                }
                self.by_time.insert((at, service.clone()));
                self.due.insert(service, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ServiceKey {
        ServiceKey::new("n", name)
    }

    #[test]
    fn the_earliest_comes_first_and_an_earlier_wish_moves_a_service_forward() {
        let queue = Queue::default();
        queue.push(key("a"), Tick(20));
        queue.push(key("b"), Tick(10));
        queue.push(key("a"), Tick(5));
        queue.push(key("a"), Tick(30));
        assert_eq!(queue.next(Tick(0)), Offer::At(Tick(5)));
        assert_eq!(queue.next(Tick(10)), Offer::Now(key("a"), Cause::Event));
        assert_eq!(queue.next(Tick(10)), Offer::Now(key("b"), Cause::Event));
        assert_eq!(queue.next(Tick(100)), Offer::Empty);
    }

    #[test]
    fn a_service_that_is_pushed_while_it_is_looked_at_comes_again_afterwards() {
        let queue = Queue::default();
        queue.push(key("a"), Tick(0));
        assert_eq!(queue.next(Tick(0)), Offer::Now(key("a"), Cause::Event));
        queue.push(key("a"), Tick(0));
        assert_eq!(queue.next(Tick(0)), Offer::Empty);
        queue.done(key("a"), None);
        assert_eq!(queue.next(Tick(0)), Offer::Now(key("a"), Cause::Event));
    }

    #[test]
    fn a_service_that_only_waited_is_told_apart_from_one_to_which_something_happened() {
        let queue = Queue::default();
        queue.push(key("a"), Tick(0));
        assert_eq!(queue.next(Tick(0)), Offer::Now(key("a"), Cause::Event));
        queue.done(key("a"), Some(Tick(5)));
        assert_eq!(queue.next(Tick(5)), Offer::Now(key("a"), Cause::Time));
        queue.done(key("a"), Some(Tick(10)));
        queue.push(key("a"), Tick(7));
        assert_eq!(queue.next(Tick(7)), Offer::Now(key("a"), Cause::Event));
    }
}

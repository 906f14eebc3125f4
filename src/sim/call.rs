//! A question to something outside the process, and its answer: each may be lost, late, or come twice.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    clock::Sleep,
    moment::Moment,
    network::{Fate, Site},
    process::{Life, Strike},
    world::World,
};

/// Who asks whom, and for how long the answer is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errand {
    pub life: Life,
    pub from: Site,
    pub to: Site,
    /// Size of the question.
    pub bytes: usize,
    pub limit: Duration,
    /// How long the other side takes to serve it.
    pub late: Duration,
    /// It changes something, so a process may die just before or just after it.
    pub effect: bool,
}

struct Slot<R> {
    answer: Option<R>,
    waker: Option<Waker>,
}

impl World {
    /// Asks. `serve` runs where and when the question arrives, perhaps twice; `None` from it is no answer. `None`: no
    /// answer came within the limit, whatever has happened.
    pub(super) async fn ask<R: Send + 'static>(
        self: &Arc<Self>,
        errand: Errand,
        serve: impl Fn(&Arc<Self>) -> Option<R> + Send + Sync + 'static,
    ) -> Option<R> {
        let strike = if errand.effect { self.state().processes.strike(errand.life) } else { Strike::Misses };
        if strike == Strike::Before {
            self.crash(errand.life.process, "before an effect");
            return std::future::pending().await;
        }
        if let Strike::Freezes { sent, time } = strike {
            let until = self.now().plus(time);
            self.state().processes.freeze(errand.life.process, until);
            if !sent {
                Sleep { world: self, life: errand.life, until, registered: false }.await;
            }
        }
        let slot = Arc::new(Mutex::new(Slot { answer: None, waker: None }));
        let serve = Arc::new(serve);
        let fate = {
            let state = &mut *self.state();
            state.network.fate(errand.from, errand.to, errand.bytes, &mut state.rng)
        };
        if let Fate::Arrives(first, again) = fate {
            for after in [Some(first), again].into_iter().flatten() {
                let (slot, serve) = (slot.clone(), serve.clone());
                self.after(after + errand.late, move |world| {
                    let answer = serve(world);
                    if strike == Strike::After {
                        world.crash(errand.life.process, "after an effect");
                    } else if let Some(answer) = answer {
                        world.answer(errand, slot, answer);
                    }
                });
            }
        }
        let until = self.now().plus(errand.limit);
        Waiting { world: self, life: errand.life, slot, until, registered: false }.await
    }

    fn answer<R: Send + 'static>(self: &Arc<Self>, errand: Errand, slot: Arc<Mutex<Slot<R>>>, answer: R) {
        let fate = {
            let state = &mut *self.state();
            state.network.fate(errand.to, errand.from, 0, &mut state.rng)
        };
        // A second copy of an answer is dropped by whoever waits for one.
        let Fate::Arrives(after, _) = fate else { return };
        self.after(after, move |world| {
            let waker = {
                let mut slot = lock(&slot);
                slot.answer.get_or_insert(answer);
                slot.waker.take()
            };
            if let Some(waker) = waker {
                world.wake(waker, errand.life);
            }
        });
    }
}

fn lock<R>(slot: &Mutex<Slot<R>>) -> MutexGuard<'_, Slot<R>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends with the answer, or without one at a moment.
struct Waiting<'a, R> {
    world: &'a Arc<World>,
    life: Life,
    slot: Arc<Mutex<Slot<R>>>,
    until: Moment,
    registered: bool,
}

impl<R> Future for Waiting<'_, R> {
    type Output = Option<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<R>> {
        let now = self.world.now();
        let Some(thaws) = self.world.state().processes.thaws(self.life, now) else { return Poll::Pending };
        // What came while it was frozen lay in its socket, so an answer goes before the end of the wait.
        if thaws <= now {
            let answer = lock(&self.slot).answer.take();
            if answer.is_some() || self.until <= now {
                return Poll::Ready(answer);
            }
        }
        lock(&self.slot).waker = Some(context.waker().clone());
        if !self.registered || thaws > now {
            self.registered = true;
            self.world.wake_at(self.until.max(thaws), context.waker().clone(), self.life);
        }
        Poll::Pending
    }
}

//! The clocks of one host: both may be wrong, each in its own way.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    moment::{Moment, micros},
    process::Life,
    world::World,
};
use crate::{
    domain::{Tick, Timestamp},
    ports::Clock,
};

/// Wall clock at the start of every run: 2025-09-26T11:15:00Z, the minute of the fire in Daejeon.
pub(super) const WALL_AT_START: i64 = 1_758_885_300_000;

/// How wrong a host's clocks are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Skew {
    /// How much too fast, in millionths. Crystals are within 100; 500 is what NTP may slew by.
    pub drift_ppm: i64,
    /// How much the wall clock is ahead, in milliseconds.
    pub wall_ahead: i64,
}

impl Skew {
    /// The monotonic clock of this host at a moment, in microseconds.
    pub(super) fn local(self, now: Moment) -> u64 {
        scaled(now.0, 1_000_000 + self.drift_ppm, 1_000_000)
    }

    /// The moment that is this long from now by this host's clock, never too early.
    fn later(self, now: Moment, time: Duration) -> Moment {
        Moment(now.0.saturating_add(scaled(micros(time), 1_000_000, 1_000_000 + self.drift_ppm) + 1))
    }
}

fn scaled(value: u64, by: i64, of: i64) -> u64 {
    if by == of {
        return value;
    }
    u64::try_from(i128::from(value) * i128::from(by) / i128::from(of.max(1))).unwrap_or(u64::MAX)
}

/// The clock of one process, or of the ledger.
pub(super) struct SimClock {
    pub world: Arc<World>,
    pub life: Life,
}

impl SimClock {
    fn skew(&self) -> Skew {
        self.world.state().processes.skew(self.life)
    }
}

#[async_trait]
impl Clock for SimClock {
    fn tick(&self) -> Tick {
        Tick(self.skew().local(self.world.now()) / 1_000)
    }

    fn wall(&self) -> Timestamp {
        let skew = self.skew();
        let elapsed = i64::try_from(skew.local(self.world.now()) / 1_000).unwrap_or(i64::MAX);
        Timestamp(WALL_AT_START + elapsed + skew.wall_ahead)
    }

    async fn sleep(&self, time: Duration) {
        let until = self.skew().later(self.world.now(), time);
        Sleep { world: &self.world, life: self.life, until, registered: false }.await;
    }
}

/// Ends at a moment of virtual time.
pub(super) struct Sleep<'a> {
    pub world: &'a World,
    pub life: Life,
    pub until: Moment,
    pub registered: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = self.world.now();
        let thaws = self.world.state().processes.thaws(self.life, now);
        match thaws {
            // Dead: its tasks are dropped as soon as the runtime comes to them.
            None => Poll::Pending,
            Some(at) if at <= now && self.until <= now => Poll::Ready(()),
            Some(at) => {
                if !self.registered || at > now {
                    self.registered = true;
                    self.world.wake_at(self.until.max(at), context.waker().clone(), self.life);
                }
                Poll::Pending
            }
        }
    }
}

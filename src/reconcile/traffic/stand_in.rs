//! What a process that does not lead does for traffic: it brings up to date what it reaches and the leader does not, such as
//! the name server of a site that is cut off from the leader's and not from the ledger.
//!
//! Nothing is decided here. What is published is the record that the ledger holds, once a run has said that it leads traffic
//! there, and only over an older epoch: the name server itself compares, so whoever comes late changes nothing. What stands
//! under the same epoch with other addresses, after an edit of the spec, is left to the leader.

use std::time::Duration;

use super::{BEHIND_INTERVAL, RouteSeen, retry};
use crate::{
    domain::{Epoch, Record, RouteName, StepResult, Tick},
    planted::planted,
    ports::Over,
    reconcile::{
        agent::Agent,
        book::{self, Entry},
        parse::Parsed,
        schedule::Schedule,
    },
};

/// Time that the leader is given to bring a server up to date. 2 s: it writes down that it leads traffic before it asks the
/// server, and one call ends within that.
const LEADERS_CHANCE: Duration = Duration::from_secs(2);

/// Time after that over which the looks of services are spread that moved together: a thousand connections at once are more
/// than a name server lets wait.
const SPREAD: Duration = Duration::from_secs(1);

impl RouteSeen {
    /// Takes note of whether a server is known to show an older epoch than the ledger's record, and since when.
    fn note_lateness(&mut self, epoch: Epoch, now: Tick) {
        let late = self.servers.iter().any(|server| server.epoch < Some(epoch));
        let since = self.late.filter(|(known, _)| *known == epoch).map_or(now, |(_, since)| since);
        self.late = late.then_some((epoch, since));
    }
}

impl Agent {
    /// Whether this process may do for traffic what the leader does not: it speaks for its region.
    pub(super) fn may_stand_in(&self) -> bool {
        self.speaks() && !self.is_leader()
    }

    /// When this process looks at a route whose server is late, and brings it up to date if it still is.
    pub(super) fn turn(
        &self,
        parsed: &Parsed,
        name: &RouteName,
        seen: &mut RouteSeen,
        epoch: Epoch,
    ) -> Option<Tick> {
        seen.note_lateness(epoch, self.ports.clock.tick());
        let (_, since) = seen.late?;
        let chance = since.plus(LEADERS_CHANCE);
        let from = if seen.at < chance { chance } else { seen.at.plus(BEHIND_INTERVAL) };
        let key = &parsed.service.key;
        Some(Schedule::new(SPREAD, key, &self.settings.region, name.as_str()).next(from, None))
    }

    /// Whether the leader has had its chance with a server of this route that was just seen to be late.
    pub(super) fn has_turn(&self, parsed: &Parsed, name: &RouteName, epoch: Epoch) -> bool {
        if !self.may_stand_in() {
            return false;
        }
        let now = self.ports.clock.tick();
        let mut shared = self.shared();
        let seen = shared.routes.get_mut(&parsed.service.key).and_then(|routes| routes.get_mut(name));
        let late = seen.and_then(|seen| {
            seen.note_lateness(epoch, now);
            seen.late
        });
        late.is_some_and(|(_, since)| since.plus(LEADERS_CHANCE) <= now)
    }

    /// Publishes in the leader's place what the ledger says.
    pub(super) async fn stand_in(&self, parsed: &Parsed, name: &RouteName, record: &Record) -> StepResult {
        let not_now = |why: &str| StepResult::NotYet(why.to_owned(), retry::delay(1));
        let Some(spec) = parsed.routes.get(name) else {
            return not_now("it is no longer part of spec.traffic");
        };
        let (route, answer) = match self.prepare(spec, name, parsed, record).await {
            Ok(prepared) => prepared,
            Err(error) => return StepResult::Failed(error),
        };
        // What this process has seen of the ledger may be old.
        let entry = Entry::Record(parsed.service.key.clone());
        match book::get::<Record>(self.ports.ledger.as_ref(), &entry).await {
            Ok(Some((_, held))) if held.epoch == record.epoch && held.serving == record.serving => {}
            Ok(_) => return not_now("the ledger has moved on"),
            Err(error) => return StepResult::Failed(error.to_string()),
        }
        if !self.may_stand_in() {
            return not_now("the leader does it, or another process speaks for this region");
        }
        let over = if planted!(StandInOverSame) { Over::Same } else { Over::Older };
        self.publish_on(parsed, name, spec, (route, answer), over).await
    }
}

//! The next state of a run, and what it wants done.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    DrillPhase, DrillRule, DrillRun, DrillSight, DrillVerdict, DrilledService, DrilledState, MoveSight,
    Order, PreCheck, ServiceSight, Stop, StopCause, Yes, verdict::verdict,
};
use crate::{
    domain::{MemberHealth, RegionName, RuleOutcome, RunId, RunState, Standing, Timestamp},
    planted::planted,
};

/// Times that a service is told to return before the drill ends without it. With [`RETURN_PAUSE`] between them this is five
/// minutes: a place that does not take its service back for so long will not without a person.
const RETURNS_MAX: u32 = 20;

/// Time between two orders to return.
const RETURN_PAUSE: Duration = Duration::from_secs(15);

/// Time after `max_duration` by which the way back is over as well, or the drill ends without it: it always ends.
const RETURN_LIMIT: Duration = Duration::from_secs(600);

/// Time after the hold for which the first answer on the traffic that still arrives is waited for: a leader that has just
/// taken over asks within some seconds.
const RESIDUAL_LIMIT: Duration = Duration::from_secs(15);

/// Moments that a run remembers: a drill of 50 services has some 200. A record of the ledger holds at most 1 MiB.
const TIMELINE_MAX: usize = 500;

impl DrillRun {
    /// Takes in what is seen, and goes on as far as it can without something being done.
    pub fn advance(&mut self, seen: &DrillSight) {
        if self.phase == DrillPhase::Announced {
            self.start(seen);
            return;
        }
        if self.detects && self.phase == DrillPhase::Holding {
            self.watch_stages(seen);
        }
        self.take_in(seen);
        if matches!(self.phase, DrillPhase::Leaving | DrillPhase::Holding) {
            self.guard(seen);
        }
        match self.phase {
            DrillPhase::Leaving => self.leave(seen),
            DrillPhase::Holding => self.hold(seen),
            DrillPhase::Returning => self.bring_back(seen),
            DrillPhase::Announced | DrillPhase::Over => {}
        }
    }

    /// What is wanted now. Follows from the state alone, so a new leader gives the orders that an old one could not.
    #[must_use]
    pub fn orders(&self, seen: &DrillSight) -> Vec<Order> {
        let both = self.services.iter().zip(&seen.services);
        both.filter_map(|(service, sight)| self.order(service, sight)).collect()
    }

    fn order(&self, drilled: &DrilledService, sight: &ServiceSight) -> Option<Order> {
        let service = drilled.service.clone();
        match drilled.state {
            DrilledState::Leaving if sight.away.is_none() => Some(Order::Move {
                run: self.away_id(drilled),
                from: Some(drilled.leaves.clone()),
                to: drilled.goes_to.clone(),
                back: false,
                service,
            }),
            DrilledState::Leaving if self.phase == DrillPhase::Returning && may_turn_back(sight) => {
                Some(Order::TurnBack { run: self.away_id(drilled), service })
            }
            DrilledState::Returning if sight.back.is_none() => Some(Order::Move {
                run: self.back_id(drilled),
                from: None,
                to: Some(drilled.leaves.clone()),
                back: true,
                service,
            }),
            _ => None,
        }
    }

    /// Name of the Failover that moves a service away.
    #[must_use]
    pub fn away_id(&self, drilled: &DrilledService) -> RunId {
        RunId::new(format!("{}-{}-away", self.id, drilled.service.name))
    }

    /// Name of the Failover that moves a service back: the last one, if several were needed.
    #[must_use]
    pub fn back_id(&self, drilled: &DrilledService) -> RunId {
        match drilled.returns {
            0 | 1 => RunId::new(format!("{}-{}-back", self.id, drilled.service.name)),
            more => RunId::new(format!("{}-{}-back-{more}", self.id, drilled.service.name)),
        }
    }

    /// Takes in the stages of the loss that a run which detects supposes. What was blocked once stays blocked: a loss may
    /// come at any moment.
    fn watch_stages(&mut self, seen: &DrillSight) {
        let mut newly = false;
        for stage in seen.services.iter().flat_map(|sight| &sight.checks) {
            let known = self.pre_checks.iter_mut();
            let same = |known: &&mut PreCheck| known.name == stage.name && known.service == stage.service;
            match known.into_iter().find(same) {
                Some(known) if known.outcome != RuleOutcome::Block && stage.outcome == RuleOutcome::Block => {
                    known.clone_from(stage);
                    newly = true;
                }
                _ => {}
            }
        }
        if newly {
            self.tell_unnoticed(seen.now);
        }
    }

    /// Notes each stage that a loss would not pass and that was not noted yet.
    pub(super) fn tell_unnoticed(&mut self, now: Timestamp) {
        let blocked = self.pre_checks.iter().filter(|stage| stage.outcome == RuleOutcome::Block);
        let texts: Vec<String> = blocked
            .map(|stage| {
                let of = stage.service.as_deref().unwrap_or_default();
                format!("{of}: a loss would not pass {}: {}", stage.name, stage.message)
            })
            .filter(|text| !self.findings.contains(text))
            .collect();
        for text in texts {
            self.findings.push(text.clone());
            self.note(now, text);
        }
    }

    fn take_in(&mut self, seen: &DrillSight) {
        for index in 0..self.services.len().min(seen.services.len()) {
            let sight = &seen.services[index];
            match self.services[index].state {
                DrilledState::Leaving => self.left(index, sight, seen.now),
                DrilledState::Away => self.moved_by_others(index, sight, seen.now),
                DrilledState::Returning => self.returned(index, sight, seen.now),
                _ => {}
            }
        }
    }

    fn left(&mut self, index: usize, sight: &ServiceSight, now: Timestamp) {
        let Some(away) = &sight.away else { return };
        let drilled = &mut self.services[index];
        let name = drilled.service.name.clone();
        match away.state {
            RunState::Running if planted!(ClockStartsLate) => drilled.left_at = Some(now),
            RunState::Running | RunState::Compensating | RunState::Paused => {}
            RunState::Succeeded => {
                drilled.state = DrilledState::Away;
                drilled.to.clone_from(&sight.serving);
                drilled.rto = since(away, drilled.left_at);
                self.note(now, format!("{name} is served by {}", names(&sight.serving)));
            }
            RunState::Planned => {
                drilled.state = DrilledState::Back;
                self.note(
                    now,
                    format!("{name}: the plan is in Failover {}", self.away_id(&self.services[index])),
                );
            }
            RunState::Refused | RunState::Compensated | RunState::Failed => {
                drilled.state = DrilledState::Stayed;
                self.note(now, format!("{name} stays where it was: {}", away.message));
                // One that was turned back because of a stop is no failure of its own.
                self.stop(now, StopCause::MoveFailed, format!("{name}: {}", away.message));
            }
        }
    }

    /// Somebody else changed who serves: a real failover, or a person.
    fn moved_by_others(&mut self, index: usize, sight: &ServiceSight, now: Timestamp) {
        let drilled = &mut self.services[index];
        if sight.serving == drilled.to || sight.serving.is_empty() {
            return;
        }
        let back = sight.serving == drilled.from;
        drilled.state = if back { DrilledState::Back } else { DrilledState::Kept };
        let message =
            format!("{} was moved to {} by another Failover", drilled.service.name, names(&sight.serving));
        self.note(now, message.clone());
        self.stop(now, StopCause::Incident, message);
    }

    fn returned(&mut self, index: usize, sight: &ServiceSight, now: Timestamp) {
        let drilled = &mut self.services[index];
        let over = sight.back.as_ref().is_some_and(|back| back.state.is_over());
        if !over {
            return;
        }
        let name = drilled.service.name.clone();
        if drilled.leaves_served(&sight.serving) {
            drilled.state = DrilledState::Back;
            drilled.return_time = sight.back.as_ref().and_then(|back| since(back, drilled.returned_at));
            return self.note(now, format!("{name} is back"));
        }
        let why = sight.back.as_ref().map(|back| back.message.clone()).unwrap_or_default();
        if drilled.returns < RETURNS_MAX {
            // Told again after a pause.
            drilled.state = DrilledState::Away;
            return self.note(now, format!("{name} did not come back: {why}"));
        }
        drilled.state = DrilledState::Kept;
        self.findings.push(format!("{name} did not come back: {why}"));
    }

    /// Stops the run if it must not go on. The first of these that applies is the cause.
    fn guard(&mut self, seen: &DrillSight) {
        let now = seen.now;
        // Looked at in any case: since when a number has been bad must not depend on what else happens.
        let broken = self.watch_conditions(seen);
        if let Some(region) = self.aborted_in() {
            let message = format!("a person in {region} stopped it");
            return self.stop(now, StopCause::Person, message);
        }
        let mut both = self.services.iter().zip(&seen.services);
        let lost = |sight: &ServiceSight| self.detects && sight.origin == MemberHealth::Down;
        let incident = both.find(|(drilled, sight)| drilled.has_lost_its_origin(sight) || lost(sight));
        if let Some((drilled, _)) = incident {
            let message = match self.detects {
                true => {
                    format!("{} failed in earnest, which serves {}", drilled.leaves, drilled.service.name)
                }
                false => format!("{} failed, which {} came from", drilled.leaves, drilled.service.name),
            };
            return self.stop(now, StopCause::Incident, message);
        }
        if let Some((name, message)) = self.unwell(seen).or(broken) {
            return self.trip(now, name, message);
        }
        if self.running_for(now) > self.limits.max_duration {
            self.stop(
                now,
                StopCause::OverTime,
                format!("it has taken longer than {:?}", self.limits.max_duration),
            );
        }
    }

    /// The first guardrail that a service that is away has tripped: its name, and what is wrong.
    fn unwell(&self, seen: &DrillSight) -> Option<(String, String)> {
        let both = self.services.iter().zip(&seen.services);
        let mut away = both.filter(|(drilled, _)| drilled.state == DrilledState::Away);
        away.find_map(|(drilled, sight)| {
            let unwell = match sight.health {
                MemberHealth::Down => true,
                MemberHealth::Degraded | MemberHealth::Recovering => self.limits.degraded,
                // Unknown is neither down nor up (I9).
                MemberHealth::Healthy | MemberHealth::Unknown => false,
            };
            let name = &drilled.service.name;
            if unwell {
                let at = names(&sight.serving);
                let message = format!("{name} is {} where it is served now, in {at}", sight.health);
                return Some(("Health".to_owned(), message));
            }
            let beyond = sight.beyond.as_ref()?;
            Some(("Samples".to_owned(), format!("{name} where it is served now: {beyond}")))
        })
    }

    /// Takes in what was measured: the first condition that makes the run return.
    fn watch_conditions(&mut self, seen: &DrillSight) -> Option<(String, String)> {
        let mut tripped = None;
        for (condition, measured) in self.conditions.iter_mut().zip(&seen.conditions) {
            if condition.guards
                && let Some(message) = condition.watch(measured, seen.now)
            {
                tripped.get_or_insert((condition.check_name(), message));
            }
        }
        tripped
    }

    /// Tells the next service to leave, when the one before has arrived.
    pub(super) fn leave(&mut self, seen: &DrillSight) {
        if self.services.iter().any(|service| service.state == DrilledState::Leaving) {
            return;
        }
        if self.rests(seen.now) {
            return;
        }
        if let Some(next) = self.services.iter_mut().find(|service| service.state == DrilledState::Waiting) {
            next.state = DrilledState::Leaving;
            next.left_at = Some(seen.now);
            let text = format!("{} leaves {}", next.service.name, next.leaves);
            return self.note(seen.now, text);
        }
        if self.services.iter().all(|service| service.state.is_settled()) {
            return self.end(seen.now);
        }
        self.phase = DrillPhase::Holding;
        self.held_since = Some(seen.now);
        self.note(seen.now, format!("all are away, held for {:?}", self.limits.hold));
    }

    /// Whether the next service waits, because a step of the ramp has been reached.
    fn rests(&mut self, now: Timestamp) -> bool {
        let all = self.services.len();
        let left = self.services.iter().filter(|service| service.state != DrilledState::Waiting).count();
        while let Some(step) = self.ramp.get(self.ramp_done).filter(|_| left < all) {
            if left < step.services(all) {
                return false;
            }
            let (hold, percent) = (step.hold, step.percent);
            let Some(since) = self.rests_since else {
                self.rests_since = Some(now);
                let text =
                    format!("{left} of {all} services have left ({percent} %): the next waits for {hold:?}");
                self.note(now, text);
                return true;
            };
            if now.since(since) < hold {
                return true;
            }
            self.rests_since = None;
            self.ramp_done += 1;
        }
        false
    }

    fn hold(&mut self, seen: &DrillSight) {
        let now = seen.now;
        let held = self.held_since.map(|since| now.since(since)).unwrap_or_default();
        if held >= self.limits.hold && self.has_residual(seen, held - self.limits.hold) {
            self.phase = DrillPhase::Returning;
            let text = if self.detects { "asked for long enough" } else { "held long enough: returns" };
            self.note(now, text.to_owned());
        }
    }

    /// Looks at what still arrives where the services were, which the name servers alone cannot tell: resolvers that keep
    /// answers for too long, and clients that keep connections. `false`: it is still waited for.
    fn has_residual(&mut self, seen: &DrillSight, late: Duration) -> bool {
        let mut both = self.conditions.iter().zip(&seen.conditions);
        let Some((condition, measured)) = both.find(|(condition, _)| condition.residual) else { return true };
        let (kept, text) = match condition.judge(measured) {
            None if late < RESIDUAL_LIMIT => return false,
            None => (false, "it is not known: nobody has asked it in time".to_owned()),
            Some(Standing::Unknown(why)) => (false, format!("it is not known: {why}")),
            Some(Standing::Broken(text)) => (false, text),
            Some(Standing::Kept(text)) => (true, text),
        };
        let text = format!("what still arrives where the services were: {text}");
        if !kept {
            self.findings.push(text.clone());
        }
        self.note(seen.now, text);
        true
    }

    /// Tells services to return: one after the other, the last first; all at once if the drill was stopped.
    fn bring_back(&mut self, seen: &DrillSight) {
        let now = seen.now;
        let out_of_time = self.running_for(now) > self.limits.max_duration + RETURN_LIMIT;
        for index in (0..self.services.len().min(seen.services.len())).rev() {
            let one_returns = self.services.iter().any(|service| service.state == DrilledState::Returning);
            let stopped = self.stop.is_some();
            let drilled = &mut self.services[index];
            let name = drilled.service.name.clone();
            match drilled.state {
                DrilledState::Waiting => drilled.state = DrilledState::Stayed,
                DrilledState::Away
                    if planted!(AbortDoesNotReturn)
                        && self.stop.as_ref().is_some_and(|stop| stop.cause == StopCause::Person) =>
                {
                    drilled.state = DrilledState::Kept;
                }
                DrilledState::Away if drilled.has_lost_its_origin(&seen.services[index]) => {
                    drilled.state = DrilledState::Kept;
                    let message =
                        format!("{} failed: {name} stays where it is, as after a failover", drilled.leaves);
                    self.note(now, message.clone());
                    self.stop(now, StopCause::Incident, message);
                }
                DrilledState::Away if (stopped || !one_returns) && drilled.may_return(now) => {
                    drilled.state = DrilledState::Returning;
                    drilled.returned_at = Some(now);
                    drilled.returns += 1;
                    let text = format!("{name} returns to {}", drilled.leaves);
                    self.note(now, text);
                }
                state if out_of_time && !state.is_settled() => {
                    drilled.state = DrilledState::Kept;
                    self.findings.push(format!("{name} was not brought back in time"));
                }
                _ => {}
            }
        }
        if self.services.iter().all(|service| service.state.is_settled()) {
            self.end(now);
        }
    }

    /// The first cause counts; but what truly breaks on the way back, and keeps a service where it is, was no failure to
    /// return.
    fn stop(&mut self, at: Timestamp, cause: StopCause, message: String) {
        self.phase = DrillPhase::Returning;
        let breaks = |known: &Stop| cause == StopCause::Incident && known.cause != StopCause::Incident;
        if self.stop.as_ref().is_none_or(breaks) {
            self.note(at, format!("stopped: {message}"));
            self.stop = Some(Stop { at, cause, message, guardrail: None });
        }
    }

    fn trip(&mut self, at: Timestamp, guardrail: String, message: String) {
        let first = self.stop.is_none();
        self.stop(at, StopCause::Guardrail, message);
        if let Some(stop) = self.stop.as_mut().filter(|_| first) {
            stop.guardrail = Some(guardrail);
        }
    }

    pub(super) fn end_unstarted(&mut self, rule: DrillRule, message: String, now: Timestamp) {
        self.phase = DrillPhase::Over;
        self.ended_at = Some(now);
        self.verdict = Some((DrillVerdict::NotStarted, rule));
        self.note(now, format!("not started: {message}"));
        for drilled in &mut self.services {
            drilled.state = DrilledState::Stayed;
        }
    }

    fn end(&mut self, now: Timestamp) {
        let (verdict, rule) = verdict(self);
        self.phase = DrillPhase::Over;
        self.ended_at = Some(now);
        self.verdict = Some((verdict, rule));
        let why = self.stop.as_ref().map(|stop| format!(": {}", stop.message)).unwrap_or_default();
        self.note(now, format!("{} by rule {rule}{why}", verdict.as_str()));
    }

    pub(super) fn note(&mut self, at: Timestamp, what: String) {
        self.message.clone_from(&what);
        if self.timeline.len() < TIMELINE_MAX {
            self.timeline.push((at, what));
        }
    }

    /// Distinct people whose yes counts, and when each said so first: not the one who asked for the run, and not for longer
    /// than they said.
    #[must_use]
    pub fn approved_by_at(&self, now: Timestamp) -> BTreeMap<String, Timestamp> {
        let said = self.words.values().flat_map(|words| &words.approvals);
        let counts = |(who, yes): &(&String, &Yes)| {
            self.requested_by.as_ref() != Some(who) && yes.until.is_none_or(|until| now < until)
        };
        said.filter(counts).fold(BTreeMap::new(), |mut all, (who, yes)| {
            let first = all.entry(who.clone()).or_insert(yes.at);
            *first = yes.at.min(*first);
            all
        })
    }

    /// The region in which a person said that it shall stop.
    pub(super) fn aborted_in(&self) -> Option<RegionName> {
        self.words.iter().find(|(_, words)| words.abort).map(|(region, _)| region.clone())
    }

    fn running_for(&self, now: Timestamp) -> Duration {
        self.started_at.map(|start| now.since(start)).unwrap_or_default()
    }
}

impl DrilledService {
    /// What was drilled away from broke: the service is where it should be.
    fn has_lost_its_origin(&self, sight: &ServiceSight) -> bool {
        let moved = matches!(self.state, DrilledState::Leaving | DrilledState::Away);
        moved && sight.origin == MemberHealth::Down
    }

    /// Told once, or long enough ago.
    fn may_return(&self, now: Timestamp) -> bool {
        self.returned_at.is_none_or(|told| now.since(told) >= RETURN_PAUSE)
    }

    fn leaves_served(&self, serving: &BTreeSet<RegionName>) -> bool {
        serving.contains(&self.leaves)
    }
}

/// A move away that is going on and would lead back to something that works.
fn may_turn_back(sight: &ServiceSight) -> bool {
    let going_on = sight.away.as_ref().is_some_and(|away| away.state == RunState::Running);
    going_on && sight.origin != MemberHealth::Down
}

fn since(moved: &MoveSight, from: Option<Timestamp>) -> Option<Duration> {
    Some(moved.verified?.since(from?))
}

fn names(regions: &BTreeSet<RegionName>) -> String {
    regions.iter().map(|region| region.as_str()).collect::<Vec<_>>().join(", ")
}

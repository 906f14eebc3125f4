//! What is known of a run at one moment.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::super::access::{Role, Session};
use crate::{
    api::{DrillRun, DrillRunStatus, DrilledService, Failover, FailoverPhase, SwitchoverDrill},
    domain::Timestamp,
};

/// The run, and what belongs to it.
pub(super) struct Sight {
    pub(super) run: DrillRun,
    /// Its drill; `None`: it is gone, or could not be read.
    pub(super) drill: Option<SwitchoverDrill>,
    /// Failovers of the run, by name.
    pub(super) moves: BTreeMap<String, Failover>,
    /// Why the cluster cannot be looked at.
    pub(super) trouble: Option<String>,
    pub(super) now: Timestamp,
    /// In which moments are shown.
    pub(super) zone: TimeZone,
}

impl Sight {
    pub(super) async fn new(session: &Session, run: DrillRun) -> Self {
        let namespace = run.metadata.namespace.clone().unwrap_or_default();
        let drill: Option<SwitchoverDrill> =
            session.find(&namespace, &run.spec.drill_name).await.ok().flatten();
        let of_drill = drill.as_ref().and_then(|drill| drill.spec.schedule.as_ref());
        let zone = of_drill.and_then(|schedule| TimeZone::get(&schedule.time_zone).ok());
        // Without a schedule, that of whoever looks.
        let zone = zone.or_else(|| TimeZone::try_system().ok()).unwrap_or(TimeZone::UTC);
        let mut sight = Self { run, drill, moves: BTreeMap::new(), trouble: None, now: session.now(), zone };
        sight.look_at_moves(session).await;
        sight
    }

    /// Looks again.
    pub(super) async fn look(&mut self, session: &Session) -> anyhow::Result<()> {
        let meta = &self.run.metadata;
        let (namespace, name) = (meta.namespace.clone(), meta.name.clone().unwrap_or_default());
        self.run = session.get(&namespace.unwrap_or_default(), &name, Role::View).await?;
        self.look_at_moves(session).await;
        self.trouble = None;
        Ok(())
    }

    /// A Failover that is over is not read again. One that cannot be read is not drawn.
    async fn look_at_moves(&mut self, session: &Session) {
        let namespace = self.run.metadata.namespace.clone().unwrap_or_default();
        let status = self.status();
        let named = status.services.iter().flat_map(|drilled| [drilled.away.clone(), drilled.back.clone()]);
        let names: Vec<String> =
            named.flatten().filter(|name| !self.moves.get(name).is_some_and(is_over)).collect();
        for name in names {
            if let Ok(Some(found)) = session.find(&namespace, &name).await {
                self.moves.insert(name, found);
            }
        }
    }

    pub(super) fn status(&self) -> DrillRunStatus {
        self.run.status.clone().unwrap_or_default()
    }

    pub(super) fn is_over(&self) -> bool {
        self.run.status.as_ref().is_some_and(|status| status.verdict.is_some())
    }

    /// When the move away of a service began, and when it was verified.
    pub(super) fn away(&self, drilled: &DrilledService) -> [Option<Timestamp>; 2] {
        self.times(drilled.away.as_ref())
    }

    /// When the move back of a service began, and when it was verified.
    pub(super) fn back(&self, drilled: &DrilledService) -> [Option<Timestamp>; 2] {
        self.times(drilled.back.as_ref())
    }

    fn times(&self, name: Option<&String>) -> [Option<Timestamp>; 2] {
        let found = name.and_then(|name| self.moves.get(name)).and_then(|found| found.status.as_ref());
        let times = found.and_then(|status| status.times.clone()).unwrap_or_default();
        [times.decided, times.verified.or(times.settled)].map(|time| time.as_deref().and_then(instant))
    }

    /// From when to when a picture reaches: to now, or to where the hold will end.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let status = self.status();
        let from = status.starts_at.as_deref().and_then(instant).filter(|from| *from <= self.now)?;
        let to = status.ended_at.as_deref().and_then(instant).unwrap_or(self.now);
        let to = self.hold_ends().filter(|_| !self.is_over()).map_or(to, |end| to.max(end));
        (from < to).then_some((from, to))
    }

    /// When the hold will end, once all are away.
    pub(super) fn hold_ends(&self) -> Option<Timestamp> {
        let hold = self.drill.as_ref()?.spec.hold.0;
        let services = self.status().services;
        let verified: Option<Vec<Timestamp>> = services.iter().map(|drilled| self.away(drilled)[1]).collect();
        let last = verified?.into_iter().max()?;
        Some(Timestamp(last.0.saturating_add(i64::try_from(hold.as_millis()).ok()?)))
    }

    /// The time of the day, to the millisecond.
    pub(super) fn of_day(&self, moment: &str) -> String {
        match moment.parse::<jiff::Timestamp>() {
            Ok(time) => time.to_zoned(self.zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
            Err(_) => moment.to_owned(),
        }
    }

    /// The zone, with its offset now.
    pub(super) fn zone_name(&self) -> String {
        let name = self.zone.iana_name().unwrap_or("UTC");
        match jiff::Timestamp::from_millisecond(self.now.0) {
            Ok(now) => format!("{name} {}", now.to_zoned(self.zone.clone()).strftime("%:z")),
            Err(_) => name.to_owned(),
        }
    }

    /// The day on which it starts, or started.
    pub(super) fn day(&self) -> String {
        let start = self.status().starts_at.and_then(|start| start.parse::<jiff::Timestamp>().ok());
        let day = start.map(|start| start.to_zoned(self.zone.clone()).strftime("%Y-%m-%d").to_string());
        day.unwrap_or_default()
    }
}

fn is_over(failover: &Failover) -> bool {
    use FailoverPhase::{Compensated, Failed, Planned, Refused, Succeeded};
    let phase = failover.status.as_ref().and_then(|status| status.phase);
    matches!(phase, Some(Succeeded | Compensated | Failed | Refused | Planned))
}

/// A moment that was written as RFC 3339.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_millisecond()))
}

//! The survey of all services, for what only all of them together show. Made from the last one and from what was said
//! since: to ask about a thousand services at each new word would take longer than to decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{agent::Agent, book::VerdictEntry, catalog::Catalog, mirror::Verdicts, parse::Parsed};
use crate::domain::{
    Fleet, RegionName, Report, Service, ServiceKey, ServiceReports, Tick, VantageView, survey,
};

/// Shortest time between two surveys of all services. A survey of a thousand services takes less than a millisecond, so
/// this costs at most a tenth of a core while everything changes at once.
pub(super) const SURVEY_INTERVAL: Duration = Duration::from_millis(10);

/// Oldest survey that is used while nothing new is said, and oldest complete one that others are made from. 1 s: a
/// service that was added or removed changes verdicts, so this is for what nobody thought of.
const SURVEY_AGE_MAX: Duration = Duration::from_secs(1);

/// The last survey, and what it was made from.
#[derive(Default)]
pub(super) struct Surveyed {
    last: Option<(Tick, Arc<Fleet>)>,
    asked: Asked,
}

/// What the vantages say of all services.
#[derive(Default)]
struct Asked {
    /// When all were asked about last.
    at: Tick,
    vantages: Vec<VantageView>,
    /// In the order of their keys.
    services: Vec<Arc<Parsed>>,
    /// In the order of the services.
    reports: Vec<ServiceReports>,
}

impl Agent {
    /// What all services together say, at most [`SURVEY_INTERVAL`] behind the verdicts.
    pub(super) fn fleet(&self, catalog: &Catalog) -> Arc<Fleet> {
        // Held over the survey: who comes meanwhile wants the same. What a panic leaves is made anew within a second.
        let mut surveyed = self.surveyed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.ports.clock.tick();
        let age_max = if self.mirror.has_news() { SURVEY_INTERVAL } else { SURVEY_AGE_MAX };
        if let Some((made, fleet)) = &surveyed.last
            && now.since(*made) < age_max
        {
            return fleet.clone();
        }
        self.ask(&mut surveyed.asked, catalog, now);
        let fleet = Arc::new(survey(surveyed.asked.vantages.clone(), &surveyed.asked.reports));
        let before = surveyed.last.replace((now, fleet.clone()));
        drop(surveyed);
        // A lost region concerns services whose own verdicts did not change.
        if before.is_some_and(|(_, before)| before.standing() != fleet.standing()) {
            self.push_all();
        }
        fleet
    }

    /// Lets the next survey begin from nothing, for a preview, where the ledger and the clock are made up.
    pub(super) fn forget_survey(&self) {
        *self.surveyed.lock().unwrap_or_else(PoisonError::into_inner) = Surveyed::default();
    }

    /// Asks again about the services of which something else is said, or about all of them.
    fn ask(&self, asked: &mut Asked, catalog: &Catalog, now: Tick) {
        let young = now.since(asked.at) < SURVEY_AGE_MAX;
        self.mirror.with_news(|news, said| {
            let alive = said.vantages().into_iter();
            let vantages: Vec<VantageView> =
                alive.map(|(region, alive)| VantageView { region, alive, suspect: false }).collect();
            let same = !news.all && asked.vantages == vantages && asked.is_about(catalog);
            match young && same {
                true => asked.again(&news.services, said),
                false => *asked = Asked::about(catalog, vantages, said, now),
            }
            debug_assert!(
                asked.reports == Asked::about(catalog, asked.vantages.clone(), said, now).reports,
                "what is new was heard, and nothing else changed"
            );
        });
    }
}

impl Asked {
    fn about(catalog: &Catalog, vantages: Vec<VantageView>, said: &Verdicts<'_>, at: Tick) -> Self {
        let services: Vec<Arc<Parsed>> = parsed(catalog).cloned().collect();
        let reports = services.iter().map(|parsed| service_reports(parsed, said, &vantages)).collect();
        Self { at, vantages, services, reports }
    }

    /// Whether the services are those of the catalog, and the same.
    fn is_about(&self, catalog: &Catalog) -> bool {
        self.services.iter().map(Arc::as_ptr).eq(parsed(catalog).map(Arc::as_ptr))
    }

    fn again(&mut self, news: &BTreeSet<ServiceKey>, said: &Verdicts<'_>) {
        for key in news {
            let index = self.services.binary_search_by(|parsed| parsed.service.key.cmp(key));
            // Of services that are not in the catalog nothing is asked.
            let Ok(index) = index else { continue };
            self.reports[index] = service_reports(&self.services[index], said, &self.vantages);
        }
    }
}

fn parsed(catalog: &Catalog) -> impl Iterator<Item = &Arc<Parsed>> {
    catalog.services.values().filter_map(|entry| entry.parsed.as_ref().ok())
}

fn service_reports(parsed: &Parsed, said: &Verdicts<'_>, vantages: &[VantageView]) -> ServiceReports {
    let health = &parsed.service.health;
    ServiceReports {
        quorum: health.quorum,
        resolution: health.interval + health.timeout,
        members: reports(&parsed.service, said, vantages),
    }
}

/// What each vantage says of each member, in the order of the vantages. No word is `Unknown`.
pub(super) fn reports(
    service: &Service,
    said: &Verdicts<'_>,
    vantages: &[VantageView],
) -> BTreeMap<RegionName, Vec<Report>> {
    let said = said.of(&service.key, vantages);
    let of = |entry: &Option<&VerdictEntry>, member: &RegionName| {
        let verdict = entry.and_then(|entry| entry.members.get(member));
        verdict.map_or_else(Report::default, |v| Report {
            verdict: v.verdict,
            onset: v.onset,
            since: v.since,
        })
    };
    let members = service.members.keys();
    members.map(|member| (member.clone(), said.iter().map(|entry| of(entry, member)).collect())).collect()
}

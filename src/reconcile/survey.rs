//! The survey of all services, for what only all of them together show. Made from the last one and from what was said
//! since: to ask about a thousand services at each new word would take longer than to decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{
    agent::Agent,
    book::VerdictEntry,
    catalog::Catalog,
    mirror::{News, Touched, Verdicts},
    parse::Parsed,
};
use crate::domain::{
    Fleet, RegionName, Report, Service, ServiceKey, ServiceReports, Tick, VantageView, survey,
};

/// Shortest time between two surveys of all services. A survey of a thousand services takes less than a millisecond, so
/// this costs at most a tenth of a core while everything changes at once.
const SURVEY_INTERVAL: Duration = Duration::from_millis(10);

/// Longest time between two surveys while something changes, however long one takes: a loss is confirmed by so much later.
const SURVEY_INTERVAL_MAX: Duration = Duration::from_millis(100);

/// Share of a core that surveys may take, as a divisor: where ten thousand services take 5 ms, they are surveyed each 50 ms.
const SURVEY_SHARE: u32 = 10;

/// Oldest survey that is used while nothing new is said, and oldest complete one that others are made from. 1 s: a
/// service that was added or removed changes verdicts, so this is for what nobody thought of.
const SURVEY_AGE_MAX: Duration = Duration::from_secs(1);

/// The last survey, and what it was made from.
#[derive(Default)]
pub(super) struct Surveyed {
    last: Option<(Tick, Arc<Fleet>)>,
    /// How long it took to make it.
    took: Duration,
    asked: Asked,
}

impl Surveyed {
    /// Shortest time until the next one.
    fn interval(&self) -> Duration {
        (self.took * SURVEY_SHARE).clamp(SURVEY_INTERVAL, SURVEY_INTERVAL_MAX)
    }
}

/// What the vantages say of all services.
#[derive(Default)]
pub(super) struct Asked {
    /// When all were asked about last.
    at: Tick,
    vantages: Vec<VantageView>,
    /// In the order of their keys.
    services: Vec<Arc<Parsed>>,
    /// In the order of the services.
    reports: Vec<ServiceReports>,
}

impl Agent {
    /// What all services together say, at most [`SURVEY_INTERVAL_MAX`] behind the verdicts.
    pub(super) fn fleet(&self, catalog: &Catalog) -> Arc<Fleet> {
        self.with_survey(catalog, None, |fleet, _| fleet.clone())
    }

    /// What all services together say, and the words from which that follows. A word counts from the survey that took it
    /// in: a newer one is not yet known to be that of a suspect. `about`: who is asked about must be in it.
    pub(super) fn with_survey<T>(
        &self,
        catalog: &Catalog,
        about: Option<&Parsed>,
        look: impl FnOnce(&Arc<Fleet>, &Asked) -> T,
    ) -> T {
        // Held over the survey: who comes meanwhile wants the same. What a panic leaves is made anew within a second.
        let mut surveyed = self.surveyed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.ports.clock.tick();
        let age_max = match self.mirror.news() {
            News::Everything => Duration::ZERO,
            News::Some => surveyed.interval(),
            News::None => SURVEY_AGE_MAX,
        };
        let young = surveyed.last.as_ref().is_some_and(|(made, _)| now.since(*made) < age_max);
        let again = match young && about.is_none_or(|parsed| surveyed.asked.knows(parsed)) {
            true => Touched::default(),
            false => self.survey(&mut surveyed, catalog, now),
        };
        let fleet = surveyed.last.as_ref().map(|(_, fleet)| fleet.clone()).unwrap_or_default();
        let seen = look(&fleet, &surveyed.asked);
        drop(surveyed);
        self.look_again(again, catalog);
        seen
    }

    /// A new survey, and whom to look at because of it.
    fn survey(&self, surveyed: &mut Surveyed, catalog: &Catalog, now: Tick) -> Touched {
        let mut again = self.ask(&mut surveyed.asked, catalog, now);
        let fleet = Arc::new(survey(surveyed.asked.vantages.clone(), &surveyed.asked.reports));
        surveyed.took = self.ports.clock.tick().since(now);
        let before = surveyed.last.replace((now, fleet.clone()));
        // A lost region concerns services whose own verdicts did not change.
        again.all |= before.is_some_and(|(_, before)| before.standing() != fleet.standing());
        again
    }

    fn look_again(&self, touched: Touched, catalog: &Catalog) {
        if touched.all {
            return self.push_all();
        }
        self.push_with_dependents(touched.services, catalog);
    }

    /// Time until the next survey may be made.
    pub(super) fn time_to_survey(&self) -> Duration {
        let surveyed = self.surveyed.lock().unwrap_or_else(PoisonError::into_inner);
        let age = surveyed.last.as_ref().map(|(made, _)| self.ports.clock.tick().since(*made));
        age.map_or(Duration::ZERO, |age| surveyed.interval().saturating_sub(age))
    }

    /// Lets the next survey begin from nothing, for a preview, where the ledger and the clock are made up.
    pub(super) fn forget_survey(&self) {
        *self.surveyed.lock().unwrap_or_else(PoisonError::into_inner) = Surveyed::default();
    }

    /// Asks again about the services of which something else is said, or about all of them. Of whom something is new.
    fn ask(&self, asked: &mut Asked, catalog: &Catalog, now: Tick) -> Touched {
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
            news
        })
    }
}

impl Asked {
    fn about(catalog: &Catalog, vantages: Vec<VantageView>, said: &Verdicts<'_>, at: Tick) -> Self {
        let services: Vec<Arc<Parsed>> = parsed(catalog).cloned().collect();
        let reports = services.iter().map(|parsed| service_reports(parsed, said, &vantages)).collect();
        Self { at, vantages, services, reports }
    }

    /// What each vantage says of each member of a service, in the order of the vantages.
    pub(super) fn reports(&self, service: &ServiceKey) -> BTreeMap<RegionName, Vec<Report>> {
        self.index(service).map(|index| self.reports[index].members.clone()).unwrap_or_default()
    }

    fn knows(&self, parsed: &Parsed) -> bool {
        self.index(&parsed.service.key).is_some_and(|index| std::ptr::eq(&*self.services[index], parsed))
    }

    fn index(&self, service: &ServiceKey) -> Option<usize> {
        self.services.binary_search_by(|parsed| parsed.service.key.cmp(service)).ok()
    }

    /// Whether the services are those of the catalog, and the same.
    fn is_about(&self, catalog: &Catalog) -> bool {
        self.services.iter().map(Arc::as_ptr).eq(parsed(catalog).map(Arc::as_ptr))
    }

    fn again(&mut self, news: &BTreeSet<ServiceKey>, said: &Verdicts<'_>) {
        for key in news {
            // Of services that are not in the catalog nothing is asked.
            let Some(index) = self.index(key) else { continue };
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
fn reports(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surveys_take_a_tenth_of_a_core_and_a_loss_is_never_confirmed_by_more_than_a_tenth_of_a_second_later() {
        let interval = |took| {
            Surveyed { took: Duration::from_millis(took), ..Surveyed::default() }.interval().as_millis()
        };
        assert_eq!([0, 1, 5, 10, 1_000].map(interval), [10, 10, 50, 100, 100]);
    }
}

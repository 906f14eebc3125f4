//! What the regions say that they hold, and whose their names are.

use std::{collections::BTreeMap, sync::Arc};

use super::{Mirror, Seen, State, Verdicts};
use crate::{
    domain::{RegionName, ServiceKey, SpecWord},
    ports::Version,
    reconcile::{
        book::{Hash, SpecMark, SpecSource, StandingEntry},
        identity::IdentityEntry,
    },
};

/// What is held of a service.
pub struct Held<'a> {
    /// Hash of its spec.
    pub spec: &'a Hash,
    /// Its grade.
    pub grade: i32,
    /// Hash of the policy in force for the grade, if there is one.
    pub policy: Option<&'a Hash>,
}

impl Mirror {
    /// What the other regions that are alive say of the spec that one holds of a service; `grade` is that of the policy
    /// in force for it.
    pub fn spec_words(
        &self,
        service: &ServiceKey,
        own: &RegionName,
        held: &Held<'_>,
    ) -> Vec<(RegionName, SpecWord)> {
        let state = self.state();
        let said = state.verdicts();
        let specs = state.specs.get(service);
        let others = said.holders.keys().map(RegionName::new).filter(|region| region != own);
        let word = |region: &RegionName| {
            let Some(standing) = state.standing_of(&said, region) else { return SpecWord::Unsaid };
            match specs.and_then(|specs| specs.get(region)) {
                None => SpecWord::Missing,
                Some((_, mark)) if mark.hash != *held.spec => SpecWord::Other,
                Some(_) if standing.grades.get(&held.grade) != held.policy => SpecWord::Other,
                Some(_) => SpecWord::Same,
            }
        };
        others.map(|region| (region.clone(), word(&region))).collect()
    }

    /// What each other region that is alive holds besides services; `None`: the process that speaks for it did not say it.
    pub fn with_standings<T>(
        &self,
        own: &RegionName,
        look: impl Fn(RegionName, Option<&StandingEntry>) -> T,
    ) -> Vec<T> {
        let state = self.state();
        let said = state.verdicts();
        let others = said.holders.keys().map(RegionName::new).filter(|region| region != own);
        let look = |region: RegionName| {
            let standing = state.standing_of(&said, &region).map(AsRef::as_ref);
            look(region, standing)
        };
        others.map(look).collect()
    }

    /// Whether another region is alive that reads its own cluster. One that does not say it is older, and reads it.
    pub fn others_read_their_cluster(&self, own: &RegionName) -> bool {
        let reads = |_: RegionName, standing: Option<&StandingEntry>| {
            standing.is_none_or(|standing| standing.source == SpecSource::Cluster)
        };
        self.with_standings(own, reads).contains(&true)
    }

    /// Which installation has a region's name.
    pub fn identity(&self, region: &RegionName) -> Option<Seen<IdentityEntry>> {
        self.state().identities.get(region).cloned()
    }

    /// What a region wrote last of what it holds, whoever wrote it.
    pub fn standing_entry(&self, region: &RegionName) -> Option<Seen<StandingEntry>> {
        self.state().standings.get(region).cloned()
    }

    /// What a region wrote last of its spec of a service.
    pub fn spec_entry(&self, region: &RegionName, service: &ServiceKey) -> Option<Seen<SpecMark>> {
        self.state().specs.get(service).and_then(|specs| specs.get(region)).cloned()
    }

    /// Services of which a region wrote a spec.
    pub fn specs_of(&self, region: &RegionName) -> Vec<(ServiceKey, Version)> {
        let state = self.state();
        let of_region = |(key, specs): (&ServiceKey, &BTreeMap<RegionName, Seen<SpecMark>>)| {
            specs.get(region).map(|(version, _)| (key.clone(), *version))
        };
        state.specs.iter().filter_map(of_region).collect()
    }
}

impl State {
    fn standing_of(&self, said: &Verdicts<'_>, region: &RegionName) -> Option<&Arc<StandingEntry>> {
        let (holder, term) = said.holders.get(region.as_str())?;
        let (_, standing) = self.standings.get(region)?;
        (standing.incarnation == **holder && *term <= standing.term).then_some(standing)
    }
}

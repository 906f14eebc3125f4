//! Whether Bongsu decides and publishes by specs that most regions hold (rule `SpecInSync`, ADR 13). Which regions count can
//! be seen from outside only when all is quiet, so each that cannot be known now counts in Bongsu's favour.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::Invariant;
use crate::{
    api::{SharedService, SharedServiceSpec},
    domain::{RegionName, Run, ServiceKey, Trigger},
    sim::{fault::Fault, moment::Moment, network::Site, process::Life, world::State},
};

/// What an update that is on its way when its run ends may come later.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// A SharedService as a cluster holds it; `None`: it holds none.
type Held = Option<Arc<SharedService>>;

/// What is known of the specs.
#[derive(Default)]
pub(in crate::sim) struct Specs {
    /// By site and service, what its cluster held before, and until when.
    past: BTreeMap<(Site, ServiceKey), Vec<(Moment, Held)>>,
    /// When something last began or ended that keeps words from being said or heard.
    disturbed: Option<Moment>,
    /// The same for one site alone.
    disturbed_at: BTreeMap<Site, Moment>,
    /// Addresses that a person gave to members, each with those in whose place it is.
    pub given: BTreeMap<IpAddr, BTreeSet<IpAddr>>,
}

/// What one region says of the spec that another one holds.
enum Says {
    Same,
    Other,
    /// It has no word, and does not count.
    Nothing,
}

impl Specs {
    /// What a cluster held until now is replaced.
    pub(in crate::sim) fn replaced(&mut self, now: Moment, site: Site, service: &ServiceKey, held: Held) {
        self.past.entry((site, service.clone())).or_default().push((now, held));
    }

    /// A fault began or ended.
    pub(in crate::sim) fn fault(&mut self, now: Moment, fault: &Fault) {
        match fault {
            Fault::ApiDown(site) | Fault::ApiStale(site) => {
                self.disturbed_at.insert(*site, now);
            }
            Fault::Dark(_) => self.disturbed = Some(now),
            _ if fault.keeps_words_away() => self.disturbed = Some(now),
            _ => {}
        }
    }
}

impl State {
    /// A run begins: if nobody asked for it, most regions hold the spec of who begins it.
    pub(super) fn begun_in_sync(&mut self, now: Moment, life: Life, run: &Run) {
        let waits = match run.plan.change.trigger {
            Trigger::Manual | Trigger::Return => false,
            Trigger::Establish
            | Trigger::MemberDown
            | Trigger::RegionLost
            | Trigger::Failback
            | Trigger::SpecChanged
            | Trigger::Drill => true,
        };
        let Some(site) = self.processes.get(life.process).map(|process| process.site) else { return };
        if !waits || !self.has_settled(now, site) {
            return;
        }
        let held = self.held_of_late(now, site, &run.service);
        if !held.iter().any(|held| self.may_be_of_most(now, site, &run.service, held)) {
            let what = format!(
                "{} is begun by bongsu in {}, whose spec of {} most regions do not hold",
                run.id,
                self.name_of(site),
                run.service
            );
            self.checker.breaks(Invariant::SpecInSync, now, what);
        }
    }

    /// What is published under the epoch of the ledger are the addresses of who serves, by a spec that most regions hold.
    pub(super) fn answered_in_sync(
        &mut self,
        now: Moment,
        at: &str,
        service: &ServiceKey,
        addresses: &BTreeSet<IpAddr>,
    ) {
        let Some(record) = self.checker.records.get(service) else { return };
        // Who began a run may end it, by the spec that it was begun with.
        let run = record.run.clone().and_then(|id| self.checker.runs.get(&(service.namespace.clone(), id)));
        let goes_on = run.is_some_and(|noted| noted.over.is_none_or(|over| now.since(over) < ON_ITS_WAY));
        if goes_on {
            return;
        }
        let serving = record.serving.clone();
        let sites: Vec<Site> = self.network.sites().filter(|site| *site != self.network.outside()).collect();
        let alive = sites.into_iter().filter(|site| self.processes.is_alive(u16::from(site.0)));
        let says_so = |held: &Held| {
            let spec = held.as_ref().map(|held| &held.spec);
            spec.is_some_and(|spec| published_by(spec, &serving) == *addresses)
        };
        let in_sync = alive.into_iter().any(|site| {
            !self.has_settled(now, site)
                || self
                    .held_of_late(now, site, service)
                    .iter()
                    .any(|held| says_so(held) && self.may_be_of_most(now, site, service, held))
        });
        if !in_sync {
            let what =
                format!("{at} answers {addresses:?} for {service} by a spec that most regions do not hold");
            self.checker.breaks(Invariant::SpecInSync, now, what);
        }
    }

    /// Whether most regions may hold what one holds.
    fn may_be_of_most(&self, now: Moment, site: Site, service: &ServiceKey, held: &Held) -> bool {
        let outside = self.network.outside();
        let others = self.network.sites().filter(|other| *other != site && *other != outside);
        let (mut same, mut other) = (1, 0);
        for region in others {
            match self.says(now, region, service, held) {
                Says::Same => same += 1,
                Says::Other => other += 1,
                Says::Nothing => {}
            }
        }
        same > other
    }

    fn says(&self, now: Moment, site: Site, service: &ServiceKey, held: &Held) -> Says {
        let Some(process) = self.processes.get(u16::from(site.0)) else { return Says::Nothing };
        if !process.is_alive() && now.since(process.died_at) > self.settles_in() {
            return Says::Nothing;
        }
        let own = self.held_of_late(now, site, service);
        let spec = |held: &Held| held.as_ref().map(|held| held.spec.clone());
        if !self.has_settled(now, site) || own.iter().any(|own| spec(own) == spec(held)) {
            return Says::Same;
        }
        if self.may_be_lost(now, site) { Says::Nothing } else { Says::Other }
    }

    /// Whether what a region's cluster holds has long been said in the ledger, and everybody has read it.
    fn has_settled(&self, now: Moment, site: Site) -> bool {
        let time = self.settles_in();
        let long_ago = |moment: Option<&Moment>| moment.is_none_or(|moment| now.since(*moment) > time);
        let process = u16::from(site.0);
        let awake = self.processes.works(process, now)
            && self.processes.get(process).is_some_and(|process| now.since(process.awake_since) > time);
        let specs = &self.checker.specs;
        awake
            && self.clusters.at(site).is_some_and(|cluster| cluster.answers() && !cluster.stale)
            && !self.active.keep_words_away()
            && long_ago(specs.disturbed.as_ref())
            && long_ago(specs.disturbed_at.get(&site))
    }

    /// A lease until a silent region is known to be silent, and as much again for what is tried again.
    fn settles_in(&self) -> Duration {
        self.checker.setup.lease_ttl * 2
    }

    /// What a cluster holds, and what it held a short while ago.
    fn held_of_late(&self, now: Moment, site: Site, service: &ServiceKey) -> Vec<Held> {
        let present = self.clusters.at(site).map(|cluster| cluster.service(service));
        let past = self.checker.specs.past.get(&(site, service.clone())).into_iter().flatten();
        let late = past.filter(|(until, _)| now.since(*until) <= self.settles_in());
        present.into_iter().chain(late.map(|(_, held)| held.clone())).collect()
    }

    /// A region of which two members were seen to fail may be called lost, and then has no word.
    fn may_be_lost(&self, now: Moment, site: Site) -> bool {
        let members = self.members.list.iter().enumerate().filter(|(_, member)| member.site == site);
        let failed = members.filter(|(member, of)| {
            let from = self.oldest(now, &of.service);
            self.vantages().any(|vantage| self.members.seen(vantage, *member).since(from, true) > 0)
        });
        failed.count() > 1
    }

    fn name_of(&self, site: Site) -> String {
        self.checker.setup.region(site).map(ToString::to_string).unwrap_or_default()
    }
}

/// The addresses that a spec gives to those who serve.
fn published_by(spec: &SharedServiceSpec, serving: &BTreeSet<RegionName>) -> BTreeSet<IpAddr> {
    let serves = |region: &str| serving.iter().any(|serving| serving.as_str() == region);
    let members = spec.members.iter().filter(|member| serves(&member.region));
    members.flat_map(|member| &member.addresses).filter_map(|address| address.parse().ok()).collect()
}

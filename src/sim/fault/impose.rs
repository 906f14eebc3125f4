//! What the faults that last make of the world.

use std::time::Duration;

use super::{Fault, Trouble};
use crate::sim::{
    clock::Skew,
    ledger::LedgerFaults,
    members::Condition,
    moment::Moment,
    names::Manner,
    network::{Link, Site},
    world::State,
};

impl State {
    /// Puts the world into the state that the active faults make together. Made anew each time, so that faults which
    /// overlap do not undo each other.
    pub(super) fn impose(&mut self) {
        self.network.mend();
        self.ledger = LedgerFaults::default();
        self.processes.ledger_skew = Skew::default();
        for process in &mut self.processes.list {
            process.skew = Skew::default();
            (process.lies, process.dark) = (false, false);
        }
        for cluster in &mut self.clusters.list {
            (cluster.down, cluster.stale, cluster.dark) = (false, false, false);
        }
        for server in &mut self.names.list {
            (server.manner, server.dark) = (Manner::Good, false);
        }
        for member in &mut self.members.list {
            (member.condition, member.dark) = (Condition::Good, false);
        }
        let active = std::mem::take(&mut self.active);
        active.0.iter().for_each(|(_, fault)| self.impose_one(fault));
        self.active = active;
    }

    /// Notes what the checks must know of the faults: who sees nothing but its own trouble, and how far clocks are apart.
    pub(super) fn note_faults(&mut self, now: Moment) {
        for index in 0..self.processes.list.len() {
            let Ok(process) = u16::try_from(index) else { break };
            let cut_off = self.is_cut_off(process);
            let process = &mut self.processes.list[index];
            let blind = process.lies || cut_off;
            process.blind_since = blind.then(|| process.blind_since.unwrap_or(now));
        }
        for ahead in self.processes.list.iter().map(|process| process.skew.wall_ahead) {
            self.checker.clocks.0 = self.checker.clocks.0.min(ahead);
            self.checker.clocks.1 = self.checker.clocks.1.max(ahead);
        }
    }

    /// Whether a vantage cannot talk to two other regions or more: what it sees is its own fault.
    fn is_cut_off(&self, process: u16) -> bool {
        let Some(site) = self.processes.get(process).map(|process| process.site) else { return false };
        let outside = self.network.outside();
        let others = self.network.sites().filter(|other| *other != site && *other != outside);
        others.filter(|other| !self.network.connected(site, *other)).count() >= 2
    }

    fn impose_one(&mut self, fault: &Fault) {
        match fault {
            Fault::Cut(from, to) => self.link(*from, *to, |link| link.cut = true),
            Fault::Isolate(site) => self.links_of(*site, |link| link.cut = true),
            Fault::Loss(site, permille) => self.links_of(*site, |link| link.loss = link.loss.max(*permille)),
            Fault::LargeLoss(site, bytes, permille) => {
                self.links_of(*site, |link| link.large = Some((*bytes, *permille)));
            }
            Fault::Slow(site, time) => self.links_of(*site, |link| link.slow = link.slow.max(*time)),
            Fault::Twice(permille) => {
                let sites: Vec<Site> = self.network.sites().collect();
                sites.into_iter().for_each(|site| self.links_of(site, |link| link.twice = *permille));
            }
            Fault::Dark(site) => self.darken(*site),
            Fault::LedgerDown => self.ledger.down = true,
            Fault::LedgerCutOff(site) => {
                self.ledger.cut_off.insert(*site);
            }
            Fault::Conflicts(permille) => self.ledger.conflicts = *permille,
            Fault::ApiDown(site) => {
                if let Some(cluster) = self.clusters.at_mut(*site) {
                    cluster.down = true;
                }
            }
            Fault::ApiStale(site) => {
                if let Some(cluster) = self.clusters.at_mut(*site) {
                    cluster.stale = true;
                }
            }
            Fault::NameServer(server, manner) => {
                if let Some(server) = self.names.list.get_mut(*server) {
                    server.manner = *manner;
                }
            }
            Fault::ClockStep(process, millis) => {
                if let Some(process) = self.processes.get_mut(*process) {
                    process.skew.wall_ahead = *millis;
                }
            }
            Fault::Drift(process, ppm) => match self.processes.get_mut(*process) {
                Some(process) => process.skew.drift_ppm = *ppm,
                None => self.processes.ledger_skew.drift_ppm = *ppm,
            },
            Fault::Member(member, condition) => {
                if let Some(member) = self.members.list.get_mut(*member) {
                    member.condition = *condition;
                }
            }
            Fault::AllMembers(service, condition) => {
                let members = self.members.list.iter_mut().filter(|member| member.service == *service);
                members.for_each(|member| member.condition = *condition);
            }
            Fault::Lies(process) => {
                if let Some(process) = self.processes.get_mut(*process) {
                    process.lies = true;
                }
            }
            // What happens once, at the beginning.
            Fault::Crash(_)
            | Fault::CrashAtEffect(..)
            | Fault::Freeze(_)
            | Fault::FreezeAtEffect(..)
            | Fault::LeaseLost(_)
            | Fault::Restored(_)
            | Fault::Edit(..)
            | Fault::Switchover(..)
            | Fault::Word(..)
            | Fault::Drill(..)
            | Fault::Approve(..)
            | Fault::AbortDrills(_) => {}
        }
    }

    fn darken(&mut self, site: Site) {
        self.links_of(site, |link| link.cut = true);
        self.ledger.dead.insert(site);
        if let Some(process) = self.processes.get_mut(u16::from(site.0)) {
            process.dark = true;
        }
        if let Some(cluster) = self.clusters.at_mut(site) {
            cluster.dark = true;
        }
        self.names.list.iter_mut().filter(|server| server.site == site).for_each(|server| server.dark = true);
        self.members
            .list
            .iter_mut()
            .filter(|member| member.site == site)
            .for_each(|member| member.dark = true);
    }

    fn link(&mut self, from: Site, to: Site, change: impl Fn(&mut Link)) {
        if let Some(link) = self.network.link_mut(from, to) {
            change(link);
        }
    }

    /// Every link of a site, in both directions.
    fn links_of(&mut self, site: Site, change: impl Fn(&mut Link)) {
        let others: Vec<Site> = self.network.sites().filter(|other| *other != site).collect();
        for other in others {
            self.link(site, other, &change);
            self.link(other, site, &change);
        }
    }
}

/// A time as people write it.
fn time(time: Duration) -> String {
    format!("{time:?}")
}

impl Fault {
    /// The fault in words.
    pub(in crate::sim) fn told(&self, trouble: &Trouble) -> String {
        let setup = &trouble.setup;
        let site =
            |site: &Site| setup.region(*site).map_or_else(|| "clients".to_owned(), ToString::to_string);
        let host = |process: &u16| {
            u8::try_from(*process).map_or_else(|_| "the ledger".to_owned(), |index| site(&Site(index)))
        };
        let member = |index: &usize| {
            let place = setup.members.get(*index);
            place.map_or_else(String::new, |place| format!("{} in {}", place.service, site(&place.site)))
        };
        let server = |index: &usize| {
            setup.name_servers.get(*index).map_or_else(String::new, |(address, _)| address.to_string())
        };
        match self {
            Self::Cut(from, to) => format!("nothing passes from {} to {}", site(from), site(to)),
            Self::Isolate(at) => format!("{} is cut off", site(at)),
            Self::Loss(at, rate) => format!("{rate}/1000 messages of {} are lost", site(at)),
            Self::LargeLoss(at, bytes, rate) => {
                format!("{rate}/1000 messages of {} with {bytes} bytes or more are lost", site(at))
            }
            Self::Slow(at, by) => format!("messages of {} take up to {} longer", site(at), time(*by)),
            Self::Twice(rate) => format!("{rate}/1000 messages come twice"),
            Self::Dark(at) => format!("{} has no power", site(at)),
            Self::Crash(process) => format!("bongsu in {} is killed", host(process)),
            Self::CrashAtEffect(process, effects, after) => {
                let when = if *after { "after" } else { "before" };
                format!("bongsu in {} will die {when} its effect {effects}", host(process))
            }
            Self::Freeze(process) => format!("bongsu in {} stands still", host(process)),
            Self::FreezeAtEffect(process, effects, by) => {
                format!(
                    "bongsu in {} will stand still for {} at its effect {effects}",
                    host(process),
                    time(*by)
                )
            }
            Self::LedgerDown => "the ledger has no majority".to_owned(),
            Self::LedgerCutOff(at) => format!("{} does not reach the ledger", site(at)),
            Self::Conflicts(rate) => format!("the ledger refuses {rate}/1000 writes"),
            Self::LeaseLost(None) => "the leader's lease ends".to_owned(),
            Self::LeaseLost(Some(at)) => format!("the lease of {} ends", site(at)),
            Self::ApiDown(at) => format!("the API server in {} does not answer", site(at)),
            Self::ApiStale(at) => format!("the API server in {} shows nothing new", site(at)),
            Self::NameServer(index, manner) => format!("name server {} is {manner:?}", server(index)),
            Self::Restored(index) => format!("name server {} is restored from an old backup", server(index)),
            Self::ClockStep(process, millis) => {
                format!("the wall clock in {} is {millis} ms ahead", host(process))
            }
            Self::Drift(process, ppm) => format!("the clocks of {} are {ppm} ppm fast", host(process)),
            Self::Member(index, condition) => format!("{}: {condition:?}", member(index)),
            Self::AllMembers(service, condition) => format!("every member of {service}: {condition:?}"),
            Self::Lies(process) => format!("the vantage {} says that everything is down", host(process)),
            Self::Edit(at, edit) => {
                let at = at.as_ref().map_or_else(|| "everywhere".to_owned(), site);
                format!("a person edits {at}: {}", edit.told())
            }
            Self::Switchover(at, service, to, dry_run) => {
                let to = to.as_ref().map_or_else(|| "anywhere".to_owned(), ToString::to_string);
                let kind = if *dry_run { "a dry run" } else { "a switchover" };
                format!("a person in {} wants {kind} of {service} to {to}", site(at))
            }
            Self::Drill(at, wish) => {
                let kind = if wish.dry_run { "a dry run of a drill" } else { "a drill" };
                let of = if wish.group { "the group of " } else { "" };
                format!("a person in {} wants {kind} of {of}{}", site(at), wish.service)
            }
            Self::Approve(at, who) => format!("{who} in {} says yes to every drill", site(at)),
            Self::AbortDrills(at) => format!("a person in {} stops every drill", site(at)),
            Self::Word(at, word) => format!("a person in {} says {word:?} to every paused run", site(at)),
        }
    }
}

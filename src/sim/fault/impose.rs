//! What the faults that last make of the world.

use super::Fault;
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
        self.processes.gates.iter_mut().for_each(|gate| gate.dark = false);
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
            if !blind && process.blind_since.is_some() {
                process.blind_until = Some(now);
            }
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
            Fault::LinkLoss(a, b, permille) => {
                for (from, to) in [(*a, *b), (*b, *a)] {
                    self.link(from, to, |link| link.loss = link.loss.max(*permille));
                }
            }
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
            Fault::NameServer(..)
            | Fault::ClockStep(..)
            | Fault::Drift(..)
            | Fault::Member(..)
            | Fault::AllMembers(..)
            | Fault::Lies(_) => self.impose_on_parts(fault),
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

    /// What a name server, a member or a process is like.
    fn impose_on_parts(&mut self, fault: &Fault) {
        match fault {
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
            _ => {}
        }
    }

    fn darken(&mut self, site: Site) {
        self.links_of(site, |link| link.cut = true);
        self.ledger.dead.insert(site);
        if let Some(process) = self.processes.get_mut(u16::from(site.0)) {
            process.dark = true;
        }
        let gates = self.processes.gates.iter_mut().filter(|gate| gate.site == site);
        gates.for_each(|gate| gate.dark = true);
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

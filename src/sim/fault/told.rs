//! Faults in words, for the stories.

use std::time::Duration;

use super::{Fault, Trouble};
use crate::sim::{names::Manner, network::Site, process::GATES, setup::Setup};

/// A time as people write it.
fn time(time: Duration) -> String {
    format!("{time:?}")
}

impl Fault {
    /// The fault in words.
    pub(in crate::sim) fn told(&self, trouble: &Trouble) -> String {
        let setup = &trouble.setup;
        let site = |site: &Site| place(setup, *site);
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
        let title = |process: &u16| match process.checked_sub(GATES) {
            Some(gate) => setup.gate_title(usize::from(gate)),
            None => format!("bongsu in {}", host(process)),
        };
        match self {
            Self::Cut(from, to) => format!("nothing passes from {} to {}", site(from), site(to)),
            Self::Isolate(at) => format!("{} is cut off", site(at)),
            Self::Loss(at, rate) => format!("{rate}/1000 messages of {} are lost", site(at)),
            Self::LinkLoss(at, to, rate) => {
                format!("{rate}/1000 messages between {} and {} are lost", site(at), site(to))
            }
            Self::LargeLoss(at, bytes, rate) => {
                format!("{rate}/1000 messages of {} with {bytes} bytes or more are lost", site(at))
            }
            Self::Slow(at, by) => format!("messages of {} take up to {} longer", site(at), time(*by)),
            Self::Twice(rate) => format!("{rate}/1000 messages come twice"),
            Self::Dark(at) => format!("{} has no power", site(at)),
            Self::Crash(process) => format!("{} is killed", title(process)),
            Self::CrashAtEffect(process, effects, after) => {
                let when = if *after { "after" } else { "before" };
                format!("{} will die {when} its effect {effects}", title(process))
            }
            Self::Freeze(process) => format!("{} stands still", title(process)),
            Self::FreezeAtEffect(process, effects, after, by) => {
                let when = if *after { "after" } else { "before" };
                let (title, time) = (title(process), time(*by));
                format!("{title} will stand still for {time} {when} its effect {effects}")
            }
            Self::LedgerDown => "the ledger has no majority".to_owned(),
            Self::LedgerCutOff(at) => format!("{} does not reach the ledger", site(at)),
            Self::Conflicts(rate) => format!("the ledger refuses {rate}/1000 writes"),
            Self::LeaseLost(None) => "the leader's lease ends".to_owned(),
            Self::LeaseLost(Some(at)) => format!("the lease of {} ends", site(at)),
            Self::ApiDown(at) => format!("the API server in {} does not answer", site(at)),
            Self::ApiStale(at) => format!("the API server in {} shows nothing new", site(at)),
            Self::NameServer(index, Manner::OtherKey(at)) => {
                format!("name server {} does not take the key of {}", server(index), site(at))
            }
            Self::NameServer(index, manner) => format!("name server {} is {manner:?}", server(index)),
            Self::Restored(index) => format!("name server {} is restored from an old backup", server(index)),
            Self::ClockStep(process, millis) => {
                format!("the wall clock in {} is {millis} ms ahead", host(process))
            }
            Self::Drift(process, ppm) => format!("the clocks of {} are {ppm} ppm fast", host(process)),
            Self::Member(index, condition) => format!("{}: {condition:?}", member(index)),
            Self::AllMembers(service, condition) => format!("every member of {service}: {condition:?}"),
            Self::Lies(process) => format!("the vantage {} says that everything is down", host(process)),
            Self::Edit(..)
            | Self::Switchover(..)
            | Self::Drill(..)
            | Self::Approve(..)
            | Self::AbortDrills(_)
            | Self::Word(..) => self.told_of_people(setup),
        }
    }

    /// What a person does, in words.
    fn told_of_people(&self, setup: &Setup) -> String {
        let site = |site: &Site| place(setup, *site);
        match self {
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
            _ => String::new(),
        }
    }
}

fn place(setup: &Setup, site: Site) -> String {
    setup.region(site).map_or_else(|| "clients".to_owned(), ToString::to_string)
}

//! What can happen, with names: every [`Fault`] in the words of a scenario file.

use std::net::IpAddr;

use serde::Deserialize;

use super::names::{Names, Wrong};
use crate::{
    api::Duration,
    sim::{Condition, DrillWish, Edit, Fault, Manner, Site, Word},
};

/// One thing that happens. Regions are named; `leader` is the one whose Bongsu leads at that moment, `clients` is where the
/// citizens are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Deed {
    /// Messages from one place do not reach another.
    Cut { from: String, to: String },
    /// Nothing reaches a place and nothing leaves it.
    Isolate(String),
    /// Messages of a thousand that are lost on every link of a place, or on the one to another place; of all sizes, or from
    /// a size on.
    #[serde(rename_all = "camelCase")]
    Loss { of: String, to: Option<String>, per_thousand: u32, at_least_bytes: Option<usize> },
    /// Messages of a place take up to this much longer.
    Slow { of: String, by: Duration },
    /// Messages of a thousand that come twice.
    Twice(u32),
    /// A region without power.
    Dark(String),
    /// A Bongsu is killed, and started again two seconds after the end.
    Crash(String),
    /// A Bongsu dies at an effect: the one after so many others.
    #[serde(rename_all = "camelCase")]
    CrashAtEffect { of: String, after_effects: u32, when: Side },
    /// A Bongsu stands still for a time when it sends an effect: the one after so many others.
    #[serde(rename_all = "camelCase")]
    FreezeAtEffect {
        of: String,
        after_effects: u32,
        #[serde(default)]
        when: Side,
        lasts: Duration,
    },
    /// A Bongsu stands still, and goes on at the end with what it knew.
    Freeze(String),
    /// The ledger has no majority.
    LedgerDown,
    /// A Bongsu does not reach the ledger, and reaches everything else.
    LedgerCutOff(String),
    /// Writes of a thousand that the ledger refuses as if somebody else had come first.
    LedgerConflicts(u32),
    /// The lease of a region, or with `leader` the leader's, ends at once.
    LeaseLost(String),
    /// An API server does not answer.
    ApiDown(String),
    /// An API server shows nothing new.
    ApiStale(String),
    /// What a name server does.
    NameServer { address: String, is: ServerState, to: Option<String>, by: Option<Duration> },
    /// A name server comes back with what it held at the beginning.
    NameServerRestored(String),
    /// The wall clock of a region's hosts is wrong.
    Clock { of: String, ahead: Option<Duration>, behind: Option<Duration> },
    /// The clocks of a region's hosts, or with `ledger` the ledger's, are fast by so many millionths.
    Drift { of: String, millionths: i64 },
    /// What a member does.
    Member {
        service: String,
        #[serde(rename = "in")]
        region: String,
        is: MemberState,
        by: Option<Duration>,
    },
    /// What the gate of a writer does.
    Gate {
        service: String,
        #[serde(rename = "in")]
        region: String,
        is: GateState,
    },
    /// What every member of a service does.
    AllMembers { service: String, is: MemberState, by: Option<Duration> },
    /// A vantage says that everything elsewhere is down.
    Lies(String),
    /// A person edits objects; undone at the end.
    Edit {
        #[serde(rename = "in")]
        region: Option<String>,
        #[serde(rename = "set")]
        change: Change,
    },
    /// A person applies a drill everywhere, and wants a run of it in one region.
    #[serde(rename_all = "camelCase")]
    Drill {
        #[serde(rename = "in")]
        region: String,
        service: String,
        /// With everything that is part of the same.
        #[serde(default)]
        group: bool,
        hold: Duration,
        max_duration: Duration,
        #[serde(default)]
        approvals: i32,
        #[serde(default)]
        dry_run: bool,
    },
    /// A person in a region says yes to every run of a drill that is there.
    Approve {
        #[serde(rename = "in")]
        region: String,
        by: String,
    },
    /// A person in a region stops every drill.
    AbortDrills(String),
    /// A person creates a Failover.
    #[serde(rename_all = "camelCase")]
    Switchover {
        #[serde(rename = "in")]
        region: String,
        service: String,
        to: Option<String>,
        #[serde(default)]
        dry_run: bool,
    },
    /// A person answers every paused run.
    Word {
        #[serde(rename = "in")]
        region: String,
        say: Word,
    },
}

/// Before or after.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) enum Side {
    Before,
    #[default]
    After,
}

/// What a name server does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) enum ServerState {
    /// Does not answer.
    Silent,
    /// Answers REFUSED to updates.
    Refusing,
    /// Acknowledges updates and does not make them.
    Forgetful,
    /// Answers after `by`.
    Late,
    /// Does not take the key of the Bongsu in `to` any more.
    OtherKey,
}

/// What the gate of a writer does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) enum GateState {
    /// It is killed, its writer with it, and started again two seconds after the end.
    Killed,
    /// It stands still, and goes on at the end with what it knew.
    Frozen,
}

/// What a member does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) enum MemberState {
    /// Its port is closed.
    Down,
    /// Takes the connection and never answers.
    Hanging,
    /// Answers after `by`.
    Slow,
    /// Answers quickly and wrongly.
    Wrong,
    /// Closes its port for `by`, opens it for as long, and so on.
    Flapping,
}

/// What a person edits.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Change {
    /// A member is in maintenance.
    Maintenance {
        service: String,
        #[serde(rename = "in")]
        region: String,
    },
    /// A region is in maintenance.
    RegionMaintenance(String),
    /// The weights of a service's members are turned around.
    WeightsTurned(String),
    /// A member has another address.
    Address {
        service: String,
        #[serde(rename = "in")]
        region: String,
        is: IpAddr,
    },
    /// A member carries only so much.
    Capacity {
        service: String,
        #[serde(rename = "in")]
        region: String,
        is: i32,
    },
    /// No automatic move away from anywhere.
    GlobalStop(String),
    /// The service is deleted.
    Deleted(String),
}

impl Deed {
    /// The fault that it is. `names` says who leads now.
    pub(super) fn fault(&self, names: &Names<'_>) -> Result<Fault, Wrong> {
        Ok(match self {
            Self::Cut { from, to } => Fault::Cut(names.place("cut.from", from)?, names.place("cut.to", to)?),
            Self::Isolate(of) => Fault::Isolate(names.place("isolate", of)?),
            Self::Loss { of, to, per_thousand, at_least_bytes } => {
                let (of, rate) = (names.place("loss.of", of)?, rate("loss.perThousand", *per_thousand)?);
                let to = to.as_ref().map(|to| names.place("loss.to", to)).transpose()?;
                match (to, at_least_bytes) {
                    (None, None) => Fault::Loss(of, rate),
                    (None, Some(size)) => Fault::LargeLoss(of, *size, rate),
                    (Some(to), None) => Fault::LinkLoss(of, to, rate),
                    (Some(_), Some(_)) => {
                        return Err(Wrong::new("loss.to", "stands beside atLeastBytes: write one of them"));
                    }
                }
            }
            Self::Slow { of, by } => Fault::Slow(names.place("slow.of", of)?, by.0),
            Self::Twice(share) => Fault::Twice(rate("twice", *share)?),
            Self::Dark(of) => Fault::Dark(names.region("dark", of)?),
            Self::Crash(of) => Fault::Crash(names.process("crash", of)?),
            Self::CrashAtEffect { of, after_effects, when } => {
                let of = names.process("crashAtEffect.of", of)?;
                Fault::CrashAtEffect(of, *after_effects, *when == Side::After)
            }
            Self::FreezeAtEffect { of, after_effects, when, lasts } => {
                let of = names.process("freezeAtEffect.of", of)?;
                Fault::FreezeAtEffect(of, *after_effects, *when == Side::After, lasts.0)
            }
            Self::Freeze(of) => Fault::Freeze(names.process("freeze", of)?),
            Self::Lies(of) => Fault::Lies(names.process("lies", of)?),
            Self::Clock { .. } | Self::Drift { .. } => self.clocks(names)?,
            Self::LedgerDown
            | Self::LedgerCutOff(_)
            | Self::LedgerConflicts(_)
            | Self::LeaseLost(_)
            | Self::ApiDown(_)
            | Self::ApiStale(_) => self.stores(names)?,
            Self::NameServer { .. }
            | Self::NameServerRestored(_)
            | Self::Gate { .. }
            | Self::Member { .. }
            | Self::AllMembers { .. } => self.served(names)?,
            Self::Drill { .. } | Self::Approve { .. } | Self::AbortDrills(_) => self.drills(names)?,
            Self::Edit { .. } | Self::Switchover { .. } | Self::Word { .. } => self.people(names)?,
        })
    }

    fn clocks(&self, names: &Names<'_>) -> Result<Fault, Wrong> {
        match self {
            Self::Clock { of, ahead, behind } => {
                let of = names.process("clock.of", of)?;
                let millis = |time: &Duration| i64::try_from(time.0.as_millis()).unwrap_or(i64::MAX);
                match (ahead, behind) {
                    (Some(time), None) => Ok(Fault::ClockStep(of, millis(time))),
                    (None, Some(time)) => Ok(Fault::ClockStep(of, -millis(time))),
                    _ => Err(Wrong::new("clock", "write either ahead or behind")),
                }
            }
            Self::Drift { of, millionths } if of == "ledger" => Ok(Fault::Drift(u16::MAX, *millionths)),
            Self::Drift { of, millionths } => Ok(Fault::Drift(names.process("drift.of", of)?, *millionths)),
            _ => Err(Wrong::new("", "is no clock")),
        }
    }

    fn stores(&self, names: &Names<'_>) -> Result<Fault, Wrong> {
        Ok(match self {
            Self::LedgerCutOff(of) => Fault::LedgerCutOff(names.region("ledgerCutOff", of)?),
            Self::LedgerConflicts(share) => Fault::Conflicts(rate("ledgerConflicts", *share)?),
            Self::LeaseLost(of) if of == "leader" => Fault::LeaseLost(None),
            Self::LeaseLost(of) => Fault::LeaseLost(Some(names.region("leaseLost", of)?)),
            Self::ApiDown(of) => Fault::ApiDown(names.region("apiDown", of)?),
            Self::ApiStale(of) => Fault::ApiStale(names.region("apiStale", of)?),
            _ => Fault::LedgerDown,
        })
    }

    fn served(&self, names: &Names<'_>) -> Result<Fault, Wrong> {
        match self {
            Self::NameServer { address, is, to, by } => {
                let server = names.server("nameServer.address", address)?;
                let to = to.as_ref().map(|to| names.region("nameServer.to", to)).transpose()?;
                Ok(Fault::NameServer(server, is.manner(to, *by)?))
            }
            Self::NameServerRestored(address) => {
                Ok(Fault::Restored(names.server("nameServerRestored", address)?))
            }
            Self::Member { service, region, is, by } => {
                let member = names.member(service, region)?;
                Ok(Fault::Member(member, is.condition("member", *by)?))
            }
            Self::Gate { service, region, is } => {
                let gate = names.gate(service, region)?;
                Ok(match is {
                    GateState::Killed => Fault::Crash(gate),
                    GateState::Frozen => Fault::Freeze(gate),
                })
            }
            Self::AllMembers { service, is, by } => {
                let service = names.service("allMembers.service", service)?;
                Ok(Fault::AllMembers(service, is.condition("allMembers", *by)?))
            }
            _ => Err(Wrong::new("", "serves nobody")),
        }
    }

    fn people(&self, names: &Names<'_>) -> Result<Fault, Wrong> {
        match self {
            Self::Edit { region, change } => {
                let site = region.as_ref().map(|region| names.region("edit.in", region)).transpose()?;
                Ok(Fault::Edit(site, change.edit(names)?))
            }
            Self::Switchover { region, service, to, dry_run } => {
                let site = names.region("switchover.in", region)?;
                let service = names.service("switchover.service", service)?;
                let to = to.as_ref().map(|to| names.region_name("switchover.to", to)).transpose()?;
                Ok(Fault::Switchover(site, service, to, *dry_run))
            }
            Self::Word { region, say } => Ok(Fault::Word(names.region("word.in", region)?, *say)),
            _ => Err(Wrong::new("", "is no act of a person")),
        }
    }

    fn drills(&self, names: &Names<'_>) -> Result<Fault, Wrong> {
        match self {
            Self::Drill { region, service, group, hold, max_duration, approvals, dry_run } => {
                let wish = DrillWish {
                    service: names.service("drill.service", service)?,
                    group: *group,
                    hold: hold.0,
                    max_duration: max_duration.0,
                    approvals: *approvals,
                    dry_run: *dry_run,
                };
                Ok(Fault::Drill(names.region("drill.in", region)?, wish))
            }
            Self::Approve { region, by } => {
                Ok(Fault::Approve(names.region("approve.in", region)?, by.as_str().into()))
            }
            Self::AbortDrills(region) => Ok(Fault::AbortDrills(names.region("abortDrills", region)?)),
            _ => Err(Wrong::new("", "is no drill")),
        }
    }
}

impl ServerState {
    fn manner(self, to: Option<Site>, by: Option<Duration>) -> Result<Manner, Wrong> {
        match (self, to, by) {
            (Self::Silent, None, None) => Ok(Manner::Silent),
            (Self::Refusing, None, None) => Ok(Manner::Refuses),
            (Self::Forgetful, None, None) => Ok(Manner::Forgets),
            (Self::Late, None, Some(by)) => Ok(Manner::Late(by.0)),
            (Self::OtherKey, Some(site), None) => Ok(Manner::OtherKey(site)),
            (Self::Late, None, None) => Err(Wrong::new("nameServer", "late by how much? write by")),
            (Self::OtherKey, None, None) => Err(Wrong::new("nameServer", "whose key? write to")),
            (_, Some(_), _) => Err(Wrong::new("nameServer.to", "only otherKey has this")),
            (_, None, Some(_)) => Err(Wrong::new("nameServer.by", "only a server that is late has this")),
        }
    }
}

impl MemberState {
    fn condition(self, path: &str, by: Option<Duration>) -> Result<Condition, Wrong> {
        match (self, by) {
            (Self::Down, None) => Ok(Condition::Down),
            (Self::Hanging, None) => Ok(Condition::Hangs),
            (Self::Wrong, None) => Ok(Condition::Wrong),
            (Self::Slow, Some(by)) => Ok(Condition::Slow(by.0)),
            (Self::Flapping, Some(by)) => Ok(Condition::Flaps(by.0)),
            (_, None) => Err(Wrong::new(path, "by how much? write by")),
            (_, Some(_)) => {
                let path = format!("{path}.by");
                Err(Wrong::new(&path, "only a member that is slow or flapping has this"))
            }
        }
    }
}

impl Change {
    fn edit(&self, names: &Names<'_>) -> Result<Edit, Wrong> {
        Ok(match self {
            Self::Maintenance { service, region } => {
                names.member(service, region).map_err(|wrong| wrong.under("edit.set.maintenance"))?;
                Edit::Maintenance(names.service("", service)?, names.region_name("", region)?)
            }
            Self::RegionMaintenance(region) => {
                Edit::RegionMaintenance(names.region_name("edit.set.regionMaintenance", region)?)
            }
            Self::WeightsTurned(service) => Edit::Weights(names.service("edit.set.weightsTurned", service)?),
            Self::Address { service, region, is } => {
                names.member(service, region).map_err(|wrong| wrong.under("edit.set.address"))?;
                Edit::Address(names.service("", service)?, names.region_name("", region)?, *is)
            }
            Self::Capacity { service, region, is } => {
                names.member(service, region).map_err(|wrong| wrong.under("edit.set.capacity"))?;
                Edit::Capacity(names.service("", service)?, names.region_name("", region)?, *is)
            }
            Self::GlobalStop(region) => Edit::GlobalStop(names.region_name("edit.set.globalStop", region)?),
            Self::Deleted(service) => Edit::Delete(names.service("edit.set.deleted", service)?),
        })
    }
}

fn rate(path: &str, permille: u32) -> Result<u32, Wrong> {
    match permille {
        0..=1_000 => Ok(permille),
        _ => Err(Wrong::new(path, "is more than 1000 of a thousand")),
    }
}

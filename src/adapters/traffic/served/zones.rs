//! The zones that are answered for, and what the answer to one question is. Pure.

use std::{
    collections::{HashMap, hash_map},
    net::IpAddr,
};

use hickory_proto::rr::{
    LowerName, Name, RData, Record as Rr, RecordType,
    rdata::{HINFO, NS, SOA},
};

use super::record::Record;
use crate::{
    adapters::traffic::marker::{Marker, absolute, marker_name},
    ports::Version,
};

/// Seconds that resolvers keep "there is no such name" (RFC 2308 §5): a name that is published for the first time must
/// not stay hidden longer than an old answer would.
const NEGATIVE_TTL: u32 = 5;

/// Seconds that resolvers keep the names of the name servers: they change with the delegation, by hand.
const NS_TTL: u32 = 3600;

/// Refresh, retry and expire of the SOA record. Nobody transfers these zones, so nobody uses them; the values are those
/// of RIPE-203.
const SOA_TIMES: (i32, i32, i32) = (86_400, 7_200, 3_600_000);

/// All zones.
#[derive(Default)]
pub(super) struct Zones {
    zones: HashMap<LowerName, Zone>,
}

struct Zone {
    origin: Name,
    name_servers: Vec<Name>,
    serial: u32,
    /// Every name of the zone, those without records of their own (RFC 8020) included.
    nodes: HashMap<LowerName, Vec<Rr>>,
}

/// What the answer to a question is.
#[derive(Debug)]
pub(super) enum Lookup {
    /// Of a zone that nobody delegated here.
    NotOurs,
    /// These records; if there are none, the name has none of this type (RFC 2308 §2.2).
    Found { answers: Vec<Rr>, soa: Rr },
    /// The name does not exist (RFC 2308 §2.1).
    NoName { soa: Rr },
}

impl Zones {
    /// Adds a record. One whose name is there already is left out: the first wins.
    pub(super) fn add(&mut self, record: &Record, version: Version) -> Result<(), String> {
        let text = |error: hickory_proto::ProtoError| error.to_string();
        let origin = absolute(&record.zone).map_err(text)?;
        let name = absolute(&record.name).map_err(text)?;
        let marker = marker_name(&name).map_err(text)?;
        if !origin.zone_of(&name) {
            return Err(format!("{} is outside zone {}", record.name, record.zone));
        }
        let servers: Result<Vec<Name>, _> =
            record.name_servers.iter().map(|server| absolute(server)).collect();
        let servers = servers.map_err(text)?;
        let zone = self.zones.entry(LowerName::from(&origin)).or_insert_with(|| Zone::new(origin, servers));
        zone.add(record, &name, &marker, version);
        Ok(())
    }

    /// Answers a question.
    pub(super) fn lookup(&self, name: &LowerName, kind: RecordType) -> Lookup {
        let Some(zone) = self.enclosing(name) else { return Lookup::NotOurs };
        let soa = zone.soa();
        match zone.nodes.get(name) {
            Some(records) => Lookup::Found { answers: zone.answers(name, records, kind), soa },
            None => Lookup::NoName { soa },
        }
    }

    /// The deepest zone that the name is in.
    fn enclosing(&self, name: &LowerName) -> Option<&Zone> {
        let mut candidate = name.clone();
        loop {
            match self.zones.get(&candidate) {
                Some(zone) => return Some(zone),
                None if candidate.is_root() => return None,
                None => candidate = candidate.base_name(),
            }
        }
    }
}

impl Zone {
    fn new(origin: Name, name_servers: Vec<Name>) -> Self {
        let nodes = HashMap::from([(LowerName::from(&origin), Vec::new())]);
        Self { origin, name_servers, serial: 0, nodes }
    }

    fn add(&mut self, record: &Record, name: &Name, marker: &Name, version: Version) {
        // The sum grows with every write of every record, whether the ledger counts versions together or for each
        // record; truncated, because serials wrap (RFC 1982).
        #[expect(clippy::cast_possible_truncation, reason = "serials wrap")]
        let version = version.0 as u32;
        self.serial = self.serial.wrapping_add(version);
        let mark = Marker::new(record.epoch, &record.service).txt();
        if let hash_map::Entry::Vacant(entry) = self.nodes.entry(LowerName::from(marker)) {
            entry.insert(vec![Rr::from_rdata(marker.clone(), record.ttl, RData::TXT(mark))]);
            let address = |address: &IpAddr| Rr::from_rdata(name.clone(), record.ttl, (*address).into());
            let node = self.nodes.entry(LowerName::from(name)).or_default();
            node.extend(record.addresses.iter().map(address));
            self.add_path(name);
        }
    }

    /// A name between the origin and a published name exists, without records.
    fn add_path(&mut self, name: &Name) {
        let mut above = name.base_name();
        while above.num_labels() > self.origin.num_labels() {
            self.nodes.entry(LowerName::from(&above)).or_default();
            above = above.base_name();
        }
    }

    fn answers(&self, name: &LowerName, records: &[Rr], kind: RecordType) -> Vec<Rr> {
        let apex = **name == self.origin;
        match kind {
            RecordType::SOA if apex => vec![self.soa()],
            RecordType::NS if apex => self.name_servers.iter().map(|server| self.ns(server)).collect(),
            // Minimal answer to ANY (RFC 8482 §4.2): the full set is what amplification attacks ask for.
            RecordType::ANY => vec![Rr::from_rdata(Name::from(name), NS_TTL, any())],
            kind => records.iter().filter(|record| record.record_type() == kind).cloned().collect(),
        }
    }

    fn ns(&self, server: &Name) -> Rr {
        Rr::from_rdata(self.origin.clone(), NS_TTL, RData::NS(NS(server.clone())))
    }

    fn soa(&self) -> Rr {
        let primary = self.name_servers.first().unwrap_or(&self.origin).clone();
        let mailbox = self.origin.prepend_label("hostmaster").unwrap_or_else(|_| self.origin.clone());
        let (refresh, retry, expire) = SOA_TIMES;
        let soa = SOA::new(primary, mailbox, self.serial, refresh, retry, expire, NEGATIVE_TTL);
        Rr::from_rdata(self.origin.clone(), NEGATIVE_TTL, RData::SOA(soa))
    }
}

fn any() -> RData {
    RData::HINFO(HINFO::new("RFC8482".to_owned(), String::new()))
}

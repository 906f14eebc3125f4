//! The messages that are sent: questions (RFC 1035) and the one update (RFC 2136). Pure.

use std::{collections::BTreeSet, net::IpAddr};

use hickory_proto::{
    ProtoError,
    op::{Message, OpCode, Query, UpdateMessage},
    rr::{DNSClass, Name, RData, Record, RecordType},
};

use crate::{
    adapters::traffic::marker::{Marker, absolute, marker_name},
    ports::DnsRoute,
};

/// The three names of a route.
pub(super) struct Names {
    pub(super) zone: Name,
    pub(super) name: Name,
    pub(super) marker: Name,
}

impl Names {
    pub(super) fn new(route: &DnsRoute) -> Result<Self, ProtoError> {
        let name = absolute(&route.name)?;
        Ok(Self { zone: absolute(&route.zone)?, marker: marker_name(&name)?, name })
    }
}

/// A question to an authoritative server: recursion is not desired.
pub(super) fn question(name: &Name, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(name.clone(), kind));
    message
}

/// The one update (RFC 2136 §2): the server applies all of it or nothing.
///
/// `held` is the TXT RRset of the mark as it was read. If it is empty, the RRset must not exist (§2.4.3); otherwise it
/// must equal these records exactly (§2.4.2).
pub(super) fn update(
    names: &Names,
    held: &[Record],
    marker: &Marker,
    addresses: &BTreeSet<IpAddr>,
    ttl: u32,
) -> Message {
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    message.add_zone(Query::query(names.zone.clone(), RecordType::SOA));
    if held.is_empty() {
        message.add_pre_requisite(without_data(&names.marker, RecordType::TXT, DNSClass::NONE));
    }
    message.add_pre_requisites(held.iter().map(|record| {
        let mut record = record.clone();
        record.ttl = 0;
        record
    }));
    message.add_updates([
        without_data(&names.name, RecordType::A, DNSClass::ANY),
        without_data(&names.name, RecordType::AAAA, DNSClass::ANY),
        without_data(&names.marker, RecordType::TXT, DNSClass::ANY),
        Record::from_rdata(names.marker.clone(), ttl, RData::TXT(marker.txt())),
    ]);
    let added =
        addresses.iter().map(|address| Record::from_rdata(names.name.clone(), ttl, (*address).into()));
    message.add_updates(added);
    message
}

/// A record without data: in the update section with class ANY it deletes an RRset (§2.5.2), in the prerequisites with
/// class NONE it says that there is none.
fn without_data(name: &Name, kind: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(name.clone(), 0, kind);
    record.dns_class = class;
    record
}

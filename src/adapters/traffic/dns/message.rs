//! The messages that are sent: questions (RFC 1035), the one update and its rehearsal (RFC 2136). Pure.

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
    let mut message = empty_update(names);
    require(&mut message, &names.marker, RecordType::TXT, held);
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

/// An update that changes nothing: every record is added that is there, which a server ignores (§3.4.2.2), under the
/// prerequisite that all RRsets are as they were read. One without any record would not do: where a server says which
/// records a key may write, it looks at the records (`update-policy` of BIND). At a name that was never written there is
/// no record to add; there the mark is deleted that is not there.
pub(super) fn rewrite(names: &Names, marks: &[Record], addresses: &[Record]) -> Message {
    let mut message = empty_update(names);
    require(&mut message, &names.marker, RecordType::TXT, marks);
    for kind in [RecordType::A, RecordType::AAAA] {
        let of_kind = addresses.iter().filter(|record| record.record_type() == kind);
        require(&mut message, &names.name, kind, &of_kind.cloned().collect::<Vec<_>>());
    }
    if marks.is_empty() {
        message.add_update(without_data(&names.marker, RecordType::TXT, DNSClass::ANY));
    }
    message.add_updates(marks.iter().chain(addresses).cloned());
    message
}

fn empty_update(names: &Names) -> Message {
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    message.add_zone(Query::query(names.zone.clone(), RecordType::SOA));
    message
}

/// An RRset must be as it was read: not there, or exactly these records.
fn require(message: &mut Message, name: &Name, kind: RecordType, held: &[Record]) {
    if held.is_empty() {
        message.add_pre_requisite(without_data(name, kind, DNSClass::NONE));
    }
    message.add_pre_requisites(held.iter().map(|record| {
        let mut record = record.clone();
        record.ttl = 0;
        record
    }));
}

/// A record without data: in the update section with class ANY it deletes an RRset (§2.5.2), in the prerequisites with
/// class NONE it says that there is none.
fn without_data(name: &Name, kind: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(name.clone(), 0, kind);
    record.dns_class = class;
    record
}

//! One service's name on one name server: read it, judge it, write it under the prerequisite that nothing changed.

use std::{collections::BTreeSet, net::IpAddr, net::SocketAddr, sync::Arc};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, RecordType},
};

use super::{
    connection::Connection,
    message::{Names, question, rewrite, update},
};
use crate::{
    adapters::traffic::marker::{Marker, quote, text},
    domain::{Epoch, ServiceKey},
    ports::{Answer, Clock, DnsRoute, Route, ServerState, TrafficError},
};

/// What a read saw, and what a write compares with.
#[derive(Clone, Debug)]
pub struct Seen {
    marks: Vec<Record>,
    epoch: Option<Epoch>,
    records: Vec<Record>,
}

impl Seen {
    fn addresses(&self) -> BTreeSet<IpAddr> {
        self.records.iter().filter_map(|record| record.data.ip_addr()).collect()
    }

    fn ttls(&self) -> BTreeSet<u32> {
        self.records.iter().map(|record| record.ttl).collect()
    }
}

/// What became of an update.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// The server took it.
    Taken,
    /// The server refused it, because the mark is not the one that was read (RFC 2136 §3.2).
    Overtaken,
}

/// A connection to one server for one route.
pub struct Session {
    connection: Connection,
    names: Names,
    service: ServiceKey,
    ttl: u32,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Unreachable`: nobody listens there, or the route's names or key cannot be used.
    pub async fn open(
        clock: &Arc<dyn Clock>,
        route: &Route,
        dns: &DnsRoute,
        server: SocketAddr,
    ) -> Result<Self, TrafficError> {
        let connection = Connection::open(clock, dns, server).await?;
        let names = Names::new(dns).map_err(|cause| connection.subject.not_asked("its name", cause))?;
        Ok(Self { connection, names, service: route.service.clone(), ttl: route.ttl })
    }

    /// Reads the mark and both address sets, one after the other: asked for at once, BIND's second reply waits until the
    /// first is acknowledged, which takes a client's system 40 ms.
    ///
    /// # Errors
    /// `Claimed`: the name belongs to another service. Otherwise the server did not answer, or answered no.
    pub async fn read(&mut self) -> Result<Seen, TrafficError> {
        let marks = self.ask(&self.names.marker.clone(), RecordType::TXT).await?;
        let epoch = self.epoch_of(&marks)?;
        let mut records = self.ask(&self.names.name.clone(), RecordType::A).await?;
        records.extend(self.ask(&self.names.name.clone(), RecordType::AAAA).await?);
        Ok(Seen { marks, epoch, records })
    }

    /// Sends the update that puts `answer` in the place of what was seen.
    ///
    /// # Errors
    /// The server did not answer (the update may have been taken), or answered no.
    pub async fn write(&mut self, seen: &Seen, answer: &Answer) -> Result<Written, TrafficError> {
        let marker = Marker::new(answer.epoch(), &self.service);
        let message = update(&self.names, &seen.marks, &marker, answer.addresses(), self.ttl);
        self.send(message).await
    }

    /// Sends an update that puts what was seen in the place of what was seen.
    ///
    /// # Errors
    /// The server did not answer, or answered no.
    pub async fn rewrite(&mut self, seen: &Seen) -> Result<Written, TrafficError> {
        self.send(rewrite(&self.names, &seen.marks, &seen.records)).await
    }

    async fn send(&mut self, update: Message) -> Result<Written, TrafficError> {
        let reply = self.connection.exchange(update).await?;
        match reply.metadata.response_code {
            ResponseCode::NoError => Ok(Written::Taken),
            ResponseCode::NXRRSet | ResponseCode::YXRRSet => Ok(Written::Overtaken),
            code => Err(self.connection.subject.code(code, None)),
        }
    }

    pub(super) fn refuse_if_stale(&self, seen: &Seen, answer: &Answer) -> Result<(), TrafficError> {
        match seen.epoch {
            Some(held) if held > answer.epoch() => Err(TrafficError::Stale {
                server: self.connection.subject.server.to_string(),
                held,
                tried: answer.epoch(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether nothing needs to be written. The TTL counts: clients keep an old one as long as it says.
    pub(super) fn shows(&self, seen: &Seen, answer: &Answer) -> bool {
        self.state(seen).shows(answer) && seen.records.iter().all(|record| record.ttl == self.ttl)
    }

    pub(super) fn state(&self, seen: &Seen) -> ServerState {
        ServerState {
            server: self.connection.subject.server.to_string(),
            epoch: seen.epoch,
            addresses: seen.addresses(),
        }
    }

    pub(super) fn differs(&self, seen: &Seen) -> TrafficError {
        let epoch = seen.epoch.map_or_else(|| "no epoch".to_owned(), |epoch| format!("epoch {epoch}"));
        let found = format!("{epoch}, addresses {:?}, TTL {:?}", seen.addresses(), seen.ttls());
        TrafficError::ReadBack { server: self.connection.subject.server.to_string(), found: quote(&found) }
    }

    pub(super) fn contended(&self, attempts: u32) -> TrafficError {
        self.connection.subject.contended(attempts)
    }

    async fn ask(&mut self, name: &Name, kind: RecordType) -> Result<Vec<Record>, TrafficError> {
        let reply = self.connection.exchange(question(name, kind)).await?;
        self.records(reply, name, kind)
    }

    fn records(&self, reply: Message, name: &Name, kind: RecordType) -> Result<Vec<Record>, TrafficError> {
        let subject = &self.connection.subject;
        match reply.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            code => return Err(subject.code(code, None)),
        }
        if !reply.metadata.authoritative {
            return Err(subject.not_authoritative());
        }
        let own: Vec<Record> = reply.answers.into_iter().filter(|record| record.name == *name).collect();
        // Servers ignore an address that is added beside a CNAME (RFC 2136 §3.4.2.2), so say it before writing.
        let alias = own.iter().find_map(|record| match &record.data {
            RData::CNAME(target) => Some(subject.alias(&quote(&target.to_string()))),
            _ => None,
        });
        match alias {
            Some(refusal) => Err(refusal),
            None => Ok(own.into_iter().filter(|record| record.record_type() == kind).collect()),
        }
    }

    /// The epoch that the name shows. More than one mark can only be written by hand; the highest counts, so that
    /// nobody becomes newer by it.
    fn epoch_of(&self, marks: &[Record]) -> Result<Option<Epoch>, TrafficError> {
        let mut newest = None;
        for record in marks {
            let RData::TXT(txt) = &record.data else { continue };
            let text = text(txt);
            match Marker::parse(&text) {
                Some(marker) if marker.service == self.service.to_string() => {
                    newest = newest.max(Some(marker.epoch));
                }
                Some(other) => return Err(self.claimed(&other.service)),
                None => return Err(self.claimed(&text)),
            }
        }
        Ok(newest)
    }

    fn claimed(&self, owner: &str) -> TrafficError {
        TrafficError::Claimed { server: self.connection.subject.server.to_string(), owner: quote(owner) }
    }
}

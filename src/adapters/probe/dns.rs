//! The `dns` check: one question to a name server (RFC 1035), by UDP or TCP.
//!
//! No EDNS: a server that does not know it would answer that it does not understand; what does not fit into 512 bytes is
//! fetched by TCP.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzed;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;
use hickory_proto::{
    op::{Header, Message, MessageType, Query, ResponseCode},
    rr::{Name, RecordType},
    serialize::binary::{BinDecodable, BinDecoder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
};

use super::{
    Bad, Means, Phase,
    connect::{Target, io_bad},
    line::line,
    sample,
};
use crate::domain::Stage;
use crate::ports::{CheckSpec, DnsRecord, DnsSpec, DnsTransport, Endpoint, Probe, ProbeError, Reading};

/// Bytes of a datagram that are read. A server sends at most 512 to who does not say otherwise (RFC 1035 §4.2.1);
/// more leaves room for one that does not keep to it.
const DATAGRAM_BYTES_MAX: usize = 4 * 1024;

/// The `dns` check of one member.
pub(super) struct DnsProbe {
    target: Target,
    transport: DnsTransport,
    judge: Judge,
    max_latency: Option<Duration>,
}

/// What is asked, and what makes an answer good.
struct Judge {
    question: Query,
    expect: Vec<String>,
    authoritative: bool,
}

/// A reply to our question.
enum Reply {
    Whole(Message),
    /// It did not fit.
    Truncated,
}

impl DnsProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &DnsSpec,
    ) -> Result<Self, ProbeError> {
        let wrong = |field, cause| ProbeError::Field { check: check.name.to_string(), field, cause };
        Ok(Self {
            target: Target::new(means, endpoint, check),
            transport: spec.transport,
            judge: Judge::new(spec).map_err(|(field, cause)| wrong(field, cause))?,
            max_latency: check.max_latency,
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let query = self.judge.query();
        let bytes = query.to_vec().map_err(|error| Bad::wrong(line(format_args!("question: {error}"))))?;
        if self.transport == DnsTransport::Udp
            && let Reply::Whole(reply) = read(&query, &self.by_udp(&bytes, phase).await?)?
        {
            return self.judge.reply(&reply);
        }
        match read(&query, &self.by_tcp(&bytes, phase).await?)? {
            Reply::Whole(reply) => self.judge.reply(&reply),
            Reply::Truncated => Err(Bad::wrong("the answer is truncated, also by TCP".to_owned())),
        }
    }

    async fn by_udp(&self, query: &[u8], phase: &Phase) -> Result<Vec<u8>, Bad> {
        self.target.first((Stage::Answer, "udp"), phase, |server| datagram(server, query)).await
    }

    async fn by_tcp(&self, query: &[u8], phase: &Phase) -> Result<Vec<u8>, Bad> {
        let mut stream = self.target.connect(phase).await?;
        phase.enter(Stage::Answer, "tcp");
        let exchange = async {
            let length = u16::try_from(query.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
            // The length has two bytes, so a reply has at most 65535 (RFC 1035 §4.2.2).
            let mut reply = vec![0; stream.read_u16().await?.into()];
            stream.read_exact(&mut reply).await?;
            Ok(reply)
        };
        exchange.await.map_err(|error: io::Error| io_bad("tcp", &error))
    }
}

#[async_trait]
impl Probe for DnsProbe {
    async fn run(&self) -> Reading {
        sample(self.target.limit, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

/// Asks by a socket of its own, which takes datagrams of this server only.
async fn datagram(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut reply = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut reply).await?;
        // Anybody can send something in the server's name. What does not have our number is not the answer (RFC 5452 §9.1).
        if reply.get(..2) == query.get(..2) && length >= 2 {
            reply.truncate(length);
            return Ok(reply);
        }
    }
}

/// Reads a reply, if it is the one to this query.
fn read(query: &Message, reply: &[u8]) -> Result<Reply, Bad> {
    let no_reply =
        |cause: &dyn std::fmt::Display| Bad::wrong(line(format_args!("not a DNS answer: {cause}")));
    let header = Header::read(&mut BinDecoder::new(reply)).map_err(|error| no_reply(&error))?;
    let metadata = header.metadata;
    if metadata.message_type != MessageType::Response || metadata.op_code != query.metadata.op_code {
        return Err(no_reply(&"it is not a reply"));
    }
    if metadata.id != query.metadata.id {
        return Err(Bad::wrong("answers another query: its id is not ours".to_owned()));
    }
    // Looked at first: the library allocates as many questions as the header claims.
    if header.counts.queries > 1 {
        return Err(no_reply(&format_args!("it has {} questions", header.counts.queries)));
    }
    if metadata.truncation {
        return Ok(Reply::Truncated);
    }
    let message = Message::from_vec(reply).map_err(|error| no_reply(&error))?;
    // Who did not understand the question may leave it out.
    let left_out = message.queries.is_empty() && metadata.response_code != ResponseCode::NoError;
    if !left_out && message.queries != query.queries {
        return Err(Bad::wrong("answers another question".to_owned()));
    }
    Ok(Reply::Whole(message))
}

impl Judge {
    fn new(spec: &DnsSpec) -> Result<Self, (&'static str, String)> {
        let mut name = Name::from_ascii(&*spec.name)
            .map_err(|error| ("name", line(format_args!("{}: {error}", spec.name))))?
            .to_lowercase();
        name.set_fqdn(true);
        let kind = record_type(spec.record);
        let expect = spec.expect.iter().map(|value| {
            normal(kind, value)
                .ok_or_else(|| ("expect", line(format_args!("{value}: not an address of {kind}"))))
        });
        Ok(Self {
            expect: expect.collect::<Result<_, _>>()?,
            question: Query::query(name, kind),
            authoritative: spec.authoritative,
        })
    }

    /// With a random number, so that nobody who does not see it can answer.
    fn query(&self) -> Message {
        let mut message = Message::query();
        message.metadata.recursion_desired = !self.authoritative;
        message.add_query(self.question.clone());
        message
    }

    fn reply(&self, reply: &Message) -> Result<(), Bad> {
        let (name, kind) = (self.question.name(), self.question.query_type());
        let code = reply.metadata.response_code;
        if code != ResponseCode::NoError {
            return Err(Bad::wrong(line(format_args!("{}: {name} {kind}", code_name(code)))));
        }
        let of_kind = |records: &[hickory_proto::rr::Record], kind| {
            let records = records.iter().filter(|record| record.record_type() == kind);
            records.filter_map(|record| normal(kind, &record.data.to_string())).collect::<Vec<_>>()
        };
        let found = of_kind(&reply.answers, kind);
        let lame = !reply.metadata.authoritative;
        if lame && found.is_empty() && !of_kind(&reply.authorities, RecordType::NS).is_empty() {
            return Err(Bad::wrong(line(format_args!("lame: refers to other servers for {name}"))));
        }
        if lame && self.authoritative {
            return Err(Bad::wrong(line(format_args!("lame: not authoritative for {name}"))));
        }
        if found.is_empty() {
            return Err(Bad::wrong(line(format_args!("no {kind} record of {name}"))));
        }
        match self.expect.iter().find(|value| !found.contains(value)) {
            Some(missing) => Err(Bad::wrong(line(format_args!(
                "{missing} is not among the answers: {}",
                found.join(", ")
            )))),
            None => Ok(()),
        }
    }
}

/// A value in the one form in which values are compared; `None`: it is not an address.
fn normal(kind: RecordType, value: &str) -> Option<String> {
    match kind {
        RecordType::A => value.parse::<Ipv4Addr>().ok().map(|address| address.to_string()),
        RecordType::AAAA => value.parse::<Ipv6Addr>().ok().map(|address| address.to_string()),
        RecordType::TXT => Some(value.to_owned()),
        _ => {
            let words = value.split_whitespace().map(|word| word.trim_end_matches('.'));
            // The library shows names in letters of all languages.
            let words = words
                .map(|word| Name::from_utf8(word).map_or_else(|_| word.to_owned(), |name| name.to_ascii()));
            let words = words.map(|word| word.trim_end_matches('.').to_ascii_lowercase());
            Some(words.collect::<Vec<_>>().join(" "))
        }
    }
}

const fn record_type(record: DnsRecord) -> RecordType {
    match record {
        DnsRecord::A => RecordType::A,
        DnsRecord::Aaaa => RecordType::AAAA,
        DnsRecord::Txt => RecordType::TXT,
        DnsRecord::Soa => RecordType::SOA,
        DnsRecord::Ns => RecordType::NS,
        DnsRecord::Cname => RecordType::CNAME,
        DnsRecord::Ptr => RecordType::PTR,
        DnsRecord::Mx => RecordType::MX,
        DnsRecord::Srv => RecordType::SRV,
    }
}

/// The word that name servers and `dig` use.
fn code_name(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::NotAuth => "NOTAUTH".to_owned(),
        other => format!("response code {} ({other})", u16::from(other)),
    }
}

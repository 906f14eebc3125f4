//! Replies as fuzzing makes them.

use super::{Bad, DnsRecord, DnsSpec, DnsTransport, Judge, Reply, read};

/// The number of the question, which the replies of the corpus have.
const ID: u16 = 7;

const RECORDS: [DnsRecord; 9] = [
    DnsRecord::A,
    DnsRecord::Aaaa,
    DnsRecord::Txt,
    DnsRecord::Soa,
    DnsRecord::Ns,
    DnsRecord::Cname,
    DnsRecord::Ptr,
    DnsRecord::Mx,
    DnsRecord::Srv,
];

/// Judges a reply as the one to a question for each type of record.
pub(in super::super) fn judge(reply: &[u8]) -> Result<(), Bad> {
    let judged = RECORDS.map(|record| judge_as(record, reply));
    judged.into_iter().reduce(Result::or).unwrap_or(Ok(()))
}

fn judge_as(record: DnsRecord, reply: &[u8]) -> Result<(), Bad> {
    let judge = Judge::new(&DnsSpec {
        name: "service.example".into(),
        record,
        transport: DnsTransport::Udp,
        expect: Vec::new(),
        authoritative: true,
    });
    let judge = judge.map_err(|(_, cause)| Bad::wrong(cause))?;
    let mut query = judge.query();
    query.metadata.id = ID;
    match read(&query, reply)? {
        Reply::Whole(reply) => judge.reply(&reply),
        Reply::Truncated => Err(Bad::wrong("truncated".to_owned())),
    }
}

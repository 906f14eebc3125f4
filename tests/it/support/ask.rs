//! A plain DNS question by TCP, to see what a server answers without the code under test.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use hickory_proto::{
    op::{Message, Query},
    rr::{Name, RData, Record, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const LIMIT: Duration = Duration::from_secs(2);

/// The server's answer; `None` if there is none.
pub async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Option<Message> {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(format!("{name}.")).unwrap(), kind));
    tokio::time::timeout(LIMIT, exchange(server, &message.to_vec().unwrap())).await.ok()?
}

async fn exchange(server: SocketAddr, message: &[u8]) -> Option<Message> {
    let mut stream = TcpStream::connect(server).await.ok()?;
    stream.write_u16(message.len().try_into().unwrap()).await.ok()?;
    stream.write_all(message).await.ok()?;
    let mut reply = vec![0; stream.read_u16().await.ok()?.into()];
    stream.read_exact(&mut reply).await.ok()?;
    Message::from_vec(&reply).ok()
}

/// The records of one name and type, in a fixed order.
pub async fn records(server: SocketAddr, name: &str, kind: RecordType) -> Vec<Record> {
    let mut answers = ask(server, name, kind).await.expect("the server answers").answers;
    answers.retain(|record| record.record_type() == kind);
    answers.sort_by_key(|record| record.data.to_string());
    answers
}

/// All that a name shows, in one line: addresses, then the mark.
pub async fn shown(server: SocketAddr, name: &str) -> String {
    let mut found = records(server, name, RecordType::A).await;
    found.extend(records(server, name, RecordType::AAAA).await);
    let addresses: Vec<String> = found.iter().map(|record| record.data.to_string()).collect();
    let marks = records(server, &format!("_bongsu.{name}"), RecordType::TXT).await;
    let marks: Vec<String> = marks.iter().map(|record| record.data.to_string()).collect();
    format!("{} | {}", addresses.join(" "), marks.join(" "))
}

/// The TTLs of all that a name shows.
pub async fn ttls(server: SocketAddr, name: &str) -> BTreeSet<u32> {
    let mut found = records(server, name, RecordType::A).await;
    found.extend(records(server, name, RecordType::AAAA).await);
    found.extend(records(server, &format!("_bongsu.{name}"), RecordType::TXT).await);
    found.iter().map(|record| record.ttl).collect()
}

/// The serial of a zone: any change of the zone raises it.
pub async fn serial(server: SocketAddr, zone: &str) -> u32 {
    let records = records(server, zone, RecordType::SOA).await;
    match records.first().map(|record| &record.data) {
        Some(RData::SOA(soa)) => soa.serial,
        other => panic!("no SOA of {zone}: {other:?}"),
    }
}

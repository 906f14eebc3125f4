//! Questions to a real BIND, and to name servers that answer wrong.

use std::{net::SocketAddr, sync::Arc};

use bongsu::{
    domain::Outcome::{self, Ok as Good, Refused, Unreachable, Wrong},
    ports::{
        CheckKind, CheckSpec, DnsRecord, DnsSpec,
        DnsTransport::{Tcp, Udp},
        Prober, Scheme,
    },
};
use hickory_proto::{
    op::{Message, MessageType, Query, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::A},
};
use tokio::{net::UdpSocket, task::JoinSet};

use crate::support::{
    dns_server::free_port,
    named,
    probes::{PATIENT, SHORT, check, endpoint, expect_reading, network_prober},
};

/// What the zone has besides: every type that can be asked for, one answer that does not fit into a datagram, and a zone of others.
fn records() -> String {
    let large: String = (0..40).map(|number| format!("large 60 IN AAAA 2001:db8::{number}\n")).collect();
    "www 60 IN A 192.0.2.1\nwww 60 IN A 192.0.2.2\nwww 60 IN AAAA 2001:db8::a\n\
     text 60 IN TXT \"v=spf1 -ALL\"\nmail 60 IN MX 10 MX1.example.test.\n\
     _sip._tcp 60 IN SRV 0 5 5060 sip\n1.2 60 IN PTR www\nsub 60 IN NS ns.elsewhere.test.\n"
        .to_owned()
        + &large
}

fn spec(name: &str, record: DnsRecord, expect: &[&str]) -> DnsSpec {
    let expect = expect.iter().map(|value| Arc::from(*value)).collect();
    DnsSpec { name: name.into(), record, transport: Udp, expect, authoritative: true }
}

async fn expect(server: SocketAddr, spec: DnsSpec, outcome: Outcome, detail: &str) {
    let timeout = if outcome == Unreachable { SHORT } else { PATIENT };
    // The port of the endpoint is not asked.
    let endpoint = endpoint(Scheme::Http, SocketAddr::new(server.ip(), 1));
    let check = CheckSpec { port: Some(server.port()), ..check(timeout, CheckKind::Dns(spec)) };
    let probe = network_prober().prepare(&endpoint, &check).unwrap();
    expect_reading(&probe.run().await, outcome, detail);
}

#[tokio::test]
async fn bind_is_judged_by_what_it_answers() {
    use DnsRecord::{A, Aaaa, Cname, Mx, Ns, Ptr, Soa, Srv, Txt};
    let server = named::start_with_records(&records()).await;
    let soa = "ns.example.test hostmaster.example.test 1 60 60 60 5";
    let cases: [(&str, DnsRecord, &[&str], Outcome, &str); 21] = [
        ("www.example.test", A, &[], Good, ""),
        ("WWW.Example.Test.", A, &["192.0.2.2", "192.0.2.1"], Good, ""),
        (
            "www.example.test",
            A,
            &["192.0.2.1", "192.0.2.9"],
            Wrong,
            "192.0.2.9 is not among the answers: 192.0.2.",
        ),
        ("www.example.test", Aaaa, &["2001:DB8:0::A"], Good, ""),
        ("text.example.test", Txt, &["v=spf1 -ALL"], Good, ""),
        ("text.example.test", Txt, &["v=spf1 -all"], Wrong, "is not among the answers"),
        ("mail.example.test", Mx, &["10 mx1.example.test"], Good, ""),
        ("mail.example.test", Mx, &["20 mx1.example.test"], Wrong, "is not among the answers"),
        ("_sip._tcp.example.test", Srv, &["0 5 5060 sip.example.test."], Good, ""),
        ("1.2.example.test", Ptr, &["www.example.test"], Good, ""),
        ("alias.example.test", Cname, &["ns.example.test"], Good, ""),
        ("example.test", Ns, &["ns.example.test"], Good, ""),
        ("example.test", Soa, &[soa], Good, ""),
        // Through an alias.
        ("alias.example.test", A, &["127.0.0.1"], Good, ""),
        // More than a datagram holds: by TCP.
        ("large.example.test", Aaaa, &["2001:db8::39", "2001:db8::1"], Good, ""),
        ("nothing.example.test", A, &[], Wrong, "NXDOMAIN: nothing.example.test. A"),
        ("text.example.test", A, &[], Wrong, "no A record of text.example.test."),
        ("www.other.test", A, &[], Wrong, "REFUSED: www.other.test. A"),
        ("www.sub.example.test", A, &[], Wrong, "lame: refers to other servers for www.sub.example.test."),
        ("sub.example.test", Ns, &[], Wrong, "lame: refers to other servers for sub.example.test."),
        (".", Soa, &[], Wrong, "REFUSED: . SOA"),
    ];
    for (name, record, values, outcome, detail) in cases {
        for transport in [Udp, Tcp] {
            let spec = DnsSpec { transport, ..spec(name, record, values) };
            expect(server.addr, spec, outcome, detail).await;
        }
    }
}

/// What is made of a good reply; `None`: nothing is sent.
type Change = fn(Message) -> Option<Vec<u8>>;

/// Answers each query by UDP with what this makes of a good reply, and nothing by TCP; ends with the tasks.
async fn by_udp(change: Change) -> (SocketAddr, JoinSet<()>) {
    let socket = UdpSocket::bind(("127.0.0.1", free_port())).await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut bytes = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut bytes).await.unwrap();
            let mut reply = Message::from_vec(&bytes[..length]).unwrap();
            let name = reply.queries[0].name().clone();
            reply.metadata.message_type = MessageType::Response;
            reply.metadata.authoritative = true;
            reply.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 1))));
            if let Some(bytes) = change(reply) {
                socket.send_to(&bytes, client).await.unwrap();
            }
        }
    });
    (address, tasks)
}

fn sent(mut reply: Message, change: impl FnOnce(&mut Message)) -> Option<Vec<u8>> {
    change(&mut reply);
    Some(reply.to_vec().unwrap())
}

#[tokio::test]
async fn wrong_answers_are_told_apart() {
    let cases: [(Change, Outcome, &str); 12] = [
        (|reply| sent(reply, |_| {}), Good, ""),
        (|reply| sent(reply, |reply| reply.metadata.id ^= 1), Unreachable, "no answer within 300ms (udp)"),
        (
            |reply| {
                sent(reply, |reply| {
                    reply.queries =
                        vec![Query::query(Name::from_ascii("other.test.").unwrap(), RecordType::A)];
                })
            },
            Wrong,
            "answers another question",
        ),
        (|reply| sent(reply, |reply| reply.queries.clear()), Wrong, "answers another question"),
        (
            |reply| sent(reply, |reply| reply.metadata.authoritative = false),
            Wrong,
            "lame: not authoritative for",
        ),
        (
            |reply| sent(reply, |reply| reply.metadata.response_code = ResponseCode::ServFail),
            Wrong,
            "SERVFAIL: www.example.test. A",
        ),
        (
            |reply| {
                sent(reply, |reply| {
                    reply.queries.clear();
                    reply.metadata.response_code = ResponseCode::FormErr;
                })
            },
            Wrong,
            "FORMERR: www.example.test. A",
        ),
        (
            |reply| sent(reply, |reply| reply.metadata.message_type = MessageType::Query),
            Wrong,
            "it is not a reply",
        ),
        (
            |reply| sent(reply, |_| {}).map(|bytes| bytes[..bytes.len() - 1].to_vec()),
            Wrong,
            "not a DNS answer",
        ),
        // As many questions as the header can claim.
        (
            |reply| {
                sent(reply, |_| {}).map(|mut bytes| {
                    bytes[4..6].fill(0xff);
                    bytes
                })
            },
            Wrong,
            "it has 65535 questions",
        ),
        (
            |reply| sent(reply, |reply| reply.metadata.truncation = true),
            Refused,
            "connect: connection refused",
        ),
        (|_| None, Unreachable, "no answer within 300ms (udp)"),
    ];
    for (change, outcome, detail) in cases {
        let (server, _tasks) = by_udp(change).await;
        expect(server, spec("www.example.test", DnsRecord::A, &[]), outcome, detail).await;
    }
}

#[tokio::test]
async fn what_somebody_else_sends_in_the_servers_name_is_passed_over() {
    let socket = UdpSocket::bind(("127.0.0.1", free_port())).await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut bytes = [0; 512];
        let (length, client) = socket.recv_from(&mut bytes).await.unwrap();
        let query = Message::from_vec(&bytes[..length]).unwrap();
        let mut reply = query.clone();
        reply.metadata.message_type = MessageType::Response;
        reply.metadata.authoritative = true;
        let name = query.queries[0].name().clone();
        reply.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 1))));
        let mut forged = reply.clone();
        forged.metadata.id ^= 1;
        for datagram in [Vec::new(), vec![0], forged.to_vec().unwrap(), reply.to_vec().unwrap()] {
            socket.send_to(&datagram, client).await.unwrap();
        }
    });
    expect(address, spec("www.example.test", DnsRecord::A, &["192.0.2.1"]), Good, "").await;
}

#[tokio::test]
async fn nobody_is_refused() {
    for transport in [Udp, Tcp] {
        let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let spec = DnsSpec { transport, ..spec("www.example.test", DnsRecord::A, &[]) };
        expect(nobody, spec, Refused, "connection refused").await;
    }
}

#[tokio::test]
async fn only_who_asks_for_authority_minds_that_there_is_none() {
    let (server, _tasks) = by_udp(|reply| sent(reply, |reply| reply.metadata.authoritative = false)).await;
    let spec = DnsSpec { authoritative: false, ..spec("www.example.test", DnsRecord::A, &["192.0.2.1"]) };
    expect(server, spec, Good, "").await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_before_any_sample() {
    for (name, values, expected) in [
        ("a..b", &[][..], "check deep: name: a..b"),
        ("www.example.test", &["www"], "check deep: expect: www: not an address of A"),
    ] {
        let spec = check(PATIENT, CheckKind::Dns(spec(name, DnsRecord::A, values)));
        let endpoint = endpoint(Scheme::Tcp, SocketAddr::from(([127, 0, 0, 1], 1)));
        let error = network_prober().prepare(&endpoint, &spec).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

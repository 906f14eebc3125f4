//! Servers that lie. No real name server does this, so these are sockets with a prepared reply.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use bongsu::{
    adapters::{clock::SystemClock, traffic::dns::DnsTraffic},
    domain::{Epoch, RouteName, ServiceKey},
    ports::{Answer, DnsRoute, Over, Route, RouteKind},
};
use hickory_proto::{
    op::Message,
    rr::{Name, TSigResponseContext, TSigner, rdata::tsig::TsigAlgorithm},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::dns_server::key;

/// Publishing to a server that replies like this must fail with a message that starts with the server and has `words`.
async fn check(reply: impl Fn(Message) -> Vec<u8> + Send + 'static, words: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, reply));
    let message = publish(addr).await;
    server.abort();
    assert!(
        message.starts_with(&addr.to_string()) && message.contains(words),
        "{words:?} is not in {message:?}"
    );
    assert!(message.len() < 512, "{message}");
}

async fn serve(listener: TcpListener, reply: impl Fn(Message) -> Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    while let Ok(length) = stream.read_u16().await {
        let mut request = vec![0; length.into()];
        stream.read_exact(&mut request).await.unwrap();
        let reply = reply(Message::from_vec(&request).unwrap());
        if reply.is_empty() {
            return;
        }
        let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &reply].concat()).await.unwrap();
    }
}

async fn publish(server: SocketAddr) -> String {
    let dns = DnsRoute {
        zone: "example.test".to_owned(),
        name: "verify.example.test".to_owned(),
        servers: vec![server],
        key: key(),
    };
    let route = Route {
        service: ServiceKey::new("gpki", "gpki-verify"),
        name: RouteName::new("citizens"),
        ttl: 5,
        kind: RouteKind::Dns(dns.clone()),
    };
    let answer = Answer::new(Epoch(1), BTreeSet::from([[192, 0, 2, 1].into()])).unwrap();
    let traffic = DnsTraffic::new(Arc::new(SystemClock::new()));
    traffic.publish(&route, &dns, &answer, Over::Same).await.remove(0).unwrap_err().to_string()
}

/// The honest reply "no such record" to a question, without a signature.
fn empty(request: &Message) -> Message {
    let mut reply = request.clone().into_response();
    reply.metadata.authoritative = true;
    reply.signature = None;
    reply
}

/// Signs a reply to a request as a server does (RFC 8945 §5.3).
fn sign(request: &Message, reply: &mut Message, secret: &[u8]) {
    let signature = &request.signature().unwrap().data;
    let name = Name::from_ascii("bongsu.").unwrap();
    let signer = TSigner::new(secret.to_vec(), TsigAlgorithm::HmacSha256, name, 300).unwrap();
    let context =
        TSigResponseContext::new(reply.metadata.id, signature.time, signer, signature.mac.clone(), None);
    reply.signature = Some(context.sign(&reply.to_vec().unwrap()).unwrap());
}

#[tokio::test]
async fn an_unsigned_reply_is_an_error() {
    check(|request| empty(&request).to_vec().unwrap(), "NOERROR, unsigned: check that it knows key bongsu")
        .await;
}

#[tokio::test]
async fn a_reply_signed_with_another_secret_is_an_error() {
    let reply = |request: Message| {
        let mut reply = empty(&request);
        sign(&request, &mut reply, b"another secret");
        reply.to_vec().unwrap()
    };
    check(reply, "NOERROR with a wrong signature").await;
}

#[tokio::test]
async fn a_reply_changed_on_the_way_is_an_error() {
    let reply = |request: Message| {
        let mut reply = empty(&request);
        sign(&request, &mut reply, &key().secret);
        let mut bytes = reply.to_vec().unwrap();
        bytes[2] ^= 0x02; // the bit TC of the header, which the signature covers
        bytes
    };
    check(reply, "NOERROR with a wrong signature").await;
}

#[tokio::test]
async fn a_server_without_authority_for_the_zone_is_named() {
    let reply = |request: Message| {
        let mut reply = empty(&request);
        reply.metadata.authoritative = false;
        sign(&request, &mut reply, &key().secret);
        reply.to_vec().unwrap()
    };
    check(reply, "not authoritatively (no AA bit): check that it is a primary of zone example.test").await;
}

#[tokio::test]
async fn a_server_that_takes_the_update_and_shows_something_else_is_named() {
    let reply = |request: Message| {
        let mut reply = empty(&request);
        sign(&request, &mut reply, &key().secret);
        reply.to_vec().unwrap()
    };
    check(reply, "took the update but answers with something else: no epoch, addresses {}").await;
}

#[tokio::test]
async fn a_reply_to_another_message_is_an_error() {
    let reply = |request: Message| {
        let mut reply = empty(&request);
        reply.metadata.id = reply.metadata.id.wrapping_add(1);
        sign(&request, &mut reply, &key().secret);
        reply.to_vec().unwrap()
    };
    check(reply, "it belongs to another message").await;
}

#[tokio::test]
async fn a_reply_that_claims_more_than_it_has_is_an_error() {
    let lying = |offset: usize| {
        move |request: Message| {
            let mut bytes = empty(&request).to_vec().unwrap();
            bytes[offset] = 0xff;
            bytes[offset + 1] = 0xff;
            bytes
        }
    };
    for offset in [4, 6, 8, 10] {
        check(lying(offset), "something that is no reply").await;
    }
    check(|_| vec![0; 11], "something that is no reply").await;
}

#[tokio::test]
async fn a_server_that_hangs_up_is_named() {
    check(|_| Vec::new(), "it closed the connection: check that it accepts queries by TCP").await;
}

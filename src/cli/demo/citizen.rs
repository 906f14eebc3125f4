//! A citizen's device: resolves the name, sends 4 KB, reads the verdict, and does it again.
//!
//! It knows nothing of Bongsu. What it sees is what counts: the recovery time is measured here.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::mpsc,
    time::timeout,
};

use super::{event::Event, world::NAME};
use crate::{domain::Tick, ports::Clock};

/// Time from the start of one verification to the start of the next.
const INTERVAL: Duration = Duration::from_millis(200);

/// A name server that is silent for longer is left for the other one.
const NAME_LIMIT: Duration = Duration::from_millis(300);

/// A verification that takes longer is an error for the citizen.
const VERIFY_LIMIT: Duration = Duration::from_millis(500);

/// What is verified: as large as a certificate chain, so that it needs several packets.
const BODY_BYTES: usize = 4_096;

/// Largest DNS message by UDP without EDNS (RFC 1035 §4.2.1).
const DNS_BYTES_MAX: usize = 512;

/// What the device is told.
#[derive(Clone, Debug)]
pub(super) struct Stub {
    /// Name servers, asked one after another.
    pub(super) servers: Vec<SocketAddr>,
    /// Port of the service.
    pub(super) port: u16,
}

/// An answer of a name server.
struct Answer {
    server: SocketAddr,
    address: IpAddr,
    ttl: Duration,
    until: Tick,
}

/// The device.
pub(super) struct Citizen {
    clock: Arc<dyn Clock>,
    stub: Stub,
    events: mpsc::UnboundedSender<(Tick, Event)>,
    /// Index of the name server that answered last.
    preferred: usize,
    cached: Option<Answer>,
    asked: u16,
    told: Option<(SocketAddr, IpAddr)>,
}

impl Citizen {
    /// A device that was just switched on.
    pub(super) const fn new(
        clock: Arc<dyn Clock>,
        stub: Stub,
        events: mpsc::UnboundedSender<(Tick, Event)>,
    ) -> Self {
        Self { clock, stub, events, preferred: 0, cached: None, asked: 0, told: None }
    }

    /// Verifies for ever.
    pub(super) async fn run(mut self) {
        loop {
            let begun = self.clock.tick();
            let result = self.verify().await;
            let now = self.clock.tick();
            let address = self.cached.as_ref().map(|answer| answer.address);
            let took = u64::try_from(now.since(begun).as_millis()).unwrap_or(u64::MAX);
            let error = result.err().map(|error| format!("{error:#}"));
            self.tell(Event::Request { ok: error.is_none(), begun, address, latency_millis: took, error });
            self.clock.sleep(INTERVAL.saturating_sub(now.since(begun))).await;
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more: the demo is over.
        let _ended = self.events.send((self.clock.tick(), event));
    }

    async fn verify(&mut self) -> anyhow::Result<()> {
        let address = self.resolve().await?;
        let target = SocketAddr::new(address, self.stub.port);
        let verified = timeout(VERIFY_LIMIT, post(target)).await;
        verified.map_err(|_| anyhow::anyhow!("no answer from {address} within {VERIFY_LIMIT:?}"))?
    }

    /// The address of the service: from the cache while the answer lives, else from the first name server that answers.
    async fn resolve(&mut self) -> anyhow::Result<IpAddr> {
        let now = self.clock.tick();
        if let Some(answer) = self.cached.as_ref().filter(|answer| now < answer.until) {
            return Ok(answer.address);
        }
        self.cached = None;
        let mut last = anyhow::anyhow!("no name server is known");
        for offset in 0..self.stub.servers.len() {
            let index = (self.preferred + offset) % self.stub.servers.len();
            let Some(server) = self.stub.servers.get(index).copied() else { continue };
            match self.ask(server).await {
                Ok(answer) => {
                    self.preferred = index;
                    let address = answer.address;
                    self.remember(answer);
                    return Ok(address);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn remember(&mut self, answer: Answer) {
        let Answer { server, address, ttl, .. } = answer;
        if self.told != Some((server, address)) {
            self.told = Some((server, address));
            let name = NAME.to_owned();
            self.tell(Event::Answer { name, address, server, ttl_seconds: ttl.as_secs() });
        }
        self.cached = Some(answer);
    }

    async fn ask(&mut self, server: SocketAddr) -> anyhow::Result<Answer> {
        self.asked = self.asked.wrapping_add(1);
        let asked = timeout(NAME_LIMIT, question(server, self.asked)).await;
        let silent = || anyhow::anyhow!("name server {server} is silent for {NAME_LIMIT:?}");
        let (address, ttl) = asked.map_err(|_| silent())??;
        Ok(Answer { server, address, ttl, until: self.clock.tick().plus(ttl) })
    }
}

/// One question by UDP (RFC 1035). The socket is connected, so that only the server that was asked can answer.
async fn question(server: SocketAddr, id: u16) -> anyhow::Result<(IpAddr, Duration)> {
    let mut message = Message::query();
    message.metadata.id = id;
    message.add_query(Query::query(Name::from_ascii(format!("{NAME}."))?, RecordType::A));
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(server).await?;
    let asked = |error: std::io::Error| anyhow::anyhow!("name server {server}: {error}");
    socket.send(&message.to_vec()?).await.map_err(asked)?;
    let mut bytes = [0; DNS_BYTES_MAX];
    let length = socket.recv(&mut bytes).await.map_err(asked)?;
    let reply = Message::from_vec(bytes.get(..length).unwrap_or_default())?;
    let code = reply.metadata.response_code;
    anyhow::ensure!(reply.metadata.id == id, "name server {server} answered another question");
    anyhow::ensure!(code == ResponseCode::NoError, "name server {server} says {code}");
    let found = reply.answers.iter().find_map(|record| match &record.data {
        RData::A(address) => Some((IpAddr::V4(address.0), Duration::from_secs(record.ttl.into()))),
        _ => None,
    });
    found.with_context(|| format!("name server {server} has no address for {NAME}"))
}

/// One verification over a new connection.
async fn post(target: SocketAddr) -> anyhow::Result<()> {
    let stream = TcpStream::connect(target).await.with_context(|| format!("connect to {target}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post("/verify")
        .header(header::HOST, NAME)
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from_static(&[b'c'; BODY_BYTES])))?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        anyhow::Ok((status, answer.into_body().collect().await?.to_bytes()))
    };
    // The connection does the work; it ends with the exchange.
    let (exchanged, _connection) = tokio::join!(exchange, connection);
    let (status, body) = exchanged.with_context(|| format!("verify at {target}"))?;
    let verdict: Value = serde_json::from_slice(&body)?;
    let good = status.is_success() && verdict.get("result").and_then(Value::as_str) == Some("good");
    anyhow::ensure!(good, "{target} answered {status}: {verdict}");
    Ok(())
}

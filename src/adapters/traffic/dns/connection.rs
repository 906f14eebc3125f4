//! One TCP connection to one name server (RFC 7766) on which every message is signed and every reply verified.
//!
//! A reply is at most 65535 bytes, because its length has two (RFC 1035 §4.2.2); that bounds the memory, whatever the
//! server sends. The time is bounded by the caller.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzed;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Once},
};

use hickory_proto::{
    op::{Header, Message, MessageType, ResponseCode},
    rr::{
        TSigVerifier, TSigner,
        rdata::tsig::{TsigAlgorithm as Algorithm, TsigError},
    },
    serialize::binary::{BinDecodable, BinDecoder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use tracing::warn;

use super::refusal::Subject;
use crate::{
    adapters::traffic::marker::absolute,
    ports::{Clock, DnsRoute, TrafficError, TsigAlgorithm},
};

/// Seconds by which the clocks of both sides may differ: the value that RFC 8945 §10 recommends.
const FUDGE_SECONDS: u16 = 300;

/// The connection.
pub(super) struct Connection {
    pub(super) subject: Subject,
    stream: TcpStream,
    signer: TSigner,
    clock: Arc<dyn Clock>,
    /// Seconds by which the server's clock is ahead of this host's, once the server has said so under the key.
    ahead: i64,
}

impl Connection {
    pub(super) async fn open(
        clock: &Arc<dyn Clock>,
        route: &DnsRoute,
        server: SocketAddr,
    ) -> Result<Self, TrafficError> {
        let (algorithm, algorithm_name) = algorithm(route.key.algorithm);
        let subject = Subject::new(server, route, algorithm_name);
        let key =
            absolute(&route.key.name).map_err(|cause| subject.not_asked("the name of its key", cause))?;
        let signer = TSigner::new(route.key.secret.to_vec(), algorithm, key, FUDGE_SECONDS)
            .map_err(|cause| subject.not_asked("its key", cause))?;
        let stream = TcpStream::connect(server).await.map_err(|cause| {
            subject.unreachable(format!(
                "{cause}: check that a name server listens there and that TCP reaches it"
            ))
        })?;
        // A message is written as a whole; waiting for more to send only costs time. Without it all still works.
        let _ = stream.set_nodelay(true);
        Ok(Self { subject, stream, signer, clock: Arc::clone(clock), ahead: 0 })
    }

    /// Sends a message and takes its reply. The reply's code is the caller's to judge, unless it is about the signature.
    ///
    /// A clock that is wrong must not keep clients from being led away, and what the time protects from, a message that is
    /// sent once more by somebody else, the epoch protects from as well. So the server's time is taken over, as it says it
    /// in a reply that is signed for this very message (RFC 8945 §5.2.3), and the message is sent once more.
    pub(super) async fn exchange(&mut self, message: Message) -> Result<Message, TrafficError> {
        let mut reply = self.exchange_signed(message.clone()).await?;
        if let Some(time) = time_of_server(&reply).filter(|_| self.ahead == 0) {
            self.ahead = time.saturating_sub(self.seconds());
            self.tell_of_clocks();
            reply = self.exchange_signed(message).await?;
        }
        match tsig_error(&reply) {
            error @ Some(_) => Err(self.subject.code(reply.metadata.response_code, error)),
            None => Ok(reply),
        }
    }

    fn seconds(&self) -> i64 {
        self.clock.wall().0 / 1000
    }

    /// Once in the life of the process: each connection to the server finds it anew.
    fn tell_of_clocks(&self) {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            let (server, seconds) = (self.subject.server, self.ahead);
            warn!(%server, seconds, "the name server's clock is ahead of this host's by so much; its time is used: set the clocks right");
        });
    }

    async fn exchange_signed(&mut self, mut message: Message) -> Result<Message, TrafficError> {
        let now = u64::try_from(self.seconds().saturating_add(self.ahead)).unwrap_or_default();
        let verifier =
            message.finalize(&self.signer, now).map_err(|cause| self.subject.not_asked("its key", cause))?;
        let bytes = message.to_vec().map_err(|cause| self.subject.not_asked("the message", cause))?;
        self.send(&bytes).await.map_err(|cause| self.interrupted(&cause))?;
        let reply = self.receive().await.map_err(|cause| self.interrupted(&cause))?;
        self.judge(&message, &reply, verifier)
    }

    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length =
            u16::try_from(message.len()).map_err(|_| io::Error::other("message above 65535 bytes"))?;
        self.stream.write_all(&[&length.to_be_bytes(), message].concat()).await
    }

    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let length = self.stream.read_u16().await?;
        let mut reply = vec![0; usize::from(length)];
        self.stream.read_exact(&mut reply).await?;
        Ok(reply)
    }

    fn interrupted(&self, cause: &io::Error) -> TrafficError {
        let closed = cause.kind() == io::ErrorKind::UnexpectedEof;
        let cause = if closed { "it closed the connection".to_owned() } else { cause.to_string() };
        self.subject
            .unreachable(format!("{cause}: check that it accepts queries by TCP (RFC 7766), and its log"))
    }

    /// RFC 8945 §5.3: a reply to a signed message is signed, except BADSIG and BADKEY, which cannot be.
    fn judge(
        &self,
        message: &Message,
        reply: &[u8],
        verifier: Option<TSigVerifier>,
    ) -> Result<Message, TrafficError> {
        // Parsed before it is verified: the library's verification adds up the section counts unchecked, and a message
        // that can be parsed has no more records than bytes.
        let parsed = parse(message, reply).map_err(|cause| {
            self.subject.refused(
                format!("something that is no reply ({cause})"),
                "check that it is a name server".to_owned(),
            )
        })?;
        let code = parsed.metadata.response_code;
        let error = match parsed.signature() {
            None => return Err(self.subject.unsigned(code)),
            Some(signature) => signature.data.error,
        };
        if let (ResponseCode::NotAuth, Some(TsigError::BadSig | TsigError::BadKey)) = (code, error) {
            return Err(self.subject.code(code, error));
        }
        if let Some(mut verifier) = verifier {
            verifier.verify(reply).map_err(|cause| self.subject.badly_signed(code, cause))?;
        }
        Ok(parsed)
    }
}

/// What is wrong with the message that this is the reply to.
fn tsig_error(reply: &Message) -> Option<TsigError> {
    reply.signature().and_then(|signature| signature.data.error)
}

/// The server's time in seconds since 1970, if it says that the message's is wrong: 48 bits (RFC 8945 §5.2.3).
fn time_of_server(reply: &Message) -> Option<i64> {
    let signature = reply.signature().filter(|signature| signature.data.error == Some(TsigError::BadTime))?;
    let time: [u8; 6] = signature.data.other.as_slice().try_into().ok()?;
    let [a, b, c, d, e, f] = time;
    Some(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

fn parse(message: &Message, reply: &[u8]) -> Result<Message, String> {
    let header = Header::read(&mut BinDecoder::new(reply)).map_err(|cause| cause.to_string())?;
    // Looked at first: the library allocates as many questions as the header claims.
    if header.counts.queries > 1 {
        return Err(format!("it has {} questions", header.counts.queries));
    }
    let parsed = Message::from_vec(reply).map_err(|cause| cause.to_string())?;
    let answers = parsed.metadata.message_type == MessageType::Response
        && parsed.metadata.id == message.metadata.id
        && parsed.metadata.op_code == message.metadata.op_code
        && (parsed.queries.is_empty() || parsed.queries == message.queries);
    if answers { Ok(parsed) } else { Err("it belongs to another message".to_owned()) }
}

const fn algorithm(algorithm: TsigAlgorithm) -> (Algorithm, &'static str) {
    match algorithm {
        TsigAlgorithm::HmacSha256 => (Algorithm::HmacSha256, "hmac-sha256"),
        TsigAlgorithm::HmacSha384 => (Algorithm::HmacSha384, "hmac-sha384"),
        TsigAlgorithm::HmacSha512 => (Algorithm::HmacSha512, "hmac-sha512"),
    }
}

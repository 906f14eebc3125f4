//! A connection to a directory: one request at a time, and answers within a limit on what is read.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::{
    super::{Bad, Phase, connect::io_bad, tls::Tls},
    ber::{Header, Malformed, SEQUENCE},
    messages::{EXTENDED_RESPONSE, UNBIND, disconnected, malformed, message, numbered, start_tls, succeeded},
};
use crate::domain::Stage;

/// Bytes read at once. 16 KiB: what one record of TLS holds; most answers have less.
const READ_BYTES: usize = 16 * 1024;

/// One sample's connection.
pub(super) struct Conversation<S> {
    stream: S,
    /// What was read and not yet looked at.
    buffer: BytesMut,
    bytes_max: usize,
    /// Bytes that may still be read.
    bytes_left: usize,
    /// Number of the last request.
    id: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    /// Begins on a new connection, from which at most so many bytes are read.
    pub(super) fn new(stream: S, bytes_max: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), bytes_max, bytes_left: bytes_max, id: 0 }
    }

    /// Sends a request.
    pub(super) async fn send(&mut self, request: &[u8]) -> Result<(), Bad> {
        self.id += 1;
        self.write(&numbered(self.id, request)).await
    }

    /// Tag and content of the next answer to the last request.
    pub(super) async fn answer(&mut self) -> Result<(u8, Bytes), Bad> {
        let frame = self.frame().await?;
        let (id, tag, content) = message(&frame).map_err(malformed)?;
        match u32::try_from(id) {
            Ok(id) if id == self.id => Ok((tag, frame.slice_ref(content))),
            Ok(0) if tag == EXTENDED_RESPONSE => Err(disconnected(content)),
            _ => Err(malformed(Malformed("it answers what was not asked"))),
        }
    }

    /// The one answer to the last request, which must be of this kind and say that it succeeded.
    pub(super) async fn success(&mut self, doing: &str, tag: u8) -> Result<(), Bad> {
        match self.answer().await? {
            (found, content) if found == tag => succeeded(doing, &content),
            _ => Err(malformed(Malformed("an answer of another kind"))),
        }
    }

    /// Tells the server that nothing more comes, so that it does not log a lost client. All was read; whether this still arrives
    /// says nothing about the answer.
    pub(super) async fn end(mut self) {
        self.id += 1;
        let _gone = self.write(&numbered(self.id, UNBIND)).await;
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|error| io_bad("ldap", &error))
    }

    /// The content of the next message. What a message says of its length is believed only as far as bytes come.
    async fn frame(&mut self) -> Result<Bytes, Bad> {
        loop {
            if let Some(header) = Header::read(&self.buffer).map_err(malformed)? {
                if header.tag != SEQUENCE {
                    return Err(malformed(Malformed("an element of another kind")));
                }
                let length = header.bytes.saturating_add(header.content_bytes);
                if length > self.buffer.len().saturating_add(self.bytes_left) {
                    return Err(self.too_much());
                }
                if length <= self.buffer.len() {
                    let mut frame = self.buffer.split_to(length).freeze();
                    frame.advance(header.bytes);
                    return Ok(frame);
                }
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Bad> {
        if self.bytes_left == 0 {
            return Err(self.too_much());
        }
        self.buffer.reserve(READ_BYTES);
        let mut space = (&mut self.buffer).limit(READ_BYTES.min(self.bytes_left));
        let read = self.stream.read_buf(&mut space).await.map_err(|error| io_bad("ldap", &error))?;
        if read == 0 {
            return Err(Bad::refused("ldap: closed early".to_owned()));
        }
        self.bytes_left = self.bytes_left.saturating_sub(read);
        Ok(())
    }

    fn too_much(&self) -> Bad {
        Bad::wrong(format!("more than {} bytes in one sample", self.bytes_max))
    }
}

impl Conversation<TcpStream> {
    /// Asks for TLS and goes on with it.
    pub(super) async fn secured(
        mut self,
        tls: &Tls,
        phase: &Phase,
    ) -> Result<Conversation<TlsStream<TcpStream>>, Bad> {
        phase.enter(Stage::Tls, "StartTLS");
        self.send(&start_tls()).await?;
        self.success("StartTLS", EXTENDED_RESPONSE).await?;
        // Somebody on the way could have put an answer there that would count as if it had come over TLS.
        if !self.buffer.is_empty() {
            return Err(Bad::wrong("StartTLS: bytes in the clear behind the answer".to_owned()));
        }
        let stream = tls.handshake(self.stream, phase).await?;
        let Self { buffer, bytes_max, bytes_left, id, .. } = self;
        Ok(Conversation { stream, buffer, bytes_max, bytes_left, id })
    }
}

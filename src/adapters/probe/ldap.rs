//! The `ldap` check: an anonymous bind and a search (RFC 4511), in the clear, after StartTLS or over TLS, and a judgement of what
//! was found.
//!
//! The protocol is a small part of LDAP written here and not a crate's: the client crate reads without a limit, and what reads
//! BER for it goes down as many levels as a server cares to nest, until the stack ends and the process with it.

mod ber;
mod conversation;
mod filter;
mod found;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzed;
mod messages;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Bad, Means, Phase,
    connect::Target,
    line::line,
    sample,
    tls::{Protocol, Tls},
};
use crate::domain::Stage;
use crate::ports::{
    CheckSpec, Clock, Endpoint, LdapBind, LdapEncryption, LdapSpec, Probe, ProbeError, Reading,
};
use ber::Malformed;
use conversation::Conversation;
use found::{ENTRIES_MAX, Found, Judge};
use messages::{
    BIND_RESPONSE, INTERMEDIATE_RESPONSE, INVALID_CREDENTIALS, SEARCH_DONE, SEARCH_ENTRY, SEARCH_REFERENCE,
    Search, bind, malformed, succeeded,
};

/// The `ldap` check of one member.
pub(super) struct LdapProbe {
    target: Target,
    encryption: Encryption,
    bind: Bind,
    /// The request.
    search: Vec<u8>,
    judge: Judge,
    bytes_max: usize,
    max_latency: Option<Duration>,
    clock: Arc<dyn Clock>,
}

/// The request to bind. Has no `Debug`, so that it gets into no log.
struct Bind {
    request: Vec<u8>,
    by_password: bool,
}

enum Encryption {
    None,
    StartTls(Tls),
    Ldaps(Tls),
}

impl LdapProbe {
    pub(super) fn new(
        means: &Means,
        endpoint: &Endpoint,
        check: &CheckSpec,
        spec: &LdapSpec,
    ) -> Result<Self, ProbeError> {
        let wrong = |(field, cause)| ProbeError::Field { check: check.name.to_string(), field, cause };
        let filter = filter::encode(&spec.filter);
        let filter = filter.map_err(|cause| wrong(("search.filter", line(format_args!("{cause}")))))?;
        let search = Search {
            base: &spec.base,
            scope: spec.scope,
            filter: &filter,
            attribute: spec.attribute.as_deref(),
            entries_max: ENTRIES_MAX,
            // The server need not work on when the sample has ended.
            seconds_max: u32::try_from(check.timeout.as_secs()).unwrap_or(u32::MAX).saturating_add(1),
        };
        let tls =
            || means.tls.prepare(&check.name, &endpoint.host, &spec.tls, Protocol::Other, &means.secrets);
        Ok(Self {
            target: Target::new(means, endpoint, check),
            encryption: match spec.encryption {
                LdapEncryption::None => Encryption::None,
                LdapEncryption::StartTls => Encryption::StartTls(tls()?),
                LdapEncryption::Ldaps => Encryption::Ldaps(tls()?),
            },
            bind: Bind::new(spec.bind.as_ref(), means),
            search: search.encode(),
            judge: Judge::new(spec).map_err(wrong)?,
            bytes_max: spec.max_bytes,
            max_latency: check.max_latency,
            clock: means.clock.clone(),
        })
    }

    async fn once(&self, phase: &Phase) -> Result<(), Bad> {
        let stream = self.target.connect(phase).await?;
        let found = match &self.encryption {
            Encryption::None => self.look(Conversation::new(stream, self.bytes_max), phase).await?,
            Encryption::StartTls(tls) => {
                let conversation = Conversation::new(stream, self.bytes_max).secured(tls, phase).await?;
                self.look(conversation, phase).await?
            }
            Encryption::Ldaps(tls) => {
                let stream = tls.handshake(stream, phase).await?;
                self.look(Conversation::new(stream, self.bytes_max), phase).await?
            }
        };
        phase.enter(Stage::Judgement, "judgement");
        self.judge.judge(&found, self.clock.wall())
    }

    /// Binds and searches.
    async fn look<S>(&self, mut conversation: Conversation<S>, phase: &Phase) -> Result<Found, Bad>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        phase.enter(Stage::Answer, "bind");
        conversation.send(&self.bind.request).await?;
        conversation.success("bind", BIND_RESPONSE).await.map_err(|bad| self.bind.refused(bad))?;
        phase.enter(Stage::Answer, "search");
        conversation.send(&self.search).await?;
        let mut found = Found::default();
        loop {
            let (tag, content) = conversation.answer().await?;
            match tag {
                SEARCH_ENTRY => self.judge.entry(&content, &mut found)?,
                SEARCH_REFERENCE => found.reference(&content)?,
                INTERMEDIATE_RESPONSE => {}
                SEARCH_DONE => {
                    succeeded("search", &content)?;
                    break;
                }
                _ => return Err(malformed(Malformed("an answer of another kind"))),
            }
        }
        conversation.end().await;
        Ok(found)
    }
}

impl Bind {
    fn new(spec: Option<&LdapBind>, means: &Means) -> Self {
        let known = spec.and_then(|spec| Some((&*spec.name, &**means.secrets.get(&spec.password)?)));
        let (name, password) = known.unwrap_or(("", b""));
        Self { request: bind(name, password), by_password: spec.is_some() }
    }

    /// A password that is not taken may be wrong here as well as there: while it is changed in one place after the other, no member may
    /// be called failed because of it.
    fn refused(&self, bad: Bad) -> Bad {
        match self.by_password && bad.detail.contains(INVALID_CREDENTIALS) {
            true => Bad::unjudged(line(format_args!("{}: correct the Secret, or the directory", bad.detail))),
            false => bad,
        }
    }
}

#[async_trait]
impl Probe for LdapProbe {
    async fn run(&self) -> Reading {
        sample(self.target.limit, self.max_latency, |phase| async move { self.once(&phase).await }).await
    }
}

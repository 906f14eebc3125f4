//! What is asked of a ledger of identities.

use std::{sync::Arc, time::Duration};

use super::TlsSpec;

/// What is asked of a ledger of decentralised identifiers, and what is expected: each part that is there, one after the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DidSpec {
    /// A DID that must resolve.
    pub resolve: Option<DidResolve>,
    /// Credentials whose status is known.
    pub statuses: Vec<DidStatus>,
    /// The newest block.
    pub head: Option<DidHead>,
    /// How the server's certificate is verified, over TLS.
    pub tls: TlsSpec,
}

/// A DID whose document must be found (W3C DID Core §5).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DidResolve {
    /// The DID.
    pub did: Arc<str>,
    /// Path and query of the document, with the DID in it.
    pub path: Arc<str>,
    /// JSON pointer to the document; empty: the whole answer.
    pub document: Arc<str>,
    /// `id` of a verification method that the document must have.
    pub key_id: Option<Arc<str>>,
    /// The public key of that method, or of any.
    pub public_key: Option<Arc<str>>,
}

/// A credential whose status is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DidStatus {
    /// Path and query.
    pub path: Arc<str>,
    /// JSON pointer to the status.
    pub pointer: Arc<str>,
    /// What it must be; `None`: only the HTTP status counts.
    pub expect: Option<Arc<str>>,
    /// HTTP status of the answer.
    pub http_status: u16,
}

/// The newest block of a chain, and what is expected of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DidHead {
    /// Path that is asked.
    pub path: Arc<str>,
    /// The question in JSON-RPC; `None`: a plain GET.
    pub rpc: Option<ChainRpc>,
    /// JSON pointer to its number.
    pub number: Arc<str>,
    /// JSON pointer to its time; `None`: its age is not judged.
    pub time: Option<Arc<str>>,
    /// The longest time that the number may stay the same.
    pub max_stall: Duration,
    /// How far an answer may be below the highest number that was seen.
    pub max_behind: u64,
    /// How far its time may be from this host's clock.
    pub max_age: Duration,
}

/// A question to a node of an Ethereum chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChainRpc {
    /// The number of the newest block.
    EthBlockNumber,
    /// The newest block.
    EthGetBlockByNumber,
}

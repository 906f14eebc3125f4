//! What a directory sends, as fuzzing makes it.

use futures::FutureExt;
use tokio::io::{join, sink};

use super::{
    super::fuzzed::{AUTHORITY, MADE, means, rules},
    Arc, Bad, CheckSpec, Conversation, Duration, Endpoint, LdapEncryption, LdapProbe, LdapSpec, Phase,
};
use crate::ports::{CheckKind, LdapScope, LdapValue, Scheme, TlsSpec};

/// Bytes that a sample reads at most.
const BYTES_MAX: usize = 64 * 1024;

/// Judges the answers to a bind and a search, once for a list of revoked certificates and once for a certificate.
pub(in super::super) fn judge(sent: &[u8]) -> Result<(), Bad> {
    let list = judge_as("certificateRevocationList;binary", LdapValue::Crl(rules()), sent);
    let certificate = LdapValue::Certificate { issuer: AUTHORITY.into(), expires_within: Duration::ZERO };
    list.and(judge_as("cACertificate;binary", certificate, sent))
}

fn judge_as(attribute: &str, value: LdapValue, sent: &[u8]) -> Result<(), Bad> {
    let probe = probe(attribute, value)?;
    let conversation = Conversation::new(join(sent, sink()), BYTES_MAX);
    let phase = Phase::default();
    // What is in memory is there at once: the end of the bytes is the end of the connection.
    let looked = probe.look(conversation, &phase).now_or_never();
    let found = looked.unwrap_or_else(|| Err(Bad::wrong("waits for what does not come".to_owned())))?;
    probe.judge.judge(&found, MADE)
}

fn probe(attribute: &str, value: LdapValue) -> Result<LdapProbe, Bad> {
    let endpoint = Endpoint { scheme: Scheme::Http, host: Arc::from("directory.example"), port: 389 };
    let timeout = Duration::from_secs(1);
    let (name, kind) = (Arc::from("directory"), CheckKind::Tcp);
    let check = CheckSpec { name, timeout, max_latency: None, port: None, scheme: None, kind };
    let spec = LdapSpec {
        encryption: LdapEncryption::None,
        tls: TlsSpec::default(),
        bind: None,
        base: "o=x".into(),
        scope: LdapScope::Sub,
        filter: "(cn=*)".into(),
        attribute: Some(attribute.into()),
        min_entries: 1,
        value,
        max_bytes: BYTES_MAX,
    };
    LdapProbe::new(&means(), &endpoint, &check, &spec).map_err(|error| Bad::wrong(error.to_string()))
}

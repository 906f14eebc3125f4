//! What a name server answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A question to the member as a name server. The check's `port` defaults to 53, whatever the port of the member's endpoint is.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsCheck {
    /// Name that is asked for, such as `www.gpki.example`; for `PTR` the reversed address below `in-addr.arpa` or `ip6.arpa`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Type of the records that are asked for. Defaults to `A`.
    #[serde(default, rename = "type")]
    pub kind: DnsRecordType,

    /// How the question is sent. Defaults to `Udp`; an answer that does not fit into a datagram is fetched by TCP.
    #[serde(default)]
    pub transport: DnsTransport,

    /// Values that must all be among the answers, as a zone file has them: `192.0.2.1`, `10 mail.gpki.example`; a text without quotation
    /// marks. Case and the last dot of names do not count. At most 16. Unset: one record of the type is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 1024)))]
    pub expect: Vec<String>,

    /// The answer must be authoritative, and recursion is not asked for. Defaults to `false`, which suits a resolver.
    #[serde(default)]
    pub authoritative: bool,
}

/// Type of a record.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsRecordType {
    /// An IPv4 address.
    #[default]
    A,
    /// An IPv6 address.
    Aaaa,
    /// A text.
    Txt,
    /// Where a zone begins.
    Soa,
    /// A name server.
    Ns,
    /// Another name for a name.
    Cname,
    /// The name of an address.
    Ptr,
    /// A mail server, with its preference.
    Mx,
    /// The place of a service: priority, weight, port and host.
    Srv,
}

/// How a question is sent to a name server.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DnsTransport {
    /// In one datagram, sent once: one that is lost is a bad sample.
    #[default]
    Udp,
    /// By TCP.
    Tcp,
}
